"""What a node missed comes later: after downtime, by snapshot, by tree comparison, with three nodes of mixed kind."""

from __future__ import annotations

import pytest

from tests.interop.mixed.houses import House, Ours, Street, Theirs
from tests.interop.mixed.members import LATER, SOON, Member, create, join, until, until_agreed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

ORDERS = pytest.mark.parametrize("kinds", [(Ours, Theirs), (Theirs, Ours)], ids=["ours-first", "theirs-first"])
Kinds = tuple[type[House], type[House]]
MIXED = [(Ours, Theirs, Ours), (Theirs, Ours, Theirs)]


def _pair(street: Street, kinds: Kinds) -> tuple[Member, Member]:
    """A context of the first node that the second has joined."""
    first, second = street.open(*kinds)
    alice = create(first)
    bob = join(alice, second)
    until_agreed([alice, bob])
    return alice, bob


def strategies(house: House) -> set[str]:
    """What the finished sync sessions of a node of ours did."""
    sessions = house.get("/calimero/v1/sessions")["data"]["sessions"]
    return {step for session in sessions for step in session["strategy"].split(", ")}


@ORDERS
@pytest.mark.parametrize("away", [Ours, Theirs], ids=["ours-away", "theirs-away"])
def test_writes_during_downtime_arrive_afterwards(street: Street, kinds: Kinds, away: type[House]) -> None:
    """Delta requests, for ours first; the reference compares trees before it asks for deltas."""
    pair = _pair(street, kinds)
    absent, present = sorted(pair, key=lambda member: not isinstance(member.house, away))
    absent.call("set", key="first", value="of the absent")
    until_agreed(pair)
    absent.house.stop()
    for number in range(12):
        present.call("set", key=f"k{number}", value=str(number))
    absent.house.start()
    until_agreed(pair, LATER)
    assert absent.call("get", key="k11") == "11"
    if away is Ours:
        until(lambda: "deltas" in strategies(absent.house), SOON, "the end of the session")
    absent.call("set", key="back", value="again")
    until(lambda: present.sees("back", "again"), LATER, "a write after the return")
    until_agreed(pair, LATER)


@ORDERS
def test_both_wrote_apart(street: Street, kinds: Kinds) -> None:
    """Each was down while the other wrote, so that both have what the other lacks."""
    alice, bob = _pair(street, kinds)
    bob.house.stop()
    alice.call("set", key="alice", value="alone")
    alice.house.stop()
    bob.house.start()
    bob.call("set", key="bob", value="alone")
    alice.house.start()
    until_agreed([alice, bob], LATER)
    assert alice.call("entries") == bob.call("entries") == {"alice": "alone", "bob": "alone"}


@ORDERS
def test_a_joiner_gets_much_state_as_a_snapshot(street: Street, kinds: Kinds) -> None:
    """More than one burst of pages."""
    first, second = street.open(*kinds)
    alice = create(first)
    for number in range(12):
        entries = {f"{number}-{index}": "x" * 3_000 for index in range(90)}
        alice.call("set_many", entries=entries)
    bob = join(alice, second)
    until_agreed([alice, bob], LATER)
    assert bob.call("len") == 12 * 90
    if isinstance(second, Ours):
        until(lambda: "snapshot" in strategies(second), SOON, "the end of the session")
    bob.call("set", key="mine", value="too")
    until(lambda: alice.sees("mine", "too"), LATER, "a write of the joiner")
    until_agreed([alice, bob], LATER)


@ORDERS
@pytest.mark.parametrize("application", ["collections", "owned", "private"])
def test_other_applications_end_in_one_root(street: Street, kinds: Kinds, application: str) -> None:
    first, second = street.open(*kinds)
    alice = create(first, application)
    bob = join(alice, second)
    until_agreed([alice, bob])
    for member in (alice, bob, alice):
        _play(application, member)
        until_agreed([alice, bob], LATER)


def _play(application: str, member: Member) -> None:
    name = member.house.kind
    if application == "collections":
        member.call("visit")
        member.call("deposit")
        member.call("score", player=name)
        member.call("append", line=name)
        member.call("tag", tag=name)
        member.call("write", position=0, text=name)
        member.call("set_title", title=name)
    elif application == "owned":
        member.call("set_profile", text=name)
        member.call("set_in_drawer", key=name, value="mine")
        member.call("freeze", text=name)
    else:
        member.call("hide", game=f"{name} {member.call('commitments')}", secret="secret")


@ORDERS
def test_either_may_restart(street: Street, kinds: Kinds) -> None:
    """Twice each, with writes of both in between; nothing is lost."""
    alice, bob = _pair(street, kinds)
    for turn in range(2):
        for house in (alice.house, bob.house):
            house.stop()
            house.start()
            for member in (alice, bob):
                member.call("set", key=f"{turn} {house.name} {member.house.name}", value="kept")
            until_agreed([alice, bob], LATER)
    assert alice.call("len") == bob.call("len") == 8


@pytest.mark.parametrize("kinds", MIXED, ids=lambda kinds: "-".join(kind.kind for kind in kinds))
def test_three_nodes_of_mixed_kind(street: Street, kinds: tuple[type[House], ...]) -> None:
    """The third joins by an invitation of the first; all write at once; the middle one is down for a while.

    The key that two write meanwhile is older: two nodes of the reference may part for good over one that both create.
    """
    houses = street.open(*kinds)
    alice = create(houses[0])
    bob, carol = join(alice, houses[1]), join(alice, houses[2])
    members = [alice, bob, carol]
    until_agreed(members, LATER)
    until(lambda: all(len(member.members()) == 3 for member in members), LATER, "three members everywhere")
    for turn in range(10):
        for number, member in enumerate(members):
            member.call("set", key=f"{number} {turn}", value=str(turn))
    alice.call("set", key="without", value="anybody")
    until_agreed(members, LATER)
    assert alice.call("len") == 31
    bob.house.stop()
    alice.call("set", key="without", value="bob")
    carol.call("set", key="without", value="bob either")
    until_agreed([alice, carol], LATER)
    bob.house.start()
    until_agreed(members, LATER)
    assert alice.call("get", key="without") == bob.call("get", key="without") == "bob either"
