"""calimero-client-py from PyPI, unmodified, against two real nodes: every method. See README.md for how to get it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.interop.clients.published import published
from tests.interop.clients.session import STEPS
from tests.interop.clients.stage import stage


@pytest.mark.interop
@pytest.mark.timeout(180)
def test_every_method_of_the_published_client_works(tmp_path: Path) -> None:
    python = os.environ["CALIMERO_CLIENT_PYTHON"]
    with stage(tmp_path) as (nodes, names), published(python, tmp_path) as client:
        assert client.methods == {step.method for step in STEPS}
        for step in STEPS:
            client.take(step, str(nodes[step.on].base_url), names)
