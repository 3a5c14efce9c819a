"""Contents of blobs that were read a short while ago, in memory.

Only small blobs are kept, so that memory stays bounded however large the blobs are that pass through; a large one is
streamed from its chunk files. Whether a blob is still here is decided by its row, never by this cache.
Source of the bounds: core 0.10.0: crates/node/primitives/src/client/blob.rs.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from node.primitives import BlobId

MAX_AGE: Final = 300.0
"""Seconds since the last use."""

MAX_BLOBS: Final = 100

MAX_BYTES: Final = 500 << 20

MAX_ENTRY: Final = 5 << 20
"""Bytes of one blob: a hundred of the largest fill the cache, so a single one never empties it."""


class BlobCache:
    """The blobs used last, the longest unused first out. ``now`` is a monotonic time in seconds."""

    def __init__(self) -> None:
        self._kept: OrderedDict[BlobId, tuple[float, bytes]] = OrderedDict()
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._size

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, blob_id: BlobId, now: float) -> bytes | None:
        self._expire(now)
        found = self._kept.get(blob_id)
        if found is None:
            return None
        self._kept[blob_id] = (now, found[1])
        self._kept.move_to_end(blob_id)
        return found[1]

    def put(self, blob_id: BlobId, content: bytes, now: float) -> None:
        """Keep a content, unless it is larger than :data:`MAX_ENTRY`."""
        self.drop(blob_id)
        if len(content) > MAX_ENTRY:
            return
        self._kept[blob_id] = (now, content)
        self._size += len(content)
        self._expire(now)
        while len(self._kept) > MAX_BLOBS or self._size > MAX_BYTES:
            self.drop(next(iter(self._kept)))

    def drop(self, blob_id: BlobId) -> None:
        gone = self._kept.pop(blob_id, None)
        if gone is not None:
            self._size -= len(gone[1])

    def _expire(self, now: float) -> None:
        while self._kept:
            oldest = next(iter(self._kept))
            if now - self._kept[oldest][0] <= MAX_AGE:
                return
            self.drop(oldest)
