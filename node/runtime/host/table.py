"""The table of host functions: name, parameters, result, group, limits and meaning, each said once.

The linker, the reference page (``docs/host-functions.md``) and the tests are made from it. Parameters name what the
guest passes: all are i64 that hold a u64, except ``flag``, an i32. A new row here is a new import that modules may use.
Source: core 0.10.0: crates/runtime/src/logic/imports.rs.
"""

from __future__ import annotations

from typing import Final

from node.runtime.host import blobs, context, events, governance, root, storage, system, utility
from node.runtime.host.declare import MODULE, REGISTER, HostFunction, WasmType, row
from node.runtime.host.js_table import DOCUMENTS, JS_COLLECTIONS

_KEY: Final = ("MAX_STORAGE_KEY", "STATE_KEY_LENGTH")
_WRITTEN: Final = ("MAX_STORAGE_VALUE", "MAX_WRITTEN_ROWS", "MAX_WRITTEN_BYTES")
_EVENT: Final = ("MAX_EVENTS", "MAX_EVENT_KIND", "MAX_EVENT_DATA")

_SYSTEM: Final = (
    row("control", system.panic, "location", None, "End the call: `explicit panic` at the location."),
    row("control", system.panic_utf8, "message:buffer location", None, "End the call with a message and location."),
    row("registers", system.register_len, "register", "i64", "Length of the register, 2^64-1 if it was never set."),
    row(
        "registers",
        system.read_register,
        "register target:buffer_mut",
        "i32",
        "Copy the register. 1 = copied, 0 = the target's length is not exactly the register's, nothing is written.",
    ),
    row("input and output", system.context_id, "register", None, "Register := the 32-byte context id.", *REGISTER),
    row("input and output", system.executor_id, "register", None, "Register := the executor's public key.", *REGISTER),
    row("input and output", system.input, "register", None, "Register := the bytes of the arguments.", *REGISTER),
    row(
        "input and output",
        system.value_return,
        "value",
        None,
        "Set the result, Ok (tag 0) or Err (tag 1). The last call counts; the guest goes on.",
        "MAX_RETURN",
    ),
    row(
        "input and output",
        system.log_utf8,
        "message:buffer",
        None,
        "Append a line to the log.",
        "MAX_LOGS",
        "MAX_LOG_SIZE",
    ),
    row(
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
    row("events", events.emit, "event", None, "Queue an event for subscribers.", *_EVENT),
    row(
        "events",
        events.emit_with_handler,
        "event handler:optional",
        None,
        "Queue an event and the name of the method that handles it; a name that cannot be read is none.",
        *_EVENT,
        "MAX_EVENT_HANDLER",
    ),
    row(
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
    row(
        "commit and root",
        root.commit,
        "root_hash:buffer artifact:buffer",
        None,
        "Declare the new root hash and the Borsh StorageDelta that leads to it. Once per call.",
        "MAX_ARTIFACT",
    ),
)

_STORAGE: Final = (
    row(
        "storage",
        storage.storage_read,
        "key:buffer register",
        "i32",
        "1 and the register := value, or 0. Keys are padded with zeros to 32 bytes; a longer one is absent.",
        *_KEY,
        *REGISTER,
    ),
    row(
        "storage",
        storage.storage_write,
        "key:buffer value:buffer register",
        "i32",
        "Put a row. 1 and the register := old value, or 0 when there was none.",
        *_KEY,
        *_WRITTEN,
    ),
    row(
        "storage",
        storage.storage_remove,
        "key:buffer register",
        "i32",
        "Delete a row. 1 and the register := old value, or 0 when there was none.",
        *_KEY,
    ),
    row(
        "private storage",
        storage.private_storage_read,
        "key:buffer register",
        "i32",
        "As `storage_read` on rows that never leave the node; 0 where there are none.",
        *_KEY,
    ),
    row(
        "private storage",
        storage.private_storage_write,
        "key:buffer value:buffer",
        "i32",
        "Put a private row. 1 = done, 0 = the call has no private storage.",
        *_KEY,
        *_WRITTEN,
    ),
    row(
        "private storage",
        storage.private_storage_remove,
        "key:buffer register",
        "i32",
        "As `storage_remove` on private rows.",
        *_KEY,
    ),
)

_UTILITY: Final = (
    row(
        "utility",
        utility.fetch,
        "url:buffer method:buffer headers:buffer body:buffer register",
        "i32",
        "Off, as in the reference: register := a text that says so, and 1. The arguments are not read.",
        *REGISTER,
    ),
    row("utility", utility.random_bytes, "target:buffer_mut", None, "Fill the buffer with random bytes."),
    row("utility", utility.time_now, "target:buffer_mut", None, "Unix time in nanoseconds, u64 in 8 bytes."),
    row(
        "utility",
        utility.ed25519_verify,
        "signature:buffer public_key:buffer message:buffer",
        "i32",
        "1 = valid, 0 = not. A key that is no curve point ends the call.",
    ),
)

_GOVERNANCE: Final = (
    row(
        "governance",
        governance.send_proposal,
        "actions:buffer target:buffer_mut",
        None,
        "Queue a proposal (Borsh actions); its random id goes into the 32-byte target.",
        "MAX_PROPOSALS",
    ),
    row("governance", governance.approve_proposal, "id:buffer", None, "Queue an approval.", "MAX_PROPOSALS"),
)

_BLOBS: Final = (
    row("blobs", blobs.blob_create, "", "i64", "Start a new blob; its descriptor.", "MAX_BLOB_HANDLES"),
    row(
        "blobs",
        blobs.blob_write,
        "fd:u64 data:buffer",
        "i64",
        "Append to a new blob; the number of bytes.",
        "MAX_BLOB_CHUNK",
        "MAX_BLOB_BYTES",
    ),
    row(
        "blobs",
        blobs.blob_close,
        "fd:u64 target:buffer_mut",
        "i32",
        "Finish a new blob, or close one that is read; its id goes into the 32-byte target. Always 1.",
    ),
    row(
        "blobs",
        blobs.blob_open,
        "id:buffer",
        "i64",
        "Open a blob for reading, whether it exists or not.",
        "MAX_BLOB_HANDLES",
    ),
    row(
        "blobs",
        blobs.blob_read,
        "fd:u64 target:buffer_mut",
        "i64",
        "The next bytes of the blob; fewer than asked for only at its end, 0 after it.",
        "MAX_BLOB_CHUNK",
    ),
    row(
        "blobs",
        blobs.blob_announce_to_context,
        "id:buffer context:buffer",
        "i32",
        "Tell the context's peers that this node has the blob. Always 1.",
    ),
)

_CONTEXT: Final = (
    row("context", context.context_is_member, "public_key:buffer", "i32", "1 = a member, 0 = not, or during `init`."),
    row(
        "context",
        context.context_members,
        "register",
        None,
        "Register := Borsh Vec<[u8; 32]> of the members in ascending order.",
        *REGISTER,
    ),
    row(
        "context",
        context.context_resolve_alias,
        "alias:buffer register",
        "i32",
        "1 and the register := public key of the alias in this context, or 0.",
        "MAX_ALIAS",
    ),
    row(
        "context",
        context.context_create,
        "protocol:buffer application:buffer args:buffer alias:optional",
        None,
        "Queue the creation of a context.",
        "MAX_MUTATIONS",
        "MAX_ALIAS",
    ),
    row("context", context.context_delete, "id:buffer", None, "Queue the deletion of this context.", "MAX_MUTATIONS"),
    row("context", context.context_add_member, "public_key:buffer", None, "Queue an invitation.", "MAX_MUTATIONS"),
    row("context", context.context_remove_member, "public_key:buffer", None, "Queue a removal.", "MAX_MUTATIONS"),
)

TABLE: Final[dict[str, HostFunction]] = {
    function.name: function
    for group in (_SYSTEM, _EVENTS, _ROOT, DOCUMENTS, _STORAGE, _UTILITY, _GOVERNANCE, _BLOBS, _CONTEXT, JS_COLLECTIONS)
    for function in group
}
"""Every host function by name."""

__all__ = ["MODULE", "TABLE", "HostFunction", "WasmType"]
