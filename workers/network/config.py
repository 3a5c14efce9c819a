"""Settings of the network worker."""

from __future__ import annotations

import msgspec

__all__ = ["INVITES_TOPIC", "NetworkConfig"]

INVITES_TOPIC = "mero_specialized_node_invites"
"""Every node follows it: the shared mesh keeps connections of nodes without a common context open, because the
reference closes idle ones after 30 s."""


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``seed``: the 32-byte Ed25519 seed of the node key. ``listen``: multiaddrs, port 0 for any free one.

    ``bootstrap``: multiaddrs ending in ``/p2p/<peer id>`` that are dialled at start and kept. ``mdns`` announces the
    node on the local network and dials who answers; off unless asked for. ``tls`` accepts TLS next to Noise.
    """

    seed: bytes
    listen: tuple[str, ...] = ("/ip4/0.0.0.0/tcp/2428",)
    bootstrap: tuple[str, ...] = ()
    topics: tuple[str, ...] = (INVITES_TOPIC,)
    agent: str = "calimero-py/0.1.0"
    tls: bool = True
    kad: bool = True
    mdns: bool = False
