"""Generates the encode function of a description; the mirror of the module that generates decode functions."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache

from node.codec.places import Place, Refusal, Source, join
from node.codec.reading import int_format
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

Write = Callable[[object, Callable[[bytes], None]], None]
"""Writes a value in pieces to the given function."""


@cache
def writer(node: Node) -> Write:
    """The encode function of a description."""
    return _Writer().build(node)  # type: ignore[return-value]  # generated: its form is that of Write


class _Writer:
    """Writes one encode function. ``v`` is the value, ``w`` takes the pieces."""

    def __init__(self) -> None:
        self._source = Source(names={"Refusal": Refusal})
        self._run: list[tuple[str, str, str]] = []

    def build(self, node: Node) -> Callable[..., object]:
        self._source.line("def write(v, w):")
        self._source.depth = 1
        self._write(node, "v", "")
        self._flush()
        self._source.line("return None")
        return self._source.build("write")

    def _line(self, text: str, path: str) -> None:
        self._source.line(text, Place(path))

    def _flush(self) -> None:
        if not self._run:
            return
        pack = struct.Struct("<" + "".join(letters for letters, _, _ in self._run)).pack
        values = ", ".join(value for _, value, _ in self._run)
        paths = list(dict.fromkeys(path for _, _, path in self._run))
        self._line(f"w({self._source.bind(pack, 'P')}({values}))", " or ".join(paths))
        self._run = []

    def _hold(self, value: str, path: str) -> str:
        """Evaluate once and keep."""
        name = self._source.fresh("x")
        self._line(f"{name} = {value}", path)
        return name

    def _refuse(self, condition: str, message: str, path: str) -> None:
        self._line(f"if {condition}: raise Refusal({message})", path)

    def _write(self, node: Node, value: str, path: str) -> None:
        match node:
            case IntNode():
                self._int(node, value, path)
            case BoolNode():
                self._run.append(("?", value, path))
            case FloatNode():
                self._float(value, path)
            case RawNode():
                self._raw(node, value, path)
            case BytesNode() | StrNode():
                self._blob(node, value, path)
            case ListNode():
                self._list(node, value, path)
            case MapNode():
                self._map(node, value, path)
            case TupleNode():
                self._tuple(node, value, path)
            case OptionNode():
                self._option(node, value, path)
            case StructNode():
                self._struct(node, value, path)
            case _:
                self._union(node, value, path)

    def _int(self, node: IntNode, value: str, path: str) -> None:
        letter = int_format(node)
        if letter:
            self._run.append((letter, value, path))
            return
        name = self._hold(f"({value}).to_bytes({node.size}, 'little', signed={node.signed})", path)
        self._run.append((f"{node.size}s", name, path))

    def _float(self, value: str, path: str) -> None:
        name = self._hold(value, path)
        self._refuse(f"{name} != {name}", "'NaN is not allowed'", path)
        self._run.append(("d", name, path))

    def _raw(self, node: RawNode, value: str, path: str) -> None:
        name = self._hold(value, path)
        self._refuse(f"len({name}) != {node.size}", f"f'{node.size} bytes are needed, got {{len({name})}}'", path)
        self._run.append((f"{node.size}s", name, path))

    def _length(self, name: str, cap: int | None, path: str) -> None:
        if cap is not None:
            self._refuse(f"len({name}) > {cap}", f"f'length {{len({name})}} is above the limit {cap}'", path)
        self._run.append(("I", f"len({name})", path))
        self._flush()

    def _blob(self, node: BytesNode | StrNode, value: str, path: str) -> None:
        name = self._hold(value if isinstance(node, BytesNode) else f"{value}.encode()", path)
        self._length(name, node.cap, path)
        self._line(f"w({name})", path)

    def _list(self, node: ListNode, value: str, path: str) -> None:
        name = self._hold(value, path)
        self._length(name, node.cap, path)
        item = self._source.fresh("y")
        self._source.line(f"for {item} in {name}:")
        self._nested(node.item, item, f"{path}[]")

    def _nested(self, node: Node, value: str, path: str) -> None:
        self._source.depth += 1
        self._write(node, value, path)
        self._flush()
        self._source.depth -= 1

    def _map(self, node: MapNode, value: str, path: str) -> None:
        name, key = self._hold(value, path), self._source.fresh("k")
        self._length(name, None, path)
        self._line(f"for {key} in sorted({name}):", path)
        self._nested(TupleNode((node.key, node.value)), f"({key}, {name}[{key}])", f"{path}[]")

    def _tuple(self, node: TupleNode, value: str, path: str) -> None:
        names = [self._source.fresh("t") for _ in node.items]
        self._line(f"[{', '.join(names)}] = {value}", path)
        for at, (name, item) in enumerate(zip(names, node.items, strict=True)):
            self._write(item, name, f"{path}[{at}]")

    def _option(self, node: OptionNode, value: str, path: str) -> None:
        self._flush()
        name = self._hold(value, path)
        self._source.line(f"if {name} is None: w(b'\\0')")
        self._source.line("else:")
        self._run.append(("B", "1", path))
        self._nested(node.item, name, path)

    def _struct(self, node: StructNode, value: str, path: str) -> None:
        name = self._hold(value, path)
        if node.tag is not None:
            self._run.append(("B", str(node.tag), path))
        for attribute, inner in node.fields:
            self._write(inner, f"{name}.{attribute}", join(path, attribute))

    def _union(self, node: UnionNode, value: str, path: str) -> None:
        self._flush()
        name, call = self._hold(value, path), self._source.fresh("f")
        units = {one.kind: bytes([one.tag or 0]) for one in node.variants if not one.fields}
        writers = {one.kind: writer(one) for one in node.variants if one.fields}
        self._source.line(f"{call} = {self._source.bind(units, 'S')}.get(type({name}))")
        self._source.line(f"if {call} is not None: w({call})")
        self._source.line("else:")
        self._source.depth += 1
        self._source.line(f"{call} = {self._source.bind(writers, 'T')}.get(type({name}))")
        self._refuse(f"{call} is None", f"f'{{type({name}).__name__}} is no variant'", path)
        self._line(f"{call}({name}, w)", path)
        self._source.depth -= 1
