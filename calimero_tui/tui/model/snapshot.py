"""What one reading of a node found. Values only; absent parts say why they are absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from calimero_tui.client.node import Context

Json = dict[str, Any]


class State(StrEnum):
    """Where the dashboard stands with a node."""

    CONNECTING = "connecting"
    READY = "ready"
    RECONNECTING = "reconnecting"


class Part(StrEnum):
    """A part of a node that not every node offers; the word is what the user reads."""

    WORKERS = "workers"
    PEERS = "peer details"
    SESSIONS = "sync sessions"
    WHY = "explanations"
    DELTAS = "the delta window"
    METHODS = "the methods of applications"
    ACTIVITY = "the node-wide event stream"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One reading of a node at ``at`` (seconds of the reader's clock). ``None`` parts: not offered or not read.

    ``gaps`` says for each part that could not be read what the user is told about it.
    """

    url: str
    at: float
    state: State
    error: str = ""
    contexts: tuple[Context, ...] = ()
    peer_count: int | None = None
    workers: tuple[Json, ...] | None = None
    peers: tuple[Json, ...] | None = None
    sessions: tuple[Json, ...] | None = None
    explanations: Mapping[str, Json] = field(default_factory=dict)
    gaps: Mapping[Part, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Details:
    """What is known about one context on one node. Lists are empty, texts in ``gaps`` where a part is missing."""

    url: str
    context_id: str
    members: tuple[str, ...] = ()
    owned: tuple[str, ...] = ()
    methods: tuple[Json, ...] = ()
    deltas: tuple[Json, ...] = ()
    why: Json | None = None
    error: str = ""
    gaps: Mapping[Part, str] = field(default_factory=dict)
