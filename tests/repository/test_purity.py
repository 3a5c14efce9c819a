"""What the linter cannot see: time and randomness in the core, standard output, broad excepts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.repository.source import Module, dotted, modules

CLOCKS_AND_DICE = re.compile(
    r"(time\.\w+|datetime\.(datetime\.)?(now|utcnow|today)|date\.today|random\.\w+|os\.(urandom|getrandom|getpid)"
    r"|secrets\.\w+|uuid\.uuid[1-8]|uuid[1-8]|urandom|token_bytes|nacl\.utils\.random|time_ns|monotonic_ns|perf_counter_ns)"
)
"""Calls that read a clock or a random source. A seeded ``random.Random`` that comes in as an argument is none."""

STOPWATCH = "tests/simulation/jobs.py"
"""The one module of the simulator that reads a clock: it tells the seeds per CPU hour."""

OUTPUT = "calimero_tui/output/"
OWN_PIPE = {
    "workers/runtime/engine/inspection.py": "main of a short-lived child whose standard output is its parent's pipe"
}
"""Other modules that may write to standard output, with the reason."""

REASON = re.compile(r"#\s*noqa:\s*BLE001\s*[-:—#]\s*\S.{5,}")
BROAD_PER_THOUSAND_LINES = 4


def calls(module: Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func)


def test_the_core_reads_no_clock_and_rolls_no_dice() -> None:
    found = [
        f"{module.name}:{line}: {name}"
        for module in modules("node")
        for line, name in calls(module)
        if CLOCKS_AND_DICE.fullmatch(name)
    ]
    assert found == []


def test_the_simulator_reads_no_clock_and_rolls_no_dice_but_the_seeds() -> None:
    found = {
        (module.name, name)
        for module in modules("tests/simulation")
        for _, name in calls(module)
        if CLOCKS_AND_DICE.fullmatch(name) and name != "random.Random"
    }
    assert {module for module, _ in found} == {STOPWATCH}
    bare = [call for module in modules("tests/simulation") for call in _bare_dice(module)]
    assert bare == [], "a random.Random without a seed is seeded by the system"


def _bare_dice(module: Module) -> list[str]:
    made = (node for node in ast.walk(module.tree) if isinstance(node, ast.Call) and not node.args)
    dice = {"random.Random", "Random", "random.SystemRandom"}
    return [f"{module.name}:{call.lineno}" for call in made if dotted(call.func) in dice]


def test_the_pattern_knows_a_clock_when_it_sees_one() -> None:
    for name in ("time.time", "time.monotonic", "datetime.now", "datetime.datetime.now", "os.urandom", "random.random"):
        assert CLOCKS_AND_DICE.fullmatch(name), name
    for name in ("rng.random", "clock.time", "self.now", "random_bytes", "rng.sample"):
        assert not CLOCKS_AND_DICE.fullmatch(name), name


def test_one_package_writes_to_standard_output() -> None:
    found = [
        f"{module.name}:{line}: {name}"
        for module in modules()
        if not module.name.startswith(OUTPUT) and module.name not in OWN_PIPE
        for line, name in _standard_output(module)
    ]
    assert found == []


def _standard_output(module: Module) -> Iterator[tuple[int, str]]:
    """``print`` and reads of ``sys.stdout``; a worker that assigns to it gives it up, which is what it should do."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and dotted(node.func) in {"print", "rich.print"}:
            yield node.lineno, "print"
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and _is_stdout(dotted(node)):
            yield node.lineno, dotted(node)


def _is_stdout(name: str) -> bool:
    return name in {"sys.stdout", "sys.__stdout__"}


def test_a_broad_except_logs_or_gives_its_reason() -> None:
    found = [
        f"{module.name}:{line}"
        for module in modules()
        for handler in _broad(module)
        for line in [handler.lineno]
        if not _logs(handler) and not REASON.search(module.lines[line - 1])
    ]
    assert found == [], "log it with log.exception, or: except Exception:  # noqa: BLE001  # why it must not pass"


def test_broad_excepts_stay_rare() -> None:
    broad = sum(len(_broad(module)) for module in modules())
    lines = sum(len(module.lines) for module in modules())
    assert broad <= BROAD_PER_THOUSAND_LINES * lines / 1000


def _broad(module: Module) -> list[ast.ExceptHandler]:
    """Handlers that catch everything and do not raise again or raise something that keeps the cause."""
    handlers = (node for node in ast.walk(module.tree) if isinstance(node, ast.ExceptHandler))
    return [handler for handler in handlers if _catches_all(handler.type) and not _raises(handler)]


def _catches_all(kind: ast.expr | None) -> bool:
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind] if kind else []
    return kind is None or any(dotted(name) in {"Exception", "BaseException"} for name in names)


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for node in ast.walk(handler))


def _logs(handler: ast.ExceptHandler) -> bool:
    """With the trace: ``log.exception(...)`` or ``exc_info=``."""
    made = [node for node in ast.walk(handler) if isinstance(node, ast.Call)]
    return any(
        dotted(call.func).endswith(".exception") or any(word.arg == "exc_info" for word in call.keywords)
        for call in made
    )
