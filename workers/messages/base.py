"""Base classes of all messages. They hold data only; what a worker does with one is decided elsewhere."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

Reply_co = TypeVar("Reply_co", covariant=True)


class Record(msgspec.Struct, frozen=True, array_like=True):
    """A part of a message; travels as an array without a tag."""


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Anything that can be sent on its own; the tag is the class name."""


class Request(Message, Generic[Reply_co], frozen=True):
    """A message that is answered with ``Reply_co`` or with a :class:`Failure`."""


class Note(Message, frozen=True):
    """A message that is not answered."""


class Failure(Message, frozen=True):
    """The other answer to a request: an exception of :mod:`node.errors` as data.

    ``kind`` is the class name, ``text`` its message, ``payload`` the raw bytes of an application error.
    """

    kind: str
    text: str
    payload: bytes = b""


class Done(Message, frozen=True):
    """The answer of a request that only needs to be acknowledged: its effects are durable now."""
