"""The parameters of an action as fields that a person fills in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from calimero_tui.actions.base import Action, Parameter, Source
from node.errors import Refused

AGREE: Final = "yes"
CONFIRM: Final = "confirm"


@dataclass(frozen=True, slots=True)
class Field:
    """``text`` is filled in already, ``placeholder`` is what an empty field means."""

    name: str
    label: str
    text: str = ""
    placeholder: str = ""


class Prompt:
    """Fields of an action. An action that destroys has one more, which asks for the word yes."""

    def __init__(self, action: Action, context_id: str | None) -> None:
        self.action = action
        self.fields = [_field(parameter, context_id) for parameter in action.parameters]
        if action.confirm:
            self.fields.append(Field(CONFIRM, "this cannot be undone: write yes to go on"))

    @property
    def needed(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self.fields)

    def read(self, texts: Mapping[str, str]) -> tuple[dict[str, object], str]:
        """Values of the fields, and what is wrong with them ("" for nothing)."""
        if self.action.confirm and texts.get(CONFIRM, "").strip() != AGREE:
            return {}, f"write {AGREE} to go on, or press Escape"
        given: dict[str, object] = {}
        try:
            for parameter in self.action.parameters:
                text = texts.get(parameter.name, "").strip()
                if text:
                    given[parameter.name] = parameter.read(text)
            return dict(self.action.arguments(given)), ""
        except Refused as error:
            return {}, str(error)


def _field(parameter: Parameter, context_id: str | None) -> Field:
    text = context_id or "" if parameter.source is Source.CONTEXTS else ""
    default = "" if parameter.default in (None, "") else f"default: {parameter.default}"
    placeholder = "needed" if parameter.required else default or "may be left empty"
    return Field(parameter.name, f"{parameter.name}: {parameter.help}", text, placeholder)
