"""The file of peers: whom a restarted node dials without help, and where.

Only wanted peers are in it. It may be lost or broken without harm: the node then waits to be dialled, as a
new one does.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from node.errors import ConfigError
from workers.network import address as addresses
from workers.network import limits

__all__ = ["KnownPeer", "PeerFile"]

log = logging.getLogger(__name__)

FILE: Final = "peers.json"


class KnownPeer(msgspec.Struct, frozen=True):
    """``keep``: somebody asked for it. ``seen``: unix seconds when it was last connected. Addresses: freshest first."""

    peer: str
    addresses: list[str]
    keep: bool
    seen: float


class PeerFile:
    """``peers.json`` in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def load(self, now: float) -> list[KnownPeer]:
        """The peers that are still worth a dial at ``now`` (unix seconds)."""
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=list[KnownPeer])
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            log.warning("%s is not read (%s); peers are found anew", self.path, error)
            return []
        return [each for each in map(_usable, found) if each and (each.keep or now - each.seen < limits.REMEMBER)]

    def save(self, peers: list[KnownPeer]) -> None:
        """Replace the file whole. Raises ``OSError``."""
        draft = self.path.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as sink:
            sink.write(msgspec.json.format(msgspec.json.encode(peers), indent=1))
        draft.replace(self.path)


def _usable(known: KnownPeer) -> KnownPeer | None:
    """Without the addresses that cannot be dialled; None when the id is none."""
    try:
        addresses.parse_peer(known.peer)
    except ConfigError:
        return None
    good = [text for text in known.addresses if _dialable(text)]
    return msgspec.structs.replace(known, addresses=good[: limits.MAX_ADDRESSES_PER_PEER])


def _dialable(text: str) -> bool:
    try:
        addresses.parse(text)
    except ConfigError:
        return False
    return True
