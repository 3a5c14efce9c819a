"""``calimero app dev`` on a whole node: a running context follows the file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from calimero_tui.cli import main
from tests.life.apps import LIMIT
from tests.life.commands import Shell
from tests.workers.runtime.nodes import WASM

pytestmark = pytest.mark.timeout(LIMIT)

NOTE = b"\0\5\4note"
"""A custom section: another module by its bytes, the same by what it does."""


def test_a_context_follows_the_file(urls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(urls[0], capsys)
    module = tmp_path / "app.wasm"
    module.write_bytes((WASM / "kv.wasm").read_bytes())
    first = shell.run("app", "install", str(module))["application"]
    context = shell.run("context", "create", first)["context"]
    shell.run("call", "set", '{"key":"a","value":"kept"}', "--context", context)
    module.write_bytes(module.read_bytes() + NOTE)

    words = ["app", "dev", str(module), "--context", context[:8], "--count", "2", "--node", urls[0], "--json"]
    command = [sys.executable, "-P", "-c", "import sys; from calimero_tui.cli import main; sys.exit(main())", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        try:
            while (second := shell.application(context)) == first:
                assert watching.poll() is None
                time.sleep(0.02)
            aside = tmp_path / "aside"
            aside.write_bytes(module.read_bytes() + NOTE)
            aside.replace(module)
            told, _ = watching.communicate(timeout=LIMIT)
        finally:
            watching.kill()
    assert watching.returncode == 0
    third = shell.application(context)
    assert third not in (first, second)
    installed = [json.loads(line) for line in told.splitlines()]
    assert installed == [{"application": each, "context": context} for each in (second, third)]
    assert "kept" in json.dumps(shell.run("call", "get", '{"key":"a"}', "--context", context))
    shell.run("context", "leave", context, "--yes")


def test_an_unknown_context_is_told_before_anything_is_installed(
    urls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["app", "dev", str(WASM / "kv.wasm"), "--context", "none", "--node", urls[0], "--json"]
    assert main(words) != 0
    shown = capsys.readouterr()
    assert "'none' fits 0 contexts" in shown.out
    assert "installed" not in shown.out + shown.err
