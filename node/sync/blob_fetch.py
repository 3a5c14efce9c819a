"""Fetching a blob of a context from whoever holds it: members first, then whom a DHT record names.

Holders that give the chunk list share the work, each chunk is verified when it arrives, and what a broken transfer
brought stays for the next. A holder of the reference sends the whole blob, which is verified at its end.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import msgspec

from node.errors import CalimeroError, InvalidId, NotFound, RemoteProtocolError
from node.primitives import BlobId, Hash
from node.sync.blob import Taken
from node.sync.blob_protocol import (
    BlobAnswer,
    BlobRequest,
    Wish,
    is_list_of,
    read,
    sign,
    unwrap,
)
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask, Join, Sleep, Task
from node.sync.ports import (
    BlobChunks,
    DropChunks,
    FindBlob,
    FindHolder,
    MissingChunks,
    ReadChunk,
    StoreBlob,
    WriteChunk,
)
from node.sync.streams import Link

CHUNK_SIZE: Final = 1 << 20
TRIES: Final = 6
FIRST_PAUSE: Final = SECOND // 10
"""Pauses between rounds double from here, as in later releases of the reference."""

ANSWER_TIMEOUT: Final = 30 * SECOND
"""For the opening and for each chunk, as in the reference."""

HOLDER_TIMEOUT: Final = 5 * SECOND
"""For the DHT; members are asked meanwhile, so a slow one costs only those blobs that no member has."""

MAX_HOLDERS: Final = 4
"""Holders that share the work; more would be slower, since each chunk is written and hashed here."""

MAX_ASKED: Final = 8
IN_FLIGHT: Final = 8
"""Chunks that one holder is asked for ahead: 8 MiB fill the way between two continents."""

MAX_FETCHED: Final = 8 << 30
"""Bytes of the largest blob that is fetched."""

PROGRESS: Final = SECOND // 2
"""Least time between two notices of a transfer."""


@dataclass(slots=True)
class Offer:
    """A holder with an open stream and what it says about the blob."""

    link: Link
    size: int
    links: tuple[BlobId, ...] | None


@dataclass(slots=True)
class Hunt:
    """One blob being fetched: what is missing, what came, and whom was asked in vain."""

    core: Core
    context: Followed
    blob_id: BlobId
    links: tuple[BlobId, ...] = ()
    size: int = 0
    missing: deque[int] = field(default_factory=deque)
    refusals: dict[str, str] = field(default_factory=dict)
    received: int = 0
    told_at: int = 0

    def progress(self, count: int) -> None:
        self.received += count
        now = self.core.kernel.now
        if now - self.told_at >= PROGRESS:
            self.told_at = now
            self.tell("blob progress")

    def tell(self, name: str) -> None:
        blob = str(self.blob_id)
        self.core.tell("sync", name, self.context, blob=blob, bytes=self.received, size=self.size)


async def fetch(core: Core, context: Followed, blob_id: BlobId) -> BlobChunks:
    """Make a blob of a context be here. Raises :class:`NotFound` that says whom was asked and what they said."""
    hunt = Hunt(core, context, blob_id)
    for number in range(TRIES):
        if number:
            await Sleep(FIRST_PAUSE << (number - 1))
        found = await Ask(FindBlob(blob_id))
        if found is None and await _round(hunt):
            found = await Ask(FindBlob(blob_id))
        if found is not None:
            if hunt.received:
                hunt.tell("blob fetched")
            return found
    asked = "; ".join(f"{peer}: {text}" for peer, text in hunt.refusals.items()) or "no member is online"
    raise NotFound(f"blob {blob_id} is not here and nobody of context {context.id} gives it ({asked})")


async def _round(hunt: Hunt) -> bool:
    """Ask every holder once, and take what they give. True if the blob is complete."""
    offers = await _offers(hunt)
    try:
        listed = [offer for offer in offers if offer.links is not None]
        if listed:
            return await _share(hunt, listed[:MAX_HOLDERS])
        for offer in offers:
            if await _take_whole(hunt, offer):
                return True
        return False
    finally:
        for offer in offers:
            offer.link.close()


# -- who has it


async def _offers(hunt: Hunt) -> list[Offer]:
    """Members at the same time; the DHT only when none of them has it."""
    core, context = hunt.core, hunt.context
    peers = core.peers.candidates(context.id, core.kernel.now)[:MAX_ASKED]
    offers = await _asked(hunt, peers)
    if offers:
        return offers
    holder = await _named(hunt)
    return await _asked(hunt, [holder]) if holder is not None and holder not in peers else []


async def _named(hunt: Hunt) -> str | None:
    try:
        holder: str | None = await Ask(FindHolder(hunt.context.id, hunt.blob_id), HOLDER_TIMEOUT)
    except CalimeroError:
        return None
    return holder


async def _asked(hunt: Hunt, peers: list[str]) -> list[Offer]:
    tasks = [hunt.core.kernel.spawn(_ask(hunt, peer), f"blob offer {peer}") for peer in peers]
    return [offer for task in tasks if (offer := await Join(task)) is not None]


async def _ask(hunt: Hunt, peer: str) -> Offer | None:
    link: Link | None = None
    try:
        link = await hunt.core.streams.open(peer, blob=True)
        return await _opened(hunt, link)
    except CalimeroError as error:
        hunt.refusals[peer] = str(error)
        if link is not None:
            link.close()
        return None


async def _opened(hunt: Hunt, link: Link) -> Offer:
    me = hunt.core.my_identity(hunt.context)
    now = hunt.core.kernel.now // SECOND
    auth = sign(me.private_key, me.public_key, hunt.blob_id, hunt.context.id, now)
    request = BlobRequest(str(hunt.blob_id), str(hunt.context.id), auth, links=True)
    await link.send_frame(msgspec.json.encode(request))
    raw = await link.frame(ANSWER_TIMEOUT)
    if raw is None:
        raise RemoteProtocolError(f"peer {link.peer} ended the stream", peer=link.peer, score=0)
    answer = read(BlobAnswer, raw, link.peer)
    if not answer.found or answer.size is None:
        raise NotFound("does not have it")
    if not 0 <= answer.size <= MAX_FETCHED:
        raise RemoteProtocolError(f"says that it has {answer.size} bytes, at most {MAX_FETCHED} are taken", score=0)
    return Offer(link, answer.size, _links(hunt, answer, link.peer))


def _links(hunt: Hunt, answer: BlobAnswer, peer: str) -> tuple[BlobId, ...] | None:
    if isinstance(answer.links, msgspec.UnsetType) or answer.size is None:
        return None
    try:
        links = tuple(BlobId.parse(text) for text in answer.links)
    except InvalidId as error:
        raise RemoteProtocolError(f"peer {peer} lists a chunk without an id", peer=peer) from error
    if not is_list_of(hunt.blob_id, answer.size, links, CHUNK_SIZE):
        raise RemoteProtocolError(f"peer {peer} lists other chunks than those of the blob", peer=peer, score=20)
    return links


# -- chunks from several holders


async def _share(hunt: Hunt, offers: list[Offer]) -> bool:
    hunt.links, hunt.size = offers[0].links or (), offers[0].size
    absent = set(await Ask(MissingChunks(hunt.links)))
    hunt.missing = deque(place for place, chunk in enumerate(hunt.links) if chunk in absent)
    tasks: list[Task[None]] = [hunt.core.kernel.spawn(_pull(hunt, offer), "blob chunks") for offer in offers]
    for task in tasks:
        await Join(task)
    return not hunt.missing and await _completed(hunt)


async def _pull(hunt: Hunt, offer: Offer) -> None:
    """Take chunks from one holder for as long as some are missing; what it fails to bring is for the others."""
    ahead: deque[int] = deque()
    try:
        while await _wished(hunt, offer.link, ahead):
            frame = await offer.link.frame(ANSWER_TIMEOUT)
            if frame is None:
                raise RemoteProtocolError(f"peer {offer.link.peer} ended the blob early", score=0)
            chunk = unwrap(frame, offer.link.peer)
            if hashlib.sha256(chunk).digest() != hunt.links[ahead[0]]:
                raise RemoteProtocolError(
                    f"peer {offer.link.peer} sent a chunk that is not the one asked for", score=20
                )
            await Ask(WriteChunk(chunk))
            ahead.popleft()
            hunt.progress(len(chunk))
    except CalimeroError as error:
        hunt.refusals[offer.link.peer] = str(error)
    finally:
        hunt.missing.extendleft(reversed(ahead))


async def _wished(hunt: Hunt, link: Link, ahead: deque[int]) -> bool:
    """Keep some chunks in flight. False when nothing is left to wait for."""
    wish: list[int] = []
    while hunt.missing and len(ahead) < IN_FLIGHT:
        wish.append(hunt.missing.popleft())
        ahead.append(wish[-1])
    if wish:
        await link.send_frame(msgspec.json.encode(Wish(wish)))
    return bool(ahead)


async def _completed(hunt: Hunt) -> bool:
    """All chunks are here and are the blob's; the hash of the whole is for its row."""
    digest, size = hashlib.sha256(), 0
    for chunk in hunt.links:
        data = await Ask(ReadChunk(chunk))
        digest.update(data)
        size += len(data)
    await Ask(StoreBlob(hunt.blob_id, size, Hash(digest.digest()), hunt.links))
    return True


# -- a whole blob from one holder


async def _take_whole(hunt: Hunt, offer: Offer) -> bool:
    taken = Taken(offer.link.peer, hunt.blob_id, offer.size)
    hunt.size = offer.size
    try:
        while (frame := await offer.link.frame(ANSWER_TIMEOUT)) is not None:
            chunk = unwrap(frame, offer.link.peer)
            if chunk:
                await taken.add(chunk)
                hunt.progress(len(chunk))
        taken.finish()
        await Ask(StoreBlob(hunt.blob_id, taken.bytes, Hash(taken.digest.digest()), tuple(taken.chunks)))
    except CalimeroError as error:
        hunt.refusals[offer.link.peer] = str(error)
        hunt.core.kernel.post(DropChunks(tuple(taken.chunks)))
        return False
    return True
