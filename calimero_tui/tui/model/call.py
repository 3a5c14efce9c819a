"""The call form: what is filled in, whether it can be sent, and what came back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from calimero_tui.tui.model.text import pretty

EXAMPLES: Final[Mapping[str, Any]] = {
    "string": "", "bool": False, "f32": 0.0, "f64": 0.0, "i32": 0, "i64": 0, "u32": 0, "u64": 0, "unit": None,
    "bytes": [],
}  # fmt: skip
"""A value of each scalar type of an ABI, to start typing from."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that can be sent."""

    url: str
    context_id: str
    method: str
    args: Mapping[str, Any]
    executor: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to: its output, or an error of a kind; ``seconds`` from sending to the answer."""

    call: Call
    seconds: float
    output: Any = None
    error: str = ""
    kind: str = ""

    @property
    def headline(self) -> str:
        word = f"{self.kind or 'error'}" if self.error else "ok"
        return f"{self.call.method}: {word} in {self.seconds * 1000:.0f} ms"

    @property
    def text(self) -> str:
        return self.error or pretty(self.output)


class CallForm:
    """Fields as they are typed. ``answer`` is the last one; ``running`` the call that is out."""

    def __init__(self) -> None:
        self.method = ""
        self.args = "{}"
        self.executor = ""
        self.running: Call | None = None
        self.answer: Answer | None = None
        self._templated = "{}"

    def choose(self, method: str, methods: Sequence[Mapping[str, Any]]) -> bool:
        """Take a method name; whether the arguments were replaced by its template.

        What a person typed is never replaced, only an earlier template.
        """
        self.method = method
        row = _find(method, methods)
        if row is None or self.args.strip() not in ("", "{}", self._templated):
            return False
        self._templated = template(row)
        changed, self.args = self.args != self._templated, self._templated
        return changed

    def hint(self, methods: Sequence[Mapping[str, Any]]) -> str:
        """The signature of the method, or the methods that begin like it."""
        row = _find(self.method, methods)
        if row is not None:
            return str(row.get("signature") or self.method)
        fitting = [str(row.get("name")) for row in methods if str(row.get("name")).startswith(self.method)]
        return "  ".join(fitting) if fitting else ("no method begins so" if methods else "")

    def problem(self) -> str:
        """Why the form cannot be sent, "" when it can."""
        if not self.method.strip():
            return "choose a method"
        return args_problem(self.args) or ("" if self.executor else "this node has no identity in the context")

    def request(self, url: str, context_id: str) -> Call | None:
        """The call, None while there is a problem or a call is out."""
        if self.running is not None or self.problem():
            return None
        self.running = Call(url, context_id, self.method.strip(), json.loads(self.args or "{}"), self.executor)
        return self.running

    def take(self, answer: Answer) -> None:
        self.running, self.answer = None, answer


def args_problem(text: str) -> str:
    """What is wrong with arguments as they are typed, with the place."""
    try:
        found = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        return f"arguments: {error}"
    return "" if isinstance(found, dict) else 'arguments are an object, like {"key": 1}'


def template(row: Mapping[str, Any]) -> str:
    """Arguments of a method with an example of each type; optional ones are null."""
    parameters = [one for one in row.get("parameters") or () if isinstance(one, Mapping)]
    return json.dumps({str(one.get("name")): _example(one) for one in parameters}, ensure_ascii=False)


def _example(parameter: Mapping[str, Any]) -> Any:
    kind = str(parameter.get("type"))
    if parameter.get("optional"):
        return None
    if kind.startswith(("list", "[")):
        return []
    return EXAMPLES.get(kind, {})


def _find(method: str, methods: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((row for row in methods if row.get("name") == method), None)
