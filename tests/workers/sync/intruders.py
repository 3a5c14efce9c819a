"""Peers that break a rule again and again, over real sockets, until the node has had enough of them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import trio

from node.crypto import ed25519
from node.errors import RemoteProtocolError
from node.gossip import signing
from node.gossip.rpc import Message as GossipMessage
from node.gossip.rpc import Rpc, Subscription, encode_frame
from node.primitives import ContextId, DeltaId, Hash, PrivateKey, PublicKey
from node.sync.key_share import PREFIX
from node.sync.wire import (
    Challenge,
    ChallengeResponse,
    Init,
    InitKeyShare,
    KeyShare,
    Message,
    MessagePayload,
    OpaqueError,
    StateDelta,
    StreamMessage,
    decode_stream,
    encode_broadcast,
    encode_stream,
)
from tests.workers.network.hostile import Dialable, Hostile
from tests.workers.network.nodes import SYNC
from workers.network import limits
from workers.network.connection import Connection, YamuxStream

MESHSUB: Final = "/meshsub/1.2.0"
NONCE: Final = bytes(12)
SEED: Final = PrivateKey(b"\x66" * 32)
"""Of the intruder that is a member."""

WORN: Final = 18
"""Malformed frames that leave 10 points of the 100 that end a connection."""

PER_STREAM: Final = 8
"""Bad requests after which a node gives a stream up."""


@dataclass(frozen=True)
class Scene:
    """The node that is attacked, and what its attackers know."""

    node: Dialable
    context: ContextId
    host: PublicKey
    """The member that the attacked node is."""
    other: PublicKey
    """A member that others may pretend to be."""

    def opening(self, party: PublicKey) -> Init:
        return Init(self.context, party, InitKeyShare(), NONCE)


@dataclass(frozen=True)
class Visit:
    """One connection of an intruder."""

    scene: Scene
    hostile: Hostile
    connection: Connection
    gossip: YamuxStream

    async def talk(self) -> Talk:
        return Talk(await self.hostile.stream(self.connection, SYNC))


Deed = Callable[[Visit], Awaitable[None]]
"""Breaks the rule at least once."""


@dataclass(frozen=True)
class Misconduct:
    """A deed, and the name under which the node counts it. One that costs little comes after ``worn``: some that cost
    more, so that a few are enough for a busy machine too."""

    reason: str
    deed: Deed
    worn: bool = False

    @property
    def counted(self) -> set[str]:
        return {self.reason, "sync-malformed"} if self.worn else {self.reason}


async def intrude(scene: Scene, number: int, misconduct: Misconduct) -> str:
    """Repeat the deed until the connection is closed; the intruder's peer id."""
    hostile = Hostile(1_000 + number)
    async with hostile.connected(scene.node) as connection:
        with suppress(RemoteProtocolError):
            await hostile.listen_to_gossip()
            visit = Visit(scene, hostile, connection, await hostile.stream(connection, MESHSUB))
            for _ in range(WORN * misconduct.worn):
                await bad_frames(cut, 1)(visit)
            while not connection.closed.is_set():
                await misconduct.deed(visit)
        await connection.closed.wait()
    return hostile.peer


class Talk:
    """A sync stream in frames."""

    def __init__(self, stream: YamuxStream) -> None:
        self.stream = stream

    async def send(self, *messages: StreamMessage) -> None:
        await self.raw(*map(encode_stream, messages))

    async def raw(self, *frames: bytes) -> None:
        await self.stream.send_all(b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames))

    async def receive(self) -> StreamMessage:
        size = int.from_bytes(await self.stream.receive_exactly(4), "big")
        return decode_stream(await self.stream.receive_exactly(size))

    async def payload(self) -> MessagePayload:
        found = await self.receive()
        assert isinstance(found, Message), found
        return found.payload

    async def challenged(self) -> bytes:
        found = await self.payload()
        assert isinstance(found, Challenge), found
        return found.challenge

    async def refused(self, times: int = 1) -> None:
        """Read until the node said so often that it refuses, and end the stream."""
        while times:
            times -= isinstance(await self.receive(), OpaqueError)
        self.stream.finish()


def numbered(number: int, payload: MessagePayload) -> Message:
    return Message(number, payload, NONCE)


# -- frames


async def oversized_frames(visit: Visit) -> None:
    talk = await visit.talk()
    await talk.stream.send_all((limits.MAX_FRAME + 1).to_bytes(4, "big"))
    with suppress(RemoteProtocolError):
        await talk.receive()


def bad_frames(change: Callable[[bytes], bytes], times: int = PER_STREAM) -> Deed:
    async def deed(visit: Visit) -> None:
        talk = await visit.talk()
        frame = change(encode_stream(visit.scene.opening(visit.scene.other)))
        await talk.raw(*[frame] * times)
        await talk.refused(times)

    return deed


def cut(frame: bytes) -> bytes:
    return frame[:-1]


async def wrong_numbers(visit: Visit) -> None:
    """Whoever of the two asks first, the first message must have number 0."""
    talk = await visit.talk()
    pair = visit.scene.opening(visit.scene.other), numbered(99, Challenge(bytes(32)))
    await talk.send(*pair * PER_STREAM)
    await talk.refused(PER_STREAM)


async def wrong_proofs(visit: Visit) -> None:
    """Claims to be a member without its key."""
    talk = await visit.talk()
    forged = ChallengeResponse(bytes(64))
    await talk.send(visit.scene.opening(visit.scene.other))
    await talk.receive()
    if visit.scene.host > visit.scene.other:
        await talk.challenged()
        await talk.send(numbered(0, forged))
    else:
        await talk.send(numbered(0, Challenge(bytes(32))))
        await talk.payload()
        await talk.challenged()
        await talk.send(numbered(1, forged))
    await talk.refused()


# -- gossip


async def publish(visit: Visit, data: bytes, *, forge: bool = False) -> None:
    message = GossipMessage(visit.hostile.identity.peer_id, data, os.urandom(8), str(visit.scene.context))
    signed = signing.signed(message, signing.signer(visit.hostile.seed))
    if forge:
        signed = GossipMessage(signed.source, signed.data, signed.seqno, signed.topic, bytes(64))
    await visit.gossip.send_all(encode_frame(Rpc(messages=(signed,))))


async def forged_gossip(visit: Visit) -> None:
    await publish(visit, b"whatever", forge=True)
    await visit.connection.ping()


async def cut_gossip(visit: Visit) -> None:
    await publish(visit, b"\0" * 40)
    await visit.connection.ping()


async def flood(visit: Visit) -> None:
    """Topics without end."""
    changes = tuple(Subscription(os.urandom(16).hex(), subscribe=True) for _ in range(1_000))
    await visit.gossip.send_all(encode_frame(Rpc(changes)))


async def thousand_streams(visit: Visit) -> None:
    for _ in range(1_000):
        visit.connection.open_stream()
    await visit.connection.closed.wait()


async def broken_seals(visit: Visit) -> None:
    """A member whose deltas do not open with the key that it shared; each takes its proof away, so it proves anew."""
    await prove(await visit.talk(), visit.scene)
    parents, clock = (DeltaId(bytes(32)),), bytes(24)
    author, name = ed25519.public_key(SEED), DeltaId(os.urandom(32))
    delta = StateDelta(visit.scene.context, author, name, parents, clock, Hash(bytes(32)), bytes(40), NONCE, None)
    await publish(visit, encode_broadcast(delta))
    await visit.connection.ping()


async def prove(talk: Talk, scene: Scene) -> None:
    """The key share as it should be."""
    me = ed25519.public_key(SEED)
    await talk.send(scene.opening(me))
    await talk.receive()
    asking, key = Challenge(os.urandom(32)), KeyShare(SEED)
    if me > scene.host:
        await talk.send(numbered(0, asking))
        await talk.payload()
        await _answer(talk, 1)
        await talk.send(numbered(2, key))
        await talk.payload()
    else:
        await _answer(talk, 0)
        await talk.send(numbered(1, asking))
        await talk.payload()
        await talk.payload()
        await talk.send(numbered(2, key))
    talk.stream.finish()


async def _answer(talk: Talk, number: int) -> None:
    signature = ed25519.sign(SEED, PREFIX + await talk.challenged())
    await talk.send(numbered(number, ChallengeResponse(signature)))


DEEDS: Final = {
    "frames over the limit": Misconduct("frame-size", oversized_frames),
    "truncated borsh": Misconduct("sync-malformed", bad_frames(cut)),
    "trailing bytes": Misconduct("sync-malformed", bad_frames(lambda frame: frame + b"\0")),
    "unknown variants": Misconduct("sync-malformed", bad_frames(lambda frame: b"\x7f" + frame[1:])),
    "unknown requests": Misconduct("sync-malformed", bad_frames(lambda frame: frame[:65] + b"\x7f" + frame[66:])),
    "wrong sequence ids": Misconduct("sync-protocol", wrong_numbers, worn=True),
    "wrong signatures on a challenge": Misconduct("sync-protocol", wrong_proofs),
    "wrong signatures on gossip": Misconduct("gossip-signature", forged_gossip),
    "truncated gossip": Misconduct("sync-malformed", cut_gossip),
    "bad seals": Misconduct("sync-seal", broken_seals, worn=True),
    "subscription floods": Misconduct("gossip-topics", flood),
    "a thousand streams": Misconduct("streams", thousand_streams),
}


async def intrude_all(scene: Scene) -> dict[str, str]:
    """All of them at the same time; the peer id of each."""
    peers: dict[str, str] = {}

    async def one(number: int, what: str) -> None:
        peers[what] = await intrude(scene, number, DEEDS[what])

    async with trio.open_nursery() as nursery:
        for number, what in enumerate(DEEDS):
            nursery.start_soon(one, number, what)
    return peers
