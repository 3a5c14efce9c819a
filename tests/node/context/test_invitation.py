"""Vectors and bad input of invitations."""

from __future__ import annotations

import hashlib
import json

import base58
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.codec import borsh
from node.context import invitation
from node.context.invitation import DirectInvitation, SignedRevealPayload, open_reveal
from node.context.requests import Target
from node.crypto import ed25519
from node.errors import InvalidInvitation, RegistryError
from node.primitives import ContextId, PrivateKey, PublicKey

INVITER = PrivateKey(b"\x01" * 32)
MEMBER = PrivateKey(b"\x05" * 32)
TARGET = Target("near", "testnet", "v0-6.config.calimero-context.testnet")


def _open() -> bytes:
    return invitation.sign_open(
        INVITER,
        inviter=ed25519.public_key(INVITER),
        context_id=ContextId(b"\x02" * 32),
        valid_for_blocks=100,
        salt=b"\x03" * 32,
        target=TARGET,
    )


def _reveal() -> SignedRevealPayload:
    join = invitation.sign_reveal(MEMBER, _open(), ed25519.public_key(MEMBER))
    return msgspec.convert(join.reveal_params()["payload"], SignedRevealPayload)


def test_direct_invitation_has_the_text_that_core_asserts() -> None:
    direct = DirectInvitation(ContextId(b"\x01" * 32), PublicKey(b"\x02" * 32), "near", "testnet", "calimero.testnet")
    text = (
        "4Mb2deLtaS7ApRdhh5ms1GuT2GtGKkKxDMakmd1C3YA2NRYwniNiijac1Nn8NYHVeWoqzvYFpmJMekAeUYKyWpq5j1QaVjpW6r5V86o"
        "o3tz6uKx1Hri82LHf8rrs2m2dyjZUZeCaeBEb"
    )
    assert direct.to_text() == text
    assert DirectInvitation.from_text(text) == direct


def test_open_invitation_has_the_known_bytes_and_signature() -> None:
    inner = invitation.read_open(_open())
    raw = borsh.encode(inner)
    assert len(raw) == 163
    assert hashlib.sha256(raw).hexdigest() == "5ffb71adcfdc4a2d8a297aa9a18c89ce916866bb329458eada21ae4b6339f220"
    assert json.loads(_open())["inviter_signature"] == (
        "2ddadb5e0d8b74efa58cf8a8684488a483cc26cb2c87249335a4f1362e639b0b"
        "b70fbfb8b48ab2ec663bea86476260a728c554e9ac35cbd30baef0fa8e35600d"
    )


def test_reveal_has_the_known_commitment_and_signature() -> None:
    join = invitation.sign_reveal(MEMBER, _open(), ed25519.public_key(MEMBER))
    assert len(borsh.encode(join.data)) == 327
    assert join.commit_params() == {
        "commitment_hash": "39f24c0a6a54bf0595f7d835d26e613c8c8df8e6b0f18c929d047afa9de912f6",
        "expiration_block_height": 1_000_000_099,
    }
    assert join.signature == (
        "592918e739e7ea4c7a2d035aba496699babf765c3e40cfaa8f4932ea12b8e3dd"
        "b2af38da79e71e96b362d27a8e6969f6b7a370641723044073df12865fa81704"
    )


def test_registry_accepts_an_honest_reveal() -> None:
    reveal = open_reveal(_reveal())
    reveal.check_signatures()
    assert reveal.new_member == ed25519.public_key(MEMBER)
    assert reveal.contract_id == TARGET.contract


@pytest.mark.parametrize("field", ["inviter_signature", "invitee_signature"])
def test_registry_refuses_a_forged_reveal(field: str) -> None:
    payload = msgspec.to_builtins(_reveal())
    holder = payload if field == "invitee_signature" else payload["data"]["signed_open_invitation"]
    holder[field] = holder[field][:-2] + ("00" if holder[field][-2:] != "00" else "11")
    with pytest.raises(RegistryError, match="signature"):
        open_reveal(msgspec.convert(payload, SignedRevealPayload)).check_signatures()


def test_an_altered_open_invitation_is_refused_before_anything_is_sent() -> None:
    altered = json.loads(_open())
    altered["invitation"]["expiration_height"] += 1
    with pytest.raises(InvalidInvitation, match="not signed by its inviter"):
        invitation.read_open(json.dumps(altered).encode())


@given(st.binary(max_size=200))
def test_damaged_invitations_are_refused_with_a_message(raw: bytes) -> None:
    with pytest.raises(InvalidInvitation):
        DirectInvitation.from_text(base58.b58encode(raw + b"\xff" * 200).decode())
    with pytest.raises(InvalidInvitation):
        invitation.read_open(raw)


@pytest.mark.parametrize("text", ["", "0OIl", "x" * 5000, "4Mb2deLta"])
def test_text_that_is_no_invitation_is_refused(text: str) -> None:
    with pytest.raises(InvalidInvitation):
        DirectInvitation.from_text(text)
