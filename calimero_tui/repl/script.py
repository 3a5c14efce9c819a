"""Lines without a terminal: from a pipe, a file or ``-c``. One after the other, to the end or the first error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from calimero_tui.output import show
from calimero_tui.output.exits import OK, exit_code
from calimero_tui.repl.shell import Shell
from node.errors import CalimeroError


def run_script(shell: Shell, lines: Iterable[str], *, keep_going: bool = False) -> int:
    """Run the lines; the exit code of the first error. Reading happens outside the loop, so Ctrl-C ends it at once."""
    code = OK
    with asyncio.Runner() as runner:
        try:
            for number, line in enumerate(lines, start=1):
                failed = _line(shell, runner, number, line)
                code = code or failed
                if shell.done or (failed and not keep_going):
                    break
        finally:
            runner.run(shell.close())
    return code


def _line(shell: Shell, runner: asyncio.Runner, number: int, line: str) -> int:
    try:
        runner.run(shell.run(line))
    except CalimeroError as error:
        if not shell.as_json:
            show.note(f"line {number}: {line.strip()}")
        show.failure(error, as_json=shell.as_json)
        return exit_code(error)
    return OK
