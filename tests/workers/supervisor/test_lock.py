"""The lock of a node directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workers.supervisor.lock import Holder, NodeLock, NodeRunning, read_holder


def test_the_holder_is_named_and_gone_after_release(tmp_path: Path) -> None:
    assert read_holder(tmp_path) is None
    lock = NodeLock(tmp_path).acquire()
    lock.write(Holder(os.getpid(), 5.0, "ready", {"workers": {"sync": "x" * 500}}))
    lock.write(Holder(os.getpid(), 5.0, "stopping", {}))
    assert read_holder(tmp_path) == Holder(os.getpid(), 5.0, "stopping", {})
    with pytest.raises(NodeRunning, match=f"already running as process {os.getpid()}"):
        NodeLock(tmp_path).acquire()
    lock.release()
    assert read_holder(tmp_path) is None
    NodeLock(tmp_path).acquire().release()


def test_a_holder_that_says_nothing_is_still_a_holder(tmp_path: Path) -> None:
    lock = NodeLock(tmp_path).acquire()
    assert read_holder(tmp_path) == Holder(0)
    with pytest.raises(NodeRunning, match="as another process"):
        NodeLock(tmp_path).acquire()
    lock.release()


def test_old_text_without_a_lock_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "node.lock").write_text('{"pid": 1, "started": 0, "state": "ready", "details": {}}')
    assert read_holder(tmp_path) is None
    assert (tmp_path / "node.lock").stat().st_mode
