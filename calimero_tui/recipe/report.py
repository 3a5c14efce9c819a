"""Shows what happens while a recipe runs: lines for people, JSON objects for programs. A listener, nothing more."""

from __future__ import annotations

import json

from calimero_tui.output import show
from calimero_tui.recipe.events import (
    Event,
    Label,
    Listener,
    RunFinished,
    RunStarted,
    StepFailed,
    StepPassed,
    StepRetried,
    StepStarted,
    to_json,
)
from calimero_tui.recipe.model import Recipe, Step

WIDEST_VALUE = 60
"""Characters of a captured value on a line."""


def listener(*, as_json: bool) -> Listener:
    return (lambda event: show.data(to_json(event))) if as_json else _show


def _show(event: Event) -> None:
    for text in lines(event):
        show.line(text)


def lines(event: Event) -> list[str]:
    """The lines that a person sees of an event."""
    match event:
        case RunStarted():
            return [event.recipe, *(f"  {name}  {url}" for name, url in event.nodes.items())]
        case StepStarted() | StepRetried():
            return []
        case StepPassed():
            return [f"ok    {_label(event.step)}  {event.seconds:.2f} s", *_captured(event)]
        case StepFailed():
            return [
                f"FAIL  {_label(event.step)}  line {event.step.line}  {event.seconds:.2f} s",
                *_indented(f"{event.error}\n{event.diff}"),
            ]
        case RunFinished():
            verdict = "passed" if event.passed else "failed"
            return [f"{verdict}: {event.steps} steps passed in {event.seconds:.2f} s"]


def _label(label: Label) -> str:
    return f"{label.number:<6} {label.name}{f' on {label.node}' if label.node else ''}"


def _captured(event: StepPassed) -> list[str]:
    return [
        f"        {name} = {_short(json.dumps(value, ensure_ascii=True))}" for name, value in event.captured.items()
    ]


def _short(text: str) -> str:
    return text if len(text) <= WIDEST_VALUE else f"{text[: WIDEST_VALUE - 1]}…"


def _indented(text: str) -> list[str]:
    return [f"        {line}" for line in text.strip().splitlines()]


def plan(recipe: Recipe) -> list[str]:
    """The steps of a recipe as ``--dry-run`` shows them."""
    started = "" if recipe.urls else " (started by the recipe)"
    return [f"{recipe.name}: {', '.join(recipe.nodes)}{started}", *_planned(recipe.steps)]


def _planned(steps: tuple[Step, ...]) -> list[str]:
    found = []
    for step in steps:
        found.append(f"{step.number:<8} {step.type}{f'  {step.name}' if step.name else ''}")
        for group in step.groups:
            found += _planned(group.steps)
    return found
