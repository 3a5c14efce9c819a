"""The WASM engine: everything that touches wasmtime, and nothing else does.

:class:`WasmGuest` runs calls; :mod:`workers.runtime.engine.inspection` judges a file.
"""

from workers.runtime.engine.guest import GuestStats, WasmGuest

__all__ = ["GuestStats", "WasmGuest"]
