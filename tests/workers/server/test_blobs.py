from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from node.errors import ContextError, NotFound
from node.primitives import BlobId, Hash, to_base58
from tests.workers.server.scripted import raw_request, run, serving, until
from workers.blob_cache import MAX_ENTRY
from workers.blobs import CHUNK_SIZE
from workers.messages import Message, runtime, sync
from workers.messages.base import Done
from workers.messages.records import BlobRecord
from workers.server.handlers import blobs as blobs_module

A = "/admin-api/blobs"


class Rows:
    """Blob rows, in memory."""

    def __init__(self) -> None:
        self.rows: dict[BlobId, BlobRecord] = {}
        self.room: int | None = None
        self.used: set[BlobId] = set()

    def answers(self) -> dict[Any, Any]:
        return {
            sync.KeepBlob: self._keep, sync.BlobRoom: self._answer_room, sync.DeleteBlob: self._delete,
            runtime.GetBlob: self._get,
        }  # fmt: skip

    def _answer_room(self, _: sync.BlobRoom) -> Message:
        return sync.BlobRoomAnswer(self.room)

    def _keep(self, request: sync.KeepBlob) -> Message:
        self.rows |= {blob.id: blob for blob in request.blobs}
        return Done()

    def _get(self, request: runtime.GetBlob) -> Message:
        return runtime.BlobAnswer(self.rows.get(request.id))

    def _delete(self, request: sync.DeleteBlob) -> Message:
        if request.blob_id in self.used:
            raise ContextError("it is the bytecode of application x; uninstall that first")
        if request.blob_id not in self.rows:
            raise NotFound("the blob is not on this node")
        return sync.BlobsFreed([request.blob_id], self.rows.pop(request.blob_id).size)


def files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


@pytest.mark.parametrize("size", [0, 1, 11, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE])
def test_a_blob_goes_in_and_comes_out(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]

    async def main() -> None:
        rows = Rows()
        async with serving(rows.answers(), home=tmp_path) as served:
            put = (await served.http.put(A, content=content)).json()["data"]
            assert put["size"] == size
            answer = await served.http.get(f"{A}/{put['blob_id']}")
            assert answer.content == content
            digest = hashlib.sha256(content).hexdigest()
            head = await served.http.head(f"{A}/{put['blob_id']}")
            assert head.content == b""
            for found in (answer.headers, head.headers):
                assert found["content-length"] == str(size)
                assert found["etag"] == f'"{digest}"'
                assert found["x-blob-hash"] == digest
                assert found["x-blob-id"] == put["blob_id"]
                assert found["cache-control"] == "public, max-age=3600"
                assert "X-Blob-Hash" in found["access-control-expose-headers"]

    run(main)


def test_the_id_is_that_of_the_reference(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(Rows().answers(), home=tmp_path) as served:
            put = (await served.http.put(A, content=b"hello world")).json()["data"]
            chunk = hashlib.sha256(b"hello world").digest()
            assert put["blob_id"] == to_base58(hashlib.sha256(chunk).digest())

    run(main)


def test_a_streamed_upload_without_length_is_taken(tmp_path: Path) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(40):
            yield bytes([number]) * 65_536

    async def main() -> None:
        async with serving(Rows().answers(), home=tmp_path) as served:
            put = (await served.http.put(A, content=parts())).json()["data"]
            assert put["size"] == 40 * 65_536

    run(main)


def test_a_wrong_hash_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main() -> None:
        rows = Rows()
        async with serving(rows.answers(), home=tmp_path) as served:
            right = Hash(hashlib.sha256(b"abc").digest())
            answer = await served.http.put(A, params={"hash": str(right)}, content=b"other")
            assert (answer.status_code, answer.json()) == (
                500,
                {"error": "Failed to store blob: fatal: blob hash mismatch"},
            )
            assert rows.rows == {}
            assert files(tmp_path) == []
            assert (await served.http.put(A, params={"hash": str(right)}, content=b"abc")).status_code == 200

    run(main)


def test_an_upload_beyond_the_limit_is_refused_while_it_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs_module, "MAX_UPLOAD", CHUNK_SIZE)

    async def main() -> None:
        async with serving(Rows().answers(), home=tmp_path) as served:
            answer = await served.http.put(A, content=b"x" * (2 * CHUNK_SIZE))
            assert answer.status_code == 413
            assert files(tmp_path) == []
            assert (await served.http.put(A, content=b"x" * CHUNK_SIZE)).status_code == 200

    run(main)


def test_an_upload_above_the_quota_is_refused_while_it_streams(tmp_path: Path) -> None:
    async def main() -> None:
        rows = Rows()
        rows.room = CHUNK_SIZE
        async with serving(rows.answers(), home=tmp_path) as served:
            answer = await served.http.put(A, content=b"x" * (2 * CHUNK_SIZE))
            assert answer.status_code == 413
            assert "store.blob_quota leaves" in answer.json()["error"]
            assert (rows.rows, files(tmp_path)) == ({}, [])
            assert (await served.http.put(A, content=b"x" * CHUNK_SIZE)).status_code == 200

    run(main)


def test_a_blob_in_use_is_not_deleted(tmp_path: Path) -> None:
    async def main() -> None:
        rows = Rows()
        async with serving(rows.answers(), home=tmp_path) as served:
            put = (await served.http.put(A, content=b"x")).json()["data"]
            rows.used.add(BlobId.parse(put["blob_id"]))
            answer = await served.http.delete(f"{A}/{put['blob_id']}")
            assert answer.status_code == 409
            assert "uninstall that first" in answer.json()["error"]
            assert (await served.http.get(f"{A}/{put['blob_id']}")).content == b"x"

    run(main)


def test_small_blobs_are_read_once_and_forgotten_with_their_row(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(Rows().answers(), home=tmp_path) as served:
            ids = [
                (await served.http.put(A, content=b)).json()["data"]["blob_id"] for b in (b"s", bytes(MAX_ENTRY + 1))
            ]
            for blob_id in ids:
                await served.http.get(f"{A}/{blob_id}")
            assert (len(served.api.blobs), served.api.blobs.size) == (1, 1)
            await served.http.delete(f"{A}/{ids[0]}")
            assert len(served.api.blobs) == 0
            assert (await served.http.get(f"{A}/{ids[0]}")).status_code == 404

    run(main)


def test_an_upload_that_stalls_ends_with_408(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs_module, "PART_SECONDS", 0.1)

    async def main() -> None:
        async with serving(Rows().answers(), home=tmp_path) as served:
            head = b"PUT /admin-api/blobs HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nconnection: close\r\n\r\n"
            assert (await raw_request(served, head, b"abc")).startswith(b"HTTP/1.1 408 ")

    run(main)


def test_an_upload_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    async def main() -> None:
        rows = Rows()
        async with serving(rows.answers(), home=tmp_path) as served:
            _, writer = await asyncio.open_connection(*served.address)
            size = 4 * CHUNK_SIZE
            writer.write(b"PUT /admin-api/blobs HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
            writer.write(b"x" * (2 * CHUNK_SIZE))
            await writer.drain()
            writer.transport.abort()
            await until(lambda: not served.api.connections.total and not files(tmp_path))
            assert rows.rows == {}

    run(main)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\0asm\x01\0\0\0", "application/wasm"),
        (b"hello world", "application/octet-stream"),
    ],
)
def test_the_type_is_sniffed(tmp_path: Path, content: bytes, kind: str) -> None:
    async def main() -> None:
        async with serving(Rows().answers(), home=tmp_path) as served:
            put = (await served.http.put(A, content=content)).json()["data"]
            answer = await served.http.get(f"{A}/{put['blob_id']}")
            assert answer.headers["content-type"] == kind
            assert answer.headers["x-blob-mime-type"] == kind

    run(main)


def test_a_blob_is_deleted_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(Rows().answers(), home=tmp_path) as served:
            put = (await served.http.put(A, content=b"x")).json()["data"]
            answer = await served.http.delete(f"{A}/{put['blob_id']}")
            assert answer.json() == {"blob_id": put["blob_id"], "deleted": True}
            assert (await served.http.delete(f"{A}/{put['blob_id']}")).status_code == 500

    run(main)


def test_a_blob_that_is_not_here_is_404(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(Rows().answers(), home=tmp_path) as served:
            missing = BlobId(bytes(32))
            answer = await served.http.get(f"{A}/{missing}")
            assert (answer.status_code, answer.json()) == (404, {"error": "Blob not found locally or in network"})
            head = await served.http.head(f"{A}/{missing}")
            assert (head.status_code, head.headers["content-type"]) == (404, "application/json")

    run(main)
