"""What calimero-client-py is asked to do: every method of it, in an order in which each one can work.

Texts that begin with `$` stand for values that an earlier step kept, see :mod:`tests.interop.clients.names`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["STEPS", "Step"]


@dataclass(frozen=True)
class Step:
    """One call. ``gives`` are parts of the result by path; ``keep`` names parts for later steps."""

    method: str
    arguments: tuple[Any, ...] = ()
    on: str = "first"
    gives: dict[str, Any] = field(default_factory=dict)
    keep: dict[str, str] = field(default_factory=dict)
    refused: bool = False


def _execute(method: str, arguments: str, **gives: Any) -> Step:
    paths = {path.replace("_", "."): value for path, value in gives.items()}
    return Step("execute_function", ("$context", method, arguments, "$member"), gives=paths)


def _bytes(text: str) -> dict[str, list[int]]:
    return {"bytes": list(text.encode())}


_DONE = {"data": None}
_PROPOSAL = json.dumps(
    {
        "signerId": "$member",
        "proposal": {
            "id": "$proposal",
            "author_id": "$member",
            "actions": [{"scope": "SetNumApprovals", "params": {"num_approvals": 2}}],
        },
    }
)

_NODE = (
    Step("get_api_url"),
    Step("detect_auth_mode", gives={"": "none"}),
    Step("get", ("admin-api/health",), gives={"data.status": "alive"}),
    Step("get_peers_count", gives={"count": 1}),
)

_APPLICATIONS = (
    Step("install_dev_application", ("$wasm",), keep={"application": "data.applicationId"}),
    Step("install_dev_application", ("$wasm", _bytes("{}")), on="second"),
    Step("install_application", ("$address", "$digest", _bytes("note")), keep={"next": "data.applicationId"}),
    Step("install_application", ("$address",), keep={"spare": "data.applicationId"}),
    Step("list_applications"),
    Step("get_application", ("$application",), gives={"data.application.id": "$application"}),
    Step("uninstall_application", ("$spare",), gives={"data.applicationId": "$spare"}),
    Step("get_application", ("$spare",), gives={"data.application": None}),
)

_CONTEXTS = (
    Step(
        "create_context", ("$application", "near"), keep={"context": "data.contextId", "member": "data.memberPublicKey"}
    ),
    Step(
        "create_context",
        ("$application", "near", "{}"),
        keep={"other": "data.contextId", "owner": "data.memberPublicKey"},
    ),
    Step("list_contexts"),
    Step("get_context", ("$context",), gives={"data.id": "$context", "data.applicationId": "$application"}),
    Step("get_context_storage", ("$context",)),
    Step("get_context_identities", ("$context",), gives={"data.identities": ["$member"]}),
    Step("get_context_client_keys", ("$context",), gives={"data.clientKeys": []}),
    Step("sync_context", ("$context",), gives=_DONE),
    Step("sync_all_contexts", gives=_DONE),
)

_MEMBERS = (
    Step("generate_context_identity", on="second", keep={"invitee": "data.publicKey"}),
    Step("invite_to_context", ("$context", "$member", "$invitee"), keep={"invitation": "data"}),
    Step(
        "join_context", ("$context", "$invitee", "$invitation"), on="second", gives={"data.memberPublicKey": "$invitee"}
    ),
    Step("generate_context_identity", on="second", keep={"comer": "data.publicKey"}),
    Step("invite_to_context_by_open_invitation", ("$other", "$owner", 1000), keep={"open": "data"}),
    Step("join_context_by_open_invitation", ("$open", "$comer"), on="second", gives={"data.memberPublicKey": "$comer"}),
    Step("grant_permissions", ("$context", '[["$invitee", "ManageMembers"]]'), gives=_DONE),
    Step("revoke_permissions", ("$context", '[["$invitee", "ManageMembers"]]'), gives=_DONE),
)

_CALLS = (
    _execute("set", '{"key": "k", "value": "v"}', result_output=None, id="1"),
    _execute("get", '{"key": "k"}', result_output="v"),
    _execute("nothing", "{}", error_type="FunctionCallError"),
    Step("update_context_application", ("$context", "$next", "$member"), gives=_DONE),
    Step("get_context", ("$context",), gives={"data.applicationId": "$next"}),
)

_PROPOSALS = (
    Step("list_proposals", ("$context",), refused=True),  # it sends null where core 0.10.0 wants a page, too
    Step("list_proposals", ("$context", '{"offset": 0, "limit": 10}'), gives={"data": []}),
    Step("create_and_approve_proposal", ("$context", _PROPOSAL), gives={"data.proposal_id": "$proposal"}),
    Step("list_proposals", ("$context", '{"offset": 0, "limit": 10}'), gives={"data.0.id": "$proposal"}),
    Step("get_proposal", ("$context", "$proposal"), gives={"data.author_id": "$member"}),
    Step("get_proposal_approvers", ("$context", "$proposal"), gives={"data": ["$member"]}),
    Step("approve_proposal", ("$context", '{"signerId": "$invitee", "proposalId": "$proposal"}'), on="second"),
)

_ALIASES = (
    Step("create_context_alias", ("short", "$context"), gives=_DONE),
    Step("create_alias_generic", ("other", "$other"), gives=_DONE),
    Step("create_context_identity_alias", ("$context", "me", "$member"), gives=_DONE),
    Step("create_application_alias", ("kv", "$application"), gives=_DONE),
    Step("list_context_aliases", gives={"data": {"short": "$context", "other": "$other"}}),
    Step("list_context_identity_aliases", ("$context",), gives={"data": {"me": "$member"}}),
    Step("list_application_aliases", gives={"data": {"kv": "$application"}}),
    Step("lookup_context_alias", ("short",), gives={"data.value": "$context"}),
    Step("lookup_context_alias", ("long",), gives={"data.value": None}),
    Step("lookup_context_identity_alias", ("me", "$context"), gives={"data.value": "$member"}),
    Step("lookup_application_alias", ("kv",), gives={"data.value": "$application"}),
    Step("resolve_context_alias", ("short",), gives={"value.data.data.value": "$context"}),
    Step("resolve_context_alias", ("$context",), gives={"value.data": "$context"}),
    Step("resolve_context_identity_alias", ("me", "$context"), gives={"value.data.data.value": "$member"}),
    Step("resolve_application_alias", ("kv",), gives={"value.data.data.value": "$application"}),
    Step("delete_context_alias", ("short",), gives=_DONE),
    Step("delete_context_identity_alias", ("me", "$context"), gives=_DONE),
    Step("delete_application_alias", ("kv",), gives=_DONE),
)

_BLOBS = (
    Step("upload_blob", (_bytes("alone"),), keep={"blob": "blob_id"}, gives={"size": 5}),
    Step("upload_blob", (_bytes("of a context"), "$context"), keep={"shared": "blob_id"}),
    Step("list_blobs"),
    Step("get_blob_info", ("$blob",), gives={"data.size": 5}),
    Step("download_blob", ("$blob",), gives=_bytes("alone")),
    Step("download_blob", ("$shared", "$context"), gives=_bytes("of a context")),
    Step("delete_blob", ("$blob",), gives={"deleted": True}),
    Step("get_blob_info", ("$blob",), refused=True),
)

_END = (
    Step("delete_context", ("$context",), gives={"data.isDeleted": True}),
    Step("get_context", ("$context",), refused=True),
)

STEPS = (*_NODE, *_APPLICATIONS, *_CONTEXTS, *_MEMBERS, *_CALLS, *_PROPOSALS, *_ALIASES, *_BLOBS, *_END)
