"""The ``libp2p_*`` series of ``/metrics`` under the reference's names, from what the network worker counts.

A series of the reference that nothing here corresponds to stands without samples, as most of them do there too.
core 0.10.0: crates/network/src/behaviour.rs, with the recorders of rust-libp2p's metrics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from workers.messages.network import PeerList
from workers.network.counts import Counts, Histogram
from workers.server.metrics import histogram, labelled

__all__ = ["SERIES", "lines", "read_counts"]

_SWARM: Final = (
    "connections_incoming", "connections_incoming_error", "connections_established", "new_listen_addr",
    "expired_listen_addr", "external_addr_candidates", "external_addr_confirmed", "external_addr_expired",
    "listener_closed", "listener_error", "dial_attempt", "outgoing_connection_error",
)  # fmt: skip
_KAD: Final = (
    "get_record_ok",
    "get_closest_peers_ok",
    "get_providers_ok",
    "num_requests",
    "num_success",
    "num_failure",
)

SERIES: Final[dict[str, str]] = {
    "libp2p_gossipsub_messages": "counter",
    **{f"libp2p_identify_{name}": "counter" for name in ("errors", "pushed", "received", "sent")},
    **{
        f"libp2p_identify_{name}": "gauge"
        for name in ("remote_protocols", "remote_listen_addresses", "local_observed_addresses")
    },
    "libp2p_ping_rtt_seconds": "histogram",
    "libp2p_ping_failure": "counter",
    **{f"libp2p_kad_query_result_{name}": "histogram" for name in _KAD},
    "libp2p_kad_query_result_error": "counter",
    "libp2p_kad_query_result_duration_seconds": "histogram",
    "libp2p_kad_routing_updated": "counter",
    "libp2p_kad_inbound_requests": "counter",
    "libp2p_dcutr_events": "counter",
    "libp2p_relay_events": "counter",
    **{f"libp2p_swarm_{name}": "counter" for name in _SWARM},
    "libp2p_swarm_connections_establishment_duration": "histogram",
    "libp2p_swarm_connections_duration_seconds": "histogram",
}
"""Names without the suffix of samples, and their types."""


def read_counts(raw: bytes) -> Counts:
    return msgspec.json.decode(raw, type=Counts)


def lines(counts: Counts, peers: PeerList) -> list[str]:
    """All series, a heading for each."""
    samples = _samples(counts, peers)
    found = []
    for name, kind in SERIES.items():
        found += [f"# HELP {name} As in the reference.", f"# TYPE {name} {kind}", *samples.get(name, ())]
    return found


def _samples(counts: Counts, peers: PeerList) -> dict[str, list[str]]:
    connected = [peer for peer in peers.peers if peer.connected]
    protocols = Counter(name for peer in connected for name in peer.protocols)
    addresses = Counter(text for peer in connected for text in peer.addresses)
    return {
        "libp2p_gossipsub_messages": [f"libp2p_gossipsub_messages_total {counts.messages}"],
        "libp2p_identify_remote_protocols": _counted("libp2p_identify_remote_protocols", "protocol", protocols),
        "libp2p_identify_remote_listen_addresses": _counted(
            "libp2p_identify_remote_listen_addresses", "listen_address", addresses
        ),
        "libp2p_ping_rtt_seconds": _histogram("libp2p_ping_rtt_seconds", {}, counts.pings),
        "libp2p_ping_failure": _counted("libp2p_ping_failure_total", "reason", counts.failed_pings),
        "libp2p_kad_query_result_error": _counted("libp2p_kad_query_result_error_total", "type", counts.failed_queries),
        "libp2p_kad_query_result_duration_seconds": [
            line
            for kind, times in sorted(counts.queries.items())
            for line in _histogram("libp2p_kad_query_result_duration_seconds", {"type": kind}, times)
        ],
        "libp2p_swarm_connections_established": _counted(
            "libp2p_swarm_connections_established_total", "role", counts.connected
        ),
        "libp2p_swarm_new_listen_addr": [f"libp2p_swarm_new_listen_addr_total {len(peers.listen)}"],
    }


def _counted(name: str, label: str, values: Mapping[str, int]) -> list[str]:
    return [f"{name}{labelled({label: text})} {count}" for text, count in sorted(values.items())]


def _histogram(name: str, labels: Mapping[str, str], values: Histogram) -> list[str]:
    bounds = (f"{bound:.15g}" for bound in values.bounds)
    return histogram(name, labels, values.sum, values.count, zip(bounds, values.buckets, strict=True))
