"""Files that travel with calimero: the recipes and the demo app.

A wheel carries them in ``calimero_tui/data``; a checkout has them where they are kept. This module only finds them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent


def demo_app() -> Path:
    """The WASM module of the demo's key-value app. Raises ``FileNotFoundError`` when the installation is damaged."""
    return _first("data/kv.wasm", "../tests/apps/wasm/kv.wasm")


def recipes() -> Path:
    """The folder of shipped recipes. Raises ``FileNotFoundError`` when the installation is damaged."""
    return _first("data/recipes", "../recipes")


def _first(*places: str) -> Path:
    for place in places:
        path = (PACKAGE / place).resolve()
        if path.exists():
            return path
    raise FileNotFoundError(f"{PACKAGE / places[0]} is missing: install calimero again")
