"""The node itself: health, peers, workers, figures, sessions, history."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from node.api import models
from node.api.errors import BadRequest, Missing
from node.api.openapi import openapi
from node.api.route import OWN
from node.errors import ConfigError, ContextError
from workers.messages import network, runtime, sync
from workers.messages.network import PeerRecord
from workers.server.api import Api
from workers.server.replies import data, query_int, reply
from workers.server.scrape import figures, worker_name

VERSION: Final = "0.10.0"
READY: Final = "ready"
LOST: Final = "lost"
_CERTIFICATE: Final = b"ssl_certs:server"
"""Scope of the node's certificate in the Generic column."""

_PAGE: Final = (
    "<!doctype html><title>Calimero node</title><h1>Calimero node</h1><p>This node's dashboard is in the terminal: "
    '<code>calimero tui</code>. Its API is described at <a href="/api-docs">/api-docs</a>.</p>'
)


async def health(api: Api, request: Request, body: Any) -> Response:
    return data({"status": "alive"})


async def own_health(api: Api, request: Request, body: Any) -> Response:
    return reply({"status": "alive"})


async def ready(api: Api, request: Request, body: Any) -> Response:
    """503 names the workers that do not serve: as the supervisor sees them, and by the channel from here to them."""
    states = {worker_name(worker): worker.state for worker in await api.backend.workers()}
    states |= {name: LOST for name, alive in api.backend.alive().items() if not alive and states.get(name) == READY}
    serving = not api.stopping.is_set() and all(state == READY for state in states.values())
    return reply({"ready": serving, "workers": states}, 200 if serving else 503)


async def api_docs(api: Api, request: Request, body: Any) -> Response:
    return reply(openapi(VERSION))


async def dashboard(api: Api, request: Request, body: Any) -> Response:
    """The reference serves a program for browsers here; our dashboard is in the terminal."""
    return HTMLResponse(_PAGE)


async def certificate(api: Api, request: Request, body: Any) -> Response:
    """The PEM of a stored certificate; no route stores one. core 0.10.0: crates/server/src/certificates.rs."""
    raw = (await api.backend.node_rows(runtime.GetRow(_CERTIFICATE, bytes(32)))).value
    if raw is None:
        raise Missing("Certificate not found")
    try:
        pem = bytes(json.loads(raw)["cert"])
    except (ValueError, KeyError, TypeError) as error:
        raise ContextError("Failed to read certificate content") from error
    return PlainTextResponse(pem, headers={"content-disposition": 'attachment; filename="cert.pem"'})


async def metrics(api: Api, request: Request, body: Any) -> Response:
    return PlainTextResponse(await figures(api))


# -- peers


async def peer_count(api: Api, request: Request, body: Any) -> Response:
    listed = await api.backend.network(network.ListPeers())
    return reply({"count": sum(1 for peer in listed.peers if peer.connected)})


async def peers(api: Api, request: Request, body: Any) -> Response:
    listed = await api.backend.network(network.ListPeers())
    rows = [_peer_json(peer) for peer in listed.peers]
    return data({"peer": listed.peer, "listen": listed.listen, "peers": rows})


def _peer_json(peer: PeerRecord) -> dict[str, Any]:
    return {
        "peer": peer.peer,
        "addresses": peer.addresses,
        "connected": peer.connected,
        "inbound": peer.inbound,
        "agent": peer.agent,
        "protocols": peer.protocols,
        "topics": peer.topics,
        "streams": peer.streams,
        "received": peer.received,
        "sent": peer.sent,
        "latencyMs": round(peer.latency * 1000, 3),
        "score": peer.score,
        "refusals": peer.refusals,
    }


async def add_peer(api: Api, request: Request, body: models.AddPeer) -> Response:
    try:
        dialled = await api.backend.network(network.Dial(body.address))
    except ConfigError as error:
        raise BadRequest(str(error)) from error
    return data({"peer": dialled.peer})


async def ping_peer(api: Api, request: Request, body: Any) -> Response:
    peer = request.path_params["peer"]
    listed = await api.backend.network(network.ListPeers())
    if all(found.peer != peer for found in listed.peers):
        raise Missing(f"there is no connected or wanted peer {peer!r}; GET {OWN}/peers lists those that there are")
    answered = await api.backend.network(network.PingPeer(peer))
    return data({"milliseconds": round(answered.seconds * 1000, 3)})


# -- workers and sessions


async def workers(api: Api, request: Request, body: Any) -> Response:
    rows = [
        {
            "name": worker_name(worker),
            "pid": worker.pid,
            "state": worker.state,
            "restarts": worker.restarts,
            "since": worker.since,
            "memory": worker.memory,
            "cpu": worker.cpu,
            "queued": api.backend.queued(worker_name(worker)),
            "details": json.loads(worker.details),
        }
        for worker in await api.backend.workers()
    ]
    return data({"workers": rows})


async def sessions(api: Api, request: Request, body: Any) -> Response:
    report = await api.backend.sync(sync.ListSessions(query_int(request, "limit", 50, low=1)))
    return data({"sessions": json.loads(report.sessions)})


async def logs(api: Api, request: Request, body: Any) -> Response:
    after = query_int(request, "after", 0, high=1 << 62)
    page = await api.backend.logs(after, query_int(request, "limit", 100, low=1))
    lines = [msgspec.Raw(line.encode(errors="replace")) for line in page.lines]
    return data({"lines": lines, "cursor": page.cursor, "lost": page.lost})


async def history(api: Api, request: Request, body: Any) -> Response:
    after = query_int(request, "after", 0, high=1 << 62)
    page = api.hub.history.page(after, query_int(request, "limit", 100, low=1))
    events = [msgspec.Raw(event.encode()) for event in page.events]
    return data({"events": events, "cursor": page.cursor, "lost": page.lost})
