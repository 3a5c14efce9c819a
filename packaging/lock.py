"""Write ``packaging/locks``: every version with the hashes of all its files, from pyproject.toml.

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
PROJECT = "pyproject.toml"
LOCKS = {
    "build": ["--group", f"{PROJECT}:build"],
    "runtime": [PROJECT],
    "dev": [PROJECT, "--group", f"{PROJECT}:dev", "--constraint", "packaging/locks/runtime.lock"],
}
"""Lock file → what goes into it. The developer's environment keeps the versions of the user's."""

LEFT_OUT = {
    "fastecdsa": "no Linux wheel; packaging/fastecdsa stands in for it",
    "grpcio": "py-libp2p imports it only in a generated AutoNAT stub that nothing loads",
    "lru-dict": "declared by py-libp2p, imported nowhere",
    "rpcudp": "declared by py-libp2p, imported nowhere",
}
"""Requirements of py-libp2p that the environment of ``run`` does without, with the reason."""

INTEL_MAC = "sys_platform == 'darwin' and platform_machine == 'x86_64'"
OTHERS = "sys_platform != 'darwin' or platform_machine != 'x86_64'"

OTHER_VERSIONS = (f"zeroconf>=0.148,<0.149; {INTEL_MAC}", f"zeroconf>=0.149.16,<0.151; {OTHERS}")
"""py-libp2p asks for a zeroconf that has no wheel for Intel Macs; the last one that has it offers all that is used."""


def main(arguments: list[str]) -> int:
    if shutil.which("uv") is None:
        sys.stderr.write("lock.py needs uv on the path: pip install uv\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        overrides = Path(folder) / "overrides.txt"
        lines = [*(f"{name}; python_version < '3'" for name in LEFT_OUT), *OTHER_VERSIONS]
        overrides.write_text("\n".join(lines), encoding="utf-8")
        for name, sources in LOCKS.items():
            _compile(name, [*sources, "--override", str(overrides), *arguments])
            _forget(overrides, ROOT / "packaging" / "locks" / f"{name}.lock")
    return 0


def _forget(overrides: Path, lock: Path) -> None:
    """The annotations name the file of overrides, which is another one each time."""
    text = lock.read_text(encoding="utf-8")
    lock.write_text(text.replace(f"--override {overrides}", "packaging/lock.py"), encoding="utf-8")


def _compile(name: str, arguments: list[str]) -> None:
    """One lock file. ``--universal`` resolves for every system in ``tool.uv.environments``, not for this machine."""
    command = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11", "--generate-hashes"]
    command += ["--no-header", "--no-sources", "--annotation-style=line"]
    command += ["--output-file", f"packaging/locks/{name}.lock", *arguments]
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
