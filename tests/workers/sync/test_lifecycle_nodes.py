"""Lifecycle of contexts on whole nodes: registry, network, runtime and sync as processes, and some of them killed."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from node.context.bundle import make_bundle
from node.errors import ContextError, HostError, MethodResolutionError, RegistryError, WorkerError
from node.primitives import ApplicationId, PrivateKey
from tests.workers.runtime.nodes import WASM
from tests.workers.sync.nodes import Coordinator, Node, cluster, converged, until
from workers.messages import runtime as r
from workers.messages import sync as s

KEY = PrivateKey(b"\x21" * 32)
MODULE = (WASM / "kv.wasm").read_bytes()
USABLE: Final = 30.0
"""Seconds until the test gives up. How soon it is on an idle machine is for a bench to say."""


def _version(number: int) -> bytes:
    """The same application with a method of its own."""
    return MODULE.replace(b"whoami", b"whoam%d" % number)


async def _install_bundle(node: Node, number: int, folder: Path) -> ApplicationId:
    """Versions 1.9.0 and 1.10.0 are in the order of numbers, not of letters."""
    content = make_bundle(
        KEY, package="com.example.app", version=f"1.{number}.0", name="app", module=_version(number % 10)
    )
    file = folder / f"app-{number}.mpk"
    file.write_bytes(content)
    return (await node.ask("sync", s.InstallFile(str(file)))).application.id


async def _install_module(node: Node, number: int, folder: Path) -> ApplicationId:
    file = folder / f"app-{number}.wasm"
    file.write_bytes(_version(number))
    return (await node.ask("sync", s.InstallFile(str(file)))).application.id


async def _runs(node: Node, number: int) -> bool:
    try:
        await node.call(f"whoam{number}")
    except (MethodResolutionError, ContextError):
        return False
    return True


async def _all_run(nodes: list[Node], number: int) -> bool:
    return all([await _runs(node, number) for node in nodes])


async def _members_are(nodes: list[Node], count: int) -> bool:
    answers = [(await node.ask("runtime[0]", r.ListMembers(node.context))).members for node in nodes]
    return all(len(members) == count for members in answers)


async def _shared(nodes: list[Node], application: ApplicationId) -> None:
    """A new context of the first node that the others joined, state included."""
    await nodes[0].create(application)
    for other in nodes[1:]:
        await nodes[0].invite(other)
    await until(lambda: converged(nodes), 10)


def test_a_context_from_its_creation_to_its_end(tmp_path: Path) -> None:
    """Create, invite, open invitation, capabilities, a refusal, leave, return."""

    async def body() -> None:
        async with cluster(tmp_path, 3) as nodes:
            alice, bob, carol = nodes
            await alice.create(await alice.install())
            await alice.invite(bob)
            offer = await alice.ask("sync", s.CreateOpenInvitation(alice.context, alice.member, 100))
            joined = await carol.ask("sync", s.JoinOpen(offer.invitation, await carol.identity()))
            carol.context, carol.member = joined.context_id, joined.member
            await until(lambda: converged(nodes), 10)
            await until(lambda: _members_are(nodes, 3), 5)
            await bob.set("from", "bob")
            await until(lambda: converged(nodes), 10)
            assert await carol.call("get", key="from") == "bob"
            with pytest.raises(RegistryError, match="unauthorized access"):
                await bob.ask("sync", s.InviteMember(bob.context, bob.member, await bob.identity()))
            grant = [(bob.member, "ManageMembers")]
            await alice.ask("sync", s.ChangeCapabilities(alice.context, alice.member, grant=True, capabilities=grant))
            await carol.ask("sync", s.LeaveContext(carol.context))
            assert (await carol.ask("runtime[0]", r.ListContexts())).contexts == []
            await bob.invite(carol)
            await until(lambda: converged(nodes), 10)
            await carol.set("from", "carol")
            await until(lambda: converged(nodes), 10)
            assert await alice.call("get", key="from") == "carol"

    asyncio.run(body())


@pytest.mark.parametrize(("install", "old", "new"), [(_install_bundle, 9, 10), (_install_module, 1, 2)])
def test_a_new_version_is_soon_usable_on_every_member(
    install: Callable[[Node, int, Path], Awaitable[ApplicationId]], old: int, new: int, tmp_path: Path
) -> None:
    """A bundle keeps its id, a module gets a new one."""

    async def body() -> None:
        async with cluster(tmp_path, 3) as nodes:
            alice = nodes[0]
            await _shared(nodes, await install(alice, old, tmp_path))
            assert await _all_run(nodes, old)
            newer = await install(alice, new, tmp_path)
            await alice.ask("sync", s.UpdateApplication(alice.context, newer, alice.member))
            await until(lambda: _all_run(nodes, new % 10), USABLE)

    asyncio.run(body())


def test_a_migration_reaches_every_member(tmp_path: Path) -> None:
    """The state of one version becomes that of the next by a method of the next; one that fails changes nothing."""

    async def body() -> None:
        async with cluster(tmp_path, 2) as nodes:
            alice, bob = nodes
            await _shared(nodes, await alice.install())
            await alice.set("a", "1")
            await until(lambda: converged(nodes), 10)
            newer, before = await alice.install("kv_next"), await alice.root()

            with pytest.raises(HostError, match="cannot be migrated"):
                await alice.ask("sync", s.UpdateApplication(alice.context, newer, alice.member, "migrate_from_nothing"))
            assert await alice.root() == before
            await alice.set("b", "2")

            await alice.ask("sync", s.UpdateApplication(alice.context, newer, alice.member, "migrate_from_kv"))
            await until(lambda: _answers(nodes, "title", "migrated"), 15)
            await until(lambda: converged(nodes), 10)
            await bob.call("set_title", title="of bob")
            await until(lambda: _answers(nodes, "title", "of bob"), 10)
            assert await _answers(nodes, "entries", {"a": "1", "b": "2"})

    asyncio.run(body())


async def _answers(nodes: list[Node], method: str, expected: object) -> bool:
    try:
        return all([await node.call(method) == expected for node in nodes])
    except (MethodResolutionError, ContextError):
        return False


async def _has_staged(node: Node) -> bool:
    stats = json.loads((await node.ask("runtime[0]", r.RuntimeStats())).stats)
    return bool(stats["worker"].get("InitContext"))


def test_an_owner_that_is_killed_over_a_creation_leaves_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        registry = Coordinator(tmp_path / "registry")
        async with cluster(tmp_path, 1, registry) as (alice,):
            application = await alice.install()
            await registry.stop()
            creating = asyncio.create_task(alice.create(application))
            await until(lambda: _has_staged(alice), 10)
            await alice.kill("runtime[0]")
            await asyncio.gather(registry.start(), alice.revive("runtime[0]"))
            with pytest.raises((ContextError, WorkerError)):
                await creating
            assert (await alice.ask("runtime[0]", r.ListContexts())).contexts == []
            await alice.create(application)
            await alice.set("a", "1")

    asyncio.run(body())


def test_a_registry_may_go_come_back_and_forget(tmp_path: Path) -> None:
    """Without it nothing is created and everything else goes on; one that forgot costs no key and no state."""

    async def body() -> None:
        registry, kept = Coordinator(tmp_path / "registry"), tmp_path / "kept"
        async with cluster(tmp_path, 2, registry) as nodes:
            alice, bob = nodes
            application = await alice.install()
            await _shared(nodes, application)
            invite = s.InviteMember(alice.context, alice.member, await bob.identity())

            await registry.stop()
            for request in (s.CreateContext("near", application, b"{}"), invite):
                with pytest.raises(RegistryError, match="start the coordinator node"):
                    await alice.ask("sync", request)  # type: ignore[type-var]
            await bob.set("without", "registry")
            await until(lambda: converged(nodes), 10)

            shutil.move(registry.home, kept)
            await registry.start()
            for node in nodes:
                await node.ask("sync", s.SyncContext(node.context))
                await node.set(f"key{node.number}", "kept")
            await until(lambda: converged(nodes), 10)
            assert await _members_are(nodes, 2)
            with pytest.raises(RegistryError, match="not a member of the context"):
                await alice.ask("sync", invite)

            await registry.stop()
            shutil.rmtree(registry.home)
            shutil.move(kept, registry.home)
            await registry.start()
            payload = (await alice.ask("sync", invite)).payload
            assert payload is not None
            assert (await bob.ask("sync", s.JoinContext(payload))).member == invite.invitee

    asyncio.run(body())
