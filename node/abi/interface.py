"""What a surface offers for an application: its callable methods with their types where the manifest knows them.

The manifest lists every public function of the source, the module what can be called; only what is in both is offered.
Without a manifest the module's export list must do. Source: core 0.10.0: crates/wasm-abi, crates/runtime/src/lib.rs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.abi.manifest import Manifest, Method, parse_manifest
from node.abi.module import WasmModule
from node.errors import DecodeError

ABI_SECTION: Final = "calimero_abi_v1"
ABI_POINTER: Final = "get_abi_ptr"
ABI_LENGTH: Final = "get_abi_len"
INIT: Final = "init"

SOURCES: Final = ("section", "export", "sidecar")


@dataclass(frozen=True, slots=True)
class Interface:
    """``methods`` in the manifest's order, or the file's. ``typed`` False: no manifest, parameters are unknown.

    ``source`` says where the manifest is from: ``section`` or ``export`` of the module, ``sidecar`` (bundle or file).
    """

    methods: tuple[Method, ...]
    manifest: Manifest | None = None
    source: str | None = None

    @property
    def typed(self) -> bool:
        return self.manifest is not None

    def method(self, name: str) -> Method | None:
        return next((m for m in self.methods if m.name == name), None)

    def completions(self, prefix: str = "", *, initialised: bool = True) -> list[Method]:
        """Methods whose name starts with ``prefix``; ``init`` is left out once the context has a state."""
        return [m for m in self.methods if m.name.startswith(prefix) and not (initialised and m.name == INIT)]


def interface_of(module: WasmModule | None, sidecar: bytes | None = None) -> Interface:
    """The interface from a parsed module and, where there is one, the bytes of an ``abi.json`` beside it.

    A manifest inside the module wins, since it cannot be another version's. Raises DecodeError for a damaged one.
    """
    found = _embedded(module) if module is not None else None
    if found is None and sidecar is not None:
        found = sidecar, "sidecar"
    if found is None:
        names = module.methods if module is not None else []
        return Interface(tuple(Method(name) for name in names))
    manifest = parse_manifest(found[0])
    return Interface(_callable(manifest, module), manifest, found[1])


def _embedded(module: WasmModule) -> tuple[bytes, str] | None:
    section = module.customs.get(ABI_SECTION)
    if section is not None:
        return section, "section"
    exported = exported_abi(module)
    return (exported, "export") if exported is not None else None


def exported_abi(module: WasmModule) -> bytes | None:
    """The manifest that ``get_abi_ptr`` and ``get_abi_len`` point to, if both are constants into initial data."""
    address, length = module.constant(ABI_POINTER), module.constant(ABI_LENGTH)
    if address is None or not length:
        return None
    return module.initial_bytes(address, length)


def has_abi_exports(module: WasmModule) -> bool:
    """Whether the module can be asked for its manifest by running it."""
    return {ABI_POINTER, ABI_LENGTH} <= module.export_names


def _callable(manifest: Manifest, module: WasmModule | None) -> tuple[Method, ...]:
    if module is None:
        return tuple(m for m in manifest.methods if not m.name.startswith("_"))
    names = set(module.methods)
    return tuple(m for m in manifest.methods if m.name in names)


def try_interface(module: WasmModule | None, sidecar: bytes | None = None) -> tuple[Interface, str | None]:
    """As :func:`interface_of`; with a damaged manifest the export list, and what is wrong."""
    try:
        return interface_of(module, sidecar), None
    except DecodeError as error:
        names = module.methods if module is not None else []
        return Interface(tuple(Method(name) for name in names)), str(error)
