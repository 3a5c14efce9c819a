"""Rows on a terminal: a table where it fits, blocks where it does not, and whole ids in either."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from calimero_tui.actions.peers import REGISTRY
from calimero_tui.output import show

PEER = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
ROW = {
    "peer": PEER, "connected": True, "agent": "rust-libp2p/0.47.0", "latency_ms": 1.234, "topics": 2, "streams": 0,
    "addresses": ["/ip4/127.0.0.1/tcp/2428", "/ip4/192.168.0.7/tcp/2428"], "received": 4811, "sent": 5270, "score": 0,
}  # fmt: skip
Shown = Callable[[int | None], list[str]]
COLUMNS = REGISTRY.find("peer ls").columns


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shown:
    def lines(columns: int | None) -> list[str]:
        monkeypatch.setattr(show, "is_terminal", lambda: columns is not None)
        monkeypatch.setenv("COLUMNS", str(columns or 80))
        show.table([ROW, {**ROW, "addresses": []}], COLUMNS)
        return capsys.readouterr().out.splitlines()

    return lines


def test_peers_on_a_narrow_terminal_are_blocks(shown: Shown) -> None:
    lines = shown(80)
    assert max(map(len, lines)) <= 80
    assert lines[:6] == [
        f"peer        {PEER}",
        "connected   yes",
        "agent       rust-libp2p/0.47.0",
        "addresses   /ip4/127.0.0.1/tcp/2428",
        "            /ip4/192.168.0.7/tcp/2428",
        "latency ms  1.23",
    ]
    assert lines[11:13] == ["", f"peer        {PEER}"]


@pytest.mark.parametrize("columns", [200, None], ids=["wide", "no terminal"])
def test_elsewhere_they_are_a_table(shown: Shown, columns: int | None) -> None:
    heading, *rows = shown(columns)
    assert heading.split()[:4] == ["peer", "connected", "agent", "addresses"]
    assert len(rows) == 2
    assert "/ip4/127.0.0.1/tcp/2428, /ip4/192.168.0.7/tcp/2428  1.23" in rows[0]
