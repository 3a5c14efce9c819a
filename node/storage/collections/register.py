"""LwwRegister: one value inside other data; of two, the later write wins.

Source: core 0.10.0: crates/storage/src/collections/lww_register.rs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from node.codec import borsh
from node.primitives import PublicKey
from node.storage.collections.shapes import Shape
from node.storage.hlc import ZERO, HybridTimestamp
from node.storage.interface import Interface

Value = TypeVar("Value")

_STAMP = borsh.codec(tuple[HybridTimestamp, PublicKey])


@dataclass(frozen=True, slots=True)
class LwwRegister(Generic[Value]):
    """A value with the time and the executor of its last write."""

    value: Value
    timestamp: HybridTimestamp
    node_id: PublicKey


def register(engine: Interface, value: Value) -> LwwRegister[Value]:
    """A register written now; while values are merged, one without time and writer."""
    if engine.merging:
        return LwwRegister(value, ZERO, PublicKey.zero())
    return LwwRegister(value, engine.env.clock.next(), engine.env.executor)


def merge_registers(
    left: LwwRegister[Value], right: LwwRegister[Value], shape: RegisterShape[Value] | None = None
) -> LwwRegister[Value]:
    """The later one; at equal times the one of the greater executor.

    With ``shape`` the greater value decides between writes that are equal in both; without it the left one stays, as in
    the reference.
    """
    first, second = (left.timestamp, left.node_id), (right.timestamp, right.node_id)
    if first == second and shape is not None:
        return max(left, right, key=shape.encode)
    return right if second > first else left


@dataclass(frozen=True, slots=True)
class RegisterShape(Generic[Value]):
    """A register as a value in an entry: the value, 24 bytes of time, 32 bytes of executor."""

    inner: Shape[Value]

    def encode(self, value: LwwRegister[Value]) -> bytes:
        return self.inner.encode(value.value) + _STAMP.encode((value.timestamp, value.node_id))

    def decode_prefix(self, data: bytes, offset: int = 0) -> tuple[LwwRegister[Value], int]:
        value, offset = self.inner.decode_prefix(data, offset)
        (timestamp, node_id), offset = _STAMP.decode_prefix(data, offset)
        return LwwRegister(value, timestamp, node_id), offset
