"""Two hundred seeds hold, a seed replays to the bit, a failing plan shrinks, and defects are found."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.simulation.defects import DEFECTS, switched_on
from tests.simulation.hunt import WITHIN, hunt, replays
from tests.simulation.plan import Plan, draw
from tests.simulation.run import simulate
from tests.simulation.shrink import shrink

CHUNK = 2
"""Seeds of one test: about a second, so that a busy machine does not run into the time-out."""

SEEDS = 200

ONCE_FAILED = {
    719: "a node left with the only copy of a change that no delta carries",
    794: "two nodes removed one key on the same heads: two deltas with one id and different times",
    1368: "a node left with a state that no other had",
    1386: "a node died in the commit of a change that no delta carries",
    1807: "as 794, behind a link that was cut one way",
    2136: "two nodes knew each other's deltas, their states differed, and each waited for the other",
    2553: "as 2136",
    2636: "deltas waited for a disk that had room again",
    2727: "as 2136, with deltas that nobody had any more",
    2800: "equal states, and heads that no session happened to ask for",
}
"""Seeds that failed once, and what happens in them."""

QUICK = {
    "A2": 3,
    "D1": 0,
    "D6": 1,
    "D7": 0,
    "D10": 0,
    "D11": 0,
    "D15": 0,
    "Y2": 7,
    "Y10": 1,
    "Y11": 3,
    "Y25": 1,
    "S4": 0,
    "S7": 7,
    "N1": 0,
}
"""Defects that the first seeds show, and the seed to begin with; all thirty are looked for by the slow test."""


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_seeds_hold(first: int) -> None:
    found = {seed: simulate(draw(seed)).violation for seed in range(first, first + CHUNK)}
    assert {seed: violation for seed, violation in found.items() if violation is not None} == {}


@pytest.mark.parametrize("seed", ONCE_FAILED)
def test_a_seed_that_once_failed_holds(seed: int) -> None:
    assert simulate(draw(seed)).violation is None


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_replays_to_the_bit(seed: int) -> None:
    assert replays(seed)


def test_a_digest_covers_what_happens() -> None:
    plan = draw(1)
    assert simulate(plan).digest != simulate(plan.without(writes={0})).digest


@pytest.mark.parametrize("defect", QUICK)
def test_a_defect_is_found(defect: str) -> None:
    assert hunt(defect, range(QUICK[defect], 20)).seed is not None


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("defect", sorted(DEFECTS))
def test_every_defect_is_found(defect: str) -> None:
    assert hunt(defect, range(WITHIN)).seed is not None


def test_a_switch_leaves_nothing_behind() -> None:
    before = simulate(draw(2)).digest
    for defect in DEFECTS:
        with switched_on(defect):
            pass
    assert simulate(draw(2)).digest == before


def test_a_failing_plan_shrinks_to_what_matters() -> None:
    plan = draw(5)
    culprit = plan.faults[len(plan.faults) // 2]

    def fails(candidate: Plan) -> bool:
        return culprit in candidate.faults and len(candidate.writes) >= 3

    small = shrink(plan, fails)
    assert small.faults == (culprit,)
    assert len(small.writes) == 3


def test_seeds_spread_over_processes() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "4", "--writes", "20", "--jobs", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout)
    assert (summary["seeds"], summary["failing_seeds"]) == (4, [])
