"""The asyncio shell of the sync core: events in, effects out, one timer. It decides nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from node.errors import CalimeroError, WorkerError
from node.primitives import BlobId, ContextId
from node.sync import events as e
from node.sync.kernel import SECOND, Call, Request
from node.sync.manager import SyncManager
from node.sync.ports import Subscribe

log = logging.getLogger(__name__)

CarryOut = Callable[[Request[object]], Awaitable[object]]
MAX_SLEEP: Final = 3600 * SECOND


class Clock:
    """Unix time in ns that does not jump: read once, then driven by the monotonic clock."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        return self._offset + time.monotonic_ns()


class Shell:
    """Runs one :class:`SyncManager`. ``told`` receives what observers shall know; ``send`` notes to the network."""

    def __init__(
        self,
        manager: SyncManager,
        carry_out: CarryOut,
        told: Callable[[e.Tell], None],
        network: Callable[[e.Credit | e.CloseStream | e.Blame], None],
        subscribed: Callable[[ContextId], Awaitable[None]],
    ) -> None:
        self.manager = manager
        self._carry_out = carry_out
        self._told = told
        self._network = network
        self._subscribed = subscribed
        self._clock = Clock()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._tokens = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    def feed(self, event: e.Event) -> None:
        """Hand an event to the core and carry out what it wants."""
        for effect in self.manager.receive(event, self._clock.now()):
            self._perform(effect)
        self._arm()

    async def sync(self, context_id: ContextId | None) -> bytes:
        """Run sessions now; JSON of their reports."""
        token, future = self._expect()
        self.feed(e.SyncWanted(context_id, token))
        return await future

    async def explain(self, context_id: ContextId) -> bytes:
        """JSON of the explanation. Raises :class:`UnknownContext`."""
        token, future = self._expect()
        self.feed(e.WhyWanted(context_id, token))
        return await future

    async def fetch_blob(self, context_id: ContextId, blob_id: BlobId) -> None:
        """Have a blob of a context be here. Raises :class:`NotFound`, :class:`UnknownContext`."""
        token, future = self._expect()
        self.feed(e.BlobWanted(context_id, blob_id, token))
        await future

    def sessions(self, limit: int) -> bytes:
        """JSON of the latest session reports, newest first."""
        found = itertools.islice(self.manager.core.history, max(0, limit))
        return json.dumps([{"context": str(of), **report.fields()} for of, report in found]).encode()

    async def close(self) -> None:
        """Stop carrying out; what runs is cancelled."""
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- effects

    def _perform(self, effect: e.Effect) -> None:
        if isinstance(effect, Call):
            self._spawn(self._call(effect))
        elif isinstance(effect, e.Credit | e.CloseStream | e.Blame):
            self._network(effect)
        elif isinstance(effect, e.Tell):
            self._told(effect)
        elif isinstance(effect, e.BlobDone):
            self._settle(effect.token, b"", effect.error)
        elif isinstance(effect, e.SyncDone):
            self._settle(effect.token, json.dumps(effect.reports).encode(), None)
        else:
            self._settle(effect.token, json.dumps(effect.explanation).encode(), effect.error)

    def _spawn(self, work: Awaitable[None]) -> None:
        """Tasks start in the order in which they are made, so frames of one stream keep theirs."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call(self, call: Call) -> None:
        try:
            value = await self._carry_out(call.request)
        except CalimeroError as error:
            self.feed(e.Answered(call.token, None, error))
            return
        except Exception as error:
            log.exception("%s failed", type(call.request).__name__)
            self.feed(e.Answered(call.token, None, WorkerError(f"internal fault: {error}")))
            return
        self.feed(e.Answered(call.token, value))
        if isinstance(call.request, Subscribe):
            await self._subscribed(call.request.context_id)

    def _expect(self) -> tuple[int, asyncio.Future[bytes]]:
        token = next(self._tokens)
        future: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting[token] = future
        return token, future

    def _settle(self, token: int, value: bytes, error: BaseException | None) -> None:
        future = self._waiting.pop(token, None)
        if future is None or future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)

    # -- time

    def _arm(self) -> None:
        due = self.manager.next_timer
        if due == self._due or due is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        delay = min(MAX_SLEEP, max(0, due - self._clock.now()))
        self._timer = self._loop.call_later(delay / SECOND, self._tick)

    def _tick(self) -> None:
        self._timer = self._due = None
        self.feed(e.Tick())
