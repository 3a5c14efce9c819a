"""What the sync core remembers of one context. The owner has the truth; everything here is a copy or a plan."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Final

from node.primitives import ZERO_ROOT, ApplicationId, ContextId, DeltaId, Hash, PublicKey
from node.sync.kernel import SECOND, Kernel, Signal, Task
from node.sync.parted import Difference
from node.sync.ports import Application, Config, Heads, Identity, Keys
from node.sync.wire import HashHeartbeat, StateDelta

MAX_SEALED: Final = 1024
"""Deltas per context that wait for a key or a member list; past this the oldest is dropped, counted, and its id is
fetched by the next session. At 64 KiB each this is 64 MB for one hostile context."""

MAX_INCOMING: Final = 1024
"""Gossip messages per context that wait to be judged; the same bound for the same reason."""

MAX_TRAILS: Final = 512
"""Ids per context whose search is remembered for explanations."""

STANDOFF: Final = 2 * SECOND
"""How long a peer that lacks something of ours has to begin to fetch it."""

NO_HEADS: Final = Heads(ZERO_ROOT, ())


@dataclass(slots=True)
class Sealed:
    """A delta that cannot be opened yet, and the peer whose gossip it was."""

    delta: StateDelta
    source: str


@dataclass(slots=True)
class Asked:
    """Who was asked for a missing delta, when, and what they said."""

    peer: str
    at_ns: int
    answer: str


@dataclass(slots=True)
class Agreement:
    """The root that a peer named, when it was compared with ours, and since when both are equal (0: they differ)."""

    root: Hash
    compared_at: int
    equal_since: int = 0


@dataclass(frozen=True, slots=True)
class Standoff:
    """Both roots when everything of a peer was known here and the states differed, and since when it is so."""

    ours: Hash
    theirs: Hash
    since: int


@dataclass(slots=True)
class Counters:
    """Things that happened to a context since the start, by name."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, amount: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + amount


class Followed:
    """One context. ``generation`` numbers its sessions: what an old one still reports is ignored."""

    def __init__(self, context_id: ContextId, kernel: Kernel) -> None:
        self.id = context_id
        self.keys = Keys(frozenset(), (), {})
        self.config = Config()
        self.application_id = ApplicationId.zero()
        self.application: Application | None = None
        """As the registry names it; None: not read since the start."""
        self.heads = NO_HEADS
        self.heads_wanted = False
        """The owner's heads changed since they were last asked for."""
        self.heads_reader: Task[None] | None = None
        self.wake = Signal(kernel)
        self.reasons: set[str] = set()
        self.preferred: dict[str, str] = {}
        """Peers that a session is wanted with, and why."""
        self.generation = 0
        self.loop: Task[None] | None = None
        self.session: Task[None] | None = None
        self.incoming: deque[tuple[StateDelta, str]] = deque()
        self.arrival = Signal(kernel)
        self.judge: Task[None] | None = None
        self.fetching: Task[None] | None = None
        self.sharing: dict[str, Task[None]] = {}
        self.sealed: OrderedDict[DeltaId, Sealed] = OrderedDict()
        self.agreements: dict[str, Agreement] = {}
        self.standoffs: dict[str, Standoff] = {}
        self.difference: Difference | None = None
        """What the last look at a peer with another root found."""
        self.trails: OrderedDict[DeltaId, list[Asked]] = OrderedDict()
        self.registry_read_at = -1
        self.glance_wanted_at = 0
        self.glancing = False
        self.retry = 0
        """Rounds in a row that left something pending; sets the pause before the next."""
        self.counters = Counters()
        self.heartbeat_at = 0
        self.beat_soon = False
        """A heartbeat was wanted within the gap; the context's loop sends it."""
        self.beats: dict[str, HashHeartbeat] = {}
        """The newest heartbeat of each peer that was not compared yet."""
        self.quiet_at = 0
        """When the state counts as quiet after changes whose roots differed from their authors'; 0: they agreed."""
        self.unquiet_since = 0
        self.last_sync = 0
        self.due = 0
        """When the next round is due without a reason."""
        self.not_before = 0
        """Reasons that can wait do so until then, after a round that left something pending."""
        self.rounds = 0
        """Rounds of sessions that ended."""
        self._round_ended = Signal(kernel)
        self.in_round = False
        self.ready = False
        self.absent: dict[DeltaId, set[str]] = {}
        """Wanted deltas and the peers that said they do not have them."""
        self.ours: dict[str, bool] = {}
        """Peers that run this software, as far as asked."""

    def disagree(self, now: int, quiet: int, patience: int) -> None:
        """A root here is not its author's. If that is still so when the burst is over, the peers must hear of it:
        ``quiet`` after the last such change, ``patience`` after the first at the latest (nanoseconds).
        """
        if not self.quiet_at:
            self.unquiet_since = now
            self.wake.set()
        self.quiet_at = min(now + quiet, self.unquiet_since + patience)

    # people

    @property
    def members(self) -> frozenset[PublicKey]:
        return self.keys.members

    @property
    def initialised(self) -> bool:
        return not self.heads.root.is_zero

    def owns(self, identity: PublicKey) -> bool:
        return any(mine.public_key == identity for mine in self.keys.owned)

    def identities(self) -> list[Identity]:
        """Own identities that can share a key."""
        return [mine for mine in self.keys.owned if mine.sender_key is not None]

    def tasks(self) -> list[Task[None]]:
        """Every script that runs for this context alone."""
        found = (self.loop, self.judge, self.fetching, self.session, self.heads_reader, *self.sharing.values())
        return [task for task in found if task is not None]

    # plans

    def want(self, reason: str, peer: str | None = None) -> None:
        """Ask for a session soon."""
        if peer is not None:
            self.preferred[peer] = reason
        self.reasons.add(reason)
        self.wake.set()

    def hold(self, delta: StateDelta, source: str) -> None:
        """Keep a delta that cannot be opened yet; a second copy changes nothing."""
        if delta.delta_id in self.sealed:
            return
        self.sealed[delta.delta_id] = Sealed(delta, source)
        self.counters.add("sealed deltas held")
        if len(self.sealed) > MAX_SEALED:
            self.sealed.popitem(last=False)
            self.counters.add("sealed deltas dropped")
            self.want("dropped")

    def shared(self, peer: str) -> None:
        """A key share with the peer ended."""
        self.sharing.pop(peer, None)

    def round_ended(self) -> None:
        self.rounds += 1
        self._round_ended.set()

    async def round_after(self, number: int) -> None:
        """Wait for a round that begins from now on, ``number`` rounds having ended; one that runs does not count."""
        goal = number + (2 if self.in_round else 1)
        while self.rounds < goal:
            self._round_ended.clear()
            await self._round_ended.wait()

    # memory for explanations

    def agreed(self, peer: str, root: Hash, now: int) -> bool:
        """Note the root that a peer named; True if it is ours."""
        known = self.agreements.get(peer)
        equal = root == self.heads.root
        since = 0
        if equal:
            since = known.equal_since if known is not None and known.equal_since else now
        self.agreements[peer] = Agreement(root, now, since)
        return equal

    def parted(self, peer: str, ours: Hash, theirs: Hash, now: int) -> bool:
        """Whether a peer that was only behind would have moved by now."""
        known = self.standoffs.get(peer)
        return known is not None and (known.ours, known.theirs) == (ours, theirs) and now - known.since >= STANDOFF

    def stood_off(self, peer: str, ours: Hash, theirs: Hash, now: int) -> None:
        """Note that everything of the peer is known here while the states differ."""
        known = self.standoffs.get(peer)
        if known is None or (known.ours, known.theirs) != (ours, theirs):
            self.standoffs[peer] = Standoff(ours, theirs, now)

    def trail(self, delta_id: DeltaId, peer: str, now: int, answer: str) -> None:
        """Note who was asked for a delta and what came back."""
        asked = self.trails.setdefault(delta_id, [])
        asked.append(Asked(peer, now, answer))
        del asked[:-8]
        if len(self.trails) > MAX_TRAILS:
            self.trails.popitem(last=False)
