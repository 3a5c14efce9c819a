"""Where applying a delta stopped: a guest that fails there only says "unreachable", so the host looks at what it read.

Costs nothing while a call goes well: the rows that the overlay has seen tell how far the guest came.
"""

from __future__ import annotations

from node.errors import DecodeError
from node.primitives import Id32
from node.runtime.overlay import Overlay
from node.storage.action import Action
from node.storage.delta import actions_of
from node.storage.keys import entry_key, index_key


def where_sync_stopped(artifact: bytes, root: Id32, state: Overlay) -> str:
    """A log line: the last action of the delta whose entity the guest had looked at.

    The root does not count: it is an ancestor of all others, and is saved last whatever its place.
    """
    try:
        actions = actions_of(artifact)
    except DecodeError as error:
        return f"sync stopped: the delta cannot be read: {error}"
    reached = [n for n, action in enumerate(actions) if action.id != root and _looked_at(action, state)]
    if not reached:
        return f"sync stopped before the first of {len(actions)} actions"
    action = actions[reached[-1]]
    place = f"{reached[-1] + 1} of {len(actions)}"
    return f"sync stopped at action {place}: {type(action).__name__} of entity {action.id.hex()}"


def _looked_at(action: Action, state: Overlay) -> bool:
    return state.touched(index_key(action.id)) or state.touched(entry_key(action.id))
