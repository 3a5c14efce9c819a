"""What happens while a recipe runs, as values. Whoever shows or counts it listens; the runner prints nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from node.errors import CalimeroError, RecipeError


@dataclass(frozen=True, slots=True)
class RunStarted:
    recipe: str
    nodes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Label:
    """Which step: its number (``3.1`` is inside of 3), its name or type, where it runs, and its line."""

    number: str
    name: str
    node: str
    line: int


@dataclass(frozen=True, slots=True)
class StepStarted:
    step: Label


@dataclass(frozen=True, slots=True)
class StepRetried:
    step: Label
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class StepPassed:
    step: Label
    seconds: float
    captured: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StepFailed:
    step: Label
    seconds: float
    error: CalimeroError

    @property
    def diff(self) -> str:
        return str(getattr(self.error, "diff", ""))


@dataclass(frozen=True, slots=True)
class RunFinished:
    passed: bool
    steps: int
    seconds: float
    captured: dict[str, Any]


Event = RunStarted | StepStarted | StepRetried | StepPassed | StepFailed | RunFinished
Listener = Callable[[Event], None]


def to_json(event: Event) -> dict[str, Any]:
    """An event as one JSON object; ``event`` says which."""
    match event:
        case RunStarted():
            return {"event": "run_started", "recipe": event.recipe, "nodes": event.nodes}
        case StepStarted():
            return {"event": "step_started", **_label(event.step)}
        case StepRetried():
            return {"event": "step_retried", **_label(event.step), "attempt": event.attempt, "reason": event.reason}
        case StepPassed():
            return {
                "event": "step_passed", **_label(event.step), "seconds": round(event.seconds, 3),
                "captured": event.captured,
            }  # fmt: skip
        case StepFailed():
            return {
                "event": "step_failed", **_label(event.step), "seconds": round(event.seconds, 3),
                "error": _error(event.error), "diff": event.diff,
            }  # fmt: skip
        case RunFinished():
            return {
                "event": "run_finished", "passed": event.passed, "steps": event.steps,
                "seconds": round(event.seconds, 3), "captured": event.captured,
            }  # fmt: skip


def _label(label: Label) -> dict[str, Any]:
    return {"step": label.number, "name": label.name, "node": label.node, "line": label.line}


def _error(error: CalimeroError) -> dict[str, Any]:
    found: dict[str, Any] = {"type": getattr(error, "kind", "") or type(error).__name__, "message": str(error)}
    if isinstance(error, RecipeError) and error.span is not None:
        found["span"] = {"file": error.span.file, "line": error.span.line, "column": error.span.column}
    return found
