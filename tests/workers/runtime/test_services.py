"""What guests may ask of the process: members, aliases, blobs in chunks."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from node.errors import HostError, NotFound
from node.primitives import BlobId, Hash
from tests.workers.runtime.nodes import CONTEXT, Peer
from workers import blobs
from workers.blobs import write_chunk
from workers.messages import runtime as m
from workers.runtime import services as module
from workers.runtime.services import NodeServices


@pytest.fixture
def services(alice: Peer) -> NodeServices:
    found = alice.worker.host.services(CONTEXT)
    assert isinstance(found, NodeServices)
    return found


def test_members_and_aliases(alice: Peer, services: NodeServices) -> None:
    assert services.is_member(alice.public)
    assert alice.public in services.members()
    assert not services.has_alias("me")
    alice.ask(m.PutAlias(2, CONTEXT, "me", Hash(alice.public)))
    assert services.resolve_alias("me") == alice.public


def test_nothing_outside_is_reached(services: NodeServices) -> None:
    with pytest.raises(HostError, match="fetch is disabled"):
        services.http_fetch("http://x", "GET", {}, b"")
    assert not services.blob_announce(BlobId(b"\1" * 32), CONTEXT)


def test_a_blob_is_written_in_chunks_and_read_back(
    alice: Peer, services: NodeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "CHUNK_SIZE", 10)
    writer = services.blob_create()
    assert writer.write(b"0123456789abc") == 13
    writer.write(b"defghijXYZ")
    blob_id = writer.finish()
    chunks = [hashlib.sha256(c).digest() for c in (b"0123456789", b"abcdefghij", b"XYZ")]
    assert blob_id == hashlib.sha256(b"".join(chunks)).digest()
    blob = alice.ask(m.GetBlob(blob_id)).blob
    assert blob is not None
    assert (blob.size, blob.links) == (23, [BlobId(c) for c in chunks])
    assert blob.hash == hashlib.sha256(b"0123456789abcdefghijXYZ").digest()
    reader = services.blob_open(blob_id)
    assert reader is not None
    assert [reader.read(8), reader.read(100), reader.read(5)] == [b"01234567", b"89abcdefghijXYZ", b""]
    reader.close()
    assert services.blob_open(BlobId(b"\5" * 32)) is None


def test_a_blob_of_the_reference_has_the_reference_id(alice: Peer, services: NodeServices) -> None:
    writer = services.blob_create()
    writer.write(b"hello")
    blob_id = writer.finish()
    assert blob_id.hex() == "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50"
    blob = alice.ask(m.GetBlob(blob_id)).blob
    assert blob is not None
    assert [link.hex() for link in blob.links] == ["2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"]
    empty = services.blob_create().finish()
    assert empty.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    reader = services.blob_open(empty)
    assert reader is not None
    assert reader.read(1) == b""


def test_a_blob_has_a_largest_size(services: NodeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BLOB", 4)
    writer = services.blob_create()
    writer.write(b"1234")
    with pytest.raises(HostError, match="larger than the limit of 4 bytes"):
        writer.write(b"5")
    writer.abort()


def test_a_guest_gets_what_the_quota_leaves(alice: Peer) -> None:
    ports = alice.worker.ports
    used = blobs.usage(alice.home / "blobs")
    alice.worker.ports = replace(ports, blob_quota=used + 4)
    writer = alice.worker.host.services(CONTEXT).blob_create()
    writer.write(b"1234")
    with pytest.raises(HostError, match="larger than the limit of 4 bytes"):
        writer.write(b"5")
    writer.abort()
    assert blobs.usage(alice.home / "blobs") == used


def test_the_other_workers_hear_of_a_new_blob(alice: Peer, services: NodeServices) -> None:
    writer = services.blob_create()
    writer.write(b"data")
    alice.notes.clear()
    blob_id = writer.finish()
    ((peer, note),) = alice.notes
    assert isinstance(note, m.BlobMade)
    assert (peer, [row.id for row in note.blobs][-1], len(note.blobs)) == ("sync", blob_id, 2)


def test_a_missing_chunk_is_named(alice: Peer, services: NodeServices) -> None:
    writer = services.blob_create()
    writer.write(b"data")
    blob_id = writer.finish()
    (chunk,) = alice.worker.rows.chunks(blob_id) or []
    alice.worker.rows.chunk_file(chunk).unlink()
    reader = services.blob_open(blob_id)
    assert reader is not None
    with pytest.raises(NotFound, match=f"chunk {chunk} of the blob"):
        reader.read(1)
    reader.close()
    assert alice.worker.rows.read_blob(blob_id) is None


def test_defect_b9_a_chunk_is_whole_or_absent(tmp_path: Path) -> None:
    file = tmp_path / "blobs" / "x"
    write_chunk(file, b"content")
    assert file.read_bytes() == b"content"
    assert file.stat().st_mode & 0o777 == 0o600
    write_chunk(file, b"other")
    assert file.read_bytes() == b"content", "a chunk is named by its content and never rewritten"
    assert [entry.name for entry in file.parent.iterdir()] == ["x"]
