from __future__ import annotations

import pytest

from node.errors import HostError
from node.primitives import PublicKey
from node.runtime.call import ContextMutation
from node.runtime.limits import MAX_ALIAS, MAX_MUTATIONS
from tests.node.runtime.machine import FakeServices, Machine, R

ALICE, BOB = PublicKey(b"a" * 32), PublicKey(b"b" * 32)


def with_members() -> Machine:
    return Machine(services=FakeServices(identities=[BOB, ALICE], aliases={"bob": BOB}))


def test_members() -> None:
    machine = with_members()
    assert machine.call("context_is_member", machine.buffer(ALICE)) == 1
    assert machine.call("context_is_member", machine.buffer(b"c" * 32)) == 0
    machine.call("context_members", R)
    assert machine.register() == b"\2\0\0\0" + ALICE + BOB
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("context_is_member", machine.buffer(b"a" * 31))


def test_during_init_nobody_is_a_member() -> None:
    machine = Machine()
    assert machine.call("context_is_member", machine.buffer(ALICE)) == 0
    machine.call("context_members", R)
    assert machine.register() == bytes(4)
    with pytest.raises(HostError, match=r"^node client is not available$"):
        machine.call("context_resolve_alias", machine.buffer(b"bob"), R)


def test_aliases() -> None:
    machine = with_members()
    assert machine.call("context_resolve_alias", machine.buffer(b"bob"), R) == 1
    assert machine.register() == BOB
    assert machine.call("context_resolve_alias", machine.buffer(b"x" * MAX_ALIAS), R) == 0
    with pytest.raises(HostError, match=r"^alias too long: 51$"):
        machine.call("context_resolve_alias", machine.buffer(b"x" * (MAX_ALIAS + 1)), R)
    with pytest.raises(HostError, match="invalid UTF-8"):
        machine.call("context_resolve_alias", machine.buffer(b"\xff"), R)


def test_mutations_are_queued_in_order() -> None:
    machine = with_members()
    key, args, protocol = machine.buffer(ALICE), machine.buffer(b"{}"), machine.buffer(b"near")
    machine.call("context_add_member", key)
    machine.call("context_remove_member", key)
    machine.call("context_delete", key)
    machine.call("context_create", protocol, key, args, machine.buffer(b"room"))
    machine.call("context_create", protocol, key, args, 0)
    machine.call("context_create", protocol, key, args, machine.buffer(b""))
    plain = ContextMutation("context_create", ALICE, {"protocol": b"near", "init_args": b"{}"})
    assert machine.finish().mutations == [
        ContextMutation("context_add_member", ALICE),
        ContextMutation("context_remove_member", ALICE),
        ContextMutation("context_delete", ALICE),
        ContextMutation("context_create", ALICE, {**plain.params, "alias": b"room"}),
        plain,
        plain,
    ]


def test_a_new_alias_must_be_short_and_free() -> None:
    machine = with_members()
    key, text = machine.buffer(ALICE), machine.buffer(b"near")
    with pytest.raises(HostError, match=r"^alias already exists: bob$"):
        machine.call("context_create", text, key, text, machine.buffer(b"bob"))
    with pytest.raises(HostError, match=r"^alias too long: 51$"):
        machine.call("context_create", text, key, text, machine.buffer(b"x" * 51))
    without = Machine()
    without.call(
        "context_create", without.buffer(b"near"), without.buffer(ALICE), without.buffer(b""), without.buffer(b"x" * 51)
    )
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("context_create", text, text, text, 0)


def test_the_number_of_mutations_at_its_edge() -> None:
    machine = Machine()
    key = machine.buffer(ALICE)
    for _ in range(MAX_MUTATIONS):
        machine.call("context_delete", key)
    with pytest.raises(HostError, match="number of context mutations exceeds"):
        machine.call("context_add_member", key)
