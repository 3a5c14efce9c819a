"""Blobs as handles of one call. Descriptors count from 1 and are never used again; open ones are dropped at the end.

Closing a written blob finishes it and a short read gives what there is: both fail in the reference.
Source: core 0.10.0: crates/runtime/src/logic/host_functions/blobs.rs.
"""

from __future__ import annotations

from node.primitives import ID_LENGTH, BlobId, ContextId
from node.runtime import faults
from node.runtime.blobs import CreatedBlob, OpenedBlob
from node.runtime.call import Services
from node.runtime.limits import MAX_BLOB_BYTES, MAX_BLOB_CHUNK, MAX_BLOB_HANDLES
from node.runtime.logic import VMLogic


def blob_create(vm: VMLogic) -> int:
    services = _services(vm)
    _room(vm)
    return _open(vm, CreatedBlob(services.blob_create()))


def blob_write(vm: VMLogic, fd: int, data: int) -> int:
    address, length = vm.memory.descriptor(data)
    _services(vm)
    if length > MAX_BLOB_CHUNK:
        raise faults.blob_write_too_large(length)
    content = vm.memory.slice(address, length)
    handle = vm.blobs.get(fd)
    if not isinstance(handle, CreatedBlob):
        raise faults.invalid_blob_handle()
    if vm.blob_bytes + length > MAX_BLOB_BYTES:
        raise faults.total_blob_memory(vm.blob_bytes + length)
    vm.blob_bytes += length
    handle.writer.write(content)
    return length


def blob_close(vm: VMLogic, fd: int, target: int) -> int:
    address, length = vm.memory.descriptor(target)
    if length != ID_LENGTH:
        raise faults.invalid_memory_access()
    _services(vm)
    vm.memory.require(address + length)
    handle = vm.blobs.pop(fd, None)
    if handle is None:
        raise faults.invalid_blob_handle()
    vm.memory.write(address, _finish(handle))
    return 1


def blob_open(vm: VMLogic, blob: int) -> int:
    where = vm.memory.descriptor(blob)
    _services(vm)
    _room(vm)
    if where[1] != ID_LENGTH:
        raise faults.invalid_memory_access()
    return _open(vm, OpenedBlob(BlobId(vm.memory.slice(*where))))


def blob_read(vm: VMLogic, fd: int, target: int) -> int:
    address, length = vm.memory.descriptor(target)
    services = _services(vm)
    if length > MAX_BLOB_CHUNK:
        raise faults.blob_buffer_too_large(length)
    if length == 0:
        return 0
    vm.memory.require(address + length)
    handle = vm.blobs.get(fd)
    if not isinstance(handle, OpenedBlob):
        raise faults.invalid_blob_handle()
    content = handle.read(services, length)[:length]
    vm.memory.write(address, content)
    return len(content)


def blob_announce_to_context(vm: VMLogic, blob: int, context: int) -> int:
    where = vm.memory.descriptor(blob), vm.memory.descriptor(context)
    services = _services(vm)
    if where[0][1] != ID_LENGTH or where[1][1] != ID_LENGTH:
        raise faults.invalid_memory_access()
    blob_id, context_id = BlobId(vm.memory.slice(*where[0])), ContextId(vm.memory.slice(*where[1]))
    if not services.blob_announce(blob_id, context_id):
        raise faults.blobs_not_supported()
    return 1


def _services(vm: VMLogic) -> Services:
    if vm.call.services is None:
        raise faults.blobs_not_supported()
    return vm.call.services


def _room(vm: VMLogic) -> None:
    if len(vm.blobs) >= MAX_BLOB_HANDLES:
        raise faults.too_many_blob_handles()


def _open(vm: VMLogic, handle: CreatedBlob | OpenedBlob) -> int:
    fd = vm.next_fd
    vm.blobs[fd] = handle
    vm.next_fd += 1
    return fd


def _finish(handle: CreatedBlob | OpenedBlob) -> BlobId:
    if isinstance(handle, CreatedBlob):
        return handle.writer.finish()
    handle.close()
    return handle.blob_id
