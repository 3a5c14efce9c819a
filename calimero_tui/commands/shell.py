"""``calimero shell``: the interactive shell, or lines from a pipe or ``-c``."""

from __future__ import annotations

import argparse
import sys

from calimero_tui.commands.surface import Surface


def options(command: argparse.ArgumentParser) -> None:
    from calimero_tui.cli import add_node_options

    command.add_argument("-c", dest="line", metavar="LINE", action="append", help="run LINE and leave; may be repeated")
    command.add_argument("--keep-going", action="store_true", help="without a terminal: go on after an error")
    add_node_options(command)


def run(options: argparse.Namespace) -> int:
    from calimero_tui.repl.script import run_script
    from calimero_tui.repl.shell import Shell

    if options.line is not None or not sys.stdin.isatty():
        lines = options.line if options.line is not None else sys.stdin
        return run_script(Shell(options.node, as_json=options.json), lines, keep_going=options.keep_going)
    from calimero_tui.repl.terminal import run_terminal

    return run_terminal(Shell(options.node, as_json=options.json))


SURFACE = Surface(
    "shell",
    "Talk to a node line by line, with completion",
    """calimero shell -c "call get key=colour" """.strip(),
    options,
    run,
)
