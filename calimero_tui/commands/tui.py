"""``calimero tui``: the dashboard over one or more running nodes."""

from __future__ import annotations

import argparse
import os

from calimero_tui.commands.surface import Surface
from calimero_tui.output import show
from calimero_tui.output.exits import USAGE

DEFAULT_NODE = "http://127.0.0.1:2528"


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--node",
        metavar="URL",
        action="append",
        help=f"a node to show; may be given several times (default: $CALIMERO_NODE or {DEFAULT_NODE})",
    )


def run(options: argparse.Namespace) -> int:
    if not show.is_terminal():
        show.note(
            "error: the dashboard needs a terminal; for scripts there are `calimero context ls --json` and its like"
        )
        return USAGE
    from calimero_tui.tui.app import run_dashboard

    return run_dashboard(list(dict.fromkeys(options.node or [os.environ.get("CALIMERO_NODE", DEFAULT_NODE)])))


SURFACE = Surface(
    "tui",
    "Watch nodes on a dashboard: contexts, peers, events, calls",
    "calimero tui --node http://127.0.0.1:2528 --node http://127.0.0.1:2529",
    options,
    run,
)
