"""Blob files: ids, chunks, limits, and reading from any place."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import ContextError, NotFound, StorageError
from workers.blobs import (
    AHEAD,
    CHUNK_SIZE,
    EMPTY,
    BlobReader,
    BlobWriter,
    StoredBlob,
    chunk_file,
    is_complete,
    read_all,
    room,
    sweep,
    usage,
)

LIMIT = 8 << 20
NOBODY = (1 << 22) + 1
"""A pid above all that Linux and macOS give."""


def _write(folder: Path, *parts: bytes) -> StoredBlob:
    writer = BlobWriter(folder, LIMIT)
    for part in parts:
        writer.write(part)
    return writer.finish()


def test_a_small_blob_has_the_known_id(tmp_path: Path) -> None:
    stored = _write(tmp_path, b"hel", b"lo")
    assert str(stored.blob.id) == "B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH"
    assert stored.blob.hash == hashlib.sha256(b"hello").digest()
    assert BlobReader(tmp_path, stored.blob).read(100) == b"hello"


def test_the_empty_blob_has_no_chunks(tmp_path: Path) -> None:
    stored = _write(tmp_path)
    assert (stored.blob.id, stored.blob.links, stored.blob.size) == (EMPTY, [], 0)
    assert BlobReader(tmp_path, stored.blob).read(1) == b""


def test_equal_chunks_are_stored_once(tmp_path: Path) -> None:
    stored = _write(tmp_path, bytes(3 * CHUNK_SIZE), b"tail")
    assert len(stored.blob.links) == 4
    assert len(stored.rows) == 3
    assert len(list(tmp_path.iterdir())) == 2
    assert is_complete(tmp_path, stored.blob)


@given(st.integers(0, 2 * CHUNK_SIZE + 7), st.integers(1, CHUNK_SIZE * 2))
def test_reading_starts_anywhere(offset: int, size: int) -> None:
    content = bytes(range(256)) * (2 * CHUNK_SIZE // 256) + b"1234567"
    with tempfile.TemporaryDirectory() as folder:
        stored = _write(Path(folder), content)
        reader = BlobReader(Path(folder), stored.blob, offset)
        assert reader.read(size) == content[offset : offset + size]
        assert b"".join(reader.parts()) == content[offset + size :]
        reader.close()


def test_a_blob_over_the_limit_leaves_nothing(tmp_path: Path) -> None:
    kept = _write(tmp_path, b"kept")
    writer = BlobWriter(tmp_path, 2 * CHUNK_SIZE)
    writer.write(b"x" * 2 * CHUNK_SIZE)
    with pytest.raises(ContextError, match="larger than the limit"):
        writer.write(b"x")
    assert [file.name for file in tmp_path.iterdir()] == [str(kept.blob.links[0])]


def test_a_missing_chunk_is_named(tmp_path: Path) -> None:
    stored = _write(tmp_path, b"hello")
    chunk_file(tmp_path, stored.blob.links[0]).unlink()
    assert not is_complete(tmp_path, stored.blob)
    with pytest.raises(NotFound, match="is not on this node"):
        BlobReader(tmp_path, stored.blob).read(1)


def test_chunk_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    stored = _write(tmp_path / "blobs", b"hello")
    assert chunk_file(tmp_path / "blobs", stored.blob.links[0]).stat().st_mode & 0o077 == 0


def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = _write(tmp_path, b"kept")
    real = os.fsync

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    writer = BlobWriter(tmp_path, LIMIT)
    writer.write(b"x" * CHUNK_SIZE)
    with pytest.raises(StorageError, match="was not written: No space left on device"):
        writer.finish()
    writer.abort()
    monkeypatch.setattr(os, "fsync", real)
    assert [file.name for file in tmp_path.iterdir()] == [str(kept.blob.links[0])]
    assert read_all(tmp_path, kept.blob) == b"kept"


def test_a_full_disk_ends_a_long_upload_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    writer = BlobWriter(tmp_path, 1 << 30)
    for number in range(AHEAD):
        writer.write(bytes([number]) * CHUNK_SIZE)
    with pytest.raises(StorageError, match="was not written: No space left on device"):
        writer.write(b"x" * CHUNK_SIZE)
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_two_uploads_of_one_content_at_once_are_both_whole(tmp_path: Path) -> None:
    content = [bytes([number]) * CHUNK_SIZE for number in range(6)]

    def upload(_: int) -> StoredBlob:
        writer = BlobWriter(tmp_path, 1 << 24)
        for part in content:
            writer.write(part)
        return writer.finish()

    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(upload, range(4)))
    assert {blob.blob.id for blob in stored} == {stored[0].blob.id}
    assert read_all(tmp_path, stored[0].blob) == b"".join(content)
    assert len(list(tmp_path.iterdir())) == len(content)


@pytest.mark.parametrize("whole_first", [True, False])
def test_a_transfer_that_breaks_off_takes_nothing_from_another(tmp_path: Path, whole_first: bool) -> None:
    """Both write the same chunk, whoever of them is faster."""
    kept, broken = BlobWriter(tmp_path, LIMIT), BlobWriter(tmp_path, LIMIT)
    for writer in (kept, broken):
        writer.write(b"x" * CHUNK_SIZE)
    if whole_first:
        stored = kept.finish()
        broken.abort()
    else:
        broken.abort()
        stored = kept.finish()
    assert read_all(tmp_path, stored.blob) == b"x" * CHUNK_SIZE
    assert len(list(tmp_path.iterdir())) == 1


def test_a_part_that_was_deleted_meanwhile_is_noticed(tmp_path: Path) -> None:
    earlier = _write(tmp_path, b"x" * CHUNK_SIZE)
    writer = BlobWriter(tmp_path, LIMIT)
    writer.write(b"x" * CHUNK_SIZE)
    writer._wait()
    chunk_file(tmp_path, earlier.blob.links[0]).unlink()
    with pytest.raises(ContextError, match="send the blob again"):
        writer.finish()


def test_the_room_is_what_the_quota_leaves(tmp_path: Path) -> None:
    assert room(tmp_path / "new", 100, 1000) == 100
    _write(tmp_path, b"x" * 60)
    assert usage(tmp_path) == 60
    assert [room(tmp_path, quota, 1000) for quota in (0, 50, 100, 5000)] == [1000, 0, 40, 1000]


def test_what_a_killed_process_had_aside_is_swept_at_once(tmp_path: Path) -> None:
    """A writer at work is left alone, whoever else wrote before it."""
    kept = _write(tmp_path, b"x" * CHUNK_SIZE)
    writer = BlobWriter(tmp_path, LIMIT)
    writer.write(b"y" * CHUNK_SIZE)
    writer._wait()
    for name in (f".chunk.{NOBODY}.0", ".chunk.x.0", f".chunk.{NOBODY}", ".chunk.99999999999999999999.0"):
        (tmp_path / name).write_bytes(b"123")
    assert sweep(tmp_path, [row.id for row in kept.rows], time.time()) == (1, 3)
    stored = writer.finish()
    assert read_all(tmp_path, stored.blob) == b"y" * CHUNK_SIZE
