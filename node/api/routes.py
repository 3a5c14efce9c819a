"""The one table of routes. Routing, OpenAPI, the reference page and the route tests are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from node.api import models

ADMIN: Final = "/admin-api"
OWN: Final = "/calimero/v1"
"""Prefix of what the reference does not have."""


@dataclass(frozen=True, slots=True)
class Route:
    """``handler`` names the function that serves it; ``body`` the model of its JSON body, None where it has none.

    ``text_errors``: failures are plain text instead of an ``error`` object. ``guarded``: passes the guard.
    """

    method: str
    path: str
    handler: str
    summary: str
    body: type[Any] | None = None
    guarded: bool = True
    text_errors: bool = False

    @property
    def extension(self) -> bool:
        """Whether the reference does not have it."""
        return self.path.startswith((OWN, "/health", "/ready", "/api-docs"))


def _admin(
    method: str,
    path: str,
    handler: str,
    summary: str,
    body: type[Any] | None = None,
    *,
    guarded: bool = True,
    text_errors: bool = False,
) -> Route:
    return Route(method, ADMIN + path, handler, summary, body, guarded, text_errors)


_CONTEXT: Final = "/contexts/{context}"
_PROPOSALS: Final = f"{_CONTEXT}/proposals"

ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", "/jsonrpc", "jsonrpc", "Run a method of an application"),
    Route("GET", "/sse", "sse", "Stream of events"),
    Route("POST", "/sse/subscription", "sse_subscription", "Choose the contexts of an event stream"),
    Route("GET", "/sse/session/{session}", "sse_session", "State of an event stream"),
    Route("GET", "/metrics", "metrics", "Figures for Prometheus", guarded=False),
    Route("GET", "/health", "own_health", "Whether the server process answers", guarded=False),
    Route("GET", "/ready", "ready", "Whether every worker serves", guarded=False),
    Route("GET", "/api-docs", "api_docs", "This table as OpenAPI 3.1", guarded=False),
    _admin("GET", "/health", "health", "Whether the node is alive", guarded=False),
    _admin("GET", "/is-authed", "health", "Whether the request passes the guard", guarded=False),
    _admin("GET", "/certificate", "certificate", "The node's certificate", guarded=False, text_errors=True),
    _admin("GET", "/tee/info", "tee_info", "Trusted hardware of the node", guarded=False),
    _admin("POST", "/tee/attest", "tee_attest", "Attestation of the node", guarded=False),
    _admin("POST", "/tee/verify-quote", "tee_verify", "Verify an attestation", guarded=False),
    _admin("GET", "/peers", "peer_count", "Number of connected peers"),
    # applications
    _admin("POST", "/install-application", "install_url", "Install from a URL", models.InstallUrl, text_errors=True),
    _admin(
        "POST", "/install-dev-application", "install_path", "Install from a path", models.InstallPath, text_errors=True
    ),
    _admin("GET", "/applications", "applications", "Installed applications"),
    _admin("GET", "/applications/{application}", "application", "One application", text_errors=True),
    _admin("DELETE", "/applications/{application}", "uninstall", "Remove an application", text_errors=True),
    _admin("GET", "/packages", "packages", "Packages of installed applications"),
    _admin("GET", "/packages/{package}/versions", "package_versions", "Versions of a package"),
    _admin("GET", "/packages/{package}/latest", "package_latest", "Latest version of a package"),
    # contexts
    _admin("GET", "/contexts", "contexts", "Contexts of the node"),
    _admin("POST", "/contexts", "create_context", "Create a context", models.CreateContext),
    _admin("POST", "/contexts/invite", "invite", "Invite an identity", models.Invite),
    _admin("POST", "/contexts/join", "join", "Join with an invitation", models.Join),
    _admin("POST", "/contexts/invite_by_open_invitation", "invite_open", "Make an open invitation", models.InviteOpen),
    _admin("POST", "/contexts/join_by_open_invitation", "join_open", "Join with an open invitation", models.JoinOpen),
    _admin("POST", "/contexts/invite-specialized-node", "invite_specialized", "Invite a read-only TEE node"),
    _admin("POST", "/contexts/sync", "sync_all", "Sync every context"),
    _admin("POST", "/contexts/sync/{context}", "sync_one", "Sync a context"),
    _admin("GET", "/contexts/for-application/{application}", "contexts_for", "Contexts of an application"),
    _admin(
        "GET",
        "/contexts/with-executors/for-application/{application}",
        "contexts_with_executors",
        "Contexts of an application with own identities",
    ),
    _admin("GET", _CONTEXT, "context", "One context"),
    _admin("DELETE", _CONTEXT, "delete_context", "Delete a context from this node"),
    _admin("POST", f"{_CONTEXT}/application", "update_application", "Upgrade a context", models.UpdateApplication),
    _admin("GET", f"{_CONTEXT}/storage", "context_storage", "Size of a context's state"),
    _admin("GET", f"{_CONTEXT}/identities", "identities", "Members of a context"),
    _admin("GET", f"{_CONTEXT}/identities-owned", "identities_owned", "Own identities in a context"),
    _admin("POST", f"{_CONTEXT}/capabilities/grant", "grant", "Grant capabilities", models.Capabilities),
    _admin("POST", f"{_CONTEXT}/capabilities/revoke", "revoke", "Revoke capabilities", models.Capabilities),
    _admin("POST", "/identity/context", "new_identity", "Make an identity"),
    # governance
    _admin("GET", f"{_CONTEXT}/proxy-contract", "proxy_contract", "Proxy contract of a context"),
    _admin("POST", _PROPOSALS, "proposals", "Open proposals", models.Page),
    _admin("GET", f"{_PROPOSALS}/count", "proposals_limit", "Limit of open proposals"),
    _admin("POST", f"{_PROPOSALS}/create-and-approve", "propose", "Make a proposal", models.NewProposal),
    _admin("POST", f"{_PROPOSALS}/approve", "approve", "Approve a proposal", models.Approve),
    _admin("POST", f"{_PROPOSALS}/get-context-value", "context_value", "A context value", models.ContextValue),
    _admin("POST", f"{_PROPOSALS}/context-storage-entries", "context_entries", "Context values", models.Page),
    _admin("GET", _PROPOSALS + "/{proposal}", "proposal", "One proposal"),
    _admin("GET", _PROPOSALS + "/{proposal}/approvals/count", "approvals_count", "Approvals of a proposal"),
    _admin("GET", _PROPOSALS + "/{proposal}/approvals/users", "approvals_users", "Who approved a proposal"),
    # blobs
    _admin("PUT", "/blobs", "put_blob", "Store a blob"),
    _admin("GET", "/blobs", "blobs", "Stored blobs"),
    _admin("GET", "/blobs/{blob}", "get_blob", "Bytes of a blob"),
    _admin("DELETE", "/blobs/{blob}", "delete_blob", "Delete a blob"),
    # aliases
    _admin("POST", "/alias/create/context", "alias_context", "Name a context", models.AliasOfContext, text_errors=True),
    _admin(
        "POST",
        "/alias/create/application",
        "alias_application",
        "Name an application",
        models.AliasOfApplication,
        text_errors=True,
    ),
    _admin(
        "POST",
        "/alias/create/identity/{scope}",
        "alias_identity",
        "Name an identity",
        models.AliasOfIdentity,
        text_errors=True,
    ),
    _admin("POST", "/alias/lookup/identity/{scope}/{name}", "alias_lookup_identity", "Find a name", text_errors=True),
    _admin("POST", "/alias/lookup/{kind}/{name}", "alias_lookup", "Find a name", text_errors=True),
    _admin("POST", "/alias/delete/identity/{scope}/{name}", "alias_delete_identity", "Drop a name", text_errors=True),
    _admin("POST", "/alias/delete/{kind}/{name}", "alias_delete", "Drop a name", text_errors=True),
    _admin("GET", "/alias/list/identity/{scope}", "alias_list_identity", "Names of identities"),
    _admin("GET", "/alias/list/{kind}", "alias_list", "Names of contexts or applications"),
    # ours
    Route("GET", f"{OWN}/workers", "workers", "Worker processes of the node"),
    Route("GET", f"{OWN}/sessions", "sessions", "Running and recent sync sessions"),
    Route("GET", f"{OWN}/peers", "peers", "Connected and wanted peers"),
    Route("POST", f"{OWN}/peers", "add_peer", "Connect to a peer and stay connected", models.AddPeer),
    Route("POST", OWN + "/peers/{peer}/ping", "ping_peer", "Round trip to a peer"),
    Route("GET", OWN + "/contexts/{context}/why", "why", "Why a context is or is not converged"),
    Route("GET", OWN + "/contexts/{context}/deltas", "deltas", "A window of the DAG, newest first"),
    Route("GET", OWN + "/contexts/{context}/pending", "pending", "Deltas that wait, and for what"),
    Route("GET", OWN + "/contexts/{context}/state", "state", "Raw state rows"),
    Route("GET", OWN + "/contexts/{context}/methods", "methods", "Methods of the context's application"),
    Route("GET", f"{OWN}/history", "history", "Recent events and notices, with a cursor"),
)

WEBSOCKETS: Final[tuple[tuple[str, str], ...]] = (
    ("/ws", "Events of subscribed contexts"),
    (f"{OWN}/events", "All events and notices of the node"),
)


def openapi(version: str) -> dict[str, object]:
    """The table as an OpenAPI 3.1 document."""
    paths: dict[str, dict[str, object]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    info = {"title": "Calimero node", "version": version, "description": "The API of core 0.10.0, and extensions."}
    return {"openapi": "3.1.0", "info": info, "paths": paths}


def _operation(route: Route) -> dict[str, object]:
    parameters = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
        for part in route.path.split("/")
        if part.startswith("{")
    ]
    found: dict[str, object] = {
        "operationId": f"{route.method.lower()}_{route.handler}",
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done"},
            "default": {"description": "Refused: an object with `error`, or a text"},
        },
        "x-extension": route.extension,
    }
    if route.body is not None:
        schema = {"type": "object", "properties": {name: {} for name in route.body.__struct_encode_fields__}}
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found
