"""Whether settings fit together: ports, ranges, required parts. The first thing that does not is named with its cure.

Source: core 0.10.0: crates/merod/src/cli/validation.rs, crates/config/src/lib.rs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from node.config.address import Listen, parse_listen, parse_server_listen, parse_socket_address
from node.config.identity import check_identity
from node.config.model import EmbeddedAuth, NodeConfig
from node.errors import ConfigError

__all__ = ["listeners", "validate"]

PREFIX: Final = "Configuration validation failed - please fix the configuration and try again"

MIN_SYNC_TIMEOUT_MS: Final = 1_000
MAX_SYNC_TIMEOUT_MS: Final = 300_000
MIN_SYNC_PAUSE_MS: Final = 100
MAX_SYNC_PAUSE_MS: Final = 3_600_000
MAX_REGISTRATIONS: Final = 100
MIN_PING_SECS: Final = 5
MAX_RUNTIME_WORKERS: Final = 8
"""The number of shards: a worker without a shard would idle."""


def validate(config: NodeConfig) -> None:
    """Raises :class:`ConfigError` for the first rule that is broken."""
    for problem in problems(config):
        raise ConfigError(f"{PREFIX}: {problem}")


def problems(config: NodeConfig) -> Iterator[str]:
    """Every broken rule, in the order of the file. Raises :class:`ConfigError` for what cannot be read at all."""
    if config.identity is not None:
        check_identity(config.identity)
    yield from _port_problems(config)
    yield from _sync_problems(config)
    yield from _discovery_problems(config)
    yield from _server_problems(config)
    yield from _own_problems(config)


def listeners(config: NodeConfig) -> list[Listen]:
    """Everything that the node binds. Raises :class:`ConfigError` for an address that cannot be read."""
    found = [parse_listen(text, "swarm.listen") for text in config.swarm.listen]
    found += [parse_server_listen(text) for text in config.server.listen]
    if config.registry.enabled:
        found.append(parse_listen(config.registry.listen, "registry.listen"))
    return found


def _port_problems(config: NodeConfig) -> Iterator[str]:
    found = listeners(config)
    if config.server.embedded_auth is not None:
        found.append(parse_socket_address(config.server.embedded_auth.listen_addr, "server.embedded_auth.listen_addr"))
    for left, right in combinations(found, 2):
        if left.source != right.source and left.collides(right):
            yield f"{left.source} and {right.source} both use {left.transport} port {left.port}; give one another port"
        elif left == right:
            yield f"{left.source} names {left} twice; remove one"
    for node in config.bootstrap.nodes:
        if "/p2p/" not in node:
            yield f"bootstrap.nodes: {node!r} must end in /p2p/<peer id>"


def _range(name: str, value: float, low: float, high: float, unit: str) -> Iterator[str]:
    if not low <= value <= high:
        yield f"{name} is {value}; it must be from {low} to {high}{unit}"


def _sync_problems(config: NodeConfig) -> Iterator[str]:
    sync = config.sync
    yield from _range("sync.timeout_ms", sync.timeout_ms, MIN_SYNC_TIMEOUT_MS, MAX_SYNC_TIMEOUT_MS, " ms")
    yield from _range("sync.interval_ms", sync.interval_ms, MIN_SYNC_PAUSE_MS, MAX_SYNC_PAUSE_MS, " ms")
    yield from _range("sync.frequency_ms", sync.frequency_ms, MIN_SYNC_PAUSE_MS, MAX_SYNC_PAUSE_MS, " ms")


def _discovery_problems(config: NodeConfig) -> Iterator[str]:
    discovery = config.discovery
    rendezvous = discovery.rendezvous
    limit = rendezvous.registrations_limit
    yield from _range("discovery.rendezvous.registrations_limit", limit, 1, MAX_REGISTRATIONS, "")
    yield from _range(
        "discovery.relay.registrations_limit", discovery.relay.registrations_limit, 1, MAX_REGISTRATIONS, ""
    )
    if not (rendezvous.discovery_rpm > 0 and math.isfinite(rendezvous.discovery_rpm)):
        yield f"discovery.rendezvous.discovery_rpm is {rendezvous.discovery_rpm}; it must be positive and finite"
    if rendezvous.discovery_interval.seconds <= 0:
        yield "discovery.rendezvous.discovery_interval is 0; it must be positive"
    if discovery.autonat.max_candidates <= 0:
        yield "discovery.autonat.max_candidates is 0; it must be positive"


def _server_problems(config: NodeConfig) -> Iterator[str]:
    server = config.server
    if (socket := server.websocket) is not None:
        ping, pong = socket.ping_interval_secs, socket.pong_timeout_secs
        if ping != 0 and ping < MIN_PING_SECS:
            yield f"server.websocket.ping_interval_secs is {ping}; it must be 0 (off) or at least {MIN_PING_SECS}"
        if ping != 0 and pong >= ping:
            yield f"server.websocket.pong_timeout_secs ({pong}) must be less than ping_interval_secs ({ping})"
    if server.auth_mode == "embedded" and server.embedded_auth is None:
        yield (
            "Auth mode is set to 'embedded' but no embedded_auth configuration is provided; "
            "add the table server.embedded_auth or set server.auth_mode to 'proxy'"
        )
    if server.embedded_auth is not None:
        yield from _auth_problems(server.embedded_auth)


def _auth_problems(auth: EmbeddedAuth) -> Iterator[str]:
    access, refresh = auth.jwt.access_token_expiry, auth.jwt.refresh_token_expiry
    if not auth.jwt.issuer:
        yield "server.embedded_auth.jwt.issuer is empty"
    if access <= 0 or refresh <= 0:
        yield "server.embedded_auth.jwt: both token expiries must be positive"
    if access >= refresh:
        yield f"server.embedded_auth.jwt: access_token_expiry {access} is not less than refresh_token_expiry {refresh}"
    least, most = auth.user_password.min_password_length, auth.user_password.max_password_length
    if least <= 0:
        yield "server.embedded_auth.user_password.min_password_length must be positive"
    if most <= least:
        yield f"server.embedded_auth.user_password.max_password_length ({most}) must be more than the least ({least})"


def _own_problems(config: NodeConfig) -> Iterator[str]:
    yield from _range("store.blob_quota", config.store.blob_quota, 0, 1 << 60, "")
    yield from _range("runtime.workers", config.runtime.workers, 1, MAX_RUNTIME_WORKERS, "")
    if config.runtime.deadline_ms <= 0:
        yield f"runtime.deadline_ms is {config.runtime.deadline_ms}; it must be positive"
    if config.runtime.fuel < 0:
        yield f"runtime.fuel is {config.runtime.fuel}; it must be 0 (no bound) or more"
    if config.tee is not None and config.tee.kms.phala is None:
        yield "the table tee needs a key provider; add tee.kms.phala.url or remove the table"
