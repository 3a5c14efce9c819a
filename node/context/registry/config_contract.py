"""The config contract: queries and signed mutations of contexts and their members.

Each mutation is a function on a :class:`ContextEntry`; it raises before it changes anything, so a refused request
leaves no trace and consumes no nonce. Error texts are the contract's, because clients show them.
Source: calimero-network/contracts 0.6: contracts/near/context-config/src/{mutate,query,guard,invitation}.rs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from node.context.invitation import SignedRevealPayload, open_reveal
from node.context.registry.entries import (
    Application,
    ContextEntry,
    ProxyEntry,
    RegistryRows,
    context_key,
    counter_key,
    dump,
    load,
    proxy_key,
)
from node.context.registry.request import key_text, open_signed, parse
from node.errors import RegistryError
from node.primitives import Capability

MAX_PAGE: Final = 1000
"""Members in one answer; the reference asks for 100."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A config contract on a network, over the registry's rows. ``height`` is the block height that expiry uses."""

    rows: RegistryRows
    network: str
    contract: str
    height: int

    def find(self, context_id: str) -> ContextEntry | None:
        raw = self.rows.get(context_key(self.network, self.contract, context_id))
        return None if raw is None else load(ContextEntry, raw)

    def entry(self, context_id: str) -> ContextEntry:
        entry = self.find(key_text(context_id, "context_id"))
        if entry is None:
            raise RegistryError("context does not exist")
        return entry

    def store(self, context_id: str, entry: ContextEntry) -> None:
        self.rows.commit({context_key(self.network, self.contract, context_id): dump(entry)})


# -- queries


class _ContextArgs(msgspec.Struct, frozen=True):
    context_id: str


class _PageArgs(msgspec.Struct, frozen=True):
    context_id: str
    offset: int
    length: int


class _NonceArgs(msgspec.Struct, frozen=True):
    context_id: str
    member_id: str


class _IdentityArgs(msgspec.Struct, frozen=True):
    context_id: str
    identity: str


class _PrivilegeArgs(msgspec.Struct, frozen=True):
    context_id: str
    identities: list[str]


def _entry(contract: Contract, raw: bytes) -> ContextEntry:
    return contract.entry(parse(_ContextArgs, raw, "context_id").context_id)


def _application(contract: Contract, raw: bytes) -> object:
    return msgspec.to_builtins(_entry(contract, raw).application)


def _members(contract: Contract, raw: bytes) -> object:
    args = parse(_PageArgs, raw, "members")
    start, length = max(args.offset, 0), max(min(args.length, MAX_PAGE), 0)
    return contract.entry(args.context_id).members[start : start + length]


def _nonce(contract: Contract, raw: bytes) -> object:
    args = parse(_NonceArgs, raw, "fetch_nonce")
    entry = contract.find(key_text(args.context_id, "context_id"))
    return None if entry is None else entry.nonces.get(args.member_id)


def _has_member(contract: Contract, raw: bytes) -> object:
    args = parse(_IdentityArgs, raw, "has_member")
    return args.identity in contract.entry(args.context_id).members


def _privileges(contract: Contract, raw: bytes) -> object:
    args = parse(_PrivilegeArgs, raw, "privileges")
    entry, found = contract.entry(args.context_id), {}
    listed = (Capability.MANAGE_APPLICATION, Capability.MANAGE_MEMBERS)
    wanted = args.identities or sorted({member for kind in listed for member in entry.capabilities.get(kind, [])})
    for identity in wanted:
        found[identity] = [str(kind) for kind in listed if identity in entry.capabilities.get(kind, [])]
    return found


QUERIES: Final[dict[str, Callable[[Contract, bytes], object]]] = {
    "application": _application,
    "application_revision": lambda contract, raw: _entry(contract, raw).application_revision,
    "members": _members,
    "members_revision": lambda contract, raw: _entry(contract, raw).members_revision,
    "proxy_contract": lambda contract, raw: _entry(contract, raw).proxy,
    "fetch_nonce": _nonce,
    "has_member": _has_member,
    "privileges": _privileges,
}


def query(contract: Contract, method: str, raw: bytes) -> bytes:
    """Answer a read as JSON bytes. Raises :class:`RegistryError`."""
    answer = QUERIES.get(method)
    if answer is None:
        raise RegistryError(f"method {method!r} is not a query of the config contract: {', '.join(sorted(QUERIES))}")
    return json.dumps(answer(contract, raw), separators=(",", ":")).encode()


# -- mutations


class _Params(msgspec.Struct, frozen=True, rename="camel"):
    context_id: str
    scope: str
    params: msgspec.Raw = msgspec.Raw(b"null")


class _Request(msgspec.Struct, frozen=True, rename="camel"):
    signer_id: str
    nonce: int
    scope: str
    params: _Params


class _AddParams(msgspec.Struct, frozen=True):
    author_id: str
    application: Application


class _ApplicationParams(msgspec.Struct, frozen=True):
    application: Application


class _MemberParams(msgspec.Struct, frozen=True):
    members: list[str]


class _CapabilityParams(msgspec.Struct, frozen=True):
    capabilities: list[tuple[str, Capability]]


class _CommitParams(msgspec.Struct, frozen=True):
    commitment_hash: str
    expiration_block_height: int


class _RevealParams(msgspec.Struct, frozen=True):
    payload: SignedRevealPayload


def mutate(contract: Contract, raw: bytes) -> bytes:
    """Carry out a signed mutation and return the empty body of success. Raises :class:`RegistryError`."""
    request = parse(_Request, open_signed(raw), "request")
    if request.scope != "Context":
        raise RegistryError(f"failed to parse input: unknown scope {request.scope!r}")
    context_id = key_text(request.params.context_id, "contextId")
    if request.params.scope == "Add":
        _add(contract, request, context_id)
        return b""
    change = MUTATIONS.get(request.params.scope)
    if change is None:
        raise RegistryError(f"failed to parse input: unknown mutation {request.params.scope!r}")
    entry = contract.entry(context_id)
    _use_nonce(entry, request)
    change(contract, entry, request)
    contract.store(context_id, entry)
    return b""


def _use_nonce(entry: ContextEntry, request: _Request) -> None:
    expected = entry.nonces.get(request.signer_id)
    if expected is None:
        return
    if request.nonce != expected:
        raise RegistryError("invalid nonce")
    entry.nonces[request.signer_id] = expected + 1


def _add(contract: Contract, request: _Request, context_id: str) -> None:
    args = parse(_AddParams, bytes(request.params.params), "Add")
    author = key_text(args.author_id, "author_id")
    if request.signer_id != context_id:
        raise RegistryError("context addition must be signed by the context itself")
    if contract.find(context_id) is not None:
        raise RegistryError("context already exists")
    number = int(contract.rows.get(counter_key(contract.network, contract.contract)) or b"0")
    proxy = f"{number}.{contract.contract}"
    entry = ContextEntry(args.application, [author], {author: 0}, {kind: [author] for kind in Capability}, proxy)
    contract.rows.commit(
        {
            counter_key(contract.network, contract.contract): str(number + 1).encode(),
            context_key(contract.network, contract.contract, context_id): dump(entry),
            proxy_key(contract.network, proxy): dump(ProxyEntry(context_id)),
        }
    )


def _require(entry: ContextEntry, signer: str, capability: Capability, text: str) -> None:
    if signer not in entry.capabilities.get(capability, []):
        raise RegistryError(f"{text}: unauthorized access")


def _update_application(_: Contract, entry: ContextEntry, request: _Request) -> None:
    _require(entry, request.signer_id, Capability.MANAGE_APPLICATION, "unable to update application")
    entry.application = parse(_ApplicationParams, bytes(request.params.params), "UpdateApplication").application
    entry.application_revision += 1


def _add_members(_: Contract, entry: ContextEntry, request: _Request) -> None:
    _require(entry, request.signer_id, Capability.MANAGE_MEMBERS, "unable to update member list")
    for member in parse(_MemberParams, bytes(request.params.params), "AddMembers").members:
        if key_text(member, "members") not in entry.members:
            entry.members.append(member)
        entry.nonces.setdefault(member, 0)
    entry.members_revision += 1


def _remove_members(_: Contract, entry: ContextEntry, request: _Request) -> None:
    _require(entry, request.signer_id, Capability.MANAGE_MEMBERS, "unable to update member list")
    gone = set(parse(_MemberParams, bytes(request.params.params), "RemoveMembers").members)
    entry.members = [member for member in entry.members if member not in gone]
    entry.nonces = {member: nonce for member, nonce in entry.nonces.items() if member not in gone}
    for kind in (Capability.MANAGE_MEMBERS, Capability.MANAGE_APPLICATION):
        entry.capabilities[kind] = [member for member in entry.capabilities.get(kind, []) if member not in gone]
    entry.members_revision += 1


def _grant(_: Contract, entry: ContextEntry, request: _Request) -> None:
    for member, kind in parse(_CapabilityParams, bytes(request.params.params), "Grant").capabilities:
        if member not in entry.members:
            raise RegistryError("unable to grant privileges to non-member")
        _require(entry, request.signer_id, kind, _CAPABILITY_TEXT[kind])
        holders = entry.capabilities.setdefault(kind, [])
        if member not in holders:
            holders.append(member)


def _revoke(_: Contract, entry: ContextEntry, request: _Request) -> None:
    for member, kind in parse(_CapabilityParams, bytes(request.params.params), "Revoke").capabilities:
        _require(entry, request.signer_id, kind, _CAPABILITY_TEXT[kind])
        entry.capabilities[kind] = [holder for holder in entry.capabilities.get(kind, []) if holder != member]


_CAPABILITY_TEXT: Final = {
    Capability.MANAGE_APPLICATION: "unable to update application",
    Capability.MANAGE_MEMBERS: "unable to update member list",
    Capability.PROXY: "unable to update proxy",
}


def _commit_invitation(contract: Contract, entry: ContextEntry, request: _Request) -> None:
    args = parse(_CommitParams, bytes(request.params.params), "CommitOpenInvitation")
    if len(args.commitment_hash) != 2 * hashlib.sha256().digest_size or not _is_hex(args.commitment_hash):
        raise RegistryError("Invalid hex hash")
    if args.commitment_hash in entry.commitments:
        raise RegistryError("This commitment has already been made")
    if contract.height >= args.expiration_block_height:
        raise RegistryError("This invitation is already expired")
    entry.commitments[args.commitment_hash] = args.expiration_block_height


def _reveal_invitation(contract: Contract, entry: ContextEntry, request: _Request) -> None:
    reveal = open_reveal(parse(_RevealParams, bytes(request.params.params), "RevealOpenInvitation").payload)
    if reveal.protocol != "near" or reveal.contract_id != contract.contract:
        raise RegistryError("This invitation is for another contract.")
    if str(reveal.context_id) != request.params.context_id:
        raise RegistryError("This invitation is for another context.")
    if entry.commitments.pop(reveal.commitment, None) is None:
        raise RegistryError("No matching commitment found. Commit to the invitation first.")
    if contract.height > reveal.expiration_height:
        raise RegistryError("The invitation has expired.")
    member = str(reveal.new_member)
    if member in entry.members:
        raise RegistryError("Member already in context")
    reveal.check_signatures()
    if reveal.invitation_digest in entry.used_invitations:
        raise RegistryError("This invitation has already been used in this context.")
    _require(entry, str(reveal.inviter), Capability.MANAGE_MEMBERS, "unable to update member list")
    entry.used_invitations.append(reveal.invitation_digest)
    entry.members.append(member)
    entry.members_revision += 1


def _update_proxy(_: Contract, entry: ContextEntry, request: _Request) -> None:
    _require(entry, request.signer_id, Capability.PROXY, "unable to update contract")


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)


MUTATIONS: Final[dict[str, Callable[[Contract, ContextEntry, _Request], None]]] = {
    "UpdateApplication": _update_application,
    "AddMembers": _add_members,
    "RemoveMembers": _remove_members,
    "Grant": _grant,
    "Revoke": _revoke,
    "CommitOpenInvitation": _commit_invitation,
    "RevealOpenInvitation": _reveal_invitation,
    "UpdateProxyContract": _update_proxy,
}
"""Every mutation but ``Add``, which makes the entry that the others change."""
