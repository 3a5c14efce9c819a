"""Two connected nodes, an application to install from a file and one from an address."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import base58
import httpx

from tests.interop.clients.names import Names
from tests.interop.files import served
from tests.workers.server.real import WASM, pair

__all__ = ["stage"]


@contextmanager
def stage(folder: Path) -> Iterator[tuple[dict[str, httpx.Client], Names]]:
    """The nodes by the name that steps use, and the names that the first steps need."""
    with pair(folder) as (first, second), served(WASM) as address:
        wasm = WASM / "kv_next.wasm"
        digest = hashlib.sha256(wasm.read_bytes())
        names = Names(
            wasm=str(WASM / "kv.wasm"),
            address=f"{address}/{wasm.name}",
            digest=digest.hexdigest(),
            hash=base58.b58encode(digest.digest()).decode(),
            proposal=base58.b58encode(secrets.token_bytes(32)).decode(),
        )
        yield {"first": first, "second": second}, names
