"""The command line's own edge: words that cannot be read."""

from __future__ import annotations

import pytest

from calimero_tui.cli import main


@pytest.mark.parametrize(
    ("words", "parameter"),
    [(["call", "set", "not-json"], "ARGS"), (["context", "create", "app", "--init", "{"], "--init")],
)
def test_a_value_that_cannot_be_read_is_wrong_usage(
    words: list[str], parameter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    shown = capsys.readouterr()
    assert ended.value.code == 2
    assert shown.out == ""
    assert f"argument {parameter}: {words[-1]!r} is no json" in shown.err
    assert "--help" in shown.err
