"""Seals: they open with their key alone, nonces come from inside, a chain uses each nonce once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.crypto.seal import LAST, NONCE, OpeningChain, SealingChain, seal, unseal
from node.crypto.shared import SharedKey
from node.errors import CryptoError, SealError
from node.primitives import PrivateKey

KEY = SharedKey(b"k" * 32)


def counting() -> Callable[[int], bytes]:
    """A random source whose answers are told apart."""
    drawn = iter(range(1, 1000))
    return lambda size: next(drawn).to_bytes(size, "big")


def test_a_seal_opens_with_its_key() -> None:
    nonce, sealed = seal(KEY, b"text", counting())
    assert unseal(KEY, nonce, sealed) == b"text"
    assert len(sealed) == len(b"text") + 16


def test_defect_a9_every_seal_has_a_nonce_of_its_own() -> None:
    draw = counting()
    nonces = {seal(KEY, b"text", draw)[0] for _ in range(50)}
    assert len(nonces) == 50


def test_what_does_not_belong_together_is_refused() -> None:
    nonce, sealed = seal(KEY, b"text", counting())
    refused: list[tuple[SharedKey | PrivateKey, bytes, bytes]] = [
        (SharedKey(b"x" * 32), nonce, sealed),
        (PrivateKey(b"x" * 32), nonce, sealed),
        (KEY, bytes(NONCE), sealed),
        (KEY, nonce, sealed[:-1]),
        (KEY, nonce, bytes([sealed[0] ^ 1]) + sealed[1:]),
        (KEY, nonce[:-1], sealed),
        (KEY, nonce, b""),
    ]
    for key, other_nonce, other in refused:
        with pytest.raises(SealError):
            unseal(key, other_nonce, other)


def test_a_chain_opens_message_by_message() -> None:
    sender = SealingChain(KEY, counting())
    receiver = OpeningChain(KEY, sender.announce())
    for text in (b"one", b"two", b"three"):
        announced = sender.announce(last=text == b"three")
        assert receiver.open(sender.seal(text)) == text
        receiver.follow(announced)
    with pytest.raises(SealError, match="announced as finished"):
        receiver.open(bytes(20))


def test_a_chain_never_uses_a_nonce_twice() -> None:
    sender = SealingChain(KEY, counting())
    with pytest.raises(CryptoError, match="no nonce is left"):
        sender.seal(b"before any was announced")
    sender.announce()
    with pytest.raises(CryptoError, match="no nonce is left"):
        sender.seal(b"without a next one")
    assert sender.announce(last=True) == LAST
    with pytest.raises(CryptoError, match="announced twice"):
        sender.announce()
    sender.seal(b"the last")
    sender.announce()
    with pytest.raises(CryptoError, match="no nonce is left"):
        sender.seal(b"behind the last")
