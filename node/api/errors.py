"""One table from errors to what a client sees: HTTP status, JSON-RPC type, and the form of the refusal.

core 0.10.0: crates/server/src/{admin/service,jsonrpc}.rs. The reference answers most failures with 500; here what its
client can change is 4xx and what passes by itself is 503 or 504, with the reference's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from node.errors import (
    AliasResolutionFailed,
    ApplicationNotInstalled,
    BundleError,
    Busy,
    CalimeroError,
    DeadlineExceeded,
    Forbidden,
    FunctionCallError,
    InvalidId,
    InvalidInvitation,
    NotAMember,
    NotFound,
    Unauthenticated,
    Unauthorized,
    Uninitialized,
    UnknownContext,
    Unreachable,
    WorkerLost,
)

__all__ = ["TABLE", "BadRequest", "Family", "Meaning", "Missing", "Refusal", "meaning_of"]


class Family(Enum):
    """How a route words its failures."""

    JSON = "an object with the member `error`"
    TEXT = "plain text"


class BadRequest(CalimeroError):
    """A request that its client must change; the text says how."""


class Missing(CalimeroError):
    """The named thing does not exist here."""


class Refusal(CalimeroError):
    """A refusal with a status and form of its own, whatever the family of its route."""

    def __init__(self, text: str, status: int, family: Family = Family.TEXT) -> None:
        super().__init__(text)
        self.status = status
        self.family = family


@dataclass(frozen=True, slots=True)
class Meaning:
    """``status`` for the admin API; ``rpc`` the type of a JSON-RPC error (HTTP 200 there)."""

    error: type[CalimeroError]
    status: int
    rpc: str


TABLE: Final[tuple[Meaning, ...]] = (
    Meaning(BadRequest, 400, "ParseError"),
    Meaning(InvalidId, 400, "ParseError"),
    Meaning(Missing, 404, "InternalError"),
    Meaning(UnknownContext, 404, "ContextNotFound"),
    Meaning(Uninitialized, 503, "Uninitialized"),
    Meaning(Unauthorized, 403, "Unauthorized"),
    Meaning(NotAMember, 403, "InternalError"),
    Meaning(ApplicationNotInstalled, 404, "ApplicationNotInstalled"),
    Meaning(AliasResolutionFailed, 400, "AliasResolutionFailed"),
    Meaning(FunctionCallError, 500, "FunctionCallError"),
    Meaning(InvalidInvitation, 400, "InternalError"),
    Meaning(BundleError, 400, "InternalError"),
    Meaning(Unauthenticated, 401, "Unauthorized"),
    Meaning(Forbidden, 403, "Unauthorized"),
    Meaning(NotFound, 404, "InternalError"),
    Meaning(Busy, 503, "InternalError"),
    Meaning(WorkerLost, 503, "InternalError"),
    Meaning(Unreachable, 503, "InternalError"),
    Meaning(DeadlineExceeded, 504, "InternalError"),
    Meaning(CalimeroError, 500, "InternalError"),
)
"""First match counts."""


def meaning_of(error: CalimeroError) -> Meaning:
    """The row of an error."""
    return next(row for row in TABLE if isinstance(error, row.error))
