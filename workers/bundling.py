"""Making a bundle from files: module, ABI and signing key in, a signed ``.mpk`` out.

What a node would refuse is refused here first. The signing key is the identity of an application's author: versions
signed by another key are another application, so a key file is made once and never written over.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.abi.module import parse_module
from node.context.application import UNKNOWN_PACKAGE, bundle_id, version_key
from node.context.bundle import make_bundle, read_bundle, signer_id_of
from node.crypto import ed25519
from node.errors import BundleError, DecodeError
from node.primitives import PrivateKey
from node.runtime.limits import MAX_MODULE_SIZE

KEY_LENGTH: Final = 32


@dataclass(frozen=True, slots=True)
class BundleOrder:
    """What to bundle. ``abi`` None: the file ``<module>.abi.json`` if there is one. ``force`` replaces ``out``."""

    module: Path
    out: Path
    key: Path
    package: str
    version: str
    name: str | None = None
    description: str | None = None
    abi: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class BundleMade:
    """A bundle on disk; ``new_key`` says that the key file was made for it."""

    path: Path
    size: int
    application_id: str
    signer_id: str
    new_key: bool


def write_bundle(order: BundleOrder, random_bytes: Callable[[int], bytes] = os.urandom) -> BundleMade:
    """Make the bundle file. Raises :class:`BundleError`; then there is no bundle under the name."""
    _check_names(order)
    module = _module(order.module)
    abi = _abi(order)
    key, new = _key(order.key, random_bytes)
    content = make_bundle(
        key,
        package=order.package,
        version=order.version,
        name=order.name or order.package.rpartition(".")[2],
        module=module,
        abi=abi,
        description=order.description,
    )
    read_bundle(content)
    if new:  # before the bundle: one whose key is lost could never have a second version
        _write(order.key, (key.hex() + "\n").encode(), mode=0o600)
    _write(order.out, content, mode=0o644)
    signer = signer_id_of(ed25519.public_key(key))
    return BundleMade(order.out, len(content), str(bundle_id(order.package, signer)), signer, new)


def _check_names(order: BundleOrder) -> None:
    if order.package == UNKNOWN_PACKAGE:
        raise BundleError(f"a package cannot be called {UNKNOWN_PACKAGE!r}: nodes call modules without a package so")
    if version_key(order.version)[0] == 0:
        raise BundleError(f"{order.version!r} is no version; write MAJOR.MINOR.PATCH, e.g. 1.2.0")
    if order.version == "0.0.0":
        raise BundleError("version 0.0.0 stands for modules without a version; begin with 0.0.1")
    if order.out.suffix != ".mpk":
        raise BundleError(f"{order.out} must end in .mpk: nodes know a bundle by it")
    if order.out.exists() and not order.force:
        raise BundleError(f"{order.out} exists already; name another file or add --force")


def _module(path: Path) -> bytes:
    content = _read(path)
    try:
        parse_module(content)
    except DecodeError as error:
        raise BundleError(f"{path} is no WebAssembly module: {error}") from error
    if len(content) > MAX_MODULE_SIZE:
        raise BundleError(f"{path} has {len(content)} bytes, nodes take at most {MAX_MODULE_SIZE}")
    return content


def _abi(order: BundleOrder) -> bytes | None:
    beside = order.module.with_suffix(".abi.json")
    path = order.abi or (beside if beside.is_file() else None)
    return None if path is None else _read(path)


def _key(path: Path, random_bytes: Callable[[int], bytes]) -> tuple[PrivateKey, bool]:
    if not path.exists():
        return PrivateKey(random_bytes(KEY_LENGTH)), True
    try:
        return PrivateKey(bytes.fromhex(_read(path).decode().strip())), False
    except ValueError as error:
        raise BundleError(f"{path} is no signing key: it must hold 64 hexadecimal digits") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Aside and renamed, so that a half-written file never has the name."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as sink:
            sink.write(content)
            sink.flush()
            os.fsync(sink.fileno())
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise BundleError(f"{path} cannot be written: {error.strerror}") from error
