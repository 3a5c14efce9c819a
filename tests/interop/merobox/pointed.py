"""A workflow as it was written, run by merobox on nodes that run already.

Two things stand in the way of `remote_nodes`, both in merobox 0.3.7: a workflow with `nodes` starts containers, and an
application of `dev: true` is copied into the folder of a container. So `nodes` becomes `remote_nodes` with the names
that merobox would give, and such an application is installed from an address, at which the same file is served.
"""

from __future__ import annotations

import copy
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["Outcome", "count", "pointed", "run"]

CONTAINERS = ("nodes", "force_pull_image", "nuke_on_start", "nuke_on_end", "restart", "stop_all_nodes")
"""What a workflow says about containers, and nothing about running nodes."""
LONGEST = 900
"""Seconds for one workflow; the longest example, a load test, takes five minutes."""


def count(workflow: dict[str, Any]) -> int:
    """How many nodes a workflow wants."""
    return int(workflow.get("nodes", {}).get("count", 1))


def pointed(workflow: dict[str, Any], urls: list[str], files: str) -> dict[str, Any]:
    """The same workflow on the nodes at ``urls``, with its application files at the address ``files``."""
    made = {key: copy.deepcopy(value) for key, value in workflow.items() if key not in CONTAINERS}
    prefix = workflow.get("nodes", {}).get("prefix", "calimero-node")
    made["remote_nodes"] = {f"{prefix}-{number}": {"url": url} for number, url in enumerate(urls, 1)}
    for step in made["steps"]:
        if step.get("type") == "install_application" and step.pop("dev", False):
            step["url"] = f"{files}/{step['path'].removeprefix('./')}"
    return made


@dataclass(frozen=True)
class Outcome:
    """What merobox said. ``begun`` and ``passed`` count steps, each pass of a loop as well."""

    code: int
    text: str

    @property
    def begun(self) -> int:
        return sum(line.startswith("Executing ") and line.endswith(")...") for line in self.text.splitlines())

    @property
    def passed(self) -> int:
        return sum(line.startswith("✓ Step '") for line in self.text.splitlines())


def run(merobox: str, workflow: dict[str, Any], folder: Path, base: Path) -> Outcome:
    """Run a workflow, whose paths begin at ``base``, with ``folder`` as home and for the file.

    No sandbox of a chain is started (`--enable-relayer`), and nothing outside of this machine is asked for anything.
    """
    file = folder / "workflow.yml"
    file.write_text(yaml.safe_dump(workflow, sort_keys=False))
    surroundings = {"HOME": str(folder), "COLUMNS": "400", "NO_COLOR": "1", "HTTPS_PROXY": "http://127.0.0.1:1"}
    done = subprocess.run(
        [merobox, "bootstrap", "run", str(file), "--enable-relayer"],
        cwd=base, env={**os.environ, **surroundings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False, timeout=LONGEST,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout)
