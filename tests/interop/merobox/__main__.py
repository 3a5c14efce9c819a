"""`python -m tests.interop.merobox MEROBOX BASE FILE ...`: run workflows on nodes of ours and tell how each went.

MEROBOX is the program, BASE the folder at which the paths in the files begin.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import yaml

from tests.interop.files import served
from tests.interop.merobox.nodes import nodes
from tests.interop.merobox.pointed import Outcome, count, pointed, run

SHOWN = 20
"""Lines of what merobox said that are shown where it failed."""


def tell(name: str, outcome: Outcome, seconds: float) -> None:
    word = "FAILED" if outcome.code else "passed"
    sys.stdout.write(f"{word}  {outcome.passed:4}/{outcome.begun:<4} steps {seconds:6.1f} s  {name}\n")
    if outcome.code:
        sys.stdout.writelines(f"    {line}\n" for line in outcome.text.splitlines()[-SHOWN:])
    sys.stdout.flush()


def main(merobox: str, base: Path, files: list[Path]) -> int:
    """The number of workflows that failed."""
    workflows = {file.name: yaml.safe_load(file.read_text()) for file in files}
    wanted = max(map(count, workflows.values()))
    failed = 0
    with tempfile.TemporaryDirectory() as home, served(base) as address, nodes(Path(home), wanted) as urls:
        for name, workflow in workflows.items():
            began = time.monotonic()
            outcome = run(merobox, pointed(workflow, urls[: count(workflow)], address), Path(home), base)
            tell(name, outcome, time.monotonic() - began)
            failed += outcome.code != 0
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]).resolve(), [Path(name) for name in sys.argv[3:]]))
