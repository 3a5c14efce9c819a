"""YAML text as values that know their place. Pure; it knows YAML and nothing of recipes.

Only plain data is read: mappings with text keys, lists, texts, numbers, true, false, null. Tags that make objects, the
same key twice, and files that grow by references are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from node.errors import ParseError, Span

MAX_CHARACTERS: Final = 1 << 20
"""Size of a recipe; the largest known is 100 kB."""

MAX_VALUES: Final = 100_000
"""Values of a recipe with references followed: a file of 1 kB can name 10^9."""

MAX_DEPTH: Final = 64
"""Levels of nesting; deeper ones are a mistake, and would exhaust the stack."""

_PLAIN: Final = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "timestamp")}


@dataclass(frozen=True, slots=True)
class Scalar:
    value: str | int | float | bool | None
    span: Span


@dataclass(frozen=True, slots=True)
class Items:
    values: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping, the place of the key, and the value."""

    key: str
    span: Span
    value: Value


@dataclass(frozen=True, slots=True)
class Table:
    entries: tuple[Entry, ...]
    span: Span

    def entry(self, key: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key == key), None)

    def get(self, key: str) -> Value | None:
        found = self.entry(key)
        return found.value if found else None


Value = Scalar | Items | Table


def plain(value: Value) -> Any:
    """The value without its places."""
    if isinstance(value, Scalar):
        return value.value
    if isinstance(value, Items):
        return [plain(item) for item in value.values]
    return {entry.key: plain(entry.value) for entry in value.entries}


def texts(value: Value) -> Iterator[Scalar]:
    """All texts in a value, at any depth."""
    if isinstance(value, Scalar):
        if isinstance(value.value, str):
            yield value
    elif isinstance(value, Items):
        for item in value.values:
            yield from texts(item)
    else:
        for entry in value.entries:
            yield from texts(entry.value)


def read(text: str, file: str) -> Value:
    """Read one document. Raises :class:`ParseError` with the place."""
    start = Span(file, 1, 1)
    if len(text) > MAX_CHARACTERS:
        raise ParseError(f"a recipe has at most {MAX_CHARACTERS} characters, this file has {len(text)}", span=start)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise ParseError(_problem(error), span=_at(file, error.problem_mark or error.context_mark)) from error
    except yaml.YAMLError as error:
        raise ParseError(str(error), span=start) from error
    except RecursionError as error:
        raise ParseError(f"a recipe is nested at most {MAX_DEPTH} levels deep", span=start) from error
    if root is None:
        raise ParseError("the file is empty", span=start)
    return _Reader(file).value(root, 0)


def _problem(error: yaml.MarkedYAMLError) -> str:
    return " ".join(filter(None, (error.context, error.problem))) or "the file is no YAML"


def _at(file: str, mark: yaml.Mark | None) -> Span:
    return Span(file, mark.line + 1, mark.column + 1) if mark else Span(file, 1, 1)


class _Reader:
    """Turns nodes into values and counts them."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._left = MAX_VALUES
        self._scalars = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, depth: int) -> Value:
        span = _at(self._file, node.start_mark)
        self._left -= 1
        if self._left < 0:
            raise ParseError(f"a recipe has at most {MAX_VALUES} values with references followed", span=span)
        if depth > MAX_DEPTH:
            raise ParseError(f"a recipe is nested at most {MAX_DEPTH} levels deep", span=span)
        if isinstance(node, yaml.MappingNode):
            return self._table(node, span, depth)
        if isinstance(node, yaml.SequenceNode):
            return Items(tuple(self.value(item, depth + 1) for item in node.value), span)
        return self._scalar(node, span)

    def _table(self, node: yaml.MappingNode, span: Span, depth: int) -> Table:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            place = _at(self._file, key_node.start_mark)
            key = self._key(key_node, place)
            if key in entries:
                raise ParseError(f"{key!r} is here twice, first at line {entries[key].span.line}", span=place)
            entries[key] = Entry(key, place, self.value(value_node, depth + 1))
        return Table(tuple(entries.values()), span)

    def _key(self, node: yaml.Node, span: Span) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:merge":
            raise ParseError("a key must be a text", span=span)
        return str(node.value)

    def _scalar(self, node: yaml.Node, span: Span) -> Scalar:
        if node.tag not in _PLAIN:
            raise ParseError(f"{node.tag} is not read here; write plain text, numbers, lists or mappings", span=span)
        if node.tag.endswith(("str", "timestamp")):
            return Scalar(node.value, span)
        try:
            value = self._scalars.construct_object(node)
        except (ValueError, yaml.YAMLError) as error:
            raise ParseError(f"{node.value!r} is no number: {error}", span=span) from error
        if isinstance(value, float) and not math.isfinite(value):
            raise ParseError(f"{node.value} is no JSON number", span=span)
        return Scalar(value, span)
