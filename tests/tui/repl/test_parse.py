"""Lines as commands: the registry's own actions, and a form with every kind of parameter."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from calimero_tui.actions.base import Kind, Parameter
from calimero_tui.repl.parse import parse, usage
from calimero_tui.repl.shell import FORMS
from node.errors import Refused


@dataclass(frozen=True)
class Every:
    name: str = "every kind"
    parameters: tuple[Parameter, ...] = (
        Parameter("text", "a text"),
        Parameter("number", "a number", Kind.INTEGER, 7),
        Parameter("ratio", "a ratio", Kind.NUMBER, None, option=True),
        Parameter("on", "a switch", Kind.FLAG, default=False, option=True),
        Parameter("init", "a JSON option", Kind.JSON, None, option=True),
    )


EVERY = {"every kind": Every()}


@pytest.mark.parametrize(
    ("line", "name", "given"),
    [
        ("ls", "ls", {}),
        ("context ls", "context ls", {}),
        ("call get key=a", "call", {"method": "get", "args": {"key": "a"}}),
        (
            "call m n=5 t=\"5\" f=1.5 b=true z=null j=[1,2] w='x y' bare=abc nan=NaN",
            "call",
            {
                "method": "m",
                "args": {
                    "n": 5, "t": "5", "f": 1.5, "b": True, "z": None, "j": [1, 2], "w": "x y", "bare": "abc",
                    "nan": "NaN",
                },
            },
        ),
        ('call set {"key": "a b"}', "call", {"method": "set", "args": {"key": "a b"}}),
        ("""call set '{"key": "a"}'""", "call", {"method": "set", "args": {"key": "a"}}),
        ("call get key=a --context 4vJ9", "call", {"method": "get", "args": {"key": "a"}, "context": "4vJ9"}),
        ("call get context=mine", "call", {"method": "get", "args": {"context": "mine"}}),
        ("context create APP --init={\"a\":1}", "context create", {"application": "APP", "init": {"a": 1}}),
        ("context create application=APP", "context create", {"application": "APP"}),
        ("app install http://host/app.wasm?version=1", "app install", {"source": "http://host/app.wasm?version=1"}),
        ("help context create", "help", {"action": "context", "verb": "create"}),
    ],
)  # fmt: skip
def test_lines(line: str, name: str, given: dict[str, object]) -> None:
    found = parse(line, FORMS)
    assert found is not None
    assert (found.form.name, found.given, found.yes) == (name, given, False)


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("every kind a", {"text": "a"}),
        ("every kind a 5 --ratio 1.5 --on", {"text": "a", "number": 5, "ratio": 1.5, "on": True}),
        ("every kind --init {\"a\": 1} a", {"text": "a", "init": {"a": 1}}),
        ("every kind number=5 text=a on=no", {"text": "a", "number": 5, "on": False}),
        ("every kind other=5", {"text": "other=5"}),
    ],
)  # fmt: skip
def test_kinds(line: str, given: dict[str, object]) -> None:
    found = parse(line, EVERY)
    assert found is not None
    assert found.given == given


def test_what_is_known_to_be_text_stays_text() -> None:
    types = {"m": {"s": "string", "o": "string?", "n": "u64"}}
    found = parse("call m s=5 o=5 n=5 x=5", FORMS, types)
    other = parse("call m s=null o=null", FORMS, types)
    assert found is not None
    assert other is not None
    assert found.given["args"] == {"s": "5", "o": "5", "n": 5, "x": 5}
    assert other.given["args"] == {"s": "null", "o": None}


def test_nothing_is_no_command() -> None:
    assert parse("  # only a comment", FORMS) is None


def test_yes_agrees_beforehand() -> None:
    found = parse("context leave 4vJ9 --yes", FORMS)
    assert found is not None
    assert (found.given, found.yes) == ({"context": "4vJ9"}, True)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cal get", "there is no command 'cal'; did you mean call?"),
        ("zzz", "there is no command 'zzz'; `help` lists all"),
        ("context", "context needs one of: ls, inspect, create"),
        ("context creat APP", "there is no command 'context creat'; did you mean context create"),
        ("call get --contxt a", "call has no option --contxt; did you mean context?"),
        ("call get --x a", "call has no option --x; usage: call METHOD [JSON | name=value…]"),
        ("call get --context", "--context needs a value: id of the context"),
        ("call get nonsense", "args: 'nonsense' is no json"),
        ('call get {"a":1} b=2', "give args as JSON or as name=value words, not both"),
        ("call get a=1 a=2", "a is given twice"),
        ("ls context extra", "'extra' is too much; usage: ls [WHAT]"),
        ("watch --count x", "count: 'x' is no integer"),
    ],
)
def test_mistakes_are_named(line: str, message: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(line, FORMS)
    assert str(caught.value).startswith(message)
    assert caught.value.kind == "argument"


def test_usage_shows_how_to_write_it() -> None:
    assert usage(Every()) == "usage: every kind TEXT [NUMBER] [--ratio RATIO] [--on] [--init INIT]"
