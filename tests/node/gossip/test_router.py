"""The router in networks of two to forty nodes under a virtual clock, and against hostile peers."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from node.errors import LocalProtocolError
from node.gossip import (
    GossipParams,
    Heartbeat,
    PeerAdded,
    PeerRemoved,
    Publish,
    Refuse,
    RpcReceived,
    Send,
    Subscribe,
    TopicJoined,
    TopicLeft,
    Unsubscribe,
)
from node.gossip.params import MAX_TOPICS_PER_PEER, SECOND
from node.gossip.rpc import (
    MAX_RPC_SIZE,
    Control,
    IHave,
    Message,
    Prune,
    Rpc,
    Subscription,
    decode_rpc,
    encode_rpc,
)
from node.gossip.signing import message_id, peer_id_of, signed, signer
from tests.node.gossip.sim import Network, Node, body_of, public_key, published

STRANGER = bytes([9]) * 32


def foreign(topic: str, data: bytes, seqno: int = 1) -> Message:
    source = peer_id_of(public_key(STRANGER))
    return signed(Message(source, data, seqno.to_bytes(8, "big"), topic), signer(STRANGER))


def rpcs_to(effects: list[object], peer: str) -> list[Rpc]:
    return [decode_rpc(body_of(e.frame)) for e in effects if isinstance(e, Send) and e.peer == peer]


@pytest.mark.parametrize("count", [2, 3])
def test_small_groups_mesh_completely_without_a_heartbeat(count: int) -> None:
    net = Network(count)
    net.full_mesh()
    net.all_do(Subscribe("t"))
    assert all(len(node.router.mesh_of("t")) == count - 1 for node in net.nodes)


@pytest.mark.parametrize("first", ["subscribe", "link"])
def test_order_of_linking_and_subscribing_does_not_matter(first: str) -> None:
    net = Network(2)
    if first == "link":
        net.full_mesh()
    net.all_do(Subscribe("t"))
    if first == "subscribe":
        net.full_mesh()
    a, b = net.nodes
    assert published(net.do(a, Publish("t", b"x"))) == 1
    net.settle()
    assert b.delivered == [b"x"]
    assert a.delivered == []
    assert b.router.mesh_of("t") == {a.name}


def test_publishing_without_subscribers_says_zero() -> None:
    net = Network(2)
    net.full_mesh()
    assert published(net.do(net.nodes[0], Publish("t", b"x"))) == 0


def test_publishing_without_following_the_topic_reaches_its_followers() -> None:
    net = Network(3)
    net.full_mesh()
    for node in net.nodes[1:]:
        net.do(node, Subscribe("t"))
    net.settle()
    assert published(net.do(net.nodes[0], Publish("t", b"x"))) == 2
    net.settle()
    assert [node.delivered for node in net.nodes] == [[], [b"x"], [b"x"]]


def test_a_line_of_nodes_relays_and_delivers_once() -> None:
    net = Network(5)
    for left, right in zip(net.nodes, net.nodes[1:], strict=False):
        net.link(left, right)
    net.all_do(Subscribe("t"))
    for number in range(20):
        net.do(net.nodes[0], Publish("t", bytes([number])))
    net.settle()
    assert all(node.delivered == [bytes([n]) for n in range(20)] for node in net.nodes[1:])


def test_forty_nodes_stay_within_the_degrees_and_everybody_hears_everything_once() -> None:
    net = Network(40)
    net.full_mesh()
    net.all_do(Subscribe("t"))
    net.beat(5)
    assert all(5 <= len(node.router.mesh_of("t")) <= 12 for node in net.nodes)
    for node in net.nodes:
        net.do(node, Publish("t", node.name.encode()))
        net.settle()
    for node in net.nodes:
        assert sorted(node.delivered) == sorted(n.name.encode() for n in net.nodes if n is not node)


def test_a_message_lost_on_the_way_is_fetched_by_ihave_and_iwant() -> None:
    net = Network(3, GossipParams(mesh_n=0, mesh_low=0, mesh_outbound_min=0))
    net.full_mesh()
    net.all_do(Subscribe("t"))
    net.drop_to = {net.nodes[2].name}
    net.do(net.nodes[0], Publish("t", b"x"))
    net.settle()
    assert net.nodes[2].delivered == []
    net.drop_to = set()
    net.beat(1)
    assert net.nodes[2].delivered == [b"x"]


def test_leaving_and_joining_again_meshes_within_three_heartbeats() -> None:
    net = Network(2)
    net.full_mesh()
    net.all_do(Subscribe("t"))
    a, b = net.nodes
    effects = net.do(a, Unsubscribe("t"))
    assert rpcs_to(effects, b.name)[1].control.prune == (Prune("t", 1),)
    net.settle()
    assert b.router.mesh_of("t") == frozenset()
    net.do(a, Subscribe("t"))
    net.settle()
    net.beat(3)
    assert (a.router.mesh_of("t"), b.router.mesh_of("t")) == ({b.name}, {a.name})


def test_no_graft_is_sent_during_a_back_off_but_one_received_is_taken() -> None:
    net = Network(2)
    net.full_mesh()
    net.all_do(Subscribe("t"))
    a, b = net.nodes
    net.do(a, RpcReceived(b.name, encode_rpc(Rpc(control=Control(prune=(Prune("t", 5),))))))
    for _ in range(5):
        net.now += SECOND
        assert rpcs_to(net.do(a, Heartbeat()), b.name) == []
    net.do(a, RpcReceived(b.name, encode_rpc(Rpc(control=Control(graft=("t",))))))
    assert a.router.mesh_of("t") == {b.name}


def test_back_off_ends_after_its_time_and_one_heartbeat_of_slack() -> None:
    net = Network(2)
    net.full_mesh()
    net.all_do(Subscribe("t"))
    a, b = net.nodes
    net.do(a, RpcReceived(b.name, encode_rpc(Rpc(control=Control(prune=(Prune("t", 5),))))))
    grafts = []
    for _ in range(7):
        net.now += SECOND
        grafts.append(any(rpc.control.graft for rpc in rpcs_to(net.do(a, Heartbeat()), b.name)))
    assert grafts == [False] * 5 + [True, False]


def test_a_full_mesh_answers_graft_with_prune() -> None:
    net = Network(15, GossipParams(mesh_n=2, mesh_low=1, mesh_high=3, mesh_outbound_min=0))
    for other in net.nodes[1:]:
        net.link(net.nodes[0], other)
    net.all_do(Subscribe("t"))
    answers = []
    for other in net.nodes[1:]:
        body = encode_rpc(Rpc(control=Control(graft=("t",))))
        answers += rpcs_to(net.do(net.nodes[0], RpcReceived(other.name, body)), other.name)
    assert len(net.nodes[0].router.mesh_of("t")) == 3
    assert all(rpc.control.prune == (Prune("t", 60),) for rpc in answers)
    assert answers


def test_a_mesh_beyond_the_high_mark_is_cut_to_its_degree() -> None:
    net = Network(30)
    hub = net.nodes[0]
    for other in net.nodes[1:]:
        net.link(hub, other)
    net.all_do(Subscribe("t"))
    for other in net.nodes[1:13]:
        net.do(hub, RpcReceived(other.name, encode_rpc(Rpc(control=Control(graft=("t",))))))
    assert len(hub.router.mesh_of("t")) <= 12
    tight = replace(GossipParams(), mesh_high=6)
    hub.router._mesh._params = tight
    net.do(hub, Heartbeat())
    assert len(hub.router.mesh_of("t")) == 6


def test_a_graft_says_that_the_peer_follows_the_topic() -> None:
    net, node = joined(0)
    net.do(node, PeerAdded("p"))
    effects = net.do(node, RpcReceived("p", encode_rpc(Rpc(control=Control(graft=("t", "t"))))))
    assert effects == [TopicJoined("p", "t")]
    assert node.router.mesh_of("t") == {"p"}
    assert node.router.topics == {"t"}


def test_leaving_what_is_not_followed_does_nothing() -> None:
    net, node = joined(1)
    assert net.do(node, Unsubscribe("other")) == []
    assert net.do(node, Subscribe("t")) == []
    assert node.router.topics_of("stranger") == frozenset()


def test_a_mesh_that_outgrew_the_high_mark_is_pruned_with_a_back_off() -> None:
    net, node = joined(5)
    node.router._mesh._params = replace(GossipParams(), mesh_n=2, mesh_low=1, mesh_high=3, mesh_outbound_min=1)
    effects = net.do(node, Heartbeat())
    pruned = [rpc.control.prune for n in range(5) for rpc in rpcs_to(effects, f"p{n}") if rpc.control.prune]
    assert pruned == [(Prune("t", 60),)] * 3
    assert len(node.router.mesh_of("t")) == 2


def test_a_topic_that_is_not_followed_takes_no_graft() -> None:
    net = Network(2)
    net.full_mesh()
    a, b = net.nodes
    assert net.do(a, RpcReceived(b.name, encode_rpc(Rpc(control=Control(graft=("t",)))))) == []


def test_the_hello_lists_all_topics_in_frames_that_fit() -> None:
    net = Network(1)
    for number in range(1_200):
        net.do(net.nodes[0], Subscribe(f"{number:044}"))
    hello = rpcs_to(net.do(net.nodes[0], PeerAdded("peer")), "peer")
    assert sum(len(rpc.subscriptions) for rpc in hello) == 1_200
    assert len(hello) == 3


def test_a_reopened_gossip_stream_gets_the_hello_again_and_keeps_what_the_peer_follows() -> None:
    net = Network(2)
    net.full_mesh()
    net.all_do(Subscribe("t"))
    a, b = net.nodes
    effects = net.do(a, PeerAdded(b.name))
    assert rpcs_to(effects, b.name)[0].subscriptions == (Subscription("t", subscribe=True),)
    assert a.router.topics_of(b.name) == {"t"}
    net.settle()
    net.beat(1)
    assert a.router.mesh_of("t") == {b.name}


def test_subscription_effects_come_once() -> None:
    net = Network(1)
    node = net.nodes[0]
    net.do(node, PeerAdded("p"))
    on = RpcReceived("p", encode_rpc(Rpc((Subscription("t", subscribe=True),))))
    off = RpcReceived("p", encode_rpc(Rpc((Subscription("t", subscribe=False),))))
    assert net.do(node, on) == [TopicJoined("p", "t")]
    assert net.do(node, on) == []
    assert net.do(node, off) == [TopicLeft("p", "t")]
    assert net.do(node, off) == []
    net.do(node, on)
    assert net.do(node, PeerRemoved("p")) == [TopicLeft("p", "t")]
    assert net.do(node, PeerRemoved("p")) == []


def test_sequence_numbers_start_at_the_given_time_and_rise_by_one() -> None:
    net = Network(2)
    net.full_mesh()
    net.all_do(Subscribe("t"))
    a, b = net.nodes
    frames = [rpcs_to(net.do(a, Publish("t", b"")), b.name)[0].messages[0].seqno for _ in range(2)]
    assert [int.from_bytes(seqno, "big") for seqno in frames] == [1_700_000_000 * SECOND, 1_700_000_000 * SECOND + 1]


def test_payload_limit_at_its_edge() -> None:
    net = Network(2)
    net.full_mesh()
    net.all_do(Subscribe("t"))
    a, b = net.nodes
    overhead = len(body_of(net.do(a, Publish("t", bytes(60_000)))[0].frame)) - 60_000  # type: ignore[union-attr]
    net.do(a, Publish("t", bytes(MAX_RPC_SIZE - overhead)))
    with pytest.raises(LocalProtocolError, match="at most 65536 are allowed; send it over a stream"):
        net.do(a, Publish("t", bytes(MAX_RPC_SIZE - overhead + 1)))
    net.settle()
    assert len(b.delivered) == 2


# -- large messages


def joined(count: int) -> tuple[Network, Node]:
    """A network of one node and ``count`` bare peers p0, p1, … in its mesh for ``t``."""
    net = Network(1)
    node = net.nodes[0]
    net.do(node, Subscribe("t"))
    for number in range(count):
        net.do(node, PeerAdded(f"p{number}"))
        net.do(node, RpcReceived(f"p{number}", encode_rpc(Rpc((Subscription("t", subscribe=True),)))))
    return net, node


def test_idontwant_goes_out_for_large_foreign_messages_only() -> None:
    net, node = joined(3)
    for size, expected in ((1_000, 0), (1_001, 1)):
        message = foreign("t", bytes(size), seqno=size)
        effects = net.do(node, RpcReceived("p0", encode_rpc(Rpc(messages=(message,)))))
        told = [rpc.control.idontwant for rpc in rpcs_to(effects, "p1") if rpc.control.idontwant]
        assert told == [(message_id(message.source, message.seqno),)] * expected
        assert not any(rpc.control.idontwant for rpc in rpcs_to(effects, "p0"))


def test_a_peer_that_does_not_want_a_message_does_not_get_it() -> None:
    net, node = joined(3)
    message = foreign("t", bytes(2_000))
    mid = message_id(message.source, message.seqno)
    net.do(node, RpcReceived("p1", encode_rpc(Rpc(control=Control(idontwant=(mid,))))))
    effects = net.do(node, RpcReceived("p0", encode_rpc(Rpc(messages=(message,)))))
    assert [bool(r.messages) for r in rpcs_to(effects, "p1")].count(True) == 0
    assert [bool(r.messages) for r in rpcs_to(effects, "p2")].count(True) == 1


# -- hostile peers


def refusals(effects: list[object]) -> list[str]:
    return [effect.reason for effect in effects if isinstance(effect, Refuse)]


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x7f", bytes(100), b"\x12\x02\x0a\x00"])
def test_garbage_is_refused_and_nothing_else_happens(body: bytes) -> None:
    net, node = joined(2)
    effects = net.do(node, RpcReceived("p0", body))
    assert refusals(effects) == ["gossip-malformed"]
    assert len(effects) == 1


def test_rpcs_of_unknown_peers_are_ignored() -> None:
    net, node = joined(1)
    assert net.do(node, RpcReceived("stranger", b"\xff")) == []


@pytest.mark.parametrize("change", [{"signature": bytes(64)}, {"seqno": b"1"}, {"source": b"x"}, {"data": b"other"}])
def test_unsigned_and_forged_messages_are_refused_and_not_relayed(change: dict[str, bytes]) -> None:
    net, node = joined(3)
    message = replace(foreign("t", b"x"), **change)  # type: ignore[arg-type]
    effects = net.do(node, RpcReceived("p0", encode_rpc(Rpc(messages=(message,)))))
    assert refusals(effects) == ["gossip-signature"]
    assert len(effects) == 1
    good = net.do(node, RpcReceived("p0", encode_rpc(Rpc(messages=(foreign("t", b"x"),)))))
    assert node.delivered == [b"x"]
    assert good


def test_own_messages_that_come_back_are_ignored() -> None:
    net, node = joined(2)
    frame = next(e for e in net.do(node, Publish("t", b"x")) if isinstance(e, Send)).frame
    assert net.do(node, RpcReceived("p1", body_of(frame))) == []


def test_topics_that_are_not_followed_are_ignored() -> None:
    net, node = joined(2)
    assert net.do(node, RpcReceived("p0", encode_rpc(Rpc(messages=(foreign("other", b"x"),))))) == []


def test_subscription_floods_end_at_the_limit() -> None:
    net, node = joined(0)
    net.do(node, PeerAdded("p"))
    reasons: list[str] = []
    for start in range(0, MAX_TOPICS_PER_PEER + 500, 500):
        changes = tuple(Subscription(str(number), subscribe=True) for number in range(start, start + 500))
        reasons += refusals(net.do(node, RpcReceived("p", encode_rpc(Rpc(changes)))))
    assert len(node.router.topics_of("p")) == MAX_TOPICS_PER_PEER
    assert reasons == ["gossip-topics"] * 500


def test_ihave_floods_end_at_the_limit_and_start_again_after_a_heartbeat() -> None:
    net, node = joined(1)
    body = [encode_rpc(Rpc(control=Control(ihave=(IHave("t", (b"id%d" % n,)),)))) for n in range(12)]
    effects = [net.do(node, RpcReceived("p0", each)) for each in body]
    assert [len(rpcs_to(e, "p0")) for e in effects] == [1] * 10 + [0] * 2
    assert refusals(effects[10]) == ["gossip-ihave"]
    net.do(node, Heartbeat())
    assert rpcs_to(net.do(node, RpcReceived("p0", body[11])), "p0")[0].control.iwant == (b"id11",)


def test_idontwant_floods_end_at_the_limit_and_start_again_when_the_old_ones_expired() -> None:
    net, node = joined(1)
    ids = tuple(b"%d" % n for n in range(2_500))
    body = [encode_rpc(Rpc(control=Control(idontwant=tuple(mid + b"-%d" % n for mid in ids)))) for n in range(3)]
    assert [refusals(net.do(node, RpcReceived("p0", each))) for each in body] == [[], [], ["gossip-idontwant"]]
    net.now += 3 * SECOND
    net.do(node, Heartbeat())
    assert net.do(node, RpcReceived("p0", body[2])) == []


def test_an_id_is_asked_of_one_peer_at_a_time() -> None:
    net, node = joined(2)
    body = encode_rpc(Rpc(control=Control(ihave=(IHave("t", (b"id",)), IHave("unknown", (b"other",))))))
    assert rpcs_to(net.do(node, RpcReceived("p0", body)), "p0")[0].control.iwant == (b"id",)
    assert net.do(node, RpcReceived("p1", body)) == []
    net.now += 3 * SECOND
    assert rpcs_to(net.do(node, RpcReceived("p1", body)), "p1")[0].control.iwant == (b"id",)


def test_large_iwant_lists_are_cut_into_frames() -> None:
    net, node = joined(1)
    ids = tuple(b"%d" % n for n in range(1_200))
    effects = net.do(node, RpcReceived("p0", encode_rpc(Rpc(control=Control(ihave=(IHave("t", ids),))))))
    assert [len(rpc.control.iwant) for rpc in rpcs_to(effects, "p0")] == [500, 500, 200]


def test_a_message_is_served_three_times_to_one_peer() -> None:
    net, node = joined(2)
    message = foreign("t", b"x")
    net.do(node, RpcReceived("p0", encode_rpc(Rpc(messages=(message,)))))
    want = encode_rpc(Rpc(control=Control(iwant=(message_id(message.source, message.seqno), b"unknown"))))
    effects = [net.do(node, RpcReceived("p1", want)) for _ in range(4)]
    assert [len(rpcs_to(e, "p1")) for e in effects] == [1, 1, 1, 0]
    assert refusals(effects[3]) == ["gossip-iwant"]


def test_a_prune_cannot_keep_us_out_for_ever() -> None:
    net, node = joined(1)
    net.do(node, RpcReceived("p0", encode_rpc(Rpc(control=Control(prune=(Prune("t", 2**63),))))))
    net.now += 3_602 * SECOND
    net.do(node, Heartbeat())
    assert node.router.mesh_of("t") == {"p0"}


def test_grafts_are_repeated_once_a_minute() -> None:
    net, node = joined(1)
    grafts = 0
    for _ in range(120):
        net.now += SECOND
        grafts += sum(len(rpc.control.graft) for rpc in rpcs_to(net.do(node, Heartbeat()), "p0"))
    assert grafts == 2


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_joins_leaves_and_losses_ends_in_full_delivery(seed: int) -> None:
    rng = random.Random(seed)
    net = Network(8)
    net.full_mesh()
    for _ in range(60):
        node = rng.choice(net.nodes)
        net.do(node, rng.choice([Subscribe("t"), Unsubscribe("t"), Heartbeat()]))
        if rng.random() < 0.5:
            net.settle()
        if rng.random() < 0.1:
            other = rng.choice([n for n in net.nodes if n is not node])
            net.unlink(node, other)
            net.link(node, other)
    net.all_do(Subscribe("t"))
    net.beat(5)
    for node in net.nodes:
        node.delivered.clear()
    net.do(net.nodes[0], Publish("t", b"last"))
    net.settle()
    assert all(node.delivered == [b"last"] for node in net.nodes[1:])
    assert all(node.router.mesh_of("t") for node in net.nodes)
    assert not any(node.refused for node in net.nodes)
