"""Operators of ``expect`` and ``assert``: one table. Pure; a check answers what differs, or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Operator:
    """``holds(actual, wanted)``; ``fits`` says whether ``wanted`` can be compared with at all."""

    name: str
    help: str
    holds: Callable[[Any, Any], bool]
    fits: Callable[[Any], bool] = lambda _: True
    wants: str = "any value"


def equal(left: Any, right: Any) -> bool:
    """Deep equality as JSON sees it: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)


def contains(actual: Any, wanted: Any) -> bool:
    """A part of a text, an item of a list, a key of an object."""
    if isinstance(actual, str):
        return isinstance(wanted, str) and wanted in actual
    if isinstance(actual, Mapping):
        return isinstance(wanted, str) and wanted in actual
    return isinstance(actual, list) and any(equal(item, wanted) for item in actual)


def subset(actual: Any, wanted: Any) -> bool:
    """Everything in ``wanted`` is in ``actual``; lists by membership."""
    if isinstance(wanted, Mapping):
        return isinstance(actual, Mapping) and all(key in actual and subset(actual[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(actual, list) and all(any(subset(item, one) for item in actual) for one in wanted)
    return equal(actual, wanted)


def all_equal(actual: Any, wanted: Any) -> bool:
    """All values of a list or object are the same; needs two at least, since one alone proves nothing."""
    values = list(actual.values()) if isinstance(actual, Mapping) else actual
    if not isinstance(values, list) or len(values) < 2:
        return False
    return all(equal(value, values[0]) for value in values) is wanted


def _matches(actual: Any, wanted: Any) -> bool:
    return isinstance(actual, str) and re.search(wanted, actual) is not None


def _numbers(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda actual, wanted: is_number(actual) and is_number(wanted) and compare(actual, wanted)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_empty(actual: Any) -> bool:
    return actual is None or (isinstance(actual, str | list | Mapping) and not actual)


def _size(actual: Any) -> int | None:
    return len(actual) if isinstance(actual, str | list | Mapping) else None


def _is_pattern(wanted: Any) -> bool:
    try:
        return isinstance(wanted, str) and re.compile(wanted) is not None
    except re.error:
        return False


def _is_flag(wanted: Any) -> bool:
    return isinstance(wanted, bool)


def _is_count(wanted: Any) -> bool:
    return isinstance(wanted, int) and not isinstance(wanted, bool) and wanted >= 0


OPERATORS: Final[Mapping[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator("equals", "the same value", equal),
        Operator("not_equals", "another value", lambda a, w: not equal(a, w)),
        Operator("contains", "a part of a text, an item of a list, a key of an object", contains),
        Operator("not_contains", "no such part, item or key", lambda a, w: not contains(a, w)),
        Operator("subset", "everything that is given here, and perhaps more", subset),
        Operator("matches", "a text that a regular expression finds something in", _matches, _is_pattern, "a pattern"),
        Operator("gt", "a greater number", _numbers(lambda a, w: a > w), is_number, "a number"),
        Operator("ge", "a greater or equal number", _numbers(lambda a, w: a >= w), is_number, "a number"),
        Operator("lt", "a smaller number", _numbers(lambda a, w: a < w), is_number, "a number"),
        Operator("le", "a smaller or equal number", _numbers(lambda a, w: a <= w), is_number, "a number"),
        Operator("length", "so many characters, items or keys", lambda a, w: _size(a) == w, _is_count, "a count"),
        Operator(
            "one_of", "one of these values", lambda a, w: any(equal(a, one) for one in w),
            lambda w: isinstance(w, list), "a list",
        ),
        Operator("is_set", "a value that is not null", lambda a, w: (a is not None) is w, _is_flag, "true or false"),
        Operator(
            "is_empty", "null, or a text, list or object without anything in it",
            lambda a, w: _is_empty(a) is w, _is_flag, "true or false",
        ),
        Operator(
            "all_equal", "the same value everywhere in a list, or on all nodes", all_equal, _is_flag, "true or false"
        ),
    )
}  # fmt: skip


def difference(name: str, actual: Any, wanted: Any) -> str | None:
    """What is wrong, None when the check holds. The lines are those that a person compares."""
    operator = OPERATORS[name]
    if not operator.fits(wanted):
        return f"{name} needs {operator.wants}, not {_json(wanted)}"
    if operator.holds(actual, wanted):
        return None
    if name == "equals":
        return diff(wanted, actual)
    if name == "all_equal" and isinstance(actual, Mapping):
        return "\n".join(f"  {key}: {_json(value)}" for key, value in actual.items())
    return f"- expected {name} {_json(wanted)}\n+ actual   {_json(actual)}"


def diff(wanted: Any, actual: Any) -> str:
    """Lines of both values, ``-`` expected and ``+`` actual, with what they share in between."""
    import difflib

    left, right = (_pretty(value).splitlines() for value in (wanted, actual))
    lines: Sequence[str] = [line for line in difflib.ndiff(left, right) if not line.startswith("?")]
    return "\n".join(lines)


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
