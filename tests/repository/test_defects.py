"""The page of the reference's defects names a test that exists for each number; one of them looks at the source."""

from __future__ import annotations

import ast
import re
from functools import cache

from tests.repository.source import ROOT, dotted, modules
from tests.simulation.defects import DEFECTS

PAGE = ROOT / "docs" / "defects.md"
ROW = re.compile(r"\| ([A-Z]\d+) \| (.+) \|(.*)\|")
REFERENCE = re.compile(r"`([\w/]+\.py)::(\w+)`")

NUMBERS = {"D": 21, "A": 10, "Y": 26}
"""Defects of each part of the page."""

BY_WORDS = {"A4"}
"""Rows without a test: the bytes of 0.10.0 leave nothing to do but to say so."""

LOCKS = re.compile(r"(threading|asyncio|trio|multiprocessing|filelock)\.\w*(Lock|Semaphore|Condition)|\w*RLock")


def rows() -> dict[str, tuple[str, str]]:
    found = [ROW.fullmatch(line) for line in PAGE.read_text(encoding="utf-8").splitlines()]
    return {row[1]: (row[2], row[3]) for row in found if row is not None}


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def test_the_page_has_every_number_in_order() -> None:
    assert list(rows()) == [f"{part}{n}" for part, count in NUMBERS.items() for n in range(1, count + 1)]


def test_every_row_names_tests_that_exist() -> None:
    for number, (_, cell) in rows().items():
        named = REFERENCE.findall(cell)
        assert bool(named) != (number in BY_WORDS), number
        assert cell.count("::") == len(named), number
        for file, test in named:
            assert test in names_in(file), f"{number}: {file}::{test}"


def test_every_test_of_a_number_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = {
        f"{path.relative_to(ROOT / 'tests')}::{test}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for test in names_in(str(path.relative_to(ROOT / "tests")))
        if re.match(r"test_defect_[day]\d+_", test)
    }
    assert {name for name in named if f"`{name}`" not in page} == set()


def test_switches_of_the_simulator_are_marked() -> None:
    marked = {number for number, (text, _) in rows().items() if "*Switch*" in text}
    assert marked == {number for number in DEFECTS if number[0] in NUMBERS and number != "N1"}


def test_defect_d13_a_context_has_one_writer_and_no_locks() -> None:
    """Where contexts are held a single lock exists, for a setting of the process: no two are taken in two orders."""
    found = [
        module.name
        for module in modules("node", "workers/runtime")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and LOCKS.fullmatch(dotted(node.func))
    ]
    assert found == ["workers/runtime/engine/guest.py"]
