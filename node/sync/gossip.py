"""The gossip path: seal and publish what was written here, judge and open what others publish, exchange heartbeats.

Incoming deltas pass, in this order: membership of the author, proof of the source, sender key, seal, and then the
owner's own checks (id, clock, ancestry). What cannot be judged yet is held, never dropped for want of a registry read
or a key share; what the bound pushes out is fetched by the next session.
Source of the order: core 0.10.0: crates/node/src/handlers/state_delta.rs, crates/node/src/handlers/network_event.rs.
"""

from __future__ import annotations

from typing import Final

from node.crypto.seal import seal, unseal
from node.errors import CalimeroError, DecodeError, SealError
from node.primitives import PrivateKey, PublicKey
from node.sync import fetching
from node.sync.content import artifact_of_plaintext
from node.sync.core import Core
from node.sync.followed import MAX_INCOMING, Followed
from node.sync.kernel import SECOND, Ask
from node.sync.ports import ApplyDeltas, OpenDelta, Publish, UnknownDeltas
from node.sync.wire import HashHeartbeat, StateDelta, decode_broadcast, encode_broadcast

MAX_GOSSIP: Final = 60 * 1024
"""Bytes of one gossip message. The frame limit is 65,536 for the whole RPC; key, signature, topic and framing take some
hundred, and a receiver whose frame limit is passed loses the gossip stream, so the margin is wide."""

BATCH: Final = 64
"""Deltas judged and applied in one go."""

HEARTBEAT_GAP: Final = SECOND
"""Least time between two heartbeats of a context, and between two of one peer that start work here."""

QUIET: Final = SECOND // 4
"""Pause in a burst of concurrent writes after which equal heads should mean equal roots, and are compared."""

PATIENCE: Final = 2 * SECOND
"""A burst that does not pause is compared after this time."""

PUBLISH_TIMEOUT: Final = 10 * SECOND


# -- outgoing


async def announce(core: Core, context: Followed, delta: OpenDelta) -> None:
    """Tell the members of a delta that was written here: by gossip if it fits and somebody listens, else by heads."""
    core.read_heads_soon(context)
    message = _sealed(core, context, delta)
    peers = 0
    if message is not None and len(message) <= MAX_GOSSIP:
        peers = await Ask(Publish(context.id, message), PUBLISH_TIMEOUT)
    elif message is not None:
        context.counters.add("announced by heads")
        core.tell("delta", "too large for gossip", context, delta=str(delta.id), bytes=len(message))
    if not peers:
        context.counters.add("not published")
        await heartbeat(core, context, soon=True)


def _sealed(core: Core, context: Followed, delta: OpenDelta) -> bytes | None:
    author = next((mine for mine in context.keys.owned if mine.public_key == delta.author), None)
    if author is None or author.sender_key is None:
        core.tell("delta", "no sender key", context, delta=str(delta.id))
        return None
    nonce, sealed = seal(author.sender_key, delta.artifact, core.random_bytes)
    return encode_broadcast(
        StateDelta(
            context.id,
            author.public_key,
            delta.id,
            delta.parents,
            delta.hlc,
            delta.root,
            sealed,
            nonce,
            delta.events,
        )
    )


async def heartbeat(core: Core, context: Followed, *, soon: bool = False) -> None:
    """Publish root and heads. ``soon``: because something changed; then not more often than the gap allows."""
    if not context.initialised:
        context.beat_soon = False
        return
    wait = context.heartbeat_at + HEARTBEAT_GAP - core.kernel.now
    if soon and context.heartbeat_at and wait > 0:
        context.beat_soon = True
        return
    context.heartbeat_at = core.kernel.now
    context.beat_soon = False
    heads = await core.read_heads(context)
    beat = encode_broadcast(HashHeartbeat(context.id, heads.root, heads.heads))
    await Ask(Publish(context.id, beat), PUBLISH_TIMEOUT)


# -- incoming


def receive(core: Core, context: Followed, data: bytes, source: str) -> None:
    """Take one gossip message. What does not decode or names another context is counted and dropped."""
    try:
        message = decode_broadcast(data)
    except DecodeError as error:
        context.counters.add("gossip undecodable")
        core.tell("peer", "undecodable gossip", context, peer=source, reason=str(error))
        core.blame(source, error)
        return
    if isinstance(message, StateDelta | HashHeartbeat) and message.context_id != context.id:
        context.counters.add("gossip on the wrong topic")
        return
    if isinstance(message, StateDelta):
        _enqueue(context, message, source)
    elif isinstance(message, HashHeartbeat):
        _on_heartbeat(core, context, message, source)


def _enqueue(context: Followed, delta: StateDelta, source: str) -> None:
    if len(context.incoming) >= MAX_INCOMING:
        context.incoming.popleft()
        context.counters.add("gossip dropped")
        context.want("dropped", source)
    context.incoming.append((delta, source))
    context.arrival.set()


def _on_heartbeat(core: Core, context: Followed, beat: HashHeartbeat, source: str) -> None:
    """A heartbeat may start work that is bounded and verified, and not more than once per gap and peer.

    One that comes too soon is not forgotten: it may be the last for half a minute, and the only one to tell of a
    difference.
    """
    standing = core.peers.standing(context.id, source)
    context.beats[source] = beat
    if standing.beat_waits:
        context.counters.add("heartbeats postponed")
    elif standing.heartbeat_at and core.kernel.now - standing.heartbeat_at < HEARTBEAT_GAP:
        standing.beat_waits = True
        core.kernel.at(standing.heartbeat_at + HEARTBEAT_GAP, lambda: _judge_beat(core, context, source))
    else:
        _judge_beat(core, context, source)


def _judge_beat(core: Core, context: Followed, source: str) -> None:
    """Compare with the newest heartbeat of a peer, unless the context was left or all of it is ours already."""
    standing = core.peers.standing(context.id, source)
    standing.beat_waits = False
    beat = context.beats.pop(source, None)
    followed = core.contexts.get(context.id) is context
    if beat is None or not followed:
        return
    if context.agreed(source, beat.root_hash, core.kernel.now) and set(beat.dag_heads) <= set(context.heads.heads):
        return
    standing.heartbeat_at = core.kernel.now
    core.kernel.spawn(_compare(core, context, beat, source), "heartbeat")


async def _compare(core: Core, context: Followed, beat: HashHeartbeat, source: str) -> None:
    heads = await core.read_heads(context)
    if beat.root_hash.is_zero:
        return
    agreed = context.agreed(source, beat.root_hash, core.kernel.now)
    theirs = tuple(head for head in beat.dag_heads if not head.is_zero)
    unknown = await Ask(UnknownDeltas(context.id, theirs)) if theirs else ()
    if unknown:
        context.want("heartbeat", source)
    elif agreed:
        return
    elif set(theirs) == set(heads.heads):
        context.want("diverged", source)
    else:
        await heartbeat(core, context, soon=True)


async def judge(core: Core, context: Followed) -> None:
    """Judge and apply what arrives, in order, for as long as the context is followed."""
    while True:
        await context.arrival.wait()
        context.arrival.clear()
        while context.incoming:
            try:
                await _judge_batch(core, context)
            except CalimeroError as error:
                context.counters.add("apply failures")
                core.tell("delta", "apply failed", context, reason=str(error))
                context.want("apply failed")


async def _judge_batch(core: Core, context: Followed) -> None:
    """Deltas of one source at a time, so that the owner and the search for parents know whom to ask."""
    source = context.incoming[0][1]
    opened: list[OpenDelta] = []
    while context.incoming and context.incoming[0][1] == source and len(opened) < BATCH:
        delta, _ = context.incoming.popleft()
        found = _open(core, context, delta, source)
        if found is not None:
            opened.append(found)
    if not opened:
        return
    report = await Ask(ApplyDeltas(context.id, tuple(opened), source))
    core.took(context, report, source)
    if report.applied and report.heads.root != opened[-1].root:
        context.disagree(core.kernel.now, QUIET, PATIENCE)
    if report.heads.missing and context.initialised:  # else the state that is still to come brings the parents
        fetching.fetch_missing(core, context, source)


def _open(core: Core, context: Followed, delta: StateDelta, source: str) -> OpenDelta | None:
    key = _key(context, delta.author_id)
    if key is None or not core.peers.has_proved(context.id, source, context.members):
        context.hold(delta, source)
        share_soon(core, context, source)
        return None
    try:
        artifact = artifact_of_plaintext(unseal(key, delta.nonce, delta.artifact))
    except (SealError, DecodeError) as error:
        context.counters.add("seals broken")
        core.tell("delta", "seal does not open", context, delta=str(delta.delta_id), peer=source, reason=str(error))
        core.blame(source, error)
        core.peers.doubt(context.id, source)
        context.want("dropped", source)
        return None
    return OpenDelta(
        delta.delta_id, delta.parent_ids, delta.hlc, delta.root_hash, artifact, delta.author_id, delta.events
    )


def _key(context: Followed, author: PublicKey) -> PrivateKey | None:
    if author not in context.members:
        return None
    mine = next((own.sender_key for own in context.keys.owned if own.public_key == author), None)
    return mine or context.keys.senders.get(author)


# -- keys of authors


def share_soon(core: Core, context: Followed, peer: str) -> None:
    """Have the peer prove itself and share its key, unless that is under way."""
    if peer in context.sharing:
        return
    task = core.kernel.spawn(_share(core, context, peer), "key share")
    context.sharing[peer] = task
    task.when_done(lambda _: context.shared(peer))


async def _share(core: Core, context: Followed, peer: str) -> None:
    try:
        await fetching.share_keys_with(core, context, peer)
    except CalimeroError as error:
        core.tell("peer", "key share failed", context, peer=peer, reason=str(error))
        context.want("key share failed", peer)
    else:
        release(core, context)


def release(core: Core, context: Followed) -> None:
    """Judge again the held deltas whose key, author and source are known now."""
    for held in list(context.sealed.values()):
        delta = held.delta
        known = core.peers.has_proved(context.id, held.source, context.members)
        if known and _key(context, delta.author_id) is not None:
            del context.sealed[delta.delta_id]
            context.counters.add("sealed deltas released")
            context.incoming.append((delta, held.source))
            context.arrival.set()
