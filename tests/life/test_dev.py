"""``calimero app dev`` on a whole node."""

from __future__ import annotations

from pathlib import Path

import pytest

from calimero_tui.cli import main
from tests.life.apps import LIMIT
from tests.workers.runtime.nodes import WASM

pytestmark = pytest.mark.timeout(LIMIT)


def test_an_unknown_context_is_told_before_anything_is_installed(
    urls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["app", "dev", str(WASM / "kv.wasm"), "--context", "none", "--node", urls[0], "--json"]
    assert main(words) != 0
    shown = capsys.readouterr()
    assert "'none' fits 0 contexts" in shown.out
    assert "installed" not in shown.out + shown.err
