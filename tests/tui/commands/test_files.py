"""Commands that work on files: bundles, watched modules, copies of a registry."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from calimero_tui import launch
from calimero_tui.cli import main
from calimero_tui.commands import app
from node.errors import Refused
from tests.workers.runtime.nodes import WASM
from workers.registry.rows import FOLDER, KEPT, SqliteRows


def test_a_bundle_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["app", "bundle", str(WASM / "kv.wasm"), "--package", "com.example.kv", "--key", str(tmp_path / "key")]
    out = tmp_path / "kv.mpk"
    assert main([*words, "--version", "1.0.0", "--out", str(out), "--json"]) == 0
    shown = capsys.readouterr()
    made = json.loads(shown.out)
    assert made["path"] == str(out)
    assert made["signer_id"].startswith("did:key:z6Mk")
    assert "keep it" in shown.err
    assert main([*words, "--version", "1.0", "--out", str(out)]) != 0
    assert "MAJOR.MINOR.PATCH" in capsys.readouterr().err


def test_a_module_is_inspected(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(WASM / "kv.wasm")
    assert main(["app", "inspect", file, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["file"], report["flavour"], report["abi"]) == (file, "rust", "sidecar")
    assert report["size"] == (WASM / "kv.wasm").stat().st_size
    assert "set(key: string, value: string)" in report["signatures"]
    assert {row["problem"] for row in report["imports"]} == {None}
    assert report["compileMs"] > 0
    shown = "\n".join(text for name in ("methods", "events") for text in app.summary(report)[name])
    assert "whoami" in shown
    assert "Inserted" in shown


def test_a_module_that_does_not_run_here_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "old.wasm"
    file.write_bytes(wat2wasm('(module (import "env" "gone" (func)) (memory (export "memory") 1) (func (export "m")))'))
    assert main(["app", "inspect", str(file)]) == app.UNSUPPORTED
    shown = capsys.readouterr().out
    assert "runs here    no" in shown
    assert "env.gone  () -> ()  no such host function" in shown


def test_what_is_no_module_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    assert main(["app", "inspect", str(tmp_path / "notes.txt")]) not in {0, app.UNSUPPORTED}
    assert "no WebAssembly module" in capsys.readouterr().err
    assert main(["app", "inspect", str(tmp_path / "none.wasm")]) not in {0, app.UNSUPPORTED}
    assert "there is no file" in capsys.readouterr().err


def test_a_registry_is_copied_and_put_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    launch.init_node(tmp_path / "one", {"boot_network": "none"})
    rows = SqliteRows(tmp_path / "one" / FOLDER)
    rows.commit({b"a": b"1"})
    rows.close()
    where = ["--home", str(tmp_path), "--node", "one", "--json"]
    assert main(["registry", "backup", str(tmp_path / "copy.db"), *where]) == 0
    assert json.loads(capsys.readouterr().out) == {"backup": str(tmp_path / "copy.db"), "rows": 1}
    assert main(["registry", "restore", str(tmp_path / "copy.db"), *where]) == 0
    kept = str(tmp_path / "one" / FOLDER / KEPT)
    assert json.loads(capsys.readouterr().out) == {"rows": 1, "kept": kept}
    assert main(["registry", "backup", str(tmp_path / "copy.db"), *where]) != 0
    assert "exists already" in capsys.readouterr().out


def test_a_file_is_named_again_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that removes the file first, as linkers do, is one change."""
    monkeypatch.setattr(app, "POLL", 0.005)
    file = tmp_path / "app.wasm"

    async def body() -> None:
        file.write_bytes(b"one")
        found = app.versions(file)
        assert await anext(found) == file
        file.unlink()
        following = asyncio.ensure_future(anext(found))
        done, _ = await asyncio.wait({following}, timeout=0.05)
        assert not done
        file.write_bytes(b"two")
        assert await asyncio.wait_for(following, 5) == file
        await found.aclose()

    asyncio.run(body())


def test_what_cannot_be_watched_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refused, match="there is no file"):
        asyncio.run(anext(app.versions(tmp_path / "none.wasm")))
    assert main(["app", "dev", "x.mpk"]) != 0
    assert "name the .wasm file" in capsys.readouterr().err
