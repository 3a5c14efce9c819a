"""Variables while a recipe runs. A scope reads through to the one around it; captures stay in it until it is merged."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any


class Scope(Mapping[str, Any]):
    """``local`` are set by the runner (``node``, ``iteration``); ``captured`` by steps."""

    def __init__(self, captured: ChainMap[str, Any], local: Mapping[str, Any] | None = None) -> None:
        self.captured = captured
        self.local = dict(local or {})

    def __getitem__(self, name: str) -> Any:
        return self.local[name] if name in self.local else self.captured[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self.captured, **self.local})

    def __len__(self) -> int:
        return len({**self.captured, **self.local})

    def set(self, name: str, value: Any) -> None:
        self.captured[name] = value

    def inner(self, **local: Any) -> Scope:
        """A scope whose captures are those of this one."""
        return Scope(self.captured, {**self.local, **local})

    def apart(self, **local: Any) -> Scope:
        """A scope whose captures are its own; see :attr:`own`."""
        return Scope(self.captured.new_child(), {**self.local, **local})

    @property
    def own(self) -> dict[str, Any]:
        """What was captured in this scope alone."""
        return dict(self.captured.maps[0])
