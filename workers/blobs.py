"""Blobs as files: content-addressed chunks of 1 MiB below the blob directory.

A chunk file is complete under its name or absent; rows about blobs belong to the owner of the node-wide rows and are
written after the files. Shared by every worker that reads or makes blobs.
Source: core 0.10.0: crates/store/blobs/src/lib.rs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from node.errors import ContextError, NotFound
from node.primitives import BlobId, Hash
from workers.messages.records import BlobRecord

CHUNK_SIZE: Final = 1 << 20
"""Bytes of a chunk; the last one of a blob may be shorter."""

EMPTY: Final = BlobId(hashlib.sha256(b"").digest())
"""Id of the blob without content."""


def chunk_file(folder: Path, chunk: BlobId) -> Path:
    return folder / str(chunk)


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob whose chunk files are in place: its own row last, the rows of its chunks before it."""

    rows: list[BlobRecord]

    @property
    def blob(self) -> BlobRecord:
        return self.rows[-1]


@dataclass(slots=True)
class BlobWriter:
    """Collects the bytes of a new blob. ``limit`` is the largest size in bytes that is accepted."""

    folder: Path
    limit: int
    refuse: Callable[[str], Exception] = ContextError
    _buffer: bytearray = field(default_factory=bytearray)
    _chunks: list[BlobRecord] = field(default_factory=list)
    _size: int = 0
    _made: list[Path] = field(default_factory=list)
    _content: hashlib._Hash = field(default_factory=hashlib.sha256)

    def write(self, data: bytes) -> int:
        """Take bytes; whole chunks go to disk at once. Raises what ``refuse`` makes beyond the limit."""
        self._size += len(data)
        if self._size > self.limit:
            self.abort()
            raise self.refuse(f"the blob is larger than the limit of {self.limit} bytes")
        self._content.update(data)
        self._buffer += data
        while len(self._buffer) >= CHUNK_SIZE:
            self._store(bytes(self._buffer[:CHUNK_SIZE]))
            del self._buffer[:CHUNK_SIZE]
        return len(data)

    def finish(self) -> StoredBlob:
        """Write the last chunk; the rows are still to be committed."""
        if self._buffer:
            self._store(bytes(self._buffer))
            self._buffer.clear()
        links = [chunk.id for chunk in self._chunks]
        blob_id = BlobId(hashlib.sha256(b"".join(links)).digest())
        whole = BlobRecord(blob_id, self._size, Hash(self._content.digest()), links)
        unique = {chunk.id: chunk for chunk in self._chunks}
        return StoredBlob([*unique.values(), whole])

    def abort(self) -> None:
        """Remove the chunk files that this writer made; those that were there before stay."""
        for file in self._made:
            file.unlink(missing_ok=True)
        self._made.clear()
        self._buffer.clear()

    def _store(self, chunk: bytes) -> None:
        digest = hashlib.sha256(chunk).digest()
        chunk_id = BlobId(digest)
        file = chunk_file(self.folder, chunk_id)
        if write_chunk(file, chunk):
            self._made.append(file)
        self._chunks.append(BlobRecord(chunk_id, len(chunk), Hash(digest)))


class BlobReader:
    """Reads the chunk files of a blob one after the other, from ``offset`` bytes on."""

    def __init__(self, folder: Path, blob: BlobRecord, offset: int = 0) -> None:
        chunks: Sequence[BlobId] = blob.links or ([] if blob.size == 0 else [blob.id])
        skip = offset // CHUNK_SIZE
        self._files = [chunk_file(folder, chunk) for chunk in chunks[skip:]][::-1]
        self._offset = offset % CHUNK_SIZE
        self._open: BinaryIO | None = None

    def read(self, size: int) -> bytes:
        """``size`` bytes, fewer only at the end. Raises :class:`NotFound` when a chunk file is missing."""
        parts = bytearray()
        while len(parts) < size:
            source = self._source()
            if source is None:
                break
            part = source.read(size - len(parts))
            if not part:
                self.close()
            parts += part
        return bytes(parts)

    def parts(self, size: int = CHUNK_SIZE) -> Iterator[bytes]:
        """The rest in parts of ``size`` bytes."""
        while part := self.read(size):
            yield part

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _source(self) -> BinaryIO | None:
        if self._open is None and self._files:
            file = self._files.pop()
            try:
                self._open = file.open("rb")
            except FileNotFoundError as error:
                raise NotFound(f"chunk {file.name} of the blob is not on this node") from error
            self._open.seek(self._offset)
            self._offset = 0
        return self._open


def is_complete(folder: Path, blob: BlobRecord) -> bool:
    """Whether every chunk file of a blob is in place."""
    chunks = blob.links or ([] if blob.size == 0 else [blob.id])
    return all(chunk_file(folder, chunk).exists() for chunk in chunks)


def write_chunk(file: Path, content: bytes) -> bool:
    """Write aside, sync, rename: a reader finds the whole chunk or none, also after a lost power.

    Answers whether the file is new.
    """
    if file.exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    aside.replace(file)
    return True
