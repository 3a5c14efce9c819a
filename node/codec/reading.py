"""Generates the decode function of a description.

Neighbouring fields of fixed size are read by one unpack, nested structs are read in place, and the variants of an enum
have functions of their own. Declared lengths are checked against the bytes that are left before anything is built.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache, partial
from itertools import groupby
from typing import Final

from node.codec.places import Place, Refusal, Source, join
from node.codec.schema import (
    BoolNode,
    BytesNode,
    FloatNode,
    IntNode,
    ListNode,
    MapNode,
    Node,
    OptionNode,
    RawNode,
    StrNode,
    StructNode,
    TupleNode,
    UnionNode,
)
from node.primitives import ApplicationId, ContextId, EntityId, PublicKey

FORMATS: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""``struct`` letters of the unsigned integers; the lower-case letters are the signed ones."""

RECURRING: Final = frozenset({ApplicationId, ContextId, EntityId, PublicKey})
"""Ids that come again and again, an ancestor with every change below it: looking one up is several times as fast
as making one. Hashes and delta ids are mostly new, and a private key is never kept."""

IDS_KEPT: Final = 8192
"""Ids of one type that are kept; at about 250 bytes each 2 MB a type, and foreign bytes can only push others out: a
full table is emptied, which keeps its reading free of bookkeeping."""

Read = Callable[[bytes, int], tuple[object, int]]
"""Reads a value at an offset; answers the value and the offset behind it."""


def int_format(node: IntNode) -> str | None:
    """The ``struct`` letter, or None for a width that ``struct`` does not know."""
    letter = FORMATS.get(node.size)
    return letter.lower() if letter and node.signed else letter


class _Kept(dict[bytes, bytes]):
    """Ids of one type by their bytes, whose length is known to be right; made when first asked for."""

    def __init__(self, kind: type[bytes]) -> None:
        super().__init__()
        self._make: Callable[[bytes], bytes] = partial(bytes.__new__, kind)

    def __missing__(self, raw: bytes) -> bytes:
        if len(self) >= IDS_KEPT:
            self.clear()
        made = self[raw] = self._make(raw)
        return made


_kept: Final = cache(_Kept)


@cache
def reader(node: Node) -> Read:
    """The decode function of a description; a variant of an enum reads its tag too."""
    return _function(node)


@cache
def _variant_reader(node: StructNode) -> Read:
    return _function(StructNode(node.kind, node.fields))


def _function(node: Node) -> Read:
    return _Reader().build(node)  # type: ignore[return-value]  # generated: its form is that of Read


def _blank(node: Node) -> bool:
    """True if a single zero byte is a whole value."""
    return isinstance(node, OptionNode) or (
        isinstance(node, UnionNode) and any(one.tag == 0 and not one.fields for one in node.variants)
    )


def _unit(node: Node) -> object:
    """The value that a zero byte stands for."""
    kinds = (one.kind for one in node.variants if one.tag == 0) if isinstance(node, UnionNode) else ()
    return next((kind() for kind in kinds), None)


class _Reader:
    """Writes one decode function. ``d`` is the buffer, ``z`` its length, ``o`` the reading position."""

    def __init__(self) -> None:
        self._source = Source(names={"Refusal": Refusal, "new": bytes.__new__})
        self._run: list[tuple[str, int, str, tuple[str, ...]]] = []
        self._checks: list[tuple[str, str, str]] = []

    def build(self, node: Node) -> Callable[..., object]:
        self._source.line("def read(d, o):")
        self._source.depth = 1
        self._source.line("z = len(d)")
        value = self._read(node, "")
        self._flush()
        self._source.line(f"return {value}, o", Place(""))
        return self._source.build("read")

    def _line(self, text: str, path: str, back: int = 0) -> None:
        self._source.line(text, Place(path, back))

    # runs of fixed size

    def _fixed(self, letters: str, size: int, *paths: str) -> str:
        """Read ``size`` bytes with the run; several paths are fields of equal size in it."""
        name = self._source.fresh("v")
        self._run.append((letters, size, name, paths))
        return name

    def _check(self, name: str, condition: str, message: str) -> None:
        """Refuse with ``message`` if the condition on a field of the run holds; tested once the run is read."""
        self._checks.append((name, condition, message))

    def _flush(self) -> None:
        if not self._run:
            return
        back = sum(size for _, size, _, _ in self._run)
        place = Place(run=tuple((path, size // len(paths)) for _, size, _, paths in self._run for path in paths))
        self._source.line(self._unpack(), place)
        self._source.line(f"o += {back}")
        for _, size, name, paths in self._run:
            for checked, condition, message in self._checks:
                if checked == name:
                    self._line(f"if {condition}: raise Refusal({message})", paths[0], back)
            back -= size
        self._run, self._checks = [], []

    def _unpack(self) -> str:
        if [letters for letters, _, _, _ in self._run] == ["B"]:
            return f"{self._run[0][2]} = d[o]"  # three times as fast as an unpack, and tags mostly stand alone
        unpack = struct.Struct("<" + "".join(letters for letters, _, _, _ in self._run)).unpack_from
        names = "".join(f"{name}, " for _, _, name, _ in self._run)
        return f"{names}= {self._source.bind(unpack, 'U')}(d, o)"

    # values: emit the reading, answer an expression that holds once the run is flushed

    def _read(self, node: Node, path: str) -> str:
        match node:
            case IntNode():
                return self._int(node, path)
            case BoolNode():
                return self._bool(path)
            case FloatNode():
                return self._float(path)
            case RawNode():
                return self._raw(node, path)
            case BytesNode() | StrNode():
                return self._blob(node, path)
            case ListNode():
                return self._list(node, path)
            case MapNode():
                return self._map(node, path)
            case TupleNode():
                return f"({''.join(self._read(item, f'{path}[{at}]') + ', ' for at, item in enumerate(node.items))})"
            case OptionNode():
                return self._option(node, path)
            case StructNode():
                return self._struct(node, path)
            case _:
                return self._union(node, path)

    def _int(self, node: IntNode, path: str) -> str:
        letter = int_format(node)
        if letter:
            return self._fixed(letter, node.size, path)
        if node.signed:
            return f"int.from_bytes({self._fixed(f'{node.size}s', node.size, path)}, 'little', signed=True)"
        return f"({self._fixed('Q', 8, path)} | {self._fixed('Q', 8, path)} << 64)"

    def _bool(self, path: str) -> str:
        name = self._fixed("B", 1, path)
        self._check(name, f"{name} > 1", f"f'{{{name}}} is no bool, 0 or 1 is expected'")
        return f"{name} == 1"

    def _float(self, path: str) -> str:
        name = self._fixed("d", 8, path)
        self._check(name, f"{name} != {name}", "'NaN is not allowed'")
        return name

    def _raw(self, node: RawNode, path: str) -> str:
        name = self._fixed(f"{node.size}s", node.size, path)
        return self._identifier(node.kind, name)

    def _identifier(self, kind: type[bytes], name: str) -> str:
        if kind is bytes:
            return name
        if kind in RECURRING:
            return f"{self._source.bind(_kept(kind), 'K')}[{name}]"
        return f"new({self._source.bind(kind, 'K')}, {name})"

    def _length(self, cap: int | None, least: int, path: str) -> str:
        """Read a length or count, each unit of which takes at least ``least`` bytes."""
        name = self._fixed("I", 4, path)
        self._flush()
        if cap is not None:
            self._line(f"if {name} > {cap}: raise Refusal(f'length {{{name}}} is above the limit {cap}')", path, 4)
        need = name if least == 1 else f"{name} * {least}"
        message = f"f'length {{{name}}} needs {{{need}}} bytes, {{z - o}} are left'"
        self._line(f"if {need} > z - o: raise Refusal({message})", path, 4)
        return name

    def _blob(self, node: BytesNode | StrNode, path: str) -> str:
        length, name = self._length(node.cap, 1, path), self._source.fresh("b")
        convert = "" if isinstance(node, BytesNode) else ".decode()"
        self._line(f"{name} = d[o:o + {length}]{convert}", path)
        self._source.line(f"o += {length}")
        return name

    def _list(self, node: ListNode, path: str) -> str:
        count, name = self._length(node.cap, node.item.size, path), self._source.fresh("x")
        if isinstance(node.item, RawNode) and node.item.size:
            self._raw_list(node.item, count, name)
        else:
            self._items(node, count, name, path)
        return f"tuple({name})" if node.kind is tuple else name

    def _raw_list(self, item: RawNode, count: str, name: str) -> None:
        piece = self._identifier(item.kind, f"d[p:p + {item.size}]")
        self._source.line(f"{name} = [{piece} for p in range(o, o + {count} * {item.size}, {item.size})]")
        self._source.line(f"o += {count} * {item.size}")

    def _items(self, node: ListNode, count: str, name: str, path: str) -> None:
        index = self._source.fresh("i")
        inner = f"{path}[{{{index}}}]"
        self._source.line(f"{name} = []")
        self._source.line(f"for {index} in range({count}):")
        self._source.depth += 1
        value = self._read(node.item, inner)
        self._flush()
        self._line(f"{name}.append({value})", inner)
        self._source.depth -= 1

    def _map(self, node: MapNode, path: str) -> str:
        """Keys must ascend strictly: any other order would not re-encode to itself."""
        count, name = self._length(None, node.key.size + node.value.size, path), self._source.fresh("x")
        index, key, last = self._source.fresh("i"), self._source.fresh("k"), self._source.fresh("l")
        inner = f"{path}[{{{index}}}]"
        self._source.line(f"{name} = {{}}")
        self._source.line(f"for {index} in range({count}):")
        self._source.depth += 1
        value = self._read(node.key, inner)
        self._flush()
        self._line(f"{key} = {value}", inner)
        self._line(f"if {index} and not {last} < {key}: raise Refusal('keys are not in ascending order')", inner)
        self._source.line(f"{last} = {key}")
        value = self._read(node.value, inner)
        self._flush()
        self._line(f"{name}[{key}] = {value}", inner)
        self._source.depth -= 1
        return name

    def _option(self, node: OptionNode, path: str) -> str:
        tag, name = self._fixed("B", 1, path), self._source.fresh("x")
        self._flush()
        self._source.line(f"if not {tag}: {name} = None")
        self._line(f"elif {tag} > 1: raise Refusal(f'{{{tag}}} is no option tag, 0 or 1 is expected')", path, 1)
        self._source.line("else:")
        self._source.depth += 1
        value = self._read(node.item, path)
        self._flush()
        self._line(f"{name} = {value}", path)
        self._source.depth -= 1
        return name

    def _struct(self, node: StructNode, path: str) -> str:
        if node.tag is not None:
            tag = self._fixed("B", 1, path)
            message = f"f'{{{tag}}} is not the tag {node.tag} of {node.kind.__name__}'"
            self._check(tag, f"{tag} != {node.tag}", message)
        if not node.fields:
            return self._source.bind(node.kind(), "C")
        values: list[str] = []
        for blank, fields in groupby(node.fields, lambda field: _blank(field[1])):
            run = [(join(path, name), inner) for name, inner in fields]
            values += self._blanks(run) if blank and len(run) > 1 else [self._read(inner, at) for at, inner in run]
        return f"{self._source.bind(node.kind, 'C')}({', '.join(values)})"

    def _blanks(self, run: list[tuple[str, Node]]) -> list[str]:
        """Neighbours that are mostly zero tags, as the ends of most metadata: one comparison instead of one a tag."""
        tags = self._fixed(f"{len(run)}s", len(run), *(path for path, _ in run))
        names, zeros = [self._source.fresh("x") for _ in run], bytes(len(run))
        self._flush()
        self._source.line(f"if {tags} == {zeros!r}:")
        self._source.depth += 1
        self._source.line(f"{', '.join(names)} = {self._source.bind(tuple(_unit(node) for _, node in run), 'Z')}")
        self._source.depth -= 1
        self._source.line("else:")
        self._source.depth += 1
        self._source.line(f"o -= {len(run)}")
        for name, (path, node) in zip(names, run, strict=True):
            value = self._read(node, path)
            self._flush()
            self._line(f"{name} = {value}", path)
        self._source.depth -= 1
        return names

    def _union(self, node: UnionNode, path: str) -> str:
        """Variants without fields are looked up, the others read by a function each."""
        tag, name = self._fixed("B", 1, path), self._source.fresh("x")
        units = {one.tag: one.kind() for one in node.variants if not one.fields}
        readers = {one.tag: _variant_reader(one) for one in node.variants if one.fields}
        self._flush()
        if units:
            self._source.line(f"{name} = {self._source.bind(units, 'S')}.get({tag})")
            self._source.line(f"if {name} is None:")
            self._source.depth += 1
        call = self._source.fresh("f")
        self._source.line(f"{call} = {self._source.bind(readers, 'T')}.get({tag})")
        self._line(f"if {call} is None: raise Refusal(f'{{{tag}}} is no known tag')", path, 1)
        self._line(f"{name}, o = {call}(d, o)", path)
        self._source.depth -= bool(units)
        return name
