"""The order of deltas: parents before children. A pure function of the ancestry."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from node.dag.delta import Link
from node.primitives import DeltaId


def topological(links: Iterable[Link]) -> list[Link]:
    """Parents before children; deltas that are not related keep the order in which they came.

    Parents outside the given set count as present. Deltas on a cycle, which no honest history has, are left out.
    """
    by_id = {link.id: link for link in links}
    waits = {link.id: sum(parent in by_id for parent in link.parents) for link in by_id.values()}
    children: dict[DeltaId, list[DeltaId]] = {}
    for link in by_id.values():
        for parent in link.parents:
            children.setdefault(parent, []).append(link.id)
    ready = deque(delta_id for delta_id, count in waits.items() if not count)
    order: list[Link] = []
    while ready:
        delta_id = ready.popleft()
        order.append(by_id[delta_id])
        for child in children.get(delta_id, ()):
            waits[child] -= 1
            if not waits[child]:
                ready.append(child)
    return order
