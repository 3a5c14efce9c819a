"""What the owner of a node may choose about guests. Anything that changes results between nodes is not a choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.errors import ConfigError
from node.runtime.limits import MAX_MEMORY_PAGES

DEFAULT_DEADLINE_MS: Final = 30_000
"""Far above the slowest real call; the reference has no limit at all."""

MIN_MEMORY_PAGES: Final = 32
"""SDK modules start with 17 or 18 pages."""

MAX_PAGES_OF_WASM32: Final = 65_536


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """Settings of the section ``runtime``.

    ``deadline_ms`` is wall-clock time of one call. ``metering`` counts fuel (about one unit per instruction) and
    reports it; ``fuel_limit`` above 0 stops a call that uses more and implies ``metering``. ``modules_in_memory`` is
    the number of ready modules kept, ``cache_bytes`` the size of the cache of compiled modules on disk.
    """

    deadline_ms: int = DEFAULT_DEADLINE_MS
    memory_pages: int = MAX_MEMORY_PAGES
    metering: bool = False
    fuel_limit: int = 0
    modules_in_memory: int = 32
    cache_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        _in_range("deadline_ms", self.deadline_ms, 1, 86_400_000)
        _in_range("memory_pages", self.memory_pages, MIN_MEMORY_PAGES, MAX_PAGES_OF_WASM32)
        _in_range("fuel_limit", self.fuel_limit, 0, (1 << 63) - 1)
        _in_range("modules_in_memory", self.modules_in_memory, 1, 10_000)
        _in_range("cache_bytes", self.cache_bytes, 0, 1 << 50)

    @property
    def counts_fuel(self) -> bool:
        return self.metering or self.fuel_limit > 0


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigError(f"runtime.{name} is {value}; choose a number from {low} to {high}")
