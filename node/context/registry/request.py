"""Requests to the registry: the relayer envelope, JSON arguments, and signed mutations.

Signatures are checked over the exact bytes that were sent, never over a re-serialised form.
Source: core 0.10.0: crates/context/config/src/client/{relayer,transport}.rs, env/config.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

import base58
import msgspec

from node.crypto import ed25519
from node.errors import InvalidId, InvalidSignature, RegistryError
from node.primitives import Id32, PublicKey

MAX_PAYLOAD: Final = 1 << 20
"""Bytes of one request's arguments. The largest honest one, a proposal, stays far below."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Operation(msgspec.Struct, frozen=True):
    method: str


class Envelope(msgspec.Struct, frozen=True):
    """What a node posts. ``payload`` is the argument text as a list of byte values."""

    protocol: str
    network_id: str
    contract_id: str
    operation: dict[str, Operation]
    payload: list[int]

    @property
    def is_write(self) -> bool:
        return "Write" in self.operation

    @property
    def method(self) -> str:
        return next(iter(self.operation.values())).method

    @property
    def arguments(self) -> bytes:
        return bytes(self.payload)


Shape = TypeVar("Shape")


def parse_envelope(body: bytes) -> Envelope:
    """Read a posted body. Raises :class:`RegistryError` naming what is wrong."""
    envelope = parse(Envelope, body, "request")
    if set(envelope.operation) not in ({"Read"}, {"Write"}):
        raise RegistryError("request: operation must be one of Read and Write")
    for name in (envelope.network_id, envelope.contract_id):
        if not _NAME.fullmatch(name):
            raise RegistryError(f"request: {name[:140]!r} is no network or contract name")
    if len(envelope.payload) > MAX_PAYLOAD or any(not 0 <= byte <= 255 for byte in envelope.payload):
        raise RegistryError(f"request: payload must be at most {MAX_PAYLOAD} byte values")
    return envelope


def parse(shape: type[Shape], raw: bytes, what: str) -> Shape:
    """JSON of a declared shape. Raises :class:`RegistryError`."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryError(f"failed to parse input: {what}: {error}") from error


def key_text(text: str, what: str) -> str:
    """A checked base58 id, as it was written. Raises :class:`RegistryError`."""
    try:
        Id32.parse(text)
    except InvalidId as error:
        raise RegistryError(f"failed to parse input: {what}: {error}") from error
    return text


class Signed(msgspec.Struct, frozen=True):
    payload: str
    signature: str


class _Signer(msgspec.Struct, frozen=True, rename="camel"):
    signer_id: str


def open_signed(raw: bytes) -> bytes:
    """The inner bytes of a signed config request, once their signature holds for the ``signerId`` inside."""
    signed = parse(Signed, raw, "signed request")
    inner = _base58(signed.payload, "payload")
    check_signature(parse(_Signer, inner, "request").signer_id, inner, signed.signature)
    return inner


def signed_parts(raw: bytes) -> tuple[bytes, str]:
    """Inner bytes and signature text, for requests whose signer is named elsewhere."""
    signed = parse(Signed, raw, "signed request")
    return _base58(signed.payload, "payload"), signed.signature


def check_signature(signer: str, message: bytes, signature: str) -> None:
    """Raises :class:`RegistryError` unless ``signature`` (base58) of ``signer`` (base58) covers ``message``."""
    try:
        ed25519.verify(PublicKey.parse(signer), message, _base58(signature, "signature"))
    except (InvalidId, InvalidSignature) as error:
        raise RegistryError(f"failed to parse input: invalid signature: {error}") from error


def _base58(text: str, what: str) -> bytes:
    try:
        return base58.b58decode(text)
    except ValueError as error:
        raise RegistryError(f"failed to parse input: {what} is not base58") from error
