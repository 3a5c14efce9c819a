"""Through the shipped recipes, one for each application."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calimero_tui.bundled import recipes
from calimero_tui.cli import main
from calimero_tui.output.exits import OK
from tests.life.apps import LIMIT, bundle

pytestmark = pytest.mark.timeout(LIMIT)


@pytest.mark.parametrize("name", ["kv", "collections", "owned", "private", "bundle"])
def test_a_context_lives_in_its_recipe(
    urls: list[str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(recipes() / "apps" / f"{name}.yml"), "--json"]
    for number, url in enumerate(urls, start=1):
        command += ["--on", f"node{number}={url}"]
    if name == "bundle":
        command += ["--var", f"first={bundle(tmp_path, 'kv', '1.0.0')}"]
        command += ["--var", f"second={bundle(tmp_path, 'kv_next', '1.1.0')}"]
    code = main(command)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event for event in events if event["event"] == "step_failed"] == []
    assert code == OK
