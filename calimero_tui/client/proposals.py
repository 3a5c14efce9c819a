"""Proposals and values of the proxy contract of a context."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from calimero_tui.client.paths import ADMIN
from node.primitives import to_base58

if TYPE_CHECKING:
    from calimero_tui.client.http import Http

PAGE: Final = 100
"""Proposals or values in one answer."""


class Proposals:
    """What members of a context vote on."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def ls(self, context_id: str) -> list[dict[str, Any]]:
        """The first open proposals."""
        return list(await self._post(context_id, "", {"offset": 0, "limit": PAGE}))

    async def inspect(self, context_id: str, proposal_id: str) -> dict[str, Any]:
        """A proposal and who approved it."""
        base = f"{_base(context_id)}/{proposal_id}"
        found = dict((await self._http.get(base))["data"])
        return {**found, "approvals": list((await self._http.get(f"{base}/approvals/users"))["data"])}

    async def make(self, context_id: str, signer: str, actions: object) -> dict[str, Any]:
        """Propose; ``proposal_id`` and ``num_approvals`` (0 once it is carried out)."""
        proposal = {"id": to_base58(secrets.token_bytes(32)), "author_id": signer, "actions": actions}
        return dict(await self._post(context_id, "/create-and-approve", {"signerId": signer, "proposal": proposal}))

    async def approve(self, context_id: str, signer: str, proposal_id: str) -> dict[str, Any]:
        body = {"signerId": signer, "proposalId": proposal_id}
        return dict(await self._post(context_id, "/approve", body))

    async def values(self, context_id: str) -> list[dict[str, Any]]:
        """The first values that proposals have set; bytes as lists of numbers."""
        return list(await self._post(context_id, "/context-storage-entries", {"offset": 0, "limit": PAGE}))

    async def _post(self, context_id: str, path: str, body: object) -> Any:
        return (await self._http.post(_base(context_id) + path, body))["data"]


def _base(context_id: str) -> str:
    return f"{ADMIN}/contexts/{context_id}/proposals"
