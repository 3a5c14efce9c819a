"""Completions over a fixed snapshot: names, options, ids and aliases, methods and their arguments, files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calimero_tui.actions.base import Source
from calimero_tui.repl.complete import Snapshot, complete
from calimero_tui.repl.shell import forms

CONTEXT, OTHER, KEY = (
    "4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi",
    "9aaa",
    "8qbHbw2BbbTHBW1sbeqakYXVKRQM8Ne7pLK7m6CVfeR",
)
SNAPSHOT = Snapshot(
    values={
        Source.CONTEXTS: [(CONTEXT, "app one"), (OTHER, "app two")],
        Source.METHODS: [("set", "key: string, value: string"), ("get", "key: string")],
        Source.OWNED: [(KEY, "")],
    },
    aliases={Source.CONTEXTS: {"my notes": CONTEXT, "work": OTHER}},
    methods={"set": {"key": "string", "value": "string"}, "get": {"key": "string"}},
)


def found(line: str) -> list[str]:
    """Whole lines, as they are after each completion."""
    return [
        line[: c.start] + c.text for c in complete(line, forms(), SNAPSHOT, lambda text: [f"{text}x y", f"{text}z"])
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ca", ["call"]),
        ("context cr", ["context create"]),
        ("context create", ["context create"]),
        ("identity ", ["identity new", "identity ls"]),
        ("use ", [f"use {CONTEXT}", f"use {OTHER}", "use 'my notes'", "use work"]),
        ("use 4", [f"use {CONTEXT}"]),
        ("use w", ["use work"]),
        ("use 'my", ["use 'my notes'"]),
        ("as ", [f"as {KEY}"]),
        ("call ", ["call set", "call get"]),
        ("call g", ["call get"]),
        ("call set ", ["call set key=", "call set value="]),
        ("call set key=a ", ["call set key=a value="]),
        ("call set key=a v", ["call set key=a value="]),
        ("call set key=a value=b ", []),
        ("call nothing ", []),
        ("call set --", ["call set --context", "call set --executor"]),
        ("call set --context 9", [f"call set --context {OTHER}"]),
        ("call set --context 9aaa --", ["call set --context 9aaa --executor"]),
        ("call --context 9aaa s", ["call --context 9aaa set"]),
        ("call --context=9aaa s", ["call --context=9aaa set"]),
        ("app install a", ["app install 'ax y'", "app install az"]),
        ("help app u", []),
        ("help 'app u", ["help 'app uninstall'"]),
        ("zzz ", []),
        ("identity new ", []),
    ],
)
def test_completions(line: str, expected: list[str]) -> None:
    assert found(line) == expected


def test_an_empty_line_offers_every_command() -> None:
    assert found("") == list(forms())


def test_a_candidate_says_what_it_is() -> None:
    assert [(c.text, c.note) for c in complete("call g", forms(), SNAPSHOT)] == [("get", "key: string")]


@given(st.text(alphabet=st.sampled_from("calset context-='\"{[ \\#"), max_size=30))
def test_any_line_can_be_completed(line: str) -> None:
    assert all(0 <= c.start <= len(line) for c in complete(line, forms(), SNAPSHOT))
