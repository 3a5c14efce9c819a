"""Run scenarios on real nodes: ``python -m tests.acceptance [NAME ...] [--short | --size N] [--json]``.

One row a scenario, as it ends; the exit code is 1 when one did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.acceptance import apart, away, events, joins, tree
from tests.acceptance.figures import Row, Scenario

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (away.SCENARIO, tree.SCENARIO, joins.SCENARIO, apart.SCENARIO, *events.SCENARIOS)
}


def measure(scenario: Scenario, size: int) -> Row:
    """Run one scenario in a folder of its own, and tell the load of the machine beside its figures."""
    before = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory(prefix="calimero-acceptance-") as folder:
        row = asyncio.run(scenario.run(Path(folder), size))
    return {"scenario": scenario.name, **row, "load_before": before, "load_after": round(os.getloadavg()[0], 2)}


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    held = True
    for name in options.names or SCENARIOS:
        scenario = SCENARIOS[name]
        size = options.size or (scenario.short if options.short else scenario.full)
        row = measure(scenario, size)
        held = held and bool(row["held"])
        sys.stdout.write((json.dumps(row) if options.json else _text(scenario, row)) + "\n")
        sys.stdout.flush()
    return 0 if held else 1


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENARIOS)}; all without a name")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--short", action="store_true", help="the sizes of the default test suite")
    parser.add_argument("--size", type=int, help="another size; what it counts is the scenario's own")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(SCENARIOS))
    if unknown:
        parser.error(f"no scenario named {', '.join(unknown)}; there are: {', '.join(SCENARIOS)}")
    return options


def _text(scenario: Scenario, row: Row) -> str:
    mark = "holds" if row["held"] else "DOES NOT HOLD"
    figures = "  ".join(f"{key}={value}" for key, value in row.items() if key not in ("scenario", "held"))
    return f"{scenario.name}: {mark}: {scenario.promise}\n    {figures}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
