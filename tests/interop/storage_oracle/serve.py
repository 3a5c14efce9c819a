"""Answers JSON lines on stdin with JSON lines on stdout: the oracle for programs that are not Python.

Operations of the crate are passed on; ``host.*`` operations reach what this side owns. README.md has the table.
Run from the repository's folder: ``python -m tests.interop.storage_oracle.serve``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from tests.interop.storage_oracle.driver import OracleError, OraclePanic, StorageOracle


def _set(oracle: StorageOracle, request: dict[str, Any]) -> None:
    if "now" in request:
        oracle.now = request["now"]
    for name in ("context", "executor"):
        if name in request:
            setattr(oracle, name, bytes.fromhex(request[name]))


def _rows(oracle: StorageOracle, _request: dict[str, Any]) -> dict[str, str]:
    return {key.hex(): oracle.rows[key].hex() for key in sorted(oracle.rows)}


def _load(oracle: StorageOracle, request: dict[str, Any]) -> None:
    oracle.rows = {bytes.fromhex(key): bytes.fromhex(value) for key, value in request["rows"].items()}


def _commits(oracle: StorageOracle, _request: dict[str, Any]) -> list[list[str]]:
    taken, oracle.commits = oracle.commits, []
    return [[root.hex(), artifact.hex()] for root, artifact in taken]


def _root(oracle: StorageOracle, _request: dict[str, Any]) -> str | None:
    root = oracle.root_hash()
    return None if root is None else root.hex()


HOST: Final[dict[str, Callable[[StorageOracle, dict[str, Any]], Any]]] = {
    "host.set": _set,
    "host.reset": lambda oracle, _request: oracle.reset(),
    "host.restart": lambda oracle, _request: oracle.restart(),
    "host.rows": _rows,
    "host.load": _load,
    "host.digest": lambda oracle, _request: oracle.digest().hex(),
    "host.root": _root,
    "host.commits": _commits,
}


def _dispatch(oracle: StorageOracle, request: dict[str, Any]) -> Any:
    op = request.pop("op")
    if op in HOST:
        return HOST[op](oracle, request)
    run = oracle.attempt if request.pop("atomic", False) else oracle.call
    return run(op, **request)


def answers(lines: Iterable[str], oracle: StorageOracle) -> Iterator[str]:
    """One answer for each line: ``{"ok": ...}``, ``{"error": text}`` or ``{"panic": text}``."""
    for line in lines:
        try:
            answer = {"ok": _dispatch(oracle, json.loads(line))}
        except (OracleError, ValueError, KeyError) as error:
            answer = {"error": str(error)}
        except OraclePanic as panic:
            oracle.restart()
            answer = {"panic": str(panic)}
        yield json.dumps(answer)


def main() -> None:
    for answer in answers(sys.stdin, StorageOracle()):
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
