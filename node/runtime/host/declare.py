"""The form of a row in the table of host functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

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


def row(
    group: str, call: Callable[..., int | None], params: str, result: WasmType | None, doc: str, *limits: str
) -> HostFunction:
    """``params`` as ``"key:buffer register"``; a parameter without a kind is its own kind."""
    pairs = [part.partition(":") for part in params.split()]
    kinds: tuple[tuple[str, Kind], ...] = tuple((name, kind or name) for name, _, kind in pairs)  # type: ignore[misc]
    return HostFunction(call.__name__, group, kinds, result, call, doc, limits)


REGISTER: Final = ("MAX_REGISTERS", "MAX_REGISTER_SIZE", "MAX_REGISTERS_CAPACITY")
"""Limits of every function that sets a register."""
