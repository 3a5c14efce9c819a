"""Hybrid logical clock: 64-bit NTP time whose lowest 16 bits count, and the id of the clock.

Time is quantised before it is compared and the counter carries, so one clock never gives the same time twice and never
goes back; what it hears from others moves it on. With ``reference=True`` it repeats core 0.10.0, which compares before
it quantises: within 15.26 µs it gives equal or smaller times. The bytes have the same form either way and nobody checks
the order, so both kinds of clock work together.
Source: core 0.10.0: crates/storage/src/logical_clock.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from node.codec import borsh
from node.codec.borsh import u64, u128
from node.errors import InvalidDelta

DRIFT: Final = 5 << 32
"""How far a remote time may be ahead of the local one, in NTP units: five seconds."""

DRIFT_NS: Final = 5_000_000_000
"""The same in ns."""

NS: Final = 10**9
COUNTER: Final = 0xFFFF
"""The bits of a time that count."""


class HybridTimestamp(msgspec.Struct, frozen=True, order=True):
    """``time`` in NTP units (seconds << 32 | fraction), ``id`` of the clock. 24 bytes in Borsh.

    A clock id of 0 is kept as it is read, so that accepted bytes encode to themselves; no clock has it.
    """

    time: u64
    id: u128

    def __bytes__(self) -> bytes:
        return borsh.encode(self)

    def __str__(self) -> str:
        return f"{self.time}#{self.id:x}"

    @classmethod
    def parse(cls, raw: bytes) -> HybridTimestamp:
        """Read the 24-byte form. Raises :class:`DecodeError`."""
        return borsh.decode(cls, raw)

    @property
    def seconds_ns(self) -> int:
        """Physical time of a delta as the reference reports it: whole seconds, in ns."""
        return (self.time >> 32) * NS

    @property
    def counter(self) -> int:
        """All 16 counting bits."""
        return self.time & COUNTER


ZERO: Final = HybridTimestamp(0, 1)
"""The timestamp of a checkpoint and of the beginning of a text."""


def from_ns(now_ns: int) -> int:
    """NTP units of a time in ns."""
    return (now_ns // NS) << 32 | (now_ns % NS << 32) // NS


def to_ns(time: int) -> int:
    """Nanoseconds of a time in NTP units, rounded down; loses up to 15 µs through the counter."""
    return (time >> 32) * NS + ((time & 0xFFFFFFFF) * NS >> 32)


def clock_id(seed: bytes) -> int:
    """Id of a clock from at least 16 bytes: an executor's key, or random ones. Zero becomes 1."""
    return int.from_bytes(seed[:16], "little") or 1


class HybridClock:
    """Gives timestamps. ``now_ns`` reads the physical clock, ``identity`` is the clock's id, see :func:`clock_id`."""

    def __init__(self, now_ns: Callable[[], int], identity: int, *, reference: bool = False) -> None:
        self._now_ns = now_ns
        self._id = identity
        self._reference = reference
        self._last = 0
        self._count = 0

    def next(self) -> HybridTimestamp:
        """The next timestamp, greater than every earlier one of this clock."""
        physical = from_ns(self._now_ns())
        if self._reference:
            return HybridTimestamp(self._next_reference(physical), self._id)
        self._last = max(physical & ~COUNTER, self._last + 1)
        return HybridTimestamp(self._last, self._id)

    def _next_reference(self, physical: int) -> int:
        if physical > self._last:
            self._last, self._count = physical, 0
        else:
            self._count = self._count + 1 & COUNTER
        return self._last & ~COUNTER | self._count

    def observe(self, remote: HybridTimestamp) -> None:
        """Move on to what another clock gave. Raises :class:`InvalidDelta` if that is beyond the drift limit."""
        check_drift(remote, self._now_ns())
        if remote.time > self._last:
            self._last, self._count = remote.time, 0


def check_drift(remote: HybridTimestamp, now_ns: int) -> None:
    """Raises :class:`InvalidDelta` if a timestamp is more than five seconds ahead of ``now_ns``."""
    if remote.time > from_ns(now_ns) + DRIFT:
        ahead = (to_ns(remote.time) - now_ns) / NS
        raise InvalidDelta(f"timestamp {remote} is {ahead:.1f} s ahead of the local clock, at most 5 s are allowed")
