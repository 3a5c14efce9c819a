"""Settings of the network worker, taken from the node's."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from node.config.identity import seed_of
from node.config.model import RENDEZVOUS_NAMESPACE
from node.errors import ConfigError
from workers.network import address as addresses

if TYPE_CHECKING:
    from node.config.model import NodeConfig, Rendezvous

__all__ = ["INVITES_TOPIC", "NetworkConfig", "from_node"]

log = logging.getLogger(__name__)

INVITES_TOPIC: Final = "mero_specialized_node_invites"
"""Every node follows it: the shared mesh keeps connections of nodes without a common context open, because the
reference closes idle ones after 30 s."""

_SHORTEST: Final = 1.0
"""Seconds; a file that says 0 must not make a loop without a pause."""

AGENT: Final = "calimero-py/0.1.0"


class RendezvousConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: ``interval`` between two tries to register, ``pause`` between two questions to one meeting point.
    ``registrations``: at so many meeting points at a time."""

    namespace: str = RENDEZVOUS_NAMESPACE
    interval: float = 90.0
    pause: float = 120.0
    registrations: int = 3


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True):
    """``seed``: the 32-byte Ed25519 seed of the node key. ``listen``: multiaddrs, port 0 for any free one.

    ``bootstrap``: multiaddrs ending in ``/p2p/<peer id>`` that are dialled at start and kept. ``mdns`` announces the
    node on the local network and dials who answers. ``tls`` accepts TLS next to Noise. ``kad`` serves and asks the DHT.
    ``folder`` holds the file of known peers; without one a restart forgets them. ``relays``: reservations to hold.
    ``advertise``: the listening ports are open to the world at the address that peers see.
    """

    seed: bytes
    listen: tuple[str, ...] = ("/ip4/0.0.0.0/tcp/2428",)
    bootstrap: tuple[str, ...] = ()
    topics: tuple[str, ...] = (INVITES_TOPIC,)
    agent: str = AGENT
    tls: bool = True
    kad: bool = True
    mdns: bool = False
    folder: Path | None = None
    relays: int = 3
    rendezvous: RendezvousConfig = RendezvousConfig()
    advertise: bool = False


def from_node(config: NodeConfig, home: Path) -> NetworkConfig:
    """The network's part of the settings of the node in ``home``. Raises :class:`ConfigError` for what is unusable."""
    if config.identity is None:
        raise ConfigError("the node has no [identity]; initialise it first")
    found = config.discovery
    return NetworkConfig(
        seed=seed_of(config.identity),
        listen=_dialable(config.swarm.listen),
        bootstrap=_dialable(config.bootstrap.nodes),
        topics=(config.specialized_node.invite_topic,),
        mdns=found.mdns,
        folder=home,
        relays=0 if found.advertise_address else found.relay.registrations_limit,
        rendezvous=_rendezvous(found.rendezvous),
        advertise=found.advertise_address,
    )


def _rendezvous(found: Rendezvous) -> RendezvousConfig:
    """As in the reference, ``discovery_rpm`` questions a minute at most, looked at once an interval."""
    interval = found.discovery_interval.secs + found.discovery_interval.nanos / 1e9
    return RendezvousConfig(
        namespace=found.namespace,
        interval=max(interval, _SHORTEST),
        pause=max(interval, 60 / found.discovery_rpm if found.discovery_rpm > 0 else interval, _SHORTEST),
        registrations=found.registrations_limit,
    )


def _dialable(texts: Iterable[str]) -> tuple[str, ...]:
    """Addresses over TCP. Others, QUIC above all, are left out: the reference always offers TCP beside them."""
    found = []
    for text in texts:
        if "/udp/" in text:
            log.info("address %s is not used: only TCP is served", text)
        else:
            addresses.parse(text)
            found.append(text)
    return tuple(found)
