"""Log lines for people and for programs."""

from __future__ import annotations

import io
import json

from workers.messages.control import LogLine
from workers.supervisor.output import LogOutput, as_json, as_text

LINE = LogLine(1_700_000_000.25, "warning", "workers.sync", "peer \x1b[2J left\nwhy")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_text_cannot_drive_the_terminal() -> None:
    assert as_text("sync", LINE, colour=False) == "22:13:20.250 WARN  sync       peer \\x1b[2J left\nwhy"


def test_json_is_one_object_a_line() -> None:
    text = as_json("sync", LogLine(1_700_000_000.25, "info", "x", "a\nb", dropped=3))
    assert "\n" not in text
    assert json.loads(text) == {
        "at": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "worker": "sync",
        "logger": "x",
        "text": "a\nb",
        "dropped": 3,
    }


def test_form_follows_the_stream_unless_chosen() -> None:
    for stream, form, is_json in (
        (io.StringIO(), "auto", True),
        (Terminal(), "auto", False),
        (Terminal(), "json", True),
        (io.StringIO(), "human", False),
    ):
        LogOutput(stream, form=form).write("sync", LINE)
        assert stream.getvalue().startswith("{") is is_json


def test_a_terminal_has_colours() -> None:
    stream = Terminal()
    LogOutput(stream).write("sync", LINE)
    assert stream.getvalue().startswith("\x1b[33m")
    assert stream.getvalue().endswith("\x1b[0m\n")


def test_a_reader_that_went_away_does_not_matter() -> None:
    stream = io.StringIO()
    output = LogOutput(stream)
    stream.close()
    output.write("sync", LINE)
