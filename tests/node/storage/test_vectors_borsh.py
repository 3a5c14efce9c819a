"""Keys, ids, Borsh forms, signing payloads, delta ids and clock times, as core 0.10.0 gave them."""

from __future__ import annotations

import hashlib

import pytest

from node.codec import borsh
from node.codec.borsh import codec, u8
from node.dag.delta import Kind
from node.errors import InvalidDelta
from node.primitives import GENESIS, DeltaId, Hash, PublicKey
from node.storage import crdt_type
from node.storage.action import Action, Add, payload_for_signing
from node.storage.delta import Actions, CausalDelta, Comparisons, decode_artifact, delta_id, encode_artifact
from node.storage.entities import FROZEN, Metadata, SignatureData, StorageType, User
from node.storage.hlc import ZERO, HybridClock, HybridTimestamp, clock_id
from node.storage.keys import STATE_ENTRY, collection_id, entry_id, entry_key, index_key, root_id
from tests.vectors.storage import A1, A2, A3, A4, C, S, T, X, digest, md, text

OWNED = User(PublicKey(b"\x07" * 32), SignatureData(b"\x09" * 64, 5))
A5 = Add(A1.id, A1.data, A1.ancestors, md(6, 7, OWNED))
"""A1 as an entry of one member; the signature is in neither hash, its nonce is in both."""

CHECKPOINT = tuple[DeltaId, tuple[DeltaId, ...], tuple[Action, ...], HybridTimestamp, Hash, u8]
"""The delta of the reference's graph: the one that a peer serves, and its kind behind it."""

ITEMS = collection_id("items")
FROZEN_F = collection_id("__frozen_storage_f")

KEYS = {
    "Index(S)": (index_key(S), "699cacdb4c39d8e0bb1223352765a7f7acdc51dec6694f7b54c3d0a47f0cc409"),
    "Entry(S)": (entry_key(S), "491176b0f443c65a7c7d72df47d6cbc0d04e111fb5a619f60d3e77677ab6f919"),
    "Entry(76×32)": (entry_key(STATE_ENTRY), "a39c42e558b5b1b6bd8064982e3531c150568a4c87decedf92b2e55324496c5a"),
    "Index(C)": (index_key(root_id(C)), "70867af135489c6101dc79c70b5a376c1f3fad4c4ed937947da48fc45c4bda3e"),
    "map items": (ITEMS, "2c28bb6706f1dff0b461c6b9b7d3be01d402ee789a66759cde0a34c6a1e2329a"),
    "entry a": (entry_id(ITEMS, b"a"), "f4f215ebca170b0fc7674ea852ba6de9865d346dedeae7e0bec9293d7011c43f"),
    "entry b": (entry_id(ITEMS, b"b"), "4b3dfa624e6e7b4d6e36efcfaa6403c9c86ca8de88835822a5c878d073028f6c"),
    "counter n, executor X": (
        entry_id(collection_id("__counter_internal_n_positive"), X.hex().encode()),
        "c8bf9ece1bf886a3c701656a2e570963f4494d63c8859ea883f61bcacb268c92",
    ),
    "user storage u, owner X": (
        entry_id(collection_id("__user_storage_u"), X),
        "a2b38667617823c8720fc74ccb8fc5fa803ee1ea9ffae5a2b1a90b84d882053e",
    ),
    "vector v": (collection_id("v"), "f6f9ab1e28267684119aa43783468233de4cb20aad105cc437854615e1b7571e"),
    "frozen f": (FROZEN_F, "9b77038453f25eb12f9fc3caff9e2a4478bcf3afb657cc40b81c91c22d9d4d06"),
    "its entry of the bytes [9]": (
        entry_id(FROZEN_F, hashlib.sha256(borsh.encode(b"\t")).digest()),
        "a248d3c80d4bd4a0a8429060675aead9590db6e8109b3b9fa54a36b48324b313",
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_13_1_keys_and_ids(name: str) -> None:
    found, expected = KEYS[name]
    assert found.hex() == expected


BORSH: dict[str, tuple[object, object, str]] = {
    "timestamp T": (HybridTimestamp, T, "0700112233445566000102030405060708090a0b0c0d0e0f"),
    "timestamp zero": (HybridTimestamp, ZERO, "000000000000000001000000000000000000000000000000"),
    "md(1,2)": (Metadata, md(1, 2), "01000000000000000200000000000000000000"),
    "metadata with type and name": (
        Metadata,
        Metadata(1, 2, crdt_type=crdt_type.UnorderedMap("String", "u64"), field_name="items"),
        "0100000000000000020000000000000000010406000000537472696e670300000075363401050000006974656d73",
    ),
    "Frozen": (StorageType, FROZEN, "02"),
    "User unsigned": (StorageType, User(PublicKey(b"\x07" * 32)), "01 [07×32] 00"),
    "LwwRegister": (crdt_type.CrdtType, crdt_type.LwwRegister("u64"), "0003000000753634"),
    "GCounter": (crdt_type.CrdtType, crdt_type.GCounter(), "01"),
    "Rga": (crdt_type.CrdtType, crdt_type.Rga(), "03"),
    "UnorderedMap": (crdt_type.CrdtType, crdt_type.UnorderedMap("K", "V"), "04010000004b0100000056"),
    "Vector": (crdt_type.CrdtType, crdt_type.Vector("E"), "060100000045"),
    "UserStorage": (crdt_type.CrdtType, crdt_type.UserStorage(), "07"),
    "Custom": (crdt_type.CrdtType, crdt_type.Custom("X"), "090100000058"),
    "a1": (
        Action,
        A1,
        text("00 [01×32] 02000000aabb01000000 [02×32] [03×32]").hex()
        + "04000000000000000500000000000000000000"
        + "06000000000000000700000000000000000000",
    ),
    "a3": (Action, A3, "02 [01×32] 080000000000000006000000000000000700000000000000000000"),
    "a4": (Action, A4, "03 [01×32] 02000000aabb0000000006000000000000000700000000000000000000"),
    "CausalDelta": (
        CausalDelta,
        CausalDelta(DeltaId(b"\x01" * 32), (GENESIS,), (A2,), T, digest(2)),
        "[01×33]  [00×35] 01000000 [01×33] 0700112233445566000102030405060708090a0b0c0d0e0f [02×32]",
    ),
    "delta of the graph, a checkpoint": (
        CHECKPOINT,
        (DeltaId(b"\x01" * 32), (GENESIS,), (A2,), T, digest(2), int(Kind.CHECKPOINT)),
        "[01×33]  [00×35] 01000000 [01×33] 0700112233445566000102030405060708090a0b0c0d0e0f [02×32] 01",
    ),
}


@pytest.mark.parametrize("name", BORSH)
def test_13_2_borsh(name: str) -> None:
    kind, value, pattern = BORSH[name]
    assert codec(kind).encode(value) == text(pattern)
    assert codec(kind).decode(text(pattern)) == value


def test_13_2_artifacts() -> None:
    assert encode_artifact(Actions((A2,))) == text("0001000000 [01×33]")
    assert encode_artifact(Actions()) == text("0000000000")
    assert encode_artifact(Comparisons()) == text("0100000000")
    assert decode_artifact(b"") == Comparisons()
    assert decode_artifact(text("0001000000 [01×33]")) == Actions((A2,))


def test_13_2_metadata_default_is_nineteen_zero_bytes() -> None:
    assert borsh.encode(Metadata()) == bytes(19)


def test_13_3_payloads() -> None:
    assert payload_for_signing(A1).hex() == "3248d31755503c976806384fe83c92c526230c506bae1732f995c8f456ba007d"
    assert payload_for_signing(A2).hex() == "6f47ba8a0fa70384ae5f4fa83de41a5687977dd0ba725f8b43a6b6c20f310b6d"
    assert payload_for_signing(A5).hex() == "174c463e94488dc40e8641e1c2686c715d04c14bdc489b8df34635eba886b504"
    assert payload_for_signing(A4).hex() == "b7d1d5c484b33e828daa8f2b8f82e863b85c16f7dcb3bff0a4cab8128b311f59"


def test_13_3_delta_ids() -> None:
    assert delta_id([GENESIS], []).hex() == "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"
    assert delta_id([GENESIS], [A5]).hex() == "1c3a6ca08f5a7d718e8d33d3c36dbec6c4b4be8d2be9fb8fe67ac5dab2a4dc0f"
    assert delta_id([GENESIS], [A1]).hex() == "8c56554db68901dc15ac984a78fb2659b07fff8038ab68180231be4a41e4e01d"


TIMES = [
    (1700000000123456789, 0x6553F1001F9A0000),
    (1700000000123456789, 0x6553F1001F9A0001),
    (1700000000123456789, 0x6553F1001F9A0002),
    (1700000000123456790, 0x6553F1001F9A0000),
    (1700000000123472000, 0x6553F1001F9B0000),
    (1600000000000000000, 0x6553F1001F9B0001),
    (0, 0x6553F1001F9B0002),
    (1700000005000000000, None),
    (1700000006000000000, 0x6553F10600000000),
]


def test_13_4_clock_of_the_reference() -> None:
    now = [0]
    clock = HybridClock(lambda: now[0], clock_id(bytes(range(16))), reference=True)
    for now[0], expected in TIMES:
        if expected is None:
            with pytest.raises(InvalidDelta, match=r"at most 5 s"):
                clock.observe(HybridTimestamp((1700000010 << 32) + 0xABCDEF01, 1))
        else:
            assert clock.next() == HybridTimestamp(expected, T.id)
