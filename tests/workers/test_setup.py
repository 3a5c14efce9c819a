"""A node directory on disk: private, whole after every change, untouched after every refusal."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from node.errors import ConfigError
from workers.home import node_directory, read_config
from workers.setup import InitOptions, change_config, init, write_privately
from workers.supervisor.lock import NodeLock, NodeRunning

OPTIONS = InitOptions(boot_network="none")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_node_is_private_and_parents_are_made(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        made = init(tmp_path / "deep" / "home" / "a", OPTIONS)
    finally:
        os.umask(old)
    assert made.created
    assert mode(made.path) == 0o700
    assert mode(made.path.parent) == 0o700
    assert mode(made.path / "config.toml") == 0o600
    assert [file.name for file in made.path.iterdir()] == ["config.toml"]


def test_an_existing_node_stays_and_force_makes_it_anew(tmp_path: Path) -> None:
    first = init(tmp_path / "a", OPTIONS)
    (first.path / "data").mkdir()
    again = init(tmp_path / "a", OPTIONS)
    assert (again.created, again.peer_id) == (False, first.peer_id)
    forced = init(tmp_path / "a", OPTIONS, force=True)
    assert forced.created
    assert forced.peer_id != first.peer_id
    assert not (forced.path / "data").exists()


def test_force_does_not_delete_a_running_node_or_follow_a_link(tmp_path: Path) -> None:
    made = init(tmp_path / "a", OPTIONS)
    with NodeLock(made.path).acquire(), pytest.raises(NodeRunning):
        init(made.path, OPTIONS, force=True)
    assert (made.path / "config.toml").exists()
    (tmp_path / "link").symlink_to(made.path)
    with pytest.raises(ConfigError, match="is a symbolic link"):
        init(tmp_path / "link", OPTIONS, force=True)


def test_a_broken_file_needs_force(tmp_path: Path) -> None:
    made = init(tmp_path / "a", OPTIONS)
    (made.path / "config.toml").write_text("[sync")
    with pytest.raises(ConfigError, match=r"Failed to load existing configuration: .*--force"):
        init(made.path, OPTIONS)
    assert init(made.path, OPTIONS, force=True).created


def test_a_refused_init_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both use tcp port 2428"):
        init(tmp_path / "a", InitOptions(server_port=2428, server_hosts=("0.0.0.0",)))
    assert list(tmp_path.iterdir()) == []


def test_a_refused_change_leaves_the_file(tmp_path: Path) -> None:
    made = init(tmp_path / "a", OPTIONS)
    before = (made.path / "config.toml").read_bytes()
    for assignment in ("sync.interval_ms=5", "sync.x=1", "mode=fast"):
        with pytest.raises(ConfigError):
            change_config(made.path, [assignment])
    assert (made.path / "config.toml").read_bytes() == before
    change_config(made.path, ["sync.interval_ms=5000"])
    assert read_config(made.path, {}, {}).config.sync.interval_ms == 5000
    assert mode(made.path / "config.toml") == 0o600
    assert len(list(made.path.iterdir())) == 1


def test_a_write_that_fails_keeps_the_old_text(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_privately(file, "new \ud800")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b"])
def test_names_that_leave_the_home_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no name for a node"):
        node_directory(tmp_path, name)


def test_no_node_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Node is not initialized in .*calimero node init"):
        read_config(tmp_path, {}, {})
