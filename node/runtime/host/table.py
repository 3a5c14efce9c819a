"""The table of host functions: name, parameters, result, group, limits and meaning, each said once.

The linker, the reference page (``docs/host-functions.md``) and the tests are made from it. Parameters name what the
guest passes: all are i64 that hold a u64, except ``flag``, an i32. A new row here is a new import that modules may use.
Source: core 0.10.0: crates/runtime/src/logic/imports.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from node.runtime.host import blobs, context, events, governance, root, storage, system, utility

Kind = Literal[
    "buffer", "buffer_mut", "location", "event", "xcall", "value", "optional", "register", "u64", "pointer", "flag"
]
"""``buffer`` and the like: address of that descriptor; ``optional``: of a Buffer, or 0; ``pointer``: a raw address."""

WasmType = Literal["i32", "i64"]

MODULE: Final = "env"


@dataclass(frozen=True)
class HostFunction:
    """One import of module ``env``. ``params`` are ``name: kind``; ``limits`` name constants of node.runtime.limits."""

    name: str
    group: str
    params: tuple[tuple[str, Kind], ...]
    result: WasmType | None
    call: Callable[..., int | None]
    doc: str
    limits: tuple[str, ...] = ()

    @cached_property
    def wasm_params(self) -> tuple[WasmType, ...]:
        return tuple("i32" if kind == "flag" else "i64" for _, kind in self.params)

    @cached_property
    def wasm_results(self) -> tuple[WasmType, ...]:
        return (self.result,) if self.result else ()


def _row(
    group: str, call: Callable[..., int | None], params: str, result: WasmType | None, doc: str, *limits: str
) -> HostFunction:
    """``params`` as ``"key:buffer register"``; a parameter without a kind is its own kind."""
    pairs = [part.partition(":") for part in params.split()]
    kinds: tuple[tuple[str, Kind], ...] = tuple((name, kind or name) for name, _, kind in pairs)  # type: ignore[misc]
    return HostFunction(call.__name__, group, kinds, result, call, doc, limits)


_REGISTER: Final = ("MAX_REGISTERS", "MAX_REGISTER_SIZE", "MAX_REGISTERS_CAPACITY")
_KEY: Final = ("MAX_STORAGE_KEY", "STATE_KEY_LENGTH")
_WRITTEN: Final = ("MAX_STORAGE_VALUE", "MAX_WRITTEN_ROWS", "MAX_WRITTEN_BYTES")
_EVENT: Final = ("MAX_EVENTS", "MAX_EVENT_KIND", "MAX_EVENT_DATA")

_SYSTEM: Final = (
    _row("control", system.panic, "location", None, "End the call: `explicit panic` at the location."),
    _row("control", system.panic_utf8, "message:buffer location", None, "End the call with a message and location."),
    _row("registers", system.register_len, "register", "i64", "Length of the register, 2^64-1 if it was never set."),
    _row(
        "registers",
        system.read_register,
        "register target:buffer_mut",
        "i32",
        "Copy the register. 1 = copied, 0 = the target's length is not exactly the register's, nothing is written.",
    ),
    _row("input and output", system.context_id, "register", None, "Register := the 32-byte context id.", *_REGISTER),
    _row(
        "input and output", system.executor_id, "register", None, "Register := the executor's public key.", *_REGISTER
    ),
    _row("input and output", system.input, "register", None, "Register := the bytes of the arguments.", *_REGISTER),
    _row(
        "input and output",
        system.value_return,
        "value",
        None,
        "Set the result, Ok (tag 0) or Err (tag 1). The last call counts; the guest goes on.",
        "MAX_RETURN",
    ),
    _row(
        "input and output",
        system.log_utf8,
        "message:buffer",
        None,
        "Append a line to the log.",
        "MAX_LOGS",
        "MAX_LOG_SIZE",
    ),
    _row(
        "input and output",
        system.js_std_d_print,
        "context:u64 address:pointer length:u64",
        "i32",
        "Append a line to the log from a raw address; invalid UTF-8 is replaced. Always 0.",
        "MAX_LOGS",
        "MAX_LOG_SIZE",
    ),
)

_EVENTS: Final = (
    _row("events", events.emit, "event", None, "Queue an event for subscribers.", *_EVENT),
    _row(
        "events",
        events.emit_with_handler,
        "event handler:optional",
        None,
        "Queue an event and the name of the method that handles it; a name that cannot be read is none.",
        *_EVENT,
        "MAX_EVENT_HANDLER",
    ),
    _row(
        "cross-context calls",
        events.xcall,
        "call:xcall",
        None,
        "Queue a call into another context of this node.",
        "MAX_XCALLS",
        "MAX_XCALL_FUNCTION",
        "MAX_XCALL_PARAMS",
    ),
)

_ROOT: Final = (
    _row(
        "commit and root",
        root.commit,
        "root_hash:buffer artifact:buffer",
        None,
        "Declare the new root hash and the Borsh StorageDelta that leads to it. Once per call.",
        "MAX_ARTIFACT",
    ),
)

_STORAGE: Final = (
    _row(
        "storage",
        storage.storage_read,
        "key:buffer register",
        "i32",
        "1 and the register := value, or 0. Keys are padded with zeros to 32 bytes; a longer one is absent.",
        *_KEY,
        *_REGISTER,
    ),
    _row(
        "storage",
        storage.storage_write,
        "key:buffer value:buffer register",
        "i32",
        "Put a row. 1 and the register := old value, or 0 when there was none.",
        *_KEY,
        *_WRITTEN,
    ),
    _row(
        "storage",
        storage.storage_remove,
        "key:buffer register",
        "i32",
        "Delete a row. 1 and the register := old value, or 0 when there was none.",
        *_KEY,
    ),
    _row(
        "private storage",
        storage.private_storage_read,
        "key:buffer register",
        "i32",
        "As `storage_read` on rows that never leave the node; 0 where there are none.",
        *_KEY,
    ),
    _row(
        "private storage",
        storage.private_storage_write,
        "key:buffer value:buffer",
        "i32",
        "Put a private row. 1 = done, 0 = the call has no private storage.",
        *_KEY,
        *_WRITTEN,
    ),
    _row(
        "private storage",
        storage.private_storage_remove,
        "key:buffer register",
        "i32",
        "As `storage_remove` on private rows.",
        *_KEY,
    ),
)

_UTILITY: Final = (
    _row(
        "utility",
        utility.fetch,
        "url:buffer method:buffer headers:buffer body:buffer register",
        "i32",
        "Off, as in the reference: register := a text that says so, and 1. The arguments are not read.",
        *_REGISTER,
    ),
    _row("utility", utility.random_bytes, "target:buffer_mut", None, "Fill the buffer with random bytes."),
    _row("utility", utility.time_now, "target:buffer_mut", None, "Unix time in nanoseconds, u64 in 8 bytes."),
    _row(
        "utility",
        utility.ed25519_verify,
        "signature:buffer public_key:buffer message:buffer",
        "i32",
        "1 = valid, 0 = not. A key that is no curve point ends the call.",
    ),
)

_GOVERNANCE: Final = (
    _row(
        "governance",
        governance.send_proposal,
        "actions:buffer target:buffer_mut",
        None,
        "Queue a proposal (Borsh actions); its random id goes into the 32-byte target.",
        "MAX_PROPOSALS",
    ),
    _row("governance", governance.approve_proposal, "id:buffer", None, "Queue an approval.", "MAX_PROPOSALS"),
)

_BLOBS: Final = (
    _row("blobs", blobs.blob_create, "", "i64", "Start a new blob; its descriptor.", "MAX_BLOB_HANDLES"),
    _row(
        "blobs",
        blobs.blob_write,
        "fd:u64 data:buffer",
        "i64",
        "Append to a new blob; the number of bytes.",
        "MAX_BLOB_CHUNK",
        "MAX_BLOB_BYTES",
    ),
    _row(
        "blobs",
        blobs.blob_close,
        "fd:u64 target:buffer_mut",
        "i32",
        "Finish a new blob, or close one that is read; its id goes into the 32-byte target. Always 1.",
    ),
    _row(
        "blobs",
        blobs.blob_open,
        "id:buffer",
        "i64",
        "Open a blob for reading, whether it exists or not.",
        "MAX_BLOB_HANDLES",
    ),
    _row(
        "blobs",
        blobs.blob_read,
        "fd:u64 target:buffer_mut",
        "i64",
        "The next bytes of the blob; fewer than asked for only at its end, 0 after it.",
        "MAX_BLOB_CHUNK",
    ),
    _row(
        "blobs",
        blobs.blob_announce_to_context,
        "id:buffer context:buffer",
        "i32",
        "Tell the context's peers that this node has the blob. Always 1.",
    ),
)

_CONTEXT: Final = (
    _row("context", context.context_is_member, "public_key:buffer", "i32", "1 = a member, 0 = not, or during `init`."),
    _row(
        "context",
        context.context_members,
        "register",
        None,
        "Register := Borsh Vec<[u8; 32]> of the members in ascending order.",
        *_REGISTER,
    ),
    _row(
        "context",
        context.context_resolve_alias,
        "alias:buffer register",
        "i32",
        "1 and the register := public key of the alias in this context, or 0.",
        "MAX_ALIAS",
    ),
    _row(
        "context",
        context.context_create,
        "protocol:buffer application:buffer args:buffer alias:optional",
        None,
        "Queue the creation of a context.",
        "MAX_MUTATIONS",
        "MAX_ALIAS",
    ),
    _row("context", context.context_delete, "id:buffer", None, "Queue the deletion of this context.", "MAX_MUTATIONS"),
    _row("context", context.context_add_member, "public_key:buffer", None, "Queue an invitation.", "MAX_MUTATIONS"),
    _row("context", context.context_remove_member, "public_key:buffer", None, "Queue a removal.", "MAX_MUTATIONS"),
)

TABLE: Final[dict[str, HostFunction]] = {
    row.name: row for row in (*_SYSTEM, *_EVENTS, *_ROOT, *_STORAGE, *_UTILITY, *_GOVERNANCE, *_BLOBS, *_CONTEXT)
}
"""Every host function by name."""
