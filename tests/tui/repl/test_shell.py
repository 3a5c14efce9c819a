"""The shell over a small node: choosing, calling, aliases, confirmation, scripts and exit codes."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from calimero_tui.output.exits import OK, REFUSED, UNREACHABLE, USAGE
from calimero_tui.repl.history import history_file
from calimero_tui.repl.script import run_script
from calimero_tui.repl.shell import Shell, node_url
from node.errors import Refused, Unreachable
from tests.tui.small import World

Script = Callable[..., tuple[int, str, str]]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def script(world: World, capsys: pytest.CaptureFixture[str]) -> Script:
    def call(*lines: str, as_json: bool = False, keep_going: bool = False) -> tuple[int, str, str]:
        code = run_script(Shell("node1", as_json=as_json, http=world.http), lines, keep_going=keep_going)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_calls_go_to_the_only_context(world: World, script: Script) -> None:
    world.context("node1")
    code, out, err = script("call set key=n value=5", "# a comment", "", "call get key=n")
    assert (code, out, err) == (OK, "null\n5\n", "")
    assert world.calls[0][2] == {"key": "n", "value": "5"}  # the method takes texts


def test_results_as_json(world: World, script: Script) -> None:
    context = world.context("node1", state={"a": "1"})
    code, out, _ = script("ls", "call entries", as_json=True)
    rows, entries = map(json.loads, out.splitlines())
    assert (code, rows[0]["id"], entries) == (OK, context, {"a": "1"})


def test_use_and_as_choose_what_later_lines_mean(world: World, script: Script) -> None:
    world.context("node1", state={"a": "first"})
    second = world.context("node1", state={"a": "second"})
    member = next(iter(world.contexts[second].members))
    code, out, err = script(f"use {second[:6]}", f"as {member[:5]}", "call get key=a", "as", "use", as_json=True)
    assert (code, err) == (OK, "")
    shown = [json.loads(line) for line in out.splitlines()]
    assert shown == [{"context": second}, {"identity": member}, "second", {"identity": None}, {"context": None}]


def test_an_alias_stands_for_its_id(world: World, script: Script) -> None:
    world.context("node1", state={"a": "first"})
    world.aliases["notes"] = world.context("node1", state={"a": "second"})
    assert script("call get key=a --context notes")[:2] == (OK, "second\n")
    assert script("use notes", "call get key=a", as_json=True)[1].splitlines()[-1] == '"second"'


def test_types_are_those_of_the_context_that_is_meant(world: World, script: Script) -> None:
    world.context("node1")
    world.aliases["notes"] = world.context("node1")
    assert script("call set key=n value=5 --context notes")[0] == OK
    assert world.calls[0][2] == {"key": "n", "value": "5"}


def test_connect_turns_to_another_node(world: World, script: Script) -> None:
    world.context("node1")
    world.context("node2")
    code, out, _ = script("connect node2", "call set key=a value=b", as_json=True)
    assert (code, json.loads(out.splitlines()[0])) == (OK, {"node": "http://node2"})
    assert world.calls[0][0] == "http://node2"


def test_a_node_that_does_not_answer_is_not_turned_to(world: World, script: Script) -> None:
    world.context("node1")
    world.down.add("http://node2")
    code, _, err = script("connect node2", "call entries", keep_going=True)
    assert code == UNREACHABLE
    assert "no node answers at http://node2" in err
    assert world.calls == [("http://node1", "entries", {})]


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("call nothing", REFUSED, 'method "nothing" not found'),
        ("cal get", USAGE, "did you mean call?"),
        ("use 9999", USAGE, "fits 0 contexts"),
        ("as 9999", USAGE, "is no identity of this node in"),
        ("ls zzz", USAGE, "ls cannot list 'zzz'; it lists: context, identity"),
        ("help zzz", USAGE, "there is no command 'zzz'"),
        ("connect ftp://x", USAGE, "'ftp://x' is no address of a node"),
        ("context leave", USAGE, "add --yes"),
        ("call get {", USAGE, "is not closed"),
    ],
)
def test_the_first_error_ends_a_script(world: World, script: Script, line: str, code: int, message: str) -> None:
    world.context("node1")
    found, out, err = script("call entries", line, "call entries")
    assert (found, out) == (code, "")
    assert f"line 2: {line}" in err
    assert message in err
    assert len(world.contexts) == 1


def test_keep_going_runs_on_and_still_fails(world: World, script: Script) -> None:
    world.context("node1", state={"a": "1"})
    code, out, err = script("call nothing", "call get key=a", "exit", "call get key=a", keep_going=True)
    assert (code, out) == (REFUSED, "1\n")
    assert err.startswith("line 1: call nothing\nerror: ")


def test_errors_as_json(world: World, script: Script) -> None:
    world.context("node1")
    code, out, err = script("call nothing", as_json=True)
    assert (code, err) == (REFUSED, "")
    assert json.loads(out)["error"]["type"] == "FunctionCallError"


def test_what_destroys_asks_or_needs_yes(world: World, script: Script) -> None:
    world.context("node1")
    assert script("context leave --yes")[0] == OK
    assert world.contexts == {}


@pytest.mark.parametrize("answer", [True, False])
def test_an_answer_decides(world: World, answer: bool) -> None:
    world.context("node1")
    asked = []

    async def agree(question: str) -> bool:
        asked.append(question)
        return answer

    async def run() -> None:
        shell = Shell("node1", http=world.http)
        shell.agree = agree
        if answer:
            await shell.run("context leave")
        else:
            with pytest.raises(Refused, match="was not confirmed"):
                await shell.run("context leave")
        await shell.close()

    asyncio.run(run())
    assert len(asked) == 1
    assert bool(world.contexts) is not answer


def test_help_and_history(world: World, script: Script) -> None:
    code, out, _ = script("help", "help context create", "help identity", "history")
    assert code == OK
    assert "context create: Create a context of an installed application" in out
    assert "usage: context create APPLICATION [--init INIT]" in out
    assert "identity ls: List the members" in out
    assert out.splitlines()[-1] == "4  history"
    assert json.loads(script("help call", as_json=True)[1])["usage"].startswith("usage: call METHOD")


def test_watch_without_a_context_says_so(script: Script) -> None:
    code, _, err = script("watch")
    assert code == USAGE
    assert "has no context to watch" in err


def test_after_a_failure_the_node_is_asked_again(world: World) -> None:
    context = world.context("node1", state={"a": "1"})
    world.aliases["notes"] = context
    world.down.add("http://node1")

    async def run() -> None:
        shell = Shell("node1", http=world.http)
        with pytest.raises(Unreachable):
            await shell.run("call get key=a --context notes")
        world.down.clear()
        await shell.run("use notes")
        assert shell.session.context_id == context
        await shell.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("host", "http://host"),
        ("host:80", "http://host:80"),
        ("https://host/", "https://host"),
        ("[::1]:1", "http://[::1]:1"),
    ],
)
def test_addresses(text: str, url: str) -> None:
    assert node_url(text) == url


@pytest.mark.parametrize("text", ["", "http://", "host:99999", "host:x", "file:///x", "http://[::1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(Refused, match="is no address of a node"):
        node_url(text)


def test_the_history_file_is_the_owners_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    file = history_file()
    assert file is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("kept")
    file.chmod(0o644)
    assert history_file() == file
    assert (stat.S_IMODE(file.stat().st_mode), file.read_text()) == (0o600, "kept")


def test_without_a_place_there_is_no_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "calimero").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert history_file() is None
