"""The JavaScript client from npm, unmodified, against a real node. Needs Node.js 20 and the package registry."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.workers.server.real import Context, node

PACKAGE = "@calimero-network/calimero-client@1.1.0"
SCRIPT = Path(__file__).with_name("client.mjs")


@pytest.mark.interop
@pytest.mark.timeout(180)
def test_the_published_client_calls_and_listens(tmp_path: Path) -> None:
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps", PACKAGE]
    subprocess.run(install, cwd=tmp_path, check=True, capture_output=True)
    folder = tmp_path / "node_modules" / "@calimero-network" / "calimero-client"
    with node(tmp_path / "node") as client:
        context = Context(client)
        url = str(client.base_url).rstrip("/")
        command = ["node", "--experimental-websocket", str(SCRIPT), str(folder), url, context.id, context.member]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    found = json.loads(done.stdout)
    assert found["set"] == {"result": {"output": None}}
    assert found["get"] == {"result": {"output": "v"}}
    assert found["unknown"]["error"]["error"]["name"] == "FunctionCallError"
    assert found["event"]["contextId"] == context.id
    (event,) = found["event"]["data"]["events"]
    assert (event["kind"], json.loads(bytes(event["data"]))) == ("Inserted", {"key": "js", "value": "v"})
