"""Open invitations and capabilities of a node's contexts. Ids are base58 text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calimero_tui.client.paths import ADMIN

if TYPE_CHECKING:
    from calimero_tui.client.http import Http


class Membership:
    """Who may come into a context and what members may do there."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def invite_open(self, context_id: str, inviter: str, blocks: int) -> dict[str, Any] | None:
        """The signed invitation, a JSON object for whoever is to join; None when the node does not know the context."""
        body = {"contextId": context_id, "inviterId": inviter, "validForBlocks": blocks}
        found = (await self._http.post(f"{ADMIN}/contexts/invite_by_open_invitation", body))["data"]
        return None if found is None else dict(found)

    async def join_open(self, invitation: object, member: str) -> dict[str, Any]:
        """``contextId`` and ``memberPublicKey`` of a join with an open invitation."""
        body = {"invitation": invitation, "newMemberPublicKey": member}
        return dict((await self._http.post(f"{ADMIN}/contexts/join_by_open_invitation", body))["data"])

    async def change(self, context_id: str, signer: str, member: str, capability: str, *, grant: bool) -> None:
        """Grant or revoke one capability. Raises :class:`~node.errors.Refused` with the registry's reason."""
        path = f"{ADMIN}/contexts/{context_id}/capabilities/{'grant' if grant else 'revoke'}"
        await self._http.post(path, {"capabilities": [[member, capability]], "signer_id": signer})
