"""The text of a new file, and changes that keep the rest."""

from __future__ import annotations

import json
import tomllib

import pytest

from node.config.identity import check_identity
from node.config.load import load
from node.config.validate import validate
from node.config.write import InitOptions, as_data, initial_config, initial_text, set_values
from node.errors import ConfigError
from tests.node.config.test_load import TEXT


def test_a_new_file_has_merods_tables_and_loads_as_what_was_written() -> None:
    config = initial_config(InitOptions(), bytes)
    validate(config)
    assert config.identity is not None
    check_identity(config.identity)
    text = initial_text(config)
    loaded = load(text, file="f")
    assert loaded.config == config
    assert loaded.warnings == ()
    tree = tomllib.loads(text)
    assert tree["swarm"]["listen"] == [
        "/ip4/0.0.0.0/tcp/2428", "/ip4/0.0.0.0/udp/2428/quic-v1", "/ip6/::/tcp/2428", "/ip6/::/udp/2428/quic-v1",
    ]  # fmt: skip
    assert tree["server"]["listen"] == ["/ip4/127.0.0.1/tcp/2528", "/ip6/::1/tcp/2528"]
    assert tree["discovery"]["rendezvous"]["discovery_interval"] == {"secs": 90, "nanos": 0}
    assert sorted(tree["context"]["config"]["signer"]["self"]["near"]) == ["mainnet", "testnet"]
    assert not {"runtime", "store", "registry", "log", "tee"} & set(tree), "merod would not know them"


def test_options_are_written() -> None:
    options = InitOptions(
        swarm_hosts=("127.0.0.1",),
        swarm_port=0,
        server_port=2600,
        boot_nodes=("/ip4/1.1.1.1/tcp/1/p2p/x",),
        boot_network="ipfs",
        mode="readonly",
        auth_mode="embedded",
        auth_storage="memory",
        registry_listen="/ip4/127.0.0.1/tcp/2700",
        autonat_probe_interval=7,
        mdns=False,
    )
    config = load(initial_text(initial_config(options, bytes)), file="f").config
    assert config.swarm.listen == ("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1")
    assert config.bootstrap.nodes[0] == "/ip4/1.1.1.1/tcp/1/p2p/x"
    assert len(config.bootstrap.nodes) == 7
    assert config.server.embedded_auth is not None
    assert config.server.embedded_auth.storage.type == "memory"
    assert config.server.embedded_auth.jwt.issuer == "calimero-auth"
    assert config.registry.enabled
    assert config.mode == "readonly"
    assert config.discovery.autonat.probe_interval.secs == 7
    assert not config.discovery.mdns


def test_a_host_that_is_no_address_is_named() -> None:
    with pytest.raises(ConfigError, match="--server-host: 'localhost' is no IP address"):
        initial_config(InitOptions(server_hosts=("localhost",)), bytes)


def test_changes_keep_comments_and_order() -> None:
    text = "# mine\n" + TEXT.replace("7000", "7000 # why")
    changed = set_values(
        text, ["sync.interval_ms=9000", "runtime.workers=2", "server.listen=/ip4/127.0.0.1/tcp/1"], file="f"
    )
    assert changed.startswith("# mine\n")
    assert "interval_ms = 9000 # why" in changed
    config = load(changed, file="f").config
    assert (config.runtime.workers, config.server.listen) == (2, ("/ip4/127.0.0.1/tcp/1",))


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("sync.intervl_ms=1", "there is no setting sync.intervl_ms; did you mean sync.interval_ms?"),
        ("sync.interval_ms", "is no assignment; write KEY=VALUE"),
        ("=1", "is no assignment"),
        ("sync.interval_ms=soon", "'soon' is no value of this setting"),
        ("mode=fast", "mode: Invalid enum value 'fast'"),
        ("sync.interval_ms=1.5", "sync.interval_ms: Expected `int`, got `float`"),
    ],
)
def test_a_wrong_change_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        set_values(TEXT, ["runtime.workers=2", assignment], file="f")
    assert message in str(caught.value)


def test_a_broken_file_is_named() -> None:
    with pytest.raises(ConfigError, match="f is not valid TOML"):
        set_values("[sync", ["mode=standard"], file="f")


def test_what_is_shown_has_no_secrets() -> None:
    config = initial_config(InitOptions(), bytes)
    text = json.dumps(as_data(config))
    assert config.identity is not None
    assert config.identity.peer_id in text
    assert config.identity.keypair not in text
    for account in config.context.config.signer.local.near.values() if config.context.config.signer.local else ():
        assert account.secret_key not in text
        assert account.public_key in text


def test_a_coordinator_asks_its_own_registry() -> None:
    listen = "/ip4/127.0.0.1/tcp/2700"
    own = initial_config(InitOptions(registry_listen=listen), bytes)
    assert own.context.config.signer.relayer.url == "http://127.0.0.1:2700"
    told = initial_config(InitOptions(registry_listen=listen, relayer_url="http://127.0.0.1:9"), bytes)
    assert told.context.config.signer.relayer.url == "http://127.0.0.1:9"
