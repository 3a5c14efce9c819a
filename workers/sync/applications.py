"""Installing applications: from a file, a URL, or a blob that a peer sent.

A module or bundle becomes a blob first, then a row. What is no module and no valid bundle is refused before anything is
written. An application's id is the reference's: of a module it covers where it came from, of a bundle who signed it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from node.abi.module import parse_module
from node.context import bundle
from node.context.application import NO_VERSION, UNKNOWN_PACKAGE, bundle_id, module_id, version_key
from node.errors import ApplicationNotInstalled, BundleError, CompilationError, ContextError, DecodeError
from node.runtime.limits import MAX_MODULE_SIZE
from workers.blobs import BlobWriter, is_complete, read_all
from workers.messages import runtime, sync
from workers.messages.base import Done
from workers.messages.records import ApplicationRecord, BlobRecord
from workers.sync.blobs import BlobKeeper
from workers.sync.download import download, url_text
from workers.sync.local import Owners

log = logging.getLogger(__name__)

WASM_MAGIC: Final = b"\0asm"
MAX_DOWNLOAD: Final = bundle.MAX_PACKED
"""Bytes of an application file: the largest bundle."""


class Applications:
    """The applications of this node. ``inform`` tells every runtime worker about a row."""

    def __init__(
        self,
        owners: Owners,
        blob_dir: Path,
        inform: Callable[[runtime.PutApplication | runtime.RemoveApplication], Awaitable[None]],
        blobs: BlobKeeper,
    ) -> None:
        self._owners = owners
        self._blob_dir = blob_dir
        self._inform = inform
        self._blobs = blobs

    def handlers(self) -> dict[type, Callable[..., Awaitable[object]]]:
        """Operation type to handler, for the worker's dispatch table."""
        return {
            sync.InstallFile: self.install_file,
            sync.InstallUrl: self.install_url,
            sync.Uninstall: self.uninstall,
        }

    async def install_file(self, op: sync.InstallFile) -> sync.Installed:
        path, content = await asyncio.to_thread(_read_file, Path(op.path))
        record = await self._install(content, _file_url(path), op.metadata, op.package, op.version)
        return sync.Installed(record)

    async def install_url(self, op: sync.InstallUrl) -> sync.Installed:
        source = url_text(op.url)
        content = await download(source, MAX_DOWNLOAD)
        if op.hash is not None and hashlib.sha256(content).digest() != op.hash:
            raise ContextError(f"fatal: blob hash mismatch: {op.url} is not what its hash says")
        return sync.Installed(await self._install(content, source, op.metadata, op.package, op.version))

    async def uninstall(self, op: sync.Uninstall) -> Done:
        await self._inform(runtime.RemoveApplication(op.id))
        return Done()

    async def install_blob(self, wanted: ApplicationRecord) -> ApplicationRecord:
        """Install what a registry names from a blob that is here. Raises when the ids disagree."""
        blob = (await self._owners.ask(runtime.GetBlob(wanted.blob_id))).blob
        if blob is None or not is_complete(self._blob_dir, blob):
            raise ApplicationNotInstalled(f"the blob {wanted.blob_id} of application {wanted.id} is not on this node")
        content = await asyncio.to_thread(read_all, self._blob_dir, blob)
        record = _record(content, blob, wanted.source, wanted.metadata, None, None)
        if record.id != wanted.id:
            raise ContextError(f"application mismatch: expected {wanted.id}, got {record.id}")
        await self._check_version(record)
        await self._inform(runtime.PutApplication(record))
        return record

    async def _check_version(self, record: ApplicationRecord) -> None:
        """A registry may bring a later version of a bundle, never an earlier one: other contexts use the row, too."""
        known = (await self._owners.ask(runtime.GetApplication(record.id))).application
        if known is not None and version_key(record.version) < version_key(known.version):
            raise ContextError(
                f"application {record.id} is here in version {known.version}; version {record.version} is older"
            )

    async def _install(
        self, content: bytes, source: str, metadata: bytes, package: str | None, version: str | None
    ) -> ApplicationRecord:
        await asyncio.to_thread(_check, content)
        await self._blobs.make_room(len(content))
        stored = await asyncio.to_thread(_store, self._blob_dir, content)
        record = _record(content, stored[-1], source, metadata, package, version)
        await self._blobs.store(stored)
        await self._inform(runtime.PutApplication(record))
        log.info("installed application %s from %s", record.id, source)
        return record


def _check(content: bytes) -> None:
    """Refuse what can never run, before a byte of it is written."""
    if bundle.is_bundle(content):
        content = bundle.module_of(content)
    if not content.startswith(WASM_MAGIC):
        raise CompilationError(
            "the file is no WebAssembly module and no bundle: a module starts with the bytes 00 61 73 6d"
        )
    if len(content) > MAX_MODULE_SIZE:
        raise BundleError(f"the module has {len(content)} bytes, at most {MAX_MODULE_SIZE} are allowed")
    try:
        parse_module(content)
    except DecodeError as error:
        raise CompilationError(f"the WebAssembly module is damaged: {error}") from error


def _record(
    content: bytes, blob: BlobRecord, source: str, metadata: bytes, package: str | None, version: str | None
) -> ApplicationRecord:
    if not bundle.is_bundle(content):
        found = module_id(blob.id, blob.size, source, metadata)
        return ApplicationRecord(
            found, blob.id, blob.size, source, metadata, package or UNKNOWN_PACKAGE, version or NO_VERSION
        )
    read = bundle.read_bundle(content)
    given = read.manifest
    return ApplicationRecord(
        bundle_id(given.package, read.signer_id),
        blob.id,
        blob.size,
        source,
        read.row_metadata(),
        given.package,
        given.app_version,
        read.signer_id,
    )


def _store(folder: Path, content: bytes) -> list[BlobRecord]:
    writer = BlobWriter(folder, MAX_DOWNLOAD)
    writer.write(content)
    return writer.finish().rows


def _read_file(path: Path) -> tuple[Path, bytes]:
    try:
        found = path.resolve(strict=True)
        size = found.stat().st_size
        if not found.is_file():
            raise ContextError(f"{path} is no file")
        if size > MAX_DOWNLOAD:
            raise ContextError(f"{path} has {size} bytes, at most {MAX_DOWNLOAD} are allowed")
        return found, found.read_bytes()
    except FileNotFoundError as error:
        raise ContextError(f"application file not found at {path}") from error
    except OSError as error:
        raise ContextError(f"application file {path} cannot be read: {error.strerror}") from error


def _file_url(path: Path) -> str:
    """The URL text that the reference makes of a path; it goes into the application's id."""
    return "file://" + quote(str(path), safe="/:@!$&'()*+,;=~-._|\\^[]")
