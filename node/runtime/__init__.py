"""Executing application modules: the host side of the ABI, without an engine. wasmtime lives in ``workers.runtime``."""
