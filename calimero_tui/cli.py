"""The ``calimero`` command: parses words, runs an action or a surface, shows the result, exits with a code.

Every action of the registry is a command. Nothing heavy is imported before the words are understood.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from calimero_tui.actions.base import Action, Kind, Parameter
from calimero_tui.actions.registry import ACTIONS
from calimero_tui.commands import SURFACES
from calimero_tui.output import show
from calimero_tui.output.exits import USAGE, exit_code
from node.errors import CalimeroError, Refused

DEFAULT_NODE: Final = "http://127.0.0.1:2528"
GROUPS: Final = {
    "context": "contexts and their members",
    "identity": "identities of this node",
    "app": "applications",
    "blob": "stored blobs",
    "alias": "names for ids",
    "proposal": "what members of a context vote on",
    "peer": "peers of the node",
}


class Parser(argparse.ArgumentParser):
    """argparse with our exit code, and a hint where help is."""

    def error(self, message: str) -> NoReturn:
        show.note(f"error: {message}")
        show.note(f"try `{self.prog} --help`")
        raise SystemExit(USAGE)


def parser() -> Parser:
    """The whole command line, from the registry and the table of surfaces."""
    top = Parser(
        prog="calimero",
        description="A Calimero node, its dashboard, shell and recipes.",
        epilog="example: calimero demo",
    )
    words = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    _declare_surfaces(words, "")
    for group, actions in ACTIONS.groups().items():
        if group not in GROUPS:
            _declare(words, actions[0].name, actions[0])
            continue
        inner = words.add_parser(group, help=GROUPS[group]).add_subparsers(
            metavar="COMMAND", required=True, parser_class=Parser
        )
        for action in actions:
            _declare(inner, action.verb, action)
        _declare_surfaces(inner, group)
    return top


def _declare_surfaces(words: argparse._SubParsersAction[Parser], group: str) -> None:
    for surface in SURFACES:
        if surface.group == group:
            surface.declare(words)


def _declare(words: argparse._SubParsersAction[Parser], word: str, action: Action) -> None:
    command = words.add_parser(word, help=action.help, description=action.help, epilog=f"example: {action.example}")
    for parameter in action.parameters:
        _add(command, parameter)
    if action.confirm:
        command.add_argument("--yes", action="store_true", help="do not ask")
    add_node_options(command)
    command.set_defaults(run=lambda options: run_action(action, options))


def _add(command: argparse.ArgumentParser, parameter: Parameter) -> None:
    """An option or a word; words that may be left out come last in every action."""
    if parameter.kind is Kind.FLAG and parameter.option:
        command.add_argument(f"--{parameter.name}", action="store_true", help=parameter.help)
        return
    settings: dict[str, Any] = {"type": _reader(parameter), "metavar": parameter.name.upper(), "help": parameter.help}
    if parameter.option:
        settings |= {"required": True} if parameter.required else {"default": parameter.default}
        command.add_argument(f"--{parameter.name}", **settings)
    else:
        settings |= {} if parameter.required else {"nargs": "?", "default": parameter.default}
        command.add_argument(parameter.name, **settings)


def _reader(parameter: Parameter) -> Callable[[str], object]:
    """What argparse reads the words with: a bad one is a usage error that names the parameter and ends with 2."""

    def read(text: str) -> object:
        try:
            return parameter.read(text)
        except Refused as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{parameter.name}: ")) from error

    return read


def add_node_options(command: argparse.ArgumentParser) -> None:
    """``--node`` and ``--json``, which every command that asks a node has."""
    command.add_argument(
        "--node",
        metavar="URL",
        default=os.environ.get("CALIMERO_NODE", DEFAULT_NODE),
        help=f"the node to ask (default: $CALIMERO_NODE or {DEFAULT_NODE})",
    )
    command.add_argument("--json", action="store_true", help="one JSON value on stdout")


def run_action(action: Action, options: argparse.Namespace) -> int:
    """Run one action against the node that the options name."""
    if action.confirm and not options.yes and not _agreed(action):
        return USAGE
    given = {parameter.name: getattr(options, parameter.name) for parameter in action.parameters}
    value = asyncio.run(_run(action, given, options.node))
    show.result(value, action.columns, as_json=options.json)
    return 0


async def _run(action: Action, given: dict[str, object], url: str) -> object:
    from calimero_tui.actions.base import Session
    from calimero_tui.client.http import Http
    from calimero_tui.client.node import Node

    async with Http(url) as http:
        return await action.run(Session(Node(http)), given)


def _agreed(action: Action) -> bool:
    if not sys.stdin.isatty():
        show.note(f"error: `calimero {action.name}` destroys data; add --yes to confirm")
        return False
    show.note(f"{action.help}? This cannot be undone. Type yes to go on:")
    return sys.stdin.readline().strip() == "yes"


def main(words: Sequence[str] | None = None) -> int:
    """The entry point; answers the exit code."""
    options = parser().parse_args(words)
    try:
        return int(options.run(options))
    except CalimeroError as error:
        show.failure(error, as_json=getattr(options, "json", False))
        return exit_code(error)
    except KeyboardInterrupt as error:
        show.note("interrupted")
        return exit_code(error)
    except BrokenPipeError:
        show.reader_gone()
        return 0
