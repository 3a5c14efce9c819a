"""The context secret from a seed: the first block of the ChaCha12 keystream.

The reference draws it from Rust's ``StdRng`` (rand 0.8): key = seed, 64-bit block counter 0, 64-bit nonce 0.
"""

from __future__ import annotations

import struct
from typing import Final

from node.primitives import PrivateKey

ROUNDS: Final = 12
_CONSTANTS: Final = struct.unpack("<4I", b"expand 32-byte k")
_MASK: Final = 0xFFFFFFFF
_COLUMNS: Final = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONALS: Final = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def context_secret(seed: bytes) -> PrivateKey:
    """The context secret for a 32-byte seed. Raises :class:`InvalidId` for another length."""
    key = struct.unpack("<8I", PrivateKey(seed))
    start = [*_CONSTANTS, *key, 0, 0, 0, 0]
    state = list(start)
    for _ in range(ROUNDS // 2):
        for columns in (_COLUMNS, _DIAGONALS):
            for quarter in columns:
                _quarter_round(state, *quarter)
    words = [(mixed + original) & _MASK for mixed, original in zip(state, start, strict=True)]
    return PrivateKey(struct.pack("<8I", *words[:8]))


def _quarter_round(s: list[int], a: int, b: int, c: int, d: int) -> None:
    for left, right in ((16, 12), (8, 7)):
        s[a] = (s[a] + s[b]) & _MASK
        s[d] = _rotate(s[d] ^ s[a], left)
        s[c] = (s[c] + s[d]) & _MASK
        s[b] = _rotate(s[b] ^ s[c], right)


def _rotate(word: int, bits: int) -> int:
    return ((word << bits) & _MASK) | (word >> (32 - bits))
