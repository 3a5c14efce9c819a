"""What the network worker counts for ``/metrics``: gossip, connections, pings, queries of the DHT. No clock, no I/O.

The names of the series are the server's affair; here things have the names of this worker.
"""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["KAD_BUCKETS", "PING_BUCKETS", "Counts", "Histogram"]

PING_BUCKETS: Final = tuple(0.001 * 2**n for n in range(12))
"""Seconds, as the reference cuts them."""

KAD_BUCKETS: Final = tuple(0.1 * 2**n for n in range(10))


class Histogram(msgspec.Struct):
    """``buckets`` counts the values up to each bound."""

    bounds: tuple[float, ...]
    buckets: list[int]
    count: int = 0
    sum: float = 0.0

    @classmethod
    def of(cls, bounds: tuple[float, ...]) -> Histogram:
        return cls(bounds, [0] * len(bounds))

    def observe(self, value: float) -> None:
        self.count += 1
        self.sum += value
        for place, bound in enumerate(self.bounds):
            self.buckets[place] += value <= bound


class Counts(msgspec.Struct):
    """Everything since the start of the process."""

    messages: int = 0
    connected: dict[str, int] = msgspec.field(default_factory=dict)
    """First connections to peers, by the role of this node: ``dialer`` or ``listener``."""

    lost: int = 0
    """Peers whose last connection ended."""

    pings: Histogram = msgspec.field(default_factory=lambda: Histogram.of(PING_BUCKETS))
    failed_pings: dict[str, int] = msgspec.field(default_factory=dict)
    """By the name of the error."""

    queries: dict[str, Histogram] = msgspec.field(default_factory=dict)
    """Seconds of queries of the DHT that came to an end, by kind: ``get_record``, ``put_record``."""

    found: int = 0
    """Records that were found."""

    failed_queries: dict[str, int] = msgspec.field(default_factory=dict)
    """By kind."""

    def connection(self, *, inbound: bool) -> None:
        _more(self.connected, "listener" if inbound else "dialer")

    def failed_ping(self, reason: str) -> None:
        _more(self.failed_pings, reason)

    def failed_query(self, kind: str) -> None:
        _more(self.failed_queries, kind)

    def query(self, kind: str, seconds: float) -> None:
        self.queries.setdefault(kind, Histogram.of(KAD_BUCKETS)).observe(seconds)


def _more(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
