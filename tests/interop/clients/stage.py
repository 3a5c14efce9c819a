"""Two connected nodes, an application to install from a file and one from an address."""

from __future__ import annotations

import functools
import hashlib
import http.server
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import base58
import httpx

from tests.interop.clients.names import Names
from tests.workers.server.real import WASM, pair

__all__ = ["stage"]


@contextmanager
def stage(folder: Path) -> Iterator[tuple[dict[str, httpx.Client], Names]]:
    """The nodes by the name that steps use, and the names that the first steps need."""
    with pair(folder) as (first, second), _files(WASM) as address:
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


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _files(folder: Path) -> Iterator[str]:
    """The address at which the files of a folder are served."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
