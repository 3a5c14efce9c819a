"""Length frames of the stream protocols: four bytes big-endian, then the payload. Empty frames are legal.

Source: core 0.10.0: crates/network/primitives/src/stream/codec.rs.
"""

from __future__ import annotations

from typing import Final

from node.errors import CodecError, DecodeError

PREFIX: Final = 4
"""Bytes of the length in front of a payload."""

MAX_FRAME: Final = 8 << 20
"""Most bytes of a payload, in both directions; the reference ends a stream that announces more."""


def frame(payload: bytes) -> bytes:
    """Put the length in front. Raises :class:`CodecError` above :data:`MAX_FRAME`."""
    if len(payload) > MAX_FRAME:
        raise CodecError(f"a frame of {len(payload)} bytes cannot be sent, at most {MAX_FRAME} are allowed")
    return len(payload).to_bytes(PREFIX, "big") + payload


class FrameReader:
    """Collects frames from pieces of any size; holds at most one unfinished frame."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._held = bytearray()
        self._passed = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that became complete. Raises :class:`DecodeError` as soon as a length is above the limit."""
        self._held += data
        frames, at = [], 0
        while len(self._held) - at >= PREFIX:
            size = self._size(at)
            end = at + PREFIX + size
            if end > len(self._held):
                break
            frames.append(bytes(self._held[at + PREFIX : end]))
            at = end
        del self._held[:at]
        self._passed += at
        return frames

    def finish(self) -> None:
        """The stream ended. Raises :class:`DecodeError` if it did so inside a frame."""
        if self._held:
            raise DecodeError(
                f"the stream ended {len(self._held)} bytes into a frame", offset=self._passed, field="frame"
            )

    def _size(self, at: int) -> int:
        size = int.from_bytes(self._held[at : at + PREFIX], "big")
        if size > self._limit:
            raise DecodeError(
                f"frame of {size} bytes is above the limit {self._limit}", offset=self._passed + at, field="length"
            )
        return size
