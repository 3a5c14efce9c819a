"""The node itself: health, peers, workers, figures, and what the reference answers without trusted hardware."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response

from node.api import models
from node.api.errors import BadRequest, Missing
from node.api.routes import openapi
from node.errors import ContextError
from workers.messages import network, sync
from workers.messages.network import PeerRecord
from workers.server.replies import data, query_int, reply

if TYPE_CHECKING:
    from workers.server.api import Api

VERSION: Final = "0.10.0"


async def health(api: Api, request: Request, body: Any) -> Response:
    return data({"status": "alive"})


async def own_health(api: Api, request: Request, body: Any) -> Response:
    return reply({"status": "alive"})


async def ready(api: Api, request: Request, body: Any) -> Response:
    """503 names the workers that do not serve."""
    workers = await api.backend.workers()
    states = {_name(worker): worker.state for worker in workers}
    serving = all(state == "ready" for state in states.values())
    return reply({"ready": serving, "workers": states}, 200 if serving else 503)


async def api_docs(api: Api, request: Request, body: Any) -> Response:
    return reply(openapi(VERSION))


async def certificate(api: Api, request: Request, body: Any) -> Response:
    raise Missing("Certificate not found")


async def tee_info(api: Api, request: Request, body: Any) -> Response:
    raise ContextError("Failed to get TEE info: Failed to get TEE info: Not supported: no TDX hardware")


async def tee_attest(api: Api, request: Request, body: Any) -> Response:
    raise ContextError("Failed to generate TDX quote: CannotFindTsmDir")


async def tee_verify(api: Api, request: Request, body: Any) -> Response:
    raise BadRequest("Failed to parse TDX quote: Parse")


async def metrics(api: Api, request: Request, body: Any) -> Response:
    return Response(api.metrics.text(api.hub), media_type="text/plain; charset=utf-8")


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
    dialled = await api.backend.network(network.Dial(body.address))
    return data({"peer": dialled.peer})


async def ping_peer(api: Api, request: Request, body: Any) -> Response:
    answered = await api.backend.network(network.PingPeer(request.path_params["peer"]))
    return data({"milliseconds": round(answered.seconds * 1000, 3)})


# -- workers and sessions


async def workers(api: Api, request: Request, body: Any) -> Response:
    rows = [
        {
            "name": _name(worker),
            "pid": worker.pid,
            "state": worker.state,
            "restarts": worker.restarts,
            "since": worker.since,
            "memory": worker.memory,
            "cpu": worker.cpu,
        }
        for worker in await api.backend.workers()
    ]
    return data({"workers": rows})


def _name(worker: Any) -> str:
    return f"{worker.role}[{worker.index}]" if worker.role == "runtime" else str(worker.role)


async def sessions(api: Api, request: Request, body: Any) -> Response:
    report = await api.backend.sync(sync.ListSessions(query_int(request, "limit", 50, low=1)))
    return data({"sessions": json.loads(report.sessions)})


async def history(api: Api, request: Request, body: Any) -> Response:
    after = query_int(request, "after", 0, high=1 << 62)
    rows, cursor = api.hub.history(after, query_int(request, "limit", 100, low=1))
    return data({"events": [json.loads(row) for row in rows], "cursor": cursor})
