"""merobox 0.3.7, unmodified, on three nodes of ours. See README.md for how to get it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from tests.interop.files import served
from tests.interop.merobox.nodes import nodes
from tests.interop.merobox.pointed import count, pointed, run

ROOT = Path(__file__).parents[3]
FILES = sorted(Path(__file__).with_name("workflows").glob("*.yml"))


@pytest.mark.interop
@pytest.mark.timeout(600)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_passes_on_our_nodes(file: Path, tmp_path: Path) -> None:
    merobox = os.environ["MEROBOX"]
    workflow = yaml.safe_load(file.read_text())
    with served(ROOT) as address, nodes(tmp_path, count(workflow)) as urls:
        outcome = run(merobox, pointed(workflow, urls, address), tmp_path, ROOT)
    assert outcome.code == 0, outcome.text
    assert outcome.passed == outcome.begun == len(workflow["steps"]), outcome.text
