"""All watched nodes side by side: where each stands, and whether their contexts agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from calimero_tui.client.node import Context
from calimero_tui.tui.model.activity import Happening
from calimero_tui.tui.model.call import CallForm
from calimero_tui.tui.model.log import EventLog
from calimero_tui.tui.model.rates import Meter
from calimero_tui.tui.model.snapshot import Details, Snapshot, State


class Agreement(StrEnum):
    """What the root hashes of the reachable nodes that have a context say together."""

    SAME = "same"
    DIFFERS = "differs"
    FETCHING = "fetching"
    ALONE = "one node"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Watched:
    """One node: its name here, what was last read, and what it reported since the dashboard opened."""

    number: int
    url: str
    last: Snapshot
    meter: Meter = field(default_factory=Meter)
    breaks: int = 0

    @property
    def name(self) -> str:
        return f"node {self.number}"

    @property
    def address(self) -> str:
        return self.url.partition("://")[2] or self.url

    @property
    def ready(self) -> bool:
        return self.last.state is State.READY

    def context(self, context_id: str) -> Context | None:
        return next((context for context in self.last.contexts if context.id == context_id), None)

    def pending(self, context_id: str) -> int | None:
        """Deltas of a context that wait; None where the node does not say."""
        found = self.last.explanations.get(context_id, {}).get("pending")
        return found if isinstance(found, int) else None


@dataclass(frozen=True, slots=True)
class Shared:
    """A context over all nodes. ``copies`` are those of the nodes that have it, answering or not."""

    id: str
    copies: tuple[tuple[Watched, Context], ...]

    @property
    def agreement(self) -> Agreement:
        live = [context for node, context in self.copies if node.ready]
        if not live:
            return Agreement.UNKNOWN
        if not all(context.initialised for context in live):
            return Agreement.FETCHING
        if len(live) == 1:
            return Agreement.ALONE
        return Agreement.SAME if len({context.root_hash for context in live}) == 1 else Agreement.DIFFERS

    @property
    def roots(self) -> list[str]:
        """Distinct roots of reachable nodes, in the order of the nodes."""
        return list(dict.fromkeys(context.root_hash for node, context in self.copies if node.ready))

    @property
    def heads(self) -> list[int]:
        return [len(context.heads) for _, context in self.copies]

    @property
    def pending(self) -> int | None:
        known = [found for node, _ in self.copies if (found := node.pending(self.id)) is not None]
        return sum(known) if known else None


class Network:
    """The state behind every screen; changed by :meth:`take`, :meth:`happened` and :meth:`learnt`, and by choices."""

    def __init__(self, urls: Sequence[str], *, title: str = "") -> None:
        self.title = title
        self.nodes = {
            url: Watched(number, url, Snapshot(url, 0.0, State.CONNECTING)) for number, url in enumerate(urls, start=1)
        }
        self.log = EventLog()
        self.selected = next(iter(self.nodes))
        self.context_id: str | None = None
        self.wanted_method: str | None = None
        self.faults = 0
        self.form = CallForm()
        self._details: dict[tuple[str, str], Details] = {}

    @property
    def node(self) -> Watched:
        """The node that the screens of one node show."""
        return self.nodes[self.selected]

    def take(self, snapshot: Snapshot) -> None:
        """A new reading. While a node is away its last contexts stay visible."""
        watched = self.nodes[snapshot.url]
        if snapshot.state is State.RECONNECTING and watched.ready:
            watched.breaks += 1
        if snapshot.state is not State.READY:
            snapshot = _keep(snapshot, watched.last)
        watched.last = snapshot
        known = [context.id for context in self.contexts()]
        if self.context_id not in known:
            self.context_id = known[0] if known else None

    def happened(self, url: str, rows: Sequence[Happening], now: float) -> int:
        """Events of a node arrived; how many lines fell off the old end of the log."""
        self.nodes[url].meter.add(len(rows), now)
        return self.log.add(rows)

    def learnt(self, details: Details) -> None:
        """A context was read on a node; what was known stays where the node does not answer."""
        key = (details.url, details.context_id)
        known = self._details.get(key)
        self._details[key] = details if known is None or not details.error else replace(known, error=details.error)

    def current_details(self) -> Details:
        """Of the chosen context on the selected node; empty while they are being read."""
        key = (self.selected, self.context_id or "")
        return self._details.get(key) or Details(*key)

    def select_next(self, step: int = 1) -> None:
        urls = list(self.nodes)
        self.selected = urls[(urls.index(self.selected) + step) % len(urls)]

    def contexts(self) -> list[Shared]:
        """Contexts of all nodes, in the order of the first node that has each."""
        copies: dict[str, list[tuple[Watched, Context]]] = {}
        for node in self.nodes.values():
            for context in node.last.contexts:
                copies.setdefault(context.id, []).append((node, context))
        return [Shared(context_id, tuple(found)) for context_id, found in copies.items()]

    def context(self, context_id: str | None) -> Shared | None:
        return next((context for context in self.contexts() if context.id == context_id), None)


def _keep(snapshot: Snapshot, last: Snapshot) -> Snapshot:
    return Snapshot(
        snapshot.url, snapshot.at, snapshot.state, snapshot.error,
        contexts=last.contexts, explanations=last.explanations, gaps=last.gaps,
    )  # fmt: skip
