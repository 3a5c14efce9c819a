"""Bytes of messages, and exceptions as data.

Encoding never fails for a declared message. Decoding refuses anything else with :class:`DecodeError`: a channel joins
two processes of one node, so such bytes are a bug: the channel fails that one request, or counts a lost note.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final, NoReturn, Union

import msgspec

from node import errors
from node.errors import CalimeroError, DecodeError, ExecutionError, WorkerError
from node.primitives import Id32
from workers.messages import base, control, network, records, rows, runtime, sync
from workers.messages.base import Failure, Message

_MODULES: Final[tuple[ModuleType, ...]] = (base, control, network, records, rows, runtime, sync)
_ABSTRACT: Final = {"Message", "Request", "Note"}

MESSAGES: Final[dict[str, type[Message]]] = {
    name: item
    for module in _MODULES
    for name, item in vars(module).items()
    if isinstance(item, type) and issubclass(item, Message) and name not in _ABSTRACT
}
"""Every message by its tag."""


def _to_builtin(value: object) -> object:
    if isinstance(value, Id32):
        return bytes(value)
    raise TypeError(f"{type(value).__name__} has no place in a message")


def _from_builtin(kind: type[Any], value: object) -> object:
    if issubclass(kind, Id32) and isinstance(value, bytes):
        return kind(value)
    raise TypeError(f"{kind.__name__} cannot be made from {type(value).__name__}")


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=_to_builtin)
_decoder: Final[msgspec.msgpack.Decoder[Message]] = msgspec.msgpack.Decoder(
    Union[tuple(MESSAGES.values())],  # noqa: UP007 - built from the table
    dec_hook=_from_builtin,
)

_ERRORS: Final[dict[str, type[CalimeroError]]] = {
    name: item for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, CalimeroError)
}


def encode_message(message: Message) -> bytes:
    """The msgpack bytes of a message."""
    return _encoder.encode(message)


def decode_message(data: bytes | bytearray | memoryview) -> Message:
    """Read :func:`encode_message`. Raises :class:`DecodeError`."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise DecodeError(f"not a message: {error}", offset=0, field="message") from error


def failure_of(error: BaseException) -> Failure:
    """An exception as data. What is not a :class:`CalimeroError` becomes a ``WorkerError`` that names its type."""
    if isinstance(error, ExecutionError):
        return Failure("ExecutionError", str(error), error.payload)
    if isinstance(error, CalimeroError):
        return Failure(type(error).__name__, str(error))
    return Failure("WorkerError", f"internal fault: {type(error).__name__}: {error}")


def raise_failure(failure: Failure) -> NoReturn:
    """Raise the exception again on this side, with the same type and text."""
    raise error_of(failure)


def error_of(failure: Failure) -> CalimeroError:
    """The exception that a failure stands for."""
    kind = _ERRORS.get(failure.kind, WorkerError)
    if kind is ExecutionError:
        return ExecutionError(failure.payload)
    error = kind.__new__(kind)
    error.args = (failure.text,)
    return error


def message_names() -> list[str]:
    """All tags, sorted; for docs and tests."""
    return sorted(MESSAGES)
