"""Defects of the reference's sync and gossip, by number, between machines in virtual time: none of them is here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from node.context.owner.repair import Part
from node.errors import RemoteProtocolError
from node.primitives import ZERO_ROOT, BlobId, ContextId, DeltaId, EntityId, Hash
from node.sync import deltas, followed, ports, serve_snapshot
from node.sync.core import Settings
from node.sync.events import GossipReceived, Tick
from node.sync.gossip import BATCH, HEARTBEAT_GAP
from node.sync.kernel import SECOND, Call
from node.sync.schedule import IMPATIENCE
from node.sync.serve import REQUESTS
from node.sync.streams import Link
from node.sync.wire import (
    DagHeadsRequest,
    DagHeadsResponse,
    DeltaRequest,
    HashHeartbeat,
    Init,
    InitBlobShare,
    InitPayload,
    LackingRequest,
    LevelWiseRequest,
    Message,
    OpaqueError,
    SnapshotBoundaryRequest,
    SnapshotPage,
    SnapshotStreamRequest,
    TreeBucketsRequest,
    TreeNodeRequest,
    TreePlacesRequest,
    TreeRowsRequest,
    encode_broadcast,
)
from tests.node.sync.world import CONTEXT, MILLI, Node, World, delta_id

NEVER = -1


class Loaded(World):
    """``delay`` says how many ns a request to the owner or the network takes besides; NEVER: it is not answered."""

    def __init__(self) -> None:
        super().__init__()
        self.delay: Callable[[str, object], int] = lambda name, request: 0
        self.asked: list[tuple[str, object]] = []

    def _call(self, node: Node, call: Call) -> None:
        self.asked.append((node.name, call.request))
        delay = self.delay(node.name, call.request)
        if delay > 0:
            self.later(delay, lambda: World._call(self, node, call))
        elif delay == 0:
            super()._call(node, call)

    def requests(self, name: str, kind: type) -> list[Any]:
        """What a node asked of its owner or the network."""
        return [request for node, request in self.asked if node == name and isinstance(request, kind)]

    def counted(self, name: str) -> dict[str, int]:
        return self.nodes[name].manager.core.context(CONTEXT).counters.counts

    def outcomes(self, name: str) -> list[tuple[object, object]]:
        """Peer and outcome of every session of a node."""
        ended = [n for n in self.nodes[name].notices if (n.kind, n.name) == ("sync", "ended")]
        return [(n.fields["peer"], n.fields["outcome"]) for n in ended]

    def script(self, name: str, peer: str, work: Callable[[Link], Awaitable[Any]]) -> Any:
        """Run a script of a test on a stream from one node to another."""
        node, results = self.nodes[name], []

        async def run() -> None:
            link = await node.manager.core.streams.open(peer)
            results.append(await work(link))
            link.close()

        node.manager.core.kernel.spawn(run(), "test")
        self.send(name, Tick())
        assert self.run(60, lambda: bool(results))
        return results[0]

    def as_member(self, name: str, payload: InitPayload, context: ContextId = CONTEXT) -> Init:
        """A request in the name of the member that a node is."""
        return Init(context, self.nodes[name].owner.me.public_key, payload, bytes(12))


def pair() -> Loaded:
    """Two nodes with one state, and no session about to start."""
    world = Loaded()
    world.add("a").owner.write(b"genesis")
    world.add("b")
    world.run(1)
    world.meet("a", "b")
    assert world.run(5, world.converged)
    world.run(3)
    world.asked.clear()
    return world


def cut_off(world: World, writes: int, name: str = "a", peer: str = "b") -> list[DeltaId]:
    """Writes of one node that the other does not hear of."""
    world.gossip_cut = {(name, peer)}
    made = [world.write(name, b"unheard %d" % number).id for number in range(writes)]
    world.run(0.01)
    world.gossip_cut = set()
    return made


def ask(*requests: Init) -> Callable[[Link], Awaitable[list[Any]]]:
    """Send requests one after another; the answers."""

    async def work(link: Link) -> list[Any]:
        answers = []
        for request in requests:
            await link.send(request)
            answers.append(await link.receive(SECOND))
        return answers

    return work


# -- the graph


def test_defect_d14_an_apply_that_outlives_its_session_is_seen_by_the_next() -> None:
    """A limit around an apply ends the session and not the apply: what is committed late counts, and counts once."""
    world = pair()
    settings = Settings(session=2 * SECOND)
    world.nodes["b"].manager.core.settings = settings
    lost = cut_off(world, 3)
    late = [5 * SECOND]
    world.delay = lambda name, request: (
        late.pop() if late and isinstance(request, ports.ApplyDeltas) and name == "b" else 0
    )
    world.write("a", b"heard")
    world.run(4.5)
    assert ("a", "interrupted") in world.outcomes("b") or not world.converged()
    assert world.run(30, world.converged)
    owner = world.nodes["b"].owner
    assert set(lost) <= owner.applied.keys()
    assert len(owner.applied) == len(world.nodes["a"].owner.applied)
    assert not owner.waiting


def test_defect_d15_missing_parents_are_asked_for_while_the_roots_are_equal() -> None:
    """What waits is looked for until it is found, although nothing else tells the two states apart."""
    world = pair()
    (lost,) = cut_off(world, 1)
    hidden = world.nodes["a"].owner.deltas.pop(lost)
    world.write("a", b"heard")
    world.run(20)
    assert world.nodes["b"].owner.heads().missing == (lost,)
    asked = len([r for r in world.requests("a", ports.GetDeltas) if r.ids == (lost,)])
    assert asked >= 3
    world.nodes["a"].owner.deltas[lost] = hidden
    assert world.run(12, world.converged)


def test_defect_d16_a_walk_asks_for_many_at_once() -> None:
    """A round trip brings a pipeline of deltas, not one."""
    world = pair()
    owner = world.nodes["a"].owner
    sides = [ports.OpenDelta(*branch) for branch in branches(owner.write(b"fork").parents, 4 * deltas.PIPELINE)]
    for side in sides:
        owner._apply(side)
    most, open_now = 0, 0

    def count(source: str, target: str, data: bytes) -> bytes:
        nonlocal most, open_now
        if source == "b":
            open_now += 1
            most = max(most, open_now)
        elif source == "a":
            open_now = max(0, open_now - 1)
        return data

    world.tamper = count
    world.write("a", b"joins them all")
    assert world.run(30, world.converged)
    assert most >= deltas.PIPELINE / 2


def branches(parents: tuple[DeltaId, ...], count: int) -> Iterable[tuple[Any, ...]]:
    for number in range(count):
        artifact = len(b"side %d" % number).to_bytes(4, "little") + b"side %d" % number
        yield delta_id(parents, artifact), parents, bytes(24), Hash(bytes(32)), b"\0" + artifact, None


def test_defect_d16_a_walk_without_end_is_cut_and_goes_on_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that names fresh parents for ever is left after so many; an honest long history goes on there."""
    monkeypatch.setattr(deltas, "MAX_WALK", 50)
    walks: list[deltas.Walk] = []
    fetch = deltas.fetch

    async def noted(*arguments: Any) -> deltas.Walk:
        walks.append(await fetch(*arguments))
        return walks[-1]

    monkeypatch.setattr(deltas, "fetch", noted)
    world = pair()
    cut_off(world, 400)
    world.write("a", b"heard")
    assert world.run(60, world.converged)
    assert {walk.fetched for walk in walks} == {50}
    assert len(world.requests("a", ports.GetDeltas)) == 400


def test_defect_d17_another_delta_than_asked_for_is_not_stored() -> None:
    world = pair()
    lost, decoy = cut_off(world, 2)
    owner = world.nodes["a"].owner
    true, owner.deltas[lost] = owner.deltas[lost], owner.deltas[decoy]
    world.write("a", b"heard")
    world.run(3)
    assert lost not in world.nodes["b"].owner.applied
    assert ("sync-protocol", 20) in {(blame.reason, blame.cost) for blame in world.nodes["b"].blamed}
    owner.deltas[lost] = true
    assert world.run(60, world.converged)


def test_defect_d21_a_context_has_one_apply_in_flight_and_a_bounded_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.sync.gossip.MAX_INCOMING", 100)
    world = pair()
    world.delay = lambda name, request: NEVER if name == "b" and isinstance(request, ports.ApplyDeltas) else 0
    for number in range(300):
        world.write("a", b"flood %d" % number)
    world.run(2)
    gossiped = [r for r in world.requests("b", ports.ApplyDeltas) if r.deltas[0].author is not None]
    assert len(gossiped) == 1
    assert len(gossiped[0].deltas) <= BATCH
    context = world.nodes["b"].manager.core.context(CONTEXT)
    assert len(context.incoming) == 100
    assert world.counted("b")["gossip dropped"] == 300 - 100 - len(gossiped[0].deltas)


# -- authenticity


def test_defect_a1_a_delta_of_a_connection_that_proved_nothing_is_only_held() -> None:
    """A delta of 0.10.0 has no signature; the connection that brings it has to prove a membership first."""
    world = pair()
    b = world.nodes["b"].manager.core
    b.peers.doubt(CONTEXT, "a")
    world.cut = {("b", "a")}  # no proof can be had
    world.write("a", b"from a connection without a proof")
    world.run(1)
    assert not world.converged()
    assert not world.requests("b", ports.ApplyDeltas)
    assert len(b.context(CONTEXT).sealed) == 1
    world.cut = set()
    assert world.run(15, world.converged)
    assert b.peers.has_proved(CONTEXT, "a", b.context(CONTEXT).members)


SERVED: dict[type, InitPayload] = {
    DeltaRequest: DeltaRequest(CONTEXT, DeltaId(b"\x01" * 32)),
    SnapshotBoundaryRequest: SnapshotBoundaryRequest(CONTEXT, None),
    SnapshotStreamRequest: SnapshotStreamRequest(CONTEXT, Hash(b"\x01" * 32), 1, 1000, None),
    TreeNodeRequest: TreeNodeRequest(CONTEXT, bytes(32), None),
    LevelWiseRequest: LevelWiseRequest(CONTEXT, 0, None),
    InitBlobShare: InitBlobShare(BlobId(b"\x01" * 32)),
    LackingRequest: LackingRequest(CONTEXT, (), 10),
    TreeBucketsRequest: TreeBucketsRequest(CONTEXT, (EntityId(CONTEXT),)),
    TreeRowsRequest: TreeRowsRequest(CONTEXT, (Part(EntityId(CONTEXT), 0, (0,)),)),
    TreePlacesRequest: TreePlacesRequest(CONTEXT, (EntityId(CONTEXT),)),
}


def test_defect_a5_whoever_only_names_a_member_is_served_no_state() -> None:
    world = pair()
    world.add("x", follow=False)
    assert {kind for kind, entry in REQUESTS.items() if entry.proof} == SERVED.keys()
    world.asked.clear()
    for payload in SERVED.values():
        (answer,) = world.script("x", "a", ask(world.as_member("b", payload)))
        assert isinstance(answer, OpaqueError), payload
    reads = [request for name, request in world.asked if name == "a" and not isinstance(request, ports.SendFrame)]
    assert reads == []
    refused = [n.fields["reason"] for n in world.nodes["a"].notices if n.name == "request refused"]
    assert len(refused) == len(SERVED)
    assert all("did not prove a membership" in str(reason) for reason in refused)


def test_defect_a6_heartbeats_start_bounded_work_only() -> None:
    """A flood of false heartbeats starts one session per gap, and what they claim is compared with the peer first."""
    world = pair()
    sessions = len(world.outcomes("b"))
    for number in range(500):
        beat = HashHeartbeat(CONTEXT, Hash(b"\x09" * 32), (DeltaId(number.to_bytes(32, "big")),))
        event = GossipReceived(CONTEXT, encode_broadcast(beat), "a")
        world.later(number * 10 * MILLI, lambda event=event: world.send("b", event))  # type: ignore[misc]
    world.run(5)
    assert len(world.outcomes("b")) - sessions <= 5 * SECOND // HEARTBEAT_GAP + 1
    assert world.counted("b")["heartbeats postponed"] > 400
    assert world.converged()
    assert {outcome for _, outcome in world.outcomes("b")} == {"in sync"}


def test_defect_a7_a_peer_whose_member_left_is_not_asked_for_its_state() -> None:
    """Leaves of a tree carry no author; the peer that sends them must be a member at the session."""
    world = pair()
    gone = world.nodes["a"].owner.me.public_key
    world.registry.members.remove(gone)
    world.registry.revision += 1
    world.run(40)
    world.write("a", b"after it left")
    world.run(40)
    assert not world.converged()
    assert world.outcomes("b")[-1] == ("a", "failed")
    sessions = [n.fields["detail"] for n in world.nodes["b"].notices if (n.kind, n.name) == ("sync", "ended")]
    assert "is not a member of context" in str(sessions[-1])
    kinds = {type(request) for name, request in world.asked if name == "b"}
    assert not kinds & {ports.ApplyLeaves, ports.BeginInstall}


# -- sessions


def test_defect_y2_a_session_succeeds_only_with_equal_roots() -> None:
    world = pair()
    world.nodes["b"].owner.twist = b"a state that no delta explains"
    before = len(world.outcomes("b"))
    world.run(60)
    assert not world.converged()
    later = world.outcomes("b")[before:]
    assert later
    assert "in sync" not in {outcome for _, outcome in later}


def test_defect_y15_limits_of_a_peer_are_clamped() -> None:
    world = pair()
    for number in range(100):
        world.write("a", b"w%d" % number)
    world.run(2)
    root = world.nodes["a"].owner.root
    wish = SnapshotStreamRequest(CONTEXT, root, 2**16 - 1, 1, None)
    for request, pages in (
        (wish, serve_snapshot.MAX_PAGE_LIMIT),
        (SnapshotStreamRequest(CONTEXT, root, 0, 2**32 - 1, None), 1),
    ):
        world.asked.clear()
        found = world.script("b", "a", burst(world.as_member("b", request)))
        assert len(found) == found[0].page_count == pages
        limits = {read.byte_limit for read in world.requests("a", ports.ReadSnapshot)}
        assert limits <= {1, serve_snapshot.MAX_BYTE_LIMIT}


def burst(request: Init) -> Callable[[Link], Awaitable[list[SnapshotPage]]]:
    async def work(link: Link) -> list[SnapshotPage]:
        await link.send(request)
        pages = [await link.expect(SnapshotPage, SECOND)]
        while len(pages) < pages[0].page_count:
            pages.append(await link.expect(SnapshotPage, SECOND))
        return pages

    return work


def test_defect_y16_a_burst_is_read_page_by_page_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read from where the last burst ended, and never more of them than the burst sends."""
    monkeypatch.setattr(serve_snapshot, "MAX_BURST", 800)
    world = pair()
    for number in range(200):
        world.write("a", b"w%d" % number)
    world.run(2)
    world.asked.clear()
    root = world.nodes["a"].owner.root
    request = SnapshotStreamRequest(CONTEXT, root, 64, 200, None)
    found = world.script("b", "a", burst(world.as_member("b", request)))
    reads = world.requests("a", ports.ReadSnapshot)
    assert len(found) == len(reads) == 4
    assert all(page.uncompressed_len <= 200 for page in found)
    again = SnapshotStreamRequest(CONTEXT, root, 64, 200, found[-1].cursor)
    world.script("b", "a", burst(world.as_member("b", again)))
    assert world.requests("a", ports.ReadSnapshot)[4].after == found[-1].cursor


def test_defect_y19_a_wedged_session_ends_and_its_late_results_are_ignored() -> None:
    """The owner answers nothing for a while; then it answers the session that is long over."""
    world = Loaded()
    world.add("a").owner.write(b"genesis")
    joiner = world.add("b")
    joiner.manager.core.settings = Settings(session=3 * SECOND)
    stuck = [20 * SECOND]
    world.delay = lambda name, request: stuck.pop() if stuck and isinstance(request, ports.PutSnapshotRows) else 0
    joiner.owner.PutSnapshotRows = late(joiner.owner.PutSnapshotRows)  # type: ignore[method-assign,assignment]
    world.run(1)
    world.meet("a", "b")
    assert world.run(15, world.converged)
    outcomes = [outcome for _, outcome in world.outcomes("b")]
    assert outcomes[0] == "interrupted"
    world.run(30)
    assert world.converged()
    assert ("a", "in sync") in world.outcomes("b")
    generations = [n.fields["generation"] for n in joiner.notices if (n.kind, n.name) == ("sync", "started")]
    assert generations == list(range(1, len(generations) + 1))
    assert not world.crashes


def late(put: Callable[[ports.PutSnapshotRows], object]) -> Callable[[ports.PutSnapshotRows], object]:
    """Rows for an install that was aborted meanwhile are refused, as the owner does."""

    def checked(request: ports.PutSnapshotRows) -> object:
        try:
            return put(request)
        except AssertionError:
            raise RemoteProtocolError("no install is under way", score=0) from None

    return checked


def test_defect_y20_a_long_apply_delays_nobody_else() -> None:
    """While the owner of a context is at an apply, its node answers peers and takes gossip in."""
    world = pair()
    world.delay = lambda name, request: 30 * SECOND if name == "b" and isinstance(request, ports.ApplyDeltas) else 0
    world.write("a", b"slow to apply")
    world.run(0.1)
    started = world.now
    (answer,) = world.script("a", "b", ask(world.as_member("a", DagHeadsRequest(CONTEXT))))
    assert isinstance(answer, Message)
    assert isinstance(answer.payload, DagHeadsResponse)
    world.write("a", b"heard while it is applied")
    world.run(0.1)
    assert len(world.nodes["b"].manager.core.context(CONTEXT).incoming) == 1
    assert world.now - started < SECOND


@pytest.mark.parametrize("silent", ["streams", "frames"])
def test_defect_y21_one_slow_peer_does_not_delay_a_joiner(silent: str) -> None:
    world = Loaded()
    world.add("a").owner.write(b"genesis")
    world.nodes["a"].owner.write(b"more")
    world.add("b")
    world.run(1)
    world.meet("a", "b")
    assert world.run(5, world.converged)
    world.add("c")
    world.run(0.1)
    if silent == "frames":
        world.tamper = lambda source, target, data: None if {source, target} == {"a", "c"} else data
    else:
        world.delay = lambda name, request: (
            NEVER if name == "c" and isinstance(request, ports.OpenStream) and request.peer == "a" else 0
        )
    world.meet("c", "a")
    world.run(0.05)
    world.meet("c", "b")
    assert world.run(IMPATIENCE / SECOND + 0.5, lambda: bool(world.nodes["c"].owner.applied))
    assert world.outcomes("c")[0] == ("a", "interrupted")


def test_defect_y21_a_slow_network_gets_the_time_that_it_needs() -> None:
    """Every peer takes longer than the first patience; none is given up for good."""
    world = Loaded()
    for name in "ab":
        world.add(name).owner.write(b"genesis")
    world.run(1)
    world.meet("a", "b")
    world.add("c")
    world.delay = lambda name, request: SECOND if name == "c" and isinstance(request, ports.SendFrame) else 0
    for name in "ab":
        world.meet("c", name)
    assert world.run(60, lambda: bool(world.nodes["c"].owner.applied))


def test_defect_y22_a_call_for_an_unknown_context_costs_its_stream_only() -> None:
    world = pair()
    unknown = DagHeadsRequest(ContextId(b"\x77" * 32))
    known = DagHeadsRequest(CONTEXT)
    requests = (world.as_member("b", unknown, unknown.context_id), world.as_member("b", known))
    refused, answered = world.script("b", "a", ask(*requests))
    assert isinstance(refused, OpaqueError)
    assert isinstance(answered, Message)
    cut_off(world, 1)
    world.write("a", b"unrelated work goes on")
    assert world.run(2, world.converged)


def test_defect_y23_a_node_without_a_state_is_no_source() -> None:
    world = Loaded()
    for name in "ab":
        world.add(name)
    world.run(1)
    world.meet("a", "b")
    world.run(20)
    outcomes = {outcome for name in "ab" for _, outcome in world.outcomes(name)}
    assert outcomes == {"no state"}
    assert not world.requests("a", ports.BeginInstall)
    # The one that gets a state is the source then, and is not emptied by the other.
    world.nodes["a"].owner.write(b"genesis")
    assert world.run(40, world.converged)
    assert world.nodes["a"].owner.root != ZERO_ROOT


def test_defect_y25_deltas_that_come_before_the_state_are_kept() -> None:
    """Two deltas for a node without a state, in two batches: both are there when the state comes."""
    world = Loaded()
    world.add("a").owner.write(b"genesis")
    world.add("b")
    world.delay = lambda name, request: 3 * SECOND if name == "b" and isinstance(request, ports.FinishInstall) else 0
    world.run(1)
    world.meet("a", "b")
    world.run(0.5)
    made = []
    for number in range(2):
        made.append(world.write("a", b"while it installs %d" % number).id)
        world.run(0.2)
    assert world.nodes["b"].owner.waiting.keys() >= set(made)
    assert world.run(5, world.converged)
    assert not world.nodes["b"].owner.waiting


def test_defect_y26_what_a_full_buffer_drops_is_counted_and_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followed, "MAX_SEALED", 10)
    world = pair()
    b = world.nodes["b"].manager.core
    b.peers.doubt(CONTEXT, "a")
    world.cut = {("b", "a")}
    for number in range(25):
        world.write("a", b"w%d" % number)
    world.run(0.5)
    assert len(b.context(CONTEXT).sealed) == 10
    assert world.counted("b")["sealed deltas dropped"] == 15
    world.cut = set()
    assert world.run(30, world.converged)


def test_defect_y4_a_root_that_moved_is_no_success() -> None:
    """A comparison whose answers come from another root than the peer named is no end, and is begun anew."""
    world = pair()
    for node in world.nodes.values():
        node.owner.ReadAgent = lambda r: "calimero-py/1"  # type: ignore[method-assign]
        node.owner.ReadPlaces = lambda r: (Hash(b"\x05" * 32), (None,) * len(r.entities))  # type: ignore[attr-defined]
    world.nodes["b"].owner.twist = b"a state that no delta explains"
    before = len(world.outcomes("b"))
    world.run(20)
    assert world.counted("b")["comparisons moved"] > 1
    assert "in sync" not in {outcome for _, outcome in world.outcomes("b")[before:]}
