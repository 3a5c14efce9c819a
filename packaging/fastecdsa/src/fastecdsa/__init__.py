"""The names of fastecdsa that py-libp2p imports, without the ECDSA behind them.

Nothing here computes: an operation on a curve raises :class:`EcdsaUnavailable`. No function may return a key, a point or
a verdict on a signature.
"""


class EcdsaUnavailable(ValueError):
    """An ECDSA key was met. A ``ValueError``, because it is the other side's key that does not fit."""

    def __init__(self, operation: str) -> None:
        super().__init__(
            f"{operation}: this environment has no ECDSA, use an Ed25519 key; for ECDSA install the real fastecdsa, which needs a C compiler"
        )
