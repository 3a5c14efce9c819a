"""Judges the result of a step by its checks. Pure; raises what does not hold, with expected and actual."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from calimero_tui.recipe import path
from calimero_tui.recipe.checks import difference
from calimero_tui.recipe.model import ALL, Check, Step
from calimero_tui.recipe.source import plain
from node.errors import AssertionFailed, Span

Render = Callable[[Any, Mapping[str, Any], Span], Any]

ABSENT: Final = frozenset({"is_set", "is_empty"})
"""Operators for which a path that leads nowhere is null."""

OVER_NODES: Final = frozenset({"all_equal"})
"""Operators that compare the results of all nodes; the others judge each by itself."""


def judge(step: Step, result: Any, scope: Mapping[str, Any], render: Render) -> None:
    """Raises :class:`AssertionFailed` for the first check that does not hold."""
    many = step.node is not None and (plain(step.node) == ALL or isinstance(plain(step.node), list))
    for check in step.expect:
        value = render(plain(check.that), scope, check.span) if check.that is not None else result
        for name, written in check.operators:
            if many and check.that is None:
                _on_nodes(check, name, result, lambda inner, w=written: render(plain(w), inner, w.span), scope)  # type: ignore[misc]
            else:
                _one(check, name, value, render(plain(written), scope, written.span), "")


def _on_nodes(
    check: Check,
    name: str,
    results: Mapping[str, Any],
    wanted: Callable[[Mapping[str, Any]], Any],
    scope: Mapping[str, Any],
) -> None:
    if name in OVER_NODES:
        found = {node: _at(check, name, result) for node, result in results.items()}
        _hold(check, name, found, wanted(scope), "")
        return
    for node, result in results.items():
        _one(check, name, result, wanted({**scope, "node": node}), f"{node}: ")


def _one(check: Check, name: str, value: Any, wanted: Any, where: str) -> None:
    _hold(check, name, _at(check, name, value), wanted, where)


def _at(check: Check, name: str, value: Any) -> Any:
    try:
        return path.get(value, check.path)
    except path.NoValue as error:
        if name in ABSENT:
            return None
        raise AssertionFailed(_message(check, name, str(error)), span=check.span) from error


def _hold(check: Check, name: str, actual: Any, wanted: Any, where: str) -> None:
    found = difference(name, actual, wanted)
    if found is not None:
        raise AssertionFailed(_message(check, name, f"{where}{name} does not hold"), diff=found, span=check.span)


def _message(check: Check, name: str, reason: str) -> str:
    return f"{check.message}: {reason}" if check.message else reason
