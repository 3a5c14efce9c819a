"""Ids of applications and the rules for their rows.

Source: core 0.10.0: crates/node/primitives/src/client/application.rs.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Final

from node.codec import borsh
from node.codec.borsh import u64
from node.errors import ContextError
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


def check_continuity(old_signer: str, new_signer: str) -> None:
    """Who may replace an application in a context: the same signer, or anybody where nobody signed.

    Raises :class:`ContextError` with the reference's opening words.
    """
    if not old_signer or old_signer == new_signer:
        return
    if not new_signer:
        raise ContextError(
            f"Security downgrade rejected: the application is signed by '{old_signer}', the new one by nobody"
        )
    raise ContextError(
        f"AppKey continuity violation: signerId mismatch. "
        f"The application is signed by '{old_signer}', the new one by '{new_signer}'"
    )


_SEMVER: Final = re.compile(
    r"(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})\.(0|[1-9]\d{0,17})"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?"
)

MAX_VERSION: Final = 128
"""Characters of a version that is read as one."""

VersionKey = tuple[int, tuple[int, ...], tuple[tuple[int, int, str], ...], str]


def version_key(version: str) -> VersionKey:
    """Sorts versions by the precedence of semver 2.0.0; what is no semantic version comes before all, by its text.

    A pre-release comes before its release; its numbers are compared as numbers and come before words.
    """
    match = _SEMVER.fullmatch(version) if len(version) <= MAX_VERSION else None
    if match is None:
        return (0, (), (), version)
    numbers = tuple(int(part) for part in match.groups()[:3])
    pre = match[4]
    if pre is None:
        return (1, numbers, ((2, 0, ""),), "")
    return (1, numbers, tuple(_identifier(part) for part in pre.split(".")), "")


def _identifier(part: str) -> tuple[int, int, str]:
    return (0, int(part), "") if part.isdigit() else (1, 0, part)


def version_in(metadata: bytes) -> str | None:
    """The version in a bundle's metadata, None for anything else."""
    try:
        found = json.loads(metadata)
    except (ValueError, RecursionError):
        return None
    version = found.get("version") if isinstance(found, dict) else None
    return version if isinstance(version, str) else None


def is_newer(metadata: bytes, than: bytes) -> bool:
    """Whether one bundle's metadata names a later version than another's."""
    new, old = version_in(metadata), version_in(than)
    return new is not None and old is not None and version_key(new) > version_key(old)
