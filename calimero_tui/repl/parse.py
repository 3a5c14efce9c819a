"""Turns a line into a command with its values. Pure; what commands there are comes in as a table.

``NAME value… --option value name=value``. Where a command takes a JSON object by position, ``k=v`` words build it: a
bare value is read as JSON when it is JSON, a quoted one is always text (``n=5`` is a number, ``n="5"`` a text), and so
is one whose type is known to be text.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NoReturn, Protocol, TypeVar

from calimero_tui.actions.base import Kind, Parameter, Source
from calimero_tui.repl.words import Word, split
from node.errors import Refused

YES: Final = "--yes"
TEXT: Final = "string"
"""The type of arguments that are text however they look."""

Types = Mapping[str, Mapping[str, str]]
"""Types of the arguments of methods, by the names of both; a question mark behind a type allows null."""


class Form(Protocol):
    """What the parser must know of a command; actions and the shell's own commands both have it."""

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> tuple[Parameter, ...]: ...


F = TypeVar("F", bound=Form)


@dataclass(frozen=True, slots=True)
class Line(Generic[F]):
    """A command and the values given to it. ``yes``: the user agreed beforehand to what destroys data."""

    form: F
    given: dict[str, object]
    yes: bool = False


def parse(line: str, forms: Mapping[str, F], types: Types | None = None) -> Line[F] | None:
    """Read a line; None when it is empty or a comment. Raises :class:`Refused` naming what is wrong."""
    words = split(line)
    if not words:
        return None
    form, rest = find(words, forms)
    arguments = _Arguments(form, types or {})
    arguments.take(rest)
    return Line(form, arguments.given(), arguments.yes)


def find(words: Sequence[Word], forms: Mapping[str, F]) -> tuple[F, Sequence[Word]]:
    """The command that the words start with, by its longest name, and the words after it."""
    for length in (2, 1):
        name = " ".join(word.text for word in words[:length])
        if len(words) >= length and name in forms:
            return forms[name], words[length:]
    raise _unknown([word.text for word in words[:2]], forms)


def _unknown(texts: Sequence[str], forms: Iterable[str]) -> Refused:
    group = [name for name in forms if name.startswith(f"{texts[0]} ")]
    if group and len(texts) == 1:
        return Refused(
            f"{texts[0]} needs one of: {', '.join(name.partition(' ')[2] for name in group)}", kind="argument"
        )
    name = " ".join(texts) if group else texts[0]
    return Refused(f"there is no command {name!r}; {near(name, forms)}", kind="argument")


def near(name: str, known: Iterable[str], otherwise: str = "`help` lists all") -> str:
    """A hint for a mistyped name."""
    found = difflib.get_close_matches(name, list(known), 3, 0.5)
    return f"did you mean {' or '.join(found)}?" if found else otherwise


def value(text: str, *, quoted: bool, kind: str = "") -> object:
    """The value of a ``k=v`` word. ``kind`` is the type of the argument where it is known."""
    if quoted or kind == TEXT or (kind == f"{TEXT}?" and text != "null"):
        return text
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


@dataclass(slots=True)
class _Arguments:
    """Values as they are found in the words after a command's name."""

    form: Form
    types: Types
    yes: bool = False
    _found: dict[str, object] = field(default_factory=dict)
    _pairs: dict[str, object] = field(default_factory=dict)

    def take(self, words: Sequence[Word]) -> None:
        rest = iter(words)
        for word in rest:
            if word.raw == YES:
                self.yes = True
            elif word.raw.startswith("--") and len(word.raw) > 2:
                self._option(word, rest)
            elif (pair := word.pair()) is not None and self._pair(*pair):
                continue
            else:
                self._position(word)

    def given(self) -> dict[str, object]:
        if not self._pairs:
            return self._found
        target = self._object()
        if target is None or target in self._found:
            raise Refused(f"give {target or 'arguments'} as JSON or as name=value words, not both", kind="argument")
        return {**self._found, target: self._pairs}

    def _option(self, word: Word, rest: Iterator[Word]) -> None:
        name, equals, text = word.text[2:].partition("=")
        parameter = self._parameter(name)
        if not equals and parameter.kind is Kind.FLAG:
            self._found[name] = True
            return
        if not equals:
            following = next(rest, None)
            if following is None:
                raise Refused(f"--{name} needs a value: {parameter.help}", kind="argument")
            text = following.text
        self._found[name] = parameter.read(text)

    def _pair(self, name: str, text: str, quoted: bool) -> bool:
        """Take ``name=value``; False when it is an ordinary word that has an equals sign in it."""
        if self._object() is not None and self._next() in (None, self._object()):
            if name in self._pairs:
                raise Refused(f"{name} is given twice", kind="argument")
            self._pairs[name] = value(text, quoted=quoted, kind=self._kinds().get(name, ""))
            return True
        known = {parameter.name: parameter for parameter in self.form.parameters}
        if name not in known:
            return False
        self._found[name] = known[name].read(text)
        return True

    def _kinds(self) -> Mapping[str, str]:
        """Types of the arguments of the method that was named."""
        named = (self._found.get(p.name) for p in self.form.parameters if p.source is Source.METHODS)
        return next((self.types.get(str(name), {}) for name in named), {})

    def _position(self, word: Word) -> None:
        name = self._next()
        if name is None:
            raise Refused(f"{word.raw!r} is too much; {usage(self.form)}", kind="argument")
        self._found[name] = self._parameter(name).read(word.text)

    def _next(self) -> str | None:
        """The first parameter by position that has no value yet."""
        return next((p.name for p in self.form.parameters if not p.option and p.name not in self._found), None)

    def _object(self) -> str | None:
        return next((p.name for p in self.form.parameters if p.kind is Kind.JSON and not p.option), None)

    def _parameter(self, name: str) -> Parameter:
        for parameter in self.form.parameters:
            if parameter.name == name:
                return parameter
        names = [parameter.name for parameter in self.form.parameters]
        raise Refused(
            f"{self.form.name} has no option --{name}; {near(name, names, usage(self.form))}", kind="argument"
        )


def usage(form: Form) -> str:
    """How a command is written."""
    return f"usage: {' '.join([form.name, *map(_written, form.parameters)])}"


def _written(parameter: Parameter) -> str:
    if parameter.kind is Kind.FLAG and parameter.option:
        return f"[--{parameter.name}]"
    if parameter.option:
        text = f"--{parameter.name} {parameter.name.upper()}"
    elif parameter.kind is Kind.JSON:
        text = "JSON | name=value…"
    else:
        text = parameter.name.upper()
    return text if parameter.required else f"[{text}]"
