"""A join that is disturbed ends in a correct member or in a clean refusal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.workers.sync import joins


@pytest.mark.parametrize("name", joins.CASES)
def test_a_disturbed_join_ends_well(name: str, tmp_path: Path) -> None:
    async def body() -> None:
        async with joins.scene(tmp_path) as running:
            running.deltas = 50
            assert (await joins.trial(running, joins.CASES[name]))["outcome"] in ("member", "refused")

    asyncio.run(body())


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", joins.CASES)
def test_fifty_disturbed_joins_end_well(name: str) -> None:
    async def body() -> list[dict[str, object]]:
        return [row async for row in joins.trials(name, joins.TRIALS)]

    assert [row for row in asyncio.run(body()) if row["outcome"] == "wrong"] == []
