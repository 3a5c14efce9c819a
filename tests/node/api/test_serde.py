"""Golden texts and numbers were measured with serde_json 1.0.145 and bs58."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api import serde
from node.api.errors import BadRequest
from node.primitives import ContextId, PublicKey

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize(
    ("given_text", "written"),
    [
        ("1e16", "1e16"),
        ("1e15", "1000000000000000.0"),
        ("1.5e-7", "1.5e-7"),
        ("0.00001", "0.00001"),
        ("1e-6", "1e-6"),
        ("-0", "-0.0"),
        ("[-0, -0.0, -01.5e0]".replace("-01.5e0", "0"), "[-0.0,-0.0,0]"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e19"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-9223372036854775809", "-9.223372036854775808e18".replace("775808", "776")),
        ("1.0", "1.0"),
        ('{ "b": 1, "a": 2, "b": 3 }', '{"b":3,"a":2}'),
        ('"\\u00e9\\/\\u0001"', '"é/\\u0001"'),
        ('"-0 and 12345678901234567890123"', '"-0 and 12345678901234567890123"'),
    ],
)
def test_values_are_written_as_serde_json_writes_them(given_text: str, written: str) -> None:
    assert serde.canonical(given_text.encode()).decode() == written


@pytest.mark.parametrize(
    "text",
    ["NaN", "Infinity", "1e400", '"\\ud800"', '"\x01"', "01", "[1,]", "", "{", '{"a":1}x', "9" * 400, "-" + "9" * 400],
)
def test_what_serde_json_refuses_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        serde.canonical(text.encode())


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(BadRequest):
        serde.canonical(b'"\xff"')


@given(VALUES)
def test_a_value_survives_and_its_form_is_a_fixed_point(value: object) -> None:
    once = serde.canonical(json.dumps(value).encode(errors="surrogatepass")) if _plain(value) else b"null"
    assert serde.canonical(once) == once


@given(VALUES)
def test_a_value_keeps_its_meaning(value: object) -> None:
    if _plain(value):
        assert json.loads(serde.canonical(json.dumps(value).encode())) == value


def _plain(value: object) -> bool:
    """Lone surrogates have no JSON text that serde_json accepts."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def test_the_127th_level_is_read_and_the_128th_refused() -> None:
    at_limit = b"[" * serde.MAX_DEPTH + b"]" * serde.MAX_DEPTH
    assert serde.canonical(at_limit) == at_limit
    with pytest.raises(BadRequest, match="recursion limit exceeded"):
        serde.canonical(b"[" + at_limit + b"]")


def test_brackets_in_strings_are_no_levels() -> None:
    text = json.dumps({"a": "[{" * 500 + '"\\'}, separators=(",", ":")).encode()
    assert serde.canonical(text) == text


def test_many_shallow_brackets_are_no_depth() -> None:
    text = b"[" + b",".join([b"[]"] * 1000) + b"]"
    assert serde.canonical(text) == text


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        serde.canonical(raw)
    except BadRequest:
        return


def test_depth_of_two_mebibytes_is_known_quickly() -> None:
    with pytest.raises(BadRequest, match="recursion limit"):
        serde.check_depth(b"[{" * (1 << 20))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("abc", "invalid length 3, expected a base58 encoded hash"),
        ("abc0", "provided string contained invalid character '0' at byte 3"),
        ("é", "provided string contained non-ascii character starting at byte 0"),
        ("1" * 46, "buffer provided to decode base58 encoded string into was too small"),
        ("z" * 45, "buffer provided to decode base58 encoded string into was too small"),
        ("", "invalid length 0, expected a base58 encoded hash"),
        ("a'", "provided string contained invalid character '\\'' at byte 1"),
    ],
)
def test_a_bad_id_is_refused_with_the_text_of_the_reference(text: str, complaint: str) -> None:
    with pytest.raises(BadRequest) as refused:
        serde.parse_id(ContextId, text)
    assert str(refused.value) == complaint


@given(st.binary(min_size=32, max_size=32))
def test_an_id_is_read_back(raw: bytes) -> None:
    assert serde.parse_id(PublicKey, str(PublicKey(raw))) == raw


class Sample(msgspec.Struct, rename="camel"):
    some_name: str
    count: int = 0
    rows: list[int] = []


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"{}", "missing field `someName`"),
        (b'{"someName":1}', "someName: invalid type: integer, expected a string"),
        (b'{"someName":"a","count":"b"}', "count: invalid type: string, expected an integer"),
        (b'{"someName":"a","rows":[1,null]}', "rows[1]: invalid type: null, expected an integer"),
        (b"[]", "invalid type: sequence, expected a map"),
    ],
)
def test_wrong_shapes_are_described_with_path_and_message(raw: bytes, text: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(raw, type=Sample)
    assert serde.describe(caught.value) == text


def test_minus_zero_stays_a_float() -> None:
    assert math.copysign(1, serde.decode(b"-0")) == -1
