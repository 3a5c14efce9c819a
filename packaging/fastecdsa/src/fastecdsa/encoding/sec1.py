"""The SEC1 form of public keys; every call raises :class:`EcdsaUnavailable`."""

from typing import NoReturn

from fastecdsa import EcdsaUnavailable
from fastecdsa.curve import Curve
from fastecdsa.point import Point


class SEC1Encoder:
    """Reads and writes no key."""

    @staticmethod
    def encode_public_key(point: Point, compressed: bool = True) -> NoReturn:
        raise EcdsaUnavailable("SEC1 encoding of a public key")

    @staticmethod
    def decode_public_key(binary: bytes, curve: Curve) -> NoReturn:
        raise EcdsaUnavailable(f"SEC1 decoding of a public key on {curve}")
