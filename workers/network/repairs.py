"""Everything that is done to py-libp2p 0.8.1 so that it can be used here. Nothing else touches its insides.

What is used of it: keys and peer ids, the Noise XX handshake, the TLS handshake. Its swarm, multiplexer and pubsub are
not used; ``workers/network`` and ``node/gossip`` have their own, which is why no other repair is needed.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import sys
from types import ModuleType
from typing import Any, Final

from node.errors import ConfigError

__all__ = ["WANTED_VERSION", "prepare"]

WANTED_VERSION: Final = "0.8.1"
"""The repairs know the insides of exactly this version."""

_BARE: Final = (
    "libp2p",
    "libp2p.io",
    "libp2p.peer",
    "libp2p.pubsub",
    "libp2p.security",
    "libp2p.security.noise",
    "libp2p.security.tls",
    "libp2p.tools",
    "libp2p.tools.anyio_service",
    "libp2p.transport",
    "libp2p.transport.quic",
)
"""Packages whose ``__init__`` imports the whole library: 1.2 s of CPU and 60 MB for parts that stay unused, and
fastecdsa, which has no wheel for Linux and needs a compiler and GMP. Upstream: py-libp2p #507 and #519 are about
fastecdsa; none is about the rest, which is how the library is meant."""

_PLACEHOLDERS: Final = {
    "libp2p.crypto.rsa": ("RSAPrivateKey", "RSAPublicKey"),
    "libp2p.crypto.secp256k1": ("Secp256k1PrivateKey", "Secp256k1PublicKey"),
    "libp2p.tools.anyio_service.api": ("ServiceAPI",),
    "libp2p.transport.quic.stream": ("QUICStream",),
}
"""Modules that are imported only for the names of these classes, with pycryptodome, coincurve, anyio and aioquic behind
them: half of what is left of the start-up time. Upstream: none is open; a library for all kinds of keys needs them."""


def prepare() -> None:
    """Make ``from libp2p.security.noise… import …`` possible and cheap. Idempotent.

    Raises :class:`ConfigError` when another version than the wanted one is installed.
    """
    if "libp2p" in sys.modules:
        return
    found = importlib.metadata.version("libp2p")
    if found != WANTED_VERSION:
        raise ConfigError(f"libp2p {found} is installed, this program needs {WANTED_VERSION}: pip install -r the lock")
    bypass_package_inits()
    add_placeholders()


def bypass_package_inits() -> None:
    """Register the packages of ``_BARE`` without running their ``__init__``: importing any part would import all parts,
    among them HTTP, QUIC, metrics and UPnP clients, and fastecdsa, which has no wheel for Linux."""
    for name in _BARE:
        if name in sys.modules:
            continue
        parent, _, leaf = name.rpartition(".")
        path = list(sys.modules[parent].__path__) if parent else None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.submodule_search_locations is None:
            raise ConfigError(f"package {name} of libp2p {WANTED_VERSION} is missing: reinstall it")
        module = ModuleType(name)
        module.__path__ = list(spec.submodule_search_locations)
        module.__spec__ = spec
        sys.modules[name] = module
        if parent:
            setattr(sys.modules[parent], leaf, module)


class _NotInUse:
    """Stands for a class of a module that is not loaded; the only way in is a peer with another kind of key."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Any:
        """Refuse the key."""
        raise ValueError(f"only Ed25519 keys are in use here, not {cls.__name__}")


def add_placeholders() -> None:
    """Register the modules of ``_PLACEHOLDERS`` with stand-ins."""
    for name, classes in _PLACEHOLDERS.items():
        module = ModuleType(name)
        for each in classes:
            setattr(module, each, type(each, (_NotInUse,), {}))
        sys.modules[name] = module
