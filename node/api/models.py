"""Request bodies: their shapes and limits, with the texts of core 0.10.0: crates/server/primitives/src/validation.rs.

A shape says which JSON is a body at all; the limits are one table of field names, since the reference gives a field the
same limit wherever it occurs.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final, TypeVar

import msgspec

from node.api import serde
from node.api.errors import BadRequest
from node.primitives import ApplicationId, Capability, ContextId, Hash, Id32, PublicKey

MAX_JSON_BODY: Final = 2 << 20
"""Bytes of a JSON body, as in the reference."""

MAX_METADATA: Final = 65_536
MAX_INIT_PARAMS: Final = 1 << 20
MAX_VALID_BLOCKS: Final = 31_536_000
MAX_CAPABILITIES: Final = 100
MAX_OFFSET: Final = 1_000_000
MAX_PAGE: Final = 1000
MAX_METHOD: Final = 256
MAX_SUBSTITUTES: Final = 100

MAX_ALIAS: Final = 50
"""Bytes of an alias, the width of its key in the store."""

_MAX_U64: Final = (1 << 64) - 1
ByteList = list[Annotated[int, msgspec.Meta(ge=0, le=255)]]
U128 = Annotated[int, msgspec.Meta(ge=0)]
U32 = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]


class Body(msgspec.Struct, frozen=True, rename="camel"):
    """A JSON object with camelCase names; unknown members are ignored."""


class AbsoluteUrl(str):
    """A URL with a scheme. An empty text is left to the limits, which name the field."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> AbsoluteUrl:
        """Raises ``ValueError`` for a relative one."""
        if text and _SCHEME.match(text) is None:
            raise ValueError(f"relative URL without a base: {json.dumps(text, ensure_ascii=False)}")
        return cls(text)


_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
"""How an absolute URL begins."""


class InstallUrl(Body, frozen=True):
    url: AbsoluteUrl
    metadata: ByteList
    hash: Hash | None = None
    package: str | None = None
    version: str | None = None


class InstallPath(Body, frozen=True):
    path: str
    metadata: ByteList
    package: str | None = None
    version: str | None = None


class CreateContext(Body, frozen=True):
    protocol: str
    application_id: ApplicationId
    initialization_params: ByteList
    context_seed: Hash | None = None


class UpdateApplication(Body, frozen=True):
    application_id: ApplicationId
    executor_public_key: PublicKey
    migrate_method: str | None = None


class Invite(Body, frozen=True):
    context_id: ContextId
    inviter_id: PublicKey
    invitee_id: PublicKey


class Join(Body, frozen=True):
    invitation_payload: str


class InviteOpen(Body, frozen=True):
    context_id: ContextId
    inviter_id: PublicKey
    valid_for_blocks: int


class JoinOpen(Body, frozen=True):
    """``invitation`` is passed on as it was handed out; one client leaves it wrapped in ``data``."""

    invitation: dict[str, Any]
    new_member_public_key: PublicKey


class InviteSpecialized(Body, frozen=True):
    context_id: ContextId
    inviter_id: PublicKey | None = None


class Capabilities(msgspec.Struct, frozen=True):
    """Snake case, as in the reference."""

    capabilities: list[tuple[PublicKey, Capability]]
    signer_id: PublicKey


CapabilityPairs = list[tuple[PublicKey, Capability]]
"""What two published clients send in place of :class:`Capabilities`."""


class Page(Body, frozen=True):
    offset: int
    limit: int


class ContextValue(Body, frozen=True):
    key: str


# -- proposals; the reference refuses unknown members here


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A snake_case object without other members."""


class ExternalFunctionCall(Strict, frozen=True):
    receiver_id: str
    method_name: str
    args: str
    deposit: U128


class Transfer(Strict, frozen=True):
    receiver_id: str
    amount: U128


class SetNumApprovals(Strict, frozen=True):
    num_approvals: U32


class SetActiveProposalsLimit(Strict, frozen=True):
    active_proposals_limit: U32


class SetContextValue(Strict, frozen=True):
    key: ByteList
    value: ByteList


class DeleteProposal(Strict, frozen=True):
    proposal_id: Hash


ACTIONS: Final[dict[str, type[Strict]]] = {
    kind.__name__: kind
    for kind in (
        ExternalFunctionCall, Transfer, SetNumApprovals, SetActiveProposalsLimit, SetContextValue, DeleteProposal,
    )
}  # fmt: skip


class ProposalAction(Strict, frozen=True):
    """``params`` have the form that ``scope`` names."""

    scope: str
    params: dict[str, Any]


class ProposalBody(Strict, frozen=True):
    id: Hash
    author_id: PublicKey
    actions: list[ProposalAction]


class NewProposal(Body, frozen=True):
    signer_id: PublicKey
    proposal: ProposalBody


class Approve(Body, frozen=True):
    signer_id: PublicKey
    proposal_id: Hash


# -- aliases


class AliasOfContext(Body, frozen=True):
    alias: str
    context_id: ContextId


class AliasOfApplication(Body, frozen=True):
    alias: str
    application_id: ApplicationId


class AliasOfIdentity(Body, frozen=True):
    alias: str
    identity: PublicKey


# -- trusted hardware


class Attest(Body, frozen=True):
    nonce: str
    application_id: ApplicationId | None = None


class VerifyQuote(Body, frozen=True):
    quote_b64: str = msgspec.field(name="quoteB64")
    nonce: str
    expected_application_hash: str | None = None


# -- ours


class AddPeer(Body, frozen=True):
    address: str


Model = TypeVar("Model")


def from_text(kind: type[Any], value: object) -> object:
    """Ids in JSON are base58 texts; the other type that is made of a text is an absolute URL."""
    if isinstance(value, str) and issubclass(kind, AbsoluteUrl):
        return kind.parse(value)
    if isinstance(value, str) and issubclass(kind, Id32):
        try:
            return kind.parse(value)
        except ValueError as error:
            raise ValueError(serde.id_error(value)) from error
    raise ValueError("invalid type: expected a base58 encoded hash")


def convert(model: type[Model], value: object) -> Model:
    """A parsed JSON value as a model, within its limits.

    Raises :class:`msgspec.ValidationError` for a wrong shape, :class:`BadRequest` for a broken limit.
    """
    found = msgspec.convert(value, type=model, dec_hook=from_text)
    check(found)
    return found


# -- limits

TEXTS: Final[dict[str, int]] = {
    "protocol": 64, "url": 2048, "path": 4096, "package": 128, "version": 64, "migrate_method": MAX_METHOD, "key": 1024,
    "quote_b64": 65_536,
}  # fmt: skip
"""Most UTF-8 bytes of a text."""

NEEDED: Final = frozenset({"protocol", "key", "url", "path", "migrate_method"})
"""Texts that must not be empty."""

HEX: Final = frozenset({"nonce", "expected_application_hash"})
HEX_LENGTH: Final = 64
"""Characters of a text that stands for 32 bytes."""

LISTS: Final[dict[str, int]] = {"metadata": MAX_METADATA, "initialization_params": MAX_INIT_PARAMS}
NUMBERS: Final[dict[str, tuple[int, int]]] = {
    "offset": (0, MAX_OFFSET), "limit": (1, MAX_PAGE), "valid_for_blocks": (0, MAX_VALID_BLOCKS),
}  # fmt: skip


def check(body: object) -> None:
    """Raise :class:`BadRequest` with every broken limit of a body."""
    fields = getattr(body, "__struct_fields__", ())
    problems = [text for name in fields for text in _problems(name, getattr(body, name))]
    if problems:
        raise BadRequest(problems[0] if len(problems) == 1 else f"Validation errors: {'; '.join(problems)}")
    if isinstance(body, NewProposal):
        _check_actions(body.proposal.actions)


def _check_actions(actions: list[ProposalAction]) -> None:
    for number, action in enumerate(actions):
        kind = ACTIONS.get(action.scope)
        if kind is None:
            wanted = ", ".join(f"`{name}`" for name in ACTIONS)
            raise BadRequest(f"proposal.actions[{number}]: unknown variant `{action.scope}`, expected one of {wanted}")
        try:
            msgspec.convert(action.params, type=kind, dec_hook=from_text)
        except msgspec.ValidationError as error:
            raise BadRequest(f"proposal.actions[{number}].params: {serde.describe(error)}") from error


def _problems(name: str, value: object) -> list[str]:
    if isinstance(value, str):
        return _hex_problems(name, value) if name in HEX else _text_problems(name, value)
    if isinstance(value, list):
        return _list_problems(name, len(value))
    if isinstance(value, int) and name in NUMBERS:
        return _number_problems(name, value)
    return []


def _text_problems(name: str, value: str) -> list[str]:
    if name not in TEXTS:
        return []
    size, limit = len(value.encode()), TEXTS[name]
    if not value and name in NEEDED:
        return [f"Field '{name}' is required but was empty"]
    if size > limit:
        return [f"Field '{name}' exceeds maximum length of {limit} characters (got {size})"]
    if name == "path" and "\0" in value:
        return [rf"Field '{name}' has invalid format: contains control character '\0' which is not allowed"]
    return []


def _hex_problems(name: str, value: str) -> list[str]:
    if len(value) != HEX_LENGTH:
        return [f"Field '{name}' must be exactly {HEX_LENGTH} characters (got {len(value.encode())})"]
    if not all(character in "0123456789abcdefABCDEF" for character in value):
        return [f"Field '{name}' contains invalid hex encoding: contains non-hexadecimal characters"]
    return []


def _list_problems(name: str, size: int) -> list[str]:
    if name in LISTS and size > LISTS[name]:
        return [f"Field '{name}' exceeds maximum size of {LISTS[name]} bytes (got {size})"]
    if name == "capabilities" and size > MAX_CAPABILITIES:
        return [f"Field 'capabilities' contains too many items: {size} (max {MAX_CAPABILITIES})"]
    return []


def _number_problems(name: str, value: int) -> list[str]:
    low, high = NUMBERS[name]
    if not 0 <= value <= _MAX_U64:
        return [f"{name}: invalid value: integer `{value}`, expected usize"]
    if value > high:
        return [f"Field '{name}' value {value} exceeds maximum of {high}"]
    if value < low:
        return [f"Field '{name}' value {value} is below minimum of {low}"]
    return []
