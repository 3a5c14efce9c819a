"""Run the benches: ``python -m tests.bench [NAME ...] [--json]``.

A bench is a module ``bench_NAME.py`` in this folder with ``run() -> Iterator[dict[str, object]]``: one mapping per
measured case, with the unit in the key (``p50_ms``, ``per_second``). This module measures nothing itself.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PREFIX = "bench_"


def names() -> list[str]:
    """The benches that exist, in order."""
    return sorted(path.stem.removeprefix(PREFIX) for path in FOLDER.glob(f"{PREFIX}*.py"))


def results(chosen: Iterable[str]) -> Iterator[dict[str, object]]:
    """Run the chosen benches one after the other; each row carries the name of its bench first."""
    for name in chosen:
        rows: Iterable[Mapping[str, object]] = importlib.import_module(f"tests.bench.{PREFIX}{name}").run()
        for row in rows:
            yield {"bench": name, **row}


def as_line(row: Mapping[str, object]) -> str:
    """One row for people: ``key=value`` with short floats."""
    return "  ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in row.items()
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./run bench", description="Run the benches; all of them without a name.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(names()) or 'none yet'}")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(names()))
    if unknown:
        parser.error(f"no bench named {', '.join(unknown)}; there are: {', '.join(names())}")
    write = json.dumps if options.json else as_line
    for row in results(options.names or names()):
        sys.stdout.write(write(row) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
