"""Commands that are more than one action: the demo, the surfaces, and the node's own life."""

from __future__ import annotations

from typing import Final

from calimero_tui.commands import app, demo, node, registry, run, shell, tui, watch
from calimero_tui.commands.surface import Surface

SURFACES: Final[tuple[Surface, ...]] = (
    demo.SURFACE,
    node.SURFACE,
    shell.SURFACE,
    tui.SURFACE,
    run.SURFACE,
    watch.SURFACE,
    registry.SURFACE,
    app.INSPECT,
    app.BUNDLE,
    app.DEV,
)
