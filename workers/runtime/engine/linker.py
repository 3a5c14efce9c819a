"""Host functions as raw callbacks: the glue between the table and a guest, 0.5 µs a call.

One linker serves every call of its thread; the VMLogic of the running call is put into the :class:`Switchboard`.
A Python exception must never leave a callback: it is kept and a trap is given instead. The engine's own way of passing
exceptions goes through one variable of the process and loses them when two threads raise at once.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import FunctionType
from typing import Final, cast

from wasmtime import Engine, FuncType, ValType

from node.runtime import faults
from node.runtime.host.table import MODULE, TABLE, HostFunction, WasmType
from node.runtime.logic import VMLogic
from workers.runtime.engine import capi
from workers.runtime.engine.hot import HOT

SLOTS: Final = 10
"""u64 words that a view of arguments spans: five arguments of two words each, the widest row of the table."""

MAX_VIEWS: Final = 4096
"""Remembered argument addresses. A guest calls from a few places of its stack, so they repeat."""

_SLOT_ARRAY: Final = ctypes.c_uint64 * SLOTS
_TRAP_TEXT: Final = b"host function"

Callback = Callable[[int | None, int | None, int, int], int]


class _Detached:
    """Stands for the VMLogic while no memory is attached: a start section may not call the host."""

    def __getattr__(self, name: str) -> object:
        raise faults.trap(None)


DETACHED: Final = cast("VMLogic", _Detached())


class Switchboard:
    """The running call and the failure of its host function. Belongs to one thread."""

    __slots__ = ("fault", "views", "vm")

    def __init__(self) -> None:
        self.vm: VMLogic = DETACHED
        self.fault: BaseException | None = None
        self.views: dict[int, memoryview] = {}

    def view(self, address: int) -> memoryview:
        """The argument slots at an address, as u64 words; used only while the callback that got the address runs."""
        if len(self.views) >= MAX_VIEWS:
            self.views.clear()
        view = self.views[address] = memoryview(_SLOT_ARRAY.from_address(address)).cast("B").cast("Q")
        return view

    def trap(self, fault: BaseException) -> int:
        self.fault = fault
        return capi.trap_new(_TRAP_TEXT, len(_TRAP_TEXT))


class Linker:
    """All host functions of the table, defined once in an engine. Close it after the last instance is gone."""

    def __init__(self, engine: Engine) -> None:
        self.board = Switchboard()
        self._pointer = capi.linker_new(capi.address(engine.ptr()))
        self._callbacks = [self._define(row) for row in TABLE.values()]

    def _define(self, row: HostFunction) -> object:
        callback = capi.CALLBACK(callback_of(row, self.board))
        signature = FuncType([_value_type(t) for t in row.wasm_params], [_value_type(t) for t in row.wasm_results])
        name = row.name.encode()
        error = capi.linker_define(
            self._pointer, MODULE.encode(), len(MODULE), name, len(name),
            capi.address(signature.ptr()), callback, None, None,
        )  # fmt: skip
        if error:
            raise RuntimeError(f"host function {row.name} cannot be defined: {capi.take_error(error)}")
        return callback

    def prepare(self, module: int) -> int | str:
        """An instance-pre of a module, or the engine's text why it does not link."""
        prepared = ctypes.c_void_p()
        error = capi.linker_instantiate_pre(self._pointer, module, ctypes.byref(prepared))
        return capi.take_error(error) if error else prepared.value or 0

    def close(self) -> None:
        capi.linker_delete(self._pointer)
        self._callbacks.clear()


def _value_type(wasm: WasmType) -> ValType:
    return ValType.i32() if wasm == "i32" else ValType.i64()


def callback_of(row: HostFunction, board: Switchboard) -> Callback:
    """What wasmtime calls. One closure per shape: unpacking a fixed number of arguments is what makes a call cheap."""
    shape = (len(row.params), row.result is not None)
    checked = own_code(_SHAPES[shape](row.call, board) if shape in _SHAPES else _any_shape(row, board))
    return HOT[row.name](checked, board) if row.name in HOT else checked


def own_code(function: Callback) -> Callback:
    """The same function on a copy of its code. The interpreter keeps what it learned about a call in the code, and
    closures of one ``def`` share theirs: each host function would undo what the one before it taught."""
    assert isinstance(function, FunctionType)
    return FunctionType(
        function.__code__.replace(), function.__globals__, function.__name__, None, function.__closure__
    )


def _one(call: Callable[..., int | None], board: Switchboard) -> Callback:
    views, view = board.views, board.view

    def callback(_env: int | None, _caller: int | None, address: int, _count: int) -> int:
        try:
            slots = views.get(address) or view(address)
            call(board.vm, slots[0])
        except BaseException as fault:  # noqa: BLE001  # nothing may leave a callback
            return board.trap(fault)
        return 0

    return callback


def _one_result(call: Callable[..., int], board: Switchboard) -> Callback:
    views, view = board.views, board.view

    def callback(_env: int | None, _caller: int | None, address: int, _count: int) -> int:
        try:
            slots = views.get(address) or view(address)
            slots[0] = call(board.vm, slots[0])
        except BaseException as fault:  # noqa: BLE001  # nothing may leave a callback
            return board.trap(fault)
        return 0

    return callback


def _two_result(call: Callable[..., int], board: Switchboard) -> Callback:
    views, view = board.views, board.view

    def callback(_env: int | None, _caller: int | None, address: int, _count: int) -> int:
        try:
            slots = views.get(address) or view(address)
            slots[0] = call(board.vm, slots[0], slots[2])
        except BaseException as fault:  # noqa: BLE001  # nothing may leave a callback
            return board.trap(fault)
        return 0

    return callback


def _three_result(call: Callable[..., int], board: Switchboard) -> Callback:
    views, view = board.views, board.view

    def callback(_env: int | None, _caller: int | None, address: int, _count: int) -> int:
        try:
            slots = views.get(address) or view(address)
            slots[0] = call(board.vm, slots[0], slots[2], slots[4])
        except BaseException as fault:  # noqa: BLE001  # nothing may leave a callback
            return board.trap(fault)
        return 0

    return callback


_SHAPES: Final[dict[tuple[int, bool], Callable[..., Callback]]] = {
    (1, False): _one,
    (1, True): _one_result,
    (2, True): _two_result,
    (3, True): _three_result,
}


def _any_shape(row: HostFunction, board: Switchboard) -> Callback:
    views, view = board.views, board.view
    call, words, has_result = row.call, 2 * len(row.params), row.result is not None

    def callback(_env: int | None, _caller: int | None, address: int, _count: int) -> int:
        try:
            slots = views.get(address) or view(address)
            result = call(board.vm, *slots[:words:2])
            if has_result:
                slots[0] = result or 0
        except BaseException as fault:  # noqa: BLE001  # nothing may leave a callback
            return board.trap(fault)
        return 0

    return callback
