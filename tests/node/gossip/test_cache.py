"""The two memories of the router, at their edges."""

from __future__ import annotations

from node.gossip.cache import MessageCache, SeenIds
from node.gossip.rpc import Message


def test_seen_ids_expire_exactly_at_their_ttl() -> None:
    seen = SeenIds(ttl=10, limit=5)
    seen.add(b"a", 0)
    seen.add(b"b", 1)
    seen.expire(9)
    assert b"a" in seen
    seen.expire(10)
    assert b"a" not in seen
    assert b"b" in seen


def test_seen_ids_drop_the_oldest_beyond_the_limit() -> None:
    seen = SeenIds(ttl=10, limit=2)
    for name in (b"a", b"b", b"c"):
        seen.add(name, 0)
    assert (b"a" in seen, b"b" in seen, b"c" in seen, len(seen)) == (False, True, True, 2)


def test_messages_live_for_the_history_and_are_gossiped_for_the_gossip_windows() -> None:
    cache = MessageCache(history=3, gossip=2)
    cache.put(b"1", Message(b"", b"", b"", "t"))
    cache.put(b"1", Message(b"", b"", b"", "t"))
    cache.put(b"2", Message(b"", b"", b"", "u"))
    assert cache.recent("t") == [b"1"]
    cache.shift()
    assert cache.recent("t") == [b"1"]
    cache.shift()
    assert cache.recent("t") == []
    assert cache.serve(b"1", "p") is not None
    cache.shift()
    assert cache.serve(b"1", "p") is None
    assert len(cache) == 0


def test_serving_counts_per_peer() -> None:
    cache = MessageCache(history=3, gossip=2)
    cache.put(b"1", Message(b"", b"d", b"", "t"))
    assert [cache.serve(b"1", peer)[1] for peer in "ppq"] == [1, 2, 1]  # type: ignore[index]
