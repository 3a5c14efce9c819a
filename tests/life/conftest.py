from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.life.apps import LIMIT
from tests.networks import kept_network


@pytest.fixture(scope="session")
def urls() -> Iterator[list[str]]:
    """Addresses of two whole nodes."""
    with kept_network(2, LIMIT) as found:
        yield found
