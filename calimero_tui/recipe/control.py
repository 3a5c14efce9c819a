"""Steps that only recipes have and that hold no other steps: assert, set, wait, wait_for_sync, create_mesh."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from calimero_tui.client.node import Joined, Node
from calimero_tui.recipe.model import Step
from calimero_tui.recipe.source import plain
from node.errors import AssertionFailed, ClientError

if TYPE_CHECKING:
    from calimero_tui.recipe.run import Run
    from calimero_tui.recipe.scope import Scope


async def check(run: Run, step: Step, scope: Scope) -> Any:
    """The checks of an ``assert`` are the step's ``expect``, each with its own value; there is nothing else to do."""
    return None


async def assign(run: Run, step: Step, scope: Scope) -> Any:
    values: dict[str, Any] = {}
    for name, value in step.arguments.items():
        values[name] = run.rendered(plain(value), scope, value.span)
        scope.set(name, values[name])
    return values


async def wait(run: Run, step: Step, scope: Scope) -> Any:
    given = run.arguments(step, scope)
    await asyncio.sleep(given["seconds"])
    return {"seconds": given["seconds"]}


async def wait_for_sync(run: Run, step: Step, scope: Scope) -> Any:
    given = run.arguments(step, scope)
    nodes = run.named(given["nodes"], step)
    started, attempts = time.monotonic(), 0
    while True:
        attempts += 1
        hashes = await _hashes(nodes, given["context"], trigger=given["trigger_sync"])
        elapsed = time.monotonic() - started
        if _agree(hashes):
            root = next(iter(hashes.values()))
            return {
                "synced": True, "root_hash": root, "elapsed_seconds": round(elapsed, 3), "attempts": attempts,
                "node_hashes": hashes,
            }  # fmt: skip
        if elapsed >= given["timeout"]:
            raise AssertionFailed(
                f"the nodes do not agree after {given['timeout']:g} s", diff=_rows(hashes), span=step.span
            )
        await asyncio.sleep(given["every"])


async def _hashes(nodes: Mapping[str, Node], context_id: str, *, trigger: bool) -> dict[str, str]:
    """The root hash of each node, or in brackets why there is none."""
    found = await asyncio.gather(*(_hash(node, context_id, trigger=trigger) for node in nodes.values()))
    return dict(zip(nodes, found, strict=True))


async def _hash(node: Node, context_id: str, *, trigger: bool) -> str:
    try:
        if trigger:
            await node.sync(context_id)
        context = await node.context(context_id)
    except ClientError as error:
        return f"({error})"
    return context.root_hash if context.initialised else "(no state yet)"


def _agree(hashes: Mapping[str, str]) -> bool:
    return len(set(hashes.values())) == 1 and not next(iter(hashes.values())).startswith("(")


def _rows(hashes: Mapping[str, str]) -> str:
    return "\n".join(f"  {name}: {root}" for name, root in hashes.items())


async def create_mesh(run: Run, step: Step, scope: Scope) -> Any:
    given = run.arguments(step, scope)
    (first,) = run.named(given["context_node"], step).values()
    others = {name: node for name, node in run.named(given["nodes"], step).items() if name != given["context_node"]}
    created = await first.create_context(given["application"], init=given["init"], protocol=given["protocol"])
    joined = await _join(first, created, list(others.values()))
    members = {given["context_node"]: created.member, **dict(zip(others, joined, strict=True))}
    return {"context": created.context_id, "member": created.member, "members": members}


async def _join(first: Node, created: Joined, others: Sequence[Node]) -> list[str]:
    """One after the other, because each invitation moves the nonce of the inviter."""
    members = []
    for node in others:
        identity = await node.new_identity()
        invitation = await first.invite(created.context_id, created.member, identity)
        members.append((await node.join(invitation)).member)
    return members
