"""What the demo does with three running nodes: install, create, invite, join, write from all at once, compare roots.

It talks to the nodes like any client and reports its steps to whoever asked for them.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from calimero_tui.client.events import Event, watch
from calimero_tui.client.node import Node
from node.errors import ClientError, Refused

CALLS_PER_NODE: Final = 100
"""Writes that each node makes while the others do: 300 on three nodes."""

KEYS: Final = 60
"""Keys that all nodes write to, so that they collide."""

IN_FLIGHT: Final = 4
"""Calls that one node is given at a time; its contexts run one call after the other anyway."""

PACED_CALLS: Final = 10
"""Calls per node, one at a time, that measure how long an event takes to the other nodes."""

JOIN_TIMEOUT: Final = 30.0
CONVERGE_TIMEOUT: Final = 60.0
EVENT_TIMEOUT: Final = 10.0
"""Seconds that the demo waits for each of them before it says what is missing."""

POLL: Final = 0.05
RETRIES: Final = 40
"""Tries of a call whose node answers that a worker is being restarted."""

Report = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member:
    """A node and its identity in the demo's context."""

    node: Node
    identity: str


@dataclass(slots=True)
class Outcome:
    """The figures of a run; ``propagation`` in seconds from a call to its event on another node."""

    context_id: str
    roots: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    events_received: int = 0
    propagation: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def converged(self) -> bool:
        return len(set(self.roots.values())) == 1

    def to_json(self) -> dict[str, object]:
        found: dict[str, object] = {
            "nodes": len(self.roots),
            "context_id": self.context_id,
            "converged": self.converged,
            "root_hash": next(iter(self.roots.values())) if self.converged else None,
            "calls": self.calls,
            "events_received": self.events_received,
            "propagation_ms": {"p50": _percentile(self.propagation, 50), "p99": _percentile(self.propagation, 99)},
            "seconds": round(self.seconds, 2),
        }
        return found if self.converged else {**found, "roots": self.roots}


def _percentile(seconds: Sequence[float], rank: int) -> float | None:
    if len(seconds) < 2:
        return round(seconds[0] * 1000, 1) if seconds else None
    return round(statistics.quantiles(seconds, n=100, method="inclusive")[rank - 1] * 1000, 1)


async def form(nodes: Sequence[Node], application: Path, report: Report) -> list[Member]:
    """Install the application, create a context on the first node, and join the others. Answers the members."""
    report("installing the application")
    first, *others = nodes
    application_id, *identities = await asyncio.gather(
        first.install_path(str(application)), *(node.new_identity() for node in others)
    )
    report("creating a context on node 1")
    created = await first.create_context(application_id)
    members = [Member(first, created.member)]
    for number, (node, identity) in enumerate(zip(others, identities, strict=True), start=2):
        report(f"inviting and joining node {number}")
        invitation = await first.invite(created.context_id, created.member, identity)
        joined = await node.join(invitation)
        members.append(Member(node, joined.member))
    return members


async def resume(nodes: Sequence[Node], context_id: str, report: Report) -> list[Member]:
    """The members of a context that an earlier run left. Raises :class:`Refused` when one is missing."""
    report("resuming the context of the last run")
    members = []
    for node in nodes:
        owned = await node.owned(context_id)
        if not owned:
            raise Refused(f"{node.url} has no identity in context {context_id}; start over with another directory")
        members.append(Member(node, owned[0]))
    return members


async def run(members: Sequence[Member], context_id: str, report: Report) -> Outcome:
    """Write from all members at once, then compare the roots."""
    outcome = Outcome(context_id)
    started = time.monotonic()
    await _until_initialised(members, context_id, report)
    listeners = [Listener(member, context_id) for member in members]
    tasks = [asyncio.create_task(listener.listen()) for listener in listeners]
    try:
        await asyncio.gather(*(listener.ready.wait() for listener in listeners))
        report(f"writing from {len(members)} nodes at once, {CALLS_PER_NODE} calls each")
        await asyncio.gather(*(_burst(member, context_id, n, outcome) for n, member in enumerate(members)))
        report("waiting until all root hashes agree")
        await _converge(members, context_id, outcome)
        if outcome.converged:
            report("measuring how fast an event arrives")
            await asyncio.gather(*(listener.ready.wait() for listener in listeners))
            await _paced(members, context_id, listeners, outcome)
            await _converge(members, context_id, outcome)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    outcome.events_received = sum(listener.events for listener in listeners)
    outcome.seconds = time.monotonic() - started
    return outcome


class Listener:
    """Counts the application events that one node reports, and remembers when each key was seen."""

    def __init__(self, member: Member, context_id: str) -> None:
        self.member = member
        self.ready = asyncio.Event()
        self.events = 0
        self._context_id = context_id
        self._seen: dict[str, float] = {}
        self._arrived = asyncio.Event()

    async def listen(self) -> None:
        async for event in watch(self.member.node.url, [self._context_id], ready=self.ready):
            self._take(event, time.monotonic())

    def _take(self, event: Event, now: float) -> None:
        for app_event in event.events:
            self.events += 1
            if isinstance(app_event.data, dict):
                self._seen[str(app_event.data.get("key"))] = now
        self._arrived.set()

    async def arrival(self, key: str) -> float | None:
        """When the event about ``key`` was seen, None if it does not come in time."""
        deadline = time.monotonic() + EVENT_TIMEOUT
        while key not in self._seen:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), deadline - time.monotonic())
            except TimeoutError:
                return None
        return self._seen[key]


async def _until_initialised(members: Sequence[Member], context_id: str, report: Report) -> None:
    report("waiting until every node has the state")
    deadline = time.monotonic() + JOIN_TIMEOUT
    for member in members:
        while not (await patiently(lambda m=member: m.node.context(context_id))).initialised:  # type: ignore[misc]
            if time.monotonic() > deadline:
                raise Refused(
                    f"{member.node.url} did not get the state of context {context_id} within {JOIN_TIMEOUT:.0f} s"
                )
            await asyncio.sleep(POLL)


async def _burst(member: Member, context_id: str, number: int, outcome: Outcome) -> None:
    """The writes of one node, a few at a time."""
    numbers = iter(range(CALLS_PER_NODE))

    async def lane() -> None:
        for n in numbers:
            args = {"key": f"key-{(n * 7 + number) % KEYS}", "value": f"{number}-{n}"}
            await patiently(lambda args=args: member.node.call(context_id, "set", args, member.identity))  # type: ignore[misc]
            outcome.calls += 1

    await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))


async def _paced(members: Sequence[Member], context_id: str, listeners: Sequence[Listener], outcome: Outcome) -> None:
    """One call at a time, from each node in turn; how long until the others report its event."""
    stamp = f"{time.time_ns():x}"
    for n in range(PACED_CALLS * len(members)):
        member, key = members[n % len(members)], f"paced-{n % KEYS}-{stamp}"
        started = time.monotonic()
        args = {"key": key, "value": str(n)}
        await patiently(lambda m=member, a=args: m.node.call(context_id, "set", a, m.identity))  # type: ignore[misc]
        outcome.calls += 1
        others = [listener for listener in listeners if listener.member is not member]
        for arrived in await asyncio.gather(*(listener.arrival(key) for listener in others)):
            if arrived is not None:
                outcome.propagation.append(arrived - started)


async def _converge(members: Sequence[Member], context_id: str, outcome: Outcome) -> None:
    deadline = time.monotonic() + CONVERGE_TIMEOUT
    while True:
        contexts = await asyncio.gather(
            *(patiently(lambda m=member: m.node.context(context_id)) for member in members)  # type: ignore[misc]
        )
        outcome.roots = {m.node.url: c.root_hash for m, c in zip(members, contexts, strict=True)}
        if outcome.converged and len({frozenset(c.heads) for c in contexts}) == 1:
            return
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(POLL)


async def patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try again while a worker of the node is being restarted; any other refusal is final."""
    for left in range(RETRIES, -1, -1):
        try:
            return await attempt()
        except Refused as error:
            if left == 0 or not (error.kind == "InternalError" or error.status in (500, 503)):
                raise
        except ClientError:
            if left == 0:
                raise
        await asyncio.sleep(POLL * 5)
    raise AssertionError("unreachable: the last attempt returns or raises")
