"""Blobs as files: content-addressed chunks of 1 MiB below the blob directory.

A chunk file is complete under its name or absent; rows about blobs belong to the owner of the node-wide rows and are
written after the files. A writer keeps its chunks aside until the blob is whole, so one that breaks off takes nothing
from another of the same content. Shared by every worker that reads or makes blobs.
Source: core 0.10.0: crates/store/blobs/src/lib.rs.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from node.errors import ContextError, NotFound, StorageError
from node.primitives import BlobId, Hash
from workers.messages.records import BlobRecord

CHUNK_SIZE: Final = 1 << 20
"""Bytes of a chunk; the last one of a blob may be shorter."""

WRITERS: Final = 4
"""Chunks of one blob that are synced at once: the disk takes them in about the time of one."""

AHEAD: Final = 2 * WRITERS
"""Chunks that wait for the disk while more arrive, in MiB of memory."""

_WRITER_NAMES: Final[Iterator[int]] = itertools.count()
"""Tells the writers of one process apart in the names of what they have aside."""

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
    """Collects the bytes of a new blob. ``limit`` is the largest size in bytes that is accepted.

    Whole chunks are written by threads; what the disk refuses is raised by a later :meth:`write` or by :meth:`finish`.
    """

    folder: Path
    limit: int
    refuse: Callable[[str], Exception] = ContextError
    _buffer: bytearray = field(default_factory=bytearray)
    _chunks: list[BlobRecord] = field(default_factory=list)
    _size: int = 0
    _aside: dict[Path, Path] = field(default_factory=dict)
    _content: hashlib._Hash = field(default_factory=hashlib.sha256)
    _pool: ThreadPoolExecutor | None = None
    _writing: deque[Future[None]] = field(default_factory=deque)
    _begun: set[BlobId] = field(default_factory=set)
    _name: str = field(default_factory=lambda: f"{os.getpid()}.{next(_WRITER_NAMES)}")

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

    def finish(self, expected: Hash | None = None) -> StoredBlob:
        """Write the last chunk and put all in place; the rows are still to be committed.

        Raises :class:`ContextError` when the SHA-256 of the content is not ``expected``, or when a chunk that was there
        before vanished meanwhile (its blob was deleted), :class:`StorageError` when the disk does not take the files.
        """
        if self._buffer:
            self._store(bytes(self._buffer))
            self._buffer.clear()
        self._wait()
        if expected is not None and self._content.digest() != expected:
            raise ContextError("Failed to store blob: fatal: blob hash mismatch")
        self._put_in_place()
        links = [chunk.id for chunk in self._chunks]
        blob_id = BlobId(hashlib.sha256(b"".join(links)).digest())
        whole = BlobRecord(blob_id, self._size, Hash(self._content.digest()), links)
        unique = {chunk.id: chunk for chunk in self._chunks}
        if missing_chunks(self.folder, unique):
            raise ContextError("a part of the blob was deleted while it was sent; send the blob again")
        return StoredBlob([*unique.values(), whole])

    def abort(self) -> None:
        """Remove what this writer has aside; files in place stay, they may be another blob's."""
        with suppress(StorageError):
            self._wait()
        for aside in self._aside.values():
            aside.unlink(missing_ok=True)
        self._aside.clear()
        self._buffer.clear()

    def _store(self, chunk: bytes) -> None:
        digest = hashlib.sha256(chunk).digest()
        chunk_id = BlobId(digest)
        self._chunks.append(BlobRecord(chunk_id, len(chunk), Hash(digest)))
        if chunk_id in self._begun:
            return
        self._begun.add(chunk_id)
        if len(chunk) < CHUNK_SIZE:
            self._put(chunk_file(self.folder, chunk_id), chunk)
        else:
            self._put_soon(chunk_file(self.folder, chunk_id), chunk)

    def _put(self, file: Path, chunk: bytes) -> None:
        if not _touched(file):
            aside = file.with_name(f".{file.name}.{self._name}")
            _write_aside(aside, file, chunk)
            self._aside[file] = aside

    def _put_in_place(self) -> None:
        for file, aside in list(self._aside.items()):
            _rename(aside, file)
            del self._aside[file]
        if self._chunks:
            sync_names(self.folder)

    def _put_soon(self, file: Path, chunk: bytes) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(WRITERS, "blob")
        while len(self._writing) >= AHEAD:
            self._writing.popleft().result()
        self._writing.append(self._pool.submit(self._put, file, chunk))

    def _wait(self) -> None:
        """Until every chunk is on the disk or refused by it. Raises :class:`StorageError`."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        while self._writing:
            self._writing.popleft().result()


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


def read_all(folder: Path, blob: BlobRecord) -> bytes:
    """The whole content of a blob that fits into memory. Raises :class:`NotFound` when a chunk file is missing."""
    reader = BlobReader(folder, blob)
    try:
        return reader.read(blob.size)
    finally:
        reader.close()


def is_complete(folder: Path, blob: BlobRecord) -> bool:
    """Whether every chunk file of a blob is in place."""
    chunks = blob.links or ([] if blob.size == 0 else [blob.id])
    return all(chunk_file(folder, chunk).exists() for chunk in chunks)


def missing_chunks(folder: Path, chunks: Iterable[BlobId]) -> tuple[BlobId, ...]:
    """Those of the chunks whose file is not in place."""
    return tuple(chunk for chunk in chunks if not chunk_file(folder, chunk).exists())


def write_chunk(file: Path, content: bytes) -> bool:
    """Write aside, sync, rename: a reader finds the whole chunk or none, also after a lost power.

    The new name lasts once :func:`sync_names` was called: once for a blob, before its rows. Answers whether the file is
    new. One that is there counts as young again, so no sweep takes it before its row comes.
    Raises :class:`StorageError` when the disk does not take it; what was there stays.
    """
    if _touched(file):
        return False
    aside = file.with_name(f".{file.name}.{os.getpid()}.{next(_WRITER_NAMES)}")
    _write_aside(aside, file, content)
    _rename(aside, file)
    return True


def _write_aside(aside: Path, file: Path, content: bytes) -> None:
    try:
        _write_synced(aside, content)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise _not_written(file, error) from error


def _rename(aside: Path, file: Path) -> None:
    try:
        aside.replace(file)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise _not_written(file, error) from error


def _not_written(file: Path, error: OSError) -> StorageError:
    return StorageError(f"blob chunk {file.name} was not written: {error.strerror or error}")


def sync_names(folder: Path) -> None:
    """Make new names last: a synced file under a name that the power took is no file. Raises :class:`StorageError`."""
    try:
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise StorageError(f"blob directory {folder} was not synced: {error.strerror or error}") from error


def _touched(file: Path) -> bool:
    try:
        os.utime(file)
    except FileNotFoundError:
        return False
    return True


def _write_synced(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())


# -- room on the disk


ORPHAN_AGE: Final = 24 * 3600.0
"""Seconds after which a chunk file without a row is swept; no transfer takes that long between file and row."""


def usage(folder: Path) -> int:
    """Bytes of all files of the blob directory, parts of running transfers included."""
    return sum(_size(entry) for entry in _entries(folder))


def room(folder: Path, quota: int, most: int) -> int:
    """Bytes that one more blob may have: ``most``, or what is left of ``quota`` (0: no quota)."""
    return most if quota <= 0 else max(0, min(most, quota - usage(folder)))


def sweep(folder: Path, known: Collection[BlobId], now: float, age: float = ORPHAN_AGE) -> tuple[int, int]:
    """Remove files that no row names and that are ``age`` seconds old, or whose writer was killed; number and bytes."""
    names = {str(chunk) for chunk in known}
    count = freed = 0
    for entry in _entries(folder):
        if entry.name not in names and (_abandoned(entry.name) or now - _changed(entry, now) >= age):
            freed += _size(entry)
            count += 1
            Path(entry.path).unlink(missing_ok=True)
    return count, freed


def _abandoned(name: str) -> bool:
    """Whether a file is what a process had aside that is no more; a home belongs to one node, so pids tell."""
    _, _, pid, number = (name.split(".") + [""] * 4)[:4]
    if not name.startswith(".") or not pid.isdecimal() or not number.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return [entry for entry in found if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def _changed(entry: os.DirEntry[str], gone: float) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return gone
