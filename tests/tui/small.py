"""A small node in this process, behind the client's transport: contexts with a key-value application, shared by nodes.

It keeps the shapes of the reference's API for the routes that it has; every other path is 404 as there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx

from calimero_tui.client.http import Http
from calimero_tui.client.node import Node
from node.primitives import to_base58

METHODS = [
    {"name": name, "signature": name, "parameters": [{"name": p, "type": "string", "optional": False} for p in names]}
    for name, names in (("set", ("key", "value")), ("get", ("key",)), ("entries", ()))
]


def key(seed: str) -> str:
    """A public key or id that depends on the seed alone."""
    return to_base58(sha256(seed.encode()).digest())


@dataclass
class Shared:
    """A context as all of its members see it."""

    id: str
    application: str
    members: dict[str, str] = field(default_factory=dict)
    """Node of each member, by its public key."""
    state: dict[str, Any] = field(default_factory=dict)

    def root(self) -> str:
        return key(json.dumps(self.state, sort_keys=True) + self.id)


@dataclass
class World:
    """Small nodes that share contexts at once. ``calls`` are the executions, in their order."""

    contexts: dict[str, Shared] = field(default_factory=dict)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    refusals: int = 0
    """How many of the next calls fail."""
    aliases: dict[str, str] = field(default_factory=dict)
    identities: int = 0

    def http(self, url: str) -> Http:
        return Http(url, transport=httpx.MockTransport(lambda request: self._answer(url, request)))

    def node(self, name: str) -> Node:
        return Node(self.http(f"http://{name}"))

    def nodes(self, count: int = 3) -> dict[str, Node]:
        return {f"node{n}": self.node(f"node{n}") for n in range(1, count + 1)}

    def context(self, *nodes: str, state: dict[str, Any] | None = None) -> str:
        """A context with a member on each node."""
        made = Shared(key(f"context {len(self.contexts)}"), key("application"), state=state or {})
        made.members = {key(f"member {len(self.contexts)} {url}"): url for url in (f"http://{node}" for node in nodes)}
        self.contexts[made.id] = made
        return made.id

    def _answer(self, url: str, request: httpx.Request) -> httpx.Response:
        if url in self.down:
            raise httpx.ConnectError("connection refused", request=request)
        path = request.url.path.removeprefix("/admin-api")
        route = self._routes(url).get((request.method, path)) or self._context_route(url, request.method, path)
        if route is None:
            return httpx.Response(404, text="")
        return route(json.loads(request.content) if request.content else None)

    def _routes(self, url: str) -> dict[tuple[str, str], Callable[[Any], httpx.Response]]:
        return {
            ("GET", "/health"): lambda _: data({"status": "alive"}),
            ("GET", "/contexts"): lambda _: data({"contexts": [row(c) for c in self._of(url)]}),
            ("GET", "/applications"): lambda _: data({"apps": []}),
            ("GET", "/alias/list/context"): lambda _: data(self.aliases),
            ("POST", "/install-dev-application"): lambda body: data({"applicationId": key(body["path"])}),
            ("POST", "/identity/context"): lambda _: data({"publicKey": self._identity()}),
            ("POST", "/contexts"): lambda body: self._create(url, body),
            ("POST", "/contexts/invite"): lambda body: data(f"{body['contextId']} {body['inviteeId']}"),
            ("POST", "/contexts/join"): lambda body: self._join(url, *body["invitationPayload"].split()),
            ("POST", "/jsonrpc"): lambda body: self._execute(url, body["params"]),
        }

    def _of(self, url: str) -> list[Shared]:
        return [context for context in self.contexts.values() if url in context.members.values()]

    def _context_route(self, url: str, method: str, path: str) -> Callable[[Any], httpx.Response] | None:
        parts = path.strip("/").split("/")
        known = {context.id: context for context in self._of(url)}
        context = next((known[part] for part in parts if part in known), None)
        if context is None:
            found = len(parts) == 2 and parts[0] == "contexts"
            return (lambda _: httpx.Response(404, json={"error": "Context not found"})) if found else None
        owned = [member for member, place in context.members.items() if place == url]
        answers = {
            ("GET", context.id): lambda _: data(row(context)),
            ("DELETE", context.id): lambda _: self._delete(context),
            ("GET", "identities"): lambda _: data({"identities": list(context.members)}),
            ("GET", "identities-owned"): lambda _: data({"identities": owned}),
            ("GET", "methods"): lambda _: data({"methods": METHODS}),
        }
        return answers.get((method, parts[-1]))

    def _identity(self) -> str:
        self.identities += 1
        return key(f"identity {self.identities}")

    def _create(self, url: str, body: Any) -> httpx.Response:
        context_id = self.context(url.removeprefix("http://"))
        self.contexts[context_id].application = body["applicationId"]
        return data({"contextId": context_id, "memberPublicKey": next(iter(self.contexts[context_id].members))})

    def _join(self, url: str, context_id: str, member: str) -> httpx.Response:
        self.contexts[context_id].members[member] = url
        return data({"contextId": context_id, "memberPublicKey": member})

    def _delete(self, context: Shared) -> httpx.Response:
        del self.contexts[context.id]
        return data({"isDeleted": True})

    def _execute(self, url: str, params: Any) -> httpx.Response:
        method, args = params["method"], params["argsJson"]
        self.calls.append((url, method, args))
        if self.refusals > 0:
            self.refusals -= 1
            return failed("FunctionCallError", "not now")
        context = self.contexts.get(params["contextId"])
        if context is None or url not in context.members.values():
            return failed("ContextNotFound", None)
        run = {
            "set": lambda: context.state.update({args["key"]: args["value"]}),
            "get": lambda: context.state.get(args["key"]),
            "entries": lambda: dict(context.state),
            "whoami": lambda: url,
        }.get(method)
        if run is None:
            return failed("FunctionCallError", f'method "{method}" not found')
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": "1", "result": {"output": run()}})


def data(value: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": value})


def failed(kind: str, about: Any) -> httpx.Response:
    return httpx.Response(200, json={"jsonrpc": "2.0", "id": "1", "error": {"type": kind, "data": about}})


def row(context: Shared) -> dict[str, Any]:
    return {"id": context.id, "applicationId": context.application, "rootHash": context.root(), "dagHeads": [[1] * 32]}
