"""Making and writing keys; every call raises :class:`EcdsaUnavailable`."""

from typing import NoReturn

from fastecdsa import EcdsaUnavailable
from fastecdsa.curve import Curve
from fastecdsa.point import Point


class PEMEncoder:
    """The name of an encoding; it encodes nothing."""


def gen_private_key(curve: Curve) -> NoReturn:
    raise EcdsaUnavailable(f"new private key on {curve}")


def get_public_key(d: int, curve: Curve) -> NoReturn:
    raise EcdsaUnavailable(f"public key on {curve}")


def export_key(key: int | Point, curve: Curve, encoder: type[PEMEncoder] = PEMEncoder) -> NoReturn:
    raise EcdsaUnavailable(f"{encoder.__name__} export of a key on {curve}")
