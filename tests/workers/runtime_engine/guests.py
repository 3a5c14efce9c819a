"""Hand-written guests and the calls that run them; what an SDK would emit, as small as it can be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

from wasmtime import wat2wasm

from node.primitives import ContextId, Hash, PublicKey
from node.runtime.call import GuestCall, Reader, Services

CONTEXT = ContextId(b"\1" * 32)
EXECUTOR = PublicKey(b"\2" * 32)
NOW = 1_700_000_000_000_000_000

IMPORTS = {
    "input": "(param i64)",
    "register_len": "(param i64) (result i64)",
    "read_register": "(param i64 i64) (result i32)",
    "storage_read": "(param i64 i64) (result i32)",
    "storage_write": "(param i64 i64 i64) (result i32)",
    "private_storage_write": "(param i64 i64) (result i32)",
    "commit": "(param i64 i64)",
    "value_return": "(param i64)",
    "log_utf8": "(param i64)",
    "panic_utf8": "(param i64 i64)",
    "emit": "(param i64)",
    "time_now": "(param i64)",
    "random_bytes": "(param i64)",
}

BUFFERS = r"""
  ;; 0: Buffer of 32 bytes at 1024   16: empty Buffer   32: Buffer of 8 bytes at 2048
  (data (i32.const 0) "\00\04\00\00\00\00\00\00\20\00\00\00\00\00\00\00")
  (data (i32.const 16) "\00\04\00\00\00\00\00\00\00\00\00\00\00\00\00\00")
  (data (i32.const 32) "\00\08\00\00\00\00\00\00\08\00\00\00\00\00\00\00")
  ;; 64: ValueReturn Ok, 96: ValueReturn Err, of 8 bytes at 2048
  (data (i32.const 64) "\00\00\00\00\00\00\00\00\00\08\00\00\00\00\00\00\08\00\00\00\00\00\00\00")
  (data (i32.const 96) "\01\00\00\00\00\00\00\00\00\08\00\00\00\00\00\00\08\00\00\00\00\00\00\00")
  (data (i32.const 1024) "0123456789abcdef0123456789abcdef")
"""


@lru_cache(maxsize=256)
def wasm(*functions: str, memory: str = '(memory (export "memory") 2)', raw: str = "") -> bytes:
    """A module with all of IMPORTS, the descriptors above, and these functions."""
    imports = "\n".join(f'(import "env" "{name}" (func ${name} {kind}))' for name, kind in IMPORTS.items())
    return bytes(wat2wasm(f"(module {imports} {memory} {BUFFERS} {raw} {' '.join(functions)})"))


def method(name: str, body: str) -> str:
    return f'(func (export "{name}") {body})'


def call(
    code: bytes,
    name: str,
    args: bytes = b"",
    *,
    state: Reader = lambda _key: None,
    private: Reader | None = None,
    bytecode: Callable[[], bytes] | None = None,
    executor: PublicKey = EXECUTOR,
    now_ns: Callable[[], int] = lambda: NOW,
    random_bytes: Callable[[int], bytes] = bytes,
    services: Services | None = None,
) -> GuestCall:
    """A call with a fixed clock and no randomness."""
    return GuestCall(
        module=Hash(hashlib.sha256(code).digest()),
        bytecode=bytecode or (lambda: code),
        context_id=CONTEXT,
        executor=executor,
        method=name,
        args=args,
        state=state,
        private=private,
        now_ns=now_ns,
        random_bytes=random_bytes,
        services=services,
    )
