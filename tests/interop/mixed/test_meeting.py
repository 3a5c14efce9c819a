"""Two nodes of different kinds meet: transport, identify, topics, the registry, a context in either direction."""

from __future__ import annotations

import httpx
import pytest

from tests.interop.mixed.houses import House, Ours, Street, Theirs
from tests.interop.mixed.members import LATER, SOON, create, join, until, until_agreed

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

ORDERS = pytest.mark.parametrize("kinds", [(Ours, Theirs), (Theirs, Ours)], ids=["ours-first", "theirs-first"])
INVITES = "mero_specialized_node_invites"
Kinds = tuple[type[House], type[House]]


@ORDERS
def test_they_shake_hands_and_identify_each_other(street: Street, kinds: Kinds) -> None:
    """The second dials the first."""
    houses = street.open(*kinds)
    until(lambda: all(house.peers() == 1 for house in houses), SOON, "one peer each")
    ours, theirs = sorted(houses, key=lambda house: house.kind)
    (row,) = ours.get("/calimero/v1/peers")["data"]["peers"]
    assert row["peer"] == theirs.peer_id
    assert row["inbound"] is (kinds == (Ours, Theirs))
    assert row["agent"].startswith("rust-libp2p/")
    assert {"/calimero/stream/0.0.2", "/meshsub/1.1.0", "/ipfs/ping/1.0.0"} <= set(row["protocols"])
    assert ours.post(f"/calimero/v1/peers/{theirs.peer_id}/ping")["data"]["milliseconds"] > 0
    until(lambda: INVITES in ours.get("/calimero/v1/peers")["data"]["peers"][0]["topics"], SOON, "the common topic")


@ORDERS
def test_the_registry_serves_both(street: Street, relayer: str, kinds: Kinds) -> None:
    """What either kind registers, it reads back: members, application, nonce."""
    for house in street.open(*kinds):
        member = create(house)
        assert _ask(relayer, "members", {"context_id": member.context, "offset": 0, "length": 9}) == [member.key]
        assert _ask(relayer, "fetch_nonce", {"context_id": member.context, "member_id": member.key}) == 0


def _ask(relayer: str, method: str, arguments: dict[str, object]) -> object:
    payload = list(httpx.Request("POST", relayer, json=arguments).content)
    body = {
        "protocol": "near", "network_id": "testnet", "contract_id": "v0-6.config.calimero-context.testnet",
        "operation": {"Read": {"method": method}}, "payload": payload,
    }  # fmt: skip
    answer = httpx.post(relayer, json=body, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


@ORDERS
def test_one_creates_and_the_other_joins(street: Street, kinds: Kinds) -> None:
    """The joiner has nothing: it gets the application as a blob, the keys, and the state as a snapshot."""
    first, second = street.open(*kinds)
    alice = create(first)
    alice.call("set", key="before", value="the join")
    bob = join(alice, second)
    until_agreed([alice, bob])
    assert bob.call("get", key="before") == "the join"


@ORDERS
def test_calls_on_each_side_reach_the_other(street: Street, kinds: Kinds) -> None:
    """By gossip, and each side needs the other's sender key to open what it gets.

    The reference may leave a delta on one of its own waiting until its next tick.
    """
    first, second = street.open(*kinds)
    alice = create(first)
    bob = join(alice, second)
    until_agreed([alice, bob])
    for turn in range(3):
        for author, reader in ((alice, bob), (bob, alice)):
            key, patience = f"{author.house.kind}{turn}", SOON if isinstance(reader.house, Ours) else LATER
            author.call("set", key=key, value="x" * turn)
            until(lambda: reader.sees(key, "x" * turn), patience, f"{key} on {reader.house.name}")  # noqa: B023
            until_agreed([alice, bob], patience)
    for author, reader in ((alice, bob), (bob, alice)):
        for number in range(5):
            author.call("set", key=f"{author.house.name} {number}", value="in a row")
        patience = SOON if isinstance(reader.house, Ours) else LATER
        until_agreed([alice, bob], patience)


@ORDERS
def test_writes_at_once_end_in_one_root(street: Street, kinds: Kinds) -> None:
    """Forks of the history are merged alike. The common key is older: two nodes of the reference may part for good
    over one that both create."""
    first, second = street.open(*kinds)
    alice = create(first)
    alice.call("set", key="both", value="first")
    bob = join(alice, second)
    until_agreed([alice, bob])
    for turn in range(30):
        alice.call("set", key=f"a{turn}", value="alice")
        bob.call("set", key=f"b{turn}", value="bob")
        alice.call("set", key="both", value=f"alice {turn}")
        bob.call("set", key="both", value=f"bob {turn}")
    until_agreed([alice, bob], LATER)
    assert alice.call("entries") == bob.call("entries")
    assert alice.call("len") == 61
