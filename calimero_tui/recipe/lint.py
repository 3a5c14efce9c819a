"""What cannot work when a recipe runs: variables without a value, unknown nodes, missing or wrong arguments. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from calimero_tui.recipe import template
from calimero_tui.recipe.hints import near
from calimero_tui.recipe.model import ALL, BUILT_IN, Check, Recipe, Step
from calimero_tui.recipe.source import Items, Scalar, Value, plain, texts
from calimero_tui.recipe.steps import STEPS, Inside, StepType, misfit
from node.errors import LintError, Span

_LOCALS = {
    "repeat": ("iteration", "iteration_index"),
    "each": ("node",),
    "parallel": ("iteration", "iteration_index", "group_name", "group_index"),
}


def lint(recipe: Recipe) -> list[LintError]:
    """All problems, in the order of the file."""
    linter = _Linter(recipe)
    known = set(BUILT_IN)
    for name, value in recipe.variables.items():
        linter.values([value], known)
        known.add(name)
    linter.steps(recipe.steps, known, frozenset())
    return linter.problems


class _Linter:
    def __init__(self, recipe: Recipe) -> None:
        self._nodes = recipe.nodes
        self.problems: list[LintError] = []

    def steps(self, steps: Sequence[Step], known: set[str], local: frozenset[str]) -> None:
        """``known`` grows by what the steps capture."""
        for step in steps:
            self._step(step, known, local)

    def _step(self, step: Step, known: set[str], local: frozenset[str]) -> None:
        kind = STEPS[step.type]
        self._arguments(kind, step)
        around = local | {"node"} if kind.action and _many(step) else local
        self.values(_values(step), known | around)
        if kind.action is not None:
            self._node(step, local)
        for name in ("nodes", "context_node"):
            if kind.action is None and name in step.arguments:
                self._names(step.arguments[name])
        self._inside(step, known, local)
        self.values((value for check in step.expect for value in _of_check(check)), known | around | _captured(step))
        known |= _captured(step) | (set(step.arguments) if kind.inside is Inside.VARIABLES else set())

    def _inside(self, step: Step, known: set[str], local: frozenset[str]) -> None:
        inner_local = local | set(_LOCALS.get(step.type, ()))
        found: set[str] = set()
        for group in step.groups:
            inner = set(known)
            self.steps(group.steps, inner, inner_local)
            found |= inner
        known |= found

    def _arguments(self, kind: StepType, step: Step) -> None:
        for parameter in kind.parameters:
            value = step.arguments.get(parameter.name)
            if value is None:
                if parameter.required:
                    self._wrong(f"{kind.name} needs {parameter.name}: {parameter.help}", step.span)
            elif not _is_template(value) and (problem := misfit(parameter, plain(value))):
                self._wrong(problem, value.span)

    def _node(self, step: Step, local: frozenset[str]) -> None:
        if step.node is not None:
            self._names(step.node)
        elif "node" not in local and len(self._nodes) > 1:
            self._wrong(f"{step.type} must name its node; there are: {', '.join(self._nodes)}", step.span)

    def _names(self, value: Value) -> None:
        for item in value.values if isinstance(value, Items) else (value,):
            if not isinstance(item, Scalar) or not isinstance(item.value, str):
                self._wrong(f"a node is a name, a list of names, or {ALL}", item.span)
            elif not _is_template(item) and item.value not in (*self._nodes, ALL):
                self._wrong(f"there is no node {item.value!r}; {near(item.value, self._nodes)}", item.span)

    def values(self, values: Iterable[Value], known: set[str] | frozenset[str]) -> None:
        for value in values:
            for text in texts(value):
                self._text(text, known)

    def _text(self, text: Scalar, known: set[str] | frozenset[str]) -> None:
        try:
            for name in template.names(str(text.value)):
                if name not in known:
                    self._wrong(f"{name!r} has no value here; {near(name, sorted(known))}", text.span)
        except ValueError as error:
            self._wrong(str(error), text.span)

    def _wrong(self, message: str, span: Span) -> None:
        self.problems.append(LintError(message, span=span))


def _values(step: Step) -> Iterator[Value]:
    yield from step.arguments.values()
    if step.node is not None:
        yield step.node


def _of_check(check: Check) -> Iterator[Value]:
    if check.that is not None:
        yield check.that
    yield from (wanted for _, wanted in check.operators)


def _captured(step: Step) -> set[str]:
    return {capture.variable for capture in step.capture}


def _many(step: Step) -> bool:
    return isinstance(step.node, Items) or (isinstance(step.node, Scalar) and step.node.value == ALL)


def _is_template(value: Value) -> bool:
    return isinstance(value, Scalar) and isinstance(value.value, str) and "{{" in value.value
