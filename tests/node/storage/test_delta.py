"""Deltas: signing what the executor owns, the id, and the forms in which actions travel."""

from __future__ import annotations

import pytest

from node.crypto import ed25519
from node.errors import DecodeError
from node.primitives import GENESIS, DeltaId, PrivateKey
from node.storage.action import ACTIONS, Add, Compare, DeleteRef, Update, payload_for_signing, time_of
from node.storage.delta import (
    Actions,
    Comparisons,
    actions_of,
    artifact_from_payload,
    delta_id,
    encode_artifact,
    payload_of,
    sign_actions,
    with_signature,
)
from node.storage.entities import FROZEN, UNSIGNED, Metadata, SignatureData, StorageType, User
from tests.vectors.storage import A1, A2, A3, A4, SIGNED, digest, eid, md

KEY = PrivateKey(b"\x11" * 32)
ME = ed25519.public_key(KEY)
BLANK = User(ME, SignatureData(UNSIGNED, 1))


def owned(kind: StorageType) -> tuple[Add, Update, DeleteRef]:
    metadata = Metadata(6, 7, kind)
    return Add(eid(1), b"d", (), metadata), Update(eid(1), b"d", (), metadata), DeleteRef(eid(1), 9, metadata)


def test_own_changes_are_signed_with_their_time_as_nonce() -> None:
    for action, nonce in zip(sign_actions(owned(BLANK), ME, KEY), (7, 7, 9), strict=True):
        assert not isinstance(action, Compare)
        kind = action.metadata.storage_type
        assert isinstance(kind, User)
        assert kind.signature_data is not None
        assert kind.signature_data.nonce == nonce
        ed25519.verify(ME, payload_for_signing(action), kind.signature_data.signature)


UNTOUCHED: dict[str, StorageType] = {
    "unsigned": User(ME),
    "signed": User(ME, SignatureData(b"s" * 64, 1)),
    "foreign": User(ed25519.public_key(PrivateKey(b"\x22" * 32)), SignatureData(UNSIGNED, 1)),
    "frozen": FROZEN,
}


@pytest.mark.parametrize("name", UNTOUCHED)
def test_other_actions_stay_as_they_are(name: str) -> None:
    actions = owned(UNTOUCHED[name])
    assert sign_actions(actions, ME, KEY) == actions
    assert sign_actions([A2], ME, KEY) == (A2,)


def test_a_public_entity_takes_no_signature() -> None:
    assert with_signature(A1, SignatureData(UNSIGNED, 1)) == A1


def test_add_and_update_sign_alike_and_signatures_are_not_covered() -> None:
    add, update, _ = owned(SIGNED)
    blank, _, _ = owned(User(SIGNED.owner, SignatureData(UNSIGNED, 9)))
    assert payload_for_signing(add) == payload_for_signing(update) == payload_for_signing(blank)
    assert payload_for_signing(owned(User(SIGNED.owner, SignatureData(UNSIGNED, 8)))[0]) != payload_for_signing(add)


def test_13_3_the_id_covers_the_nonce_and_not_the_signature() -> None:
    kind = User(SIGNED.owner, SignatureData(b"x" * 64, 5))
    found = delta_id([GENESIS], [Add(eid(1), b"\xaa\xbb", (), Metadata(3, 4, kind))])
    assert found.hex() == "1c3a6ca08f5a7d718e8d33d3c36dbec6c4b4be8d2be9fb8fe67ac5dab2a4dc0f"


def test_the_id_covers_parents_in_order_and_no_times() -> None:
    one, two = DeltaId(b"1" * 32), DeltaId(b"2" * 32)
    assert delta_id([one, two], [A1]) != delta_id([two, one], [A1])
    assert delta_id([one], [A3]) == delta_id([one], [DeleteRef(eid(1), 99, md(1, 1))])
    assert delta_id([one], [A4]) == delta_id([one], [A1])
    assert delta_id([one], [A2]) == delta_id([one, DeltaId(eid(1))], [])


def test_forms_of_actions() -> None:
    payload = payload_of([A1, A2])
    assert ACTIONS.decode(payload) == (A1, A2)
    assert artifact_from_payload(payload) == encode_artifact(Actions((A1, A2)))
    assert actions_of(artifact_from_payload(payload)) == (A1, A2)
    assert actions_of(encode_artifact(Comparisons())) == ()
    with pytest.raises(DecodeError):
        actions_of(b"\x07")


def test_times() -> None:
    assert [time_of(action) for action in (A1, A2, A3, A4)] == [7, None, 8, 7]
    assert digest(1) != digest(2)
