"""The shipped demo recipes and the shell on one network of three real nodes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from calimero_tui.bundled import recipes
from calimero_tui.cli import main
from calimero_tui.output.exits import FAILED, OK
from tests.networks import kept_network

LIMIT = 90

pytestmark = pytest.mark.timeout(LIMIT)


@pytest.fixture(scope="module")
def urls() -> Iterator[list[str]]:
    """Addresses of a network of three nodes."""
    with kept_network(3, LIMIT) as found:
        yield found


@pytest.fixture(scope="module")
def used(urls: list[str]) -> list[str]:
    """Addresses of the network once it has a context, whichever tests ran before."""
    assert main(["run", str(recipes() / "demo" / "kv.yml"), "--json", *on(urls)]) == OK
    return urls


def on(urls: list[str]) -> list[str]:
    return [word for number, url in enumerate(urls, start=1) for word in ("--on", f"node{number}={url}")]


@pytest.mark.parametrize("name", ["kv", "handlers", "join-late"])
def test_a_demo_recipe_passes(urls: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", str(recipes() / "demo" / f"{name}.yml"), "--json", *on(urls)])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event for event in events if event["event"] == "step_failed"] == []
    assert (code, events[-1]["event"], events[-1]["passed"]) == (OK, "run_finished", True)


def test_a_failing_recipe_says_what_differs(
    used: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "r.yml"
    nodes = ", ".join(f"node{number}: '{url}'" for number, url in enumerate(used, start=1))
    body = "  - context ls:\n    node: all\n    expect: {equals: [], message: somebody was here}\n"
    file.write_text(f"recipe: 1\nname: n\nnodes: {{{nodes}}}\nsteps:\n{body}")
    assert main(["run", str(file)]) == FAILED
    out = capsys.readouterr().out
    assert f"{file}:7:13: somebody was here: node1: equals does not hold" in out
    assert "        + [" in out


def test_the_shell_sees_what_happens(used: list[str]) -> None:
    """One process watches the events of node 2, another calls on node 1."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [
        sys.executable,
        "-c",
        "import sys; from calimero_tui.cli import main; sys.exit(main(sys.argv[1:]))",
        "shell",
    ]
    context = _line(command, used[0], "ls")[-1]["id"]
    with subprocess.Popen(
        [*command, "--json", "--node", used[1], "-c", f"watch {context} --seconds 30 --count 1"],
        stdout=subprocess.PIPE, text=True, env=environment,
    ) as watcher:  # fmt: skip
        number = 0
        while watcher.poll() is None:  # again and again, because nothing tells when the watcher has subscribed
            number += 1
            _line(command, used[0], f"call set key=seen value={number} --context {context}")
        out, _ = watcher.communicate()
    (row,) = json.loads(out)["events"]
    assert (row["kind"], row["data"]["key"]) in {("Inserted", "seen"), ("Updated", "seen")}


def _line(command: list[str], url: str, line: str) -> list[dict[str, str]]:
    done = subprocess.run([*command, "--json", "--node", url], input=line, capture_output=True, text=True, check=True)
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found
