"""Invitations: the direct payload, and open invitations with commit and reveal.

A direct invitation is a pointer without secret or signature; the member was added at the registry when it was made.
An open one is signed by the inviter and redeemed by whoever holds it: the new member commits to a hash, then reveals.
Source: core 0.10.0: crates/primitives/src/context.rs, crates/context/config/src/types.rs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Final

import base58
import msgspec

from node.codec import borsh
from node.codec.borsh import u64
from node.context.requests import Target
from node.crypto import ed25519
from node.errors import CodecError, InvalidId, InvalidInvitation, InvalidSignature, RegistryError
from node.primitives import ContextId, Hash, PrivateKey, PublicKey, to_base58

EXPIRY_BASE: Final = 999_999_999
"""What the reference adds the validity to; it never asks a chain for its height."""

MAX_TEXT: Final = 4096
"""Characters of an invitation text; an honest one has about 150."""


@dataclass(frozen=True, slots=True)
class DirectInvitation:
    """A pointer to a context for one invitee."""

    context_id: ContextId
    invitee: PublicKey
    protocol: str
    network: str
    contract: str

    def to_text(self) -> str:
        """Base58 of the Borsh form."""
        return to_base58(borsh.encode(self))

    @classmethod
    def from_text(cls, text: str) -> DirectInvitation:
        """Read :meth:`to_text`. Raises :class:`InvalidInvitation`."""
        if len(text) > MAX_TEXT:
            raise InvalidInvitation(f"the invitation has {len(text)} characters, at most {MAX_TEXT} are allowed")
        try:
            return borsh.decode(cls, base58.b58decode(text))
        except (ValueError, CodecError) as error:
            raise InvalidInvitation(f"the invitation is truncated or damaged: {error}") from error


@dataclass(frozen=True, slots=True)
class InvitationFromMember:
    """What the inviter signs."""

    inviter_identity: PublicKey
    context_id: ContextId
    expiration_height: u64
    secret_salt: Hash
    protocol: str
    network: str
    contract_id: str


@dataclass(frozen=True, slots=True)
class SignedOpenInvitation:
    invitation: InvitationFromMember
    inviter_signature: str


@dataclass(frozen=True, slots=True)
class RevealPayloadData:
    """What the new member commits to, and signs."""

    signed_open_invitation: SignedOpenInvitation
    new_member_identity: PublicKey


# -- JSON forms: ids are lists of 32 numbers there

_Bytes32 = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=255)]], msgspec.Meta(min_length=32, max_length=32)]


class InvitationJson(msgspec.Struct, frozen=True):
    inviter_identity: _Bytes32
    context_id: _Bytes32
    expiration_height: Annotated[int, msgspec.Meta(ge=0)]
    secret_salt: _Bytes32
    protocol: str
    network: str
    contract_id: str


class SignedInvitationJson(msgspec.Struct, frozen=True):
    invitation: InvitationJson
    inviter_signature: str


class RevealDataJson(msgspec.Struct, frozen=True):
    signed_open_invitation: SignedInvitationJson
    new_member_identity: _Bytes32


class SignedRevealPayload(msgspec.Struct, frozen=True):
    """The JSON of a reveal, as it goes to the registry."""

    data: RevealDataJson
    invitee_signature: str


def _from_json(text: SignedInvitationJson) -> SignedOpenInvitation:
    inner = text.invitation
    return SignedOpenInvitation(
        InvitationFromMember(
            PublicKey(bytes(inner.inviter_identity)),
            ContextId(bytes(inner.context_id)),
            inner.expiration_height,
            Hash(bytes(inner.secret_salt)),
            inner.protocol,
            inner.network,
            inner.contract_id,
        ),
        text.inviter_signature,
    )


def _to_json(signed: SignedOpenInvitation) -> SignedInvitationJson:
    inner = signed.invitation
    return SignedInvitationJson(
        InvitationJson(
            list(inner.inviter_identity),
            list(inner.context_id),
            inner.expiration_height,
            list(inner.secret_salt),
            inner.protocol,
            inner.network,
            inner.contract_id,
        ),
        signed.inviter_signature,
    )


def _digest(value: object) -> bytes:
    return hashlib.sha256(borsh.encode(value)).digest()


# -- the inviter


def sign_open(
    key: PrivateKey,
    *,
    inviter: PublicKey,
    context_id: ContextId,
    valid_for_blocks: int,
    salt: bytes,
    target: Target,
) -> bytes:
    """A signed open invitation as JSON bytes."""
    inner = InvitationFromMember(
        inviter,
        context_id,
        EXPIRY_BASE + valid_for_blocks,
        Hash(salt),
        target.protocol,
        target.network,
        target.contract,
    )
    signed = SignedOpenInvitation(inner, ed25519.sign(key, _digest(inner)).hex())
    return msgspec.json.encode(_to_json(signed))


# -- the new member


def read_open(raw: bytes) -> InvitationFromMember:
    """What an open invitation says. Raises :class:`InvalidInvitation` unless it is well-formed and signed."""
    signed = _parse_open(raw)
    try:
        _check(signed.invitation.inviter_identity, signed.invitation, signed.inviter_signature)
    except InvalidSignature as error:
        raise InvalidInvitation("the open invitation is not signed by its inviter") from error
    return signed.invitation


def _parse_open(raw: bytes) -> SignedOpenInvitation:
    try:
        return _from_json(msgspec.json.decode(raw, type=SignedInvitationJson))
    except (msgspec.MsgspecError, InvalidId, UnicodeDecodeError) as error:
        raise InvalidInvitation(f"the open invitation is truncated or damaged: {error}") from error


@dataclass(frozen=True, slots=True)
class OpenJoin:
    """The two requests of a join by open invitation."""

    data: RevealPayloadData
    signature: str

    def commit_params(self) -> dict[str, object]:
        height = self.data.signed_open_invitation.invitation.expiration_height
        return {"commitment_hash": _digest(self.data).hex(), "expiration_block_height": height}

    def reveal_params(self) -> dict[str, object]:
        data = RevealDataJson(_to_json(self.data.signed_open_invitation), list(self.data.new_member_identity))
        return {"payload": msgspec.to_builtins(SignedRevealPayload(data, self.signature))}


def sign_reveal(key: PrivateKey, raw: bytes, member: PublicKey) -> OpenJoin:
    """Redeem an open invitation (JSON) for ``member``, whose private key is ``key``."""
    data = RevealPayloadData(_parse_open(raw), member)
    return OpenJoin(data, ed25519.sign(key, _digest(data)).hex())


# -- the registry


@dataclass(frozen=True, slots=True)
class Reveal:
    """A reveal as the registry judges it."""

    data: RevealPayloadData
    invitee_signature: str

    @property
    def _inner(self) -> InvitationFromMember:
        return self.data.signed_open_invitation.invitation

    @property
    def protocol(self) -> str:
        return self._inner.protocol

    @property
    def contract_id(self) -> str:
        return self._inner.contract_id

    @property
    def context_id(self) -> ContextId:
        return self._inner.context_id

    @property
    def expiration_height(self) -> int:
        return self._inner.expiration_height

    @property
    def inviter(self) -> PublicKey:
        return self._inner.inviter_identity

    @property
    def new_member(self) -> PublicKey:
        return self.data.new_member_identity

    @property
    def commitment(self) -> str:
        return _digest(self.data).hex()

    @property
    def invitation_digest(self) -> str:
        """Names the invitation, so that it can be used once."""
        return hashlib.sha256(self.data.signed_open_invitation.inviter_signature.encode()).hexdigest()

    def check_signatures(self) -> None:
        """Raises :class:`RegistryError` with the contract's text."""
        try:
            _check(self.new_member, self.data, self.invitee_signature)
        except InvalidSignature as error:
            raise RegistryError("New member's signature is invalid.") from error
        try:
            _check(self.inviter, self._inner, self.data.signed_open_invitation.inviter_signature)
        except InvalidSignature as error:
            raise RegistryError("Inviter's signature is invalid") from error


def open_reveal(payload: SignedRevealPayload) -> Reveal:
    """A reveal from its JSON form. Raises :class:`RegistryError`."""
    try:
        signed = _from_json(payload.data.signed_open_invitation)
        member = PublicKey(bytes(payload.data.new_member_identity))
    except InvalidId as error:
        raise RegistryError(f"failed to parse input: {error}") from error
    return Reveal(RevealPayloadData(signed, member), payload.invitee_signature)


def _check(signer: PublicKey, value: object, signature: str) -> None:
    """Raises :class:`InvalidSignature` unless the hex ``signature`` covers SHA-256 of the Borsh form."""
    try:
        raw = bytes.fromhex(signature)
    except ValueError as error:
        raise InvalidSignature("the signature is not hexadecimal") from error
    ed25519.verify(signer, _digest(value), raw)
