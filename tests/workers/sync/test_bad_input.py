"""Whole nodes: whoever breaks the rules is counted and put out, whoever keeps them notices nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import trio

from node.crypto import ed25519
from tests.workers.sync.intruders import DEEDS, SEED, Scene, intrude_all
from tests.workers.sync.nodes import Node, cluster, converged, until
from workers.messages import network as n
from workers.messages import sync as s

WRITES = 20


async def records(node: Node) -> dict[str, n.PeerRecord]:
    return {record.peer: record for record in (await node.ask("network", n.ListPeers())).peers}


def test_bad_input_is_counted_per_peer_and_ends_its_connection(tmp_path: Path) -> None:
    """Every kind at the same time, while the two members write."""

    async def body() -> None:
        async with cluster(tmp_path, 2) as nodes:
            alice, bob = nodes
            await alice.create(await alice.install())
            await alice.invite(bob)
            await until(lambda: converged(nodes), 30)
            # One of the intruders is a member.
            await alice.ask("sync", s.InviteMember(alice.context, alice.member, ed25519.public_key(SEED)))
            scene = Scene(alice, alice.context, alice.member, bob.member)
            attack = asyncio.create_task(asyncio.to_thread(trio.run, intrude_all, scene))
            for number in range(WRITES):
                await bob.set(f"key{number}", "value")
            seen: dict[str, n.PeerRecord] = {}
            while not attack.done():  # who is put out is listed for half a minute
                seen |= await records(alice)
                await asyncio.sleep(0.05)
            seen |= await records(alice)
            peers = await attack
            for what, misconduct in DEEDS.items():
                assert set(seen[peers[what]].refusals) == misconduct.counted, what
                assert not seen[peers[what]].connected, what
            assert (seen[bob.peer].refusals, seen[bob.peer].connected) == ({}, True)
            await until(lambda: converged(nodes), 30)
            assert await alice.call("get", key=f"key{WRITES - 1}") == "value"
            assert all(worker.process.is_alive() for worker in alice.workers.values())

    asyncio.run(body())
