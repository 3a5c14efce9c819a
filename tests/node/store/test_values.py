"""Row values: the reference's bytes."""

from __future__ import annotations

import dataclasses

import pytest

from node.codec import borsh
from node.errors import DecodeError
from node.primitives import ApplicationId, BlobId, ContextId, DeltaId, Hash, PrivateKey, PublicKey
from node.store.values import (
    AliasTarget,
    ApplicationMeta,
    BlobMeta,
    ContextConfig,
    ContextDagDelta,
    ContextIdentity,
    ContextMeta,
    DeltaOrigin,
    KeptIdentity,
    OutboxEntry,
    delta_row,
    uninitialised,
)

HLC = bytes.fromhex("0700112233445566000102030405060708090a0b0c0d0e0f")


def h(n: int) -> bytes:
    return bytes([n]) * 32


def test_context_meta_of_the_reference() -> None:
    value = ContextMeta(ApplicationId(h(1)), Hash(h(2)), (DeltaId(h(3)),))
    assert borsh.encode(value) == h(1) + h(2) + b"\1\0\0\0" + h(3)
    assert borsh.decode(ContextMeta, borsh.encode(value)) == value


def test_context_config_of_the_reference() -> None:
    raw = "040000006e65617207000000746573746e65740100000063010000007001000000000000000200000000000000"
    assert borsh.encode(ContextConfig("near", "testnet", "c", "p", 1, 2)).hex() == raw


def test_delta_row_of_the_reference() -> None:
    actions = b"\1\0\0\0\1" + h(1)
    row = delta_row(DeltaId(h(1)), (DeltaId(h(0)),), actions, HLC, Hash(h(2)), applied=True)
    with_events = dataclasses.replace(row, events=b"[]")
    wanted = h(1) + b"\1\0\0\0" + h(0) + b"\x25\0\0\0" + actions + HLC + b"\1" + h(2) + b"\1\2\0\0\0[]"
    assert borsh.encode(with_events) == wanted
    assert borsh.decode(ContextDagDelta, wanted).hlc == HLC


def test_blob_meta_of_the_reference() -> None:
    assert borsh.encode(BlobMeta(3, Hash(h(1)), (BlobId(h(2)),))) == b"\3" + bytes(7) + h(1) + b"\1\0\0\0" + h(2)


def test_other_rows_come_back() -> None:
    values = [
        uninitialised(ApplicationId(h(1))),
        ContextIdentity(PrivateKey(h(1)), None),
        ContextIdentity(),
        ApplicationMeta(BlobId(h(1)), 9, "file:///x", b"{}", BlobId.zero(), "p", "1.0.0", "s"),
        AliasTarget(Hash(h(4))),
        DeltaOrigin(ContextId(h(1)), DeltaId(h(2)), PublicKey(h(3)), "peer", 7, b"[]"),
        DeltaOrigin(ContextId(h(1)), DeltaId(h(2)), None, "", 0, None),
        OutboxEntry(ContextId(h(1)), DeltaId(h(2)), b"[]", 1, 2),
        KeptIdentity(ContextId(h(1)), PublicKey(h(2)), ContextIdentity(PrivateKey(h(3)), PrivateKey(h(4)))),
    ]
    for value in values:
        assert borsh.decode(type(value), borsh.encode(value)) == value


def test_leftover_bytes_are_refused() -> None:
    with pytest.raises(DecodeError):
        borsh.decode(ContextIdentity, b"\0\0\0")


def test_secrets_are_not_printed() -> None:
    assert "…" in repr(ContextIdentity(PrivateKey(h(1)), PrivateKey(h(2))))
    assert PrivateKey(h(1)).reveal() not in repr(ContextIdentity(PrivateKey(h(1)), None))
