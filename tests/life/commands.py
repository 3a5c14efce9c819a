"""Commands of ``calimero`` in this process, against a whole node."""

from __future__ import annotations

import json
from typing import Any

import pytest

from calimero_tui.cli import main


class Shell:
    """Commands of ``calimero`` against one node."""

    def __init__(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self.capsys = capsys

    def run(self, *words: str) -> Any:
        self.capsys.readouterr()
        assert main([*words, "--node", self.url, "--json"]) == 0
        return json.loads(self.capsys.readouterr().out)

    def application(self, context: str) -> str:
        return str(self.run("context", "inspect", context)["application"])
