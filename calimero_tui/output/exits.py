"""Exit codes: one table from errors to what a script sees."""

from __future__ import annotations

from typing import Final

from node.errors import (
    AssertionFailed,
    AuthError,
    CalimeroError,
    ConfigError,
    RecipeError,
    Refused,
    StoreUnusable,
    Unreachable,
    WorkerError,
)

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
UNREACHABLE: Final = 4
DENIED: Final = 5
INTERRUPTED: Final = 130

EXITS: Final[tuple[tuple[type[BaseException], int, str], ...]] = (
    (Unreachable, UNREACHABLE, "no node answers at the address"),
    (Refused, REFUSED, "the node answered with an error"),
    (AssertionFailed, FAILED, "an assertion of a recipe does not hold"),
    (RecipeError, USAGE, "a recipe cannot be run as it is written"),
    (AuthError, DENIED, "the request needs another token"),
    (ConfigError, 78, "the configuration cannot be used"),
    (StoreUnusable, 75, "the data directory is in use or cannot be used"),
    (WorkerError, FAILED, "a worker process failed"),
    (CalimeroError, FAILED, "anything else that went wrong"),
    (KeyboardInterrupt, INTERRUPTED, "interrupted by Ctrl-C"),
)
"""First match counts. 78 and 75 are EX_CONFIG and EX_TEMPFAIL of sysexits.h."""


def exit_code(error: BaseException) -> int:
    """The exit code of an error; a wrong argument is a usage error like one that the parser finds."""
    if isinstance(error, Refused) and error.kind == "argument":
        return USAGE
    return next((code for kind, code, _ in EXITS if isinstance(error, kind)), FAILED)
