"""Contexts as a client sees them, on a node of either kind: create, join, call, look at the root."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.interop.mixed.houses import House

WASM: Final = Path(__file__).parents[2] / "apps" / "wasm"
ZERO: Final = "1" * 32
SOON: Final = 8.0
"""Seconds within which gossip and joins end; less than the reference's sync tick of ten seconds."""

LATER: Final = 120.0
"""Seconds within which nodes that missed something agree: a few ticks of the reference and two of its hangs."""


class Member:
    """An identity of a context on a node."""

    def __init__(self, house: House, context: str, key: str) -> None:
        self.house = house
        self.context = context
        self.key = key

    def call(self, method: str, **args: Any) -> Any:
        answer = self.raw(method, args)
        assert "result" in answer, f"{self.house.name} {method}: {answer['error']}"
        return answer["result"]["output"]

    def raw(self, method: str, args: Any) -> dict[str, Any]:
        params = {
            "contextId": self.context, "method": method, "argsJson": args, "executorPublicKey": self.key,
            "substitute": [],
        }  # fmt: skip
        body = {"jsonrpc": "2.0", "id": "1", "method": "execute", "params": params}
        answer: dict[str, Any] = self.house.post("/jsonrpc", body)
        return answer

    def sees(self, key: str, value: str) -> bool:
        answer = self.raw("get", {"key": key})
        return "result" in answer and bool(answer["result"]["output"] == value)

    @property
    def root(self) -> str:
        return str(self.house.get(f"/admin-api/contexts/{self.context}")["data"]["rootHash"])

    def members(self) -> list[str]:
        return list(self.house.get(f"/admin-api/contexts/{self.context}/identities")["data"]["identities"])


def create(house: House, application: str = "kv") -> Member:
    body: dict[str, Any] = {"path": str(WASM / f"{application}.wasm"), "metadata": []}
    installed = house.post("/admin-api/install-dev-application", body)["data"]["applicationId"]
    body = {"protocol": "near", "applicationId": installed, "initializationParams": list(b"{}")}
    made = house.post("/admin-api/contexts", body)["data"]
    return Member(house, made["contextId"], made["memberPublicKey"])


def join(inviter: Member, house: House) -> Member:
    """The invitee is in the context when this returns; its state may still be on the way."""
    invitee = house.post("/admin-api/identity/context")["data"]["publicKey"]
    body: dict[str, Any] = {"contextId": inviter.context, "inviterId": inviter.key, "inviteeId": invitee}
    invitation = inviter.house.post("/admin-api/contexts/invite", body)["data"]
    joined = house.post("/admin-api/contexts/join", {"invitationPayload": invitation})["data"]
    return Member(house, joined["contextId"], joined["memberPublicKey"])


def agree(members: Sequence[Member]) -> bool:
    """One root that is not empty."""
    roots = {member.root for member in members}
    return len(roots) == 1 and ZERO not in roots


def until(check: Callable[[], bool], seconds: float, what: str | Callable[[], str]) -> float:
    """Look again and again; the seconds that it took."""
    began = time.monotonic()
    while not check():
        waited = time.monotonic() - began
        assert waited < seconds, f"not after {seconds:.0f} s: {what if isinstance(what, str) else what()}"
        time.sleep(0.05)
    return time.monotonic() - began


def until_agreed(members: Sequence[Member], seconds: float = SOON) -> float:
    return until(lambda: agree(members), seconds, lambda: json.dumps({m.house.name: m.root for m in members}))
