"""``calimero run`` as a command: what it prints, and its exit codes, before any node is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calimero_tui.bundled import recipes
from calimero_tui.cli import main
from calimero_tui.output.exits import OK, UNREACHABLE, USAGE

GOOD = "recipe: 1\nname: n\nnodes: {a: http://127.0.0.1:1}\nvars: {s: 0}\nsteps:\n  - name: pause\n    wait: '{{s}}'\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.yml"
    path.write_text(GOOD)
    return path


def test_a_dry_run_lists_the_steps(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(file), "--dry-run"]) == OK
    assert capsys.readouterr() == ("n: a\n1        wait  pause\n", "")
    assert main(["run", str(file), "--dry-run", "--json"]) == OK
    assert json.loads(capsys.readouterr().out)["steps"] == ["1        wait  pause"]


def test_every_problem_is_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(GOOD + "  - wait: '{{x}}'\n  - wait: a\n")
    assert main(["run", str(file)]) == USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(": ")[1] for line in err.splitlines()] == [f"{file}:8:11", f"{file}:9:11"]
    assert main(["run", str(file), "--json"]) == USAGE
    assert [json.loads(line)["error"]["type"] for line in capsys.readouterr().out.splitlines()] == ["LintError"] * 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--var", "s"], USAGE, "'s' must be written NAME=VALUE"),
        (["--var", "t=1"], USAGE, "the recipe has no variable 't'; there are: s"),
        (["--on", "b=http://127.0.0.1:1"], USAGE, "the recipe has the nodes a; give an address for each"),
        (["--on", "a=http://127.0.0.1:1"], UNREACHABLE, "no node answers at http://127.0.0.1:1"),
        ([], UNREACHABLE, "no node answers at http://127.0.0.1:1"),
    ],
)
def test_what_prevents_a_run(
    file: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    assert main(["run", str(file), *words]) == code
    assert message in capsys.readouterr().err


def test_shipped_recipes_are_well_written(capsys: pytest.CaptureFixture[str]) -> None:
    files = sorted(recipes().rglob("*.yml"))
    assert {file.name for file in files} >= {"kv.yml", "handlers.yml", "join-late.yml"}
    for file in files:
        assert main(["run", str(file), "--dry-run"]) == OK, capsys.readouterr()
