"""A delta between its two forms: the Borsh ``CausalDelta`` of streams, and the artifact that gossip seals.

Actions are copied as bytes; whether they are valid and belong to the id is checked by the owner of the context.
Source: core 0.10.0: crates/storage/src/delta.rs, crates/node/src/sync/delta_request.rs.
"""

from __future__ import annotations

from typing import Final

from node.codec.borsh import Decoder, codec
from node.errors import DecodeError
from node.primitives import ID_LENGTH, DeltaId, Hash
from node.sync.ports import OpenDelta

ACTIONS: Final = b"\0"
"""Tag of the ``StorageDelta`` variant that a delta carries; the other one (comparisons) is refused."""

_HLC: Final = 24
_TAIL: Final = _HLC + ID_LENGTH
_id: Final = codec(DeltaId)
_ids: Final = codec(tuple[DeltaId, ...])


def open_delta(raw: bytes) -> OpenDelta:
    """Read the answer to a DeltaRequest. Raises :class:`DecodeError`."""
    decoder = Decoder(raw)
    delta_id = decoder.take(_id)
    parents: tuple[DeltaId, ...] = decoder.take(_ids)
    if decoder.left < 4 + _TAIL:
        raise DecodeError("the delta is cut", offset=decoder.offset, field="actions")
    tail = len(raw) - _TAIL
    hlc, root = raw[tail : tail + _HLC], Hash(raw[tail + _HLC :])
    return OpenDelta(delta_id, parents, hlc, root, ACTIONS + raw[decoder.offset : tail])


def artifact_of_plaintext(plaintext: bytes) -> bytes:
    """The opened artifact of a gossip delta. Raises :class:`DecodeError` unless it holds actions."""
    if plaintext[:1] != ACTIONS:
        raise DecodeError("Expected Actions variant in state delta", offset=0, field="artifact")
    return plaintext
