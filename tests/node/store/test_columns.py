"""Keys: the reference's bytes, and back."""

from __future__ import annotations

import hashlib

import pytest

from node.errors import StorageError
from node.primitives import ContextId, DeltaId, PublicKey
from node.store.columns import (
    ALIAS_KINDS,
    KEY_LENGTH,
    Column,
    Scope,
    alias_key,
    alias_of,
    delta_of,
    generic_key,
    in_context,
    member_of,
    padded,
    split,
    successor,
)

C = ContextId(b"\xc1" * 32)


def test_ten_families_in_the_reference_order() -> None:
    names = "Meta Config Identity State PrivateState Delta Blobs Application Alias Generic"
    assert list(Column) == names.split()
    assert set(KEY_LENGTH) == set(Column)


def test_state_key_of_the_root_index() -> None:
    row = hashlib.sha256(b"\0" + C).digest()
    key = in_context(C, row)
    assert key == C + bytes.fromhex("70867af135489c6101dc79c70b5a376c1f3fad4c4ed937947da48fc45c4bda3e")
    assert len(key) == KEY_LENGTH[Column.STATE]
    assert split(key) == (C, row)


def test_members_and_deltas_are_read_back() -> None:
    assert delta_of(in_context(C, b"\1" * 32)) == DeltaId(b"\1" * 32)
    assert member_of(in_context(C, b"\2" * 32)) == PublicKey(b"\2" * 32)


def test_alias_key_of_the_reference() -> None:
    key = alias_key(ALIAS_KINDS.CONTEXT, ContextId.zero(), "alice")
    assert key == b"\1" + bytes(32) + b"alice" + bytes(45)
    assert len(key) == KEY_LENGTH[Column.ALIAS]
    assert alias_of(key) == (1, ContextId.zero(), "alice")


def test_alias_length_at_its_edge() -> None:
    assert alias_of(alias_key(2, C, "ä" * 25)) == (2, C, "ä" * 25)
    for bad in ("", "x" * 51, "ä" * 25 + "x", "a\0b"):
        with pytest.raises(StorageError, match="alias"):
            alias_key(2, C, bad)


def test_generic_key_checks_its_parts() -> None:
    assert generic_key(Scope.SYNC_IN_PROGRESS, C) == b"sync-in-progres\0" + C
    assert len(generic_key(Scope.SSL_CERTS)) == KEY_LENGTH[Column.GENERIC]
    with pytest.raises(StorageError, match="16 \\+ 32"):
        generic_key(b"short", C)
    with pytest.raises(StorageError, match="16 \\+ 32"):
        generic_key(Scope.SSL_CERTS, b"short")


def test_every_scope_has_sixteen_bytes() -> None:
    scopes = [value for name, value in vars(Scope).items() if name.isupper()]
    assert {len(scope) for scope in scopes} == {16}
    assert len(set(scopes)) == len(scopes)


def test_application_keys_are_padded_or_absent() -> None:
    assert padded(b"a") == b"a" + bytes(31)
    assert padded(b"x" * 32) == b"x" * 32
    assert padded(b"x" * 33) is None


def test_successor_ends_a_prefix() -> None:
    assert successor(b"ab") == b"ac"
    assert successor(b"a\xff") == b"b"
    assert successor(b"\xff\xff") is None
