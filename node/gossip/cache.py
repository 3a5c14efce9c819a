"""Two memories of the router: which message ids were seen, and the last messages themselves. Neither reads a clock."""

from __future__ import annotations

from collections import deque

from node.gossip.rpc import Message

__all__ = ["MessageCache", "SeenIds"]


class SeenIds:
    """Message ids with a time to live (ns) and a bound on their number. Insertion order is time order."""

    def __init__(self, ttl: int, limit: int) -> None:
        self._ttl = ttl
        self._limit = limit
        self._times: dict[bytes, int] = {}

    def __contains__(self, mid: bytes) -> bool:
        return mid in self._times

    def __len__(self) -> int:
        return len(self._times)

    def add(self, mid: bytes, now: int) -> None:
        """Remember ``mid``; drops the oldest beyond the bound."""
        self._times[mid] = now
        if len(self._times) > self._limit:
            del self._times[next(iter(self._times))]

    def expire(self, now: int) -> None:
        """Forget what is older than the time to live."""
        horizon = now - self._ttl
        while self._times:
            mid, at = next(iter(self._times.items()))
            if at > horizon:
                return
            del self._times[mid]


class MessageCache:
    """The messages of the last ``history`` heartbeats, to answer IWANT; ids of the first ``gossip`` go into IHAVE."""

    def __init__(self, history: int, gossip: int) -> None:
        self._windows: deque[list[tuple[str, bytes]]] = deque([[]], maxlen=history)
        self._messages: dict[bytes, Message] = {}
        self._served: dict[bytes, dict[str, int]] = {}
        self._gossip = gossip

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, mid: bytes, message: Message) -> None:
        if mid not in self._messages:
            self._messages[mid] = message
            self._windows[0].append((message.topic, mid))

    def recent(self, topic: str) -> list[bytes]:
        """Ids on ``topic`` from the windows that are gossiped about, newest window first."""
        windows = list(self._windows)[: self._gossip]
        return [mid for window in windows for of, mid in window if of == topic]

    def serve(self, mid: bytes, peer: str) -> tuple[Message, int] | None:
        """The message and how often ``peer`` has now asked for it; None when it is gone."""
        message = self._messages.get(mid)
        if message is None:
            return None
        counts = self._served.setdefault(mid, {})
        counts[peer] = counts.get(peer, 0) + 1
        return message, counts[peer]

    def shift(self) -> None:
        """A heartbeat: open a new window and drop the messages of the oldest."""
        if len(self._windows) == self._windows.maxlen:
            for _, mid in self._windows[-1]:
                del self._messages[mid]
                self._served.pop(mid, None)
        self._windows.appendleft([])
