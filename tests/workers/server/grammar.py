"""Requests made from the route table: mostly sound, wrong in one place or a few, sometimes nonsense."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import msgspec

from node.api.route import Route
from node.api.routes import ROUTES
from node.primitives import Id32
from tests.node.api.ids import APP, BLOB, CTX, PK, PK2, PROPOSAL

WORDS = [
    "",
    "a",
    "near",
    "context",
    "application",
    "ключ",
    "a/b",
    "..",
    "%",
    "\0",
    "\u2028",
    "x" * 60,
    "1" * 32,
    "-1",
    "0",
]
IDS = [str(found) for found in (CTX, PK, PK2, BLOB, PROPOSAL, APP)]
JSON = "application/json"


@dataclass(frozen=True)
class Sent:
    """One request. ``body`` None: no body."""

    route: Route
    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None


class Grammar:
    """Requests from one seed."""

    def __init__(self, seed: int, known: list[str] | None = None) -> None:
        self.random = random.Random(seed)
        self.ids = [*IDS, *(known or [])]

    def request(self) -> Sent:
        route = self.random.choice(ROUTES)
        method = (
            route.method if self._often() else self.random.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"])
        )
        path = "".join(f"/{self._part(part)}" for part in route.path.split("/")[1:]) + self._query(route)
        body = None if method in ("GET", "HEAD") and self._often() else self._body(route)
        headers = (
            {} if body is None else {"content-type": JSON if self._often() else self.random.choice(["", "text/plain"])}
        )
        return Sent(route, method, path, headers, body)

    def _often(self) -> bool:
        return self.random.random() < 0.95

    def _part(self, part: str) -> str:
        if not part.startswith("{"):
            return part
        text = self.random.choice(self.ids) if self._often() else self.random.choice(WORDS)
        return "".join(c if c.isascii() and c.isalnum() else "".join(f"%{b:02x}" for b in c.encode()) for c in text)

    def _query(self, route: Route) -> str:
        chosen = [query.name for query in route.query if self.random.random() < 0.5]
        pairs = [
            f"{name}={self._part('{}') if self.random.random() < 0.5 else self.random.randint(-2, 2000)}"
            for name in chosen
        ]
        return "?" + "&".join(pairs) if pairs else ""

    def _body(self, route: Route) -> bytes:
        if not self._often():
            return self.random.choice(
                [b"", b"null", b"[]", b"{", b"\xff", b"[" * 200, b'{"a":1e999}', self.random.randbytes(20)]
            )
        if route.handler == "jsonrpc":
            return json.dumps(self._call()).encode()
        if route.handler == "sse_subscription":
            return json.dumps(self._subscription()).encode()
        if route.raw:
            return self.random.randbytes(self.random.choice([0, 1, 1000]))
        return json.dumps(self.value(route.body) if route.body is not None else self._any(2)).encode()

    def value(self, kind: Any) -> Any:
        """A value of a type, now and then of another."""
        if not self._often():
            return self._any(2)
        origin, parts = get_origin(kind), get_args(kind)
        if isinstance(kind, type) and issubclass(kind, Id32):
            return self.random.choice(self.ids)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return {
                f.encode_name: self.value(f.type) for f in msgspec.structs.fields(kind) if f.required or self._often()
            }
        if origin is list:
            return [self.value(parts[0]) for _ in range(self.random.choice([0, 1, 3]))]
        if origin is tuple:
            return [self.value(part) for part in parts]
        if origin is dict:
            return {self.random.choice(WORDS): self._any(1) for _ in range(2)}
        if parts:
            return self.value(self.random.choice(parts) if origin is not None and type(None) in parts else parts[0])
        return self._plain(kind)

    def _plain(self, kind: Any) -> Any:
        if kind is str:
            return self.random.choice(WORDS)
        if kind is int:
            return self.random.choice([0, 1, 255, 256, -1, 1 << 64, 1 << 130])
        return self._any(1)

    def _call(self) -> Any:
        params = {
            "contextId": self.value(type(CTX)), "method": self.random.choice([*WORDS, "get", "set"]),
            "argsJson": self._any(3), "executorPublicKey": self.value(type(PK)), "substitute": self.value(list[str]),
        }  # fmt: skip
        if not self._often():
            params.pop(self.random.choice(list(params)))
        whole = {"jsonrpc": "2.0", "id": self.random.choice([1, "x", None]), "method": "execute", "params": params}
        if not self._often():
            whole[self.random.choice(list(whole))] = self._any(1)
        return [whole, whole] if not self._often() else whole

    def _subscription(self) -> Any:
        method = self.random.choice(["subscribe", "unsubscribe", "other"])
        return {
            "id": self.random.choice(["1", "x", 1]),
            "method": method,
            "params": {"contextIds": self.value(list[type(CTX)])},
        }  # type: ignore[misc]

    def _any(self, depth: int) -> Any:
        kind = self.random.randrange(8 if depth else 6)
        if kind < 6:
            return [
                None,
                True,
                self.random.randint(-(1 << 70), 1 << 70),
                self.random.uniform(-1e300, 1e300),
                self.random.choice(WORDS),
                self.random.choice(self.ids),
            ][kind]
        if kind == 6:
            return [self._any(depth - 1) for _ in range(self.random.randrange(4))]
        return {self.random.choice(WORDS): self._any(depth - 1) for _ in range(self.random.randrange(4))}
