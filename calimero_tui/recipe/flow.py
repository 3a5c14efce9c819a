"""Steps that hold steps: repeat, each, parallel. They set local variables and bring captures out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from calimero_tui.recipe.model import Group, Step
from node.errors import LintError

if TYPE_CHECKING:
    from calimero_tui.recipe.run import Run
    from calimero_tui.recipe.scope import Scope


async def repeat(run: Run, step: Step, scope: Scope) -> Any:
    """Round after round; a capture is what the last round found."""
    count = run.arguments(step, scope)["count"]
    if count < 1:
        raise LintError(f"count must be 1 or more, not {count}", span=step.span)
    for index in range(count):
        await run.steps(step.groups[0].steps, scope.inner(iteration=index + 1, iteration_index=index))
    return {"count": count}


async def each(run: Run, step: Step, scope: Scope) -> Any:
    """Node after node; a capture becomes an object with a value for each node."""
    names = list(run.named(run.arguments(step, scope)["nodes"], step))
    for name in names:
        inner = scope.apart(node=name)
        await run.steps(step.groups[0].steps, inner)
        for variable, value in inner.own.items():
            before = scope.get(variable)
            scope.set(variable, {**(before if isinstance(before, dict) else {}), name: value})
    return {"nodes": names}


async def parallel(run: Run, step: Step, scope: Scope) -> Any:
    """All groups run to their end, then the first failure counts. Captures come out in the order of the groups."""
    copies = [(index, group, copy) for index, group in enumerate(step.groups) for copy in range(group.count)]
    scopes = [
        scope.apart(group_name=group.name, group_index=index, iteration=copy + 1, iteration_index=copy)
        for index, group, copy in copies
    ]
    ends = await asyncio.gather(
        *(run.steps(group.steps, inner) for (_, group, _), inner in zip(copies, scopes, strict=True)),
        return_exceptions=True,
    )
    for end in ends:
        if end is not None:
            raise end
    for inner in scopes:
        for variable, value in inner.own.items():
            scope.set(variable, value)
    return {"group_count": len(copies)}


def single(steps: tuple[Step, ...]) -> tuple[Group, ...]:
    """Each step as a group of its own."""
    return tuple(Group((step,), step.name) for step in steps)
