"""Write ``packaging/locks``: every version with the hashes of all its files, from the groups of pyproject.toml.

Needs ``uv`` on the path (``pip install uv`` anywhere). Plain ``lock.py`` keeps locked versions that still fit;
``--upgrade`` takes the newest. The locks name no index: pip uses the one it is configured for.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {"build": [], "runtime": [], "dev": ["runtime"]}
"""Group → groups whose locked versions it has to keep."""

LEFT_OUT = {
    "fastecdsa": "no Linux wheel; packaging/fastecdsa stands in for it",
    "grpcio": "py-libp2p imports it only in a generated AutoNAT stub that nothing loads",
    "lru-dict": "declared by py-libp2p, imported nowhere",
    "rpcudp": "declared by py-libp2p, imported nowhere",
}
"""Requirements of py-libp2p that the environment of ``run`` does without, with the reason."""


def main(arguments: list[str]) -> int:
    if shutil.which("uv") is None:
        sys.stderr.write("lock.py needs uv on the path: pip install uv\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        overrides = Path(folder) / "overrides.txt"
        overrides.write_text("".join(f"{name}; python_version < '3'\n" for name in LEFT_OUT), encoding="utf-8")
        for group, kept in LOCKS.items():
            _compile(group, kept, overrides, arguments)
    return 0


def _compile(group: str, kept: list[str], overrides: Path, arguments: list[str]) -> None:
    """One lock file. ``--universal`` resolves for every system in ``tool.uv.environments``, not for this machine."""
    command = [
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--generate-hashes",
        "--no-header",
        "--python-version=3.11",
    ]
    command += ["--annotation-style=line", "--override", str(overrides), "--group", f"pyproject.toml:{group}"]
    for other in kept:
        command += ["--constraint", f"packaging/locks/{other}.lock"]
    command += ["--output-file", f"packaging/locks/{group}.lock", *arguments]
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
