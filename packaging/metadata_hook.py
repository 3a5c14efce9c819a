"""Hatchling hook: calimero depends on the group ``runtime`` of pyproject.toml plus the fastecdsa in this folder.

py-libp2p pins a fastecdsa that no Linux wheel exists for. A local install (``pip install .``, ``pip install -e .``,
``pipx install .``, an unpacked sdist) therefore points at ``packaging/fastecdsa`` by path. A path means nothing on
another machine, so a wheel to be passed on is built with ``CALIMERO_PORTABLE=1`` and travels with a wheel of that
folder (``packaging/release.py`` does both).
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PORTABLE = "CALIMERO_PORTABLE"
"""Environment variable: set to 1 to leave the path of this machine out of the metadata."""


class RuntimeDependencies(MetadataHookInterface):
    """Fills ``project.dependencies``."""

    def update(self, metadata: dict[str, Any]) -> None:
        root = Path(self.root).resolve()
        groups = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
        metadata["dependencies"] = [*groups["runtime"], *_beside(root)]


def _beside(root: Path) -> list[str]:
    if os.environ.get(PORTABLE) == "1":
        return []
    return [f"fastecdsa @ {(root / 'packaging' / 'fastecdsa').as_uri()}"]
