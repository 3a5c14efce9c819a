"""The context secret from a seed, against known values of the reference's generator."""

from __future__ import annotations

import pytest

from node.context.seed import context_secret
from node.crypto import ed25519
from node.errors import InvalidId


@pytest.mark.parametrize(
    ("seed", "secret", "context_id"),
    [
        (
            0,
            "9bf49a6a0755f953811fce125f2683d50429c3bb49e074147e0089a52eae155f",
            "DWCMp31rQoXjsT91Ftk7PKC7qs8qmQqZJdsUwo37p22j",
        ),
        (
            1,
            "3301e8d7e754db2cf57b0a4ca73f253c7053ad2bc5398777ba039b258e59ad9d",
            "ASoRtGx4Gay1BiyciCeaxzJ1cE167R8e3Jw8ymMHekBm",
        ),
    ],
)
def test_secret_and_context_id(seed: int, secret: str, context_id: str) -> None:
    found = context_secret(bytes([seed]) * 32)
    assert found.hex() == secret
    assert str(ed25519.public_key(found)) == context_id


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidId):
        context_secret(b"\x00" * 31)
