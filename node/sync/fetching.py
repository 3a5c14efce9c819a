"""Short talks outside of sessions: a key share with one peer, and the search for parents that a gossip delta misses."""

from __future__ import annotations

from node.errors import CalimeroError, NotAMember
from node.sync import deltas, key_share
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import Ask
from node.sync.ports import StoreSenderKey
from node.sync.streams import Link


async def share_keys_with(core: Core, context: Followed, peer: str) -> None:
    """Open a stream and share keys on it. Raises what went wrong; nothing is stored then."""
    link = await core.streams.open(peer)
    try:
        await share_keys(core, context, link)
    finally:
        link.close()


async def share_keys(core: Core, context: Followed, link: Link) -> None:
    """KeyShare as the side that opened the stream, and what follows from it."""
    me = core.my_identity(context)
    theirs = await key_share.start(link, context.id, me, core.random_bytes)
    if not await core.knows_member(context, theirs):
        raise NotAMember(f"peer {link.peer} claims {theirs}, which is not a member of context {context.id}")
    await keep(core, context, link, await key_share.exchange(link, me, theirs, core.random_bytes))


async def keep(core: Core, context: Followed, link: Link, shared: key_share.Shared) -> None:
    """Store a shared key and remember who proved what."""
    if context.keys.senders.get(shared.public_key) != shared.sender_key:
        await Ask(StoreSenderKey(context.id, shared.public_key, shared.sender_key))
        await core.reload_keys(context)
    core.peers.proved(context.id, link.peer, shared.public_key)
    core.tell("peer", "proved", context, peer=link.peer, member=str(shared.public_key))


def fetch_missing(core: Core, context: Followed, peer: str) -> None:
    """Ask the peer at once for what waiting deltas miss; one search per context at a time."""
    if context.fetching is not None and not context.fetching.done:
        return
    context.fetching = core.kernel.spawn(_fetch_missing(core, context, peer), "missing parents")


async def _fetch_missing(core: Core, context: Followed, peer: str) -> None:
    try:
        link = await core.streams.open(peer)
        try:
            await deltas.fetch(core, context, link, context.heads.missing)
        finally:
            link.close()
    except CalimeroError as error:
        core.tell("delta", "parents not fetched", context, peer=peer, reason=str(error))
        core.peers.failed(context.id, peer, core.kernel.now, str(error))
        core.peers.doubt(context.id, peer)
    if context.heads.missing:
        context.want("missing")
