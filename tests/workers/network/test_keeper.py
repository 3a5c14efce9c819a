"""Members are dialled again after a loss and after a restart, without anybody's help."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workers.network.nodes import TestNode, run, running, until
from workers.messages.network import PeerConnected
from workers.network import limits
from workers.network.address import concrete
from workers.network.config import INVITES_TOPIC
from workers.network.peer_file import KnownPeer, PeerFile


def listed(node: TestNode) -> list[str]:
    return [record.peer for record in node.host.peer_list().peers]


def is_member(node: TestNode, peer: str) -> bool:
    entry = node.host._book.get(peer)
    return entry is not None and entry.member


def test_a_restarted_node_dials_its_members_and_whom_it_was_asked_to_keep(tmp_path: Path) -> None:
    async def body() -> None:
        member, asked, passing = TestNode(2), TestNode(3), TestNode(4)
        async with running(member, asked, passing):
            member.host.subscribe("context")
            before = TestNode(1, folder=tmp_path)
            async with running(before):
                before.host.subscribe("context")
                for other, keep in ((member, False), (asked, True), (passing, False)):
                    await before.host.dial(other.address, keep=keep)
                await until(lambda: is_member(before, member.peer))
            after = TestNode(1, folder=tmp_path)
            async with running(after):
                await after.wait_for(PeerConnected, 2)
                assert {note.peer for note in after.of(PeerConnected)} == {member.peer, asked.peer}

    run(body)


def test_a_member_that_dialled_us_is_dialled_back_at_the_address_it_told(tmp_path: Path) -> None:
    async def body() -> None:
        a, b = TestNode(1, folder=tmp_path), TestNode(2, listen=("/ip4/0.0.0.0/tcp/0",))
        async with running(b):
            b.host.subscribe("context")
            async with running(a):
                a.host.subscribe("context")
                await b.host.dial(a.address, keep=False)
                await until(lambda: is_member(a, b.peer) and bool(a.host._book.entry(b.peer).addresses))
                assert set(a.host._book.entry(b.peer).addresses) <= set(concrete(b.host.listening))
            again = TestNode(1, folder=tmp_path)
            async with running(again):
                await again.wait_for(PeerConnected)
                assert not again.of(PeerConnected)[0].inbound

    run(body)


def test_who_shares_no_context_any_more_is_not_kept() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            for node in (a, b):
                node.host.subscribe("context")
            await a.host.dial(b.address, keep=False)
            await until(lambda: is_member(a, b.peer) and is_member(b, a.peer))
            a.host.unsubscribe("context")
            assert not is_member(a, b.peer)
            await until(lambda: not is_member(b, a.peer))

    run(body)


def test_the_topic_that_all_nodes_follow_makes_no_members() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await a.host.dial(b.address, keep=False)
            await until(lambda: INVITES_TOPIC in a.host._gossip.router.topics_of(b.peer))
            assert not is_member(a, b.peer)

    run(body)


def test_members_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MEMBERS", 2)
    book = TestNode(1).host._book
    assert [book.set_member(peer, member=True) for peer in "abc"] == [True, True, False]
    assert book.set_member("a", member=False)
    assert book.set_member("c", member=True)


# -- the file


def known(**changes: object) -> KnownPeer:
    fields = {"peer": TestNode(2).peer, "addresses": ["/ip4/10.0.0.1/tcp/1"], "keep": False, "seen": 1000.0, **changes}
    return KnownPeer(**fields)  # type: ignore[arg-type]


def test_the_file_is_private_and_keeps_what_was_put_in(tmp_path: Path) -> None:
    file = PeerFile(tmp_path)
    assert file.load(0.0) == []
    file.save([known()])
    assert file.load(1000.0) == [known()]
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["peers.json"]


def test_members_that_were_away_too_long_are_not_dialled_and_asked_ones_are(tmp_path: Path) -> None:
    file = PeerFile(tmp_path)
    file.save([known(), known(keep=True)])
    assert file.load(1000.0 + limits.REMEMBER - 1) == [known(), known(keep=True)]
    assert file.load(1000.0 + limits.REMEMBER) == [known(keep=True)]


def test_nonsense_in_the_file_is_left_out(tmp_path: Path) -> None:
    file = PeerFile(tmp_path)
    file.save([known(peer="nobody"), known(addresses=["/dns/x", "/ip4/10.0.0.1/tcp/1"])])
    assert file.load(1000.0) == [known()]


@pytest.mark.parametrize("text", ["", "{", '[{"peer": 1}]', "\x00"])
def test_a_broken_file_is_ignored(tmp_path: Path, text: str) -> None:
    file = PeerFile(tmp_path)
    file.path.write_text(text)
    assert file.load(0.0) == []


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        a, b = TestNode(1, folder=tmp_path / "missing"), TestNode(2)
        async with running(a, b):
            await a.host.dial(b.address, keep=True)
        assert listed(a) == [b.peer]

    run(body)
