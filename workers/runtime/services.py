"""What a guest may ask of this process while it runs: members, aliases, blobs. Answers come from rows and files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.errors import HostError
from node.primitives import BlobId, ContextId, PublicKey
from node.store.columns import ALIAS_KINDS
from workers.blobs import BlobReader, BlobWriter, room
from workers.messages.records import BlobRecord
from workers.runtime.convert import blob_record
from workers.runtime.node_rows import NodeRows

MAX_BLOB: Final = 500 << 20
"""Bytes of one blob; as in later releases of the reference."""


@dataclass(frozen=True, slots=True)
class NodeServices:
    """Services of one context. ``announce`` tells the network that a blob can be fetched here; ``made`` tells the other
    workers about one that is new. All blobs together may have ``quota`` bytes (0: no bound)."""

    context_id: ContextId
    rows: NodeRows
    blob_dir: Path
    listed: Callable[[], list[PublicKey]]
    announce: Callable[[BlobId, ContextId], bool]
    made: Callable[[list[BlobRecord]], bool]
    quota: int

    def members(self) -> list[PublicKey]:
        return self.listed()

    def is_member(self, identity: PublicKey) -> bool:
        return identity in self.listed()

    def has_alias(self, name: str) -> bool:
        return self.resolve_alias(name) is not None

    def resolve_alias(self, name: str) -> PublicKey | None:
        target = self.rows.alias(ALIAS_KINDS.IDENTITY, self.context_id, name)
        return None if target is None else PublicKey(target)

    def blob_create(self) -> GuestBlob:
        return GuestBlob(self.rows, self.blob_dir, room(self.blob_dir, self.quota, MAX_BLOB), self.made)

    def blob_open(self, blob_id: BlobId) -> BlobReader | None:
        meta = self.rows.blob(blob_id)
        return None if meta is None else BlobReader(self.blob_dir, blob_record(blob_id, meta))

    def blob_announce(self, blob_id: BlobId, context_id: ContextId) -> bool:
        return self.announce(blob_id, context_id)

    def http_fetch(self, url: str, method: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """As in the reference, guests reach nothing outside their node."""
        raise HostError("fetch is disabled on this node")


class GuestBlob:
    """A blob that a guest writes; its rows are committed when it is finished."""

    def __init__(self, rows: NodeRows, blob_dir: Path, limit: int, made: Callable[[list[BlobRecord]], bool]) -> None:
        self._rows = rows
        self._made = made
        self._writer = BlobWriter(blob_dir, limit, HostError)

    def write(self, data: bytes) -> int:
        """Raises :class:`HostError` beyond the largest blob, or what the quota leaves."""
        return self._writer.write(data)

    def finish(self) -> BlobId:
        stored = self._writer.finish()
        self._rows.put_blobs(stored.rows)
        self._made(stored.rows)
        return stored.blob.id

    def abort(self) -> None:
        self._writer.abort()
