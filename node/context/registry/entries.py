"""What the registry remembers, one row per context and one per proxy.

Rows are JSON, keyed by (network, contract, id): a backup is readable and a restore is a copy. Members keep their order
of arrival, because paging relies on it.
"""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

import msgspec

from node.errors import RegistryError
from node.primitives import Capability

DEFAULT_APPROVALS: Final = 3
"""Approvals that a proposal needs, as the reference's proxy contract starts."""

DEFAULT_ACTIVE_PROPOSALS: Final = 10
"""Proposals that one author may have open, as the reference's proxy contract starts."""


class Application(msgspec.Struct, frozen=True):
    """The application of a context exactly as it was given; ids and metadata in base58."""

    id: str
    blob: str
    size: int
    source: str
    metadata: str


class ContextEntry(msgspec.Struct):
    """A registered context. ``nonces`` has no entry for members who came by open invitation."""

    application: Application
    members: list[str]
    nonces: dict[str, int]
    capabilities: dict[Capability, list[str]]
    proxy: str
    application_revision: int = 0
    members_revision: int = 0
    commitments: dict[str, int] = {}
    used_invitations: list[str] = []


class ProposalEntry(msgspec.Struct):
    """An open proposal; ``actions`` as they were sent."""

    id: str
    author_id: str
    actions: list[dict[str, object]]
    approvals: list[str]


class ProxyEntry(msgspec.Struct):
    """The proxy contract of one context."""

    context_id: str
    num_approvals: int = DEFAULT_APPROVALS
    active_limit: int = DEFAULT_ACTIVE_PROPOSALS
    proposals: dict[str, ProposalEntry] = {}
    values: dict[str, str] = {}
    """Context values, hex to hex."""


class RegistryRows(Protocol):
    """Durable rows. ``commit`` is atomic; None removes a row."""

    def get(self, key: bytes) -> bytes | None: ...
    def commit(self, changes: dict[bytes, bytes | None]) -> None: ...


Entry = TypeVar("Entry", ContextEntry, ProxyEntry)


def context_key(network: str, contract: str, context_id: str) -> bytes:
    return f"context/{network}/{contract}/{context_id}".encode()


def proxy_key(network: str, proxy: str) -> bytes:
    return f"proxy/{network}/{proxy}".encode()


def counter_key(network: str, contract: str) -> bytes:
    return f"count/{network}/{contract}".encode()


def dump(entry: ContextEntry | ProxyEntry) -> bytes:
    return msgspec.json.encode(entry)


def load(kind: type[Entry], raw: bytes) -> Entry:
    """Read a row. Raises :class:`RegistryError` when it is damaged: a registry never guesses about members."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RegistryError(f"a registry row is damaged ({error}); restore the registry from a backup") from error
