"""StorageOracle: the reference's storage crate 0.10.0, driven from Python.

The crate is compiled into ``storage_oracle.wasm`` (README.md). This module is its host: it owns rows, clock,
randomness and ids, so that a sequence of operations has one result. ``serve.py`` offers it over JSON lines.
It shares no rule with the node, so a mistake there cannot hide here.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from wasmtime import (
    Config,
    Engine,
    Func,
    FuncType,
    ImportType,
    Linker,
    Memory,
    Module,
    Store,
    Trap,
    WasmtimeError,
)

from workers.runtime.engine import capi

MODULE: Final = Path(__file__).with_name("storage_oracle.wasm")
CONTEXT: Final = b"\xc1" * 32
EXECUTOR: Final = b"\xe1" * 32
START: Final = 1_000_000_000
"""Nanoseconds: one second after the epoch, so that times in tests stay readable."""

U64: Final = (1 << 64) - 1
_SLOTS: Final = ctypes.c_uint64 * 10


class OracleError(Exception):
    """The crate answered an error; the text is its display form."""


class OraclePanic(Exception):
    """The crate panicked. The instance is unusable until :meth:`StorageOracle.reset`."""


def counted_random(size: int, index: int) -> bytes:
    """Random source of the recorded vectors: the k-th draw is SHA-256 over ``rand`` and k, repeated to size."""
    block = hashlib.sha256(b"rand" + struct.pack("<Q", index)).digest()
    return (block * (size // len(block) + 1))[:size]


def state_digest(rows: dict[bytes, bytes]) -> bytes:
    """SHA-256 over key, u32 length and value of every row in ascending key order."""
    digest = hashlib.sha256()
    for key in sorted(rows):
        digest.update(key + struct.pack("<I", len(rows[key])) + rows[key])
    return digest.digest()


class _Memory:
    """The guest's memory as the ABI reads it: descriptors of a 64-bit address and length. It never moves."""

    def __init__(self, store: Store, memory: Memory) -> None:
        self._base = capi.address(memory.data_ptr(store))

    def described(self, pointer: int) -> bytes:
        return ctypes.string_at(self._base + self._word(pointer), self._word(pointer + 8))

    def size_wanted(self, pointer: int) -> int:
        return self._word(pointer + 8)

    def fill(self, pointer: int, data: bytes) -> None:
        if self.size_wanted(pointer) != len(data):
            raise ValueError(f"guest buffer takes {self.size_wanted(pointer)} bytes, not {len(data)}")
        ctypes.memmove(self._base + self._word(pointer), data, len(data))

    def _word(self, address: int) -> int:
        return ctypes.c_uint64.from_address(self._base + address).value


@dataclass(frozen=True)
class _Module:
    engine: Engine
    code: Module


@cache
def _module() -> _Module:
    """Compiled once a process: it takes a second."""
    config = Config()
    config.memory_may_move = False
    engine = Engine(config)
    return _Module(engine, Module(engine, MODULE.read_bytes()))


class StorageOracle:
    """One context of the reference. ``rows``, ``now``, ``context``, ``executor`` and ``random`` may be set any time.

    ``rows`` maps the 32-byte state key to the value, ``now`` is nanoseconds, ``random`` takes a size and the number
    of draws so far. ``commits`` collects (root hash, artifact) as the crate commits them, ``logs`` its log lines.
    """

    def __init__(self, context: bytes = CONTEXT, executor: bytes = EXECUTOR, now: int = START) -> None:
        self.context = context
        self.executor = executor
        self.now = now
        self.random: Callable[[int, int], bytes] = counted_random
        self._fault: Exception | None = None
        self._module = _module()
        self._linker = Linker(self._module.engine)
        self._callbacks = [self._define(imported) for imported in self._module.code.imports]
        self.reset()

    def reset(self) -> None:
        """Empty rows, a fresh instance: no pending actions, a new clock, no cached root id, random draws from 0."""
        self.rows: dict[bytes, bytes] = {}
        self.commits: list[tuple[bytes, bytes]] = []
        self.logs: list[str] = []
        self.draws = 0
        self.restart()

    def restart(self) -> None:
        """A fresh instance on the rows as they are, like a node's next call into an application."""
        self._registers: dict[int, bytes] = {}
        self._input = b""
        self._returned = b""
        self._store = Store(self._module.engine)
        exports = self._linker.instantiate(self._store, self._module.code).exports(self._store)
        memory, run = exports["memory"], exports["run"]
        assert isinstance(memory, Memory)
        assert isinstance(run, Func)
        self._memory = _Memory(self._store, memory)
        self._run = run

    def _define(self, imported: ImportType) -> object:
        """Bind one import to the method named after it, as a raw callback: twenty times as fast as the wrapped one."""
        kind, name = imported.type, (imported.name or "").encode()
        assert isinstance(kind, FuncType)
        words, has_result = 2 * len(kind.params), bool(kind.results)
        host: Callable[..., int | None] = getattr(self, f"_env_{imported.name}")

        def callback(_env: int | None, _caller: int | None, address: int, _count: int) -> int:
            try:
                slots = _SLOTS.from_address(address)
                result = host(*slots[:words:2])
                if has_result:
                    slots[0] = (result or 0) & U64
            except Exception as fault:  # noqa: BLE001  # nothing may leave a callback
                self._fault = fault
                return capi.trap_new(b"host function", 13)
            return 0

        kept = capi.CALLBACK(callback)
        linker = capi.address(self._linker.ptr())
        error = capi.linker_define(linker, b"env", 3, name, len(name), capi.address(kind.ptr()), kept, None, None)
        if error:
            raise RuntimeError(capi.take_error(error))
        return kept

    # Operations.

    def call(self, op: str, **arguments: Any) -> Any:
        """Run an operation; bytes become hex on the way in. Raises OracleError and OraclePanic."""
        self._input = json.dumps({"op": op, **_plain(arguments)}).encode()
        try:
            self._run(self._store)
        except (Trap, WasmtimeError) as cause:
            fault, self._fault = self._fault, None
            raise fault or OraclePanic(str(cause)) from None
        answer = json.loads(self._returned)
        if "error" in answer:
            raise OracleError(answer["error"])
        return answer["ok"]

    def attempt(self, op: str, **arguments: Any) -> Any:
        """As :meth:`call`, but an error or a panic leaves rows and pending actions as if never called.

        This is what a node does around a call: rows are written when it succeeds. Pending actions of before are
        lost with the failed call's.
        """
        before = dict(self.rows)
        try:
            return self.call(op, **arguments)
        except OracleError:
            self.rows = before
            self.call("tree.clear_pending")
            raise
        except OraclePanic:
            self.rows = before
            self.restart()
            raise

    def apply(self, action: bytes) -> None:
        """Apply one remote action (borsh)."""
        self.call("tree.apply", action=action)

    def sync(self, artifact: bytes) -> None:
        """Apply an artifact (borsh StorageDelta), as ``__calimero_sync_next`` does."""
        self.call("tree.sync", artifact=artifact)

    def save_raw(self, entity: bytes, data: bytes, metadata: bytes) -> bytes | None:
        return _unhex(self.call("tree.save_raw", id=entity, data=data, metadata=metadata))

    def flush(self) -> bytes | None:
        """The pending actions as a borsh CausalDelta, or None."""
        return _unhex(self.call("tree.flush"))

    def root_hash(self) -> bytes | None:
        hashes = self.call("tree.hashes", id=self.context)
        return bytes.fromhex(hashes[0]) if hashes else None

    def digest(self) -> bytes:
        return state_digest(self.rows)

    # Host functions. One method an import, named after it.

    def _env_register_len(self, register: int) -> int:
        data = self._registers.get(register)
        return -1 if data is None else len(data)

    def _env_read_register(self, register: int, pointer: int) -> int:
        self._memory.fill(pointer, self._registers[register])
        return 1

    def _env_input(self, register: int) -> None:
        self._registers[register] = self._input

    def _env_value_return(self, pointer: int) -> None:
        self._returned = self._memory.described(pointer + 8)

    def _env_panic_utf8(self, message: int, _location: int) -> None:
        raise OraclePanic(self._memory.described(message).decode())

    def _env_log_utf8(self, pointer: int) -> None:
        self.logs.append(self._memory.described(pointer).decode())

    def _env_context_id(self, register: int) -> None:
        self._registers[register] = self.context

    def _env_executor_id(self, register: int) -> None:
        self._registers[register] = self.executor

    def _env_commit(self, root: int, artifact: int) -> None:
        self.commits.append((self._memory.described(root), self._memory.described(artifact)))

    def _env_storage_read(self, key: int, register: int) -> int:
        value = self.rows.get(self._memory.described(key))
        if value is None:
            return 0
        self._registers[register] = value
        return 1

    def _env_storage_write(self, key: int, value: int, register: int) -> int:
        found = self._env_storage_read(key, register)
        self.rows[self._memory.described(key)] = self._memory.described(value)
        return found

    def _env_storage_remove(self, key: int, register: int) -> int:
        found = self._env_storage_read(key, register)
        self.rows.pop(self._memory.described(key), None)
        return found

    def _env_random_bytes(self, pointer: int) -> None:
        self._memory.fill(pointer, self.random(self._memory.size_wanted(pointer), self.draws))
        self.draws += 1

    def _env_time_now(self, pointer: int) -> None:
        self._memory.fill(pointer, struct.pack("<Q", self.now))

    def _env_ed25519_verify(self, signature: int, key: int, message: int) -> int:
        described = self._memory.described
        try:
            VerifyKey(described(key)).verify(described(message), described(signature))
        except (BadSignatureError, ValueError):
            return 0
        return 1


def _plain(value: Any) -> Any:
    """JSON form of arguments: bytes become hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _unhex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)
