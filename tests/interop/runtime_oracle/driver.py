"""RuntimeOracle: the reference's runtime crate 0.10.0 as a process, driven over JSON lines.

``build`` makes the program from ``harness``. It shares no code and no rule with the node, so a mistake there cannot
hide here. README.md has the operations.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

BUILD: Final = Path(__file__).with_name("build")
DRAWN: Final = 4096
"""Random bytes that are asked for at once; a call of the test applications draws fewer."""


class OracleError(Exception):
    """The program refused a request; nothing was run."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a call may depend on beside rows and arguments: ns of the first reading of the clock, ns that each reading
    adds, and a number from which the system's randomness is made."""

    now: int
    step: int
    seed: int


@dataclass(frozen=True, slots=True)
class Step:
    """One call. ``replica`` names the rows that it runs on; ``members`` are those of the context."""

    module: str
    replica: str
    context: bytes
    executor: bytes
    method: str
    input: bytes
    moment: Moment
    members: Sequence[bytes] = ()


def build() -> Path:
    """The program, built if it is not up to date. Raises CalledProcessError if it cannot be."""
    made = subprocess.run([BUILD], check=True, stdout=subprocess.PIPE, text=True)
    return Path(made.stdout.strip())


class RuntimeOracle:
    """The running program. ``close`` ends it."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, op: str, **fields: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"op": op, **fields}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise OracleError(f"the oracle ended with {self._process.wait()} in {op} {fields.get('method', '')}")
        answer = json.loads(line)
        if "error" in answer:
            raise OracleError(answer["error"])
        return answer["ok"]

    def load(self, name: str, code: bytes) -> None:
        self.ask("module", name=name, code=code.hex())

    def reset(self) -> None:
        """Forget the rows of all replicas."""
        self.ask("reset")

    def run(self, step: Step) -> dict[str, Any]:
        """The outcome as the table in README.md has it."""
        answer: dict[str, Any] = self.ask(
            "run", module=step.module, replica=step.replica, context=step.context.hex(), executor=step.executor.hex(),
            method=step.method, input=step.input.hex(), members=[member.hex() for member in step.members],
            now=step.moment.now, step=step.moment.step, seed=step.moment.seed,
        )  # fmt: skip
        return answer

    def randomness(self, seed: int) -> Callable[[int], bytes]:
        """The draws of a call with this seed. The crate's generator makes words of four bytes and drops what is left
        of the last word of a draw."""
        stream = b""
        position = 0

        def draw(size: int) -> bytes:
            nonlocal stream, position
            if not stream:
                stream = bytes.fromhex(self.ask("random", seed=seed, size=DRAWN))
            start, position = position, position + (size + 3) // 4 * 4
            assert position <= DRAWN, "a call draws more random bytes than the driver asks for"
            return stream[start : start + size]

        return draw

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
