"""The terminal over a pipe for keys: completion, Ctrl-C, Ctrl-D, questions, and lines that fail."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from calimero_tui.repl import terminal
from calimero_tui.repl.shell import Shell
from calimero_tui.repl.terminal import Completions, Terminal, files, prompt
from tests.tui.small import World

TAB, CTRL_C, CTRL_D = "\t", "\x03", "\x04"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def world() -> World:
    world = World()
    world.context("node1", state={"a": "1"})
    return world


def typed(world: World, keys: str) -> Shell:
    """The shell after these keys; the run ends by itself or the test fails by its time-out."""
    shell = Shell("node1", http=world.http)

    async def run() -> None:
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(keys)
            await Terminal(shell, input=pipe, output=DummyOutput()).run()

    asyncio.run(run())
    return shell


def test_ctrl_d_leaves_and_exit_leaves(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    typed(world, f"call get key=a\n{CTRL_D}")
    assert capsys.readouterr().out == "1\n"
    assert typed(world, "exit\ncall get key=a\n").done
    assert capsys.readouterr().out == ""


def test_ctrl_c_forgets_the_line_alone(world: World) -> None:
    assert typed(world, f"call nonsense{CTRL_C}call get key=a\nexit\n").lines == ["call get key=a", "exit"]


def test_errors_do_not_end_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.down.add("http://node2")
    typed(world, "cal\ncall nothing\nconnect node2\ncall get key=a\nexit\n")
    out, err = capsys.readouterr()
    assert out == "1\n"
    assert [line.partition(":")[0] for line in err.splitlines()] == ["error"] * 3


def test_a_defect_does_not_end_it(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "_of", lambda _: [None])
    typed(world, "ls\nhistory\nexit\n")
    out, err = capsys.readouterr()
    assert "error: this is a defect of calimero: AttributeError" in err
    assert "2  history" in out


@pytest.mark.parametrize(("answer", "left"), [("yes\n", 0), ("no\n", 1), ("\n", 1), (CTRL_C, 1), (CTRL_D, 1)])
def test_what_destroys_is_asked_about(world: World, answer: str, left: int) -> None:
    typed(world, f"context leave\n{answer}exit\n")
    assert len(world.contexts) == left


def test_ctrl_c_cancels_what_runs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    async def forever(_: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.Event().wait()

    shell = Shell("node1", http=world.http)
    shell.connect = forever  # type: ignore[method-assign]

    async def run() -> None:
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text("connect node2\ncall get key=a\nexit\n")
            await Terminal(shell, input=pipe, output=DummyOutput()).run()

    asyncio.run(run())
    out, err = capsys.readouterr()
    assert (out, err) == ("1\n", "cancelled\n")


def test_tab_completes(world: World) -> None:
    shell = Shell("node1", http=world.http)

    async def run() -> None:
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            running = Terminal(shell, input=pipe, output=DummyOutput())
            running.session.default_buffer.on_text_changed += lambda buffer: (
                pipe.send_text("\nexit\n") if buffer.text == "history" else None
            )
            pipe.send_text(f"hist{TAB}")
            await running.run()

    asyncio.run(run())
    assert shell.lines == ["history", "exit"]


def test_completions_come_from_the_node(world: World) -> None:
    shell = Shell("node1", http=world.http)

    async def offered(line: str) -> list[str]:
        await shell.refresh()
        return [found.text for found in Completions(shell).get_completions(Document(line), CompleteEvent())]

    assert asyncio.run(offered("call s")) == ["set"]
    assert asyncio.run(offered("call set ")) == ["key=", "value="]
    assert asyncio.run(offered("use ")) == list(world.contexts)


def test_lines_are_kept_for_the_owner(world: World, tmp_path: Path) -> None:
    typed(world, "history\nexit\n")
    file = tmp_path / "state" / "calimero" / "shell_history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "+history" in file.read_text()


def test_files_are_offered(tmp_path: Path) -> None:
    (tmp_path / "ab.wasm").touch()
    (tmp_path / "ac").mkdir()
    assert files(f"{tmp_path}/a") == [f"{tmp_path}/ab.wasm", f"{tmp_path}/ac/"]


def test_the_prompt_says_where_one_is(world: World) -> None:
    shell = Shell("node1", http=world.http)
    assert prompt(shell) == "node1> "
    shell.session.context_id = "4vJ9JU1bJJE96FWSJKvHsmm"
    assert prompt(shell) == "node1 4vJ9JU1b> "


def test_without_a_history_file_lines_are_kept_in_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "history_file", lambda: None)
    assert typed(world, "history\nexit\n").lines == ["history", "exit"]
