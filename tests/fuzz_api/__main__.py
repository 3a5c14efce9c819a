"""The command: starts a node, has it fuzzed, tells what came of it. Exit code 1 when there are faults."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from node.api.route import ADMIN
from tests.fuzz_api import calls, document, sockets
from tests.fuzz_api.envelopes import Known
from tests.fuzz_api.rules import Verdicts
from tests.workers.server.real import Context, node

CASES = 20_500
ROUND = 40
"""Made-up cases an operation before the next round with another seed."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_api", description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES, help=f"at least so many ({CASES})")
    parser.add_argument("--seed", type=int, default=1, help="other cases (1)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, node(Path(folder) / "one") as http:
        verdicts = storm(http, options.cases, options.seed)
        healthy(http, verdicts)
    told = report(verdicts, time.monotonic() - began)
    sys.stdout.write((json.dumps(told) if options.json else as_text(told)) + "\n")
    return 1 if verdicts.faults else 0


def storm(http: httpx.Client, cases: int, number: int) -> Verdicts:
    """At least ``cases`` cases of all sources: a third from the document, the rest from the grammars and the document
    again until the number is reached."""
    known, names = furnish(http)
    url, verdicts = str(http.base_url).rstrip("/"), Verdicts()
    calls.fuzz(http, verdicts, known, count=cases // 4, number=number)
    sockets.fuzz_messages(url, verdicts, known, count=cases // 10, number=number)
    sockets.fuzz_frames(url, verdicts, count=cases // 20, number=number)
    while verdicts.cases.total() < cases:
        document.fuzz(url, verdicts, examples=ROUND, seed=number, known=names)
        number += 1
    return verdicts


def furnish(http: httpx.Client) -> tuple[Known, dict[str, list[str]]]:
    """Applications, contexts with some history, a blob and aliases; the ids by kind."""
    contexts = [Context(http), Context(http, "collections")]
    for value in "abc":
        contexts[0].call("set", {"key": "a", "value": value})
    blob = http.put(f"{ADMIN}/blobs", content=b"a blob").json()["data"]["blob_id"]
    first = contexts[0]
    http.post(f"{ADMIN}/alias/create/identity/{first.id}", json={"alias": "me", "identity": first.member})
    http.post(f"{ADMIN}/alias/create/context", json={"alias": "demo", "contextId": first.id})
    deltas = http.get(f"/calimero/v1/contexts/{first.id}/deltas").json()["data"]["deltas"]
    names = {
        "context": [c.id for c in contexts], "scope": [c.id for c in contexts], "blob": [blob],
        "application": [c.application for c in contexts], "delta": [row["id"] for row in deltas],
        "name": ["demo", "me"], "kind": ["context", "application"], "package": ["unknown"],
    }  # fmt: skip
    return Known({c.id: c.member for c in contexts}), names


def healthy(http: httpx.Client, verdicts: Verdicts) -> None:
    """The node must have lived through it: no fault counted, no worker restarted, and a new context works."""
    ready = http.get("/ready").json()
    if not ready["ready"]:
        verdicts.blame("the node is not ready any more", json.dumps(ready))
    for worker in http.get("/calimero/v1/workers").json()["data"]["workers"]:
        if worker["restarts"]:
            verdicts.blame(f"worker {worker['name']} was restarted", json.dumps(worker))
    figures = http.get("/metrics").text
    if "calimero_request_faults_total 0\n" not in figures:
        verdicts.blame("the server counted faults", next(x for x in figures.splitlines() if "request_faults_t" in x))
    if Context(http).call("set", {"key": "a", "value": "b"}) != {"output": None}:
        verdicts.blame("a new context does not work", "")


def report(verdicts: Verdicts, seconds: float) -> dict[str, Any]:
    return {
        "cases": verdicts.cases.total(),
        "seconds": round(seconds, 1),
        "by_source": dict(verdicts.cases),
        "statuses": {str(status): count for status, count in sorted(verdicts.statuses.items())},
        "demanded": dict(sorted(verdicts.excused.items())),
        "faults": {kind: {"count": count, "example": text} for kind, (count, text) in verdicts.faults.items()},
    }


def as_text(told: dict[str, Any]) -> str:
    lines = [f"{told['cases']} cases in {told['seconds']:g} s: {told['by_source']}", f"statuses: {told['statuses']}"]
    lines += [f"demanded {count:5}  {what}" for what, count in told["demanded"].items()]
    lines += [f"FAULT {row['count']:5}  {kind}\n    {row['example']}" for kind, row in told["faults"].items()]
    return "\n".join([*lines, f"{len(told['faults'])} kinds of faults"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
