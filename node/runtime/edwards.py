"""Ed25519 as the reference's runtime checks it: cofactorless, canonical ``s``, any curve point as a key.

A key that is no curve point is told apart from a bad signature, since only the first ends the call.
Source: core 0.10.0: .../host_functions/utility.rs (ed25519-dalek, non-strict ``verify``).
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PRIME: Final = 2**255 - 19
D: Final = -121665 * pow(121666, -1, PRIME) % PRIME
Y_MASK: Final = (1 << 255) - 1


def is_point(public_key: bytes) -> bool:
    """Whether 32 bytes decompress to a point: (y² - 1) / (dy² + 1) must be a square."""
    y = (int.from_bytes(public_key, "little") & Y_MASK) % PRIME
    square = y * y % PRIME
    ratio = (square - 1) * pow(D * square + 1, -1, PRIME) % PRIME
    return ratio == 0 or pow(ratio, (PRIME - 1) // 2, PRIME) == 1


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature holds. ``public_key`` must be a point."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
