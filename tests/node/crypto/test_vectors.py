"""Values that two nodes must agree on; computed from the protocol by independent code."""

from __future__ import annotations

from node.crypto import ed25519
from node.crypto.seal import seal, unseal
from node.crypto.shared import agree
from node.primitives import PrivateKey
from node.storage.delta import Actions, encode_artifact

ONE, TWO = PrivateKey(b"\x01" * 32), PrivateKey(b"\x02" * 32)


def test_challenge_signature() -> None:
    message = b"CALIMERO_KEY_SHARE_CHALLENGE_HANDSHAKE" + b"\x04" * 32
    signature = ed25519.sign(ONE, message)
    assert signature.hex() == (
        "aa31251d610559156d5e67b43e843576538dd09ec73a4b338a73044df614798c"
        "7fa68bd769c7207b9f285c5530b6af5456cfae84f872a83daf57c71e649a9f02"
    )
    ed25519.verify(ed25519.public_key(ONE), message, signature)


def test_shared_key_is_the_same_in_both_directions() -> None:
    expected = "5612509e82825296cbaaae306ffe1088cbbe200de8ba23dad06f67e607f861df"
    assert agree(ONE, ed25519.public_key(TWO)).expose().hex() == expected
    assert agree(TWO, ed25519.public_key(ONE)).expose().hex() == expected


def test_seal_under_a_shared_key() -> None:
    key = agree(ONE, ed25519.public_key(TWO))
    nonce, sealed = seal(key, b"privacy is important", bytes)
    assert nonce == bytes(12)
    assert sealed.hex() == "cc0da0979ef029b765afd593360e6edc24335ad36a56d11a02c3413a064f09afd7c342be"
    assert unseal(key, nonce, sealed) == b"privacy is important"


def test_seal_of_an_artifact_under_a_sender_key() -> None:
    _, sealed = seal(ONE, encode_artifact(Actions()), lambda size: b"\x09" * size)
    assert sealed.hex() == "c40f27cece18a956f03eaef1e697d03acb15e7235c"


def test_blob_request_signature() -> None:
    message = b"\x09" * 32 + b"\x01" * 32 + (1_700_000_000).to_bytes(8, "little")
    assert ed25519.sign(ONE, message).hex() == (
        "081f776bced0b7b183c4ae7b20cafdb00964027dcabcec102b0c8c28962155f4"
        "352484b56d35f3b2e8c3d93a2a400d48e49213cc90a885621685fee99716c601"
    )
