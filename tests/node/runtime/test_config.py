from __future__ import annotations

import pytest

from node.errors import ConfigError
from node.runtime.config import RuntimeConfig


def test_defaults_are_the_references_numbers() -> None:
    config = RuntimeConfig()
    assert (config.deadline_ms, config.memory_pages, config.counts_fuel) == (30_000, 1024, False)


def test_a_fuel_limit_implies_metering() -> None:
    assert RuntimeConfig(metering=True).counts_fuel
    assert RuntimeConfig(fuel_limit=1).counts_fuel


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("deadline_ms", 1, 86_400_000),
        ("memory_pages", 32, 65_536),
        ("fuel_limit", 0, (1 << 63) - 1),
        ("modules_in_memory", 1, 10_000),
        ("cache_bytes", 0, 1 << 50),
    ],
)
def test_a_setting_out_of_range_is_named(name: str, low: int, high: int) -> None:
    for good in (low, high):
        assert getattr(RuntimeConfig(**{name: good}), name) == good
    for bad in (low - 1, high + 1):
        with pytest.raises(ConfigError, match=rf"runtime\.{name} is {bad}"):
            RuntimeConfig(**{name: bad})
