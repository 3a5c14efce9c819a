"""calimero-client-py as it is published, in a process of the Python that has it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.interop.clients.names import Names, at
from tests.interop.clients.session import Step

__all__ = ["Published", "as_told", "published"]

DRIVER = Path(__file__).with_name("python_driver.py")


class Published:
    """The client behind a pipe. ``methods`` are its public methods."""

    def __init__(self, tell: IO[str], answers: IO[str]) -> None:
        self._tell, self._answers = tell, answers
        self.methods = frozenset(self._answer())

    def call(self, url: str, method: str, arguments: list[Any]) -> dict[str, Any]:
        """The `result` or the `error` of a call."""
        print(json.dumps([url, method, arguments]), file=self._tell, flush=True)
        answer: dict[str, Any] = self._answer()
        return answer

    def take(self, step: Step, url: str, names: Names) -> None:
        """Take a step of the session and hold its result against what the step says."""
        answer = self.ask(step, url, names)
        assert as_told(step, answer, names), f"{step.method}{step.arguments}: {answer}"
        names.keep(step.keep, answer.get("result"))

    def ask(self, step: Step, url: str, names: Names) -> dict[str, Any]:
        """The answer to a step."""
        return self.call(url, step.method, [names.argument(given) for given in step.arguments])

    def _answer(self) -> Any:
        line = self._answers.readline()
        assert line, f"{DRIVER.name} ended; run it by hand to see why"
        return json.loads(line)


def as_told(step: Step, answer: dict[str, Any], names: Names) -> bool:
    """Whether an answer is what its step says, with all that later steps need."""
    if step.refused or "error" in answer:
        return step.refused and "error" in answer
    result = answer["result"]
    try:
        kept = [at(result, path) for path in step.keep.values()]
        return None not in kept and all(at(result, path) == names.fill(gives) for path, gives in step.gives.items())
    except LookupError:
        return False


@contextmanager
def published(python: str, home: Path) -> Iterator[Published]:
    """The client, with a home folder of its own since it keeps tokens there."""
    process = subprocess.Popen(
        [python, str(DRIVER)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "HOME": str(home)},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin, process.stdout:
        try:
            yield Published(process.stdin, process.stdout)
        finally:
            process.stdin.close()  # the driver ends with its input
            process.wait(timeout=10)
