"""Build what can be passed on into ``dist``: sdist and wheel of calimero, and the wheel of fastecdsa beside them.

Run it with the environment of ``./run test``. On the other machine: ``pip install --find-links dist calimero``; the
version ``2.3.2+calimero.1`` is newer than the ``2.3.2`` of an index, so pip takes the file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIM = ROOT / "packaging" / "fastecdsa"


def main() -> int:
    _build(ROOT, "sdist", "wheel")
    _build(SHIM, "wheel")
    return 0


def _build(folder: Path, *targets: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(ROOT / "dist")]
    for target in targets:
        command += ["--target", target]
    environment = {name: value for name, value in os.environ.items() if name != "PIP_BUILD_TRACKER"}
    subprocess.run(command, cwd=folder, check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main())
