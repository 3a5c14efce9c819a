"""``calimero run`` from the file to the exit code."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calimero_tui.bundled import demo_app
from calimero_tui.output import show
from calimero_tui.output.exits import INTERRUPTED, OK, exit_code
from calimero_tui.recipe.load import Problems, load
from calimero_tui.recipe.model import Recipe, to_scope
from calimero_tui.recipe.nodes import nodes_of
from calimero_tui.recipe.report import listener, plan
from calimero_tui.recipe.run import run
from calimero_tui.repl.parse import value
from node.errors import Refused


def run_file(
    file: Path, *, variables: Sequence[str], urls: Sequence[str], keep: Path | None, dry_run: bool, as_json: bool
) -> int:
    """Run a recipe; the exit code. Raises :class:`~node.errors.CalimeroError` for what prevents a run."""
    given = {name: value(text, quoted=False) for name, text in map(_pair, variables)}
    try:
        recipe = load(file, given, dict(map(_pair, urls)))
    except Problems as problems:
        for problem in problems.problems:
            show.failure(problem, as_json=as_json)
        return exit_code(problems)
    if dry_run:
        _show_plan(recipe, as_json=as_json)
        return OK
    try:
        return asyncio.run(_run(recipe, built_in(recipe), keep, as_json=as_json))
    except asyncio.CancelledError:
        show.note("interrupted; nodes that the recipe started are stopped")
        return INTERRUPTED


def built_in(recipe: Recipe) -> dict[str, Any]:
    """The variables that the runner gives to a recipe."""
    return to_scope(recipe, str(Path(recipe.file).absolute().parent), str(demo_app()))


def _show_plan(recipe: Recipe, *, as_json: bool) -> None:
    lines = plan(recipe)
    if as_json:
        show.data({"recipe": recipe.name, "nodes": list(recipe.nodes), "steps": lines[1:], "valid": True})
    else:
        show.line("\n".join(lines))


async def _run(recipe: Recipe, variables: Mapping[str, Any], keep: Path | None, *, as_json: bool) -> int:
    _cancel_on_signals()
    with show.steps("run", quiet=as_json) as report:
        async with nodes_of(recipe, keep, report) as nodes:
            report.close()
            outcome = await run(recipe, nodes, variables, listener(as_json=as_json))
    return OK if outcome.error is None else exit_code(outcome.error)


def _cancel_on_signals() -> None:
    """Ctrl-C and SIGTERM cancel the run, so that nodes are stopped on every way out."""
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


def _pair(text: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not equals or not name:
        raise Refused(f"{text!r} must be written NAME=VALUE", kind="argument")
    return name, rest
