"""The one table of routes. Routing, the API document, the reference page and the route tests are made from it.

core 0.10.0: crates/server/src/{lib,admin/service,jsonrpc,sse,ws}.rs; permissions: crates/auth/src/auth/validation.rs.
"""

from __future__ import annotations

from typing import Any, Final

from node.api import answers, models
from node.api.bodies import PLAIN
from node.api.errors import Family
from node.api.route import ADMIN, OWN, Content, Module, Query, Route, SocketRoute

__all__ = ["ROUTES", "SOCKETS"]

_FAILS: Final = (500, 503, 504)
_CONTEXT: Final = "/contexts/{context}"
_PROPOSALS: Final = f"{_CONTEXT}/proposals"


def _admin(method: str, path: str, handler: str, summary: str, answer: Any = None, **more: Any) -> Route:
    """A route of the admin API that asks another worker."""
    statuses = {*more.pop("statuses", ()), *_FAILS}
    if "{" in path or "body" in more or "query" in more:
        statuses.add(400)
    return Route(method, ADMIN + path, handler, summary, answer=answer, statuses=tuple(sorted(statuses)), **more)


def _own(method: str, path: str, handler: str, summary: str, answer: Any = None, **more: Any) -> Route:
    """A route that the reference does not have."""
    statuses = {*more.pop("statuses", ()), *_FAILS}
    if "{" in path or "body" in more or "query" in more:
        statuses |= {400, 404}
    permission = more.pop("permission", "admin")
    return Route(
        method, OWN + path, handler, summary,
        answer=answer, permission=permission, statuses=tuple(sorted(statuses)), extension=True, **more,
    )  # fmt: skip


def _public(path: str, handler: str, summary: str, answer: Any = None, **more: Any) -> Route:
    """A page that everybody may read."""
    more = {"module": Module.ALWAYS, "wrapped": False, "extension": True, **more}
    return Route("GET", path, handler, summary, answer=answer, guarded=False, **more)


def _alias(path: str, handler: str, summary: str, answer: Any = None, body: Any = None) -> Route:
    statuses = (422, 413, 415, 409) if body is not None else ()
    return _admin(
        "POST", f"/alias{path}", handler, summary, answer,
        body=body, family=Family.TEXT, wording=PLAIN, statuses=(400, *statuses),
    )  # fmt: skip


def _limit(default: int) -> Query:
    return Query("limit", "integer", "most rows of the answer, 1 to 1000", default)


_AFTER: Final = Query("after", "string", "cursor: the `next` of the page before")
_UNREADABLE: Final = (400, 413, 415, 422)

_CALLS: Final = (
    Route(
        "POST", "/jsonrpc", "jsonrpc", "Run a method of an application; an array of calls is an extension",
        Module.JSONRPC, raw=True, answer=answers.RpcAnswer, wrapped=False, permission="context:execute",
        family=Family.TEXT, wording=PLAIN, statuses=_UNREADABLE,
    ),
)  # fmt: skip

_STREAMS: Final = (
    Route(
        "GET", "/sse", "sse", "Stream of events", Module.SSE, content=Content.EVENTS,
        statuses=(503,),
    ),
    Route(
        "POST", "/sse/subscription", "sse_subscription", "Choose the contexts of an event stream", Module.SSE,
        raw=True, answer=answers.SubscriptionAnswer, wrapped=False, wording=PLAIN, statuses=(*_UNREADABLE, 404),
    ),
    Route(
        "GET", "/sse/session/{session}", "sse_session", "State of an event stream", Module.SSE,
        answer=answers.SessionAnswer, wrapped=False, statuses=(400, 404, 410, 500, 503),
    ),
    Route(
        "GET", "/ws", "plain_websocket", "Events of subscribed contexts, as a WebSocket", Module.WEBSOCKET,
        family=Family.TEXT, content=Content.TEXT, statuses=(400,),
    ),
)  # fmt: skip

_PAGES: Final = (
    _public("/metrics", "metrics", "Figures for Prometheus", content=Content.TEXT, extension=False),
    _public("/health", "own_health", "Whether the server process answers", answers.Status),
    _public("/ready", "ready", "Whether every worker serves", answers.Ready, statuses=(503,)),
    _public("/api-docs", "api_docs", "This table as OpenAPI 3.1", dict[str, Any]),
    _public(
        "/admin-dashboard", "dashboard", "A page about the node", module=Module.ADMIN, content=Content.HTML,
        extension=False,
    ),
    _public(
        "/admin-dashboard/{*rest}", "dashboard", "A page about the node", module=Module.ADMIN, content=Content.HTML,
        extension=False,
    ),
)  # fmt: skip

_NODE: Final = (
    _admin("GET", "/health", "health", "Whether the node is alive", answers.Status, guarded=False),
    _admin("GET", "/is-authed", "health", "Whether the request passes the guard", answers.Status, guarded=False),
    _admin(
        "GET", "/certificate", "certificate", "The node's certificate",
        guarded=False, content=Content.TEXT, family=Family.TEXT, statuses=(404,),
    ),
    _admin("GET", "/tee/info", "tee_info", "Trusted hardware of the node", guarded=False),
    _admin(
        "POST", "/tee/attest", "tee_attest", "Attestation of the node",
        body=models.Attest, guarded=False, statuses=(404, 501),
    ),
    _admin("POST", "/tee/verify-quote", "tee_verify", "Verify an attestation", body=models.VerifyQuote, guarded=False),
    _admin("GET", "/peers", "peer_count", "Number of connected peers", answers.PeerCount, wrapped=False),
)  # fmt: skip

_APPLICATIONS: Final = (
    _admin(
        "POST", "/install-application", "install_url", "Install from a URL", answers.Installed,
        body=models.InstallUrl, family=Family.TEXT, permission="application:install",
    ),
    _admin(
        "POST", "/install-dev-application", "install_path", "Install from a path on the node's machine",
        answers.Installed, body=models.InstallPath, family=Family.TEXT, permission="application:install",
    ),
    _admin(
        "GET", "/applications", "applications", "Installed applications", answers.Applications,
        permission="application:list",
    ),
    _admin(
        "GET", "/applications/{application}", "application", "One application", answers.OneApplication,
        family=Family.TEXT, permission="application:list[application]",
    ),
    _admin(
        "DELETE", "/applications/{application}", "uninstall", "Remove an application", answers.Installed,
        family=Family.TEXT, permission="application:uninstall",
    ),
    _admin(
        "GET", "/packages", "packages", "Packages of installed applications", answers.Packages,
        wrapped=False, permission="package:list-packages",
    ),
    _admin(
        "GET", "/packages/{package}/versions", "package_versions", "Versions of a package", answers.Versions,
        wrapped=False, permission="package:list-versions[package]",
    ),
    _admin(
        "GET", "/packages/{package}/latest", "package_latest", "Latest version of a package", answers.Latest,
        wrapped=False, permission="package:get-latest-version[package]",
    ),
)  # fmt: skip

_CONTEXTS: Final = (
    _admin("GET", "/contexts", "contexts", "Contexts of the node", answers.Contexts, permission="context:list"),
    _admin(
        "POST", "/contexts", "create_context", "Create a context", answers.Joined,
        body=models.CreateContext, permission="context:create", statuses=(404,),
    ),
    _admin(
        "POST", "/contexts/invite", "invite", "Invite an identity", str | None,
        body=models.Invite, statuses=(403, 404),
    ),
    _admin(
        "POST", "/contexts/join", "join", "Join with an invitation", answers.Joined, body=models.Join,
    ),
    _admin(
        "POST", "/contexts/invite_by_open_invitation", "invite_open", "Make an invitation for whoever holds it",
        answers.SignedOpenInvitation | None, body=models.InviteOpen, statuses=(403, 404),
    ),
    _admin(
        "POST", "/contexts/join_by_open_invitation", "join_open", "Join with an open invitation",
        answers.Joined | None, body=models.JoinOpen,
    ),
    _admin(
        "POST", "/contexts/invite-specialized-node", "invite_specialized",
        "Invite a read-only node on trusted hardware", answers.Nonce,
        body=models.InviteSpecialized, statuses=(404, 501),
    ),
    _admin("POST", "/contexts/sync", "sync_all", "Ask for a sync of every context", None),
    _admin("POST", "/contexts/sync/{context}", "sync_one", "Ask for a sync of a context", None),
    _admin(
        "POST", f"{_CONTEXT}/sync", "sync_one", "As `/contexts/sync/{context}`, where a published client looks for it",
        None, extension=True,
    ),
    _admin(
        "GET", "/contexts/for-application/{application}", "contexts_for", "Contexts of an application",
        answers.Contexts, permission="context:list[application]",
    ),
    _admin(
        "GET", "/contexts/with-executors/for-application/{application}", "contexts_with_executors",
        "Contexts of an application with own identities", answers.ContextsWithExecutors,
        wrapped=False, permission="context:list[application]",
    ),
    _admin(
        "GET", _CONTEXT, "context", "One context", answers.Context,
        permission="context:list[context]", statuses=(404,),
    ),
    _admin(
        "DELETE", _CONTEXT, "delete_context", "Leave a context and delete it from this node", answers.Deleted,
        permission="context:delete[context]",
    ),
    _admin(
        "POST", f"{_CONTEXT}/application", "update_application", "Move a context to another application", None,
        body=models.UpdateApplication, permission="context:application:update[context]", statuses=(403, 404),
    ),
    _admin("GET", f"{_CONTEXT}/storage", "context_storage", "Size of a context's state", answers.Storage),
    _admin("GET", f"{_CONTEXT}/identities", "identities", "Members of a context", answers.Identities, statuses=(404,)),
    _admin(
        "GET", f"{_CONTEXT}/identities-owned", "identities_owned", "Own identities in a context", answers.Identities,
        statuses=(404,),
    ),
    _admin(
        "GET", f"{_CONTEXT}/client-keys", "client_keys", "Always empty; published clients ask for it",
        answers.ClientKeys, extension=True,
    ),
    _admin(
        "POST", f"{_CONTEXT}/capabilities/grant", "grant", "Grant capabilities", answers.Wrapped | None,
        body=models.Capabilities | models.CapabilityPairs, wrapped=False,
        permission="context:capabilities:grant[context]", statuses=(403, 404),
    ),
    _admin(
        "POST", f"{_CONTEXT}/capabilities/revoke", "revoke", "Revoke capabilities", answers.Wrapped | None,
        body=models.Capabilities | models.CapabilityPairs, wrapped=False,
        permission="context:capabilities:revoke[context]", statuses=(403, 404),
    ),
    _admin("POST", "/identity/context", "new_identity", "Make an identity", answers.NewIdentity),
)  # fmt: skip

_GOVERNANCE: Final = (
    _admin("GET", f"{_CONTEXT}/proxy-contract", "proxy_contract", "Proxy contract of a context", str),
    _admin("POST", _PROPOSALS, "proposals", "Open proposals", answers.Proposals, body=models.Page),
    _admin("GET", f"{_PROPOSALS}/count", "proposals_limit", "Limit of open proposals", int),
    _admin(
        "POST", f"{_PROPOSALS}/create-and-approve", "propose", "Make a proposal and approve it", answers.Approvals,
        body=models.NewProposal, statuses=(403,),
    ),
    _admin(
        "POST", f"{_PROPOSALS}/approve", "approve", "Approve a proposal", answers.Approvals,
        body=models.Approve, statuses=(403,),
    ),
    _admin(
        "POST", f"{_PROPOSALS}/get-context-value", "context_value", "A value of the proxy contract", models.ByteList,
        body=models.ContextValue,
    ),
    _admin(
        "POST", f"{_PROPOSALS}/context-storage-entries", "context_entries", "Values of the proxy contract",
        list[answers.ContextEntry], body=models.Page,
    ),
    _admin("GET", f"{_PROPOSALS}/{{proposal}}", "proposal", "One proposal", models.ProposalBody),
    _admin(
        "GET", f"{_PROPOSALS}/{{proposal}}/approvals/count", "approvals_count", "Approvals of a proposal",
        answers.Approvals,
    ),
    _admin(
        "GET", f"{_PROPOSALS}/{{proposal}}/approvals/users", "approvals_users", "Who approved a proposal", list[str],
    ),
)  # fmt: skip

_BLOBS: Final = (
    _admin(
        "PUT", "/blobs", "put_blob", "Store a blob; the body are its bytes", answers.StoredBlob, raw=True,
        permission="blob:add:stream", statuses=(400, 413),
        query=(
            Query("hash", "string", "base58 of the SHA-256 of the content, which is then verified"),
            Query("context_id", "string", "context in whose name the blob is announced to peers"),
        ),
    ),
    _admin("GET", "/blobs", "blobs", "Stored blobs", answers.Blobs),
    _admin(
        "GET", "/blobs/{blob}", "get_blob", "Bytes of a blob; HEAD tells size, hash and type", content=Content.BYTES,
        statuses=(404,),
        query=(Query("context_id", "string", "context whose members are asked when the blob is not here"),),
    ),
    _admin(
        "DELETE", "/blobs/{blob}", "delete_blob", "Delete a blob", answers.DeletedBlob,
        wrapped=False, permission="blob:remove", statuses=(409,),
    ),
    _own("GET", "/blobs/usage", "blob_usage", "Room that blobs take, and what could be freed", answers.BlobUsage),
    _own("POST", "/blobs/collect", "collect_blobs", "Delete what nothing needs and nobody stored", answers.BlobsFreed),
    _own("POST", "/blobs/{blob}/pin", "pin_blob", "Keep a blob whatever happens", answers.PinnedBlob),
    _own("DELETE", "/blobs/{blob}/pin", "unpin_blob", "Let a pinned blob be deleted again", answers.PinnedBlob),
)  # fmt: skip

_ALIASES: Final = (
    _alias("/create/context", "alias_context", "Name a context", body=models.AliasOfContext),
    _alias("/create/application", "alias_application", "Name an application", body=models.AliasOfApplication),
    _alias("/create/identity/{scope}", "alias_identity", "Name an identity of a context", body=models.AliasOfIdentity),
    _alias(
        "/lookup/identity/{scope}/{name}", "alias_lookup_identity", "Find an identity by its name", answers.AliasValue
    ),
    _alias("/lookup/{kind}/{name}", "alias_lookup", "Find a context or application by its name", answers.AliasValue),
    _alias("/delete/identity/{scope}/{name}", "alias_delete_identity", "Drop the name of an identity"),
    _alias("/delete/{kind}/{name}", "alias_delete", "Drop the name of a context or application"),
    _admin("GET", "/alias/list/identity/{scope}", "alias_list_identity", "Names of identities", dict[str, str]),
    _admin("GET", "/alias/list/{kind}", "alias_list", "Names of contexts or applications", dict[str, str]),
)  # fmt: skip

_INSPECTION: Final = (
    _own("GET", "/workers", "workers", "Worker processes of the node", answers.Workers),
    _own(
        "GET", "/sessions", "sessions", "Running and recent sync sessions, newest first", answers.Sessions,
        query=(_limit(50),),
    ),
    _own("GET", "/peers", "peers", "Connected and wanted peers, and those that are shut out", answers.Peers),
    _own(
        "POST", "/peers", "add_peer", "Connect to a peer and stay connected", answers.Dialled, body=models.AddPeer,
    ),
    _own("POST", "/peers/{peer}/ping", "ping_peer", "Round trip to a peer", answers.Ponged),
    _own("GET", f"{_CONTEXT}/why", "why", "Why a context is or is not converged", dict[str, Any]),
    _own(
        "GET", f"{_CONTEXT}/deltas", "deltas", "A window of the DAG, newest first", answers.Deltas,
        query=(_AFTER, _limit(50)),
    ),
    _own("GET", f"{_CONTEXT}/pending", "pending", "Deltas that wait, and for what", answers.Pending),
    _own(
        "GET", f"{_CONTEXT}/state", "state", "Raw state rows", answers.StateRows, query=(_AFTER, _limit(50)),
    ),
    _own(
        "GET", f"{_CONTEXT}/tree", "tree", "Merkle tree of the state, parents before children", answers.Tree,
        query=(
            Query("entity", "string", "entity to start from; the root when absent"),
            Query("depth", "integer", "levels below it, 0 to 16", 2),
        ),
    ),
    _own(
        "GET", f"{_CONTEXT}/at/{{delta}}", "state_at", "Every entry as it was right after a delta", answers.Entries,
    ),
    _own("GET", f"{_CONTEXT}/blame/{{entity}}", "blame", "Every write of an entry, newest first", answers.Entries),
    _own(
        "GET", f"{_CONTEXT}/compare", "compare", "Entries that differ between two deltas", answers.Changes,
        query=(Query("old", "string", "id of a delta"), Query("new", "string", "id of another")),
    ),
    _own("GET", f"{_CONTEXT}/methods", "methods", "Methods of the context's application", answers.Methods),
    _own(
        "GET", "/logs", "logs", "Recent log lines of all workers", answers.Logs,
        query=(Query("after", "integer", "cursor of the page before", 0), _limit(100)),
    ),
    _own(
        "GET", "/logs/stream", "log_stream",
        "Log lines as they are written, as an event stream; `Last-Event-ID` goes on behind that line",
        content=Content.EVENTS, query=(Query("after", "integer", "number of the last line seen", 0),),
    ),
    _own(
        "GET", "/history", "history", "Recent events and notices", answers.HistoryPage,
        query=(Query("after", "integer", "cursor of the page before", 0), _limit(100)),
    ),
)  # fmt: skip

ROUTES: Final[tuple[Route, ...]] = (
    *_CALLS, *_STREAMS, *_PAGES, *_NODE, *_APPLICATIONS, *_CONTEXTS, *_GOVERNANCE, *_BLOBS, *_ALIASES, *_INSPECTION,
)  # fmt: skip

SOCKETS: Final[tuple[SocketRoute, ...]] = (
    SocketRoute("/ws", "follow_contexts", "Events of subscribed contexts", Module.WEBSOCKET),
    SocketRoute(
        f"{OWN}/events", "follow_everything", "All events and notices of the node", Module.WEBSOCKET, extension=True
    ),
)
