"""The other workers of a node by name, and who owns what.

A name is a role, with an index where a role has several workers: ``sync``, ``network``, ``server``, ``runtime[0]``.
This module holds names and the table of channels; when to read, write and wait is decided by the shells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, Protocol, TypeVar

from node.errors import WorkerError, WorkerLost
from node.primitives import ContextId
from node.store.shards import shard_of, worker_of
from workers.messages import Failure, Note, Request, failure_of

NODE_ROWS: Final = "runtime[0]"
"""The owner of what belongs to the whole node: applications, blobs, aliases, identities."""

GAP_TIMEOUT: Final = 10.0
"""Seconds that a request waits for a peer that is being restarted; more than a restart, less than a client waits."""

_NAME: Final = re.compile(r"([a-z]+)(?:\[(\d+)\])?")
RUNTIME: Final = "runtime"


def peer_name(role: str, index: int = 0) -> str:
    """Runtime workers carry their index; of every other role there is one."""
    return f"{role}[{index}]" if role == RUNTIME else role


def parse_peer(name: str) -> tuple[str, int]:
    """Role and index of a name. Raises :class:`WorkerError`."""
    if (match := _NAME.fullmatch(name)) is None:
        raise WorkerError(f"{name!r} is no name of a worker")
    return match[1], int(match[2] or 0)


class Owners:
    """Which runtime worker answers for a context."""

    def __init__(self, count: int) -> None:
        self.count = count

    def of(self, context_id: ContextId) -> str:
        return peer_name(RUNTIME, worker_of(shard_of(context_id), self.count))

    def all(self) -> list[str]:
        return [peer_name(RUNTIME, index) for index in range(self.count)]


class Closable(Protocol):
    """What every shell's channel can do."""

    @property
    def lost(self) -> bool: ...

    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)
Lost = Callable[[str, Exception | None], None]
"""Called when a channel ended: its peer, and the error if its bytes were no frames."""


class Table(Generic[C]):
    """The channels of one worker by peer; a peer without a living channel is being restarted."""

    def __init__(self, names: Iterable[str]) -> None:
        self._channels: dict[str, C | None] = dict.fromkeys(names)
        self.dropped = 0
        """Notes that found no reader or a full channel."""

    @property
    def names(self) -> list[str]:
        return list(self._channels)

    def attach(self, name: str, channel: C) -> None:
        """Take a new channel; the one before it is closed, which fails what waits on it."""
        self.detach(name)
        self._channels[name] = channel

    def detach(self, name: str) -> None:
        if (channel := self._channels.get(name)) is not None:
            channel.close()
        self._channels[name] = None

    def get(self, name: str) -> C | None:
        """The living channel, or None during a gap. Raises :class:`WorkerError` for a peer that was never linked."""
        if name not in self._channels:
            raise WorkerError(f"no channel to {name}; there are: {', '.join(self._channels) or 'none'}")
        channel = self._channels[name]
        return None if channel is None or channel.lost else channel

    def last(self, name: str) -> C | None:
        """The channel that was attached last, living or lost."""
        return self._channels.get(name)

    def all(self) -> list[C]:
        """Every channel, lost ones included."""
        return [channel for channel in self._channels.values() if channel is not None]

    def close(self) -> None:
        for name in self.names:
            self.detach(name)


def gap_error(name: str) -> WorkerLost:
    return WorkerLost(f"{name} is not running; it is restarted by the supervisor, try again")


def refuse(operation: Request[Any]) -> Failure:
    """The answer to an operation that a worker does not serve."""
    return failure_of(WorkerError(f"{type(operation).__name__} is not served here"))


def ignore(peer: str, note: Note) -> None:
    """The note handler of a worker that listens to nobody."""
