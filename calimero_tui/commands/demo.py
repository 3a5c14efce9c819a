"""``calimero demo``: three nodes, one application, equal roots; on the dashboard, as a table, or as JSON."""

from __future__ import annotations

import argparse
from pathlib import Path

from calimero_tui.commands.surface import Surface
from calimero_tui.output import show


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--headless", action="store_true", help="print the result instead of opening the dashboard")
    command.add_argument("--json", action="store_true", help="one JSON object on stdout (implies --headless)")
    command.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the nodes' data in DIR; a later --keep DIR resumes it"
    )
    command.add_argument("--nodes", type=int, default=3, metavar="N", help="number of nodes (default 3)")


def run(options: argparse.Namespace) -> int:
    from calimero_tui.demo.main import demo

    headless = options.headless or options.json or not show.is_terminal()
    return demo(count=options.nodes, keep=options.keep, headless=headless, as_json=options.json)


SURFACE = Surface(
    "demo",
    "Start three nodes on this machine and watch them agree",
    "calimero demo --headless --json",
    options,
    run,
)
