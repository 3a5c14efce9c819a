"""Manifests for tests, with every form of type that the reference's emitter writes."""

from __future__ import annotations

import json

from node.abi.manifest import Manifest, parse_manifest

STRING = {"kind": "string"}

KV_DOCUMENT = {
    "schema_version": "wasm-abi/1",
    "types": {
        "Item": {
            "kind": "record",
            "fields": [
                {"name": "id", "type": {"kind": "u32"}},
                {"name": "label", "type": STRING, "nullable": True},
                {"name": "parts", "type": {"kind": "list", "items": {"$ref": "Point"}}},
            ],
        },
        "Role": {"kind": "variant", "variants": [{"name": "Admin"}, {"name": "Member", "payload": {"$ref": "Item"}}]},
        "Point": {"kind": "alias", "target": {"kind": "record", "fields": [{"name": "x", "type": {"kind": "i64"}}]}},
        "Circle": {"kind": "alias", "target": {"$ref": "Circle"}},
        "Id": {"kind": "bytes", "size": 2, "encoding": "hex"},
    },
    "methods": [
        {"name": "init", "params": [], "returns": {"kind": "unit"}},
        {
            "name": "set",
            "params": [{"name": "key", "type": STRING}, {"name": "value", "type": STRING}],
            "returns": {"kind": "unit"},
        },
        {"name": "get", "params": [{"name": "key", "type": STRING}], "returns": STRING, "returns_nullable": True},
        {
            "name": "put",
            "params": [
                {"name": "item", "type": {"$ref": "Item"}},
                {"name": "tags", "type": {"kind": "list", "items": STRING, "crdt_type": "unordered_set"}},
                {"name": "note", "type": STRING, "nullable": True},
            ],
            "returns": {"kind": "u64"},
        },
        {
            "name": "grant",
            "params": [
                {"name": "who", "type": {"kind": "bytes", "size": 32}},
                {"name": "role", "type": {"$ref": "Role"}},
                {"name": "blob", "type": {"kind": "bytes"}},
            ],
        },
        {
            "name": "move_to",
            "params": [
                {"name": "at", "type": {"$ref": "Point"}},
                {"name": "extra", "type": {"kind": "map", "key": "string", "value": {"kind": "i32"}}},
                {"name": "hits", "type": {"kind": "record", "fields": [], "crdt_type": "counter"}},
            ],
        },
    ],
    "events": [{"name": "Inserted", "payload": {"$ref": "Item"}}, {"name": "Cleared"}],
    "state_root": "Item",
}


def manifest(document: object) -> Manifest:
    return parse_manifest(json.dumps(document).encode())


KV = manifest(KV_DOCUMENT)
