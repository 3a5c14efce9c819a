"""Made-up JSON-RPC requests, and what is asked of the answers: one an envelope, with its id and a result or an error of
a known type; an envelope that cannot be used is told as text.
"""

from __future__ import annotations

import json
from typing import Any, Final

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from node.api.route import Route
from node.api.routes import ROUTES
from tests.fuzz_api.envelopes import Known, bodies
from tests.fuzz_api.rules import Verdicts

__all__ = ["ERRORS", "QUIETLY", "fuzz", "wrong"]

ERRORS: Final = frozenset(
    {
        "ParseError", "ContextNotFound", "Unauthorized", "Uninitialized", "ApplicationNotInstalled",
        "AliasResolutionFailed", "SerdeError", "FunctionCallError",
    }
)  # fmt: skip
"""Types that a request can bring about; ``InternalError`` is none of them."""

QUIETLY: Final[dict[str, Any]] = {
    "database": None, "deadline": None, "phases": [Phase.generate], "suppress_health_check": list(HealthCheck),
}  # fmt: skip
"""Settings of a run that counts faults instead of stopping at the first."""

ROUTE: Final[Route] = next(route for route in ROUTES if route.handler == "jsonrpc")
_TYPES: Final = ("application/json",) * 12 + ("application/cbor+json; charset=utf-8", "text/plain", "")
_KEYS: Final = (None,) * 8 + ("one", "two", "k" * 256, "k" * 257, "")


def fuzz(http: httpx.Client, verdicts: Verdicts, known: Known, *, count: int, number: int) -> None:
    """Send ``count`` requests made with the seed ``number``."""

    @seed(number)
    @settings(max_examples=count, **QUIETLY)
    @given(body=bodies(known), kind=st.sampled_from(_TYPES), key=st.sampled_from(_KEYS))
    def one(body: bytes, kind: str, key: str | None) -> None:
        headers = {"content-type": kind} | ({} if key is None else {"idempotency-key": key})
        answer = http.post("/jsonrpc", content=body, headers=headers)
        told = answer.headers.get("content-type", "")
        verdicts.http("calls", ROUTE, "POST", answer.status_code, told, answer.content, f"{headers} {body!r}")
        if (fault := wrong(body, key, answer)) is not None:
            verdicts.blame(f"jsonrpc: {fault}", f"{headers} {body!r} -> {answer.status_code} {answer.text}")

    one()


def wrong(body: bytes, key: str | None, answer: httpx.Response) -> str | None:
    """What is wrong with an answer to ``body``."""
    if answer.status_code != 200:
        text = answer.headers.get("content-type", "").startswith("text/plain")
        return None if text and answer.text else "a refusal without a text"
    asked, told = json.loads(body), answer.json()
    if isinstance(asked, list) != isinstance(told, list):
        return "a batch is answered as no batch, or the other way round"
    if not isinstance(asked, list):
        return _wrong_one(asked, told)
    if len(asked) != len(told):
        return f"{len(told)} answers to a batch of {len(asked)}"
    return next((fault for pair in zip(asked, told, strict=True) if (fault := _wrong_one(*pair))), None)


def _wrong_one(asked: Any, told: Any) -> str | None:
    if not isinstance(told, dict) or told.get("jsonrpc") != "2.0":
        return "no envelope"
    if "id" not in told or told["id"] != asked.get("id"):
        return "the answer has another id"
    if ("result" in told) == ("error" in told):
        return "not exactly one of result and error"
    if "result" in told:
        return None if set(told["result"]) == {"output"} else "a result without output"
    kind = told["error"].get("type")
    return None if kind in ERRORS else f"error of type {kind}"
