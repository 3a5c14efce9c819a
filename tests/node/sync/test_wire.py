"""Golden bytes of the wire, and every message there and back."""

from __future__ import annotations

import pytest

from node.crypto import ed25519
from node.crypto.seal import unseal
from node.errors import DecodeError
from node.primitives import BlobId, ContextId, DeltaId, EntityId, Hash, PrivateKey, PublicKey
from node.storage.crdt_type import LwwRegister
from node.sync import wire
from node.sync.key_share import PREFIX

CONTEXT = ContextId(b"\x01" * 32)
PARTY = PublicKey(b"\x02" * 32)
NONCE = b"\x03" * 12


def test_init_key_share() -> None:
    data = wire.encode_stream(wire.Init(CONTEXT, PARTY, wire.InitKeyShare(), NONCE))
    assert data == b"\0" + CONTEXT + PARTY + b"\x01" + NONCE
    assert len(data) == 78


def test_message_challenge() -> None:
    data = wire.encode_stream(wire.Message(0, wire.Challenge(b"\x04" * 32), b"\x05" * 12))
    assert data == b"\x01" + bytes(8) + b"\x05" + b"\x04" * 32 + b"\x05" * 12


def test_message_dag_heads() -> None:
    payload = wire.DagHeadsResponse((DeltaId(b"\x06" * 32),), Hash(b"\x07" * 32))
    data = wire.encode_stream(wire.Message(0, payload, b"\x08" * 12))
    assert data == b"\x01" + bytes(8) + b"\x04\x01\0\0\0" + b"\x06" * 32 + b"\x07" * 32 + b"\x08" * 12


def test_heartbeat() -> None:
    data = wire.encode_broadcast(wire.HashHeartbeat(CONTEXT, Hash(b"\x07" * 32), (DeltaId(b"\x06" * 32),)))
    assert data == b"\x01" + CONTEXT + b"\x07" * 32 + b"\x01\0\0\0" + b"\x06" * 32
    assert len(data) == 101


def test_state_delta_of_an_empty_artifact() -> None:
    sealed = bytes.fromhex("c40f27cece18a956f03eaef1e697d03acb15e7235c")
    delta = wire.StateDelta(
        CONTEXT,
        PARTY,
        DeltaId(b"\x06" * 32),
        (DeltaId(bytes(32)),),
        bytes(24),
        Hash(b"\x07" * 32),
        sealed,
        b"\x09" * 12,
        None,
    )
    data = wire.encode_broadcast(delta)
    assert len(data) == 227
    assert wire.decode_broadcast(data) == delta
    assert unseal(PrivateKey(b"\x01" * 32), delta.nonce, delta.artifact) == bytes(5)


def test_challenge_signature() -> None:
    assert ed25519.sign(PrivateKey(b"\x01" * 32), PREFIX + b"\x04" * 32).hex() == (
        "aa31251d610559156d5e67b43e843576538dd09ec73a4b338a73044df614798c"
        "7fa68bd769c7207b9f285c5530b6af5456cfae84f872a83daf57c71e649a9f02"
    )


LEAF = wire.TreeLeafData(EntityId(b"\x09" * 32), b"value", wire.LeafMetadata(LwwRegister("t"), 5, 0, bytes(32), None))
PAYLOADS: list[wire.MessagePayload] = [
    wire.BlobShare(b"chunk"),
    wire.KeyShare(PrivateKey(b"\x05" * 32)),
    wire.DeltaResponse(b"delta"),
    wire.DeltaNotFound(),
    wire.ChallengeResponse(b"\x06" * 64),
    wire.SnapshotBoundaryResponse(7, Hash(b"\x07" * 32), ()),
    wire.SnapshotPage(b"page", 4, b"\x08" * 32, 2, 2),
    wire.SnapshotFailed(wire.InvalidBoundary()),
    wire.SnapshotFailed(wire.RootHashMismatch(Hash(b"\x01" * 32), Hash(b"\x02" * 32))),
    wire.SnapshotFailed(wire.MissingPages((1, 2))),
    wire.TreeNodeResponse((wire.TreeNode(EntityId(b"\x09" * 32), Hash(b"\x07" * 32), (), LEAF),), not_found=False),
    wire.LevelWiseResponse(
        1, (wire.LevelNode(EntityId(b"\x09" * 32), Hash(b"\x07" * 32), None, LEAF),), has_more_levels=True
    ),
]
INITS: list[wire.InitPayload] = [
    wire.InitBlobShare(BlobId(b"\x0a" * 32)),
    wire.DeltaRequest(CONTEXT, DeltaId(b"\x06" * 32)),
    wire.DagHeadsRequest(CONTEXT),
    wire.SnapshotBoundaryRequest(CONTEXT, None),
    wire.SnapshotStreamRequest(CONTEXT, Hash(b"\x07" * 32), 16, 65536, None),
    wire.TreeNodeRequest(CONTEXT, b"\x07" * 32, 1),
    wire.LevelWiseRequest(CONTEXT, 0, None),
]


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda p: type(p).__name__)
def test_every_answer_survives_and_every_cut_is_refused(payload: wire.MessagePayload) -> None:
    message = wire.Message(3, payload, NONCE)
    data = wire.encode_stream(message)
    assert wire.decode_stream(data) == message
    for end in range(len(data)):
        with pytest.raises(DecodeError):
            wire.decode_stream(data[:end])


@pytest.mark.parametrize("payload", INITS, ids=lambda p: type(p).__name__)
def test_every_request_survives_and_a_byte_too_much_is_refused(payload: wire.InitPayload) -> None:
    message = wire.Init(CONTEXT, PARTY, payload, NONCE)
    data = wire.encode_stream(message)
    assert wire.decode_stream(data) == message
    with pytest.raises(DecodeError):
        wire.decode_stream(data + b"\0")


def test_tags_are_those_of_the_reference() -> None:
    tags = [wire.encode_stream(wire.Message(0, payload, NONCE))[9] for payload in PAYLOADS]
    assert tags == [0, 1, 2, 3, 6, 7, 8, 9, 9, 9, 10, 11]
    assert [wire.encode_stream(wire.Init(CONTEXT, PARTY, payload, NONCE))[65] for payload in INITS] == [
        0,
        2,
        3,
        4,
        5,
        6,
        7,
    ]
    assert wire.encode_stream(wire.OpaqueError()) == b"\x02"
