"""What a recipe is once it is read: frozen values that know their place in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from calimero_tui.recipe.path import Segment
from calimero_tui.recipe.source import Value
from node.errors import Span

ALL: Final = "all"
"""Names every node of the recipe in ``node:``."""

BUILT_IN: Final = ("demo_app", "recipe_dir", "nodes")
"""Variables that every recipe has: the demo's application, the folder of the file, the names of the nodes."""

LOCAL: Final = ("node", "iteration", "iteration_index", "group_name", "group_index")
"""Variables that the runner sets inside of steps that have steps."""


@dataclass(frozen=True, slots=True)
class Check:
    """Operators that must all hold for a value: the step's result, or ``that``."""

    operators: tuple[tuple[str, Value], ...]
    span: Span
    path: tuple[Segment, ...] = ()
    that: Value | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Capture:
    variable: str
    path: tuple[Segment, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Patience:
    """How a step that fails is tried again: at most ``times`` tries, or until ``timeout`` seconds are over."""

    every: float
    times: int | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Steps inside of a step. ``count`` copies of it run in ``parallel``."""

    steps: tuple[Step, ...]
    name: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """``type`` is a key of the table of step types; ``arguments`` are its parameters as written."""

    type: str
    name: str
    number: str
    span: Span
    arguments: Mapping[str, Value] = field(default_factory=dict)
    node: Value | None = None
    capture: tuple[Capture, ...] = ()
    expect: tuple[Check, ...] = ()
    expected_failure: bool = False
    patience: Patience | None = None
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """``urls`` are nodes that run already; without any, ``count`` nodes are started."""

    name: str
    description: str
    file: str
    variables: Mapping[str, Value]
    urls: Mapping[str, str]
    count: int
    steps: tuple[Step, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(self.urls) or tuple(f"node{number}" for number in range(1, self.count + 1))


def to_scope(recipe: Recipe, directory: str, demo_app: str) -> dict[str, Any]:
    """The built-in variables of a recipe."""
    return dict(zip(BUILT_IN, (demo_app, directory, list(recipe.nodes)), strict=True))
