from __future__ import annotations

import pytest

from node.abi.arguments import check_arguments, encode_arguments, placeholder, template
from node.abi.manifest import Method, TypeRef
from node.primitives import PublicKey
from tests.node.abi.samples import KV, manifest

KEY = str(PublicKey(b"\7" * 32))
ITEM = {"id": 1, "label": None, "parts": [{"x": -1}]}


def method(name: str) -> Method:
    found = KV.method(name)
    assert found is not None
    return found


def problems(name: str, arguments: object, *, javascript: bool = False) -> list[str]:
    return [str(p) for p in check_arguments(KV, method(name), arguments, javascript=javascript)]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("init", None),
        ("init", {}),
        ("set", {"key": "a", "value": "b"}),
        ("set", ["a", "b"]),
        ("put", {"item": ITEM, "tags": ["x"], "note": None}),
        ("put", {"item": {"id": 0, "parts": []}, "tags": []}),
        ("grant", {"who": KEY, "role": "Admin", "blob": [0, 255]}),
        ("grant", {"who": [1] * 32, "role": {"Member": ITEM}, "blob": []}),
        ("grant", {"who": KEY, "role": {"type": "Admin", "more": 1}, "blob": []}),
        ("move_to", {"at": {"x": 1}, "extra": {"a": -1}, "hits": {"anything": 1}}),
    ],
)
def test_well_formed_calls(name: str, arguments: object) -> None:
    assert problems(name, arguments) == []


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("set", {"key": "a"}, "value: missing argument of type string"),
        ("set", {"key": 4, "value": "b"}, "key: a text is expected, 4 is given"),
        ("set", "a", "set takes an object of its arguments: set(key: string, value: string)"),
        ("set", ["a"], "set takes 2 arguments, 1 are given: set(key: string, value: string)"),
        ("set", {"key": None, "value": "b"}, "key: a text is expected, null is given"),
        ("put", {"item": {"id": -1, "parts": []}, "tags": []}, "item.id: -1 is outside u32: 0 to 4294967295"),
        (
            "put",
            {"item": {"id": 2**32, "parts": []}, "tags": []},
            "item.id: 4294967296 is outside u32: 0 to 4294967295",
        ),
        (
            "put",
            {"item": {"id": True, "parts": []}, "tags": []},
            "item.id: an integer (u32) is expected, true is given",
        ),
        ("put", {"item": {"id": 1.0, "parts": []}, "tags": []}, "item.id: an integer (u32) is expected, 1.0 is given"),
        (
            "put",
            {"item": {"id": 1, "parts": [{"x": 1}, {"x": []}]}, "tags": []},
            "item.parts[1].x: an integer (i64) is expected, a list is given",
        ),
        ("put", {"item": {"id": 1, "parts": [{}]}, "tags": []}, "item.parts[0].x: missing field of type i64"),
        ("put", {"item": ITEM, "tags": ["x", {}]}, "tags[1]: a text is expected, an object is given"),
        ("put", {"item": ITEM, "tags": "x"}, 'tags: a list is expected, "x" is given'),
        ("put", {"item": [], "tags": []}, "item: an object is expected, a list is given"),
        ("grant", {"who": KEY, "role": "Boss", "blob": []}, "role: 'Boss' is no variant of Role: Admin, Member"),
        (
            "grant",
            {"who": KEY, "role": {"Member": {"id": "x", "parts": []}}, "blob": []},
            'role.Member.id: an integer (u32) is expected, "x" is given',
        ),
        ("grant", {"who": [1] * 31, "role": "Admin", "blob": []}, "who: 32 bytes are expected, 31 are given"),
        (
            "grant",
            {"who": KEY, "role": "Admin", "blob": [0, 256]},
            "blob[1]: a byte (0 to 255) is expected, 256 is given",
        ),
        (
            "grant",
            {"who": KEY, "role": "Admin", "blob": "x"},
            'blob: a list of bytes (0 to 255) is expected, "x" is given',
        ),
        (
            "move_to",
            {"at": {"x": 1}, "extra": {"a": "b"}, "hits": 0},
            'extra.a: an integer (i32) is expected, "b" is given',
        ),
        ("move_to", {"at": {"x": 1}, "extra": [], "hits": 0}, "extra: an object is expected, a list is given"),
    ],
)
def test_the_path_of_a_wrong_value(name: str, arguments: object, problem: str) -> None:
    assert problems(name, arguments) == [problem]


def test_a_key_that_is_no_base58() -> None:
    (text,) = problems("grant", {"who": "0OIl", "role": "Admin", "blob": []})
    assert text.startswith("who: ")


def test_every_problem_at_once() -> None:
    assert len(problems("put", {"item": {"id": "x"}, "tags": [1, 2]})) == 4


def test_a_name_that_nobody_reads_is_no_failure() -> None:
    found = check_arguments(KV, method("set"), {"key": "a", "value": "b", "vlaue": "c"})
    assert [(p.path, p.fatal) for p in found] == [("vlaue", False)]
    assert "did you mean 'value'" in found[0].message
    found = check_arguments(KV, method("init"), {"zzz": 1})
    assert "known: none" in found[0].message


def test_integers_at_their_edges() -> None:
    kinds = {"i32": (-(2**31), 2**31 - 1), "u32": (0, 2**32 - 1), "i64": (-(2**63), 2**63 - 1), "u64": (0, 2**64 - 1)}
    for kind, (low, high) in kinds.items():
        parsed = manifest({"methods": [{"name": "m", "params": [{"name": "n", "type": {"kind": kind}}]}]})
        for value, good in ((low, True), (low - 1, False), (high, True), (high + 1, False)):
            assert (check_arguments(parsed, parsed.methods[0], {"n": value}) == []) is good


def test_javascript_takes_wide_numbers_as_text() -> None:
    arguments = {"at": {"x": "-9007199254740993"}, "extra": {}, "hits": 0}
    assert problems("move_to", arguments, javascript=True) == []
    assert len(problems("move_to", arguments)) == 1


def test_scalars_of_other_kinds() -> None:
    parsed = manifest(
        {
            "types": {
                "Id": {"kind": "bytes", "size": 2, "encoding": "hex"},
                "Loop": {"kind": "alias", "target": {"$ref": "Loop"}},
            },
            "methods": [
                {
                    "name": "m",
                    "params": [
                        {"name": "b", "type": {"kind": "bool"}},
                        {"name": "f", "type": {"kind": "f64"}},
                        {"name": "u", "type": {"kind": "unit"}},
                        {"name": "h", "type": {"$ref": "Id"}},
                        {"name": "l", "type": {"$ref": "Loop"}},
                        {"name": "n", "type": {"$ref": "Nowhere"}},
                    ],
                }
            ],
        }
    )
    good = {"b": True, "f": 1, "u": None, "h": "0aff", "l": 1, "n": 2}
    assert check_arguments(parsed, parsed.methods[0], good) == []
    bad = {"b": 0, "f": "1", "u": 0, "h": "0a", "l": 1, "n": 2}
    assert [p.path for p in check_arguments(parsed, parsed.methods[0], bad)] == ["b", "f", "u", "h"]
    assert [p.path for p in check_arguments(parsed, parsed.methods[0], good | {"h": "zz"})] == ["h"]


def test_encoding_never_escapes_what_borrowed_texts_refuse() -> None:
    assert encode_arguments({"key": "ü", "n": 2**64 - 1}) == '{"key":"ü","n":18446744073709551615}'.encode()
    with pytest.raises(ValueError, match="Out of range"):
        encode_arguments({"n": float("nan")})


def test_templates_are_well_formed() -> None:
    for name in ("init", "set", "put", "move_to"):
        assert problems(name, template(KV, method(name))) == []
    assert template(KV, method("grant")) == {"who": [], "role": "Admin", "blob": []}
    assert placeholder(KV, TypeRef("ref", name="Circle")) is None
    assert placeholder(KV, TypeRef("ref", name="Nowhere")) is None


def test_empty_variants_and_values_of_the_wrong_shape() -> None:
    parsed = manifest(
        {
            "types": {"Never": {"kind": "variant", "variants": []}},
            "methods": [
                {
                    "name": "m",
                    "params": [
                        {"name": "n", "type": {"$ref": "Never"}},
                        {"name": "b", "type": {"kind": "bytes"}},
                        {"name": "r", "type": {"kind": "record", "fields": [{"name": "x", "type": {"kind": "i32"}}]}},
                    ],
                }
            ],
        }
    )
    assert template(parsed, parsed.methods[0]) == {"n": None, "b": [], "r": {"x": 0}}
    found = check_arguments(parsed, parsed.methods[0], {"n": {"A": 1}, "b": {}, "r": {"x": 1}})
    assert [str(p) for p in found] == ["b: a list of bytes (0 to 255) is expected, an object is given"]
