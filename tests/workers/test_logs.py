"""Log filters and the handler that sends records to the supervisor."""

from __future__ import annotations

import logging

import pytest

from node.errors import ConfigError
from workers.logs import MAX_RATE, MAX_TEXT, ControlHandler, LogFilter
from workers.messages.control import LogLine


def test_the_most_specific_name_wins() -> None:
    chosen = LogFilter.parse("warn, workers.network=debug,workers=error,quiet=off")
    assert chosen.level_of("other") == logging.WARNING
    assert chosen.level_of("workers.sync") == logging.ERROR
    assert chosen.level_of("workers.network.host") == logging.DEBUG
    assert chosen.level_of("workers.networks") == logging.ERROR
    assert chosen.level_of("quiet") > logging.CRITICAL
    assert chosen.lowest == logging.DEBUG
    assert LogFilter.parse("").default == logging.INFO


def test_a_wrong_filter_is_named() -> None:
    with pytest.raises(ConfigError, match="log filter 'loud': 'loud' is no level"):
        LogFilter.parse("loud")


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("workers.x", level, "f", 1, text, None, None)


def test_records_pass_the_filter_and_a_rate() -> None:
    sent: list[LogLine] = []
    now = 100.0
    handler = ControlHandler(sent.append, LogFilter.parse("info"), clock=lambda: now)
    handler.emit(record("hidden", logging.DEBUG))
    for number in range(MAX_RATE + 3):
        handler.emit(record(str(number)))
    assert len(sent) == MAX_RATE
    now = 101.0
    handler.emit(record("next"))
    assert (sent[-1].text, sent[-1].dropped) == ("next", 3)


def test_a_long_record_is_cut() -> None:
    sent: list[LogLine] = []
    ControlHandler(sent.append, LogFilter.parse("info")).emit(record("x" * (MAX_TEXT + 1)))
    assert len(sent[0].text) == MAX_TEXT
