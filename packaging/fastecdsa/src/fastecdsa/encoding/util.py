"""Lengths of integers: plain arithmetic, so it works."""


def int_bytelen(x: int) -> int:
    """Bytes needed for ``x``, at least one."""
    return max(1, (x.bit_length() + 7) // 8)
