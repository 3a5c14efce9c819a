"""Everything that is done to py-libp2p 0.8.1 so that it can be used here. Nothing else in the project touches its
insides.

What is used of it: keys and peer ids, the Noise XX handshake, the TLS handshake, Kademlia's and identify's messages as
test oracles. Its swarm, multiplexer and pubsub are not used; ``workers/network`` and ``node/gossip`` have their own.

Each repair below names the upstream report and has a test that fails without it.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from types import ModuleType
from typing import Final

from node.errors import ConfigError

__all__ = ["WANTED_VERSION", "bypass_package_inits", "ensure_fastecdsa", "prepare"]

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
)
"""Packages whose ``__init__`` imports the whole library: 1.2 s of CPU and 60 MB for parts that stay unused."""

_FASTECDSA_MODULES: Final = ("", ".curve", ".keys", ".point", ".encoding", ".encoding.sec1", ".encoding.util")


def prepare() -> None:
    """Make ``from libp2p.security.noise… import …`` possible and cheap. Idempotent.

    Raises :class:`ConfigError` when another version than the wanted one is installed.
    """
    if "libp2p" in sys.modules:
        return
    found = importlib.metadata.version("libp2p")
    if found != WANTED_VERSION:
        raise ConfigError(f"libp2p {found} is installed, this program needs {WANTED_VERSION}: pip install -r the lock")
    ensure_fastecdsa()
    bypass_package_inits()


def ensure_fastecdsa() -> None:
    """Stand-in modules for ``fastecdsa`` where it is not installed (libp2p issue 1079: it has no wheel on Linux).

    Only ECDSA keys need it, and Calimero peers have Ed25519 keys; using one fails with ``AttributeError``.
    """
    if importlib.util.find_spec("fastecdsa") is not None:
        return
    for suffix in _FASTECDSA_MODULES:
        module = ModuleType(f"fastecdsa{suffix}")
        module.__path__ = []
        sys.modules[module.__name__] = module
    names = {
        ".curve": ("Curve",),
        ".point": ("Point",),
        ".encoding.sec1": ("SEC1Encoder",),
        ".encoding.util": ("int_bytelen",),
    }
    for suffix, attributes in names.items():
        for attribute in attributes:
            setattr(sys.modules[f"fastecdsa{suffix}"], attribute, type(attribute, (), {}))
    package = sys.modules["fastecdsa"]
    for suffix in _FASTECDSA_MODULES[1:]:
        parent, _, leaf = f"fastecdsa{suffix}".rpartition(".")
        setattr(sys.modules[parent], leaf, sys.modules[f"{parent}.{leaf}"])
    package.__version__ = "0"  # type: ignore[attr-defined]


def bypass_package_inits() -> None:
    """Register the packages of ``_BARE`` without running their ``__init__`` (libp2p issue 417 and others: importing
    any part imports all parts, among them HTTP, QUIC, metrics and UPnP clients)."""
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
