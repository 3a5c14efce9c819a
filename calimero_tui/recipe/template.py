"""``{{name.path[0]}}`` in texts. Pure.

A text that is one template takes the value with its type. Inside a longer text the value is written as text, and
anything but a text as JSON. A name that has no value is an error, never left as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from calimero_tui.recipe import path

_TEMPLATE: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


class NoVariable(LookupError):
    """A template names a variable that has no value."""


def names(text: str) -> Iterator[str]:
    """The variables that a text needs. Raises ``ValueError`` for a template that cannot be read."""
    if text.count("{{") != len(_TEMPLATE.findall(text)):
        raise ValueError(f"a template is not closed in {text!r}; write it as {{{{name}}}}")
    for found in _TEMPLATE.finditer(text):
        name, segments = _read(found[1])
        yield name
        yield from (segment.name for segment in segments if isinstance(segment, path.Variable))


def render(value: Any, scope: Mapping[str, Any]) -> Any:
    """A value with all templates in its texts filled in, at any depth.

    Raises :class:`NoVariable`, :class:`~calimero_tui.recipe.path.NoValue` or ``ValueError``.
    """
    if isinstance(value, str):
        return _text(value, scope)
    if isinstance(value, list):
        return [render(item, scope) for item in value]
    if isinstance(value, dict):
        return {key: render(item, scope) for key, item in value.items()}
    return value


def _text(text: str, scope: Mapping[str, Any]) -> Any:
    whole = _TEMPLATE.fullmatch(text)
    if whole is not None and "{{" not in whole[1]:
        return _lookup(whole[1], scope)
    return _TEMPLATE.sub(lambda found: written(_lookup(found[1], scope)), text)


def _lookup(inner: str, scope: Mapping[str, Any]) -> Any:
    name, segments = _read(inner)
    for needed in (name, *(segment.name for segment in segments if isinstance(segment, path.Variable))):
        if needed not in scope:
            raise NoVariable(f"there is no variable {needed!r}")
    return path.get(scope[name], segments, scope)


def _read(inner: str) -> tuple[str, tuple[path.Segment, ...]]:
    text = inner.strip()
    name = path.NAME.match(text)
    if name is None:
        raise ValueError(f"{{{{{inner}}}}} is no template like {{{{name.path[0]}}}}")
    return name[0], path.parse(f"x{text[name.end() :]}")[1:]


def written(value: Any) -> str:
    """A value inside a text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
