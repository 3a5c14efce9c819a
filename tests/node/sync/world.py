"""A world of sync machines in virtual time: streams and gossip as queues, and an owner whose state is the set of deltas
it applied. Everything is carried out in order of time; the real owner runs in the simulator."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from node.crypto import ed25519
from node.errors import NotFound, StateInconsistency, Unreachable
from node.events import Notice
from node.primitives import GENESIS, ZERO_ROOT, ApplicationId, BlobId, ContextId, DeltaId, Hash, PrivateKey, PublicKey
from node.sync import ports
from node.sync.events import (
    Answered,
    Blame,
    CloseStream,
    ContextReady,
    Credit,
    DeltaCommitted,
    Event,
    FrameReceived,
    GossipReceived,
    PeerSubscribed,
    StreamClosed,
    StreamOpened,
    SyncDone,
    Tell,
    Tick,
    Why,
    WhyWanted,
)
from node.sync.kernel import SECOND, Call
from node.sync.manager import SyncManager
from node.sync.ports import Heads, Identity, Keys, OpenDelta

CONTEXT = ContextId(b"\x01" * 32)
MILLI = 1_000_000
START = 1_700_000_000 * SECOND


def delta_id(parents: tuple[DeltaId, ...], artifact: bytes) -> DeltaId:
    return DeltaId(hashlib.sha256(b"".join((*parents, artifact))).digest())


class Registry:
    """Members that everybody may read."""

    def __init__(self) -> None:
        self.members: list[PublicKey] = []
        self.revision = 0
        self.reads = 0
        self.down = False

    def add(self, member: PublicKey) -> None:
        self.members.append(member)
        self.revision += 1


class Owner:
    """State = ids applied; root = their digest. Waiting deltas wait for parents."""

    def __init__(self, me: Identity, members: Iterable[PublicKey]) -> None:
        self.me = me
        self.members = frozenset(members)
        self.senders: dict[PublicKey, PrivateKey] = {}
        self.deltas: dict[DeltaId, OpenDelta] = {}
        self.applied: dict[DeltaId, None] = {}
        self.waiting: dict[DeltaId, OpenDelta] = {}
        self.covered: set[DeltaId] = set()
        self.config = ports.Config()
        self.install: tuple[Hash, tuple[DeltaId, ...], list[ports.Row]] | None = None
        self.views: dict[int, tuple[Hash, tuple[DeltaId, ...], list[ports.Row]]] = {}
        self.handles = itertools.count(1)
        self.refuse: Callable[[OpenDelta], str | None] = lambda delta: None
        self.twist = b""
        """State that no delta explains: with it the root is not that of the applied deltas."""
        self.blobs: dict[BlobId, tuple[BlobId, ...]] = {}
        self.chunks: dict[BlobId, bytes] = {}

    @property
    def root(self) -> Hash:
        if not self.applied:
            return ZERO_ROOT
        return Hash(hashlib.sha256(b"".join(sorted(self.applied)) + self.twist).digest())

    def put_blob(self, *chunks: bytes) -> BlobId:
        """Keep a blob of these chunks."""
        ids = tuple(self.WriteChunk(ports.WriteChunk(chunk)) for chunk in chunks)
        blob_id = BlobId(hashlib.sha256(b"".join(ids)).digest())
        self.blobs[blob_id] = ids
        return blob_id

    @property
    def tips(self) -> tuple[DeltaId, ...]:
        parents = {p for d in self.deltas.values() if d.id in self.applied for p in d.parents}
        return tuple(d for d in self.applied if d not in parents)

    def heads(self) -> Heads:
        known = self.applied.keys() | self.waiting.keys()
        missing = {p: None for d in self.waiting.values() for p in d.parents if p not in known}
        return Heads(self.root, self.tips, len(self.waiting), tuple(missing))

    def write(self, artifact: bytes) -> OpenDelta:
        artifact = len(artifact).to_bytes(4, "little") + artifact
        parents = self.tips or (GENESIS,)
        delta = OpenDelta(
            delta_id(parents, artifact), parents, bytes(24), Hash(bytes(32)), b"\0" + artifact, self.me.public_key
        )
        self._apply(delta)
        return delta

    def _apply(self, delta: OpenDelta) -> None:
        self.deltas[delta.id] = delta
        self.applied[delta.id] = None

    def feed(self, deltas: Iterable[OpenDelta]) -> ports.Applied:
        applied: list[DeltaId] = []
        duplicates: list[DeltaId] = []
        rejected: list[tuple[DeltaId, str]] = []
        for delta in deltas:
            reason = self.refuse(delta)
            if delta.id in self.applied or delta.id in self.waiting:
                duplicates.append(delta.id)
            elif reason is not None or delta_id(delta.parents, delta.artifact[1:]) != delta.id:
                rejected.append((delta.id, reason or "wrong id"))
            else:
                self.waiting[delta.id] = delta
                applied += self._release()
        pending = tuple(d for d in self.waiting)
        return ports.Applied(tuple(applied), pending, tuple(duplicates), tuple(rejected), self.heads())

    def _release(self) -> list[DeltaId]:
        done: list[DeltaId] = []
        while self.applied and (ready := self._ready()):
            for delta in ready:
                del self.waiting[delta.id]
                self._apply(delta)
                done.append(delta.id)
        return done

    def _ready(self) -> list[OpenDelta]:
        return [
            d
            for d in self.waiting.values()
            if all(p in self.applied or p in self.covered or p.is_zero for p in d.parents)
        ]

    # the requests

    def answer(self, request: object) -> object:
        return getattr(self, type(request).__name__)(request)

    def Describe(self, r: ports.Describe) -> object:  # noqa: N802 - named after the request
        return ports.Description(ApplicationId(bytes(32)), self.config, self.heads())

    def ReadKeys(self, r: ports.ReadKeys) -> object:  # noqa: N802
        return Keys(self.members, (self.me,), dict(self.senders))

    def StoreSenderKey(self, r: ports.StoreSenderKey) -> object:  # noqa: N802
        self.senders[r.member] = r.key
        return None

    def GetHeads(self, r: ports.GetHeads) -> object:  # noqa: N802
        return self.heads()

    def ApplyDeltas(self, r: ports.ApplyDeltas) -> object:  # noqa: N802
        return self.feed(r.deltas)

    def UnknownDeltas(self, r: ports.UnknownDeltas) -> object:  # noqa: N802
        return tuple(d for d in r.ids if d not in self.applied and d not in self.waiting and d not in self.covered)

    def ListPending(self, r: ports.ListPending) -> object:  # noqa: N802
        missing = set(self.heads().missing)
        return tuple(
            ports.Waiting(d.id, tuple(p for p in d.parents if p in missing), START, "parents")
            for d in self.waiting.values()
        )

    def GetTreeNodes(self, r: ports.GetTreeNodes) -> object:  # noqa: N802
        raise NotFound("these states are sets, not trees")

    def GetDeltas(self, r: ports.GetDeltas) -> object:  # noqa: N802
        found = (self.deltas.get(d) for d in r.ids)
        return tuple(None if d is None else wire(d) for d in found)

    def OpenSnapshot(self, r: ports.OpenSnapshot) -> object:  # noqa: N802
        if not self.applied:
            raise NotFound("no state")
        handle = next(self.handles)
        rows = sorted((bytes(d), b"v" * 40) for d in self.applied)
        self.views[handle] = (self.root, self.tips, rows)
        return ports.Snapshot(handle, self.root, self.tips, len(rows))

    def ReadSnapshot(self, r: ports.ReadSnapshot) -> object:  # noqa: N802
        if r.handle not in self.views:
            raise NotFound("closed")
        taken: list[ports.Row] = []
        rest = [row for row in self.views[r.handle][2] if r.after is None or row[0] > r.after]
        for row in rest:
            if taken and sum(36 + len(v) for _, v in taken) + 36 + len(row[1]) > r.byte_limit:
                return ports.SnapshotRows(tuple(taken), taken[-1][0])
            taken.append(row)
        return ports.SnapshotRows(tuple(taken), None)

    def CloseSnapshot(self, r: ports.CloseSnapshot) -> object:  # noqa: N802
        self.views.pop(r.handle, None)
        return None

    def BeginInstall(self, r: ports.BeginInstall) -> object:  # noqa: N802
        if self.applied:
            raise StateInconsistency("state is here already")
        self.install = (r.root, r.heads, [])
        return None

    def PutSnapshotRows(self, r: ports.PutSnapshotRows) -> object:  # noqa: N802
        assert self.install is not None
        self.install[2].extend(r.rows)
        return None

    def FinishInstall(self, r: ports.FinishInstall) -> object:  # noqa: N802
        assert self.install is not None
        root, _, rows = self.install
        self.install = None
        if hashlib.sha256(b"".join(key for key, _ in rows)).digest() != root:
            raise StateInconsistency("the rows do not hash to the root")
        for key, _ in rows:
            self.applied[DeltaId(key)] = None
        self._release()
        return self.heads()

    def AbortInstall(self, r: ports.AbortInstall) -> object:  # noqa: N802
        self.install = None
        return None

    def UpdateContext(self, r: ports.UpdateContext) -> object:  # noqa: N802
        self.config = r.config
        if r.members is not None:
            self.members = frozenset(r.members)
        return None

    def ReadAgent(self, r: ports.ReadAgent) -> object:  # noqa: N802
        return "rust-libp2p/0.47.0"

    def ReadApplication(self, r: ports.ReadApplication) -> object:  # noqa: N802
        return ports.Application(ApplicationId(bytes(32)), ports.BlobId(bytes(32)), 0, "")

    def FindApplication(self, r: ports.FindApplication) -> object:  # noqa: N802
        return ports.Application(r.id, ports.BlobId(bytes(32)), 0, "")

    def FindBlob(self, r: ports.FindBlob) -> object:  # noqa: N802
        chunks = self.blobs.get(r.blob_id)
        return None if chunks is None else ports.BlobChunks(sum(len(self.chunks[c]) for c in chunks), chunks)

    def ReadChunk(self, r: ports.ReadChunk) -> object:  # noqa: N802
        return self.chunks[r.chunk_id]

    def WriteChunk(self, r: ports.WriteChunk) -> BlobId:  # noqa: N802
        chunk_id = BlobId(hashlib.sha256(r.data).digest())
        self.chunks[chunk_id] = r.data
        return chunk_id

    def StoreBlob(self, r: ports.StoreBlob) -> object:  # noqa: N802
        self.blobs[r.blob_id] = r.chunks
        return None

    def DropChunks(self, r: ports.DropChunks) -> object:  # noqa: N802
        for chunk_id in r.chunks:
            self.chunks.pop(chunk_id, None)
        return None


def wire(delta: OpenDelta) -> bytes:
    count = len(delta.parents).to_bytes(4, "little")
    return b"".join((delta.id, count, *delta.parents, delta.artifact[1:], delta.hlc, delta.root))


@dataclass
class Node:
    name: str
    manager: SyncManager
    owner: Owner
    up: bool = True
    streams: dict[int, tuple[str, int]] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    blamed: list[Blame] = field(default_factory=list)
    done: list[SyncDone] = field(default_factory=list)
    explained: list[Why] = field(default_factory=list)


class World:
    """Nodes, links between them, and one clock."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.now = START
        self.nodes: dict[str, Node] = {}
        self.registry = Registry()
        self.queue: list[tuple[int, int, Callable[[], None]]] = []
        self.order = itertools.count()
        self.stream_ids = itertools.count(1)
        self.cut: set[tuple[str, str]] = set()
        self.gossip_cut: set[tuple[str, str]] = set()
        self.tamper: Callable[[str, str, bytes], bytes | None] = lambda a, b, data: data
        self.crashes: list[BaseException] = []
        self.frames = 0

    # building

    def add(self, name: str, *, follow: bool = True) -> Node:
        key = PrivateKey(hashlib.sha256(name.encode()).digest())
        me = Identity(ed25519.public_key(key), key, PrivateKey(hashlib.sha256(b"s" + name.encode()).digest()))
        self.registry.add(me.public_key)
        rng = random.Random(self.rng.randrange(1 << 62))
        manager = SyncManager(rng, rng.randbytes, lambda script, error: self.crashes.append(error))
        node = Node(name, manager, Owner(me, self.registry.members))
        self.nodes[name] = node
        if follow:
            self.follow(name)
        return node

    def follow(self, name: str) -> None:
        self.send(name, ContextReady(CONTEXT))

    def meet(self, left: str, right: str) -> None:
        self.send(left, PeerSubscribed(right, CONTEXT))
        self.send(right, PeerSubscribed(left, CONTEXT))

    def write(self, name: str, artifact: bytes) -> OpenDelta:
        delta = self.nodes[name].owner.write(artifact)
        self.send(name, DeltaCommitted(CONTEXT, delta))
        return delta

    def explain(self, name: str) -> dict[str, Any]:
        """What ``why`` says now."""
        node = self.nodes[name]
        self.send(name, WhyWanted(CONTEXT, token=1))
        assert self.run(1, lambda: bool(node.explained))
        return dict(node.explained.pop().explanation)

    # running

    def later(self, delay: int, action: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (self.now + delay, next(self.order), action))

    def send(self, name: str, event: Event) -> None:
        node = self.nodes[name]
        if not node.up:
            return
        for effect in node.manager.receive(event, self.now):
            self._carry_out(node, effect)
        self._arm(node)

    def _arm(self, node: Node) -> None:
        due = node.manager.next_timer
        if due is not None:
            heapq.heappush(self.queue, (max(due, self.now), next(self.order), lambda: self._tick(node, due)))

    def _tick(self, node: Node, due: int) -> None:
        if node.manager.next_timer == due:
            self.send(node.name, Tick())

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        end = self.now + int(seconds * SECOND)
        while self.queue and self.queue[0][0] <= end:
            when, _, action = heapq.heappop(self.queue)
            self.now = max(self.now, when)
            action()
            if self.crashes:
                raise self.crashes[0]
            if until is not None and until():
                return True
        self.now = end
        return until is None

    def converged(self) -> bool:
        roots = {node.owner.root for node in self.nodes.values()}
        return len(roots) == 1 and ZERO_ROOT not in roots

    # carrying out

    def _carry_out(self, node: Node, effect: object) -> None:
        if isinstance(effect, Call):
            self._call(node, effect)
        elif isinstance(effect, CloseStream):
            self._close(node, effect.stream, reset=effect.reset)
        elif isinstance(effect, Blame):
            node.blamed.append(effect)
        elif isinstance(effect, Tell):
            node.notices.append(effect.notice)
        elif isinstance(effect, SyncDone):
            node.done.append(effect)
        elif isinstance(effect, Why):
            node.explained.append(effect)
        else:
            assert isinstance(effect, Credit)

    def _call(self, node: Node, call: Call) -> None:
        request = call.request
        try:
            value = self._answer(node, request)
        except Exception as error:  # noqa: BLE001  # whatever the owner raises goes to the script
            answered = Answered(call.token, None, error)
        else:
            answered = Answered(call.token, value)
        self.later(MILLI // 4, lambda: self.send(node.name, answered))

    def _answer(self, node: Node, request: object) -> object:
        if isinstance(request, ports.OpenStream):
            return self._open(node, request)
        if isinstance(request, ports.SendFrame):
            return self._frame(node, request)
        if isinstance(request, ports.Publish):
            return self._publish(node, request)
        if isinstance(request, ports.Subscribe | ports.Unsubscribe):
            return None
        if isinstance(request, ports.ReadRevisions | ports.ReadMembers):
            return self._registry(request)
        return node.owner.answer(request)

    def _registry(self, request: object) -> object:
        self.registry.reads += 1
        if self.registry.down:
            raise Unreachable("the registry is down")
        if isinstance(request, ports.ReadRevisions):
            return ports.Revisions(0, self.registry.revision)
        return tuple(self.registry.members)

    def _open(self, node: Node, request: ports.OpenStream) -> int:
        peer = request.peer
        other = self.nodes[peer]
        if not other.up or (node.name, peer) in self.cut:
            raise Unreachable(f"{peer} cannot be reached")
        mine, theirs = next(self.stream_ids), next(self.stream_ids)
        node.streams[mine] = (peer, theirs)
        other.streams[theirs] = (node.name, mine)
        self.later(MILLI, lambda: self.send(peer, StreamOpened(theirs, node.name, request.blob)))
        return mine

    def _frame(self, node: Node, request: ports.SendFrame) -> None:
        peer, number = node.streams[request.stream]
        self.frames += 1
        data = self.tamper(node.name, peer, request.data)
        if (node.name, peer) in self.cut or data is None:
            return
        self.later(MILLI, lambda: self.send(peer, FrameReceived(number, data)))

    def _close(self, node: Node, stream: int, *, reset: bool) -> None:
        peer, number = node.streams.pop(stream, ("", 0))
        if peer:
            self.later(MILLI, lambda: self.send(peer, StreamClosed(number, reset)))

    def _publish(self, node: Node, request: ports.Publish) -> int:
        peers = [p for p in self.nodes if p != node.name and self._hears(node.name, p)]
        for peer in peers:
            event = GossipReceived(request.context_id, request.data, node.name)
            self.later(MILLI, lambda peer=peer, event=event: self.send(peer, event))  # type: ignore[misc]
        return len(peers)

    def _hears(self, name: str, peer: str) -> bool:
        known = self.nodes[name].manager.core.peers.of(CONTEXT).get(peer)
        return known is not None and known.subscribed and (name, peer) not in self.cut | self.gossip_cut
