"""Events of the node on their way to clients: one hub, bounded queues, a short history.

A subscriber that does not keep up is cut off and counted; nothing is buffered without end. The text of an event is made
once, however many clients get it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from node.api.history import History
from node.api.subscriptions import Subscription
from node.primitives import ContextId
from workers.messages import Note, runtime

__all__ = ["MAX_CLIENTS", "Hub", "Subscriber"]

QUEUE: Final = 1024
"""Messages that wait for one client. The reference holds 32 and stalls; a burst of writes is larger than that."""

QUEUE_BYTES: Final = 16 << 20
"""Characters of them: an application may put a megabyte into one event."""

MAX_CLIENTS: Final = 2048
"""Event streams at the same time."""

Frame = Callable[[str], str]
"""Makes a client's message of an event's JSON."""


class Subscriber:
    """One client's queue. ``subscription`` None: it gets everything, notices too."""

    def __init__(self, subscription: Subscription | None, frame: Frame = str) -> None:
        self.subscription = subscription
        self.frame = frame
        self.slow = False
        self.closed = False
        self._waiting: deque[str] = deque()
        self._size = 0
        self._changed = asyncio.Event()

    def wants(self, context_id: ContextId | None) -> bool:
        return self.subscription is None or (context_id is not None and context_id in self.subscription.contexts)

    def put(self, message: str) -> bool:
        """Queue a message; False when the client is too slow, and is to be cut off."""
        if len(self._waiting) >= QUEUE or (self._size + len(message) > QUEUE_BYTES and self._waiting):
            self.slow = True
            self.close()
            return False
        self._waiting.append(message)
        self._size += len(message)
        self._changed.set()
        return True

    def close(self) -> None:
        """Nothing follows what waits already; for a slow client not even that."""
        self.closed = True
        self._changed.set()

    async def get(self) -> str | None:
        """The next message, None at the end."""
        while not self._waiting or self.slow:
            if self.closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        message = self._waiting.popleft()
        self._size -= len(message)
        return message


class Hub:
    """Fans notes of the workers out to subscribers."""

    def __init__(self, history: History | None = None) -> None:
        self._subscribers: dict[Subscriber, None] = {}
        self._history = history or History()
        self.cut = 0
        self.sent = 0

    @property
    def clients(self) -> int:
        return len(self._subscribers)

    @property
    def events(self) -> int:
        """Events and notices since the start."""
        return self._history.last

    @property
    def history(self) -> History:
        return self._history

    def join(self, subscriber: Subscriber) -> bool:
        """Begin to receive; False when there are too many clients."""
        if len(self._subscribers) >= MAX_CLIENTS:
            return False
        self._subscribers[subscriber] = None
        return True

    def leave(self, subscriber: Subscriber) -> None:
        self._subscribers.pop(subscriber, None)

    def close(self) -> None:
        """Let every client get what waits, and end."""
        for subscriber in self._subscribers:
            subscriber.close()

    def take(self, _: str, note: Note) -> None:
        """A note of another worker."""
        if isinstance(note, runtime.StateChanged):
            self._publish(note.context_id, mutation(note), plain=True)
        elif isinstance(note, runtime.Noticed):
            self._publish(note.context_id, notice(note), plain=False)

    def _publish(self, context_id: ContextId | None, text: str, *, plain: bool) -> None:
        """``plain``: an event of the reference's API; a notice goes only to those who take everything."""
        self._history.add(text)
        framed: dict[Frame, str] = {}
        for subscriber in list(self._subscribers):
            if subscriber.wants(context_id) and (plain or subscriber.subscription is None):
                frame = subscriber.frame
                if frame not in framed:
                    framed[frame] = frame(text)
                self._deliver(subscriber, framed[frame])

    def _deliver(self, subscriber: Subscriber, message: str) -> None:
        if subscriber.put(message):
            self.sent += 1
        else:
            self.cut += 1
            self.leave(subscriber)


def mutation(note: runtime.StateChanged) -> str:
    """The JSON of a state change; the events are JSON already."""
    events = note.events.decode() or "[]"
    return (
        f'{{"contextId":"{note.context_id}","type":"StateMutation",'
        f'"data":{{"newRoot":"{note.root}","events":{events}}}}}'
    )


def notice(note: runtime.Noticed) -> str:
    """The JSON of a notice, which is ours."""
    found = {
        "contextId": str(note.context_id) if note.context_id else None,
        "type": "Notice",
        "data": {"kind": note.kind, "name": note.name, "at": note.at_ns / 1e9, "fields": json.loads(note.fields)},
    }
    return msgspec.json.encode(found).decode()
