"""All actions of all modules in one table, in the order in which help shows them."""

from __future__ import annotations

from typing import Final

from calimero_tui.actions import applications, calls, contexts, past, peers
from calimero_tui.actions.base import Registry

ACTIONS: Final = Registry(
    contexts.REGISTRY.actions
    | past.REGISTRY.actions
    | calls.REGISTRY.actions
    | applications.REGISTRY.actions
    | peers.REGISTRY.actions
)
