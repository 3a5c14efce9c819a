"""Hatchling hook: a wheel of calimero that pip builds points at the fastecdsa in this folder.

py-libp2p pins a fastecdsa that no Linux wheel exists for. ``pip install .``, ``pip install -e .``, ``pipx install .``
and pip with an sdist build a wheel to install it here and now, so a path is right, and the resolver asks no index for
fastecdsa. A wheel built by anything else is made to be passed on, where a path of this machine means nothing: it
travels with a wheel of that folder (``packaging/release.py`` builds both). uv reads ``tool.uv.sources`` instead.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT_BY_PIP = "PIP_BUILD_TRACKER"
"""Environment variable that pip sets for each build; under it hatchling's metadata are those of the built wheel."""


class FastecdsaBeside(BuildHookInterface):
    """Adds one requirement to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if BUILT_BY_PIP in os.environ:
            folder = Path(self.root).resolve() / "packaging" / "fastecdsa"
            build_data["dependencies"].append(f"fastecdsa @ {folder.as_uri()}")
