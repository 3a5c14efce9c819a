"""What calimero-client-py 0.3.0 sends, sent again: its own build needs a compiler and half an hour, this needs neither.

The table comes from :mod:`tests.interop.clients.record`: the requests of a session that calls every method, and the
parts of each answer without which the client fails.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.interop.clients.names import Names, at
from tests.interop.clients.record import TABLE, kind_of
from tests.interop.clients.session import STEPS
from tests.interop.clients.stage import stage

ROWS: list[dict[str, Any]] = json.loads(TABLE.read_text())
ASK_NOTHING = {"detect_auth_mode", "get_api_url"}
"""On loopback the client asks no node for these."""


def send(client: httpx.Client, row: dict[str, Any], names: Names) -> httpx.Response:
    path = names.fill(row["path"])
    if "json" not in row:
        return client.request(row["method"], path, content=row.get("text", ""))
    body = json.dumps(names.fill(row["json"]))  # null is a body, too
    return client.request(row["method"], path, content=body, headers={"content-type": "application/json"})


def check(answer: httpx.Response, row: dict[str, Any], names: Names) -> None:
    """The client would take this answer."""
    told = f"{row['call']}: {row['method']} {answer.url}: {answer.status_code} {answer.text[:500]}"
    assert answer.status_code == row["status"], told
    for name, value in names.fill(row.get("headers", {})).items():
        assert answer.headers[name] == value, told
    if "needs" in row:
        body = answer.json()
        assert {path: kind_of(at(body, path)) for path in row["needs"]} == row["needs"], told
        names.keep(row.get("keep", {}), body)


def test_the_table_has_every_step_of_the_session() -> None:
    assert [row["call"] for row in ROWS] == [step.method for step in STEPS if step.method not in ASK_NOTHING]


@pytest.mark.timeout(180)
def test_a_node_answers_what_the_published_client_needs(tmp_path: Path) -> None:
    with stage(tmp_path) as (nodes, names):
        for row in ROWS:
            check(send(nodes[row["on"]], row, names), row, names)
