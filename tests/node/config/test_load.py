"""Settings from text, environment and flags."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config.load import all_paths, kind_at, load
from node.config.model import NodeConfig
from node.errors import ConfigError

TEXT = """
[swarm]
listen = ["/ip4/0.0.0.0/tcp/2428"]
[server]
listen = ["/ip4/127.0.0.1/tcp/2528"]
[sync]
interval_ms = 7000
[datastore]
path = "data"
[blobstore]
path = "blobs"
"""


def config(text: str = TEXT, **environment: str) -> NodeConfig:
    return load(text, file="config.toml", environment=environment).config


def test_defaults_are_merods() -> None:
    loaded = config()
    assert (loaded.sync.timeout_ms, loaded.sync.interval_ms, loaded.sync.frequency_ms) == (30000, 7000, 10000)
    assert loaded.mode == "standard"
    assert loaded.identity is None
    assert loaded.discovery.mdns
    assert loaded.discovery.rendezvous.discovery_interval.seconds == 90
    assert loaded.context.config.near.contract_id == "v0-6.config.calimero-context.testnet"
    assert loaded.server.admin is None, "a missing table switches the module off"


def test_precedence_is_file_then_environment_then_flags() -> None:
    environment = {"CALIMERO_SYNC__INTERVAL_MS": "8000", "CALIMERO_RUNTIME__WORKERS": "2", "HOME": "/x"}
    loaded = load(TEXT, file="f", environment=environment, flags={"runtime.workers": "3"})
    assert loaded.config.sync.interval_ms == 8000
    assert loaded.config.runtime.workers == 3
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("CALIMERO_SWARM__LISTEN", "/ip4/1.1.1.1/tcp/1,/ip4/2.2.2.2/tcp/2", "swarm.listen", 2),
        ("CALIMERO_SWARM__LISTEN", '["/ip4/1.1.1.1/tcp/1"]', "swarm.listen", 1),
        ("CALIMERO_BOOTSTRAP__NODES", "", "bootstrap.nodes", 0),
    ],
)
def test_lists_may_be_written_with_commas(name: str, value: str, path: str, expected: int) -> None:
    loaded: object = config(**{name: value})
    for step in path.split("."):
        loaded = getattr(loaded, step)
    assert isinstance(loaded, tuple)
    assert len(loaded) == expected


def test_text_needs_no_quotes_and_may_have_them() -> None:
    assert config(CALIMERO_MODE="readonly").mode == "readonly"
    assert config(CALIMERO_DATASTORE__PATH='"my data"').datastore.path == "my data"
    assert config(CALIMERO_LOG="debug,libp2p=warn").log.filter == "debug,libp2p=warn"
    assert config(CALIMERO_DISCOVERY__MDNS="false").discovery.mdns is False


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("[sync]\nintervl_ms = 1", "unknown key sync.intervl_ms; did you mean sync.interval_ms?"),
        ("[server.websocket]\nping = 1", "unknown key server.websocket.ping; it is not used"),
        ("[runtim]\nworkers = 1", "unknown key runtim; did you mean runtime?"),
        (
            "[context.config.signer.self.near.x]\nrpc_url='a'\naccount_id='b'\npublic_key='c'\nsecret_key='d'\nkey='e'",
            "unknown key context.config.signer.self.near.x.key",
        ),
    ],
)
def test_unknown_keys_are_named_with_the_nearest_known(text: str, warning: str) -> None:
    base = TEXT.replace("[sync]\ninterval_ms = 7000\n", "" if text.startswith("[sync]") else "[sync]\n")
    loaded = load(f"{base}{text}\n", file="config.toml")
    assert len(loaded.warnings) == 1
    assert f"config.toml: {warning}" in loaded.warnings[0]


def test_unknown_variables_and_flags_are_named() -> None:
    loaded = load(
        TEXT,
        file="f",
        environment={"CALIMERO_RUNTIM__WORKERS": "2", "CALIMERO_HOME": "/x", "CALIMERO_NODE": "http://x"},
        flags={"sync.intervall_ms": "1"},
    )
    assert loaded.warnings == (
        (
            "environment variable CALIMERO_RUNTIM__WORKERS is not used: there is no setting runtim.workers; "
            "did you mean runtime.workers?"
        ),
        "setting sync.intervall_ms is not used: there is no setting sync.intervall_ms; did you mean sync.interval_ms?",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[sync", r"config\.toml is not valid TOML: Expected"),
        (TEXT.replace("7000", '"soon"'), "sync.interval_ms: Expected `int`, got `str`"),
        (TEXT.replace("[swarm]\nlisten", "[swarm]\nlisen"), "swarm: Object missing required field `listen`"),
        ("", "missing required field"),
    ],
)
def test_what_cannot_be_used_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(text, file="config.toml")


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(ConfigError, match="environment variable CALIMERO_RUNTIME__WORKERS: 'many' is no value"):
        config(CALIMERO_RUNTIME__WORKERS="many")
    with pytest.raises(ConfigError, match="lies below a value that is no table"):
        load("sync = 3", file="f", flags={"sync.interval_ms": "1"})


def test_every_path_has_a_type_and_settings_travel_between_processes() -> None:
    assert all(kind_at(path) is not None for path in all_paths())
    assert {"sync.timeout_ms", "identity.keypair", "server.embedded_auth.jwt.issuer"} <= set(all_paths())
    assert kind_at("sync.nothing") is None
    assert kind_at("context.config.signer.self.near.mainnet.rpc_url") is str
    loaded = config()
    assert pickle.loads(pickle.dumps(loaded)) == loaded


@given(st.text(max_size=200))
def test_any_text_loads_or_is_refused(text: str) -> None:
    try:
        load(text, file="f")
    except ConfigError:
        return


@given(st.sampled_from(all_paths()), st.text(max_size=30))
def test_any_value_of_any_setting_is_taken_or_refused(path: str, value: str) -> None:
    try:
        load(TEXT, file="f", flags={path: value})
    except ConfigError:
        return
