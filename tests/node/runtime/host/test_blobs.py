from __future__ import annotations

import pytest

from node.errors import HostError
from node.primitives import BlobId, ContextId
from node.runtime import limits
from node.runtime.host import blobs as module
from tests.node.runtime.machine import FakeServices, Machine

UNSUPPORTED = r"^blob operations not supported \(NodeClient not available\)$"
INVALID = "^invalid blob handle$"


def with_blobs(size: int = 1 << 20) -> tuple[Machine, FakeServices]:
    services = FakeServices(blobs={BlobId(b"b" * 32): b"0123456789"})
    return Machine(services=services, size=size), services


def test_a_blob_is_written_closed_and_read_back() -> None:
    machine, services = with_blobs()
    fd = machine.call("blob_create")
    assert fd == 1
    assert machine.call("blob_write", fd, machine.buffer(b"hello ")) == 6
    assert machine.call("blob_write", fd, machine.buffer(b"world")) == 5
    target = machine.room(32)
    assert machine.call("blob_close", fd, target) == 1
    assert services.blobs[BlobId(machine.seen(target))] == b"hello world"
    reading = machine.call("blob_open", target)
    assert reading == 2
    part = machine.room(5)
    assert machine.call("blob_read", reading, part) == 5
    assert machine.seen(part) == b"hello"


def test_a_short_read_gives_what_there_is() -> None:
    machine, services = with_blobs()
    fd = machine.call("blob_open", machine.buffer(b"b" * 32))
    assert fd is not None
    target = machine.room(8)
    assert machine.call("blob_read", fd, target) == 8
    assert machine.call("blob_read", fd, target) == 2
    assert machine.seen(target) == b"89234567"
    assert machine.call("blob_read", fd, target) == 0
    assert machine.call("blob_close", fd, machine.room(32)) == 1
    assert services.closed == 1


def test_a_blob_that_does_not_exist_reads_as_empty() -> None:
    machine, _ = with_blobs()
    fd = machine.call("blob_open", machine.buffer(b"?" * 32))
    assert fd is not None
    assert machine.call("blob_read", fd, machine.room(8)) == 0
    target = machine.room(32)
    assert machine.call("blob_close", fd, target) == 1
    assert machine.seen(target) == b"?" * 32


def test_handles_of_the_wrong_kind() -> None:
    machine, _ = with_blobs()
    written, opened = machine.call("blob_create"), machine.call("blob_open", machine.buffer(b"b" * 32))
    assert written is not None
    assert opened is not None
    data, target = machine.buffer(b"x"), machine.room(32)
    for name, fd, pointer in (
        ("blob_write", opened, data), ("blob_write", 99, data), ("blob_read", written, data),
        ("blob_read", 99, data), ("blob_close", 99, target),
    ):  # fmt: skip
        with pytest.raises(HostError, match=INVALID):
            machine.call(name, fd, pointer)
    assert machine.call("blob_read", 99, machine.room(0)) == 0
    machine.call("blob_close", written, target)
    with pytest.raises(HostError, match=INVALID):
        machine.call("blob_close", written, target)


def test_without_a_node_there_are_no_blobs() -> None:
    machine = Machine()
    buffer, target = machine.buffer(b"b" * 32), machine.room(32)
    for name, arguments in (
        ("blob_create", ()), ("blob_write", (1, buffer)), ("blob_close", (1, target)), ("blob_open", (buffer,)),
        ("blob_read", (1, target)), ("blob_announce_to_context", (buffer, buffer)),
    ):  # fmt: skip
        with pytest.raises(HostError, match=UNSUPPORTED):
            machine.call(name, *arguments)
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("blob_close", 1, machine.room(31))


def test_handles_at_their_edge_and_never_used_again() -> None:
    machine, services = with_blobs()
    blob = machine.buffer(b"b" * 32)
    for number in range(limits.MAX_BLOB_HANDLES):
        assert machine.call("blob_open", blob) == number + 1
    for name, arguments in (("blob_open", (blob,)), ("blob_create", ())):
        with pytest.raises(HostError, match=r"^too many blob handles \(max: 100\)$"):
            machine.call(name, *arguments)
    machine.call("blob_close", 5, machine.room(32))
    assert machine.call("blob_create") == limits.MAX_BLOB_HANDLES + 1
    machine.finish()
    assert services.aborted == 1


def test_chunks_at_their_edge() -> None:
    machine, _ = with_blobs(limits.MAX_BLOB_CHUNK + 4096)
    fd = machine.call("blob_create")
    assert fd is not None
    largest, larger = (machine.raw_buffer(0, limits.MAX_BLOB_CHUNK + extra) for extra in (0, 1))
    assert machine.call("blob_write", fd, largest) == limits.MAX_BLOB_CHUNK
    with pytest.raises(HostError, match=r"^blob write too large \(size: 10485761, max: 10485760\)$"):
        machine.call("blob_write", fd, larger)
    with pytest.raises(HostError, match=r"^blob buffer too large \(size: 10485761, max: 10485760\)$"):
        machine.call("blob_read", fd, larger)


def test_the_bytes_of_a_call_at_their_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BLOB_BYTES", 10)
    machine, _ = with_blobs()
    first, second = machine.call("blob_create"), machine.call("blob_create")
    assert first is not None
    assert second is not None
    machine.call("blob_write", first, machine.buffer(b"12345"))
    machine.call("blob_write", second, machine.buffer(b"12345"))
    with pytest.raises(HostError, match="total blob memory exceeded"):
        machine.call("blob_write", first, machine.buffer(b"6"))


def test_announcing() -> None:
    machine, services = with_blobs()
    context = machine.buffer(b"c" * 32)
    assert machine.call("blob_announce_to_context", machine.buffer(b"b" * 32), context) == 1
    assert services.announced == [(BlobId(b"b" * 32), ContextId(b"c" * 32))]
    with pytest.raises(HostError, match=UNSUPPORTED):
        machine.call("blob_announce_to_context", machine.buffer(b"?" * 32), context)
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("blob_announce_to_context", machine.buffer(b"b" * 31), context)
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("blob_open", machine.buffer(b"b" * 33))
