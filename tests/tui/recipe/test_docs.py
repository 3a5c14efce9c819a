"""The page about recipes names every step, operator and key that there is, and its example can run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from calimero_tui.recipe.checks import OPERATORS
from calimero_tui.recipe.load import load
from calimero_tui.recipe.model import BUILT_IN, LOCAL
from calimero_tui.recipe.read import AROUND, TOP
from calimero_tui.recipe.steps import OWN

PAGE = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text()


@pytest.mark.parametrize("word", [*OPERATORS, *(step.name for step in OWN), *TOP, *AROUND, *BUILT_IN, *LOCAL])
def test_the_page_names_it(word: str) -> None:
    assert re.search(rf"`{word}\b", PAGE)


def test_the_page_names_every_parameter() -> None:
    for step in OWN:
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{step.name}` |"))
        assert all(f"`{parameter.name}`" in row for parameter in step.parameters)


def test_the_example_is_a_recipe(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    file = tmp_path / "example.yml"
    file.write_text(example[1])
    recipe = load(file)
    assert (recipe.name, len(recipe.steps)) == ("Two nodes agree", 4)
