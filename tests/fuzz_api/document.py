"""schemathesis over ``/api-docs``: every operation with values at and beyond the edges of its schema, then with made-up
ones, valid and invalid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import schemathesis
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import ScenarioFinished

from tests.fuzz_api.rules import Verdicts, route_of

__all__ = ["ENDLESS", "fuzz"]

ENDLESS: Final = ("/sse", "/calimero/v1/logs/stream")
"""Event streams that do not end; schemathesis reads every answer to its end."""

OWN_RULES: Final = (
    "not_a_server_error",  # rules.DEMANDED is finer
    "negative_data_rejection",  # unknown members are ignored, ids in some paths are not looked at: as in the reference
    "positive_data_acceptance",  # most ids that are made up name nothing
    "missing_required_header",
)
"""Checks of schemathesis that are replaced or do not apply."""


def fuzz(
    url: str, verdicts: Verdicts, *, examples: int, seed: int, known: dict[str, list[str]], edges: bool = True
) -> int:
    """Run at most ``examples`` made-up cases an operation, and those at the ``edges``; returns how many were sent.

    ``known`` has ids that exist, by name of the path parameter.
    """
    schema = schemathesis.openapi.from_url(f"{url}/api-docs", config=_config(url, examples, seed, edges=edges))
    schema = schema.exclude(path=list(ENDLESS))
    schema.hook("map_path_parameters")(_knowing(known))
    sent = 0
    for event in from_schema(schema).execute():
        if isinstance(event, ScenarioFinished):
            sent += _judged(event, verdicts)
        elif type(event).__name__ in ("NonFatalError", "FatalError"):
            verdicts.blame(
                f"schemathesis: {type(event).__name__}", repr(vars(event) if hasattr(event, "__dict__") else event)
            )
    return sent


def _config(url: str, examples: int, seed: int, *, edges: bool) -> Any:
    return schemathesis.Config.from_dict(
        {
            "base-url": url, "request-timeout": 30, "workers": 1, "seed": seed, "continue-on-failure": True,
            "generation": {"max-examples": examples, "mode": "all", "database": "none"},
            "phases": {"examples": {"enabled": False}, "stateful": {"enabled": False}, "coverage": {"enabled": edges}},
            "checks": {name: {"enabled": False} for name in OWN_RULES},
        }
    )  # fmt: skip


def _knowing(known: dict[str, list[str]]) -> Callable[[Any, dict[str, Any] | None], dict[str, Any] | None]:
    """Half of the ids in paths are ids that exist."""

    def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
        for name, value in (path_parameters or {}).items():
            choice = known.get(name, ())
            number = sum(str(value).encode())
            if choice and number % 2:
                path_parameters[name] = choice[number // 2 % len(choice)]  # type: ignore[index]
        return path_parameters

    return map_path_parameters


def _judged(event: ScenarioFinished, verdicts: Verdicts) -> int:
    found = event.recorder
    for identity, node in found.cases.items():
        case, interaction = node.value, found.interactions.get(identity)
        if interaction is None:
            continue
        answer, what = interaction.response, f"{case.formatted_path} {case.query} {case.body!r}"
        if answer is None:
            verdicts.count("document")
            verdicts.blame(f"{case.operation.label}: no answer", what)
            continue
        kind = (answer.headers.get("content-type") or [""])[0]
        route = route_of(case.operation.method, case.operation.path)
        verdicts.http("document", route, case.method.upper(), answer.status_code, kind, answer.content, what)
        for check in found.checks.get(identity, ()):
            if check.status is not Status.SUCCESS and check.failure_info is not None:
                failure = check.failure_info.failure
                verdicts.blame(f"{case.operation.label}: {check.name}", f"{what}: {failure.title} {failure.message}")
    return len(found.interactions)
