"""The engine's configuration: what modules may use, how they are bounded, and what makes results equal everywhere.

Accepts what the reference's engine accepts and no more, except that threads are off: no two runs of a program with
threads need to agree. Every choice is part of :func:`fingerprint`, since compiled code holds for one choice alone.
"""

from __future__ import annotations

import hashlib
import platform
import resource
from importlib.metadata import version
from typing import Final

from wasmtime import Config, Engine

from node.runtime.config import RuntimeConfig
from node.runtime.limits import KIB, MAX_STACK, MAX_TABLE_ELEMENTS, MAX_TABLES, WASM_PAGE
from workers.runtime.engine import capi

FEATURES_OFF: Final = (
    "wasm_threads", "wasm_relaxed_simd", "wasm_memory64", "wasm_multi_memory", "wasm_tail_call", "wasm_exceptions",
    "wasm_gc", "wasm_function_references", "wasm_wide_arithmetic", "wasm_custom_page_sizes",
)  # fmt: skip

INSTANCES: Final = 4
"""Slots of the pool. A guest thread runs one instance; the rest is for the module inspector beside it."""

KEEP_RESIDENT: Final = 64 * KIB
"""Bytes of a slot that are zeroed instead of given back; more costs an empty call what it saves a full one."""

ROOM: Final = 64 << 30
"""Bytes of address space that an engine may take. With less, guests get explicit bounds checks instead of 4 GiB of
unmapped space behind each memory: slower, but the engine would abort the process if it could not reserve that."""

TIGHT_GUARD: Final = 64 * KIB

CACHE_FORMAT: Final = 1


def new_engine(config: RuntimeConfig) -> Engine:
    """An engine with bounded, reproducible guests. Its stores belong to the thread that makes them."""
    settings = Config()
    settings.epoch_interruption = True
    settings.consume_fuel = config.counts_fuel
    settings.cranelift_nan_canonicalization = True
    settings.max_wasm_stack = MAX_STACK
    settings.memory_may_move = False
    if is_tight():
        _reserve_little(settings, config)
    for feature in FEATURES_OFF:
        setattr(settings, feature, False)
    _use_pool(settings, config)
    return Engine(settings)


def is_tight() -> bool:
    """Whether this process may not map enough address space for unchecked memory accesses (``ulimit -v``)."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return limit != resource.RLIM_INFINITY and limit < ROOM


def _reserve_little(settings: Config, config: RuntimeConfig) -> None:
    pointer = capi.address(settings.ptr())
    capi.memory_reservation(pointer, config.memory_pages * WASM_PAGE)
    capi.memory_guard_size(pointer, TIGHT_GUARD)


def _use_pool(settings: Config, config: RuntimeConfig) -> None:
    """Instances come from a pool: 25 µs less a call, and the address space they take is bounded."""
    pool = capi.pool_new()
    numbers = {
        "total_core_instances": INSTANCES,
        "total_memories": INSTANCES,
        "total_tables": INSTANCES * MAX_TABLES,
        "max_tables_per_module": MAX_TABLES,
        "table_elements": MAX_TABLE_ELEMENTS,
        "max_memory_size": config.memory_pages * WASM_PAGE,
        "linear_memory_keep_resident": KEEP_RESIDENT,
    }
    for name, value in numbers.items():
        capi.pool_set(pool, name, value)
    capi.pool_use(capi.address(settings.ptr()), pool)
    capi.pool_delete(pool)


def fingerprint(config: RuntimeConfig) -> str:
    """Names the code that an engine with this configuration makes: hex, equal on equal machines and versions."""
    parts = (
        CACHE_FORMAT, version("wasmtime"), platform.system(), platform.machine(), config.counts_fuel,
        config.memory_pages, is_tight(), MAX_STACK, *FEATURES_OFF,
    )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()
