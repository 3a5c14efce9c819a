"""One simulated node: real storage, owner, graph, codec, crypto, gossip router and sync core on a disk in memory.

What the workers do between them is done here by calls with small delays. A crash throws away everything but the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from collections.abc import Callable
from typing import Any, Final

import base58

from node.codec import borsh
from node.context.owner import lifecycle
from node.context.owner.apply import Received
from node.context.owner.execute import Executed
from node.context.owner.host import Host, Runnable
from node.context.owner.owner import ContextOwner
from node.crypto import ed25519
from node.dag.delta import CausalDelta
from node.dag.store import PENDING_LIMIT
from node.errors import CalimeroError, LocalProtocolError, NotFound, StorageError, Unreachable
from node.events import Notice
from node.gossip import (
    Deliver,
    Heartbeat,
    PeerAdded,
    PeerRemoved,
    Publish,
    Published,
    Router,
    RpcReceived,
    Send,
    Subscribe,
    TopicJoined,
    TopicLeft,
    Unsubscribe,
)
from node.gossip.signing import peer_id_of, signer
from node.primitives import BlobId, Hash, PrivateKey, PublicKey
from node.storage.action import Action
from node.storage.hlc import HybridClock
from node.store.base import Batch
from node.store.memory import MemoryDisk, MemoryStore, Point
from node.store.values import ContextConfig, ContextIdentity
from node.sync import ports as p
from node.sync.events import (
    Answered,
    Blame,
    CloseStream,
    ContextReady,
    Credit,
    DeltaCommitted,
    Event,
    GossipReceived,
    PeerGone,
    PeerSubscribed,
    PeerUnsubscribed,
    Tell,
    Tick,
    Why,
)
from node.sync.kernel import Call
from node.sync.manager import SyncManager
from tests.simulation.clock import MILLI, SECOND, Timeline
from tests.simulation.guest import MapGuest
from tests.simulation.links import Links
from tests.simulation.registry import APPLICATION, BLOB, CONFIG, CONTEXT, Registry

TOPIC: Final = str(CONTEXT)
ACTION: Final[borsh.Codec[Action]] = borsh.codec(Action)
RETRY: Final = 5 * SECOND
"""As the runtime worker's."""

RUNNABLE: Final = Runnable(Hash(hashlib.sha256(BLOB).digest()), lambda: BLOB)


class Crash(BaseException):
    """The process dies here."""


class Station:
    """Node ``number``. ``watch`` is told after every step of the owner; ``told`` hears notices."""

    def __init__(
        self,
        number: int,
        seed: int,
        timeline: Timeline,
        links: Links,
        registry: Registry,
        guest: MapGuest,
        watch: Callable[[Station], None],
        told: Callable[[Station, Notice], None],
    ) -> None:
        self.number = number
        self.seed = seed
        self.time = timeline
        self.links = links
        self.registry = registry
        self.guest = guest
        self.watch = watch
        self.told = told
        self.rng = random.Random(f"{seed}/{number}")
        self._node_seed = hashlib.sha256(b"node %d" % number).digest()
        public = ed25519.public_key(PrivateKey(self._node_seed))
        self._peer_id = peer_id_of(public)
        self.peer = base58.b58encode(self._peer_id).decode()
        self.private = PrivateKey(hashlib.sha256(b"member %d" % number).digest())
        self.member = PublicKey(ed25519.public_key(self.private))
        self.keys = ContextIdentity(self.private, PrivateKey(hashlib.sha256(b"sender %d" % number).digest()))
        self.disk = MemoryDisk()
        self.up = False
        self.life = 0
        self.skew = 0
        self.slow = 0
        self.blobs: dict[BlobId, bytes] = {}
        self.installed = True
        self.pending_limit = PENDING_LIMIT
        self.fault: Point | None = None
        self.owner: ContextOwner | None = None
        self.crashes: list[BaseException] = []
        self.explained: list[Why] = []

    # life

    def create(self) -> None:
        """Make the context here."""
        store = MemoryStore(self.disk)
        host = self._host()
        clock = HybridClock(self.wall, self.number + 1)
        staged = lifecycle.initialise(CONTEXT, APPLICATION, RUNNABLE, self.member, self.keys, b"{}", host, clock)
        lifecycle.commit_created(store, staged, CONFIG)
        store.close()

    def adopt(self) -> None:
        """Join the context: members and own identity, no state yet."""
        store = MemoryStore(self.disk)
        try:
            lifecycle.adopt(store, CONTEXT, APPLICATION, CONFIG, self.registry.members, self.member, self.keys)
        finally:
            store.close()

    def boot(self) -> None:
        """Start the process on the disk as it is."""
        self.up = True
        self.life += 1
        self.store = MemoryStore(self.disk, fault=self._fault)
        self.limit = self.pending_limit
        self.owner = ContextOwner(
            CONTEXT,
            self.store,
            self._host(),
            HybridClock(self.wall, self.number + 1),
            pending_limit=self.pending_limit,
        )
        self.router = Router(
            self._peer_id, signer(self._node_seed), started=self.time.now, rng=random.Random(self.rng.random())
        )
        core = random.Random(self.rng.random())
        self.manager = SyncManager(core, core.randbytes, lambda script, error: self.crashes.append(error))
        self.neighbours: list[str] = []
        self._due: int | None = None
        self._working = False
        if not self._resumed():
            return
        self._router(Subscribe(TOPIC))
        self.event(ContextReady(CONTEXT))
        self._beat(self.life)
        self.time.later(RETRY, lambda life=self.life: self._retry(life))  # type: ignore[misc]

    def _resumed(self) -> bool:
        """Try again what waited when the process ended; a full disk keeps it from starting."""
        try:
            self._guarded(self.here.resume)
        except Crash:
            return False
        except StorageError:
            self.crashed()
            return False
        return True

    def die(self) -> None:
        """The process is gone; the disk stays."""
        self.up = False
        self.life += 1
        self.store.close()
        self.owner = None
        self.fault = None
        self.links.drop_node(self.number)

    def wall(self) -> int:
        """This node's idea of the time."""
        return self.time.now + self.skew

    def _host(self) -> Host:
        return Host(self.guest, lambda app: RUNNABLE if self.installed else None, self.wall, self.rng.randbytes)

    def _fault(self, point: Point, batch: Batch) -> None:
        if self.fault == point and batch.changes:
            raise Crash

    def _guarded(self, work: Callable[[], Any]) -> Any:
        """Run the owner; a crash inside ends the process."""
        try:
            result = work()
        except Crash:
            self.crashed()
            raise
        self.watch(self)
        return result

    def crashed(self) -> None:
        self.die()
        self.time.later(SECOND // 2 + self.rng.randrange(3 * SECOND), self.boot)

    # calls

    def execute(self, method: str, args: object) -> Executed | None:
        """A client's call; None if the node is down or dies before it answers. Raises :class:`CalimeroError`."""
        if not self.up or self.owner is None:
            return None
        owner = self.owner
        try:
            done: Executed = self._guarded(lambda: owner.execute(method, json.dumps(args).encode(), self.member))
        except Crash:
            return None
        if done.delta is not None:
            self._committed(done.delta)
        return done

    def _committed(self, delta: CausalDelta) -> None:
        opened = p.OpenDelta(
            delta.id,
            delta.parents,
            delta.hlc,
            delta.expected_root_hash,
            b"\0" + delta.payload,
            self.member,
            delta.events,
        )
        life = self.life
        self.time.later(MILLI, lambda: self.event(DeltaCommitted(CONTEXT, opened)) if life == self.life else None)

    def take(self, delta: CausalDelta) -> bool:
        """Apply a delta of our own making, as if it had been written here."""
        owner = self.here
        try:
            report = self._guarded(lambda: owner.apply([Received(delta, self.member)], "self"))
        except (Crash, CalimeroError):
            return False
        return delta.id in report.applied

    def merge(self, action: Action) -> bool:
        """Change the state without a delta."""
        owner = self.here
        try:
            self._guarded(lambda: owner.merge([ACTION.encode(action)]))
        except (Crash, CalimeroError):
            return False
        return True

    def publish(self, data: bytes) -> None:
        """Gossip whatever this is, if it fits."""
        with contextlib.suppress(LocalProtocolError):
            self._publish(data)

    # the sync core

    def event(self, event: Event) -> None:
        """Hand an event to the sync core and carry out what it wants."""
        if not self.up:
            return
        life = self.life
        for effect in self.manager.receive(event, self.time.now):
            if self.life != life:
                return
            self._perform(effect)
        if self.life == life:
            self._arm()

    def _perform(self, effect: object) -> None:
        if isinstance(effect, Call):
            self._call(effect)
        elif isinstance(effect, CloseStream):
            self.links.close_stream(effect.stream, reset=effect.reset)
        elif isinstance(effect, Tell):
            self.told(self, effect.notice)
        elif isinstance(effect, Why):
            self.explained.append(effect)
        else:
            assert isinstance(effect, Credit | Blame)

    def _arm(self) -> None:
        due = self.manager.next_timer
        if due is None or due == self._due:
            return
        self._due = due
        life = self.life
        self.time.at(due, lambda: self._tick(life, due))

    def _tick(self, life: int, due: int) -> None:
        if self.up and self.life == life and self._due == due:
            self._due = None
            self.event(Tick())

    def _call(self, call: Call) -> None:
        request = call.request
        if isinstance(request, p.OpenStream):
            self._open(call.token, request.peer)
            return
        delay = MILLI // 5
        try:
            value, error = self._answer(request), None
        except Crash:
            return
        except CalimeroError as failure:
            value, error = None, failure
        if isinstance(request, p.ApplyDeltas):
            delay += self.slow
        self._reply(call.token, value, error, delay)

    def _reply(self, token: int, value: object, error: BaseException | None, delay: int) -> None:
        life = self.life

        def arrive() -> None:
            if self.life == life:
                self.event(Answered(token, value, error))

        self.time.later(delay, arrive)

    def _open(self, token: int, peer: str) -> None:
        def done(number: int | None) -> None:
            error = None if number is not None else Unreachable(f"{peer} cannot be reached")
            self._reply(token, number, error, 0)

        self.links.open_stream(self.number, self.links.number_of(peer), done)

    def _answer(self, request: object) -> object:
        if isinstance(request, p.SendFrame):
            if not self.links.send_frame(self.number, request.stream, request.data):
                raise Unreachable("the stream is gone")
            return None
        if isinstance(request, p.Publish):
            return self._publish(request.data)
        if isinstance(request, p.Subscribe | p.Unsubscribe):
            return self._follow(isinstance(request, p.Subscribe))
        handler = getattr(self, f"on_{type(request).__name__}")
        return self._guarded(lambda: handler(request))

    # gossip

    def _beat(self, life: int) -> None:
        if self.up and self.life == life:
            self._router(Heartbeat())
            self.time.later(SECOND, lambda: self._beat(life))

    def _retry(self, life: int) -> None:
        """As the worker does: what waits for a disk or an application is tried again from time to time."""
        if not self.up or self.life != life:
            return
        try:
            if self.here.state.dag_loaded and self.here.state.dag.pending_count:
                self._guarded(self.here.resume)
                self._work_soon()
        except Crash:
            return
        except StorageError:
            pass  # full still
        self.time.later(RETRY, lambda: self._retry(life))

    def connected(self, peer: str, *, outbound: bool) -> None:
        self.neighbours.append(peer)
        self._router(PeerAdded(peer, outbound=outbound))

    def disconnected(self, peer: str) -> None:
        self.neighbours.remove(peer)
        self._router(PeerRemoved(peer))
        self.event(PeerGone(peer))

    def gossip_frame(self, peer: str, body: bytes) -> None:
        self._router(RpcReceived(peer, body))

    def _publish(self, data: bytes) -> int:
        return self._router(Publish(TOPIC, data))

    def _follow(self, wanted: bool) -> None:
        if not wanted:
            self._router(Unsubscribe(TOPIC))
            return
        for peer in self.neighbours:
            if TOPIC in self.router.topics_of(peer):
                self.event(PeerSubscribed(peer, CONTEXT))

    def _router(self, event: Any) -> int:
        published = 0
        life = self.life
        for effect in self.router.receive(event, self.time.now):
            if self.life != life:
                return published
            if isinstance(effect, Send):
                self.links.send_gossip(self.number, self.links.number_of(effect.peer), effect.frame)
            elif isinstance(effect, Deliver):
                self.event(GossipReceived(CONTEXT, effect.data, effect.source))
            elif isinstance(effect, TopicJoined):
                self.event(PeerSubscribed(effect.peer, CONTEXT))
            elif isinstance(effect, TopicLeft):
                self.event(PeerUnsubscribed(effect.peer, CONTEXT))
            elif isinstance(effect, Published):
                published = effect.peers
        return published

    # what the owner is asked

    @property
    def here(self) -> ContextOwner:
        if self.owner is None:
            raise NotFound("the node is down")
        return self.owner

    def _heads(self) -> p.Heads:
        view = self.here.heads()
        return p.Heads(view.root, view.heads, view.pending, tuple(view.missing))

    def on_Describe(self, r: p.Describe) -> p.Description:  # noqa: N802 - named after the request
        config = self.here.state.config or ContextConfig("", "", "", "", 0, 0)
        made = p.Config(
            config.protocol,
            config.network,
            config.contract,
            config.proxy_contract,
            config.application_revision,
            config.members_revision,
        )
        return p.Description(self.here.state.meta.application_id, made, self._heads())

    def on_ReadKeys(self, r: p.ReadKeys) -> p.Keys:  # noqa: N802
        people = self.here.keys()
        owned = tuple(
            p.Identity(key, keys.private_key, keys.sender_key) for key, keys in people.items() if keys.private_key
        )
        senders = {key: keys.sender_key for key, keys in people.items() if keys.sender_key}
        return p.Keys(frozenset(people), owned, senders)

    def on_StoreSenderKey(self, r: p.StoreSenderKey) -> None:  # noqa: N802
        self.here.store_sender_key(r.member, r.key)

    def on_GetHeads(self, r: p.GetHeads) -> p.Heads:  # noqa: N802
        return self._heads()

    def on_ApplyDeltas(self, r: p.ApplyDeltas) -> p.Applied:  # noqa: N802
        received = [
            Received(CausalDelta(d.id, d.parents, d.artifact[1:], d.hlc, d.root, d.events), d.author) for d in r.deltas
        ]
        report = self.here.apply(received, r.source, limit=8)
        self._work_soon()
        return p.Applied(
            tuple(report.applied),
            tuple(report.pending),
            tuple(report.duplicates),
            tuple(report.rejected),
            self._heads(),
        )

    def _work_soon(self) -> None:
        """Released deltas and owed handlers, a slice at a time, as a runtime worker does."""
        if self._working or not self.here.busy:
            return
        self._working = True
        life = self.life
        self.time.later(MILLI + self.slow // 10, lambda: self._work(life))

    def _work(self, life: int) -> None:
        if not self.up or self.life != life:
            return
        self._working = False
        owner = self.here
        try:
            self._guarded(lambda: owner.work(self._made, 8))
        except Crash:
            return
        except StorageError:
            return
        self._work_soon()

    def _made(self, done: Executed) -> None:
        if done.delta is not None:
            self._committed(done.delta)

    def on_UnknownDeltas(self, r: p.UnknownDeltas) -> tuple[Any, ...]:  # noqa: N802
        dag = self.here.state.dag
        return tuple(delta_id for delta_id in r.ids if delta_id not in dag)

    def on_GetDeltas(self, r: p.GetDeltas) -> tuple[bytes | None, ...]:  # noqa: N802
        return tuple(self.here.wire_deltas(r.ids))

    def on_SamplePast(self, r: p.SamplePast) -> tuple[bytes, ...]:  # noqa: N802
        return self.here.repair.sample()

    def on_GetLacking(self, r: p.GetLacking) -> tuple[bytes, ...]:  # noqa: N802
        return tuple(self.here.repair.lacking(r.have, r.limit, r.max_bytes))

    def on_ListPending(self, r: p.ListPending) -> tuple[p.Waiting, ...]:  # noqa: N802
        return tuple(p.Waiting(w.id, tuple(w.missing), w.since_ns, w.waits_for, w.error) for w in self.here.pending())

    def on_OpenSnapshot(self, r: p.OpenSnapshot) -> p.Snapshot:  # noqa: N802
        handle, view = self.here.snapshots.open()
        return p.Snapshot(handle, view.root, view.heads, view.rows)

    def on_ReadSnapshot(self, r: p.ReadSnapshot) -> p.SnapshotRows:  # noqa: N802
        rows, following = self.here.snapshots.read(r.handle, r.after, r.byte_limit)
        return p.SnapshotRows(tuple(rows), following)

    def on_CloseSnapshot(self, r: p.CloseSnapshot) -> None:  # noqa: N802
        self.here.snapshots.close(r.handle)

    def on_BeginInstall(self, r: p.BeginInstall) -> None:  # noqa: N802
        self.here.installer.begin(r.root, r.heads)

    def on_PutSnapshotRows(self, r: p.PutSnapshotRows) -> None:  # noqa: N802
        self.here.installer.put(r.rows)

    def on_FinishInstall(self, r: p.FinishInstall) -> p.Heads:  # noqa: N802
        view = self.here.finish_install()
        self._work_soon()
        return p.Heads(view.root, view.heads, view.pending, tuple(view.missing))

    def on_AbortInstall(self, r: p.AbortInstall) -> None:  # noqa: N802
        self.here.installer.abort()

    def on_GetTreeNodes(self, r: p.GetTreeNodes) -> p.Tree:  # noqa: N802
        return p.Tree(tuple(self.here.tree.nodes(r.node, r.depth)), self.here.state.meta.root_hash)

    def on_ApplyLeaves(self, r: p.ApplyLeaves) -> p.Heads:  # noqa: N802
        self.here.merge(list(r.leaves))
        return self._heads()

    def on_ReadPlaces(self, r: p.ReadPlaces) -> object:  # noqa: N802
        return self.root, tuple(self.here.repair.places(r.entities))

    def on_ReadBuckets(self, r: p.ReadBuckets) -> object:  # noqa: N802
        return self.root, tuple(self.here.repair.buckets_of(r.wanted))

    def on_ReadRows(self, r: p.ReadRows) -> object:  # noqa: N802
        return self.root, tuple(tuple(rows) for rows in self.here.repair.rows_of(r.parts))

    def on_AdoptHeads(self, r: p.AdoptHeads) -> p.Heads:  # noqa: N802
        self.here.adopt_heads(r.root, r.heads)
        self._work_soon()
        return self._heads()

    def on_ReadAgent(self, r: p.ReadAgent) -> str:  # noqa: N802
        late = not (self.seed + self.number) % 3 and self.time.elapsed < 30  # an agent may become known late
        return "" if late else "calimero-py/sim"

    # registry, application, blobs

    def on_ReadRevisions(self, r: p.ReadRevisions) -> p.Revisions:  # noqa: N802
        return p.Revisions(0, self.registry.read().revision)

    def on_ReadMembers(self, r: p.ReadMembers) -> tuple[PublicKey, ...]:  # noqa: N802
        return tuple(self.registry.read().members)

    def on_ReadApplication(self, r: p.ReadApplication) -> p.Application:  # noqa: N802
        self.registry.read()
        return self.registry.application

    def on_UpdateContext(self, r: p.UpdateContext) -> None:  # noqa: N802
        c = r.config
        config = ContextConfig(
            c.protocol, c.network, c.contract, c.proxy_contract, c.application_revision, c.members_revision
        )
        self.here.update(config, r.members)

    def on_FindApplication(self, r: p.FindApplication) -> p.Application | None:  # noqa: N802
        return self.registry.application if self.installed else None

    def on_FindBlob(self, r: p.FindBlob) -> p.BlobChunks | None:  # noqa: N802
        if not self.installed or r.blob_id != self.registry.application.blob_id:
            return None
        return p.BlobChunks(len(BLOB), (BlobId(hashlib.sha256(BLOB).digest()),))

    def on_ReadChunk(self, r: p.ReadChunk) -> bytes:  # noqa: N802
        return BLOB

    def on_WriteChunk(self, r: p.WriteChunk) -> BlobId:  # noqa: N802
        chunk = BlobId(hashlib.sha256(r.data).digest())
        self.blobs[chunk] = r.data
        return chunk

    def on_StoreBlob(self, r: p.StoreBlob) -> None:  # noqa: N802
        assert b"".join(self.blobs[chunk] for chunk in r.chunks) == BLOB

    def on_DropChunks(self, r: p.DropChunks) -> None:  # noqa: N802
        self.blobs.clear()

    def on_InstallApplication(self, r: p.InstallApplication) -> None:  # noqa: N802
        self.installed = True
        self.here.resume()
        self._work_soon()

    # looking

    def read(self, key: str) -> object:
        """The value of a key."""
        done = self.here.execute("get", json.dumps(key).encode(), self.member)
        return json.loads(done.returns or b"null")

    @property
    def root(self) -> Hash:
        return self.here.state.meta.root_hash
