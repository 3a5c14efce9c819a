"""Application bundles (``.mpk``): a gzip-compressed tar with a signed manifest, a module, and its ABI.

A bundle comes from strangers. It is unpacked in memory under caps, holds plain files with safe paths only, and its
signature, signer and artifact hashes are checked before anything of it is used.
Source: core 0.10.0: crates/node/primitives/src/bundle. The reference does not check artifact hashes; a bundle that
names wrong ones was damaged or altered, so it is refused here.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, cast

import msgspec

from node.codec import jcs
from node.crypto import ed25519
from node.errors import BundleError, CodecError, InvalidId, InvalidSignature
from node.primitives import PrivateKey, PublicKey, to_base58

MAX_PACKED: Final = 64 << 20
"""Bytes of a bundle file: a module may have 10 MiB, migrations as much again each."""

MAX_UNPACKED: Final = 128 << 20
"""Bytes of all files of a bundle together."""

MAX_RATIO: Final = 100
"""Unpacked over packed bytes; compiled code shrinks to a third, a bomb to a thousandth."""

MAX_FILES: Final = 256
MANIFEST: Final = "manifest.json"
RUNTIME_VERSION: Final = (0, 10, 0)
"""The runtime that this node stands for; a bundle that needs a later one is refused."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_SLICE: Final = 1 << 20
_MULTICODEC_ED25519: Final = b"\xed\x01"
_SEMVER: Final = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:[-+][0-9A-Za-z.+-]*)?")


class Artifact(msgspec.Struct, frozen=True):
    """A file of the bundle; ``hash`` is SHA-256 in hex or None."""

    path: str
    size: int
    hash: str | None = None


class Signature(msgspec.Struct, frozen=True, rename="camel"):
    algorithm: str
    public_key: str
    signature: str


class Metadata(msgspec.Struct, frozen=True):
    name: str
    description: str | None = None
    icon: str | None = None
    tags: list[str] = []
    license: str | None = None


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """``manifest.json``; unknown members are allowed and covered by the signature."""

    version: str
    package: str
    app_version: str
    min_runtime_version: str
    signer_id: str | None = None
    metadata: Metadata | None = None
    wasm: Artifact | None = None
    abi: Artifact | None = None
    migrations: list[Artifact] = []
    links: dict[str, str | None] | None = None
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle: its manifest, the id of who signed it, and its files by path."""

    manifest: Manifest
    signer_id: str
    files: Mapping[str, bytes]

    @property
    def module(self) -> bytes:
        """The application's module."""
        return self.files[self.manifest.wasm.path if self.manifest.wasm else "app.wasm"]

    @property
    def abi(self) -> bytes | None:
        return None if self.manifest.abi is None else self.files[self.manifest.abi.path]

    def row_metadata(self) -> bytes:
        """What the application row keeps of the manifest: JSON, as the reference writes it."""
        given = self.manifest
        found: dict[str, object] = {"package": given.package, "version": given.app_version}
        if given.metadata is not None:
            found |= {key: value for key, value in msgspec.to_builtins(given.metadata).items() if value}
        if given.links is not None:
            found["links"] = given.links
        return json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()


def is_bundle(content: bytes) -> bool:
    """Whether bytes look like a bundle: gzip, not a module."""
    return content[:2] == b"\x1f\x8b"


def module_of(content: bytes) -> bytes:
    """The module inside a bundle's bytes. Raises :class:`BundleError`."""
    return read_bundle(content).module


def read_bundle(content: bytes) -> Bundle:
    """Unpack and check a bundle. Raises :class:`BundleError` that says what is wrong with it."""
    files = _unpack(_inflate(content))
    names = [path for path in files if PurePosixPath(path).name == MANIFEST]
    if not names:
        raise BundleError("manifest.json not found in bundle")
    if len(names) > 1:
        raise BundleError(f"the bundle has {len(names)} manifests ({', '.join(sorted(names))}); it must have one")
    raw = _manifest_object(files[names[0]])
    manifest = _manifest(raw)
    bundle = Bundle(manifest, _check_signature(manifest, raw), files)
    _check_artifacts(bundle)
    return bundle


# -- unpacking


def _inflate(content: bytes) -> bytes:
    if len(content) > MAX_PACKED:
        raise BundleError(f"the bundle has {len(content)} bytes, at most {MAX_PACKED} are allowed")
    limit = min(MAX_UNPACKED, max(len(content) * MAX_RATIO, _SLICE))
    inflater, parts, size, rest = zlib.decompressobj(_GZIP), [], 0, content
    try:
        while rest and not inflater.eof:
            part = inflater.decompress(rest, _SLICE)
            rest = inflater.unconsumed_tail
            size += len(part)
            if size > limit:
                raise BundleError(f"the bundle unpacks to more than {limit} bytes; it is refused as a bomb")
            parts.append(part)
    except zlib.error as error:
        raise BundleError(f"the bundle is no gzip file: {error}") from error
    if not inflater.eof:
        raise BundleError("the bundle is truncated")
    return b"".join(parts)


def _unpack(raw: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            for member in archive:
                _take(archive, member, files)
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise BundleError(f"the bundle is no tar archive: {error}") from error
    return files


def _take(archive: tarfile.TarFile, member: tarfile.TarInfo, files: dict[str, bytes]) -> None:
    path = _safe_path(member.name)
    if member.isdir() or PurePosixPath(path).name.startswith("._"):
        return
    if not member.isreg():
        raise BundleError(f"{member.name!r} in the bundle is a link or a device; only plain files are allowed")
    if path in files:
        raise BundleError(f"{path!r} is in the bundle twice")
    if len(files) >= MAX_FILES:
        raise BundleError(f"the bundle has more than {MAX_FILES} files")
    source = archive.extractfile(member)
    files[path] = b"" if source is None else source.read()


def _safe_path(name: str) -> str:
    path = PurePosixPath(name)
    if not name or "\0" in name or "\\" in name or path.is_absolute() or ".." in path.parts:
        raise BundleError(f"{name!r} in the bundle is an unsafe path")
    return str(path)


# -- the manifest


def _manifest_object(raw: bytes) -> dict[str, jcs.Json]:
    try:
        found = json.loads(raw, object_pairs_hook=_no_doubles)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"manifest.json is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BundleError("manifest.json is no JSON object")
    return cast(dict[str, jcs.Json], found)


def _no_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member name occurs twice")
    return found


def _manifest(raw: Mapping[str, jcs.Json]) -> Manifest:
    try:
        manifest = msgspec.convert(raw, Manifest)
    except msgspec.ValidationError as error:
        raise BundleError(f"manifest.json: {error}") from error
    _component(manifest.package, "package")
    _component(manifest.app_version, "appVersion")
    _check_runtime(manifest.min_runtime_version)
    return manifest


def _component(text: str, field: str) -> None:
    if not text:
        raise BundleError(f"bundle manifest '{field}' field is empty")
    if ".." in text or "/" in text or "\\" in text or "\0" in text or text[1:2] == ":":
        raise BundleError(f"bundle manifest '{field}' field {text!r} is no safe path component")


def _check_runtime(text: str) -> None:
    match = _SEMVER.fullmatch(text)
    if match is None:
        raise BundleError(f"bundle manifest 'minRuntimeVersion' {text!r} is no semantic version")
    if tuple(int(part) for part in match.groups()) > RUNTIME_VERSION:
        current = ".".join(map(str, RUNTIME_VERSION))
        raise BundleError(f"bundle requires runtime version {text} but current runtime is {current}")


def signing_payload(raw: Mapping[str, jcs.Json]) -> bytes:
    """The 32 bytes that a signer signs: SHA-256 of the canonical manifest without its signature."""
    covered = {key: value for key, value in raw.items() if key != "signature" and not key.startswith("_")}
    try:
        return hashlib.sha256(jcs.canonical(covered)).digest()
    except CodecError as error:
        raise BundleError(f"manifest.json has no canonical form: {error}") from error


def signer_id_of(key: PublicKey) -> str:
    """The ``did:key`` of an Ed25519 key."""
    return f"did:key:z{to_base58(_MULTICODEC_ED25519 + key)}"


def _check_signature(manifest: Manifest, raw: Mapping[str, jcs.Json]) -> str:
    given = manifest.signature
    if given is None:
        raise BundleError("manifest is missing required 'signature' field")
    if given.algorithm != "ed25519":
        raise BundleError(f"unsupported signature algorithm: '{given.algorithm}', expected 'ed25519'")
    try:
        key = PublicKey(_unbase64(given.public_key))
        ed25519.verify(key, signing_payload(raw), _unbase64(given.signature))
    except (InvalidId, InvalidSignature) as error:
        raise BundleError(f"the manifest's signature does not hold: {error}") from error
    derived = signer_id_of(key)
    if not manifest.signer_id:
        raise BundleError("bundle manifest is missing required signerId field")
    if manifest.signer_id != derived:
        raise BundleError(
            f"signerId mismatch: manifest declares '{manifest.signer_id}' "
            f"but signature public key derives to '{derived}'"
        )
    return derived


def _check_artifacts(bundle: Bundle) -> None:
    manifest = bundle.manifest
    named = [manifest.wasm or Artifact("app.wasm", -1), manifest.abi, *manifest.migrations]
    for artifact in named:
        if artifact is not None:
            _check_artifact(artifact, bundle.files)


def _check_artifact(artifact: Artifact, files: Mapping[str, bytes]) -> None:
    content = files.get(_safe_path(artifact.path))
    if content is None:
        raise BundleError(f"the manifest names {artifact.path!r}, which is not in the bundle")
    if artifact.size not in (-1, len(content)):
        raise BundleError(f"{artifact.path!r} has {len(content)} bytes, the manifest says {artifact.size}")
    if artifact.hash is not None and artifact.hash.lower() != hashlib.sha256(content).hexdigest():
        raise BundleError(f"{artifact.path!r} is not what the manifest's hash says")


def _unbase64(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise BundleError(f"{text[:40]!r} in the signature is no base64url") from error


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


# -- making one


def make_bundle(
    key: PrivateKey,
    *,
    package: str,
    version: str,
    name: str,
    module: bytes,
    abi: bytes | None = None,
    description: str | None = None,
) -> bytes:
    """A signed bundle that this node and a real one install. Raises :class:`BundleError` for unusable names."""
    _component(package, "package")
    _component(version, "appVersion")
    files = {"app.wasm": module} | ({} if abi is None else {"abi.json": abi})
    manifest: dict[str, jcs.Json] = {
        "version": "1.0",
        "package": package,
        "appVersion": version,
        "signerId": signer_id_of(ed25519.public_key(key)),
        "minRuntimeVersion": "0.1.0",
        "metadata": {"name": name} | ({} if description is None else {"description": description}),
        "wasm": _artifact("app.wasm", module),
        "abi": None if abi is None else _artifact("abi.json", abi),
        "migrations": [],
    }
    signature = ed25519.sign(key, signing_payload(manifest))
    manifest["signature"] = {
        "algorithm": "ed25519",
        "publicKey": _base64(ed25519.public_key(key)),
        "signature": _base64(signature),
    }
    return _pack({MANIFEST: json.dumps(manifest, indent=2, ensure_ascii=False).encode()} | files)


def _artifact(path: str, content: bytes) -> dict[str, jcs.Json]:
    return {"path": path, "hash": hashlib.sha256(content).hexdigest(), "size": len(content)}


def _pack(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz with fixed times and owners: the same input gives the same bytes."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
    return packer.compress(sink.getvalue()) + packer.flush()
