"""What a guest may ask of this process while it runs: members, aliases, blobs. Answers come from rows and files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from node.errors import ContextError, HostError
from node.primitives import BlobId, ContextId, Hash, PublicKey
from node.store.columns import ALIAS_KINDS
from workers.messages.records import BlobRecord
from workers.runtime.node_rows import NodeRows

CHUNK_SIZE: Final = 1 << 20
"""Bytes of a blob chunk. core 0.10.0: crates/store/blobs/src/lib.rs."""

MAX_BLOB: Final = 500 << 20
"""Bytes of one blob; as in later releases of the reference."""


@dataclass(frozen=True, slots=True)
class NodeServices:
    """Services of one context. ``announce`` tells the network that a blob can be fetched here."""

    context_id: ContextId
    rows: NodeRows
    blob_dir: Path
    listed: Callable[[], list[PublicKey]]
    announce: Callable[[BlobId, ContextId], bool]

    def members(self) -> list[PublicKey]:
        return self.listed()

    def is_member(self, identity: PublicKey) -> bool:
        return identity in self.listed()

    def has_alias(self, name: str) -> bool:
        return self.resolve_alias(name) is not None

    def resolve_alias(self, name: str) -> PublicKey | None:
        target = self.rows.alias(ALIAS_KINDS.IDENTITY, self.context_id, name)
        return None if target is None else PublicKey(target)

    def blob_create(self) -> ChunkWriter:
        return ChunkWriter(self.rows, self.blob_dir)

    def blob_open(self, blob_id: BlobId) -> ChunkReader | None:
        chunks = self.rows.chunks(blob_id)
        return None if chunks is None else ChunkReader([self.rows.chunk_file(chunk) for chunk in chunks])

    def blob_announce(self, blob_id: BlobId, context_id: ContextId) -> bool:
        return self.announce(blob_id, context_id)

    def http_fetch(self, url: str, method: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """As in the reference, guests reach nothing outside their node."""
        raise HostError("fetch is disabled on this node")


class ChunkWriter:
    """Collects a blob in chunks; each chunk file is complete under its name or absent."""

    def __init__(self, rows: NodeRows, blob_dir: Path) -> None:
        self._rows = rows
        self._dir = blob_dir
        self._buffer = bytearray()
        self._content = hashlib.sha256()
        self._size = 0
        self._records: list[BlobRecord] = []

    def write(self, data: bytes) -> int:
        """Raises :class:`HostError` beyond the largest blob."""
        self._size += len(data)
        if self._size > MAX_BLOB:
            raise HostError(f"a blob may have at most {MAX_BLOB >> 20} MiB")
        self._content.update(data)
        self._buffer += data
        while len(self._buffer) >= CHUNK_SIZE:
            self._store(bytes(self._buffer[:CHUNK_SIZE]))
            del self._buffer[:CHUNK_SIZE]
        return len(data)

    def finish(self) -> BlobId:
        if self._buffer:
            self._store(bytes(self._buffer))
            self._buffer.clear()
        links = [record.id for record in self._records]
        blob_id = BlobId(hashlib.sha256(b"".join(links)).digest())
        whole = BlobRecord(blob_id, self._size, Hash(self._content.digest()), links)
        self._rows.put_blobs([*self._records, whole])
        return blob_id

    def abort(self) -> None:
        """Chunk files stay without rows; the same content may be written again or is swept."""
        self._buffer.clear()

    def _store(self, chunk: bytes) -> None:
        digest = hashlib.sha256(chunk).digest()
        chunk_id = BlobId(digest)
        self._records.append(BlobRecord(chunk_id, len(chunk), Hash(digest)))
        write_chunk(self._rows.chunk_file(chunk_id), chunk)


class ChunkReader:
    """Reads chunk files one after the other."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files[::-1]
        self._open: BinaryIO | None = None

    def read(self, size: int) -> bytes:
        """Raises :class:`ContextError` when a chunk file is missing."""
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
                raise ContextError(f"chunk {file.name} of the blob is not on this node") from error
        return self._open


def write_chunk(file: Path, content: bytes) -> None:
    """Write aside, sync, rename: a reader finds the whole chunk or none, also after a lost power."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    aside.replace(file)
