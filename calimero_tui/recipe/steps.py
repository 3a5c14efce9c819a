"""All step types in one table: every action of the registry, and what only recipes have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from calimero_tui.actions.base import Action, Kind, Parameter
from calimero_tui.actions.parameters import APPLICATION
from calimero_tui.actions.registry import ACTIONS
from calimero_tui.recipe import control, flow
from calimero_tui.recipe.model import Step

if TYPE_CHECKING:
    from calimero_tui.recipe.run import Run
    from calimero_tui.recipe.scope import Scope

Handler = Callable[["Run", Step, "Scope"], Awaitable[Any]]


class Inside(StrEnum):
    """What a step has inside beside its parameters."""

    NOTHING = "nothing"
    CHECKS = "checks"
    VARIABLES = "variables"
    STEPS = "steps"
    GROUPS = "steps or groups"


@dataclass(frozen=True, slots=True)
class StepType:
    """``action`` is set where a step is an action of the registry and runs on a node; else ``handler``."""

    name: str
    help: str
    parameters: tuple[Parameter, ...] = ()
    action: Action | None = None
    handler: Handler | None = None
    inside: Inside = Inside.NOTHING

    @property
    def flow(self) -> bool:
        return self.inside in (Inside.STEPS, Inside.GROUPS)


_NODES: Final = Parameter("nodes", "names of nodes", Kind.JSON, "all")
_EVERY: Final = Parameter("every", "seconds between two looks", Kind.NUMBER, 0.1)

OWN: Final = (
    StepType("assert", "Check variables", handler=control.check, inside=Inside.CHECKS),
    StepType("set", "Give variables a value", handler=control.assign, inside=Inside.VARIABLES),
    StepType(
        "wait", "Wait a time; prefer wait_until or wait_for_sync",
        (Parameter("seconds", "how long", Kind.NUMBER), Parameter("message", "why", default="")), handler=control.wait,
    ),
    StepType(
        "wait_for_sync", "Wait until nodes have the same root hash",
        (
            Parameter("context", "id of the context"), _NODES,
            Parameter("timeout", "seconds at most", Kind.NUMBER, 30.0), _EVERY,
            Parameter("trigger_sync", "ask the nodes to sync at each look", Kind.FLAG, default=False),
        ),
        handler=control.wait_for_sync,
    ),
    StepType(
        "create_mesh", "Create a context on one node, and invite and join others",
        (
            Parameter("context_node", "node that creates"), APPLICATION, _NODES,
            Parameter("init", "arguments of init", Kind.JSON, None), Parameter("protocol", "registry", default="near"),
        ),
        handler=control.create_mesh,
    ),
    StepType(
        "repeat", "Run steps several times", (Parameter("count", "how often", Kind.INTEGER),),
        handler=flow.repeat, inside=Inside.STEPS,
    ),
    StepType("each", "Run steps for one node after the other", (_NODES,), handler=flow.each, inside=Inside.STEPS),
    StepType("parallel", "Run steps or groups at the same time", handler=flow.parallel, inside=Inside.GROUPS),
)  # fmt: skip

STEPS: Final[Mapping[str, StepType]] = {
    **{name: StepType(name, action.help, action.parameters, action) for name, action in ACTIONS.actions.items()},
    **{own.name: own for own in OWN},
}


def misfit(parameter: Parameter, value: object) -> str | None:
    """Why a value cannot be one of the parameter, None when it can."""
    if value is None and not parameter.required:
        return None
    if _FITS[parameter.kind](value):
        return None
    hint = (
        "; write it in quotes"
        if parameter.kind in (Kind.TEXT, Kind.PATH) and not isinstance(value, list | dict)
        else ""
    )
    return f"{parameter.name} must be a {parameter.kind}, not {value!r}{hint}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FITS: Final[Mapping[Kind, Callable[[object], bool]]] = {
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.PATH: lambda value: isinstance(value, str),
    Kind.INTEGER: lambda value: isinstance(value, int) and not isinstance(value, bool),
    Kind.NUMBER: _is_number,
    Kind.FLAG: lambda value: isinstance(value, bool),
    Kind.JSON: lambda _: True,
}
