"""The form of a command that is no action: a word, its options, and what runs it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Surface:
    """``options`` adds arguments; ``run`` does the work and answers the exit code, importing what it needs.

    ``group`` is the word before it, for commands that stand among actions.
    """

    word: str
    help: str
    example: str
    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    group: str = ""

    def declare(self, words: argparse._SubParsersAction[Any]) -> None:
        command = words.add_parser(self.word, help=self.help, description=self.help, epilog=f"example: {self.example}")
        self.options(command)
        command.set_defaults(run=self.run)
