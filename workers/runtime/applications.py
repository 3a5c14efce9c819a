"""From an application id to runnable bytecode: the row, the blob's chunk files, the module inside a bundle.

What was found is kept until the row changes. An application whose bytes are not complete here is not runnable, and is
looked up again at every use, because the blob may arrive at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

from node.context.owner.host import Runnable
from node.errors import ApplicationNotInstalled
from node.primitives import ApplicationId, BlobId, Hash
from node.store.values import ApplicationMeta
from workers.runtime.node_rows import NodeRows

WASM_MAGIC = b"\0asm"


class Applications:
    """Resolves applications of this worker. ``unpack`` takes the module out of a bundle's bytes."""

    def __init__(self, rows: NodeRows, unpack: Callable[[bytes], bytes]) -> None:
        self._rows = rows
        self._unpack = unpack
        self._ready: dict[ApplicationId, Runnable] = {}

    def __call__(self, application_id: ApplicationId) -> Runnable | None:
        found = self._ready.get(application_id)
        if found is None:
            found = self._resolve(application_id)
            if found is not None:
                self._ready[application_id] = found
        return found

    def changed(self, application_id: ApplicationId) -> None:
        """The row was written or removed: look it up again."""
        self._ready.pop(application_id, None)

    def _resolve(self, application_id: ApplicationId) -> Runnable | None:
        meta = self._rows.application(application_id)
        content = None if meta is None else self._rows.read_blob(meta.bytecode)
        if meta is None or content is None:
            return None
        module = self._module(content)
        digest = Hash(hashlib.sha256(module).digest())
        return Runnable(digest, partial(self._bytecode, meta))

    def _bytecode(self, meta: ApplicationMeta) -> bytes:
        """Read when it must be compiled, not kept: modules have megabytes and compiled ones live in a cache."""
        return self._module(self._content(meta.bytecode))

    def _content(self, blob_id: BlobId) -> bytes:
        content = self._rows.read_blob(blob_id)
        if content is None:
            raise ApplicationNotInstalled(f"the bytecode blob {blob_id} is not complete on this node")
        return content

    def _module(self, content: bytes) -> bytes:
        return content if content.startswith(WASM_MAGIC) else self._unpack(content)
