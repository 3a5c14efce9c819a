"""Actions on the node itself: its peers, workers and sync sessions."""

from __future__ import annotations

from typing import Any

from calimero_tui.actions.base import Arguments, Parameter, Registry, Session, Source
from calimero_tui.actions.parameters import LIMIT

REGISTRY = Registry()
action = REGISTRY.action


@action(
    "peer ls",
    "List the connected and wanted peers, and those that are shut out",
    columns=(
        ("peer", "peer"), ("connected", "connected"), ("agent", "agent"), ("addresses", "addresses"),
        ("latency ms", "latency_ms"), ("topics", "topics"), ("streams", "streams"), ("received", "received"),
        ("sent", "sent"), ("score", "score"),
    ),
    example="calimero peer ls",
)  # fmt: skip
async def list_peers(session: Session, _: Arguments) -> Any:
    return await session.node.inspection.peers()


@action(
    "peer add",
    "Connect to a peer and stay connected",
    Parameter("address", "multiaddr that ends in /p2p/<peer id>"),
    example="calimero peer add /ip4/127.0.0.1/tcp/2428/p2p/12D3KooW…",
    changes=True,
)
async def add_peer(session: Session, given: Arguments) -> Any:
    return await session.node.inspection.add_peer(given["address"])


@action(
    "peer ping",
    "Measure the round trip to a peer",
    Parameter("peer", "peer id", source=Source.PEERS),
    example="calimero peer ping 12D3KooW…",
)
async def ping(session: Session, given: Arguments) -> Any:
    return await session.node.inspection.ping_peer(given["peer"])


@action(
    "workers",
    "List the worker processes of the node",
    columns=(
        ("worker", "name"), ("pid", "pid"), ("state", "state"), ("restarts", "restarts"),
        ("memory MB", "memory_mb"), ("cpu s", "cpu"),
    ),
    example="calimero workers",
)  # fmt: skip
async def workers(session: Session, _: Arguments) -> Any:
    return await session.node.inspection.workers()


@action(
    "sessions",
    "List running and recent sync sessions",
    LIMIT,
    columns=(
        ("context", "context"), ("peer", "peer"), ("strategy", "strategy"), ("outcome", "outcome"), ("ms", "millis"),
    ),
    example="calimero sessions --limit 20",
)  # fmt: skip
async def sessions(session: Session, given: Arguments) -> Any:
    return await session.node.inspection.sync_sessions(int(given["limit"]))
