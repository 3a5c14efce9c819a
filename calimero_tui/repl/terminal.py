"""The shell on a terminal: prompt, completion menu, history, Ctrl-C and Ctrl-D. The rules are in the other modules."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.output import Output
from prompt_toolkit.patch_stdout import patch_stdout

from calimero_tui.output import show
from calimero_tui.repl.complete import complete
from calimero_tui.repl.history import history_file
from calimero_tui.repl.shell import Shell, forms
from node.errors import CalimeroError

log = logging.getLogger(__name__)


class Terminal:
    """Reads lines from a person and runs them, until Ctrl-D or ``exit``."""

    def __init__(self, shell: Shell, *, input: Input | None = None, output: Output | None = None) -> None:  # noqa: A002
        self._shell = shell
        self.session: PromptSession[str] = PromptSession(
            history=_history(), completer=Completions(shell), complete_while_typing=False, input=input, output=output
        )
        self._input, self._output = input, output
        self._asking: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        shell.agree = self._agree

    async def run(self) -> None:
        """Nothing that a line does ends the shell; only the user does."""
        self._ask()
        try:
            while not self._shell.done:
                line = await self._line()
                if line is None:
                    break
                await self._carry_out(line)
        finally:
            await self._forget()
            await self._shell.close()

    async def _line(self) -> str | None:
        """The next line; empty after Ctrl-C, None after Ctrl-D."""
        try:
            with patch_stdout():
                return await self.session.prompt_async(prompt(self._shell))
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None

    async def _carry_out(self, line: str) -> None:
        await self._forget()
        self._running = task = asyncio.create_task(self._shell.run(line))
        self._cancel_on_interrupt()
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled() or _cancelling():
                raise
            show.note("cancelled")
        except CalimeroError as error:
            show.failure(error, as_json=self._shell.as_json)
        except Exception as error:  # the user's session outlives a defect in one action
            log.exception("line %r", line)
            show.note(f"error: this is a defect of calimero: {type(error).__name__}: {error}")
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        self._ask()

    def _cancel_on_interrupt(self) -> None:
        if self._running is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._running.cancel)

    async def _agree(self, question: str) -> bool:
        """Ask in the middle of a line. Answering takes Ctrl-C for itself and gives it back to nobody."""
        answers: PromptSession[str] = PromptSession(input=self._input, output=self._output)
        try:
            return (await answers.prompt_async(f"{question} Type yes to go on: ")).strip() == "yes"
        except (KeyboardInterrupt, EOFError):
            return False
        finally:
            self._cancel_on_interrupt()

    def _ask(self) -> None:
        """Renew what completions come from, beside the user's typing."""
        if self._shell.stale and not self._shell.done:
            self._asking = asyncio.create_task(self._shell.refresh())

    async def _forget(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
            self._asking = None


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Completions(Completer):
    """The pure completer as prompt-toolkit wants it."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        line = document.text_before_cursor
        for found in complete(line, forms(), self._shell.snapshot, files):
            yield Completion(found.text, found.start - len(line), display_meta=found.note)


def files(text: str) -> list[str]:
    """Paths that begin with ``text``; directories end with a slash."""
    document, event = Document(text, len(text)), CompleteEvent(completion_requested=True)
    paths = [text + found.text for found in PathCompleter(expanduser=True).get_completions(document, event)]
    return [f"{path}/" if Path(path).expanduser().is_dir() else path for path in paths]


def prompt(shell: Shell) -> str:
    """Node, and the beginnings of the chosen context and identity."""
    session = shell.session
    parts = [
        session.node.url.split("://", 1)[-1],
        *(text[:8] for text in (session.context_id, session.executor) if text),
    ]
    return f"{' '.join(parts)}> "


def _history() -> History:
    file = history_file()
    return FileHistory(str(file)) if file is not None else InMemoryHistory()


def run_terminal(shell: Shell) -> int:
    """The shell until the user leaves; the exit code."""
    asyncio.run(Terminal(shell).run())
    return 0
