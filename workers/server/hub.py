"""Events of the node on their way to clients: one hub, bounded queues, a short history.

A subscriber that does not keep up is cut off and counted; nothing is buffered without end.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from node.primitives import ContextId
from workers.messages import Note, runtime

QUEUE: Final = 1024
"""Messages that wait for one client. The reference holds 32 and stalls; a burst of writes is larger than that."""

HISTORY: Final = 2000
"""Events and notices that are remembered for the history route."""


@dataclass(slots=True, eq=False)
class Subscriber:
    """One client. ``contexts`` None: everything. ``lost`` is set when it was too slow."""

    contexts: set[ContextId] | None = field(default_factory=set)
    queue: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    def wants(self, context_id: ContextId | None) -> bool:
        return self.contexts is None or (context_id is not None and context_id in self.contexts)


Frame = Callable[[str], str]
"""Makes a client's message of an event's JSON."""


class Hub:
    """Fans notes of the workers out to subscribers."""

    def __init__(self) -> None:
        self._subscribers: dict[Subscriber, Frame] = {}
        self._history: deque[tuple[int, str]] = deque(maxlen=HISTORY)
        self._number = 0
        self.cut = 0
        self.sent = 0

    def join(self, subscriber: Subscriber, frame: Frame) -> None:
        self._subscribers[subscriber] = frame

    def leave(self, subscriber: Subscriber) -> None:
        self._subscribers.pop(subscriber, None)

    @property
    def clients(self) -> int:
        return len(self._subscribers)

    def take(self, _: str, note: Note) -> None:
        """A note of another worker."""
        if isinstance(note, runtime.StateChanged):
            self._publish(note.context_id, _mutation(note), plain=True)
        elif isinstance(note, runtime.Noticed):
            self._publish(note.context_id, _notice(note), plain=False)

    def history(self, after: int, limit: int) -> tuple[list[str], int]:
        """Events behind a cursor, oldest first, and the cursor of the last one."""
        found = [(number, text) for number, text in self._history if number > after][:limit]
        return [text for _, text in found], found[-1][0] if found else after

    def _publish(self, context_id: ContextId | None, text: str, *, plain: bool) -> None:
        """``plain``: an event of the reference's API; a notice goes only to those who take everything."""
        self._number += 1
        self._history.append((self._number, text))
        for subscriber, frame in list(self._subscribers.items()):
            if subscriber.wants(context_id) and (plain or subscriber.contexts is None):
                self._send(subscriber, frame(text))

    def _send(self, subscriber: Subscriber, message: str) -> None:
        try:
            subscriber.queue.put_nowait(message)
            self.sent += 1
        except asyncio.QueueFull:
            self.cut += 1
            subscriber.lost.set()
            self.leave(subscriber)


def _mutation(note: runtime.StateChanged) -> str:
    events = note.events.decode() or "[]"
    return (
        f'{{"contextId":"{note.context_id}","type":"StateMutation",'
        f'"data":{{"newRoot":"{note.root}","events":{events}}}}}'
    )


def _notice(note: runtime.Noticed) -> str:
    found = {
        "contextId": str(note.context_id) if note.context_id else None,
        "type": "Notice",
        "data": {"kind": note.kind, "name": note.name, "at": note.at_ns / 1e9, "fields": json.loads(note.fields)},
    }
    return json.dumps(found, separators=(",", ":"))
