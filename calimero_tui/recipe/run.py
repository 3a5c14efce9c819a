"""Runs a recipe on nodes that are there. It prints nothing and knows no files: what happens is handed to a listener."""

from __future__ import annotations

import asyncio
import time
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calimero_tui.actions.base import Action, Kind, Session, Source
from calimero_tui.client.node import Node
from calimero_tui.recipe import path, template
from calimero_tui.recipe.events import (
    Label,
    Listener,
    RunFinished,
    RunStarted,
    StepFailed,
    StepPassed,
    StepRetried,
    StepStarted,
)
from calimero_tui.recipe.judge import judge
from calimero_tui.recipe.model import ALL, Recipe, Step
from calimero_tui.recipe.scope import Scope
from calimero_tui.recipe.source import plain
from calimero_tui.recipe.steps import STEPS, misfit
from node.errors import AssertionFailed, CalimeroError, ClientError, LintError, Refused, Span


@dataclass(frozen=True, slots=True)
class Outcome:
    """``error`` is what ended the run, None when every step passed."""

    error: CalimeroError | None
    captured: dict[str, Any]
    steps: int
    seconds: float


class Stop(Exception):
    """A step failed and was reported; the run ends."""

    def __init__(self, error: CalimeroError) -> None:
        super().__init__(str(error))
        self.error = error


async def run(recipe: Recipe, nodes: Mapping[str, Node], variables: Mapping[str, Any], listen: Listener) -> Outcome:
    """Run the steps. ``variables`` are the built-in ones; those of the recipe are added."""
    started = time.monotonic()
    runner = Run(nodes, Path(variables["recipe_dir"]), listen)
    scope = Scope(ChainMap({}, dict(variables)))
    listen(RunStarted(recipe.name, {name: node.url for name, node in nodes.items()}))
    error: CalimeroError | None = None
    try:
        for name, value in recipe.variables.items():
            scope.set(name, runner.rendered(plain(value), scope, value.span))
        await runner.steps(recipe.steps, scope)
    except Stop as stop:
        error = stop.error
    except CalimeroError as problem:
        error = problem
    seconds = time.monotonic() - started
    listen(RunFinished(error is None, runner.passed, seconds, scope.own))
    return Outcome(error, scope.own, runner.passed, seconds)


class Run:
    """One run: the nodes, and how a step is carried out on them."""

    def __init__(self, nodes: Mapping[str, Node], base: Path, listen: Listener) -> None:
        self.passed = 0
        self._nodes = nodes
        self._base = base
        self._listen = listen

    async def steps(self, steps: Sequence[Step], scope: Scope) -> None:
        for step in steps:
            await self._step(step, scope)

    async def _step(self, step: Step, scope: Scope) -> None:
        started = time.monotonic()
        label = self._label(step, scope)
        self._listen(StepStarted(label))
        try:
            result = await self._patiently(step, scope, label)
            captured = self._capture(step, scope, result)
        except CalimeroError as error:
            self._listen(StepFailed(label, time.monotonic() - started, error))
            raise Stop(error) from error
        self.passed += 1
        self._listen(StepPassed(label, time.monotonic() - started, captured))

    def _label(self, step: Step, scope: Scope) -> Label:
        node = scope.get("node", "") if step.node is None else plain(step.node)
        node = template.render(node, scope) if _renders(node, scope) else node
        shown = ", ".join(map(str, node)) if isinstance(node, list) else str(node)
        return Label(step.number, step.name or step.type, shown if STEPS[step.type].action else "", step.span.line)

    async def _patiently(self, step: Step, scope: Scope, label: Label) -> Any:
        """The result of a step whose checks hold, after as many tries as the step allows."""
        started, attempt = time.monotonic(), 1
        while True:
            try:
                result = await self._carry_out(step, scope)
                judge(step, result, scope, self.rendered)
            except (ClientError, AssertionFailed) as error:
                if not _again(step, error, attempt, time.monotonic() - started):
                    raise
                self._listen(StepRetried(label, attempt, str(error)))
            else:
                return result
            attempt += 1
            await asyncio.sleep(step.patience.every if step.patience else 0)

    async def _carry_out(self, step: Step, scope: Scope) -> Any:
        kind = STEPS[step.type]
        if kind.handler is not None:
            return await kind.handler(self, step, scope)
        if kind.action is None:
            raise LintError(f"{step.type} has nothing that runs it", span=step.span)
        chosen = scope.get("node") if step.node is None else self.rendered(plain(step.node), scope, step.node.span)
        nodes = self.named(next(iter(self._nodes)) if chosen is None else chosen, step)
        results = await asyncio.gather(
            *(self._act(kind.action, node, step, scope.inner(node=name)) for name, node in nodes.items())
        )
        return dict(zip(nodes, results, strict=True)) if _is_many(chosen) else results[0]

    async def _act(self, action: Action, node: Node, step: Step, scope: Scope) -> Any:
        given = self.arguments(step, scope)
        try:
            result = await action.run(Session(node), given)
        except Refused as error:
            if step.expected_failure and error.kind != "argument":
                return {"error_type": error.kind, "error_message": str(error), "status": error.status}
            raise
        if step.expected_failure:
            raise AssertionFailed(f"{step.type} was expected to fail on {node.url}", diff=str(result), span=step.span)
        return result

    # -- what steps ask for

    def named(self, chosen: Any, step: Step) -> dict[str, Node]:
        """Nodes by name, a list of names, or ``all``."""
        names = list(self._nodes) if chosen == ALL else chosen if isinstance(chosen, list) else [chosen]
        for name in names:
            if name not in self._nodes:
                raise LintError(f"there is no node {name!r}; there are: {', '.join(self._nodes)}", span=step.span)
        return {name: self._nodes[name] for name in names}

    def arguments(self, step: Step, scope: Scope) -> dict[str, Any]:
        """The values of all parameters of a step, with defaults. Raises :class:`LintError`."""
        found: dict[str, Any] = {}
        for parameter in STEPS[step.type].parameters:
            value = step.arguments.get(parameter.name)
            if value is None:
                found[parameter.name] = parameter.default
                continue
            found[parameter.name] = self.rendered(plain(value), scope, value.span)
            if problem := misfit(parameter, found[parameter.name]):
                raise LintError(problem, span=value.span)
            if parameter.kind is Kind.PATH and parameter.source is Source.FILES:
                found[parameter.name] = self._located(str(found[parameter.name]))
        return found

    def _located(self, text: str) -> str:
        """A file that is named relative to the recipe, where there is one."""
        beside = self._base / text
        return str(beside) if "://" not in text and beside.exists() else text

    def rendered(self, value: Any, scope: Mapping[str, Any], span: Span) -> Any:
        """A value with its templates filled in."""
        try:
            return template.render(value, scope)
        except path.NoValue as error:
            raise AssertionFailed(str(error), span=span) from error
        except (template.NoVariable, ValueError) as error:
            raise LintError(str(error), span=span) from error

    def _capture(self, step: Step, scope: Scope, result: Any) -> dict[str, Any]:
        captured: dict[str, Any] = {}
        many = step.node is not None and _is_many(plain(step.node))
        for capture in step.capture:
            try:
                captured[capture.variable] = (
                    {name: path.get(value, capture.path) for name, value in result.items()}
                    if many
                    else path.get(result, capture.path)
                )
            except path.NoValue as error:
                raise AssertionFailed(f"nothing to capture: {error}", span=capture.span) from error
            scope.set(capture.variable, captured[capture.variable])
        return captured


def _renders(value: Any, scope: Scope) -> bool:
    found = value if isinstance(value, list) else [value]
    return all(name in scope for text in found if isinstance(text, str) for name in template.names(text))


def _is_many(chosen: Any) -> bool:
    return chosen == ALL or isinstance(chosen, list)


def _again(step: Step, error: CalimeroError, attempt: int, elapsed: float) -> bool:
    """Whether a failed try is followed by another. A wrong argument stays wrong."""
    if step.patience is None or (isinstance(error, Refused) and error.kind == "argument"):
        return False
    if step.patience.times is not None:
        return attempt < step.patience.times
    return elapsed < (step.patience.timeout or 0)
