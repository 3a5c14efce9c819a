"""Borsh: every kind of field, strictness, and errors that name offset and field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.codec import reading
from node.codec.borsh import (
    MAX_INPUT,
    Codec,
    Decoder,
    Fixed,
    Max,
    codec,
    decode,
    encode,
    f64,
    i8,
    i16,
    i32,
    i64,
    i128,
    u8,
    u16,
    u32,
    u64,
    u128,
    variant,
)
from node.errors import CodecError, DecodeError, InvalidId
from node.primitives import EntityId, Hash, PublicKey
from node.storage.entities import Metadata


@variant(0)
class Number(msgspec.Struct, frozen=True):
    value: u16


@variant(3)
@dataclass(frozen=True, slots=True)
class Nothing:
    """A variant without fields."""


@variant(1)
class Words(msgspec.Struct, frozen=True):
    text: str


@dataclass(frozen=True, slots=True)
class Inner:
    flag: bool
    name: str


@dataclass(frozen=True, slots=True)
class Whole:
    """One field of every kind."""

    small: u8
    wide: u128
    signed: tuple[i8, i16, i32, i64, i128]
    flag: bool
    real: f64
    fixed: Annotated[bytes, Fixed(3)]
    entity: EntityId
    blob: Annotated[bytes, Max(5)]
    text: Annotated[str, Max(8)]
    inner: Inner
    numbers: list[u32]
    ids: tuple[Hash, ...]
    many: Annotated[tuple[Inner, ...], Max(3)]
    table: dict[str, u8]
    maybe: u64 | None
    choice: Number | Nothing
    maybe_choice: Number | Nothing | None


PAIR = (Inner(flag=True, name=""), Inner(flag=False, name="x"))


def whole(**changes: object) -> Whole:
    values: dict[str, object] = {
        "small": 1, "wide": 2**127, "signed": (-1, -2, -3, -4, -5), "flag": True, "real": 1.5, "fixed": b"abc",
        "entity": EntityId(b"e" * 32), "blob": b"12345", "text": "grün", "inner": Inner(flag=False, name="i"),
        "numbers": [1, 2**32 - 1], "ids": (Hash.zero(), Hash(b"h" * 32)), "many": PAIR,
        "table": {"b": 2, "a": 1}, "maybe": 7, "choice": Number(9), "maybe_choice": Nothing(),
    }  # fmt: skip
    return Whole(**{**values, **changes})  # type: ignore[arg-type]


RAW = encode(whole())


def test_every_kind_of_field_survives() -> None:
    found = decode(Whole, RAW)
    assert found == whole()
    assert type(found.entity) is EntityId
    assert type(found.ids[0]) is Hash
    assert isinstance(found.numbers, list)


def test_the_layout_is_that_of_the_specification() -> None:
    assert encode(Inner(flag=True, name="é")) == b"\x01\x02\x00\x00\x00\xc3\xa9"
    assert encode(Number(0x0102)) == b"\x00\x02\x01"
    assert encode(Nothing()) == b"\x03"
    assert codec(dict[str, u8]).encode({"b": 2, "a": 1}) == bytes.fromhex("02000000010000006101010000006202")
    assert codec(u64 | None).encode(None) == b"\x00"
    assert codec(i16).encode(-2) == b"\xfe\xff"
    assert codec(f64).encode(-0.0) == bytes(7) + b"\x80"
    assert codec(list[Annotated[bytes, Fixed(2)]]).decode(b"\x02\0\0\0abcd") == [b"ab", b"cd"]


def test_a_variant_is_written_with_its_tag_also_on_its_own() -> None:
    assert decode(Number, b"\x00\x07\x00") == Number(7)
    assert decode(Nothing, b"\x03") == Nothing()
    with pytest.raises(DecodeError, match="1 is not the tag 0 of Number"):
        decode(Number, b"\x01\x07\x00")
    with pytest.raises(DecodeError, match="0 is not the tag 3 of Nothing"):
        decode(Nothing, b"\x00")


@pytest.mark.parametrize("end", range(len(RAW)))
def test_cut_bytes_are_refused_at_every_length(end: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(Whole, RAW[:end])
    assert 0 <= caught.value.offset <= end
    assert caught.value.field.split(".")[0].split("[")[0] in Whole.__dataclass_fields__


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_or_encode_to_themselves(data: bytes) -> None:
    try:
        value = decode(Whole, data)
    except DecodeError:
        return
    assert encode(value) == data


@given(st.integers(0, len(RAW) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_encodes_to_itself(at: int, byte: int) -> None:
    data = RAW[:at] + bytes([byte]) + RAW[at + 1 :]
    try:
        value = decode(Whole, data)
    except DecodeError:
        return
    assert encode(value) == data


BAD = {
    "bool": (codec(Inner), b"\x02\0\0\0\0", "2 is no bool", 0, "flag"),
    "utf-8": (codec(Inner), b"\x01\x01\0\0\0\xff", "utf-8", 5, "name"),
    "length": (codec(Inner), b"\x01\xff\xff\xff\xff", "needs 4294967295 bytes, 0 are left", 1, "name"),
    "count": (codec(list[u32]), b"\x02\0\0\0abcd", "length 2 needs 8 bytes, 4 are left", 0, ""),
    "option": (codec(u8 | None), b"\x02\x00", "2 is no option tag", 0, ""),
    "tag": (codec(Number | Nothing), b"\x01", "1 is no known tag", 0, ""),
    "variant": (codec(list[Number | Nothing]), b"\x02\0\0\0\x03\x00\x07", "2 bytes are needed", 6, "[1].value"),
    "nan": (codec(f64), b"\0\0\0\0\0\0\xf8\x7f", "NaN", 0, ""),
    "order": (codec(dict[u8, bool]), b"\x02\0\0\0\x02\x01\x01\x01", "ascending", 7, "[1]"),
    "twice": (codec(dict[u8, bool]), b"\x02\0\0\0\x01\x01\x01\x01", "ascending", 7, "[1]"),
    "left over": (codec(u8), b"\x01\x02", "1 bytes are left over", 1, ""),
    "cap": (codec(Annotated[bytes, Max(2)]), b"\x03\0\0\0abc", "length 3 is above the limit 2", 0, ""),
    "nested": (codec(tuple[Inner, ...]), b"\x01\0\0\0\x01\x01\0\0\0\xff", "utf-8", 9, "[0].name"),
    "empty": (codec(u8), b"", "1 bytes are needed, 0 are left", 0, ""),
    "offset in a run": (codec(tuple[u64, u64, u64]), bytes(20), "8 bytes are needed, 4 are left", 16, "[2]"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_refusal_names_offset_and_field(name: str) -> None:
    using, data, message, offset, field = BAD[name]
    with pytest.raises(DecodeError, match=message) as caught:
        using.decode(data)
    assert (caught.value.offset, caught.value.field) == (offset, field)


def test_a_cap_is_inclusive_in_both_directions() -> None:
    capped: Codec[bytes] = codec(Annotated[bytes, Max(2)])
    assert capped.decode(capped.encode(b"ab")) == b"ab"
    with pytest.raises(CodecError, match="length 3 is above the limit 2"):
        capped.encode(b"abc")


def test_the_whole_input_is_capped() -> None:
    with pytest.raises(DecodeError, match="above the limit"):
        codec(u8).decode(bytes(MAX_INPUT + 1))


@dataclass(frozen=True, slots=True)
class Even:
    """A type with a rule of its own."""

    value: u8

    def __post_init__(self) -> None:
        if self.value % 2:
            raise InvalidId("odd")


def test_a_constructor_that_refuses_is_a_decode_error() -> None:
    assert decode(Even, b"\x02") == Even(2)
    with pytest.raises(DecodeError, match="odd"):
        decode(Even, b"\x01")
    with pytest.raises(DecodeError, match="odd") as caught:
        codec(list[Even]).decode(b"\x02\0\0\0\x02\x01")
    assert caught.value.field == "[1]"


UNWRITABLE = {
    "too wide": (whole(small=256), "small"),
    "negative": (whole(wide=-1), "wide"),
    "wrong length": (whole(fixed=b"ab"), "fixed"),
    "nan": (whole(real=math.nan), "real"),
    "no variant": (whole(choice=5), "choice"),
    "surrogate": (whole(text="\ud800"), "text"),
    "wrong type": (whole(inner=None), "inner"),
    "tuple": (whole(signed=(1, 2)), "signed"),
    "too many": (whole(many=(Inner(flag=True, name=""),) * 4), "many"),
    "in a list": (whole(numbers=[1, -1]), r"numbers\[\]"),
}


@pytest.mark.parametrize("name", UNWRITABLE)
def test_a_value_that_cannot_be_written_is_named(name: str) -> None:
    value, field = UNWRITABLE[name]
    with pytest.raises(CodecError, match=f"Whole cannot be written: .*{field}") as caught:
        encode(value)
    assert not isinstance(caught.value, DecodeError)


def test_a_decoder_reads_one_value_after_the_other() -> None:
    decoder = Decoder(encode(Inner(flag=True, name="a")) + b"\x07\x00")
    assert decoder.take(Inner) == Inner(flag=True, name="a")
    assert decoder.left == 2
    with pytest.raises(DecodeError, match="2 bytes are left over"):
        decoder.finish()
    assert decoder.take(codec(u16)) == 7
    decoder.finish()


def test_a_prefix_is_read_at_an_offset() -> None:
    assert codec(u8).decode_prefix(b"\x01\x02\x03", 1) == (2, 2)
    with pytest.raises(DecodeError):
        codec(u8).decode_prefix(b"\x01", 5)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
CONTAINERS = [
    (str, TEXTS),
    (bytes, st.binary()),
    (list[u8], st.lists(st.integers(0, 255))),
    (dict[str, bool], st.dictionaries(TEXTS, st.booleans())),
    (dict[u32, list[str]], st.dictionaries(st.integers(0, 2**32 - 1), st.lists(TEXTS))),
    (tuple[str | None, ...], st.lists(st.none() | TEXTS).map(tuple)),
]


@pytest.mark.parametrize(("kind", "values"), CONTAINERS)
def test_round_trip_of_containers(kind: object, values: st.SearchStrategy[object]) -> None:
    @given(values)
    def check(value: object) -> None:
        assert codec(kind).decode(codec(kind).encode(value)) == value

    check()


def test_a_full_table_of_kept_ids_is_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "IDS_KEPT", 2)
    for n in range(5):
        found = decode(PublicKey, bytes([n]) * 32)
        assert (type(found), found) == (PublicKey, bytes([n]) * 32)
    assert len(reading._kept(PublicKey)) <= 2


def test_variants_that_all_have_fields() -> None:
    either: Codec[Number | Words] = codec(Number | Words)
    for value, raw in ((Number(7), "000700"), (Words("a"), "010100000061")):
        assert either.encode(value).hex() == raw
        assert either.decode(bytes.fromhex(raw)) == value
    with pytest.raises(DecodeError, match="3 is no known tag"):
        either.decode(b"\x03")


def test_a_zero_tag_beside_another_is_read_field_by_field() -> None:
    for tags in ("000000", "010000", "020000", "00000100000000"):
        raw = bytes(16) + bytes.fromhex(tags)
        if tags == "010000":
            with pytest.raises(DecodeError) as caught:
                decode(Metadata, raw)
            assert (caught.value.field, caught.value.offset) == ("storage_type.owner", 17)
        else:
            assert encode(decode(Metadata, raw)) == raw
