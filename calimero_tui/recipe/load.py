"""A recipe from a file, read and linted: either one that can run, or all that is wrong with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from calimero_tui.recipe.hints import near
from calimero_tui.recipe.lint import lint
from calimero_tui.recipe.model import Recipe
from calimero_tui.recipe.read import read, to_values
from node.errors import LintError, ParseError, Refused


class Problems(LintError):
    """Everything that is wrong with a recipe, in the order of the file."""

    def __init__(self, problems: list[LintError]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def load(file: Path, variables: Mapping[str, object] | None = None, urls: Mapping[str, str] | None = None) -> Recipe:
    """Read a file; ``variables`` and ``urls`` replace those in it. Raises :class:`ParseError` or :class:`Problems`."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(f"{file} is no UTF-8 text") from error
    except OSError as error:
        raise Refused(f"cannot read {file}: {error.strerror}", kind="argument") from error
    recipe, problems = read(text, str(file))
    recipe = _with(recipe, variables or {}, urls or {})
    if found := sorted(problems or lint(recipe), key=_place):
        raise Problems(found)
    return recipe


def _place(problem: LintError) -> tuple[int, int]:
    return (problem.span.line, problem.span.column) if problem.span else (0, 0)


def _with(recipe: Recipe, variables: Mapping[str, object], urls: Mapping[str, str]) -> Recipe:
    for name in variables:
        if name not in recipe.variables:
            raise Refused(f"the recipe has no variable {name!r}; {near(name, recipe.variables)}", kind="argument")
    if urls and set(urls) != set(recipe.nodes):
        raise Refused(
            f"the recipe has the nodes {', '.join(recipe.nodes)}; give an address for each, not for {', '.join(urls)}",
            kind="argument",
        )
    values = {**recipe.variables, **to_values(variables, "--var")}
    return dataclasses.replace(recipe, variables=values, urls=urls or recipe.urls)
