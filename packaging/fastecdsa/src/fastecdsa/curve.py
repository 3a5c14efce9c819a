"""Curves by name; no arithmetic."""


class Curve:
    """The name of a curve."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


P256 = Curve("P256")
