"""multistream-select 1.0: how two ends agree on a protocol by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from node.errors import RemoteProtocolError
from node.gossip.protobuf import prefixed
from workers.network.channel import ReadAhead, read_prefixed

__all__ = ["Unsupported", "answer", "propose"]

_HEADER: Final = "/multistream/1.0.0"
_NA: Final = "na"
MAX_LINE: Final = 1_024
"""Longest line in bytes; protocol ids have a few dozen."""
MAX_PROPOSALS: Final = 32
"""Proposals that a listener answers before it gives up on the stream."""


class Unsupported(RemoteProtocolError):
    """The peer speaks none of the proposed protocols."""


async def propose(channel: ReadAhead, protocols: Sequence[str]) -> str:
    """As the dialling side: the first of ``protocols`` that the peer speaks. Raises :class:`Unsupported`."""
    await channel.send_all(_line(_HEADER) + _line(protocols[0]))
    await _expect_header(channel)
    for index, protocol in enumerate(protocols):
        if index:
            await channel.send_all(_line(protocol))
        reply = await _read_line(channel)
        if reply == protocol:
            return protocol
        if reply != _NA:
            raise RemoteProtocolError(f"multistream answer {reply!r} to {protocol!r}", score=5)
    raise Unsupported(f"peer speaks none of: {', '.join(protocols)}", score=0)


async def answer(channel: ReadAhead, protocols: Collection[str]) -> str:
    """As the listening side: agree to the first proposal that is in ``protocols``.

    The header is answered before the first proposal: some diallers wait for it.
    """
    await _expect_header(channel)
    await channel.send_all(_line(_HEADER))
    for _ in range(MAX_PROPOSALS):
        proposal = await _read_line(channel)
        agreed = proposal in protocols
        await channel.send_all(_line(proposal if agreed else _NA))
        if agreed:
            return proposal
    raise RemoteProtocolError(f"{MAX_PROPOSALS} proposals and none that is spoken here", score=5)


async def _expect_header(channel: ReadAhead) -> None:
    header = await _read_line(channel)
    if header != _HEADER:
        raise RemoteProtocolError(f"not multistream: {header[:40]!r}", score=5)


async def _read_line(channel: ReadAhead) -> str:
    line = await read_prefixed(channel, MAX_LINE)
    if not line.endswith(b"\n"):
        raise RemoteProtocolError("multistream line without end", score=5)
    return line[:-1].decode("utf-8", "replace")


def _line(text: str) -> bytes:
    return prefixed(text.encode() + b"\n")
