"""A limit on how often one address may ask: a token bucket per address, bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

RATE: Final = 200.0
"""Requests per second that one address may keep up; a node needs two reads per context every ten seconds."""

BURST: Final = 1000.0
"""Requests at once: a node with hundreds of contexts that starts."""

MAX_ADDRESSES: Final = 4096
"""Addresses remembered; the one that asked longest ago is forgotten first."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimit:
    """Says whether an address may ask now. ``now`` is any clock in seconds that only grows."""

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self.refused = 0

    def admit(self, address: str, now: float) -> bool:
        bucket = self._buckets.pop(address, None) or _Bucket(self._burst, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets[address] = bucket
        if len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        if bucket.tokens < 1.0:
            self.refused += 1
            return False
        bucket.tokens -= 1.0
        return True
