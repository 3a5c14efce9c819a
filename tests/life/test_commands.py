"""What one command names another one takes."""

from __future__ import annotations

import pytest

from tests.life.apps import LIMIT
from tests.life.commands import Shell
from tests.workers.runtime.nodes import WASM

pytestmark = pytest.mark.timeout(LIMIT)


def test_a_head_is_named_as_the_delta_that_it_is(urls: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(urls[0], capsys)
    application = shell.run("app", "install", str(WASM / "kv.wasm"))["application"]
    context = shell.run("context", "create", application)["context"]
    shell.run("call", "set", '{"key":"a","value":"1"}', "--context", context)
    newest = shell.run("context", "deltas", context)[0]["id"]
    assert shell.run("context", "inspect", context)["head_ids"] == [newest]
    compared = shell.run("context", "compare", *_last_two(shell, context), "--context", context)
    (entry,) = [row for row in compared if row["was"] is None]
    assert shell.run("context", "blame", entry["entity"], "--context", context)[0]["delta"] == newest
    shell.run("context", "leave", context, "--yes")


def _last_two(shell: Shell, context: str) -> tuple[str, str]:
    new, old = (row["id"] for row in shell.run("context", "deltas", context)[:2])
    return old, new
