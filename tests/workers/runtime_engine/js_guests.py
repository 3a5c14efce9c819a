"""Two guests that use the host as the JavaScript SDK does, written by hand.

The document that ``persist_root_state`` keeps is a version byte and the ids of the collections, in the order of the
slots. Arguments are raw bytes instead of JSON: a key of eight bytes, then the value. A method that changes something
flushes first and persists afterwards, as the SDK's dispatcher does; a view does neither. ``init`` persists, then
flushes. A method returns the host function's code (one byte) and what is in the register then, which for a function
without a register are the arguments, unless it failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wasmtime import wat2wasm

from node.runtime.host.table import TABLE

KEY_LENGTH = 8
MAP_SLOTS = ("map",)
ALL_SLOTS = ("map", "vector", "set", "lww", "counter", "user", "frozen")

NEW = {
    "map": "js_crdt_map_new", "vector": "js_crdt_vector_new", "set": "js_crdt_set_new", "lww": "js_crdt_lww_new",
    "counter": "js_crdt_counter_new", "user": "js_user_storage_new", "frozen": "js_frozen_storage_new",
}  # fmt: skip

KEY, VALUE, DOCUMENT, INPUT, OUTPUT, RETURN, ID, ALL = 0, 16, 32, 48, 64, 96, 128, 144
"""Addresses of descriptors. KEY is the first eight bytes of the arguments, VALUE the rest, ALL both."""

ARGUMENTS_AT, DOCUMENT_AT, OUTPUT_AT = 4096, 2048, 16384


@dataclass(frozen=True)
class Op:
    """One method: a host function on the collection of a slot. ``pass_`` are its arguments after the id, in words:
    key, value, all, zero, one, index (the first argument byte), register. ``view``: nothing is flushed or persisted.
    """

    name: str
    slot: str
    function: str
    pass_: str = ""
    view: bool = False


MAP_OPS = (
    Op("set", "map", "js_crdt_map_insert", "key value register"),
    Op("remove", "map", "js_crdt_map_remove", "key register"),
    Op("get", "map", "js_crdt_map_get", "key register", view=True),
    Op("has", "map", "js_crdt_map_contains", "key", view=True),
    Op("entries", "map", "js_crdt_map_iter", "register", view=True),
)

ALL_OPS = (
    *MAP_OPS,
    Op("push", "vector", "js_crdt_vector_push", "all"),
    Op("pop", "vector", "js_crdt_vector_pop", "register"),
    Op("at", "vector", "js_crdt_vector_get", "index register", view=True),
    Op("length", "vector", "js_crdt_vector_len", "register", view=True),
    Op("tag", "set", "js_crdt_set_insert", "all"),
    Op("untag", "set", "js_crdt_set_remove", "all"),
    Op("tagged", "set", "js_crdt_set_contains", "all", view=True),
    Op("tags", "set", "js_crdt_set_iter", "register", view=True),
    Op("tag_count", "set", "js_crdt_set_len", "register", view=True),
    Op("clear_tags", "set", "js_crdt_set_clear"),
    Op("title", "lww", "js_crdt_lww_set", "all one"),
    Op("no_title", "lww", "js_crdt_lww_set", "all zero"),
    Op("get_title", "lww", "js_crdt_lww_get", "register", view=True),
    Op("title_time", "lww", "js_crdt_lww_timestamp", "register", view=True),
    Op("hit", "counter", "js_crdt_counter_increment"),
    Op("hits", "counter", "js_crdt_counter_value", "register", view=True),
    Op("my_hits", "counter", "js_crdt_counter_get_executor_count", "all zero register", view=True),
    Op("hits_of", "counter", "js_crdt_counter_get_executor_count", "all one register", view=True),
    Op("profile", "user", "js_user_storage_insert", "all register"),
    Op("my_profile", "user", "js_user_storage_get", "register", view=True),
    Op("profile_of", "user", "js_user_storage_get_for_user", "all register", view=True),
    Op("no_profile", "user", "js_user_storage_remove", "register"),
    Op("has_profile", "user", "js_user_storage_contains", view=True),
    Op("user_has", "user", "js_user_storage_contains_user", "all", view=True),
    Op("freeze", "frozen", "js_frozen_storage_add", "all register"),
    Op("frozen", "frozen", "js_frozen_storage_get", "all register", view=True),
    Op("is_frozen", "frozen", "js_frozen_storage_contains", "all", view=True),
)

WORDS = {
    "key": f"(i64.const {KEY})",
    "value": f"(i64.const {VALUE})",
    "all": f"(i64.const {ALL})",
    "register": "(i64.const 0)",
    "zero": "(i32.const 0)",
    "one": "(i32.const 1)",
    "index": f"(i64.load8_u (i32.const {ARGUMENTS_AT}))",
}

COMMON = """
  (func $into (param $descriptor i32)
    (i64.store offset=8 (local.get $descriptor) (call $register_len (i64.const 0)))
    (drop (call $read_register (i64.const 0) (i64.extend_i32_u (local.get $descriptor)))))
  (func $arguments (local $length i64)
    (call $input (i64.const 0)) (call $into (i32.const {INPUT}))
    (local.set $length (i64.load (i32.const {INPUT_LENGTH})))
    (i64.store (i32.const {ALL_LENGTH}) (local.get $length))
    (i64.store (i32.const {VALUE_LENGTH}) (i64.sub (local.get $length) (i64.const {KEY_LENGTH})))
    (if (i64.lt_u (local.get $length) (i64.const {KEY_LENGTH}))
      (then (i64.store (i32.const {VALUE_LENGTH}) (i64.const 0)))))
  (func $load
    (if (i32.eqz (call $read_root_state (i64.const 0))) (then unreachable)) (call $into (i32.const {DOCUMENT})))
  (func $answer (param $code i32)
    ;; what the register holds comes back behind the code, for all that the code may be
    (i32.store8 (i32.const {OUTPUT_AT}) (local.get $code))
    (i64.store (i32.const {OUTPUT}) (i64.const {OUTPUT_NEXT})) (call $into (i32.const {OUTPUT}))
    (i64.store (i32.const {RETURN_LENGTH}) (i64.add (i64.load (i32.const {OUTPUT_LENGTH})) (i64.const 1)))
    (call $value_return (i64.const {RETURN})))
  (func (export "__calimero_sync_next")
    (call $arguments) (call $apply_storage_delta (i64.const {INPUT})))
  (func (export "__calimero_register_merge"))
""".format(
    INPUT=INPUT, INPUT_LENGTH=INPUT + 8, ALL_LENGTH=ALL + 8, VALUE_LENGTH=VALUE + 8, KEY_LENGTH=KEY_LENGTH,
    DOCUMENT=DOCUMENT, OUTPUT=OUTPUT, OUTPUT_AT=OUTPUT_AT, OUTPUT_NEXT=OUTPUT_AT + 1, RETURN=RETURN,
    OUTPUT_LENGTH=OUTPUT + 8, RETURN_LENGTH=RETURN + 16,
)  # fmt: skip


def _imports(names: Iterable[str]) -> str:
    lines = []
    for name in sorted(set(names)):
        row = TABLE[name]
        params = " ".join(f"(param {kind})" for kind in row.wasm_params)
        lines.append(
            f'(import "env" "{name}" (func ${name} {params} {f"(result {row.result})" if row.result else ""}))'
        )
    return "\n".join(lines)


def _buffer(at: int, address: int, length: int) -> str:
    raw = address.to_bytes(8, "little") + length.to_bytes(8, "little")
    return f'(data (i32.const {at}) "{"".join(f"{chr(92)}{byte:02x}" for byte in raw)}")'


def _data(slots: tuple[str, ...]) -> str:
    return "\n".join(
        (
            _buffer(KEY, ARGUMENTS_AT, KEY_LENGTH), _buffer(VALUE, ARGUMENTS_AT + KEY_LENGTH, 0),
            _buffer(DOCUMENT, DOCUMENT_AT, 1 + 32 * len(slots)), _buffer(INPUT, ARGUMENTS_AT, 0),
            _buffer(ALL, ARGUMENTS_AT, 0), _buffer(OUTPUT, OUTPUT_AT + 1, 0), _buffer(RETURN, 0, OUTPUT_AT),
            _buffer(ID, 0, 32), f'(data (i32.const {DOCUMENT_AT}) "\\01")',
        )
    )  # fmt: skip


def _id(slots: tuple[str, ...], slot: str) -> str:
    """Point the id descriptor at a slot of the document."""
    return f"(i64.store (i32.const {ID}) (i64.const {DOCUMENT_AT + 1 + 32 * slots.index(slot)}))"


def _init(slots: tuple[str, ...]) -> str:
    made = [f"(drop (call ${NEW[s]} (i64.const 0))) {_id(slots, s)} (call $into (i32.const {ID}))" for s in slots]
    persist = f"(call $persist_root_state (i64.const {DOCUMENT}) (i64.const 0) (i64.const 0))"
    absent = "(if (call $read_root_state (i64.const 0)) (then unreachable))"
    return f'(func (export "init") {absent} {" ".join(made)} {persist} (drop (call $flush_delta)))'


def _save(persist: bool) -> str:
    document = f"(call $persist_root_state (i64.const {DOCUMENT}) (i64.const 0) (i64.const 0))" if persist else ""
    return f"(func $save (drop (call $flush_delta)) {document})"


def _method(op: Op, slots: tuple[str, ...]) -> str:
    passed = " ".join(WORDS[word] for word in op.pass_.split())
    body = f"(local.set $code (call ${op.function} (i64.const {ID}) {passed}))"
    save = "" if op.view else "(call $save)"
    order = f"(call $load) (call $arguments) {_id(slots, op.slot)} {body} (call $answer (local.get $code)) {save}"
    return f'(func (export "{op.name}") (local $code i32) {order})'


def js_module(slots: tuple[str, ...] = MAP_SLOTS, ops: tuple[Op, ...] = MAP_OPS, *, persist: bool = True) -> bytes:
    """A guest with these collections and methods. Without ``persist`` only ``init`` writes the document: the reference
    fails at every further one, and what a method did to its collections cannot be seen there."""
    names = {
        "input", "register_len", "read_register", "value_return", "read_root_state", "persist_root_state",
        "flush_delta", "apply_storage_delta",
        *(NEW[s] for s in slots), *(op.function for op in ops),
    }  # fmt: skip
    methods = "\n".join(_method(op, slots) for op in ops)
    memory = '(memory (export "memory") 2)'
    parts = (_imports(names), memory, _data(slots), COMMON, _save(persist), _init(slots), methods)
    return bytes(wat2wasm(f"(module {' '.join(parts)})"))


__all__ = ["ALL_OPS", "ALL_SLOTS", "MAP_OPS", "MAP_SLOTS", "Op", "js_module"]
