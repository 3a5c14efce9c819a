"""``python -m workers.supervisor --home DIR``: the process of one node.

Started by ``calimero node start`` and by everything else that needs a node. It reads the node's config.toml, takes the
lock of the directory, and runs the workers in the foreground. With ``--status-fd`` it writes one JSON object a line to
that descriptor: ``{"state": "starting" | "ready" | "stopping" | "failed", "details": {...}}``, last of all ``{"state":
"ended", "code": N, "error": "..."}``; with ``--tethered`` it stops when the other end of it closes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from workers.supervisor.command import Options, main_process


def options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m workers.supervisor", description="Run one node in the foreground.")
    parser.add_argument("--home", type=Path, required=True, help="the directory of the node, with config.toml in it")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting over the file's")
    parser.add_argument("--status-fd", type=int, help="descriptor for state changes")
    parser.add_argument("--tethered", action="store_true", help="stop when the other end of --status-fd closes")
    chosen = parser.parse_args(arguments)
    flags: dict[str, str] = {}
    for item in chosen.set:
        key, equals, value = item.partition("=")
        if not equals:
            parser.error(f"--set {item!r} has no value; write KEY=VALUE")
        flags[key] = value
    return Options(chosen.home, flags, chosen.status_fd, chosen.tethered)


if __name__ == "__main__":
    sys.exit(main_process(options(sys.argv[1:])))
