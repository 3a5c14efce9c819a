"""Blobs: streamed in and out of chunk files. core 0.10.0: crates/server/src/admin/handlers/blob.rs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from node.api.errors import BadRequest, Family, Missing, Refusal
from node.errors import CalimeroError, ContextError, InvalidId, NotFound
from node.primitives import BlobId, ContextId, Hash
from workers.blob_cache import MAX_ENTRY
from workers.blobs import CHUNK_SIZE, BlobReader, BlobWriter, is_complete, read_all
from workers.messages import runtime, sync
from workers.messages.records import BlobRecord
from workers.server.api import Api
from workers.server.replies import data, reply

MAX_UPLOAD: Final = 8 << 30
"""Bytes of one blob. The reference has no limit; a disk has."""

PART_SECONDS: Final = 30.0
"""Between two parts of an upload."""

BATCH: Final = CHUNK_SIZE
"""Bytes that are collected before they go to a thread that writes them."""

_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"), (b"PK\x03\x04", "application/zip"), (b"\x1f\x8b", "application/gzip"),
    (b"\0asm", "application/wasm"), (b"RIFF", "application/octet-stream"), (b"ID3", "audio/mpeg"),
)  # fmt: skip
_UNKNOWN: Final = "application/octet-stream"
_log: Final = logging.getLogger(__name__)


async def put_blob(api: Api, request: Request, body: Any) -> Response:
    expected = _expected(request)
    context_id = _context(request, "The provided context_id is not a valid format")
    writer = await _writer(api, request)
    try:
        await _receive(request, writer)
        stored = await asyncio.to_thread(writer.finish, expected)
        await api.backend.sync(sync.KeepBlob(stored.rows))
    except BaseException:
        writer.abort()
        raise
    if context_id is not None:
        await _announce(api, context_id, stored.blob.id)
    return data({"blob_id": str(stored.blob.id), "size": stored.blob.size})


async def _writer(api: Api, request: Request) -> BlobWriter:
    """A writer that refuses more than a blob may have, or than the quota leaves."""
    length = request.headers.get("content-length", "")
    room = (await api.backend.sync(sync.BlobRoom(int(length) if length.isdecimal() else 0))).size
    quota = "" if room is None or room >= MAX_UPLOAD else ", which is what store.blob_quota leaves"
    limit = MAX_UPLOAD if room is None else min(MAX_UPLOAD, room)
    return BlobWriter(api.blob_dir, limit, lambda text: Refusal(text + quota, 413, Family.JSON))


async def _announce(api: Api, context_id: ContextId, blob_id: BlobId) -> None:
    """The blob is stored, so a failure here is only logged, as in the reference."""
    try:
        await api.backend.sync(sync.AnnounceBlob(context_id, blob_id))
    except CalimeroError as error:
        _log.warning("blob %s is not announced in context %s: %s", blob_id, context_id, error)


async def _receive(request: Request, writer: BlobWriter) -> None:
    """A part must follow the one before it within a time; the whole may take as long as it wants."""
    waiting = bytearray()
    stream = request.stream()
    while True:
        try:
            part = await asyncio.wait_for(anext(stream, None), PART_SECONDS)
        except TimeoutError as error:
            text = f"no bytes of the blob arrived for {PART_SECONDS:g} s"
            raise Refusal(text, 408, Family.JSON) from error
        if part is None:
            break
        waiting += part
        if len(waiting) >= BATCH:
            await asyncio.to_thread(writer.write, bytes(waiting))
            waiting.clear()
    if waiting:
        await asyncio.to_thread(writer.write, bytes(waiting))


def _expected(request: Request) -> Hash | None:
    text = request.query_params.get("hash")
    try:
        return None if text is None else Hash.parse(text)
    except InvalidId as error:
        raise BadRequest("The provided hash is not a valid format") from error


def _context(request: Request, text: str) -> ContextId | None:
    given = request.query_params.get("context_id")
    try:
        return None if given is None else ContextId.parse(given)
    except InvalidId as error:
        raise BadRequest(text) from error


async def blobs(api: Api, request: Request, body: Any) -> Response:
    found = (await api.backend.node_rows(runtime.ListBlobs())).blobs
    return data({"blobs": [{"blob_id": str(blob.id), "size": blob.size} for blob in found]})


async def get_blob(api: Api, request: Request, body: Any) -> Response:
    """Also answers HEAD, which looks at this node alone; the HTTP layer leaves the body out."""
    context_id = _context(request, "Invalid context ID format")
    if context_id is None or request.method == "HEAD":
        blob = await _find(api, request, "Blob not found locally or in network")
    else:
        blob = await _fetch(api, request, context_id)
    if blob.size <= MAX_ENTRY:
        return _whole(blob, await _content(api, blob))
    reader = BlobReader(api.blob_dir, blob)
    first = await asyncio.to_thread(reader.read, CHUNK_SIZE)
    headers = _headers(blob, _sniffed(first))
    if request.method == "HEAD":
        reader.close()
        return Response(headers=headers, media_type=headers["X-Blob-MIME-Type"])
    return StreamingResponse(_parts(reader, first), headers=headers, media_type=headers["X-Blob-MIME-Type"])


def _whole(blob: BlobRecord, content: bytes) -> Response:
    headers = _headers(blob, _sniffed(content))
    return Response(content, headers=headers, media_type=headers["X-Blob-MIME-Type"])


async def _content(api: Api, blob: BlobRecord) -> bytes:
    """The bytes of a small blob, from memory when they were read lately."""
    content = api.blobs.get(blob.id, time.monotonic())
    if content is None:
        content = await asyncio.to_thread(read_all, api.blob_dir, blob)
        api.blobs.put(blob.id, content, time.monotonic())
    return content


async def _parts(reader: BlobReader, first: bytes) -> AsyncIterator[bytes]:
    part = first
    try:
        while part:
            yield part
            part = await asyncio.to_thread(reader.read, CHUNK_SIZE)
    finally:
        reader.close()


async def _fetch(api: Api, request: Request, context_id: ContextId) -> BlobRecord:
    """The blob, from the context's members when it is not here."""
    try:
        return await _find(api, request, "")
    except Missing:
        _log.debug("a blob is asked of the members of context %s", context_id)
    try:
        return (await api.backend.transfer(sync.FetchBlob(context_id, _blob_id(request)))).blob
    except (NotFound, ContextError) as error:
        raise Missing("Blob not found locally or in network") from error


async def _find(api: Api, request: Request, missing: str) -> BlobRecord:
    blob_id = _blob_id(request)
    blob = (await api.backend.node_rows(runtime.GetBlob(blob_id))).blob
    if blob is None or not await asyncio.to_thread(is_complete, api.blob_dir, blob):
        raise Missing(missing)
    return blob


def _blob_id(request: Request) -> BlobId:
    try:
        return BlobId.parse(request.path_params["blob"])
    except InvalidId as error:
        raise BadRequest("Invalid blob ID format") from error


def _headers(blob: BlobRecord, kind: str) -> dict[str, str]:
    digest = blob.hash.hex()
    return {
        "Content-Length": str(blob.size),
        "ETag": f'"{digest}"',
        "Cache-Control": "public, max-age=3600",
        "X-Blob-ID": str(blob.id),
        "X-Blob-Hash": digest,
        "X-Blob-MIME-Type": kind,
        "Access-Control-Expose-Headers": "X-Blob-ID, X-Blob-Hash, X-Blob-MIME-Type, ETag",
    }


def _sniffed(first: bytes) -> str:
    return next((kind for magic, kind in _MAGIC if first.startswith(magic)), _UNKNOWN)


async def delete_blob(api: Api, request: Request, body: Any) -> Response:
    """A missing blob is an internal error in the reference; clients look for the text."""
    blob_id = _blob_id(request)
    try:
        await api.backend.sync(sync.DeleteBlob(blob_id))
    except NotFound as error:
        raise ContextError("Failed to delete blob: Blob not found") from error
    except ContextError as error:
        raise Refusal(f"Failed to delete blob: {error}", 409, Family.JSON) from error
    api.blobs.drop(blob_id)
    return reply({"blob_id": str(blob_id), "deleted": True})


# -- what may go


async def blob_usage(api: Api, request: Request, body: Any) -> Response:
    found = await api.backend.sync(sync.BlobUsage())
    return data(
        {"size": found.size, "quota": found.quota, "pinned": _texts(found.pinned), "spare": _texts(found.spare)}
    )


async def collect_blobs(api: Api, request: Request, body: Any) -> Response:
    freed = await api.backend.sync(sync.CollectBlobs())
    return data({"blobs": _texts(freed.blobs), "size": freed.size, "files": freed.files})


async def pin_blob(api: Api, request: Request, body: Any) -> Response:
    return await _pin(api, request, pinned=True)


async def unpin_blob(api: Api, request: Request, body: Any) -> Response:
    return await _pin(api, request, pinned=False)


async def _pin(api: Api, request: Request, *, pinned: bool) -> Response:
    blob_id = _blob_id(request)
    await api.backend.sync(sync.PinBlob(blob_id, pinned))
    return data({"blob_id": str(blob_id), "pinned": pinned})


def _texts(blobs: list[BlobId]) -> list[str]:
    return [str(blob_id) for blob_id in blobs]
