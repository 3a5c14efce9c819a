"""Request bodies and their limits, with the texts of core 0.10.0: crates/server/primitives/src/validation.rs."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec

from node.api.errors import BadRequest
from node.primitives import ApplicationId, ContextId, Hash, Id32, PublicKey

MAX_JSON_BODY: Final = 2 << 20
"""Bytes of a JSON body, as in the reference."""

MAX_JSON_DEPTH: Final = 128
"""Levels of nesting; the reference's parser stops there too."""

MAX_METADATA: Final = 65_536
MAX_INIT_PARAMS: Final = 1 << 20
MAX_VALID_BLOCKS: Final = 31_536_000
MAX_CAPABILITIES: Final = 100
MAX_OFFSET: Final = 1_000_000
MAX_PAGE: Final = 1000
MAX_METHOD: Final = 256
MAX_ALIAS: Final = 50
MAX_SUBSTITUTES: Final = 100
MAX_PROTOCOL: Final = 64
MAX_URL: Final = 2048
MAX_PATH: Final = 4096

ByteList = list[Annotated[int, msgspec.Meta(ge=0, le=255)]]


class Body(msgspec.Struct, frozen=True, rename="camel"):
    """A JSON object with camelCase names; unknown members are ignored."""


class InstallUrl(Body, frozen=True):
    url: str
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
    invitation: dict[str, Any]
    new_member_public_key: PublicKey


class Capabilities(msgspec.Struct, frozen=True):
    """Snake case, as in the reference."""

    capabilities: list[tuple[PublicKey, str]]
    signer_id: PublicKey


class Page(Body, frozen=True):
    offset: int
    limit: int


class ContextValue(Body, frozen=True):
    key: str


class NewProposal(Body, frozen=True):
    signer_id: PublicKey
    proposal: dict[str, Any]


class Approve(Body, frozen=True):
    signer_id: PublicKey
    proposal_id: Hash


class AliasOfContext(Body, frozen=True):
    alias: str
    context_id: ContextId


class AliasOfApplication(Body, frozen=True):
    alias: str
    application_id: ApplicationId


class AliasOfIdentity(Body, frozen=True):
    alias: str
    identity: PublicKey


class AddPeer(Body, frozen=True):
    address: str


Model = TypeVar("Model")


def from_text(kind: type[Any], value: object) -> object:
    """Ids in JSON are base58 texts."""
    if isinstance(value, str) and issubclass(kind, Id32):
        return kind.parse(value)
    raise ValueError("expected a base58 text")


def read_body(model: type[Model], raw: bytes) -> Model:
    """A validated body. Raises :class:`BadRequest` with the reference's prefix and the place of the mistake."""
    check_depth(raw)
    try:
        found = msgspec.json.decode(raw, type=model, dec_hook=from_text)
    except msgspec.ValidationError as error:
        raise BadRequest(
            f"Invalid JSON data: Failed to deserialize the JSON body into the target type: {error}"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"JSON syntax error: Failed to parse the request body as JSON: {error}") from error
    check(found)
    return found


def check_depth(raw: bytes) -> None:
    """Refuse deep nesting before a parser descends into it."""
    depth = deepest = 0
    in_text = escaped = False
    if raw.count(b"[") + raw.count(b"{") <= MAX_JSON_DEPTH:
        return
    for byte in raw:
        if in_text:
            escaped, in_text = (byte == 0x5C and not escaped), not (byte == 0x22 and not escaped)
        elif byte == 0x22:
            in_text = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    if deepest > MAX_JSON_DEPTH:
        raise BadRequest(f"JSON syntax error: recursion limit exceeded: more than {MAX_JSON_DEPTH} levels")


_TEXTS: Final[dict[str, int]] = {
    "protocol": MAX_PROTOCOL, "url": MAX_URL, "path": MAX_PATH, "package": 128, "version": 64,
    "migrate_method": MAX_METHOD, "key": 1024,
}  # fmt: skip
_NEEDED: Final = frozenset({"protocol", "key", "url", "path"})
_LISTS: Final[dict[str, int]] = {"metadata": MAX_METADATA, "initialization_params": MAX_INIT_PARAMS}
_NUMBERS: Final[dict[str, tuple[int, int]]] = {
    "offset": (0, MAX_OFFSET), "limit": (1, MAX_PAGE), "valid_for_blocks": (0, MAX_VALID_BLOCKS),
}  # fmt: skip


def check(body: object) -> None:
    """Raise :class:`BadRequest` with every broken limit of a body."""
    problems = [
        text for name in getattr(body, "__struct_fields__", ()) for text in _problems(name, getattr(body, name))
    ]
    if problems:
        raise BadRequest(problems[0] if len(problems) == 1 else f"Validation errors: {'; '.join(problems)}")


def _problems(name: str, value: object) -> list[str]:
    if isinstance(value, str) and name in _TEXTS:
        return _text_problems(name, value)
    if isinstance(value, list) and name in _LISTS and len(value) > _LISTS[name]:
        return [f"Field '{name}' exceeds maximum size of {_LISTS[name]} bytes (got {len(value)})"]
    if isinstance(value, list) and name == "capabilities" and len(value) > MAX_CAPABILITIES:
        return [f"Field 'capabilities' contains too many items: {len(value)} (max {MAX_CAPABILITIES})"]
    if isinstance(value, int) and name in _NUMBERS:
        low, high = _NUMBERS[name]
        if value > high:
            return [f"Field '{name}' value {value} exceeds maximum of {high}"]
        if value < low:
            return [f"Field '{name}' value {value} is below minimum of {low}"]
    return []


def _text_problems(name: str, value: str) -> list[str]:
    size, limit = len(value.encode(errors="surrogatepass")), _TEXTS[name]
    if not value and name in _NEEDED:
        return [f"Field '{name}' is required but was empty"]
    if size > limit:
        return [f"Field '{name}' exceeds maximum length of {limit} characters (got {size})"]
    return []
