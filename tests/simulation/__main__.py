"""``./run sim --seeds N``: run seeds and report violations; replay or shrink one; hunt defects that are switched on.

With ``--json`` the last line is one object. A run of seeds: ``seeds``, ``failures``, ``failing_seeds`` and
``seeds_per_cpu_hour``. ``--defects``: ``defects``, ``found``, ``missed`` and ``first_seeds``. ``--replays N``:
``replays`` and ``equal``.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from tests.simulation.defects import DEFECTS, switched_on
from tests.simulation.hunt import WITHIN
from tests.simulation.jobs import Again, Hunt, Run, spread
from tests.simulation.plan import Plan, Shape, draw
from tests.simulation.run import simulate
from tests.simulation.shrink import shrink


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds to run")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--nodes", type=int, help="exactly so many nodes in each run")
    parser.add_argument("--writes", type=int, default=100, help="writes in each run")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one seed and print what happens")
    parser.add_argument("--replays", type=int, metavar="N", help="run N seeds twice and compare everything")
    parser.add_argument("--shrink", action="store_true", help="cut failing plans down and print them")
    parser.add_argument("--defect", choices=sorted(DEFECTS), help="switch one defect on")
    parser.add_argument("--defects", action="store_true", help=f"look for every defect in {WITHIN} seeds each")
    parser.add_argument("--json", action="store_true", help="end with a JSON object")
    return parser.parse_args(given)


def shape_of(options: argparse.Namespace) -> Shape:
    shape = Shape(writes=options.writes)
    if options.nodes:
        shape.nodes = (options.nodes, options.nodes)
    return shape


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def replay(options: argparse.Namespace) -> int:
    with switched_on(options.defect):
        result = simulate(draw(options.replay, shape_of(options)), trace=True)
    say("\n".join([*result.trace, f"digest {result.digest}", str(result.violation or "held")]))
    return int(result.violation is not None)


def smallest(plan: Plan, violation: str, defect: str | None) -> Plan:
    """The plan cut down, for the same kind of violation."""
    kind = violation.split(":")[0][:24]

    def fails(candidate: Plan) -> bool:
        found = simulate(candidate).violation
        return found is not None and found.startswith(kind)

    with switched_on(defect):
        return shrink(plan, fails)


def run_seeds(options: argparse.Namespace) -> int:
    shape, failing, seconds = shape_of(options), [], 0.0
    for result, spent in spread(Run(shape, options.defect), seeds_of(options, options.seeds), options.jobs):
        seconds += spent
        if result.violation is not None:
            failing.append(result.seed)
            say(f"seed {result.seed}: {result.violation}")
            if options.shrink:
                say(json.dumps(asdict(smallest(draw(result.seed, shape), result.violation, options.defect)), indent=1))
    rate = round(options.seeds * 3600 / seconds) if seconds else 0
    summary = {
        "seeds": options.seeds,
        "failures": len(failing),
        "failing_seeds": failing,
        "seeds_per_cpu_hour": rate,
    }
    say(json.dumps(summary) if options.json else f"{len(failing)} of {options.seeds} failed, {rate} per CPU hour")
    return int(bool(failing))


def hunt_defects(options: argparse.Namespace) -> int:
    found: dict[str, int] = {}
    missed: list[str] = []
    for one in spread(Hunt(seeds_of(options, WITHIN), shape_of(options)), sorted(DEFECTS), options.jobs):
        say(f"{one.defect}: " + (f"seed {one.seed}: {one.violation}" if one.seed is not None else "not found"))
        if one.seed is None:
            missed.append(one.defect)
        else:
            found[one.defect] = one.seed
    summary = {"defects": len(DEFECTS), "found": len(found), "missed": missed, "first_seeds": found}
    say(json.dumps(summary) if options.json else f"{len(found)} of {len(DEFECTS)} defects found")
    return int(bool(missed))


def compare_replays(options: argparse.Namespace) -> int:
    again = list(spread(Again(shape_of(options)), seeds_of(options, options.replays), options.jobs))
    summary = {"replays": len(again), "equal": sum(again)}
    say(json.dumps(summary) if options.json else f"{sum(again)} of {len(again)} replays are equal")
    return int(not all(again))


def seeds_of(options: argparse.Namespace, count: int) -> range:
    return range(options.first_seed, options.first_seed + count)


def main() -> int:
    options = arguments()
    if options.replay is not None:
        return replay(options)
    if options.replays is not None:
        return compare_replays(options)
    return hunt_defects(options) if options.defects else run_seeds(options)


if __name__ == "__main__":
    sys.exit(main())
