"""Looking into a context: why it is not converged, its DAG, its state, its methods. All of it is ours."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from node.abi.interface import Interface, try_interface
from node.abi.manifest import Method
from node.abi.module import parse_module
from node.api.errors import BadRequest
from node.context.bundle import is_bundle, read_bundle
from node.errors import ApplicationNotInstalled
from node.primitives import ApplicationId, ContextId, DeltaId
from workers.blobs import BlobReader, is_complete
from workers.messages import runtime, sync
from workers.messages.records import BlobRecord, DeltaRecord
from workers.server.api import Api
from workers.server.handlers.past import shown
from workers.server.replies import data, path_id, query_id, query_int

_ROW_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")


async def why(api: Api, request: Request, body: Any) -> Response:
    context_id = path_id(ContextId, request, "context")
    return data(json.loads((await api.backend.sync(sync.ExplainContext(context_id))).why))


async def deltas(api: Api, request: Request, body: Any) -> Response:
    context_id = path_id(ContextId, request, "context")
    after = query_id(DeltaId, request, "after")
    page = await api.backend.owner(
        context_id, runtime.ListDeltas(context_id, after, query_int(request, "limit", 50, low=1))
    )
    rows = [_delta_json(delta) for delta in page.deltas]
    return data({"deltas": rows, "next": None if page.next is None else str(page.next)})


def _delta_json(delta: DeltaRecord) -> dict[str, Any]:
    return {
        "id": str(delta.id),
        "parents": [str(parent) for parent in delta.parents],
        "author": None if delta.author is None else str(delta.author),
        "root": str(delta.root),
        "hlc": delta.hlc.hex(),
    }


async def pending(api: Api, request: Request, body: Any) -> Response:
    context_id = path_id(ContextId, request, "context")
    found = await api.backend.owner(context_id, runtime.ListPending(context_id))
    rows = [
        {
            "id": str(row.id),
            "missing": [str(parent) for parent in row.missing],
            "since": row.since_ns / 1e9,
            "waitsFor": row.waits_for,
            "error": row.error,
        }
        for row in found.pending
    ]
    return data({"pending": rows})


async def state(api: Api, request: Request, body: Any) -> Response:
    context_id = path_id(ContextId, request, "context")
    after = _row_key(request.query_params.get("after"))
    page = await api.backend.owner(
        context_id, runtime.InspectState(context_id, after, query_int(request, "limit", 50, low=1))
    )
    rows = [{"key": row.key.hex(), "size": len(row.value), "value": shown(row.value)} for row in page.rows]
    return data({"rows": rows, "next": None if page.next is None else page.next.hex()})


def _row_key(text: str | None) -> bytes | None:
    if text is None:
        return None
    if not _ROW_KEY.fullmatch(text):
        raise BadRequest("after must be the key of a row, 64 hexadecimal digits")
    return bytes.fromhex(text)


# -- methods


async def methods(api: Api, request: Request, body: Any) -> Response:
    """Methods with their arguments where a manifest tells them, else the exported names."""
    context_id = path_id(ContextId, request, "context")
    application_id = (await api.backend.context(context_id)).application_id
    interface = api.interface(application_id)
    if interface is None:
        interface = await _interface(api, application_id)
        api.remember(application_id, interface)
    return data({"typed": interface.typed, "methods": [_method_json(method) for method in interface.methods]})


async def _interface(api: Api, application_id: ApplicationId) -> Interface:
    record = (await api.backend.node_rows(runtime.GetApplication(application_id))).application
    blob = None if record is None else (await api.backend.node_rows(runtime.GetBlob(record.blob_id))).blob
    if record is None or blob is None or not is_complete(api.blob_dir, blob):
        raise ApplicationNotInstalled(f"application {application_id} is not on this node yet")
    return await asyncio.to_thread(_read, api.blob_dir, blob, record.source)


def _read(folder: Path, blob: BlobRecord, source: str) -> Interface:
    with closing(BlobReader(folder, blob)) as reader:
        content, sidecar = reader.read(blob.size), None
    if is_bundle(content):
        bundle = read_bundle(content)
        content, sidecar = bundle.module, bundle.abi
    elif source.startswith("file://"):
        sidecar = _beside(Path(source.removeprefix("file://")))
    return try_interface(parse_module(content), sidecar)[0]


def _beside(module: Path) -> bytes | None:
    """The manifest that an application's build left beside its module, if it is there."""
    file = module.with_suffix(".abi.json")
    try:
        return file.read_bytes()
    except OSError:
        return None


def _method_json(method: Method) -> dict[str, Any]:
    return {
        "name": method.name,
        "signature": str(method),
        "parameters": [{"name": p.name, "type": str(p.type), "optional": p.nullable} for p in method.params],
        "returns": None if method.returns is None else str(method.returns),
    }
