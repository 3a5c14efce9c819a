"""Alias substitution in the arguments of a call.

For each name in order, ``{name}`` in what is left of the payload becomes the base58 key. The search never goes back: a
later name that stands before the last hit of an earlier one stays as it is.
Source of the rule: core 0.10.0: crates/context/src/handlers/execute.rs.
"""

from __future__ import annotations

from typing import Protocol

from node.errors import AliasResolutionFailed, InvalidId
from node.primitives import ContextId, Hash, PublicKey
from node.store.columns import ALIAS_KINDS, ALIAS_LENGTH


class AliasRows(Protocol):
    """Where aliases are kept."""

    def alias(self, kind: int, scope: ContextId, name: str) -> Hash | None: ...


def substitute(payload: bytes, names: list[str], context_id: ContextId, rows: AliasRows) -> bytes:
    """Raises :class:`AliasResolutionFailed` for a name that is neither an alias here nor a key."""
    done, rest = bytearray(), payload
    for name in names:
        key = str(resolve(name, context_id, rows)).encode()
        parts = rest.split(b"{" + name.encode() + b"}")
        for part in parts[:-1]:
            done += part + key
        rest = parts[-1]
    return bytes(done) + rest


def resolve(name: str, context_id: ContextId, rows: AliasRows) -> PublicKey:
    """The identity that a name stands for in a context: an alias, or the text of a key."""
    if 0 < len(name.encode()) <= ALIAS_LENGTH and "\0" not in name:
        target = rows.alias(ALIAS_KINDS.IDENTITY, context_id, name)
        if target is not None:
            return PublicKey(target)
    try:
        return PublicKey.parse(name)
    except InvalidId as error:
        raise AliasResolutionFailed(name) from error
