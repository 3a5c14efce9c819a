"""Templates and paths: types are kept, nothing is left unresolved."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calimero_tui.recipe import path
from calimero_tui.recipe.template import NoVariable, names, render

SCOPE: dict[str, Any] = {
    "n": 3, "s": "abc", "t": True, "none": None, "d": {"output": "v", "list": [1, {"x": "y"}], "node-1": "one"},
    "l": ["a", "b"], "index": 1, "name": "node-1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{n}}", 3), ("{{ n }}", 3), ("{{t}}", True), ("{{none}}", None), ("{{d}}", SCOPE["d"]), ("plain", "plain"),
        ("a_{{n}}", "a_3"), ("a_{{t}}_{{none}}", "a_true_null"), ("{{n}}{{s}}", "3abc"), ("{{n}}-{{s}}", "3-abc"),
        ("x{{l}}", 'x["a", "b"]'), ("{{d.output}}", "v"), ("{{d.list[1].x}}", "y"), ("{{l[-1]}}", "b"),
        ("{{l[index]}}", "b"), ("{{d[name]}}", "one"), ("{{d.node-1}}", "one"), ("'{{s}}'", "'abc'"), (5, 5),
        (None, None),
        ({"a": ["{{n}}", {"b": "{{s}}!"}]}, {"a": [3, {"b": "abc!"}]}), ("{ {n} }", "{ {n} }"), ("a }} b", "a }} b"),
    ],
)  # fmt: skip
def test_rendered(value: object, expected: object) -> None:
    found = render(value, SCOPE)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("{{zzz}}", NoVariable, "there is no variable 'zzz'"),
        ("a{{l[zzz]}}", NoVariable, "there is no variable 'zzz'"),
        ("{{d.zzz}}", path.NoValue, "the value has no 'zzz'; it has: output, list, node-1"),
        ("{{d.list[5]}}", path.NoValue, "list has 2 items, no item 5"),
        ("{{s.x}}", path.NoValue, "the value is a text, so it has no 'x'"),
        ("{{d.list[0].x}}", path.NoValue, r"list\[0\] is a number, so it has no 'x'"),
        ("{{none.x}}", path.NoValue, "the value is null, so it has no 'x'"),
        ("{{}}", ValueError, "is no template like"),
        ("{{a b}}", ValueError, "is no path"),
        ("{{n[}}", ValueError, "is no path"),
    ],
)
def test_nothing_is_left_unresolved(value: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        render(value, SCOPE)


def test_names_are_those_that_are_needed() -> None:
    assert list(names("a {{x.y}} {{z[i]}}")) == ["x", "z", "i"]
    with pytest.raises(ValueError, match="is not closed"):
        list(names("a {{x"))


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a.b[0]", ("a", "b", 0)),
        ("[0][1]", (0, 1)),
        ("a[x].b", ("a", path.Variable("x"), "b")),
    ],
)
def test_paths(text: str, segments: tuple[object, ...]) -> None:
    assert path.parse(text) == segments


@pytest.mark.parametrize("text", [".", ".a", "a.", "a..b", "a[", "a[]", "a b", "a[0]b", "1"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="is no path like"):
        path.parse(text)


@given(st.text(max_size=30), st.dictionaries(st.sampled_from("abc"), st.integers()))
def test_any_text_is_rendered_or_refused(text: str, scope: dict[str, int]) -> None:
    try:
        render(text, scope)
    except (ValueError, LookupError):
        assert "{{" in text
