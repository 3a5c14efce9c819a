"""One table from errors to what a client sees: HTTP status, JSON-RPC type, and whether the type carries data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.errors import (
    AliasResolutionFailed,
    ApplicationNotInstalled,
    Busy,
    CalimeroError,
    DeadlineExceeded,
    Forbidden,
    FunctionCallError,
    InvalidId,
    NotFound,
    Unauthenticated,
    Unauthorized,
    Uninitialized,
    UnknownContext,
    WorkerLost,
)


class BadRequest(CalimeroError):
    """A request that its client must change; the text says how."""


class Missing(CalimeroError):
    """The named thing does not exist here."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """``status`` for the admin API; ``rpc`` the type of a JSON-RPC error (HTTP 200 there)."""

    error: type[CalimeroError]
    status: int
    rpc: str


TABLE: Final[tuple[Meaning, ...]] = (
    Meaning(BadRequest, 400, "ParseError"),
    Meaning(InvalidId, 400, "ParseError"),
    Meaning(Missing, 404, "NotFound"),
    Meaning(UnknownContext, 404, "ContextNotFound"),
    Meaning(Uninitialized, 500, "Uninitialized"),
    Meaning(Unauthorized, 500, "Unauthorized"),
    Meaning(ApplicationNotInstalled, 500, "ApplicationNotInstalled"),
    Meaning(AliasResolutionFailed, 500, "AliasResolutionFailed"),
    Meaning(FunctionCallError, 500, "FunctionCallError"),
    Meaning(Unauthenticated, 401, "Unauthenticated"),
    Meaning(Forbidden, 403, "Forbidden"),
    Meaning(NotFound, 404, "InternalError"),
    Meaning(Busy, 503, "InternalError"),
    Meaning(WorkerLost, 503, "InternalError"),
    Meaning(DeadlineExceeded, 504, "InternalError"),
    Meaning(CalimeroError, 500, "InternalError"),
)
"""First match counts."""


def meaning_of(error: CalimeroError) -> Meaning:
    return next(row for row in TABLE if isinstance(error, row.error))
