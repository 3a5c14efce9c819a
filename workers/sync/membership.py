"""Members, capabilities and proposals of a context: what only the registry decides, asked in a member's name.

Nothing of this changes a row here; the next config sync brings what the registry made of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from node.context import invitation, requests
from node.errors import ContextError, UnknownContext
from node.primitives import CAPABILITIES, ContextId, PublicKey
from workers.messages import sync
from workers.messages.base import Done
from workers.sync.lifecycle import Topics
from workers.sync.local import Local, config_target, proxy_target
from workers.sync.relayer import Relayer


class Membership:
    """The operations on members and proposals of one node."""

    def __init__(self, local: Local, topics: Topics, relayer: Relayer, random_bytes: Callable[[int], bytes]) -> None:
        self._local = local
        self._topics = topics
        self._relayer = relayer
        self._random = random_bytes

    def handlers(self) -> dict[type, Callable[..., Awaitable[object]]]:
        """Operation type to handler, for the worker's dispatch table."""
        return {
            sync.InviteMember: self.invite,
            sync.CreateOpenInvitation: self.open_invitation,
            sync.ChangeCapabilities: self.change_capabilities,
            sync.ReadRegistry: self.read_registry,
            sync.Propose: self.propose,
        }

    async def invite(self, op: sync.InviteMember) -> sync.Invitation:
        """The member is added at the registry now; the payload is only a pointer to it."""
        try:
            config = (await self._local.context(op.context_id)).config
        except UnknownContext:
            return sync.Invitation(None)
        await self.change_members(op.context_id, op.inviter, "AddMembers", op.invitee)
        payload = invitation.DirectInvitation(
            op.context_id, op.invitee, config.protocol, config.network, config.contract
        )
        return sync.Invitation(payload.to_text())

    async def change_members(self, context_id: ContextId, signer: PublicKey, kind: str, member: PublicKey) -> None:
        """``AddMembers`` or ``RemoveMembers`` in the name of ``signer``; the members follow at once."""
        await self._mutate(context_id, signer, kind, {"members": [str(member)]})
        self._topics.call_members(context_id)

    async def open_invitation(self, op: sync.CreateOpenInvitation) -> sync.OpenInvitation:
        target = config_target(op.context_id, (await self._local.context(op.context_id)).config)
        key = await self._local.signing_key(op.context_id, op.inviter)
        if op.valid_for_blocks < 1:
            raise ContextError(f"an invitation must be valid for a block at the least, not for {op.valid_for_blocks}")
        signed = invitation.sign_open(
            key,
            inviter=op.inviter,
            context_id=op.context_id,
            valid_for_blocks=op.valid_for_blocks,
            salt=self._random(32),
            target=target,
        )
        return sync.OpenInvitation(signed)

    async def change_capabilities(self, op: sync.ChangeCapabilities) -> Done:
        for _, name in op.capabilities:
            if name not in CAPABILITIES:
                raise ContextError(f"{name!r} is no capability; there are {', '.join(CAPABILITIES)}")
        params = {"capabilities": [[str(member), name] for member, name in op.capabilities]}
        await self._mutate(op.context_id, op.signer, "Grant" if op.grant else "Revoke", params)
        return Done()

    async def _mutate(self, context_id: ContextId, signer: PublicKey, kind: str, params: object) -> None:
        target = config_target(context_id, (await self._local.context(context_id)).config)
        key = await self._local.signing_key(context_id, signer)
        await self._relayer.mutate_as(target, key, signer, context_id, kind, params)

    # -- proxy contract

    async def read_registry(self, op: sync.ReadRegistry) -> sync.RegistryAnswer:
        config = (await self._local.context(op.context_id)).config
        target = (proxy_target if op.contract == "proxy" else config_target)(op.context_id, config)
        args = requests.read_answer(object, op.args, "arguments")
        return sync.RegistryAnswer(await self._relayer.read(target, op.method, args))

    async def propose(self, op: sync.Propose) -> sync.RegistryAnswer:
        config = (await self._local.context(op.context_id)).config
        key = await self._local.signing_key(op.context_id, op.signer)
        target = proxy_target(op.context_id, config)
        if op.actions is None:
            payload = requests.approval(key, op.signer, str(op.proposal_id))
        else:
            actions = requests.read_answer(list[object], op.actions, "actions")
            payload = requests.proposal(key, op.signer, str(op.proposal_id), actions)
        return sync.RegistryAnswer(await self._relayer.propose(target, payload))
