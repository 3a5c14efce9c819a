"""The WASM engine: everything that touches wasmtime, and nothing else does.

:class:`workers.runtime.engine.guest.WasmGuest` runs calls; :mod:`workers.runtime.engine.inspection` judges a file.
"""
