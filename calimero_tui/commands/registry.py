"""``calimero registry backup | restore``: the memberships that a node keeps for its peers, as a file.

The words and what they print; what they do is in ``calimero_tui.launch``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from calimero_tui.commands.surface import Surface
from calimero_tui.output import show


def options(command: argparse.ArgumentParser) -> None:
    words = command.add_subparsers(metavar="COMMAND", required=True)
    for word, text, run_word, file_help in (
        ("backup", "Copy the registry into a new file, also while the node runs", _backup, "file to make"),
        ("restore", "Put a backup in place of a stopped node's registry", _restore, "a file that `backup` made"),
    ):
        inner = words.add_parser(word, help=text, description=text, epilog=f"example: calimero registry {word} r.db")
        inner.add_argument("file", type=Path, metavar="FILE", help=file_help)
        inner.add_argument("--home", type=Path, help="folder of all nodes (default: $CALIMERO_HOME or ~/.calimero)")
        inner.add_argument(
            "-n", "--node", dest="name", metavar="NAME", default=os.environ.get("CALIMERO_NODE_NAME"),
            help="which node in it (default: $CALIMERO_NODE_NAME or `default`)",
        )  # fmt: skip
        inner.add_argument("--json", action="store_true", help="one JSON value on stdout")
        inner.set_defaults(registry_run=run_word)


def run(options: argparse.Namespace) -> int:
    return int(options.registry_run(options))


def _path(options: argparse.Namespace) -> Path:
    from calimero_tui import launch

    return launch.node_directory(options.home or launch.default_home(), options.name or launch.DEFAULT_NAME)


def _backup(options: argparse.Namespace) -> int:
    from calimero_tui import launch

    show.result(launch.backup_registry(_path(options), options.file), as_json=options.json)
    return 0


def _restore(options: argparse.Namespace) -> int:
    from calimero_tui import launch

    show.result(launch.restore_registry(_path(options), options.file), as_json=options.json)
    return 0


SURFACE = Surface(
    "registry",
    "Back up and restore the membership registry of a node",
    "calimero registry backup registry.db",
    options,
    run,
)
