"""Keeps the wanted peers connected, over losses and over restarts of this node."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from node.errors import CalimeroError
from workers.network import limits
from workers.network.peer_file import KnownPeer, PeerFile
from workers.network.peers import PeerBook

__all__ = ["Keeper"]

log = logging.getLogger(__name__)

DIALS_AT_ONCE: Final = 8
"""A node that starts with many known peers must not dial all of them at the same moment."""


class Keeper:
    """Dials wanted peers of ``book`` by ``dial(peer)`` when ``connected()`` lacks them and their back-off is over."""

    def __init__(
        self,
        book: PeerBook,
        connected: Callable[[], list[str]],
        dial: Callable[[str], Awaitable[object]],
        file: PeerFile | None,
    ) -> None:
        self._book = book
        self._connected = connected
        self._dial = dial
        self._file = file
        self._seen: dict[str, float] = {}
        self._missing = trio.Event()
        self._changed = trio.Event()

    # -- wishes

    def want(self, peer: str) -> None:
        """Keep a peer connected until it is forgotten."""
        self._book.entry(peer).keep = True
        self.changed()

    def set_member(self, peer: str, *, member: bool) -> None:
        """Keep a peer connected as long as it shares a context with this node."""
        if self._book.set_member(peer, member=member):
            self.changed()

    def forget(self, peer: str) -> None:
        """Do not keep the peer any longer."""
        self._book.entry(peer).keep = False
        self._book.set_member(peer, member=False)
        self.changed()

    def changed(self) -> None:
        """Look again at who is missing, and write the file soon."""
        self._missing.set()
        self._changed.set()

    def on_connected(self, peer: str) -> None:
        self._book.connected(peer)
        self._seen[peer] = time.time()
        self._changed.set()

    def on_lost(self, peer: str) -> None:
        self._book.lost(peer, trio.current_time())
        self._seen[peer] = time.time()
        self.changed()

    # -- life

    def remember(self) -> None:
        """Want again what the file knows."""
        for known in self._file.load(time.time()) if self._file else []:
            self._book.learn(known.peer, *known.addresses)
            entry = self._book.entry(known.peer)
            entry.keep = entry.keep or known.keep
            self._book.set_member(known.peer, member=not known.keep)
            self._seen[known.peer] = known.seen

    async def run(self) -> None:
        """Dial whoever is missing, until cancelled."""
        limiter = trio.CapacityLimiter(DIALS_AT_ONCE)
        async with trio.open_nursery() as nursery:
            while True:
                connected, now = set(self._connected()), trio.current_time()
                for peer in self._book.due(connected, now):
                    self._book.entry(peer).next_dial = now + limits.DIAL_TIMEOUT * limits.MAX_ADDRESSES_PER_PEER
                    nursery.start_soon(self._redial, peer, limiter)
                self._missing = trio.Event()
                with trio.move_on_at(self._book.next_due(connected)):
                    await self._missing.wait()

    async def _redial(self, peer: str, limiter: trio.CapacityLimiter) -> None:
        async with limiter:
            try:
                await self._dial(peer)
            except CalimeroError as error:
                log.info("dial: %s", error)
                self._book.dial_failed(peer, trio.current_time(), random.random())  # noqa: S311 - jitter
                self._missing.set()

    # -- the file

    async def save(self) -> None:
        """Write the file after changes, until cancelled."""
        while self._file is not None:
            await self._changed.wait()
            self._changed = trio.Event()
            await trio.to_thread.run_sync(self._write, self._file, self._known())
            await trio.sleep(limits.SAVE_PAUSE)

    def save_now(self) -> None:
        """Write the file before the end."""
        if self._file is not None:
            self._write(self._file, self._known())

    def _write(self, file: PeerFile, known: list[KnownPeer]) -> None:
        try:
            file.save(known)
        except OSError as error:
            log.warning("%s is not written: %s", file.path, error.strerror or error)

    def _known(self) -> list[KnownPeer]:
        connected, now = set(self._connected()), time.time()
        wanted = self._book.wanted()
        self._seen = {peer: now if peer in connected else self._seen.get(peer, now) for peer in wanted}
        return [
            KnownPeer(peer, list(entry.addresses), entry.keep, seen)
            for peer, seen in self._seen.items()
            if (entry := self._book.get(peer)) is not None
        ]
