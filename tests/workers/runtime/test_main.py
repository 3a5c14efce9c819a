"""The process: recovers after a kill, keeps what it acknowledged, keeps its files private."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from node.primitives import ApplicationId, BlobId, Hash, PrivateKey
from node.store.places import shard_dir
from node.store.rocks import RocksStore
from node.store.shards import SHARDS, shard_of
from tests.workers.runtime.nodes import CONFIG, CONTEXT, WASM
from tests.workers.runtime.process import RuntimeProcess
from workers.blobs import write_chunk
from workers.messages import runtime as m
from workers.messages.records import ApplicationRecord, BlobRecord, OwnedIdentity


def create(process: RuntimeProcess, home: Path) -> OwnedIdentity:
    content = (WASM / "kv.wasm").read_bytes()
    digest = hashlib.sha256(content).digest()
    chunk, blob = BlobId(digest), BlobId(hashlib.sha256(digest).digest())
    write_chunk(home / "blobs" / str(chunk), content)
    process.ask(m.PutBlobs([BlobRecord(blob, len(content), Hash(digest), [chunk])]))
    public = process.ask(m.NewIdentity()).public_key
    pooled = process.ask(m.ReadIdentity(public)).identity
    assert pooled is not None
    identity = OwnedIdentity(public, pooled.private_key, PrivateKey(b"\x33" * 32))
    application = ApplicationRecord(ApplicationId(b"\xa1" * 32), blob, len(content), "file:x")
    process.ask(m.InitContext(CONTEXT, application, identity, b"{}"))
    process.ask(m.CommitContext(CONTEXT, CONFIG))
    return identity


def set_key(process: RuntimeProcess, identity: OwnedIdentity, key: str, value: str) -> m.Executed:
    args = json.dumps({"key": key, "value": value}).encode()
    return process.ask(m.Execute(CONTEXT, "set", args, identity.public_key))


def get_key(process: RuntimeProcess, identity: OwnedIdentity, key: str) -> bytes | None:
    return process.ask(m.Execute(CONTEXT, "get", json.dumps({"key": key}).encode(), identity.public_key)).returns


def test_a_killed_worker_has_what_it_acknowledged(tmp_path: Path) -> None:
    process = RuntimeProcess(tmp_path)
    identity = create(process, tmp_path)
    for n in range(20):
        result = set_key(process, identity, f"k{n}", str(n))
    (delta, *_) = process.told(m.DeltaCommitted)
    assert isinstance(delta, m.DeltaCommitted)
    assert delta.delta.author == identity.public_key
    process.kill()
    process = RuntimeProcess(tmp_path)
    assert get_key(process, identity, "k19") == b'"19"'
    heads = process.ask(m.GetHeads(CONTEXT))
    assert (heads.root, len(heads.heads)) == (result.root, 1)
    assert set_key(process, identity, "k20", "20").root != result.root
    process.stop()
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "data").rglob("*")}
    assert modes == {0}


def test_two_workers_share_the_shards(tmp_path: Path) -> None:
    processes = [RuntimeProcess(tmp_path, index=index, workers=2) for index in range(2)]
    owned = [json.loads(p.ask(m.RuntimeStats()).stats)["shards"] for p in processes]
    assert sorted(owned[0] + owned[1]) == list(range(SHARDS))
    owner = processes[shard_of(CONTEXT) % 2]
    assert owner.ask(m.ListContexts()).contexts == []
    for process in processes:
        process.stop()


def test_a_second_worker_on_the_same_shards_does_not_start(tmp_path: Path) -> None:
    process = RuntimeProcess(tmp_path)
    process.ask(m.ListContexts())
    with pytest.raises(TimeoutError, match=r"exit code 1.*open in another process: stop that node first"):
        RuntimeProcess(tmp_path)
    process.stop()


@pytest.mark.parametrize("torn", ["MANIFEST", "CURRENT"])
def test_a_torn_shard_stops_the_start_and_nothing_changes(tmp_path: Path, torn: str) -> None:
    for number in (0, 3):
        RocksStore(shard_dir(tmp_path / "data", number), number).close()
    (file,) = (tmp_path / "data" / "shard-3").glob(f"{torn}*")
    os.truncate(file, 5)
    before = content(tmp_path / "data")
    with pytest.raises(TimeoutError, match=r"exit code 1.*shard-3 is damaged.*Restore it from a backup"):
        RuntimeProcess(tmp_path)
    assert content(tmp_path / "data") == before


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
