"""What the handlers of the routes work with. It holds nothing of the node's state."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from node.abi.interface import Interface
from node.api.sse import Sessions
from node.primitives import ApplicationId
from workers.blob_cache import BlobCache
from workers.server.backend import Backend
from workers.server.connections import Connections
from workers.server.growth import LogGrowth
from workers.server.hub import Hub, Subscriber
from workers.server.idempotency import Answers
from workers.server.metrics import Metrics

__all__ = ["Api"]

MAX_INTERFACES: Final = 64
"""Applications whose methods are remembered; reading a module again takes some milliseconds."""

MAX_BACKGROUND: Final = 256
"""Operations that go on after their answer; what is asked for beyond them is refused by the caller."""

log: Final = logging.getLogger(__name__)


class Api:
    """The parts that handlers share."""

    def __init__(self, backend: Backend, hub: Hub, blob_dir: Path, connections: Connections | None = None) -> None:
        self.backend = backend
        self.hub = hub
        self.blob_dir = blob_dir
        self.connections = connections or Connections()
        self.metrics = Metrics()
        self.answers = Answers()
        self.logs = LogGrowth()
        self.blobs = BlobCache()
        self.sessions = Sessions()
        self.streams: dict[int, Subscriber] = {}
        """The open event stream of each session."""

        self.stopping = asyncio.Event()
        self._interfaces: OrderedDict[ApplicationId, Interface] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()

    def interface(self, application_id: ApplicationId) -> Interface | None:
        return self._interfaces.get(application_id)

    def remember(self, application_id: ApplicationId, interface: Interface) -> None:
        self._interfaces[application_id] = interface
        if len(self._interfaces) > MAX_INTERFACES:
            self._interfaces.popitem(last=False)

    def background(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Do something after the answer; a failure is logged. False when too much is under way."""
        if len(self._tasks) >= MAX_BACKGROUND:
            work.close()
            return False
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return True

    async def close(self) -> None:
        """End what still runs in the background."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            log.warning("work after an answer failed: %s", problem)
