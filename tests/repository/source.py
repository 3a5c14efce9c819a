"""The project's own source as data: files, syntax trees, lengths. It judges nothing; the tests beside it do."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("node", "workers", "calimero_tui")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file: ``name`` is its path from the root with slashes."""

    name: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


@cache
def modules(*packages: str) -> tuple[Module, ...]:
    """Every module of the packages (all three without arguments), by name."""
    paths = sorted(path for package in packages or PACKAGES for path in (ROOT / package).rglob("*.py"))
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text))


def functions(module: Module) -> Iterator[tuple[str, FunctionNode]]:
    """Every function with ``file:name``."""
    for node in ast.walk(module.tree):
        if isinstance(node, FunctionNode):
            yield f"{module.name}:{node.name}", node


def length(function: FunctionNode) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def imports(module: Module) -> set[str]:
    """Top-level names of absolute imports that are run, wherever they stand; imports for types alone are left out."""
    found: set[str] = set()
    typing_only = {
        inner
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and dotted(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
        for inner in ast.walk(node)
    }
    for node in ast.walk(module.tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def dotted(node: ast.AST) -> str:
    """``a.b.c`` for such an expression, else the empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (head := dotted(node.value)):
        return f"{head}.{node.attr}"
    return ""


@cache
def requirements(name: str) -> tuple[str, ...]:
    """What goes into the lock of that name: the project's dependencies, a dependency group, or both."""
    data = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = tuple(data["project"]["dependencies"])
    if name == "runtime":
        return runtime
    groups = data["dependency-groups"]
    found = runtime if name == "dev" else ()
    for entry in groups[name]:
        found += (entry,) if isinstance(entry, str) else tuple(groups[entry["include-group"]])
    return found
