"""Discovery on the local network: ask who is there, answer who we are, report who answers.

Off unless asked for: it tells the node's id and addresses to everybody on the network.
"""

from __future__ import annotations

import logging
import secrets
import socket
import struct
from collections.abc import Callable
from typing import Final

import trio

from node.errors import CalimeroError
from workers.network import address as addresses
from workers.network import mdns_wire as wire

__all__ = ["Mdns", "announced", "open_socket"]

log = logging.getLogger(__name__)

GROUP: Final = "224.0.0.251"
PORT: Final = 5353
QUESTION_INTERVAL: Final = 300.0
FIRST_QUESTIONS: Final = (0.0, 1.0, 4.0)
"""Seconds between the first questions: a lost packet at the start must not cost five minutes."""
ANSWER_PAUSE: Final = 0.2
"""Seconds between two answers; one packet answers everybody who asked meanwhile."""


def open_socket(group: str = GROUP, port: int = PORT) -> trio.socket.SocketType:
    """A socket that shares the port and has joined the group. Raises ``OSError`` where there is no multicast."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("", port))
        membership = struct.pack("4s4s", socket.inet_aton(group), socket.inet_aton("0.0.0.0"))  # noqa: S104 - any
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    except OSError:
        sock.close()
        raise
    return trio.socket.from_stdlib_socket(sock)


def announced(listening: list[str], peer: str) -> list[str]:
    """Listen addresses with the peer id."""
    return [f"{text}/p2p/{peer}" for text in addresses.concrete(listening)]


class Mdns:
    """One node's discovery. ``own`` gives the addresses to announce; ``found(address)`` takes what others announce."""

    def __init__(
        self,
        sock: trio.socket.SocketType,
        target: tuple[str, int],
        own: Callable[[], list[str]],
        found: Callable[[str], None],
    ) -> None:
        self._socket = sock
        self._target = target
        self._own = own
        self._found = found
        self._instance = secrets.token_hex(16)
        self._asked = trio.Event()

    async def run(self) -> None:
        """Discover until cancelled."""
        with self._socket:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ask)
                nursery.start_soon(self._answer)
                await self._listen()

    async def _ask(self) -> None:
        for pause in FIRST_QUESTIONS:
            await trio.sleep(pause)
            await self._send(wire.question())
        while True:
            await trio.sleep(QUESTION_INTERVAL)
            await self._send(wire.question())

    async def _answer(self) -> None:
        while True:
            await self._asked.wait()
            self._asked = trio.Event()
            await self._send(wire.answer(self._instance, self._own()))
            await trio.sleep(ANSWER_PAUSE)

    async def _send(self, packet: bytes) -> None:
        try:
            await self._socket.sendto(packet, self._target)
        except OSError as error:
            log.info("mDNS: nothing sent: %s", error)

    async def _listen(self) -> None:
        while True:
            try:
                packet, _ = await self._socket.recvfrom(wire.MAX_PACKET)
                self._take(packet)
            except (OSError, CalimeroError) as error:
                log.debug("mDNS packet ignored: %s", error)
                await trio.lowlevel.checkpoint()

    def _take(self, packet: bytes) -> None:
        if wire.is_question(packet):
            self._asked.set()
            return
        own = set(self._own())
        for text in wire.parse_answer(packet):
            if text not in own and "/p2p-circuit" not in text:
                self._found(text)
