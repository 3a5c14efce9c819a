from __future__ import annotations

import json

import pytest

from node.abi.manifest import MAX_DEPTH, MAX_MANIFEST, Parameter, TypeRef, parse_manifest
from node.errors import DecodeError
from tests.node.abi.samples import KV, manifest


def test_methods_read_as_signatures() -> None:
    assert [str(m) for m in KV.methods] == [
        "init()",
        "set(key: string, value: string)",
        "get(key: string) -> string?",
        "put(item: Item, tags: list<string>, note?: string) -> u64",
        "grant(who: bytes[32], role: Role, blob: bytes)",
        "move_to(at: Point, extra: map<string, i32>, hits: counter)",
    ]
    assert KV.method("nope") is None
    assert KV.schema_version == "wasm-abi/1"
    assert KV.state_root == "Item"


def test_events_and_named_types() -> None:
    assert [(e.name, str(e.payload)) for e in KV.events] == [("Inserted", "Item"), ("Cleared", "None")]
    item, role, point = KV.named("Item"), KV.named("Role"), KV.named("Point")
    assert item is not None
    assert item.fields[0] == Parameter("id", TypeRef("u32"))
    assert role is not None
    assert [v.name for v in role.variants] == ["Admin", "Member"]
    assert point is not None
    assert point.target is not None
    assert point.target.kind == "record"
    assert KV.named("Other") is None


def test_unknown_keys_are_ignored() -> None:
    parsed = manifest({"methods": [{"name": "a", "later": 1}], "state_version": 3})
    assert str(parsed.methods[0]) == "a()"


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], "<root>"),
        ({"methods": {}}, "methods"),
        ({"methods": [1]}, "methods[0]"),
        ({"methods": [{}]}, "methods[0].name"),
        ({"methods": [{"name": "a", "params": [{"name": "b"}]}]}, "methods[0].params[0].type"),
        ({"methods": [{"name": "a", "returns": {"kind": "u7"}}]}, "methods[0].returns"),
        ({"methods": [{"name": "a", "returns": {"kind": "bytes", "size": "x"}}]}, "methods[0].returns.size"),
        ({"methods": [{"name": "a", "returns": {"kind": "list"}}]}, "methods[0].returns.items"),
        ({"types": {"A": {"kind": "alias"}}}, "types.A.target"),
        ({"events": [{"name": 4}]}, "events[0].name"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(document: object, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        manifest(document)
    assert f"(field {path}," in str(caught.value)


def test_text_that_is_no_manifest() -> None:
    for raw in (b"", b"{", b"\xff", b" " * (MAX_MANIFEST + 1), b"[" * 100_000):
        with pytest.raises(DecodeError):
            parse_manifest(raw)


def test_nesting_at_its_edge() -> None:
    def nested(depth: int) -> object:
        kind: object = {"kind": "u32"}
        for _ in range(depth):
            kind = {"kind": "list", "items": kind}
        return {"methods": [{"name": "a", "returns": kind}]}

    assert manifest(nested(MAX_DEPTH)).methods
    with pytest.raises(DecodeError, match="nested deeper"):
        manifest(nested(MAX_DEPTH + 1))


def test_a_manifest_survives_its_own_text() -> None:
    raw = json.dumps({"methods": [{"name": "ä", "params": []}]}, ensure_ascii=False).encode()
    assert parse_manifest(raw).methods[0].name == "ä"
