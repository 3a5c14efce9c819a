from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from node.errors import CompilationError
from node.runtime.config import RuntimeConfig
from tests.workers.runtime_engine.guests import call, method, wasm
from workers.runtime.engine.cache import CompiledCache, RefusedEntry, read_private
from workers.runtime.engine.guest import WasmGuest
from workers.runtime.engine.settings import fingerprint

CODE = wasm(method("go", "(call $log_utf8 (i64.const 0))"))


def no_bytecode() -> bytes:
    raise AssertionError("the bytecode must not be asked for")


def run_once(directory: Path, config: RuntimeConfig | None = None) -> tuple[int, int, int]:
    guest = WasmGuest(directory, config)
    try:
        assert guest.run(call(CODE, "go")).error is None
        return guest.stats.compiled, guest.stats.loaded, guest.stats.refused
    finally:
        guest.close()


def compiled_files(directory: Path) -> list[Path]:
    return list(directory.glob("*.cwasm"))


def test_a_module_is_compiled_once_and_then_loaded(tmp_path: Path) -> None:
    assert run_once(tmp_path) == (1, 0, 0)
    assert run_once(tmp_path) == (0, 1, 0)
    guest = WasmGuest(tmp_path)
    for _ in range(3):
        assert guest.run(call(CODE, "go", bytecode=no_bytecode)).error is None
    assert (guest.stats.compiled, guest.stats.loaded) == (0, 1)
    guest.close()


def test_files_are_private(tmp_path: Path) -> None:
    directory = tmp_path / "modules"
    before = os.umask(0)
    try:
        run_once(directory)
    finally:
        os.umask(before)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert compiled_files(directory)
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "readable", "link", "gone"])
def test_an_entry_that_is_damaged_or_not_private_is_compiled_anew(tmp_path: Path, damage: str) -> None:
    run_once(tmp_path)
    (path,) = compiled_files(tmp_path)
    raw = path.read_bytes()
    if damage == "cut":
        path.write_bytes(raw[:-1])
    elif damage == "flipped":
        path.write_bytes(raw[:-50] + bytes([raw[-50] ^ 1]) + raw[-49:])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "readable":
        path.chmod(0o640)
    elif damage == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.unlink()
    compiled, loaded, refused = run_once(tmp_path)
    assert (compiled, loaded) == (1, 0)
    assert refused == (damage != "gone")
    assert run_once(tmp_path) == (0, 1, 0)


def test_code_of_another_engine_is_another_entry(tmp_path: Path) -> None:
    assert run_once(tmp_path) == (1, 0, 0)
    assert run_once(tmp_path, RuntimeConfig(metering=True)) == (1, 0, 0)
    assert run_once(tmp_path) == (0, 1, 0)
    assert fingerprint(RuntimeConfig()) != fingerprint(RuntimeConfig(metering=True))
    assert fingerprint(RuntimeConfig()) == fingerprint(RuntimeConfig(deadline_ms=1))


def test_bytes_that_are_no_code_are_dropped(tmp_path: Path) -> None:
    """An entry with a right digest that this engine does not accept, as a version without a version change would be."""
    cache = CompiledCache(tmp_path, 1 << 30)
    guest = WasmGuest(tmp_path)
    cache.put(f"{call(CODE, 'go').module.hex()}-{fingerprint(RuntimeConfig())}", b"no machine code")
    assert guest.run(call(CODE, "go")).error is None
    assert (guest.stats.compiled, guest.stats.refused) == (1, 1)
    guest.close()
    cache.close()


def test_only_bytes_are_kept(tmp_path: Path) -> None:
    cache = CompiledCache(tmp_path, 1 << 30)
    assert cache.get("nothing") is None
    cache.put("key", b"code")
    assert cache.get("key") == b"code"
    with pytest.raises(TypeError):
        cache._cache.set("key", ["code"])
    cache.close()


def test_a_pickled_entry_is_never_read(tmp_path: Path) -> None:
    import diskcache

    foreign = diskcache.Cache(str(tmp_path))
    foreign.set("key", {"a": 1})
    foreign.close()
    cache = CompiledCache(tmp_path, 1 << 30)
    assert cache.get("key") is None
    assert cache.refused == 1
    cache.close()


def test_reading_what_others_may_write(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    path.chmod(0o602)
    with pytest.raises(RefusedEntry, match="0600"):
        read_private(path)
    path.chmod(0o600)
    assert read_private(path) == b"x"


def test_ready_modules_are_bounded(tmp_path: Path) -> None:
    guest = WasmGuest(tmp_path, RuntimeConfig(modules_in_memory=2))
    codes = [wasm(method("go", "nop " * n)) for n in range(3)]
    for code in (*codes, codes[0]):
        assert guest.run(call(code, "go")).error is None
    assert len(guest._modules._ready) == 2
    assert (guest.stats.compiled, guest.stats.loaded) == (3, 1)
    guest.close()


def test_a_cache_that_cannot_be_written_fails_no_call(tmp_path: Path) -> None:
    guest = WasmGuest(tmp_path)
    assert guest.run(call(wasm(method("first", "nop")), "first")).error is None  # the guest's thread has it open now
    guest._modules._disk._cache.close()
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / "cache.db").mkdir()
    assert guest.run(call(CODE, "go")).error is None
    guest.close()


def test_a_prepared_module_is_ready_for_its_first_call(tmp_path: Path) -> None:
    guest = WasmGuest(tmp_path)
    name = call(CODE, "go").module
    guest.prepare(name, lambda: CODE)
    assert guest.run(call(CODE, "go", bytecode=no_bytecode)).error is None
    with pytest.raises(CompilationError):
        guest.prepare(call(b"no", "go").module, lambda: b"no")
    with pytest.raises(OSError, match="gone"):
        guest.prepare(call(b"lost", "go").module, lost)
    assert guest.run(call(CODE, "go")).error is None
    guest.close()


def lost() -> bytes:
    raise OSError("gone")
