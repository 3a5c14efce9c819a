"""BlobShare: an application's bytes over the sync stream, sealed for the asking identity.

Every message after the two openings is sealed with the key that both identities derive, with the nonce that the sender
announced one message earlier; the last one announces zeros.
Source: core 0.10.0: crates/node/src/sync/blobs.rs.
"""

from __future__ import annotations

import hashlib
from typing import Final

from node.crypto.seal import OpeningChain, SealingChain
from node.crypto.shared import agree
from node.errors import NotFound, RemoteProtocolError
from node.primitives import BlobId, Hash, PublicKey
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask
from node.sync.ports import DropChunks, FindBlob, ReadChunk, StoreBlob, WriteChunk
from node.sync.streams import Link
from node.sync.wire import BlobShare, Init, InitBlobShare, Message, decode_stream, encode_stream

CHUNK_TIMEOUT: Final = 10 * SECOND
"""Per message, as in the reference; a merod that lacks the blob says nothing at all."""

MAX_BLOB: Final = 500 * 1024 * 1024
"""Largest blob that is taken from a peer; later releases of the reference have the same cap."""


async def serve(core: Core, context: Followed, link: Link, asker: PublicKey, blob_id: BlobId) -> None:
    """Send a blob. Raises :class:`NotFound`, which the peer sees as an ``OpaqueError`` at once."""
    found = await Ask(FindBlob(blob_id))
    if found is None:
        raise NotFound(f"blob {blob_id} is not here")
    me = core.my_identity(context)
    chain = SealingChain(agree(me.private_key, asker), core.random_bytes)
    await link.send(Init(context.id, me.public_key, InitBlobShare(blob_id), chain.announce()))
    for number, chunk_id in enumerate(found.chunks):
        chunk = BlobShare(await Ask(ReadChunk(chunk_id)))
        await _send(link, chain, Message(number, chunk, chain.announce()))
    await _send(link, chain, Message(len(found.chunks), BlobShare(b""), chain.announce(last=True)))


async def _send(link: Link, chain: SealingChain, message: Message) -> None:
    await link.send_frame(chain.seal(encode_stream(message)))


async def fetch(core: Core, context: Followed, link: Link, blob_id: BlobId, size: int) -> None:
    """Receive a blob and keep it. Raises :class:`RemoteProtocolError`, :class:`SealError`; then nothing stays."""
    if size > MAX_BLOB:
        raise RemoteProtocolError(f"blob {blob_id} has {size} bytes, at most {MAX_BLOB} are taken from a peer", score=0)
    me = core.my_identity(context)
    await link.send(Init(context.id, me.public_key, InitBlobShare(blob_id), core.random_bytes(12)))
    ack = await link.init(CHUNK_TIMEOUT)
    if not isinstance(ack.payload, InitBlobShare) or ack.payload.blob_id != blob_id:
        raise RemoteProtocolError(f"unexpected ack blob id from peer {link.peer}", peer=link.peer)
    taken = Taken(link.peer, blob_id, size)
    try:
        await _receive(link, OpeningChain(agree(me.private_key, ack.party_id), ack.next_nonce), taken)
        await Ask(StoreBlob(blob_id, taken.bytes, Hash(taken.digest.digest()), tuple(taken.chunks)))
    except BaseException:
        core.kernel.post(DropChunks(tuple(taken.chunks)))
        raise


async def _receive(link: Link, chain: OpeningChain, taken: Taken) -> None:
    number = 0
    while True:
        frame = await link.frame(CHUNK_TIMEOUT)
        if frame is None:
            raise RemoteProtocolError(f"peer {link.peer} ended the blob early", peer=link.peer, score=0)
        message = decode_stream(chain.open(frame))
        if not isinstance(message, Message) or not isinstance(message.payload, BlobShare):
            raise RemoteProtocolError(f"peer {link.peer} sent no chunk", peer=link.peer)
        if message.sequence_id != number:
            raise RemoteProtocolError(f"sequence error: expected {number}, at {message.sequence_id}", peer=link.peer)
        if not message.payload.chunk:
            taken.finish()
            return
        await taken.add(message.payload.chunk)
        chain.follow(message.next_nonce)
        number += 1


class Taken:
    """What came so far, and whether it is what was asked for."""

    def __init__(self, peer: str, blob_id: BlobId, size: int) -> None:
        self._peer = peer
        self._blob_id = blob_id
        self._size = size
        self.bytes = 0
        self.chunks: list[BlobId] = []
        self.digest = hashlib.sha256()

    async def add(self, chunk: bytes) -> None:
        self.bytes += len(chunk)
        if self.bytes > self._size:
            raise RemoteProtocolError(f"peer {self._peer} sends more than {self._size} bytes", peer=self._peer, score=5)
        self.digest.update(chunk)
        self.chunks.append(await Ask(WriteChunk(chunk)))

    def finish(self) -> None:
        found = BlobId(hashlib.sha256(b"".join(self.chunks)).digest())
        if self.bytes != self._size or found != self._blob_id:
            raise RemoteProtocolError(
                f"unexpected blob id: expected {self._blob_id} of {self._size} bytes, got {found} of {self.bytes}",
                peer=self._peer,
                score=20,
            )
