"""Ids of applications and the rules for their rows.

Source: core 0.10.0: crates/node/primitives/src/client/application.rs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from node.codec import borsh
from node.codec.borsh import u64
from node.primitives import ApplicationId, BlobId

UNKNOWN_PACKAGE: Final = "unknown"
"""Package of a single module; together with its version it tells a module from a bundle."""

NO_VERSION: Final = "0.0.0"


@dataclass(frozen=True, slots=True)
class _ModuleIdentity:
    bytecode: BlobId
    size: u64
    source: str
    metadata: bytes


@dataclass(frozen=True, slots=True)
class _BundleIdentity:
    package: str
    signer_id: str


def module_id(bytecode: BlobId, size: int, source: str, metadata: bytes) -> ApplicationId:
    """Id of a single module: it depends on the path or URL that it came from."""
    return _hashed(_ModuleIdentity(bytecode, size, source, metadata))


def bundle_id(package: str, signer_id: str) -> ApplicationId:
    """Id of a bundle: the same for every version that one signer makes of a package."""
    return _hashed(_BundleIdentity(package, signer_id))


def _hashed(identity: object) -> ApplicationId:
    return ApplicationId(hashlib.sha256(borsh.encode(identity)).digest())


def is_bundle(package: str, version: str) -> bool:
    """Whether a row stands for a bundle, as the reference decides it at run time."""
    return package != UNKNOWN_PACKAGE and version != NO_VERSION
