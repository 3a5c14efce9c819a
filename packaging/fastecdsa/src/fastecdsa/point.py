"""The type of a curve point; none can be made."""

from typing import NoReturn

from fastecdsa import EcdsaUnavailable


class Point:
    """A type for annotations. Making one raises :class:`EcdsaUnavailable`."""

    def __init__(self, *_: object) -> None:
        raise EcdsaUnavailable("curve point")

    def __mul__(self, scalar: int) -> NoReturn:
        raise EcdsaUnavailable("point multiplication")
