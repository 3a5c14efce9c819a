"""What could come next on a line. Pure over a snapshot of what the node has; files are listed by a given function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from calimero_tui.actions.base import Kind, Parameter, Source
from calimero_tui.repl.parse import Form, find
from calimero_tui.repl.words import Word, scan
from node.errors import Refused

Values = Sequence[tuple[str, str]]
"""Texts that can be put in, each with what it is."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """``text`` replaces the line from ``start`` on; ``note`` says what it is."""

    text: str
    start: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a node had when it was last asked. ``aliases`` are names for ids; ``methods`` have the types of their
    arguments by name."""

    values: Mapping[Source, Values] = field(default_factory=dict)
    aliases: Mapping[Source, Mapping[str, str]] = field(default_factory=dict)
    methods: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def complete(
    line: str, forms: Mapping[str, Form], snapshot: Snapshot, files: Callable[[str], Iterable[str]] = lambda _: ()
) -> list[Candidate]:
    """Candidates for the end of ``line``, which is the text before the cursor."""
    words = scan(line)
    current = words.pop() if words and words[-1].end == len(line) else Word("", "", len(line))
    names = [name for name in forms if _continues(name, words)]
    found = [
        Candidate(name, words[0].start if words else current.start) for name in names if _starts(name, words, current)
    ]
    if not found and words:
        found = list(_arguments(words, current, forms, snapshot, files))
    return found


def _continues(name: str, words: Sequence[Word]) -> bool:
    return len(words) < 2 and (not words or name.startswith(f"{words[0].text} "))


def _starts(name: str, words: Sequence[Word], current: Word) -> bool:
    return name.startswith(" ".join([*(word.text for word in words), current.raw]))


def _arguments(
    words: Sequence[Word],
    current: Word,
    forms: Mapping[str, Form],
    snapshot: Snapshot,
    files: Callable[[str], Iterable[str]],
) -> Iterator[Candidate]:
    try:
        form, before = find(words, forms)
    except Refused:
        return
    if current.raw.startswith("--"):
        yield from _options(form, before, current)
        return
    parameter, given = _expected(form, before)
    if parameter is None:
        return
    if parameter.kind is Kind.JSON:
        yield from _names(_arguments_of(given, form, snapshot), before, current)
    else:
        known = {**snapshot.values, Source.ACTIONS: [(name, "") for name in forms]}
        yield from _values(parameter, current, known, snapshot.aliases, files)


def _options(form: Form, before: Sequence[Word], current: Word) -> Iterator[Candidate]:
    used = {word.text for word in before}
    for parameter in form.parameters:
        text = f"--{parameter.name}"
        if parameter.option and text not in used and text.startswith(current.raw):
            yield Candidate(text, current.start, parameter.help)


def _expected(form: Form, before: Sequence[Word]) -> tuple[Parameter | None, list[str]]:
    """The parameter that the current word is a value of, and the values by position before it."""
    options = {f"--{p.name}": p for p in form.parameters if p.option}
    places = [p for p in form.parameters if not p.option]
    given: list[str] = []
    waiting: Parameter | None = None
    for word in before:
        if waiting is not None:
            waiting = None
        elif word.raw in options:
            waiting = options[word.raw] if options[word.raw].kind is not Kind.FLAG else None
        elif not word.raw.startswith("--"):
            given.append(word.text)
    if waiting is not None:
        return waiting, given
    if len(given) < len(places):
        return places[len(given)], given
    pairs = bool(places) and places[-1].kind is Kind.JSON
    return (places[-1] if pairs else None), given


def _arguments_of(given: Sequence[str], form: Form, snapshot: Snapshot) -> Mapping[str, str]:
    places = [p for p in form.parameters if not p.option]
    for parameter, text in zip(places, given, strict=False):
        if parameter.source is Source.METHODS:
            return snapshot.methods.get(text, {})
    return {}


def _names(types: Mapping[str, str], before: Sequence[Word], current: Word) -> Iterator[Candidate]:
    """Names of arguments that are not given yet, as ``name=``."""
    used = {pair[0] for word in before if (pair := word.pair()) is not None}
    for name, kind in types.items():
        if name not in used and f"{name}=".startswith(current.raw):
            yield Candidate(f"{name}=", current.start, kind)


def _values(
    parameter: Parameter,
    current: Word,
    known: Mapping[Source, Values],
    aliases: Mapping[Source, Mapping[str, str]],
    files: Callable[[str], Iterable[str]],
) -> Iterator[Candidate]:
    if parameter.kind is Kind.PATH:
        yield from (Candidate(quoted(path), current.start) for path in files(current.text))
        return
    if parameter.source is None:
        return
    for text, note in known.get(parameter.source, ()):
        if text.startswith(current.text):
            yield Candidate(quoted(text), current.start, note)
    for alias, target in aliases.get(parameter.source, {}).items():
        if alias.startswith(current.text):
            yield Candidate(quoted(alias), current.start, target)


def quoted(text: str) -> str:
    """A text as one word."""
    if text and not re.search(r"[\s\"'\\#{\[]", text):
        return text
    return "'" + text + "'" if "'" not in text else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
