"""`python -m tests.interop.clients.record PYTHON`: write down what calimero-client-py sends and what answers it needs.

PYTHON has the client. Each step of the session goes to real nodes through recorders. Then each part of the answer is
left out in turn, with the recorder answering in the node's place: where the client fails, it needs that part.
"""

from __future__ import annotations

import copy
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.interop.clients.names import Names
from tests.interop.clients.published import Published, as_told, published
from tests.interop.clients.recorder import Answer, Recorder, Request, recorder
from tests.interop.clients.session import STEPS, Step
from tests.interop.clients.stage import stage

__all__ = ["TABLE", "kind_of"]

TABLE = Path(__file__).with_name("calimero-client-py-0.3.0.json")
JSON = "application/json"


def kind_of(value: Any) -> str:
    """The JSON kind of a value."""
    kinds = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer", type(None): "null"}
    return kinds[type(value)]


def parts(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every member of every object, by path; of an array the first element stands for all."""
    inner = value.items() if isinstance(value, dict) else [("0", value[0])] if isinstance(value, list) and value else []
    for name, part in inner:
        here = f"{path}.{name}" if path else str(name)
        if isinstance(value, dict):
            yield here, part
        yield from parts(part, here)


def less(answer: Answer, header: str) -> Answer:
    return Answer(answer.status, {name: value for name, value in answer.headers.items() if name != header}, answer.body)


def less_member(answer: Answer, path: str) -> Answer:
    body = json.dumps(without(json.loads(answer.body), path)).encode()
    return Answer(answer.status, {**answer.headers, "content-length": str(len(body))}, body)


def without(value: Any, path: str) -> Any:
    """A copy of the value that lacks one member."""
    made = copy.deepcopy(value)
    *way, last = path.split(".")
    holder = made
    for word in way:
        holder = holder[int(word)] if isinstance(holder, list) else holder[word]
    del holder[last]
    return made


class Scribe:
    """Takes the session step by step and makes a row of the table from each."""

    def __init__(self, client: Published, recorders: dict[str, Recorder], names: Names) -> None:
        self._client, self._recorders, self._names = client, recorders, names

    def row(self, step: Step) -> dict[str, Any] | None:
        """What the step sends and needs; None if it asks the node nothing."""
        recorder = self._recorders[step.on]
        recorder.passed.clear()
        self._client.take(step, recorder.url, self._names)
        if not recorder.passed:
            return None
        ((request, answer),) = recorder.passed
        row = {"call": step.method, "on": step.on, **self._asked(request), "status": answer.status}
        return row if step.refused else {**row, **self._needed(step, answer)}

    def _asked(self, request: Request) -> dict[str, Any]:
        asked: dict[str, Any] = {"method": request.method, "path": self._names.text(request.path)}
        if request.kind == "application/json":
            return {**asked, "json": self._names.template(json.loads(request.body))}
        return {**asked, "text": request.body.decode()} if request.body else asked

    def _needed(self, step: Step, answer: Answer) -> dict[str, Any]:
        """What the client fails without: members of a JSON body, or headers where there is no body."""
        if answer.headers.get("content-type") != JSON or not answer.body:
            found = {name: value for name, value in answer.headers.items() if self._fails(step, less(answer, name))}
            return {"headers": self._names.template(found)} if found else {}
        body = json.loads(answer.body)
        needs = {path: kind_of(part) for path, part in parts(body) if self._fails(step, less_member(answer, path))}
        kept = {name: self._where(body, name) for name in step.keep}
        return {"needs": needs, **({"keep": kept} if kept else {})}

    def _where(self, body: Any, name: str) -> str:
        return next(path for path, part in parts(body) if part == self._names.values[name])

    def _fails(self, step: Step, answer: Answer) -> bool:
        recorder = self._recorders[step.on]
        recorder.instead = answer
        try:
            return not as_told(step, self._client.ask(step, recorder.url, self._names), self._names)
        finally:
            recorder.instead = None


def record(python: str) -> list[dict[str, Any]]:
    """The rows of the table, from a session of the client in ``python``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nodes, names = stack.enter_context(stage(folder))
        client = stack.enter_context(published(python, folder))
        recorders = {name: stack.enter_context(recorder(node)) for name, node in nodes.items()}
        scribe = Scribe(client, recorders, names)
        return [row for step in STEPS if (row := scribe.row(step)) is not None]


if __name__ == "__main__":
    rows = record(sys.argv[1])
    TABLE.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
