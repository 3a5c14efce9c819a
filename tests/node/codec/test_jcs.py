"""Canonical JSON: the examples of RFC 8785, and numbers as ECMAScript prints them."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.codec.jcs import MAX_DEPTH, MAX_EXACT, Json, canonical
from node.errors import CodecError

NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize("bits", NUMBERS)
def test_numbers(bits: str) -> None:
    assert canonical(struct.unpack(">d", bytes.fromhex(bits))[0]).decode() == NUMBERS[bits]


def test_members_are_sorted_by_utf_16() -> None:
    value: Json = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7}
    expected = '{"\\r":2,"1":4,"\x80":6,"\xf6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'
    assert canonical(value).decode() == expected


def test_the_example_of_the_standard() -> None:
    value: Json = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '\u20ac$\u000f\nA\'\u0042"\\\\"/',
        "literals": [None, True, False],
    }
    assert canonical(value).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_tuples_are_arrays_and_integers_are_exact() -> None:
    assert canonical(((), {}, MAX_EXACT, -MAX_EXACT)) == f"[[],{{}},{MAX_EXACT},{-MAX_EXACT}]".encode()


DEEP: Json = None
for _ in range(MAX_DEPTH + 1):
    DEEP = [DEEP]

REFUSED: dict[str, tuple[object, str]] = {
    "nan": (float("nan"), "nan has no JSON form"),
    "infinity": (float("inf"), "inf has no JSON form"),
    "inexact": (MAX_EXACT + 1, "beyond the exact range"),
    "bytes": (b"x", "bytes has no JSON form"),
    "name": ({1: 2}, "names of JSON members are texts"),
    "surrogate": ("\ud800", "lone surrogate"),
    "depth": (DEEP, "nested deeper"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_written(name: str) -> None:
    value, reason = REFUSED[name]
    with pytest.raises(CodecError, match=reason):
        canonical(value)  # type: ignore[arg-type]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(value: float) -> None:
    assert float(canonical(value)) == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_EXACT, MAX_EXACT) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)


@given(JSON)
def test_it_is_json_and_a_fixed_point(value: Json) -> None:
    raw = canonical(value)
    assert canonical(json.loads(raw)) == raw
