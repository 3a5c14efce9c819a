"""Requests of a node to a relayer: argument texts, signed mutations, envelopes, and the reading of answers.

Source: core 0.10.0: crates/context/config/src/client/{relayer,env}.rs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import base58
import msgspec

from node.crypto import ed25519
from node.errors import InvalidId, RegistryError
from node.primitives import ApplicationId, BlobId, ContextId, PrivateKey, PublicKey, to_base58

PAGE: Final = 100
"""Members per read; paging ends on an empty page, never on a short one."""


@dataclass(frozen=True, slots=True)
class Target:
    """A contract behind a relayer: protocol and network name, contract name."""

    protocol: str
    network: str
    contract: str


@dataclass(frozen=True, slots=True)
class RegisteredApplication:
    """The application of a context as the registry has it, byte for byte."""

    id: ApplicationId
    blob_id: BlobId
    size: int
    source: str
    metadata: bytes

    def to_json(self) -> dict[str, object]:
        return {
            "id": str(self.id),
            "blob": str(self.blob_id),
            "size": self.size,
            "source": self.source,
            "metadata": to_base58(self.metadata) if self.metadata else "",
        }


def compact(value: object) -> bytes:
    """JSON without spaces, as the reference writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def envelope(target: Target, operation: Literal["Read", "Write"], method: str, payload: bytes) -> bytes:
    """The body to post."""
    return compact(
        {
            "protocol": target.protocol,
            "network_id": target.network,
            "contract_id": target.contract,
            "operation": {operation: {"method": method}},
            "payload": list(payload),
        }
    )


def context_mutation(
    key: PrivateKey, signer: PublicKey | ContextId, nonce: int, context_id: ContextId, kind: str, params: object
) -> bytes:
    """A signed mutation of the config contract; the payload of a ``mutate`` write."""
    inner: dict[str, object] = {"contextId": str(context_id), "scope": kind}
    if params is not None:
        inner["params"] = params
    return sign(key, {"signerId": str(signer), "nonce": nonce, "scope": "Context", "params": inner})


def proposal(key: PrivateKey, author: PublicKey, proposal_id: str, actions: Sequence[object]) -> bytes:
    """A signed proposal for the proxy contract."""
    params = {"proposal": {"id": proposal_id, "author_id": str(author), "actions": list(actions)}}
    return sign(key, {"scope": "Propose", "params": params})


def approval(key: PrivateKey, signer: PublicKey, proposal_id: str) -> bytes:
    """A signed approval for the proxy contract."""
    params = {"approval": {"proposal_id": proposal_id, "signer_id": str(signer), "added_timestamp": 0}}
    return sign(key, {"scope": "Approve", "params": params})


def sign(key: PrivateKey, request: Mapping[str, object]) -> bytes:
    """Sign the exact bytes that are sent; they are never serialised twice."""
    inner = compact(request)
    return compact({"payload": to_base58(inner), "signature": to_base58(ed25519.sign(key, inner))})


Shape = TypeVar("Shape")


def read_answer(shape: type[Shape], raw: bytes, method: str) -> Shape:
    """Decode a query's answer. Raises :class:`RegistryError` naming the method."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RegistryError(f"the registry answered {method} with something else: {error}") from error


class _Application(msgspec.Struct, frozen=True):
    id: str
    blob: str
    size: int
    source: str
    metadata: str


def read_application(raw: bytes) -> RegisteredApplication:
    """The answer of ``application``. Raises :class:`RegistryError`."""
    found = read_answer(_Application, raw, "application")
    try:
        metadata = _metadata(found.metadata)
        return RegisteredApplication(
            ApplicationId.parse(found.id), BlobId.parse(found.blob), found.size, found.source, metadata
        )
    except (InvalidId, ValueError) as error:
        raise RegistryError(f"the registry's application has a damaged id: {error}") from error


def _metadata(text: str) -> bytes:
    return base58.b58decode(text)


def read_members(raw: bytes) -> list[PublicKey]:
    """One page of ``members``. Raises :class:`RegistryError`."""
    try:
        return [PublicKey.parse(text) for text in read_answer(list[str], raw, "members")]
    except InvalidId as error:
        raise RegistryError(f"the registry's member list has a damaged key: {error}") from error
