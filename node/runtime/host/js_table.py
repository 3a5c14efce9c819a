"""The part of the table that the JavaScript SDK uses: documents, deltas and collections that the host keeps.

Codes of a collection function: 1 with a value in the register, 0 without one, -1 with a text there (in register 0 for a
function without a register). A collection that is not stored is created under its id, by reads as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from node.runtime.host import crdt, documents, owned
from node.runtime.host.declare import REGISTER, HostFunction, row

_ROOT: Final = "commit and root"

DOCUMENTS: Final = (
    row(
        _ROOT, documents.persist_root_state, "document:buffer created_at:u64 updated_at:u64", None,
        "Store the root document. Times are ns; 0 as the first means now.",
    ),
    row(
        _ROOT, documents.read_root_state, "register", "i32", "1 and the register := the root document, or 0.",
        *REGISTER,
    ),
    row(
        _ROOT, documents.apply_storage_delta, "delta:buffer", None,
        "Apply a Borsh StorageDelta and declare the new root hash.",
    ),
    row(
        _ROOT, documents.flush_delta, "", "i32",
        "Declare the root hash, and as artifact all actions of the call. 1 = some are pending, 0 = none.",
    ),
)  # fmt: skip


def _map(call: Callable[..., int], params: str, doc: str) -> HostFunction:
    return _collection("maps", call, params, doc)


def _users(call: Callable[..., int], params: str, doc: str) -> HostFunction:
    return _collection("user storage", call, params, doc)


def _frozen(call: Callable[..., int], params: str, doc: str) -> HostFunction:
    return _collection("frozen storage", call, params, doc)


def _collection(kind: str, call: Callable[..., int], params: str, doc: str) -> HostFunction:
    limits = REGISTER if params.endswith("register") else ()
    return row(f"JavaScript {kind}", call, params, "i32", doc, *limits)


def _new(kind: str, call: Callable[..., int]) -> HostFunction:
    return _collection(kind, call, "register", "0 and the register := the id of a new one.")


_MAPS: Final = (
    _new("maps", crdt.js_crdt_map_new),
    _map(crdt.js_crdt_map_get, "id:buffer key:buffer register", "1 and the value, or 0."),
    _map(crdt.js_crdt_map_insert, "id:buffer key:buffer item:buffer register", "1 and the old value, or 0."),
    _map(crdt.js_crdt_map_remove, "id:buffer key:buffer register", "1 and the old value, or 0."),
    _map(crdt.js_crdt_map_contains, "id:buffer key:buffer", "1 or 0."),
    _map(
        crdt.js_crdt_map_iter, "id:buffer register",
        "1 and all entries: count u32, then length u32 and key, length u32 and value of each.",
    ),
)  # fmt: skip

_VECTORS: Final = (
    _new("vectors", crdt.js_crdt_vector_new),
    _collection("vectors", crdt.js_crdt_vector_len, "id:buffer register", "1 and the length, u64."),
    _collection("vectors", crdt.js_crdt_vector_push, "id:buffer item:buffer", "Append. 1."),
    _collection("vectors", crdt.js_crdt_vector_get, "id:buffer index:u64 register", "1 and the value, or 0."),
    _collection("vectors", crdt.js_crdt_vector_pop, "id:buffer register", "1 and the last value, or 0."),
)

_SETS: Final = (
    _new("sets", crdt.js_crdt_set_new),
    _collection("sets", crdt.js_crdt_set_insert, "id:buffer item:buffer", "1 = new, 0 = it was there."),
    _collection("sets", crdt.js_crdt_set_contains, "id:buffer item:buffer", "1 or 0."),
    _collection("sets", crdt.js_crdt_set_remove, "id:buffer item:buffer", "1 = it was there, 0 = not."),
    _collection("sets", crdt.js_crdt_set_len, "id:buffer register", "1 and the number, u64."),
    _collection(
        "sets", crdt.js_crdt_set_iter, "id:buffer register", "1 and all: count u32, length u32 and item of each."
    ),
    _collection("sets", crdt.js_crdt_set_clear, "id:buffer", "Remove all. 1 = there were some, 0 = none."),
)

_REGISTERS: Final = (
    _new("registers", crdt.js_crdt_lww_new),
    _collection(
        "registers", crdt.js_crdt_lww_set, "id:buffer item:buffer has_value:flag",
        "Set, or without the flag unset. 1 = the value changed, 0 = it is the same.",
    ),
    _collection("registers", crdt.js_crdt_lww_get, "id:buffer register", "1 and the value, or 0."),
    _collection(
        "registers", crdt.js_crdt_lww_timestamp, "id:buffer register",
        "1 and the time of the last write (NTP64 u64, clock id u128), or 0 without a value.",
    ),
)  # fmt: skip

_COUNTERS: Final = (
    _new("counters", crdt.js_crdt_counter_new),
    _collection("counters", crdt.js_crdt_counter_increment, "id:buffer", "Add 1 for the executor. 1."),
    _collection("counters", crdt.js_crdt_counter_value, "id:buffer register", "1 and the sum, u64."),
    _collection(
        "counters", crdt.js_crdt_counter_get_executor_count, "id:buffer executor:buffer has_executor:flag register",
        "1 and the count of an executor, u64; without the flag of the current one.",
    ),
)  # fmt: skip

_USERS: Final = (
    _new("user storage", owned.js_user_storage_new),
    _users(owned.js_user_storage_insert, "id:buffer item:buffer register", "1 and the old value, or 0."),
    _users(owned.js_user_storage_get, "id:buffer register", "1 and the executor's value, or 0."),
    _users(
        owned.js_user_storage_get_for_user, "id:buffer user:buffer register",
        "1 and the value of a user, or 0.",
    ),
    _users(owned.js_user_storage_remove, "id:buffer register", "1 and the old value, or 0."),
    _users(owned.js_user_storage_contains, "id:buffer", "1 or 0, for the executor."),
    _users(owned.js_user_storage_contains_user, "id:buffer user:buffer", "1 or 0, for a user."),
)  # fmt: skip

_FROZEN: Final = (
    _new("frozen storage", owned.js_frozen_storage_new),
    _collection(
        "frozen storage", owned.js_frozen_storage_add, "id:buffer item:buffer register", "1 and the hash of the value."
    ),
    _collection(
        "frozen storage", owned.js_frozen_storage_get, "id:buffer hash:buffer register", "1 and the value, or 0."
    ),
    _frozen(owned.js_frozen_storage_contains, "id:buffer hash:buffer", "1 or 0."),
)

JS_COLLECTIONS: Final = (*_MAPS, *_VECTORS, *_SETS, *_REGISTERS, *_COUNTERS, *_USERS, *_FROZEN)
