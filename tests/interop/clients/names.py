"""Values that change from run to run stand under names: `$context` in a text, or alone for a value of any kind."""

from __future__ import annotations

import json
from string import Template
from typing import Any

__all__ = ["Names", "at"]


def at(value: Any, path: str) -> Any:
    """The part of a value at a path like `data.apps.0.id`; the empty path is all of it.

    Raises:
        LookupError: there is no such part.
    """
    for word in filter(None, path.split(".")):
        if not isinstance(value, (dict, list)):
            raise LookupError(f"{path}: {value!r} has no parts")
        value = value[int(word)] if isinstance(value, list) else value[word]
    return value


class Names:
    """Values by name, put into templates and taken out again."""

    def __init__(self, **values: Any) -> None:
        self.values: dict[str, Any] = dict(values)

    def keep(self, wanted: dict[str, str], result: Any) -> None:
        """Remember parts of a result."""
        self.values.update({name: at(result, path) for name, path in wanted.items()})

    def fill(self, template: Any) -> Any:
        """The template with each name replaced by its value, for a comparison or a body."""
        if isinstance(template, dict):
            return {key: self.fill(inner) for key, inner in template.items()}
        if isinstance(template, list):
            return [self.fill(inner) for inner in template]
        if not isinstance(template, str):
            return template
        if template.startswith("$") and template[1:] in self.values:
            return self.values[template[1:]]
        return Template(template).safe_substitute(self.values)

    def argument(self, template: Any) -> Any:
        """As :meth:`fill`, where objects go as JSON text, the way the client takes them; bytes stay."""
        filled = self.fill(template)
        return json.dumps(filled) if isinstance(template, str) and isinstance(filled, dict) else filled

    def template(self, value: Any) -> Any:
        """The value with every known one replaced by its name."""
        for name, known in self.values.items():
            if value == known and type(value) is type(known):
                return f"${name}"
        if isinstance(value, dict):
            return {key: self.template(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.template(inner) for inner in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """A text with every known text in it replaced."""
        for name, known in self.values.items():
            if isinstance(known, str):
                text = text.replace(known, f"${name}")
        return text
