"""Size of modules and functions. The limits are those of the contributing page."""

from __future__ import annotations

import statistics

from tests.repository.source import functions, length, modules

MODULE_P90 = 400
MODULE_MAX = 700
FUNCTION_MEDIAN = 7
FUNCTION_P90 = 30
FUNCTION_MAX = 80

TABLES: dict[str, str] = {}
"""Functions that may be longer than ``FUNCTION_MAX``, each with the reason: ``path/file.py:name`` → reason."""


def p90(values: list[int]) -> int:
    return sorted(values)[int(len(values) * 0.9)]


def test_no_module_is_too_long() -> None:
    assert {module.name: len(module.lines) for module in modules() if len(module.lines) > MODULE_MAX} == {}


def test_modules_are_short_as_a_rule() -> None:
    assert p90([len(module.lines) for module in modules()]) <= MODULE_P90


def test_no_function_is_too_long() -> None:
    lengths = {name: length(function) for module in modules() for name, function in functions(module)}
    assert {name for name, lines in lengths.items() if lines > FUNCTION_MAX} == set(TABLES)


def test_functions_are_short_as_a_rule() -> None:
    lengths = [length(function) for module in modules() for _, function in functions(module)]
    assert statistics.median(lengths) <= FUNCTION_MEDIAN
    assert p90(lengths) <= FUNCTION_P90


def test_every_module_says_what_it_is() -> None:
    assert [module.name for module in modules() if module.text.strip() and not _documented(module.text)] == []


def _documented(text: str) -> bool:
    return text.lstrip().startswith(('"""', 'r"""'))
