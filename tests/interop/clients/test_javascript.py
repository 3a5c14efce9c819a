"""The JavaScript client from npm, unmodified, against a real node."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers.server.real import Context, node

HERE = Path(__file__).parent
INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps"]


def client_folder() -> Path:
    """The locked package, installed once for this environment so that later runs need no network."""
    lock = HERE / "package-lock.json"
    home = Path(sys.prefix) / "share" / "calimero-clients" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    found = home / "node_modules" / "@calimero-network" / "calimero-client"
    done = home / "installed"
    if not done.exists():
        home.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, home)
        installed = subprocess.run(INSTALL, check=False, cwd=home, capture_output=True, text=True, timeout=90)
        assert installed.returncode == 0, f"npm could not install the client:\n{installed.stderr}"
        done.touch()
    return found


@pytest.mark.needs("node", "npm")
@pytest.mark.timeout(180)
def test_the_published_client_calls_and_listens(tmp_path: Path) -> None:
    folder = client_folder()
    with node(tmp_path / "node") as client:
        context = Context(client)
        url = str(client.base_url).rstrip("/")
        command = ["node", "--experimental-websocket", str(HERE / "client.mjs"), str(folder), url]
        done = subprocess.run(
            [*command, context.id, context.member], check=True, capture_output=True, text=True, timeout=60
        )
    found = json.loads(done.stdout)
    assert found["set"] == {"result": {"output": None}}
    assert found["get"] == {"result": {"output": "v"}}
    assert found["unknown"]["error"]["error"]["name"] == "FunctionCallError"
    assert found["event"]["contextId"] == context.id
    (event,) = found["event"]["data"]["events"]
    assert (event["kind"], json.loads(bytes(event["data"]))) == ("Inserted", {"key": "js", "value": "v"})
