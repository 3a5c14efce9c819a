"""The oracle gives the values that the native crate gave: roots, state digests and artifacts of recorded cases."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable

import pytest
from nacl.signing import SigningKey

from tests.interop.storage_oracle.driver import CONTEXT, MODULE, OracleError, OraclePanic, StorageOracle
from tests.interop.storage_oracle.serve import answers

SECOND = 1_000_000_000
FAR = 1_800_000_000 * SECOND
ADD, DELETE, UPDATE = 0, 2, 3


def metadata(created: int, updated: int, storage: bytes = b"\0", crdt: bytes = b"\0") -> bytes:
    return struct.pack("<QQ", created, updated) + storage + crdt + b"\0"


def upsert(tag: int, entity: bytes, data: bytes, ancestors: list[tuple[bytes, bytes, bytes]], meta: bytes) -> bytes:
    rows = b"".join(b"".join(row) for row in ancestors)
    return bytes([tag]) + entity + struct.pack("<I", len(data)) + data + struct.pack("<I", len(ancestors)) + rows + meta


def delete(entity: bytes, at: int, meta: bytes) -> bytes:
    return bytes([DELETE]) + entity + struct.pack("<Q", at) + meta


ROOT_WRITE = upsert(UPDATE, CONTEXT, CONTEXT, [], metadata(10, 10))
UNDER_ROOT = [(CONTEXT, bytes(32), metadata(10, 10))]


def entity(number: int) -> bytes:
    return bytes([number]) * 32


def leaf(tag: int, number: int, data: bytes, created: int, updated: int, crdt: bytes = b"\0") -> bytes:
    return upsert(tag, entity(number), data, UNDER_ROOT, metadata(created, updated, crdt=crdt))


def gone(number: int, at: int) -> bytes:
    return delete(entity(number), at, metadata(20, 20))


APPLIED = {
    "sparse ancestor": (
        [upsert(UPDATE, entity(0x33), b"\x21" * 10, [(CONTEXT, b"\x25" * 32, metadata(43, 22))], metadata(1, 1))],
        "45faa996a0d7cc8208fb49b4504177bf25c5cbb81c87623c7fcfcd84e7f7f1ce",
        "1d6b054d5c587c5d5c4bf12a19e4bfe1303ea21b11e4fa5c25bc7431f1734ffd",
    ),
    "children by time and id": (
        [ROOT_WRITE, leaf(ADD, 3, b"c", 30, 30), leaf(ADD, 2, b"b", 20, 20), leaf(ADD, 1, b"a", 30, 30)],
        "89361f31daadf433fb8863417546ecf06cfc03b3ec1e439641f13918467fbb0b",
        "e238b45ec1f038f3f29f90a9cb47c14173f74a80808be6b48b1db2f67a190c41",
    ),
    "delete": (
        [ROOT_WRITE, leaf(ADD, 1, b"a", 20, 20), leaf(ADD, 2, b"b", 21, 21), gone(1, 25)],
        "ac94b72d6dc7556baeb18e99f06e7414937c8330192b11e939a04dee1b440a55",
        "edd30511bd9002b5064df9cfad8d8fce1f60f8d0b4070cae35877301d599b8a2",
    ),
    "older delete overwrites": (
        [ROOT_WRITE, leaf(ADD, 1, b"a", 20, 20), gone(1, 30), gone(1, 25)],
        "3400ed2963c94e95129c16a36efa0b9eb4f0c02274cba62fe6f2e006d9a72600",
        "d6a24eb439a3f7d00a5dcda056d5b5ad3ab4187fdd017759e819bc4812953345",
    ),
    "ghost": (
        [ROOT_WRITE, leaf(ADD, 1, b"a", 20, 20), gone(1, 30), leaf(ADD, 1, b"a2", 40, 40)],
        "a66b6e162ee90224e0136df743c8ffb471473c0b40ce6f066bfc91dc4be94fe7",
        "edf60fe822610b5e59b861a99dd1e408d42bea280cb81c7acc0cd4a71191ed7e",
    ),
    "tie takes the incoming": (
        [ROOT_WRITE, leaf(ADD, 1, b"new", 20, 30), leaf(UPDATE, 1, b"old", 20, 30)],
        "3201b06eb860cb0b58aa99fd3fc7e6045f1861fc39c8d7abfd2c1dc5e323f701",
        "3ff336557e566bd0d42ac628b8d199bf2149544dbb268110d60dc1a77cf9e3a1",
    ),
    "frozen keeps the first": (
        [ROOT_WRITE, leaf(ADD, 1, b"first", 20, 20, b"\1\x08"), leaf(UPDATE, 1, b"second", 20, 30, b"\1\x08")],
        "eecaff8a9d29aab6725e517fc509931980ee50bd62a24db3e31687158e95a142",
        "325ee73428f80fb8b88ac8c2953839457b01353ca07281b83e03297aa84e88f3",
    ),
    "counter that cannot be decoded": (
        [ROOT_WRITE, leaf(ADD, 1, b"first", 20, 20, b"\1\x01"), leaf(UPDATE, 1, b"second", 20, 30, b"\1\x01")],
        "4330671d5760e1adbd126532bf846ae6935a9d0cc050a3c15c699a1db202de0d",
        "b6e4f0a12f207065acd12a5521fcefbe8b7386d1eae8ab555b8db487c5835250",
    ),
}


@pytest.mark.parametrize("name", APPLIED)
def test_applied_actions_give_the_recorded_state(name: str) -> None:
    actions, root, digest = APPLIED[name]
    oracle = StorageOracle(now=FAR)
    for action in actions:
        oracle.apply(action)
    assert (oracle.root_hash() or b"").hex() == root
    assert oracle.digest().hex() == digest


def test_signatures_are_checked_by_the_host() -> None:
    oracle = StorageOracle(now=FAR)
    key = SigningKey(b"\x11" * 32)
    owner = key.verify_key.encode()

    def mine(signature: bytes) -> bytes:
        storage = b"\1" + owner + b"\1" + signature + struct.pack("<Q", 20)
        return upsert(ADD, entity(0x66), b"mine", UNDER_ROOT, metadata(20, 20, storage))

    payload = bytes.fromhex(oracle.call("codec.payload", action=mine(bytes(64))))
    oracle.apply(ROOT_WRITE)
    with pytest.raises(OracleError, match="Invalid signature for user-owned data"):
        oracle.apply(mine(bytes(64)))
    oracle.apply(mine(key.sign(payload).signature))
    with pytest.raises(OracleError, match="Nonce replay"):
        oracle.apply(mine(key.sign(payload).signature))


MAP_STEPS = (
    (
        "6400c1459acdc758f24ce3004a5e608f94053d694f11b4c9361d43941a634022",
        "85d3cb1466539ea00c82115d9a9e946cc07c7005e55655a8bc41aedf228adaaa",
    ),
    (
        "76a0089bc7712121f5ac41c31cfc3adc750062a763c2dc6fe7ed3622231807fb",
        "e15fc097b760587f1b25b25f47f3321c4e247ef8a0b91711acf6918a67de5b61",
    ),
    (
        "a608b1edad371b0e92757a9cfb8126a9844f6818a1eee458cfb8e3c169857187",
        "dafc40f0e2874e817af6015b71c7f5548bd3ae05f7bf5f73de016c2caf3cca83",
    ),
    (
        "1b512790b3a845514bd3e8b81b3c79726872aa783166067b7302beddcc033aeb",
        "2330a8e02f597ac7356e12302665478f66af751b31b7b675becced4329365733",
    ),
    (
        "34537568684dc5fef980688f3190042992962517f9160310ed6f01b5082ee320",
        "a5e7b926286f403a1d76ce617e23d38656fc8d66d2590000af3afd12cf7ddd5d",
    ),
    (
        "273edd8b874af3c5e9c4857c7a914cb65164ec180026f811a2451403d3aac29a",
        "339455a4f8c7d550dd2116fa0ab1514a8e6983499a3adfe7ebb08739533760c8",
    ),
)
MAP_DIGEST = "01d69c49f0bd555a3d54f268a1ff9b62c156a06d131a26aff46498aef9174043"


def rooted() -> StorageOracle:
    oracle = StorageOracle()
    oracle.call("tree.add_root", id=CONTEXT, hash=bytes(32), metadata=metadata(SECOND, SECOND))
    return oracle


def artifact_hash(oracle: StorageOracle) -> str:
    """SHA-256 of the artifact that the flush committed."""
    oracle.flush()
    return hashlib.sha256(oracle.commits[-1][1]).hexdigest()


def test_js_map_gives_the_recorded_roots_and_artifacts() -> None:
    oracle = rooted()
    wrapper = bytes.fromhex(oracle.call("js.map.new"))
    steps: list[Callable[[], object]] = [
        lambda: None,
        lambda: oracle.call("js.map.insert", id=wrapper, key=b"k1", value=b"v1"),
        lambda: oracle.call("js.map.insert", id=wrapper, key=b"k2", value=b"v2"),
        lambda: oracle.call("js.map.insert", id=wrapper, key=b"k1", value=b"v3"),
        lambda: oracle.call("js.map.remove", id=wrapper, key=b"k2"),
        lambda: oracle.call("js.map.insert", id=wrapper, key=b"k2", value=b"v4"),
    ]
    seen = []
    for second, step in enumerate(steps, start=1):
        oracle.now = second * SECOND
        step()
        seen.append(((oracle.root_hash() or b"").hex(), artifact_hash(oracle)))
    assert tuple(seen) == MAP_STEPS
    assert oracle.digest().hex() == MAP_DIGEST
    assert oracle.call("js.map.get", id=wrapper, key=b"k2") is None
    assert oracle.call("js.map.len", id=wrapper) == 2


def test_clock_gives_the_recorded_times() -> None:
    oracle = StorageOracle(executor=bytes(range(32)))
    times = []
    for now in (1700000000123456789, 1700000000123456789, 1700000000123456790, 1700000000123472000, 0):
        oracle.now = now
        times.append(struct.unpack("<Q", bytes.fromhex(oracle.call("tree.hlc"))[:8])[0])
    assert times == [
        0x6553F1001F9A0000,
        0x6553F1001F9A0001,
        0x6553F1001F9A0000,
        0x6553F1001F9B0000,
        0x6553F1001F9B0001,
    ]


def test_a_failed_attempt_leaves_nothing() -> None:
    oracle = rooted()
    oracle.flush()
    before = dict(oracle.rows)
    batch = b"\0" + struct.pack("<I", 2) + leaf(ADD, 1, b"a", 20, 20) + gone(9, 25)
    with pytest.raises(OracleError, match="Index not found"):
        oracle.attempt("tree.sync", artifact=batch)
    assert oracle.rows == before
    assert oracle.flush() is None


def test_a_panic_is_told_and_a_restart_goes_on() -> None:
    oracle = StorageOracle(now=FAR)
    oracle.apply(ROOT_WRITE)
    mixed = b"\0" + struct.pack("<I", 2) + b"\1" + CONTEXT + leaf(ADD, 1, b"a", 20, 20)
    oracle.call("tree.add_child", parent=CONTEXT, data=b"pending")
    with pytest.raises(OraclePanic):
        oracle.attempt("tree.sync", artifact=mixed)
    assert oracle.root_hash() is not None


def test_lines_answer_lines() -> None:
    oracle = StorageOracle()
    requests = [
        '{"op": "host.set", "now": 5}',
        '{"op": "js.counter.new"}',
        '{"op": "tree.apply", "action": "01", "atomic": true}',
        "no json",
        '{"op": "host.nothing"}',
        '{"op": "host.rows"}',
    ]
    ok, made, short, garbled, unknown, rows = (json.loads(line) for line in answers(requests, oracle))
    assert ok == {"ok": None}
    assert oracle.now == 5
    assert len(made["ok"]) == 64
    assert "action" in short["error"]
    assert set(garbled) == {"error"}
    assert "host.nothing" in unknown["error"]
    assert len(rows["ok"]) == len(oracle.rows)


def test_module_has_its_sum() -> None:
    name, digest = "storage_oracle.wasm", hashlib.sha256(MODULE.read_bytes()).hexdigest()
    assert MODULE.with_name("SHA256SUMS").read_text().split() == [digest, name]
