"""One node as its client sees it: contexts, applications, calls, events. Ids are base58 text on this side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from calimero_tui.client.aliases import Aliases
from calimero_tui.client.http import Http
from calimero_tui.client.membership import Membership
from calimero_tui.client.paths import ADMIN, OWN
from calimero_tui.client.proposals import Proposals
from node.errors import Refused
from node.primitives import ZERO_ROOT, to_base58

NOT_FOUND: Final = 404
PART: Final = 1 << 20
"""Bytes of an upload that are read at a time."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A context and the identity that this node has in it."""

    context_id: str
    member: str


@dataclass(frozen=True, slots=True)
class Context:
    """A context as a node lists it. ``heads`` are hex."""

    id: str
    application_id: str
    root_hash: str
    heads: tuple[str, ...]

    @property
    def initialised(self) -> bool:
        return self.root_hash != str(ZERO_ROOT)


class Node:
    """The operations of a node, over its public API."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self.inspection = Inspection(http)
        self.blobs = Blobs(http)
        self.membership = Membership(http)
        self.aliases = Aliases(http)
        self.proposals = Proposals(http)

    @property
    def url(self) -> str:
        return self.http.url

    async def close(self) -> None:
        await self.http.close()

    # -- node

    async def health(self) -> str:
        return str((await self.http.get(f"{ADMIN}/health"))["data"]["status"])

    async def peer_count(self) -> int:
        return int((await self.http.get(f"{ADMIN}/peers"))["count"])

    # -- applications

    async def install_path(self, path: str, *, metadata: bytes = b"") -> str:
        """Install a file on the node's own machine; the application id."""
        body = {"path": path, "metadata": list(metadata)}
        return str((await self.http.post(f"{ADMIN}/install-dev-application", body))["data"]["applicationId"])

    async def install_url(self, url: str, *, sha256: str | None = None, metadata: bytes = b"") -> str:
        body = {"url": url, "hash": sha256, "metadata": list(metadata)}
        return str((await self.http.post(f"{ADMIN}/install-application", body))["data"]["applicationId"])

    async def applications(self) -> list[dict[str, Any]]:
        return list((await self.http.get(f"{ADMIN}/applications"))["data"]["apps"])

    async def application(self, application_id: str) -> dict[str, Any] | None:
        """An installed application, None when it is not here."""
        found = (await self.http.get(f"{ADMIN}/applications/{application_id}"))["data"]["application"]
        return None if found is None else dict(found)

    async def packages(self) -> list[str]:
        return list((await self.http.get(f"{ADMIN}/packages"))["packages"])

    async def versions(self, package: str) -> list[str]:
        return list((await self.http.get(f"{ADMIN}/packages/{quote(package, safe='')}/versions"))["versions"])

    async def uninstall(self, application_id: str) -> None:
        await self.http.delete(f"{ADMIN}/applications/{application_id}")

    # -- contexts

    async def create_context(
        self, application_id: str, *, init: object = None, protocol: str = "near", seed: str | None = None
    ) -> Joined:
        """``init`` are the arguments of the application's ``init`` (an object), or None for an empty one."""
        args = json.dumps({} if init is None else init, separators=(",", ":")).encode()
        body = {
            "protocol": protocol,
            "applicationId": application_id,
            "contextSeed": seed,
            "initializationParams": list(args),
        }
        return _joined((await self.http.post(f"{ADMIN}/contexts", body))["data"])

    async def contexts(self) -> list[Context]:
        return [_context(row) for row in (await self.http.get(f"{ADMIN}/contexts"))["data"]["contexts"]]

    async def context(self, context_id: str) -> Context:
        return _context((await self.http.get(f"{ADMIN}/contexts/{context_id}"))["data"])

    async def delete_context(self, context_id: str) -> bool:
        return bool((await self.http.delete(f"{ADMIN}/contexts/{context_id}"))["data"]["isDeleted"])

    async def sync(self, context_id: str | None = None) -> None:
        """Ask for a sync; the answer does not wait for it."""
        await self.http.post(f"{ADMIN}/contexts/sync" + (f"/{context_id}" if context_id else ""))

    # -- members

    async def new_identity(self) -> str:
        return str((await self.http.post(f"{ADMIN}/identity/context"))["data"]["publicKey"])

    async def members(self, context_id: str) -> list[str]:
        return list((await self.http.get(f"{ADMIN}/contexts/{context_id}/identities"))["data"]["identities"])

    async def owned(self, context_id: str) -> list[str]:
        return list((await self.http.get(f"{ADMIN}/contexts/{context_id}/identities-owned"))["data"]["identities"])

    async def invite(self, context_id: str, inviter: str, invitee: str) -> str:
        """The invitation text. Raises :class:`Refused` when the node does not know the context's registry entry."""
        body = {"contextId": context_id, "inviterId": inviter, "inviteeId": invitee}
        payload = (await self.http.post(f"{ADMIN}/contexts/invite", body))["data"]
        if payload is None:
            raise Refused(f"{self.url} does not know context {context_id}, so it cannot invite to it")
        return str(payload)

    async def join(self, invitation: str) -> Joined:
        return _joined((await self.http.post(f"{ADMIN}/contexts/join", {"invitationPayload": invitation}))["data"])

    async def update_application(
        self, context_id: str, application_id: str, executor: str, migrate: str | None = None
    ) -> None:
        body = {"applicationId": application_id, "executorPublicKey": executor, "migrateMethod": migrate}
        await self.http.post(f"{ADMIN}/contexts/{context_id}/application", body)

    # -- calls

    async def call(
        self, context_id: str, method: str, args: object, executor: str, substitute: Sequence[str] = ()
    ) -> Any:
        """Run a method; its decoded output. Raises :class:`Refused` with the node's error type as ``kind``."""
        params = {
            "contextId": context_id,
            "method": method,
            "argsJson": args,
            "executorPublicKey": executor,
            "substitute": list(substitute),
        }
        body = {"jsonrpc": "2.0", "id": "1", "method": "execute", "params": params}
        answer = await self.http.post("/jsonrpc", body)
        if "error" in answer:
            raise call_error(answer["error"])
        return answer["result"]["output"]


class Inspection:
    """What our own nodes tell beyond the reference's API; a node without it is told apart by its 404."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def methods(self, context_id: str) -> list[dict[str, Any]]:
        """Methods of the context's application: name, signature, parameters, returns."""
        return list((await self._get(f"/contexts/{context_id}/methods"))["methods"])

    async def explain(self, context_id: str) -> dict[str, Any]:
        """Why a context is or is not converged."""
        return dict(await self._get(f"/contexts/{context_id}/why"))

    async def deltas(self, context_id: str, *, limit: int = 50, after: str | None = None) -> dict[str, Any]:
        """A window of the DAG, newest first: ``deltas`` and the cursor ``next``."""
        cursor = {} if after is None else {"after": after}
        return dict(await self._get(f"/contexts/{context_id}/deltas", limit=limit, **cursor))

    async def state(self, context_id: str, *, limit: int = 50, after: str | None = None) -> dict[str, Any]:
        """A window of the raw state: ``rows`` with hex keys, and the cursor ``next``."""
        cursor = {} if after is None else {"after": after}
        return dict(await self._get(f"/contexts/{context_id}/state", limit=limit, **cursor))

    async def workers(self) -> list[dict[str, Any]]:
        """Worker processes; memory in bytes, also as ``memory_mb``."""
        rows = (await self._get("/workers"))["workers"]
        return [{**row, "memory_mb": round(row["memory"] / 1e6, 1), "cpu": round(row["cpu"], 2)} for row in rows]

    async def sync_sessions(self, limit: int = 50) -> list[dict[str, Any]]:
        """Running and recent sync sessions, newest first."""
        return list((await self._get("/sessions", limit=limit))["sessions"])

    async def peers(self) -> list[dict[str, Any]]:
        """Connected and wanted peers."""
        rows = (await self._get("/peers"))["peers"]
        return [{**row, "latency_ms": row["latencyMs"], "topics": len(row["topics"])} for row in rows]

    async def add_peer(self, address: str) -> dict[str, Any]:
        return dict((await self._http.post(f"{OWN}/peers", {"address": address}))["data"])

    async def ping_peer(self, peer: str) -> dict[str, Any]:
        return dict((await self._http.post(f"{OWN}/peers/{peer}/ping"))["data"])

    async def history(self, after: int = 0, limit: int = 100) -> dict[str, Any]:
        """Recent events and notices behind a cursor."""
        return dict(await self._get("/history", after=after, limit=limit))

    async def _get(self, path: str, **query: str | int) -> Any:
        try:
            return (await self._http.get(OWN + path, **query))["data"]
        except Refused as error:
            if error.status == NOT_FOUND and not str(error).startswith("{"):
                raise Refused(f"{self._http.url} does not offer this ({error})", status=NOT_FOUND) from error
            raise


class Blobs:
    """The blobs of a node."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def ls(self) -> list[dict[str, Any]]:
        return list((await self._http.get(f"{ADMIN}/blobs"))["data"]["blobs"])

    async def put(self, file: Path, context_id: str | None = None) -> dict[str, Any]:
        """Store a file; streamed, so that its size does not matter. Members of the context are told where it is."""
        size = (await asyncio.to_thread(file.stat)).st_size
        query = {} if context_id is None else {"context_id": context_id}
        return dict((await self._http.upload(f"{ADMIN}/blobs", _parts(file), size, **query))["data"])

    async def get(self, blob_id: str, file: Path, context_id: str | None = None) -> int:
        """Write a blob into a new file; its size in bytes. A broken transfer leaves no file.

        The members of the context are asked for what is not on the node.
        """
        partial = file.with_name(file.name + ".partial")
        try:
            size = await self._download(blob_id, partial, context_id)
        except BaseException:
            await asyncio.to_thread(partial.unlink, missing_ok=True)
            raise
        await asyncio.to_thread(partial.rename, file)
        return size

    async def delete(self, blob_id: str) -> dict[str, Any]:
        return dict(await self._http.delete(f"{ADMIN}/blobs/{blob_id}"))

    async def usage(self) -> dict[str, Any]:
        """Bytes on disk, the quota, pinned blobs, and those that :meth:`collect` would delete."""
        return dict((await self._http.get(f"{OWN}/blobs/usage"))["data"])

    async def collect(self) -> dict[str, Any]:
        return dict((await self._http.post(f"{OWN}/blobs/collect", {}))["data"])

    async def pin(self, blob_id: str, *, pinned: bool = True) -> dict[str, Any]:
        path = f"{OWN}/blobs/{blob_id}/pin"
        answer = await (self._http.post(path, {}) if pinned else self._http.delete(path))
        return dict(answer["data"])

    async def _download(self, blob_id: str, partial: Path, context_id: str | None) -> int:
        query = {} if context_id is None else {"context_id": context_id}
        size = 0
        sink = await asyncio.to_thread(partial.open, "xb")
        with sink:
            async for part in self._http.download(f"{ADMIN}/blobs/{blob_id}", **query):
                await asyncio.to_thread(sink.write, part)
                size += len(part)
        return size


async def _parts(file: Path) -> AsyncIterator[bytes]:
    source = await asyncio.to_thread(file.open, "rb")
    with source:
        while part := await asyncio.to_thread(source.read, PART):
            yield part


def call_error(error: dict[str, Any]) -> Refused:
    """A JSON-RPC error as an exception; an application's own error bytes are shown as the text that they are."""
    kind, data = str(error.get("type", "error")), error.get("data")
    text = data if isinstance(data, str) else json.dumps(data) if data else _MEANING.get(kind, kind)
    return Refused(app_error(text), kind=kind)


def app_error(text: str) -> str:
    """``the method call returned an error: [34, 110, …]`` with the numbers decoded."""
    prefix = "the method call returned an error: ["
    if not (text.startswith(prefix) and text.endswith("]")):
        return text
    try:
        decoded = bytes(int(number) for number in text[len(prefix) : -1].split(",")).decode()
    except ValueError:
        return text
    return f"the method returned an error: {decoded}"


_MEANING = {
    "ContextNotFound": "the node does not know this context; `calimero context ls` shows those that it has",
    "Uninitialized": "the context has no state on this node yet; it is still being fetched from a member",
    "InternalError": "the node could not carry the call out; its log says why",
}


def _joined(data: dict[str, Any]) -> Joined:
    return Joined(str(data["contextId"]), str(data["memberPublicKey"]))


def _context(row: dict[str, Any]) -> Context:
    heads = tuple(to_base58(bytes(head)) for head in row.get("dagHeads") or ())
    return Context(str(row["id"]), str(row["applicationId"]), str(row["rootHash"]), heads)
