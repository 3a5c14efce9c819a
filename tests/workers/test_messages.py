"""Every message of the table survives the wire; anything else is refused; exceptions come back as themselves."""

from __future__ import annotations

import contextlib
import typing
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node import errors
from node.errors import CalimeroError, DecodeError, ExecutionError, WorkerError
from node.primitives import Id32
from workers.messages import (
    MESSAGES,
    Failure,
    Message,
    Note,
    Request,
    decode_message,
    encode_message,
    failure_of,
    raise_failure,
)
from workers.messages.wire import error_of, message_names

CONCRETE = sorted(MESSAGES)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type, from the type itself."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return structs(kind)
    if isinstance(kind, type) and issubclass(kind, Id32):
        return st.binary(min_size=32, max_size=32).map(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is list:
        return st.lists(values(arguments[0]), max_size=2)
    if origin is tuple:
        return st.tuples(*(values(item) for item in arguments if item is not Ellipsis))
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if arguments:
        return st.one_of(*(values(item) for item in arguments))
    return PLAIN[kind]


PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    bytes: st.binary(max_size=40),
    str: st.text(max_size=20),
    bool: st.booleans(),
    int: st.integers(0, 2**63 - 1),
    float: st.floats(allow_nan=False),
    type(None): st.none(),
}


def structs(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    fields = {field.name: values(hints[field.name]) for field in msgspec.structs.fields(kind)}
    return st.fixed_dictionaries(fields).map(lambda chosen: kind(**chosen))


@pytest.mark.parametrize("name", CONCRETE)
def test_round_trip(name: str) -> None:
    @settings(max_examples=25)
    @given(structs(MESSAGES[name]))
    def check(message: Message) -> None:
        again = decode_message(encode_message(message))
        assert again == message
        assert type(again) is type(message)

    check()


@pytest.mark.parametrize("name", CONCRETE)
def test_a_request_names_its_answer_and_a_note_none(name: str) -> None:
    kind = MESSAGES[name]
    assert issubclass(kind, Message)
    if issubclass(kind, Request):
        [base] = [item for item in kind.__orig_bases__ if get_origin(item) is Request]  # type: ignore[attr-defined]
        answer = get_args(base)[0]
        answer_name = answer.__forward_arg__ if isinstance(answer, typing.ForwardRef) else answer.__name__
        assert answer_name in MESSAGES
        assert not issubclass(MESSAGES[answer_name], Request | Note)


@given(st.binary(max_size=60))
def test_other_bytes_are_refused(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert isinstance(decode_message(data), Message)


@pytest.mark.parametrize("data", [b"", b"\x91\xa4Nope", b"\x90", encode_message(Failure("a", "b"))[:-1]])
def test_cut_and_unknown_messages_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="not a message"):
        decode_message(data)


def made(kind: type[CalimeroError]) -> CalimeroError:
    error = kind.__new__(kind)
    error.args = ("what happened",)
    return error


ERRORS = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, CalimeroError)]


@pytest.mark.parametrize("kind", [kind for kind in ERRORS if kind is not ExecutionError])
def test_an_exception_comes_back_as_itself(kind: type[CalimeroError]) -> None:
    failure = failure_of(made(kind))
    with pytest.raises(kind, match="what happened") as caught:
        raise_failure(failure)
    assert type(caught.value) is kind


def test_an_application_error_keeps_its_payload() -> None:
    again = error_of(failure_of(ExecutionError(b"\x00\xff")))
    assert isinstance(again, ExecutionError)
    assert again.payload == b"\x00\xff"
    assert str(again) == "the method call returned an error: [0, 255]"


def test_a_foreign_exception_becomes_a_worker_error() -> None:
    with pytest.raises(WorkerError, match="internal fault: KeyError: 'x'"):
        raise_failure(failure_of(KeyError("x")))
    assert type(error_of(Failure("SystemExit", "x"))) is WorkerError


def test_names_are_sorted_and_whole() -> None:
    assert message_names() == CONCRETE
