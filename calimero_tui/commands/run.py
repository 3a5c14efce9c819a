"""``calimero run``: a recipe without a terminal."""

from __future__ import annotations

import argparse
from pathlib import Path

from calimero_tui.commands.surface import Surface


def options(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help="a recipe, in YAML")
    command.add_argument(
        "--var", action="append", default=[], metavar="NAME=VALUE", help="give a variable of the recipe another value"
    )
    command.add_argument(
        "--on", action="append", default=[], metavar="NODE=URL", help="use a running node instead; one for each node"
    )
    command.add_argument("--keep", type=Path, metavar="DIR", help="keep the data and logs of started nodes in DIR")
    command.add_argument("--dry-run", action="store_true", help="check the recipe and list its steps")
    command.add_argument("--json", action="store_true", help="one JSON object a line for each event")


def run(options: argparse.Namespace) -> int:
    from calimero_tui.recipe.main import run_file

    return run_file(
        options.file, variables=options.var, urls=options.on, keep=options.keep, dry_run=options.dry_run,
        as_json=options.json,
    )  # fmt: skip


SURFACE = Surface("run", "Run a recipe without a terminal", "calimero run recipes/demo/kv.yml", options, run)
