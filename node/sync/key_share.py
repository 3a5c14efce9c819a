"""KeyShare: two nodes prove a context identity to each other and exchange its sender key.

Both ends run :func:`exchange`; who asks first follows from the order of the two public keys, not from who opened the
stream. Source: core 0.10.0: crates/node/src/sync/key.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from node.crypto import ed25519
from node.errors import InvalidSignature, LocalProtocolError, RemoteProtocolError
from node.primitives import ContextId, PrivateKey, PublicKey
from node.sync.kernel import SECOND
from node.sync.ports import Identity
from node.sync.streams import Link
from node.sync.wire import Challenge, ChallengeResponse, Init, InitKeyShare, KeyShare, Message, MessagePayload

STEP_TIMEOUT: Final = 10 * SECOND
"""Per message, as in the reference (a third of its sync timeout)."""

PREFIX: Final = b"CALIMERO_KEY_SHARE_CHALLENGE_HANDSHAKE"
"""Put before the challenge that is signed, so that a signature means nothing elsewhere."""

RandomBytes = Callable[[int], bytes]
P = TypeVar("P", bound=MessagePayload)


@dataclass(frozen=True, slots=True)
class Shared:
    """The other side's identity, proven, and its sender key."""

    public_key: PublicKey
    sender_key: PrivateKey


async def start(link: Link, context_id: ContextId, me: Identity, random_bytes: RandomBytes) -> PublicKey:
    """Open the protocol as the side that dialled; returns the identity that the peer claims."""
    await link.send(Init(context_id, me.public_key, InitKeyShare(), random_bytes(12)))
    return (await _acknowledgement(link, context_id)).party_id


async def _acknowledgement(link: Link, context_id: ContextId) -> Init:
    answer = await link.init(STEP_TIMEOUT)
    if answer.context_id != context_id or not isinstance(answer.payload, InitKeyShare):
        raise RemoteProtocolError(f"peer {link.peer} acknowledged another request than KeyShare", peer=link.peer)
    return answer


async def acknowledge(link: Link, context_id: ContextId, me: Identity, random_bytes: RandomBytes) -> None:
    """Answer the peer's opening."""
    await link.send(Init(context_id, me.public_key, InitKeyShare(), random_bytes(12)))


async def exchange(link: Link, me: Identity, theirs: PublicKey, random_bytes: RandomBytes) -> Shared:
    """The six messages after both sides named themselves.

    Raises :class:`RemoteProtocolError` when the peer is not who it says, :class:`LocalProtocolError` for equal keys.
    """
    if me.public_key == theirs:
        raise LocalProtocolError(f"peer {link.peer} claims our own identity {theirs}; keys are shared with others only")
    if me.sender_key is None:
        raise LocalProtocolError(f"identity {me.public_key} has no sender key here")
    side = _Side(link, me, theirs, random_bytes)
    return await (side.greater() if me.public_key > theirs else side.smaller())


class _Side:
    """One end. The greater key challenges first; each message carries the sequence number of its direction."""

    def __init__(self, link: Link, me: Identity, theirs: PublicKey, random_bytes: RandomBytes) -> None:
        self._link = link
        self._me = me
        self._theirs = theirs
        self._random = random_bytes
        self._sent = 0
        self._received = 0
        self._challenge = random_bytes(32)

    async def greater(self) -> Shared:
        await self._send(Challenge(self._challenge))
        self._verify(await self._receive(ChallengeResponse))
        await self._prove(await self._receive(Challenge))
        await self._send_key()
        return await self._receive_key()

    async def smaller(self) -> Shared:
        await self._prove(await self._receive(Challenge))
        await self._send(Challenge(self._challenge))
        self._verify(await self._receive(ChallengeResponse))
        shared = await self._receive_key()
        await self._send_key()
        return shared

    async def _prove(self, asked: Challenge) -> None:
        await self._send(ChallengeResponse(ed25519.sign(self._me.private_key, PREFIX + asked.challenge)))

    def _verify(self, answer: ChallengeResponse) -> None:
        try:
            ed25519.verify(self._theirs, PREFIX + self._challenge, answer.signature)
        except InvalidSignature as error:
            raise RemoteProtocolError(
                f"peer {self._link.peer} failed to prove that it holds identity {self._theirs}",
                peer=self._link.peer,
                score=20,
            ) from error

    async def _send_key(self) -> None:
        key = self._me.sender_key
        assert key is not None
        await self._send(KeyShare(key))

    async def _receive_key(self) -> Shared:
        return Shared(self._theirs, (await self._receive(KeyShare)).sender_key)

    async def _send(self, payload: MessagePayload) -> None:
        await self._link.send(Message(self._sent, payload, self._random(12)))
        self._sent += 1

    async def _receive(self, kind: type[P]) -> P:
        message = await self._link.message(STEP_TIMEOUT)
        if message.sequence_id != self._received:
            raise RemoteProtocolError(
                f"sequence error: expected {self._received}, at {message.sequence_id}", peer=self._link.peer
            )
        self._received += 1
        if not isinstance(message.payload, kind):
            raise RemoteProtocolError(
                f"peer {self._link.peer} sent {type(message.payload).__name__}, expected {kind.__name__}",
                peer=self._link.peer,
            )
        return message.payload
