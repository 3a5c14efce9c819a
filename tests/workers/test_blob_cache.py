from __future__ import annotations

import pytest

from node.primitives import BlobId
from workers import blob_cache
from workers.blob_cache import MAX_AGE, MAX_BLOBS, MAX_BYTES, MAX_ENTRY, BlobCache


def _id(number: int) -> BlobId:
    return BlobId(number.to_bytes(32, "big"))


def test_a_blob_is_kept_for_its_time_since_the_last_use() -> None:
    cache = BlobCache()
    cache.put(_id(1), b"one", 0)
    assert cache.get(_id(1), MAX_AGE) == b"one"
    assert cache.get(_id(1), 2 * MAX_AGE) == b"one"
    assert cache.get(_id(1), 3 * MAX_AGE + 0.1) is None
    assert (len(cache), cache.size) == (0, 0)


def test_the_longest_unused_goes_first() -> None:
    cache = BlobCache()
    for number in range(MAX_BLOBS):
        cache.put(_id(number), b"x", 0)
    assert cache.get(_id(0), 1) == b"x"
    cache.put(_id(MAX_BLOBS), b"x", 2)
    assert (len(cache), cache.size) == (MAX_BLOBS, MAX_BLOBS)
    assert cache.get(_id(1), 2) is None
    assert cache.get(_id(0), 2) == b"x"


def test_all_together_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_BLOBS * MAX_ENTRY <= MAX_BYTES
    monkeypatch.setattr(blob_cache, "MAX_BYTES", 10)
    cache = BlobCache()
    for number in range(3):
        cache.put(_id(number), b"four", 0)
    assert (len(cache), cache.size) == (2, 8)


def test_one_that_is_too_large_is_not_kept_and_one_that_is_written_again_counts_once() -> None:
    cache = BlobCache()
    cache.put(_id(1), bytes(MAX_ENTRY), 0)
    cache.put(_id(2), bytes(MAX_ENTRY + 1), 0)
    cache.put(_id(1), b"new", 0)
    assert (len(cache), cache.size) == (1, 3)
    assert cache.get(_id(1), 0) == b"new"
