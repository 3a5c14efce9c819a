"""All actions of all modules in one table, in the order in which help shows them."""

from __future__ import annotations

from typing import Final

from calimero_tui.actions import aliases, applications, calls, contexts, members, past, peers, proposals
from calimero_tui.actions.base import Registry

ACTIONS: Final = Registry(
    {
        name: action
        for module in (contexts, past, members, calls, proposals, applications, aliases, peers)
        for name, action in module.REGISTRY.actions.items()
    }
)
