"""Operators one by one, and the lines that show a difference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calimero_tui.recipe.checks import OPERATORS, difference, equal


@pytest.mark.parametrize(
    ("name", "actual", "wanted"),
    [
        ("equals", {"a": [1, 2.0]}, {"a": [1.0, 2]}), ("equals", None, None), ("not_equals", 1, True),
        ("not_equals", "1", 1),
        ("not_equals", [1], [1, 2]), ("not_equals", {"a": 1}, {"b": 1}),
        ("contains", "abc", "b"), ("contains", [1, {"a": 2}], {"a": 2}), ("contains", {"a": 1}, "a"),
        ("not_contains", "abc", "z"), ("not_contains", [1], True), ("not_contains", 5, 5), ("not_contains", "5", 5),
        ("subset", {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1}}), ("subset", [1, 2, 3], [3, 1]), ("subset", 1, 1),
        ("matches", "node-12", r"^node-\d+$"), ("gt", 2, 1), ("ge", 2, 2), ("lt", 1, 1.5), ("le", -1, -1),
        ("length", "abc", 3), ("length", {"a": 1}, 1), ("length", [], 0), ("one_of", 2, [1, 2]), ("is_set", 0, True),
        ("is_set", None, False), ("is_empty", "", True), ("is_empty", [0], False), ("is_empty", None, True),
        ("is_empty", 0, False), ("all_equal", [1, 1.0, 1], True), ("all_equal", {"a": "x", "b": "x"}, True),
        ("all_equal", [1, 2], False),
    ],
)  # fmt: skip
def test_holds(name: str, actual: object, wanted: object) -> None:
    assert difference(name, actual, wanted) is None


@pytest.mark.parametrize(
    ("name", "actual", "wanted"),
    [
        ("equals", 1, True), ("equals", 0, False), ("equals", "a", ["a"]), ("not_equals", 1, 1.0), ("contains", 5, 5),
        ("contains", "5", 5), ("subset", {"a": 1}, {"a": 1, "b": 2}), ("subset", "a", {"a": 1}), ("subset", {}, [1]),
        ("matches", 5, "5"), ("matches", None, "."), ("gt", 1, 1), ("gt", "2", 1), ("gt", True, 0), ("lt", None, 1),
        ("length", 5, 5), ("length", "ab", 3), ("one_of", 1, [True]), ("is_set", None, True), ("is_empty", "x", True),
        ("all_equal", [1], True), ("all_equal", [], True), ("all_equal", "aa", True), ("all_equal", [1, True], True),
    ],
)  # fmt: skip
def test_does_not_hold(name: str, actual: object, wanted: object) -> None:
    assert difference(name, actual, wanted) is not None


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        ("matches", "(", 'matches needs a pattern, not "("'), ("gt", "1", 'gt needs a number, not "1"'),
        ("length", -1, "length needs a count, not -1"), ("one_of", 1, "one_of needs a list, not 1"),
        ("is_set", "yes", 'is_set needs true or false, not "yes"'),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_with_is_named(name: str, wanted: object, message: str) -> None:
    assert difference(name, 1, wanted) == message


DIFFERENCE = """\
  {
    "a": 1,
    "b": [
      1,
-     3
+     2
    ]
  }"""


def test_a_difference_shows_both_and_what_they_share() -> None:
    assert difference("equals", {"a": 1, "b": [1, 2]}, {"a": 1, "b": [1, 3]}) == DIFFERENCE
    assert difference("equals", "b", "a") == '- "a"\n+ "b"'
    assert difference("gt", 1, 2) == "- expected gt 2\n+ actual   1"
    assert difference("all_equal", {"node1": "x", "node2": "y"}, wanted=True) == '  node1: "x"\n  node2: "y"'


def test_every_operator_is_explained() -> None:
    assert all(operator.help and operator.wants for operator in OPERATORS.values())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, JSON)
def test_equality_is_reflexive_and_symmetric(left: object, right: object) -> None:
    assert equal(left, left)
    assert equal(left, right) == equal(right, left)


@given(JSON, JSON, st.sampled_from(sorted(OPERATORS)))
def test_any_values_can_be_compared(actual: object, wanted: object, name: str) -> None:
    found = difference(name, actual, wanted)
    assert found is None or found
