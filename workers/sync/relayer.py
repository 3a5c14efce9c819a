"""The node's line to its registry: one HTTP client for all contexts.

It posts what :mod:`node.context.requests` builds and reads what comes back. A transport error is retried a few times,
because a registry restart must not fail a join; a refusal is final and carries the contract's text.
"""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from node.context.requests import (
    PAGE,
    RegisteredApplication,
    Target,
    compact,
    context_mutation,
    envelope,
    read_answer,
    read_application,
    read_members,
)
from node.errors import RegistryError, RegistryUnreachable
from node.primitives import ContextId, PrivateKey, PublicKey

TIMEOUT: Final = 10.0
"""Seconds for one request; an embedded registry answers in milliseconds."""

ATTEMPTS: Final = 4
"""Sends of one request: of a read or write over a broken transport, and of a mutation with a moving nonce."""

PAUSE: Final = 0.2
"""Seconds before the first repetition; doubled each time."""


class Relayer:
    """Reads and writes of the config and proxy contracts through one relayer URL. ``pause``: see ``PAUSE``."""

    def __init__(self, url: str, client: httpx.AsyncClient | None = None, pause: float = PAUSE) -> None:
        self.url = url
        self._pause = pause
        self._client = client or httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    # -- reads

    async def read(self, target: Target, method: str, args: object) -> bytes:
        return await self._post(envelope(target, "Read", method, compact(args)))

    async def proxy_contract(self, target: Target, context_id: ContextId) -> str:
        raw = await self.read(target, "proxy_contract", {"context_id": str(context_id)})
        return read_answer(str, raw, "proxy_contract")

    async def revision(self, target: Target, context_id: ContextId, kind: str) -> int:
        """``kind`` is ``members`` or ``application``."""
        method = f"{kind}_revision"
        return read_answer(int, await self.read(target, method, {"context_id": str(context_id)}), method)

    async def application(self, target: Target, context_id: ContextId) -> RegisteredApplication:
        return read_application(await self.read(target, "application", {"context_id": str(context_id)}))

    async def members(self, target: Target, context_id: ContextId) -> list[PublicKey]:
        """Every member, page by page until an empty one."""
        found: list[PublicKey] = []
        while True:
            args = {"context_id": str(context_id), "offset": len(found), "length": PAGE}
            page = read_members(await self.read(target, "members", args))
            if not page:
                return found
            found += page

    async def nonce(self, target: Target, context_id: ContextId, member: PublicKey) -> int | None:
        args = {"context_id": str(context_id), "member_id": str(member)}
        return read_answer(int | None, await self.read(target, "fetch_nonce", args), "fetch_nonce")  # type: ignore[arg-type]

    async def may(self, target: Target, context_id: ContextId, member: PublicKey, capability: str) -> bool:
        """Whether a member holds a capability; True where the relayer cannot say, the contract decides then."""
        args = {"context_id": str(context_id), "identities": [str(member)]}
        try:
            raw = await self.read(target, "privileges", args)
            held = read_answer(dict[str, list[str]], raw, "privileges")
        except RegistryUnreachable:
            raise
        except RegistryError:
            return True
        return capability in held.get(str(member), [])

    # -- writes

    async def mutate(self, target: Target, payload: bytes) -> None:
        """A config mutation; anything but an empty answer is refused, as the reference does."""
        answer = await self._post(envelope(target, "Write", "mutate", payload))
        if answer:
            raise RegistryError(f"unexpected response {list(answer[:64])}")

    async def mutate_as(
        self, target: Target, key: PrivateKey, signer: PublicKey, context_id: ContextId, kind: str, params: object
    ) -> None:
        """A mutation by a member, signed with its current nonce; sent again only when the nonce moved meanwhile."""
        nonce = await self._member_nonce(target, context_id, signer)
        for _ in range(ATTEMPTS):
            try:
                return await self.mutate(target, context_mutation(key, signer, nonce, context_id, kind, params))
            except RegistryUnreachable:
                raise
            except RegistryError:
                fresh = await self._member_nonce(target, context_id, signer)
                if fresh == nonce:
                    raise
                nonce = fresh
        raise RegistryError(f"max retries exceeded: the nonce of {signer} keeps moving")

    async def propose(self, target: Target, payload: bytes) -> bytes:
        """A proposal or approval on the proxy contract; JSON of its count, ``null`` or nothing."""
        return await self._post(envelope(target, "Write", "mutate", payload))

    async def _member_nonce(self, target: Target, context_id: ContextId, signer: PublicKey) -> int:
        nonce = await self.nonce(target, context_id, signer)
        if nonce is None:
            raise RegistryError(f"{signer} is not a member of the context {context_id}")
        return nonce

    async def _post(self, body: bytes) -> bytes:
        response = await self._again(body)
        if response.is_success:
            return response.content
        text = response.text or "<empty>"
        raise RegistryError(
            f"transport error: relayer response ({response.status_code} {response.reason_phrase}): {text}"
        )

    async def _again(self, body: bytes) -> httpx.Response:
        """Send, and send again with pauses while nobody answers."""
        pause = self._pause
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._client.post(self.url, content=body, headers=_JSON)
            except httpx.TransportError:
                await asyncio.sleep(pause)
                pause *= 2
        try:
            return await self._client.post(self.url, content=body, headers=_JSON)
        except httpx.TransportError as error:
            raise RegistryUnreachable(
                f"the registry at {self.url} does not answer ({type(error).__name__}: {error}); "
                "start the coordinator node or set context.config.signer.relayer.url"
            ) from error


_JSON: Final = {"content-type": "application/json"}
