"""Settings of the node as the network worker reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.config.model import BlobStore, DataStore, NodeConfig, Server, Swarm, Sync
from node.errors import ConfigError
from workers.network.config import _dialable, from_node


def test_a_node_without_a_key_is_told_what_to_do(tmp_path: Path) -> None:
    listen = Swarm(listen=()), Server(listen=())
    paths = DataStore(path="d"), BlobStore(path="b")
    config = NodeConfig(swarm=listen[0], server=listen[1], datastore=paths[0], blobstore=paths[1], sync=Sync())
    with pytest.raises(ConfigError, match="initialise it first"):
        from_node(config, tmp_path)


def test_quic_addresses_are_left_out_and_nonsense_is_an_error() -> None:
    assert _dialable(["/ip4/0.0.0.0/tcp/2428", "/ip4/0.0.0.0/udp/2428/quic-v1"]) == ("/ip4/0.0.0.0/tcp/2428",)
    with pytest.raises(ConfigError):
        _dialable(["localhost:2428"])
