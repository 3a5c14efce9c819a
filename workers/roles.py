"""The workers of a node in one table: what runs where, who talks to whom, and in which order they stop.

It names modules and imports none, so that the supervisor stays small and a child loads only its own part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from node.config.model import NodeConfig
from workers.channels.peers import RUNTIME, peer_name

__all__ = ["ROLES", "Role", "linked", "members"]

STOP_STAGES: Final = 4
"""Number of steps in which a node stops; who asks stops before who answers."""


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of worker. ``module`` has ``main(start)``; ``peers`` are the roles that it has channels to.

    ``stop_stage``: workers of a lower stage have ended before this one is asked to.
    """

    name: str
    module: str
    peers: frozenset[str]
    stop_stage: int


ROLES: Final[dict[str, Role]] = {
    role.name: role
    for role in (
        Role(RUNTIME, "workers.runtime.main", frozenset({"sync", "server"}), 3),
        Role("network", "workers.network.main", frozenset({"sync", "server"}), 2),
        Role("sync", "workers.sync.main", frozenset({RUNTIME, "network", "server"}), 1),
        Role("server", "workers.server.main", frozenset({RUNTIME, "network", "sync"}), 0),
        Role("registry", "workers.registry.main", frozenset(), 1),
    )
}
"""In the order of their start. All are started at once; each waits by itself for what it needs."""

Member = tuple[str, int]
"""Role and index of one worker."""


def members(config: NodeConfig) -> Iterator[Member]:
    """The workers of a node with this configuration, in the order of their start."""
    for role in ROLES:
        if role == "registry" and not config.registry.enabled:
            continue
        for index in range(config.runtime.workers if role == RUNTIME else 1):
            yield role, index


def linked(left: Member, right: Member) -> bool:
    """Whether two workers have a channel to each other."""
    return right[0] in ROLES[left[0]].peers


def name_of(member: Member) -> str:
    return peer_name(*member)
