"""What an answer may be: a status that the API document has for the operation, JSON where JSON is promised, and 5xx
only where the reference's contract demands it or something outside the node fails.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from node.api.route import Content, Route
from node.api.routes import ROUTES

__all__ = ["DEMANDED", "Demand", "Verdicts", "excuse", "fault_of"]


@dataclass(frozen=True)
class Demand:
    """A 5xx that is right: its status, how its text begins, and why."""

    status: int
    text: str
    reason: str


_NO_CONFIG: Final = Demand(500, "Context not found", "the context's configuration is loaded first, its absence is 500")
_NO_PROPOSAL: Final = Demand(500, "Proposal not found", "an absent proposal is 500")
_NAME_TAKEN: Final = Demand(500, "alias already exists", "a name is never overwritten, a taken one is 500 as text")
_NO_SCOPE: Final = Demand(500, "alias requires scope to be present", "a bad context in the path is no scope")
_NO_TDX: Final = "without trusted hardware the operation is 500"
_NOT_HERE: Final = Demand(
    500, "application file not found|application file ", "a file that cannot be read is 500 as text"
)
_NOT_LOADED: Final = Demand(500, "'.*' is no http or https URL|download of ", "what cannot be fetched is 500 as text")
_AWAY: Final = Demand(503, "", "ours: the peer, which is outside of the node, cannot be reached")
_NO_PROTOCOL: Final = Demand(500, "unsupported protocol: ", "another protocol than the configured one is 500")

DEMANDED: Final[dict[str, tuple[Demand, ...]]] = {
    "tee_info": (Demand(500, "Failed to get TEE info", _NO_TDX),),
    "tee_attest": (Demand(500, "Failed to generate TDX quote", _NO_TDX),),
    "invite_specialized": (Demand(501, "this node cannot verify trusted hardware", "needs trusted hardware"),),
    "install_url": (_NOT_LOADED,),
    "install_path": (_NOT_HERE,),
    "create_context": (_NO_PROTOCOL,),
    "update_application": (Demand(500, "method ", "a migration that cannot run is 500"),),
    "delete_blob": (Demand(500, "Failed to delete blob: Blob not found", "an absent blob is 500"),),
    "put_blob": (Demand(500, "Failed to store blob: .*hash mismatch", "another hash than announced is 500"),),
    "alias_context": (_NAME_TAKEN,),
    "alias_application": (_NAME_TAKEN,),
    "alias_identity": (_NAME_TAKEN, _NO_SCOPE),
    "proxy_contract": (_NO_CONFIG,),
    "proposals": (_NO_CONFIG,),
    "proposals_limit": (_NO_CONFIG,),
    "propose": (_NO_CONFIG,),
    "approve": (_NO_CONFIG,),
    "context_value": (_NO_CONFIG, Demand(500, "the context has no value", "an absent value is 500")),
    "context_entries": (_NO_CONFIG,),
    "proposal": (_NO_CONFIG, _NO_PROPOSAL),
    "approvals_count": (_NO_CONFIG, _NO_PROPOSAL),
    "approvals_users": (_NO_CONFIG, _NO_PROPOSAL),
    "add_peer": (_AWAY,),
    "ping_peer": (_AWAY,),
}
"""Every 5xx that a request can bring about, by handler of the route table. Without "ours", core 0.10.0 demands it:
crates/server/src/admin/handlers.
"""


def excuse(route: Route, status: int, text: str) -> Demand | None:
    """The demand that a 5xx fulfils."""
    for demand in DEMANDED.get(route.handler, ()):
        if demand.status == status and re.match(demand.text, text):
            return demand
    return None


@dataclass
class Verdicts:
    """What came of all cases. ``faults`` holds each kind once, with an example and its number."""

    cases: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[Any]] = field(default_factory=dict)

    def count(self, source: str, status: int | None = None) -> None:
        self.cases[source] += 1
        if status is not None:
            self.statuses[status] += 1

    def blame(self, kind: str, example: str) -> None:
        known = self.faults.setdefault(kind, [0, example[:600]])
        known[0] += 1

    def http(self, source: str, route: Route, method: str, status: int, kind: str, body: bytes, sent: str) -> None:
        """Judge the answer of a route."""
        self.count(source, status)
        if status >= 500 and (demand := excuse(route, status, told(kind, body))) is not None:
            self.excused[f"{route.method} {route.path}: {status} {demand.reason}"] += 1
        elif (fault := fault_of(route, method, status, kind, body)) is not None:
            self.blame(f"{route.method} {route.path}: {fault}", f"{method} {sent} -> {status} {body[:200]!r}")


def told(kind: str, body: bytes) -> str:
    """The text of a refusal."""
    text = body.decode(errors="replace")
    if not kind.startswith(Content.JSON.value):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return str(found.get("error", "")) if isinstance(found, dict) else text


def fault_of(route: Route, method: str, status: int, kind: str, body: bytes) -> str | None:
    """What is wrong with an answer, None when nothing is. HEAD is judged as GET without a body."""
    if status >= 500:
        return f"status {status}"
    if method not in (route.method, "HEAD" if route.method == "GET" else route.method):
        return (
            None if status in (404, 405) or (method, status) == ("OPTIONS", 200) else f"{method} is answered {status}"
        )
    if status not in route.every_status:
        return f"status {status} is not documented"
    if method == "HEAD":
        return "HEAD is answered with a body" if body else None
    return _form(route, status, kind, body)


def _form(route: Route, status: int, kind: str, body: bytes) -> str | None:
    wanted = route.content.value if status == 200 else Content.JSON.value
    if kind.startswith(Content.JSON.value):
        try:
            json.loads(body)
        except ValueError:
            return "no JSON"
    if status == 200 and not kind.startswith(wanted) and route.content is Content.JSON:
        return f"content type {kind!r} instead of {wanted}"
    return None


def route_of(method: str, path: str) -> Route:
    """The row of an operation of the API document."""
    return _ROWS[method.upper(), path]


_ROWS: Final = {(route.method, route.path.replace("{*", "{")): route for route in ROUTES}
