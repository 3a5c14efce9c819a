"""From the tones of the view models to colours of the running theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.style import Style
from textual.app import App

NAMES: Final[Mapping[str, str]] = {
    "good": "success",
    "warn": "warning",
    "bad": "error",
    "accent": "accent",
    "node": "primary",
}


def styles(app: App[object]) -> dict[str, Style]:
    """A style for each tone. Text keeps the terminal's colour where the theme names none."""
    variables = app.theme_variables
    found = {
        tone: Style(color=_colour(variables.get(f"text-{name}", variables.get(name)))) for tone, name in NAMES.items()
    }
    return {**found, "dim": Style(dim=True), "": Style(), "plain": Style()}


def _colour(text: str | None) -> str | None:
    """A colour that Rich reads too; themes also hold names like ``auto 87%`` and ANSI names."""
    return text if text is not None and text.startswith("#") and len(text) == 7 else None
