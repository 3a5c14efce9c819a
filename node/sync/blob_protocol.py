"""The blob protocol: one blob per stream, for members of a context.

The opening is JSON, what follows are chunks. A node of ours may also ask for the list of chunk ids, which hashes to the
blob's id, and then for single chunks: so each is verified when it arrives, several holders share the work, and what is
here already is not sent again. A node of the reference does not know the wish and sends the whole blob.
Source: core 0.10.0: crates/node/src/handlers/blob_protocol.rs, crates/network/primitives/src/blob_types.rs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from node.crypto import ed25519
from node.errors import CalimeroError, InvalidId, InvalidSignature, NotAMember, NotFound, RemoteProtocolError
from node.primitives import BlobId, ContextId, PrivateKey, PublicKey
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask
from node.sync.ports import BlobChunks, FindBlob, ReadApplication, ReadChunk
from node.sync.streams import Link

REQUEST_TIMEOUT: Final = 30 * SECOND
"""For the opening, and for each wish after it. The reference waits for ever."""

OLDEST: Final = 30
NEWEST: Final = 10
"""Seconds that a request's time may lie behind and ahead of ours."""

MAX_WISH: Final = 64
"""Chunks of one wish: 64 MiB, far more than a client keeps in flight."""

MAX_LINKS: Final = 1 << 16
"""Chunks of a blob whose list is given away: 64 GiB, and 3 MiB of JSON in one frame."""


class Auth(msgspec.Struct, frozen=True):
    public_key: str
    signature: list[int]
    timestamp: int


class BlobRequest(msgspec.Struct, frozen=True):
    """``links`` asks for the chunk list; the reference does not read it."""

    blob_id: str
    context_id: str
    auth: Auth | None = None
    links: bool = False


class BlobAnswer(msgspec.Struct, frozen=True):
    found: bool
    size: int | None = None
    links: list[str] | msgspec.UnsetType = msgspec.UNSET


class Wish(msgspec.Struct, frozen=True):
    """Chunks by their place in the list."""

    chunks: list[int]


Shape = TypeVar("Shape", BlobRequest, BlobAnswer, Wish)


def read(shape: type[Shape], raw: bytes, peer: str) -> Shape:
    """Raises :class:`RemoteProtocolError`."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RemoteProtocolError(f"peer {peer} sent no {shape.__name__}: {error}", peer=peer) from error


def sign(key: PrivateKey, public: PublicKey, blob_id: BlobId, context_id: ContextId, seconds: int) -> Auth:
    """The proof that a member asks."""
    signature = ed25519.sign(key, signed_bytes(blob_id, context_id, seconds))
    return Auth(str(public), list(signature), seconds)


def signed_bytes(blob_id: BlobId, context_id: ContextId, seconds: int) -> bytes:
    return blob_id + context_id + seconds.to_bytes(8, "little")


def wrap(chunk: bytes) -> bytes:
    """A chunk as a frame; an empty one ends a blob, or says that a wished chunk is not here."""
    return len(chunk).to_bytes(4, "little") + chunk


def unwrap(frame: bytes, peer: str) -> bytes:
    """Raises :class:`RemoteProtocolError`."""
    if len(frame) < 4 or int.from_bytes(frame[:4], "little") != len(frame) - 4:
        raise RemoteProtocolError(f"peer {peer} sent a chunk of another length than it says", peer=peer)
    return frame[4:]


# -- the holder


async def serve(core: Core, link: Link) -> None:
    """Answer one request and what follows from it. An error ends the stream and nothing else."""
    try:
        raw = await link.frame(REQUEST_TIMEOUT)
        if raw is not None:
            await _answer(core, link, read(BlobRequest, raw, link.peer))
    except CalimeroError as error:
        core.tell("peer", "request refused", None, peer=link.peer, request="Blob", reason=str(error))
    finally:
        link.close()


async def _answer(core: Core, link: Link, request: BlobRequest) -> None:
    try:
        found = await _granted(core, request)
    except CalimeroError:
        await link.send_frame(msgspec.json.encode(BlobAnswer(found=False)))
        raise
    if not request.links or len(found.chunks) > MAX_LINKS:
        await link.send_frame(msgspec.json.encode(BlobAnswer(found=True, size=found.size)))
        await _whole(link, found.chunks)
    else:
        links = [str(chunk) for chunk in found.chunks]
        await link.send_frame(msgspec.json.encode(BlobAnswer(found=True, size=found.size, links=links)))
        await _wishes(link, found.chunks)


async def _whole(link: Link, chunks: Sequence[BlobId]) -> None:
    for chunk in chunks:
        await link.send_frame(wrap(await Ask(ReadChunk(chunk))))
    await link.send_frame(wrap(b""))


async def _wishes(link: Link, chunks: Sequence[BlobId]) -> None:
    while (raw := await link.frame(REQUEST_TIMEOUT)) is not None:
        wish = read(Wish, raw, link.peer)
        if len(wish.chunks) > MAX_WISH or not all(0 <= place < len(chunks) for place in wish.chunks):
            raise RemoteProtocolError(f"peer {link.peer} wishes chunks that the blob does not have", peer=link.peer)
        for place in wish.chunks:
            await link.send_frame(wrap(await Ask(ReadChunk(chunks[place]))))


async def _granted(core: Core, request: BlobRequest) -> BlobChunks:
    """Raises :class:`NotAMember`, :class:`NotFound`, :class:`InvalidId`; the peer sees the same for each."""
    blob_id, context = BlobId.parse(request.blob_id), core.context(ContextId.parse(request.context_id))
    if blob_id != await _bytecode(context):
        await _check(core, context, request.auth, blob_id)
    found = await Ask(FindBlob(blob_id))
    if found is None:
        raise NotFound(f"blob {blob_id} is not here")
    return found


async def _bytecode(context: Followed) -> BlobId | None:
    """The blob that members need before they can prove anything: the context's application."""
    if context.application is None:
        try:
            context.application = await Ask(ReadApplication(context.id, context.config))
        except CalimeroError:
            return None
    return context.application.blob_id


async def _check(core: Core, context: Followed, auth: Auth | None, blob_id: BlobId) -> None:
    if auth is None:
        raise NotAMember(f"blob {blob_id} is asked for without a proof of membership")
    age = core.kernel.now // SECOND - auth.timestamp
    if not -NEWEST <= age <= OLDEST:
        raise NotAMember(f"the proof of membership is {age} s old")
    try:
        member = PublicKey.parse(auth.public_key)
        message = signed_bytes(blob_id, context.id, auth.timestamp)
        ed25519.verify(member, message, bytes(auth.signature))
    except (InvalidId, InvalidSignature, ValueError, OverflowError) as error:
        raise NotAMember(f"the proof of membership does not hold: {error}") from error
    if not await core.knows_member(context, member):
        raise NotAMember(f"{member} is not a member of context {context.id}")


def is_list_of(blob_id: BlobId, size: int, links: Sequence[BlobId], chunk_size: int) -> bool:
    """Whether a chunk list is the one of this blob and has as many chunks as its size needs."""
    needed = -(-size // chunk_size)
    return len(links) == needed and hashlib.sha256(b"".join(links)).digest() == blob_id
