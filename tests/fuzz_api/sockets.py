"""Made-up WebSocket messages and frames on ``/ws``: what is a request gets one answer, everything else none; frames
that break the protocol get a close frame with a reason, and never cost more than their connection.
"""

from __future__ import annotations

import json
import os
import socket
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from hypothesis import given, seed, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from tests.fuzz_api.calls import QUIETLY
from tests.fuzz_api.envelopes import Known, messages
from tests.fuzz_api.rules import Verdicts

__all__ = ["Frame", "answerable", "fuzz_frames", "fuzz_messages"]

PATIENCE: Final = 10.0
"""Seconds for an answer."""

LAST: Final = (1 << 64) - 3
"""Id of the request whose answer ends a conversation."""

INTERNAL: Final = 1011
"""Close code of a server that has a fault."""


# -- messages


def fuzz_messages(url: str, verdicts: Verdicts, known: Known, *, count: int, number: int) -> None:
    """``count`` conversations of up to eight messages, over one connection."""
    where = f"{url.replace('http', 'ws')}/ws"
    # Without pings of its own: their payloads are random, and draws from the same source are hypothesis' alone.
    with connect(where, proxy=None, compression=None, ping_interval=None) as connection:

        @seed(number)
        @settings(max_examples=count, **QUIETLY)
        @given(texts=st.lists(messages(known), min_size=1, max_size=8))
        def one(texts: list[str]) -> None:
            verdicts.count("messages")
            if (fault := _talk(connection, texts)) is not None:
                verdicts.blame(f"/ws: {fault}", repr(texts))

        one()


def answerable(text: str) -> tuple[int | None] | None:
    """The id of a message that gets an answer, in a tuple; None for one that is dropped."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    identity = found.get("id")
    known = identity is None or (type(identity) is int and 0 <= identity < 1 << 64)
    return (identity,) if known else None


def _talk(connection: ClientConnection, texts: list[str]) -> str | None:
    for text in texts:
        connection.send(text)
    connection.send(json.dumps({"id": LAST, "method": "unsubscribe", "params": {"contextIds": []}}))
    wanted = Counter(found for text in texts if (found := answerable(text)) is not None)
    got: Counter[tuple[int | None]] = Counter()
    while True:
        told = json.loads(connection.recv(PATIENCE))
        if told.get("id") == LAST and (LAST,) not in wanted:
            return None if got == wanted else f"answers to {dict(got)} instead of {dict(wanted)}"
        if (fault := _wrong(told)) is not None:
            return fault
        got[told["id"],] += 1


def _wrong(told: dict[str, Any]) -> str | None:
    if "id" not in told or ("result" in told) == ("error" in told):
        return "an answer without id, or not exactly one of result and error"
    if "error" in told and set(told["error"]) != {"type", "data"}:
        return "an error without type and data"
    return None


# -- frames


@dataclass(frozen=True)
class Frame:
    """A frame as a client writes it, the parts that a client may get wrong included."""

    opcode: int
    payload: bytes
    final: bool = True
    reserved: int = 0
    masked: bool = True

    def encode(self) -> bytes:
        size, mask = len(self.payload), os.urandom(4) if self.masked else b""
        head = bytes([self.final << 7 | self.reserved << 4 | self.opcode])
        if size < 126:
            head += bytes([self.masked << 7 | size])
        else:
            head += bytes([self.masked << 7 | 126]) + size.to_bytes(2, "big")
        body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self.payload)) if mask else self.payload
        return head + mask + body


def frames() -> st.SearchStrategy[list[Frame]]:
    """Mostly sound frames, sometimes fragments in a wrong order, reserved bits or opcodes, no mask, long pings."""
    payload = st.binary(max_size=300) | st.text(max_size=40).map(str.encode)
    close = st.integers(0, 5000).map(lambda code: code.to_bytes(2, "big"))
    sound = st.builds(Frame, st.sampled_from([1, 1, 2, 9, 10]), payload)
    parts = st.builds(Frame, st.sampled_from([0, 1, 2]), payload, st.booleans())
    odd = st.builds(Frame, st.integers(0, 15), payload | close, st.booleans(), st.integers(0, 7), st.booleans())
    end = st.builds(Frame, st.just(8), close | payload)
    return st.lists(sound | sound | parts | odd | end, min_size=1, max_size=6)


def fuzz_frames(url: str, verdicts: Verdicts, *, count: int, number: int) -> None:
    """``count`` connections with up to six frames each."""
    where = urlsplit(url)

    @seed(number)
    @settings(max_examples=count, **QUIETLY)
    @given(sent=frames())
    def one(sent: list[Frame]) -> None:
        verdicts.count("frames")
        if (fault := _exchange((where.hostname or "", where.port or 0), sent)) is not None:
            verdicts.blame(f"/ws: {fault}", repr(sent))

    one()


def _exchange(address: tuple[str, int], sent: list[Frame]) -> str | None:
    """None when a ping behind the frames is answered, or the connection was closed with a frame that says why."""
    with socket.create_connection(address, PATIENCE) as sock, sock.makefile("rb") as answers:
        sock.sendall(_handshake(address))
        while answers.readline() not in (b"\r\n", b""):
            pass
        sock.sendall(b"".join(frame.encode() for frame in [*sent, Frame(9, b"behind")]))
        try:
            return _heard(answers)
        except ConnectionError:
            return "the connection was reset without a close frame"
        except TimeoutError:
            return "no answer"


def _heard(answers: Any) -> str | None:
    while head := answers.read(2):
        size = head[1] & 127
        size = int.from_bytes(answers.read({126: 2, 127: 8}[size]), "big") if size > 125 else size
        payload, opcode = answers.read(size), head[0] & 15
        if opcode == 10 and payload == b"behind":
            return None
        if opcode == 8:
            return "closed with an internal fault" if payload[:2] == INTERNAL.to_bytes(2, "big") else None
        if opcode == 1 and (fault := _wrong(json.loads(payload))) is not None:
            return fault
    return "the connection ended without a close frame"


def _handshake(address: tuple[str, int]) -> bytes:
    return (
        f"GET /ws HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()
