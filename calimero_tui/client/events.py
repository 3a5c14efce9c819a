"""The event stream of a node over its WebSocket, joined again after a break."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import websockets
from websockets.asyncio.client import ClientConnection, connect

PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
"""Seconds between two tries to reach a node that went away; doubled from the first to the longest."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One state change of a context. ``events`` are the application's: kind, decoded data, handler."""

    context_id: str
    root_hash: str
    events: tuple[AppEvent, ...]


@dataclass(frozen=True, slots=True)
class AppEvent:
    kind: str
    data: Any
    handler: str | None


async def watch(
    url: str, context_ids: Sequence[str], *, ready: asyncio.Event | None = None
) -> AsyncGenerator[Event, None]:
    """Events of the contexts, for ever; ``ready`` is set whenever the subscription stands."""
    address = url.replace("http", "ws", 1).rstrip("/") + "/ws"
    pause = PAUSE
    while True:
        try:
            async with connect(address, max_size=None, proxy=None) as socket:
                await _subscribe(socket, context_ids)
                if ready is not None:
                    ready.set()
                pause = PAUSE
                async for event in _events(socket):
                    yield event
        except (OSError, websockets.WebSocketException) as error:
            log.debug("event stream of %s: %s", url, error)
        if ready is not None:
            ready.clear()
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def _subscribe(socket: ClientConnection, context_ids: Sequence[str]) -> None:
    request = {"id": 1, "method": "subscribe", "params": {"contextIds": list(context_ids)}}
    await socket.send(json.dumps(request))
    while json.loads(await socket.recv()).get("id") != 1:
        pass


async def _events(socket: ClientConnection) -> AsyncIterator[Event]:
    async for raw in socket:
        event = read_event(json.loads(raw))
        if event is not None:
            yield event


def read_event(message: Any) -> Event | None:
    """A WebSocket message as an event, None for anything else."""
    result = message.get("result") if isinstance(message, dict) else None
    if not isinstance(result, dict) or result.get("type") != "StateMutation":
        return None
    data = result["data"]
    events = tuple(AppEvent(row["kind"], _decoded(bytes(row["data"])), row.get("handler")) for row in data["events"])
    return Event(result["contextId"], data["newRoot"], events)


def _decoded(raw: bytes) -> Any:
    """Application payloads are JSON as a rule; anything else is shown as text."""
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
