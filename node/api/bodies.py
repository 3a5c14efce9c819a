"""From the bytes of a body to a model: content type, syntax, shape, limits, in the reference's order and words.

Two families of routes word the same mistakes differently. core 0.10.0: crates/server/src/middleware/validation.rs for
:data:`VALIDATED`; axum's own extractor for :data:`PLAIN`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from node.api import serde
from node.api.errors import BadRequest, Family, Refusal
from node.api.models import convert

__all__ = ["PLAIN", "VALIDATED", "Wording", "is_json", "read_body", "read_value"]

Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class Wording:
    """How one family refuses a body: prefix and status of each kind of mistake."""

    family: Family
    syntax: tuple[str, int]
    shape: tuple[str, int]
    media: int
    too_large: tuple[str, int]


_SYNTAX: Final = "Failed to parse the request body as JSON: "
_SHAPE: Final = "Failed to deserialize the JSON body into the target type: "
_MEDIA: Final = "Expected request with `Content-Type: application/json`"
_SIZE: Final = "Failed to buffer the request body: length limit exceeded"

VALIDATED: Final = Wording(
    Family.JSON,
    (f"JSON syntax error: {_SYNTAX}", 400),
    (f"Invalid JSON data: {_SHAPE}", 400),
    400,
    (f"Failed to read request body: {_SIZE}", 400),
)
PLAIN: Final = Wording(Family.TEXT, (_SYNTAX, 400), (_SHAPE, 422), 415, (_SIZE, 413))


def is_json(content_type: str) -> bool:
    """Whether a media type stands for JSON; parameters are allowed."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def too_large(wording: Wording) -> Refusal:
    text, status = wording.too_large
    return Refusal(text, status, wording.family)


def read_value(
    wording: Wording, content_type: str, raw: bytes, parse: Callable[[bytes], object] = serde.decode
) -> object:
    """The JSON value of a body. Raises :class:`Refusal`."""
    if not is_json(content_type):
        raise Refusal(_MEDIA, wording.media, wording.family)
    try:
        return parse(raw)
    except BadRequest as error:
        prefix, status = wording.syntax
        raise Refusal(f"{prefix}{error}", status, wording.family) from error


def read_body(wording: Wording, model: type[Model], content_type: str, raw: bytes) -> Model:
    """A body as its model, within all limits. Raises :class:`Refusal`."""
    value = read_value(wording, content_type, raw, serde.parse)
    try:
        return convert(model, value)
    except msgspec.ValidationError as error:
        raise misshapen(wording, serde.describe(error)) from error
    except BadRequest as error:
        raise Refusal(str(error), 400, wording.family) from error


def misshapen(wording: Wording, detail: str) -> Refusal:
    """The refusal of a value that is JSON but not the wanted shape."""
    prefix, status = wording.shape
    return Refusal(f"{prefix}{detail}", status, wording.family)
