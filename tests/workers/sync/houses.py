"""Lifecycle operations without processes: real owner, real registry, and between them lines that can be cut."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import base58
import httpx

from node.context.requests import Target
from node.errors import WorkerLost
from node.primitives import ApplicationId, ContextId, PublicKey
from node.runtime.call import Guest
from tests.workers.runtime.nodes import Peer
from workers.messages import Message, Request
from workers.messages import runtime as r
from workers.messages import sync as s
from workers.registry.main import Application
from workers.registry.rows import SqliteRows
from workers.sync.lifecycle import Lifecycle, RegistryNames
from workers.sync.local import Local
from workers.sync.membership import Membership
from workers.sync.queued import QueuedGovernance
from workers.sync.relayer import Relayer

R = TypeVar("R", bound=Message)
TARGET = Target("near", "testnet", "contract.testnet")


class Town(httpx.AsyncBaseTransport):
    """The registry and the line to it. ``after`` names calls whose answer is lost once; ``refuse`` and ``forget`` name
    one whose question or answer is lost every time; ``down``: nobody is there."""

    def __init__(self, folder: Path) -> None:
        self.rows = SqliteRows(folder)
        self._inner = httpx.ASGITransport(Application(self.rows, time.monotonic))
        self.down = False
        self.refuse = ""
        self.forget = ""
        self.after: set[str] = set()
        self.calls: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = _name(json.loads(request.content))
        await asyncio.sleep(0)
        if self.down or name == self.refuse:
            raise httpx.ConnectError("nobody listens", request=request)
        self.calls.append(name)
        answer = await self._inner.handle_async_request(request)
        await answer.aread()
        if name in self.after or name == self.forget:
            self.after.discard(name)
            raise httpx.ReadError("the answer is lost", request=request)
        return answer


def _name(body: dict[str, Any]) -> str:
    """The query, or the kind of the mutation."""
    (operation,) = body["operation"].values()
    if operation["method"] != "mutate":
        return str(operation["method"])
    inner = json.loads(base58.b58decode(json.loads(bytes(body["payload"]))["payload"]))
    return str(inner["params"].get("scope", inner["scope"]))


class House:
    """A node's owner and lifecycle. ``fates``: what happens to the worker at an operation, ``before`` or ``after``."""

    def __init__(self, number: int, guest: Guest, folder: Path, town: Town) -> None:
        self.peer = Peer(number, guest, folder / f"house{number}")
        self.fates: dict[type, str] = {}
        self.followed: list[ContextId] = []
        self.called: list[ContextId] = []
        self.failures: list[tuple[str, str]] = []
        client = httpx.AsyncClient(transport=town)
        relayer = Relayer("http://registry", client, pause=0.0)
        local = Local(self, os.urandom)
        self.lifecycle = Lifecycle(local, self, relayer, RegistryNames({"near": TARGET}), os.urandom)
        self.membership = Membership(local, self, relayer, os.urandom)
        self.queued = QueuedGovernance(local, self.lifecycle, self.membership, self._failed, self._remind)
        self._handlers: dict[type, Callable[..., Awaitable[Any]]] = {
            **self.lifecycle.handlers(),
            **self.membership.handlers(),
        }

    async def _remind(self) -> None:
        await self.ask(r.TellGovernance())
        for peer, note in self.peer.notes:
            if peer == "sync" and isinstance(note, r.GovernanceQueued):
                self.queued.take(note)
        self.peer.notes.clear()

    def _failed(self, _: ContextId, kind: str, reason: str) -> None:
        self.failures.append((kind, reason))

    # the owner

    async def ask(self, operation: Request[R]) -> R:
        fate = self.fates.pop(type(operation), None)
        if fate == "before":
            self.peer.start()
            raise WorkerLost("runtime[0] died")
        answer = self.peer.ask(operation)
        if fate == "after":
            self.peer.start()
            raise WorkerLost("runtime[0] died")
        return answer

    # topics

    async def follow(self, context_id: ContextId) -> None:
        self.followed.append(context_id)

    async def unfollow(self, context_id: ContextId) -> None:
        self.followed.remove(context_id)

    def sync_soon(self, context_id: ContextId) -> None:
        pass

    def call_members(self, context_id: ContextId) -> None:
        self.called.append(context_id)

    # what a client does

    async def do(self, request: Request[R]) -> R:
        answer: R = await self._handlers[type(request)](request)
        return answer

    def application(self, name: str = "kv") -> ApplicationId:
        return self.peer.install(name).id

    async def create(self, **more: Any) -> s.ContextCreated:
        return await self.do(s.CreateContext("near", self.application(), b"{}", **more))

    def identity(self) -> PublicKey:
        return self.peer.ask(r.NewIdentity()).public_key

    async def invite(self, made: s.ContextCreated, invitee: PublicKey) -> str:
        payload = (await self.do(s.InviteMember(made.context_id, made.member, invitee))).payload
        assert payload is not None
        return payload

    def contexts(self) -> list[ContextId]:
        return [record.id for record in self.peer.ask(r.ListContexts()).contexts]

    def pool(self) -> list[PublicKey]:
        return self.peer.ask(r.ListIdentities()).public_keys

    def owned(self, context_id: ContextId) -> list[PublicKey]:
        return [identity.public_key for identity in self.peer.ask(r.GetKeys(context_id)).owned]

    def rows(self) -> dict[Any, dict[bytes, bytes]]:
        """Everything that is on disk."""
        return {
            (number, column): dict(rows.values)
            for number, disk in enumerate(self.peer.disks)
            for column, rows in disk.columns.items()
            if rows.values
        }
