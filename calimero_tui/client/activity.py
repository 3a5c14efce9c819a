"""Everything that happens on a node, where the node offers such a stream: events of all contexts, and notices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import websockets
from websockets.asyncio.client import connect

from calimero_tui.client.paths import OWN
from node.errors import Refused, Unreachable

HANDSHAKE: Final = 5.0
"""Seconds for the connection; the same as for requests."""


async def activity(url: str) -> AsyncIterator[dict[str, Any]]:
    """Messages until the connection ends. They are read fast and uncompressed: there may be a thousand a second.

    Raises :class:`Refused` with the HTTP status where the node has no such stream, :class:`Unreachable` after a break.
    """
    address = url.replace("http", "ws", 1).rstrip("/") + f"{OWN}/events"
    try:
        async with connect(address, max_size=None, proxy=None, open_timeout=HANDSHAKE, compression=None) as socket:
            while True:
                found = msgspec.json.decode(await socket.recv(decode=False))
                if isinstance(found, dict):
                    yield found
    except websockets.InvalidStatus as error:
        status = error.response.status_code
        raise Refused(f"{url} has no stream of all events ({status})", kind="http", status=status) from error
    except (OSError, websockets.WebSocketException, msgspec.DecodeError) as error:
        raise Unreachable(f"the event stream of {url} broke: {error}") from error
