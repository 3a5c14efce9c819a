"""Installing: from files and from URLs of a real HTTP server, what is refused, and that a refusal leaves nothing."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import pytest

from node.context.bundle import make_bundle, signer_id_of
from node.crypto import ed25519
from node.errors import BundleError, CalimeroError, CompilationError, ContextError
from node.primitives import Hash, PrivateKey
from node.runtime.call import Guest
from tests.workers.runtime.nodes import WASM, Peer
from workers.messages import Message, Request
from workers.messages import runtime as r
from workers.messages import sync as s
from workers.messages.records import ApplicationRecord
from workers.sync import download as downloads
from workers.sync.applications import Applications
from workers.sync.blobs import BlobKeeper
from workers.sync.download import download, url_text

R = TypeVar("R", bound=Message)
KEY = PrivateKey(b"\x31" * 32)
MODULE = (WASM / "kv.wasm").read_bytes()
LIMIT = 1 << 20
WHOLE = 0.2
"""Seconds that a server which never ends is given."""


class Home:
    """The installs of one node over a real owner."""

    def __init__(self, guest: Guest, folder: Path) -> None:
        self.peer = Peer(1, guest, folder / "home")
        self.folder = folder / "home" / "blobs"
        keeper = BlobKeeper(self, self, self.folder, 0, lambda: 1000.0)
        self.applications = Applications(self, self.folder, self._inform, keeper)

    async def ask(self, operation: Request[R]) -> R:
        return self.peer.ask(operation)

    async def _inform(self, operation: r.PutApplication | r.RemoveApplication) -> None:
        self.peer.ask(operation)

    async def fetch_blob(self, *_: object) -> None: ...
    async def own_peer(self) -> str:
        return ""

    async def put_record(self, *_: object) -> None: ...

    async def from_url(self, url: str, sha256: bytes | None = None) -> ApplicationRecord:
        wanted = None if sha256 is None else Hash(sha256)
        return (await self.applications.install_url(s.InstallUrl(url, wanted))).application

    async def from_file(self, file: Path) -> ApplicationRecord:
        return (await self.applications.install_file(s.InstallFile(str(file)))).application

    def things(self) -> tuple[int, int, int]:
        """Applications, blobs and chunk files."""
        files = list(self.folder.iterdir()) if self.folder.exists() else []
        rows = self.peer.ask(r.ListApplications()).applications, self.peer.ask(r.ListBlobs()).blobs
        return len(rows[0]), len(rows[1]), len(files)


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def site(pages: dict[str, Answer]) -> AsyncIterator[str]:
    """A server on loopback; its base URL."""

    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"accept-encoding: identity" in head.lower()
            await pages[head.split()[1].decode()](writer)
        except ConnectionError:
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        tasks = [task for task in serving if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def page(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length is None else length}", *headers]
        writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode() + body)
        await writer.drain()

    return answer


async def endless(writer: asyncio.StreamWriter) -> None:
    """More and more, without a length."""
    writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
    while True:
        writer.write(bytes(1 << 16))
        await writer.drain()


async def silent(writer: asyncio.StreamWriter) -> None:
    """A beginning, and then nothing."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n\0asm")
    await writer.drain()
    await asyncio.sleep(3600)


def moved(path: str, status: str = "302 Found") -> Answer:
    return page(b"", status, f"location: {path}")


@pytest.mark.parametrize("start", ["/kv.wasm", "/moved"])
def test_a_module_is_installed_from_a_url(guest: Guest, tmp_path: Path, start: str) -> None:
    """Its source, and so its id, is the URL that was asked for."""

    async def body() -> None:
        home = Home(guest, tmp_path)
        async with site({"/kv.wasm": page(MODULE), "/moved": moved("/kv.wasm", "307 Temporary Redirect")}) as url:
            found = await home.from_url(url + start, hashlib.sha256(MODULE).digest())
            assert (found.source, found.size, found.package) == (url + start, len(MODULE), "unknown")
            assert (await home.from_url(url + start)).id == found.id

    asyncio.run(body())


def test_a_bundle_is_installed_from_a_url(guest: Guest, tmp_path: Path) -> None:
    """A server that calls it packed changes nothing about its bytes."""

    async def body() -> None:
        home = Home(guest, tmp_path)
        made = make_bundle(KEY, package="com.example.app", version="1.0.0", name="app", module=MODULE)
        async with site({"/app.mpk": page(made, "200 OK", "content-encoding: gzip")}) as url:
            found = await home.from_url(f"{url}/app.mpk", hashlib.sha256(made).digest())
        assert (found.package, found.version) == ("com.example.app", "1.0.0")
        assert found.signer_id == signer_id_of(ed25519.public_key(KEY))

    asyncio.run(body())


def test_what_a_server_sends_wrong_is_refused_and_leaves_nothing(guest: Guest, tmp_path: Path) -> None:
    pages: dict[str, tuple[Answer, type[CalimeroError], str]] = {
        "/none": (page(b"no", "404 Not Found"), ContextError, "the server answered 404 Not Found"),
        "/page": (page(b"<html>"), CompilationError, "no WebAssembly module and no bundle"),
        "/cut": (page(MODULE[:1000]), CompilationError, "damaged"),
        "/short": (
            page(MODULE[:1000], length=len(MODULE)),
            ContextError,
            "could not be downloaded: RemoteProtocolError",
        ),
        "/large": (page(b"", length=1 << 40), ContextError, "has 1099511627776 bytes, at most"),
        "/loop": (moved("/loop"), ContextError, "could not be downloaded: TooManyRedirects"),
        "/file": (moved("file:///etc/passwd"), ContextError, "could not be downloaded: UnsupportedProtocol"),
        "/bomb": (page(gzip.compress(bytes(2 << 20))), BundleError, "bomb"),
    }

    async def body() -> None:
        home = Home(guest, tmp_path)
        before = home.things()
        async with site({path: answer for path, (answer, _, _) in pages.items()} | {"/kv": page(MODULE)}) as url:
            for path, (_, error, text) in pages.items():
                with pytest.raises(error, match=text):
                    await home.from_url(url + path)
            with pytest.raises(ContextError, match=r"blob hash mismatch: http.*/kv is not what its hash says"):
                await home.from_url(f"{url}/kv", bytes(32))
        for bad in ("file:///etc/passwd", "ftp://127.0.0.1/x", "kv.wasm", ""):
            with pytest.raises(ContextError, match="is no http or https URL"):
                await home.from_url(bad)
        with pytest.raises(ContextError, match=f"{url}/kv could not be downloaded: ConnectError"):
            await home.from_url(f"{url}/kv")
        assert home.things() == before

    asyncio.run(body())


def test_a_download_is_bounded_in_bytes_and_in_time() -> None:
    async def body() -> None:
        async with site({"/endless": endless, "/silent": silent}) as url:
            with pytest.raises(ContextError, match=f"/endless has more than {LIMIT} bytes"):
                await download(f"{url}/endless", LIMIT)
            with pytest.raises(ContextError, match=f"/silent could not be downloaded within {WHOLE} s"):
                await download(f"{url}/silent", LIMIT, WHOLE)

    asyncio.run(body())


def test_a_long_download_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(downloads, "PROGRESS", 1 << 16)
    monkeypatch.setattr(downloads, "_PART", 1 << 16)

    async def body() -> None:
        async with site({"/x": page(bytes(1 << 17))}) as url:
            with caplog.at_level("INFO", logger=downloads.__name__):
                assert len(await download(f"{url}/x", LIMIT)) == 1 << 17

    asyncio.run(body())
    assert [row.getMessage().partition("/x: ")[2] for row in caplog.records] == [
        "65536 of 131072 bytes", "131072 of 131072 bytes",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://Host.example:80", "http://host.example/"),
        ("https://h:443/a b.wasm?x=1", "https://h/a%20b.wasm?x=1"),
        ("http://h:8080/x/../kv.wasm", "http://h:8080/kv.wasm"),
    ],
)
def test_a_url_is_written_as_the_reference_writes_it(url: str, text: str) -> None:
    assert url_text(url) == text


def test_files_that_cannot_be_installed_are_named_and_leave_nothing(guest: Guest, tmp_path: Path) -> None:
    """The rows about bundles are in the tests of bundles; here is what becomes of the node."""
    good = make_bundle(KEY, package="com.example.app", version="1.0.0", name="app", module=MODULE)
    hollow = make_bundle(KEY, package="a", version="1.0.0", name="a", module=b"hello")
    wrong: dict[str, tuple[bytes, type[CalimeroError], str]] = {
        "text.wasm": (b"hello", CompilationError, "no WebAssembly module and no bundle"),
        "cut.wasm": (MODULE[:-100], CompilationError, "damaged"),
        "cut.mpk": (good[:-100], BundleError, "truncated"),
        "bomb.mpk": (gzip.compress(bytes(2 << 20)), BundleError, "bomb"),
        "inside.mpk": (hollow, CompilationError, "no WebAssembly module"),
    }  # fmt: skip

    async def body() -> None:
        home = Home(guest, tmp_path)
        before = home.things()
        for name, (content, error, text) in wrong.items():
            (tmp_path / name).write_bytes(content)
            with pytest.raises(error, match=text):
                await home.from_file(tmp_path / name)
        with pytest.raises(ContextError, match=r"application file not found at .*/nothing\.wasm"):
            await home.from_file(tmp_path / "nothing.wasm")
        assert home.things() == before
        (tmp_path / "good.mpk").write_bytes(good)
        found = await home.from_file(tmp_path / "good.mpk")
        assert home.things() == (1, before[1] + 1, before[2] + 1)
        await home.applications.uninstall(s.Uninstall(found.id))
        assert home.things()[0] == 0

    asyncio.run(body())
