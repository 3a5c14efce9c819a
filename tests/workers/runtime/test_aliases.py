"""Alias substitution, with the reference's rule that the search never goes back."""

from __future__ import annotations

import pytest

from node.errors import AliasResolutionFailed
from node.primitives import ContextId, Hash, PublicKey
from workers.runtime.aliases import substitute

C = ContextId(b"\xc1" * 32)
A, B = PublicKey(b"\1" * 32), PublicKey(b"\2" * 32)


class Rows:
    """Two aliases of one context."""

    def alias(self, kind: int, scope: ContextId, name: str) -> Hash | None:
        assert (kind, scope) == (2, C)
        return {"a": Hash(A), "b": Hash(B)}.get(name)


def test_every_occurrence_is_replaced() -> None:
    assert substitute(b'["{a}","{a}"]', ["a"], C, Rows()) == f'["{A}","{A}"]'.encode()


def test_the_search_does_not_go_back() -> None:
    assert substitute(b"{b}{a}{b}", ["a", "b"], C, Rows()) == b"{b}" + f"{A}{B}".encode()
    assert substitute(b"{b}{b}", ["a", "b"], C, Rows()) == f"{B}{B}".encode()


def test_a_key_stands_for_itself() -> None:
    assert substitute(f"{{{A}}}".encode(), [str(A)], C, Rows()) == str(A).encode()


@pytest.mark.parametrize("name", ["nobody", "", "x" * 60, "a\0b"])
def test_a_name_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(AliasResolutionFailed):
        substitute(b"{}", [name], C, Rows())
