"""``python -m tests.simulation --seeds N``: run seeds, report violations, replay and shrink one.

With ``--json`` the last line is an object with ``seeds``, ``failures``, ``failing_seeds`` and ``seeds_per_cpu_hour``.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict

from tests.simulation.defects import DEFECTS, switched_on
from tests.simulation.plan import Plan, Shape, draw
from tests.simulation.result import Result
from tests.simulation.run import simulate
from tests.simulation.shrink import shrink


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds to run")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--nodes", type=int, help="exactly so many nodes in each run")
    parser.add_argument("--writes", type=int, default=100, help="writes in each run")
    parser.add_argument("--replay", type=int, metavar="SEED", help="run one seed and print what happens")
    parser.add_argument("--shrink", action="store_true", help="cut failing plans down and print them")
    parser.add_argument("--defect", choices=sorted(DEFECTS), help="switch one defect on")
    parser.add_argument("--json", action="store_true", help="end with a JSON object")
    return parser.parse_args(given)


def shape_of(options: argparse.Namespace) -> Shape:
    shape = Shape(writes=options.writes)
    if options.nodes:
        shape.nodes = (options.nodes, options.nodes)
    return shape


class Job:
    """One seed in a worker process; the answer is small."""

    def __init__(self, shape: Shape, defect: str | None) -> None:
        self.shape = shape
        self.defect = defect

    def __call__(self, seed: int) -> tuple[Result, float]:
        began = time.process_time()
        with switched_on(self.defect):
            result = simulate(draw(seed, self.shape))
        return result, time.process_time() - began


def results(job: Job, seeds: Iterable[int], jobs: int) -> Iterator[tuple[Result, float]]:
    if jobs == 1:
        yield from map(job, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(job, seeds, chunksize=4)


def report(result: Result) -> None:
    sys.stdout.write(f"seed {result.seed}: {result.violation}\n")
    sys.stdout.flush()


def replay(options: argparse.Namespace) -> int:
    with switched_on(options.defect):
        result = simulate(draw(options.replay, shape_of(options)), trace=True)
    sys.stdout.write("\n".join([*result.trace, f"digest {result.digest}", str(result.violation or "held"), ""]))
    return int(result.violation is not None)


def smallest(plan: Plan, violation: str, defect: str | None) -> Plan:
    """The plan cut down, for the same kind of violation."""
    kind = violation.split(":")[0][:24]

    def fails(candidate: Plan) -> bool:
        found = simulate(candidate).violation
        return found is not None and found.startswith(kind)

    with switched_on(defect):
        return shrink(plan, fails)


def main() -> int:
    options = arguments()
    if options.replay is not None:
        return replay(options)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    failing, seconds = [], 0.0
    for result, spent in results(Job(shape_of(options), options.defect), seeds, options.jobs):
        seconds += spent
        if result.violation is not None:
            failing.append(result.seed)
            report(result)
            if options.shrink:
                plan = smallest(draw(result.seed, shape_of(options)), result.violation, options.defect)
                sys.stdout.write(json.dumps(asdict(plan), indent=1) + "\n")
    rate = round(options.seeds * 3600 / seconds) if seconds else 0
    summary = {
        "seeds": options.seeds,
        "failures": len(failing),
        "failing_seeds": failing,
        "seeds_per_cpu_hour": rate,
    }
    text = json.dumps(summary) if options.json else f"{len(failing)} of {options.seeds} failed, {rate} per CPU hour"
    sys.stdout.write(text + "\n")
    return int(bool(failing))


if __name__ == "__main__":
    sys.exit(main())
