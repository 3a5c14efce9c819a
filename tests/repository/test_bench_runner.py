"""The runner of the benches: it finds them, refuses unknown names, and prints one object a line."""

from __future__ import annotations

import json

import pytest

from tests.bench import __main__ as runner


def test_an_unknown_bench_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        runner.main(["no-such-bench"])
    assert stop.value.code == 2
    assert "no bench named no-such-bench" in capsys.readouterr().err


def test_rows_carry_the_name_of_their_bench(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "bench_sample.py").write_text("def run():\n    yield {'p50_ms': 1.23456}\n")
    monkeypatch.setattr(runner, "FOLDER", tmp_path)
    monkeypatch.setattr(
        runner.importlib, "import_module", lambda _: type("Sample", (), {"run": lambda: [{"p50_ms": 1.25}]})
    )
    assert runner.main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"bench": "sample", "p50_ms": 1.25}
    assert runner.main(["sample"]) == 0
    assert capsys.readouterr().out == "bench=sample  p50_ms=1.25\n"
