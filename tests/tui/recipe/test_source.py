"""YAML as values with places; what is no plain data is refused, with its place."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calimero_tui.recipe.source import MAX_CHARACTERS, MAX_DEPTH, MAX_VALUES, Items, Scalar, Table, plain, read, texts
from node.errors import ParseError


def test_values_know_their_place() -> None:
    root = read("a: 1\nb:\n  - x\n  - c: true\n", "f.yml")
    assert isinstance(root, Table)
    entry = root.entry("b")
    assert entry is not None
    assert isinstance(entry.value, Items)
    assert (str(entry.span), str(entry.value.span)) == ("f.yml:2:1", "f.yml:3:3")
    assert str(entry.value.values[1].span) == "f.yml:4:5"
    assert root.get("zzz") is None
    assert [text.value for text in texts(root)] == ["x"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("1.5", 1.5), ("true", True), ("no", False), ("null", None), ("~", None), ("'1'", "1"), ("0x10", 16),
        ("2024-01-01", "2024-01-01"), ("[]", []), ("{}", {}), ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("|\n  a\n  b", "a\nb"),
    ],
)  # fmt: skip
def test_plain_data(text: str, value: object) -> None:
    assert plain(read(text, "f")) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f:1:1: the file is empty"),
        ("a: 1\na: 2", "f:2:1: 'a' is here twice, first at line 1"),
        ("a: [1", "f:1:6: while parsing a flow sequence"),
        ("a: *b", "f:1:4: found undefined alias 'b'"),
        ("a: !!python/object:os.system x", "f:1:4: tag:yaml.org,2002:python/object:os.system is not read here"),
        ("a: !!binary aGk=", "f:1:4: tag:yaml.org,2002:binary is not read here"),
        ("? [a]\n: 1", "f:1:3: a key must be a text"),
        ("x: &x {a: 1}\ny:\n  <<: *x", "f:3:3: a key must be a text"),
        ("a: .nan", "f:1:4: .nan is no JSON number"),
        ("a: .inf", "f:1:4: .inf is no JSON number"),
        ("a: \x07", "unacceptable character"),
        ("--- a\n--- b", "f:2:1: expected a single document"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(text, "f")
    assert message in str(caught.value)


def test_size_has_a_limit() -> None:
    assert plain(read("x" * MAX_CHARACTERS, "f")) == "x" * MAX_CHARACTERS
    with pytest.raises(ParseError, match="at most 1048576 characters, this file has 1048577"):
        read("x" * (MAX_CHARACTERS + 1), "f")


def test_references_do_not_grow_a_file() -> None:
    lines = ["a0: &a0 [1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))]
    with pytest.raises(ParseError, match=f"at most {MAX_VALUES} values"):
        read("\n".join(lines), "f")


def test_depth_has_a_limit() -> None:
    assert plain(read("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f")) is not None
    for depth in (MAX_DEPTH + 2, 5000):
        with pytest.raises(ParseError, match="nested at most 64 levels"):
            read("[" * depth + "]" * depth, "f")


def test_a_list_in_itself_is_refused() -> None:
    with pytest.raises(ParseError, match="nested at most 64 levels"):
        read("a: &a [*a]", "f")


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ParseError):
        assert isinstance(read(text, "f"), Scalar | Items | Table)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@given(JSON)
def test_json_is_yaml(value: object) -> None:
    assert plain(read(json.dumps(value), "f")) == value
