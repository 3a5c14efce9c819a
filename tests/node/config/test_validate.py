"""Every rule of the settings at its edge."""

from __future__ import annotations

import pytest

from node.config.load import load
from node.config.model import NodeConfig
from node.config.validate import listeners, validate
from node.errors import ConfigError
from tests.node.config.test_load import TEXT


def with_flags(*flags: str) -> NodeConfig:
    return load(TEXT, file="f", flags=dict(flag.split("=", 1) for flag in flags)).config


AUTH_ON_2528 = "server.embedded_auth.listen_addr=127.0.0.1:2528"
EMBEDDED = ("server.embedded_auth={ jwt = { issuer = 'x' } }", "server.auth_mode=embedded")


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        (["sync.timeout_ms=1000"], ["sync.timeout_ms=999"], "is 999; it must be from 1000 to 300000 ms"),
        (["sync.timeout_ms=300000"], ["sync.timeout_ms=300001"], "sync.timeout_ms"),
        (["sync.interval_ms=100"], ["sync.interval_ms=99"], "sync.interval_ms"),
        (["sync.frequency_ms=3600000"], ["sync.frequency_ms=3600001"], "sync.frequency_ms"),
        (["discovery.rendezvous.registrations_limit=100"], ["discovery.rendezvous.registrations_limit=101"], "rendez"),
        (["discovery.relay.registrations_limit=1"], ["discovery.relay.registrations_limit=0"], "relay.registr"),
        (["discovery.rendezvous.discovery_rpm=0.1"], ["discovery.rendezvous.discovery_rpm=0.0"], "positive and finite"),
        ([], ["discovery.rendezvous.discovery_rpm=inf"], "positive and finite"),
        ([], ["discovery.rendezvous.discovery_interval={ secs = 0 }"], "discovery_interval is 0"),
        ([], ["discovery.autonat.max_candidates=0"], "max_candidates is 0"),
        (["server.websocket={ ping_interval_secs = 0 }"], ["server.websocket={ ping_interval_secs = 4 }"], "at least"),
        (
            ["server.websocket={ ping_interval_secs = 5, pong_timeout_secs = 4 }"],
            ["server.websocket={ ping_interval_secs = 5, pong_timeout_secs = 5 }"],
            r"pong_timeout_secs \(5\) must be less",
        ),
        (EMBEDDED, ["server.auth_mode=embedded"], "Auth mode is set to 'embedded' but no embedded_auth configuration"),
        ([], [*EMBEDDED, "server.embedded_auth.jwt.issuer="], "issuer is empty"),
        ([], [*EMBEDDED, "server.embedded_auth.jwt.access_token_expiry=0"], "must be positive"),
        ([], [*EMBEDDED, "server.embedded_auth.jwt.refresh_token_expiry=3600"], "is not less than"),
        ([], [*EMBEDDED, "server.embedded_auth.user_password={ min_password_length = 0 }"], "must be positive"),
        ([], [*EMBEDDED, "server.embedded_auth.user_password={ max_password_length = 8 }"], "must be more than"),
        (["runtime.workers=8"], ["runtime.workers=9"], "runtime.workers is 9; it must be from 1 to 8"),
        ([], ["runtime.deadline_ms=0"], "runtime.deadline_ms"),
        ([], ["runtime.fuel=-1"], "runtime.fuel"),
        (["tee={ kms = { phala = { url = 'x' } } }"], ["tee={}"], "tee needs a key provider"),
        (["bootstrap.nodes=/ip4/1.1.1.1/tcp/1/p2p/x"], ["bootstrap.nodes=/ip4/1.1.1.1/tcp/1"], "must end in /p2p/"),
        ([], ["server.listen=/ip4/127.0.0.1/tcp/2428"], "swarm.listen and server.listen both use tcp port 2428"),
        ([], ["registry.enabled=true", "registry.listen=/ip4/127.0.0.1/tcp/2528"], "registry.listen both use"),
        (["registry.listen=/ip4/127.0.0.1/tcp/2528"], [*EMBEDDED, AUTH_ON_2528], "both"),
        ([], ["swarm.listen=/ip4/1.1.1.1/tcp/1,/ip4/1.1.1.1/tcp/1"], "twice"),
    ],
)  # fmt: skip
def test_rules_at_their_edges(good: list[str], bad: list[str], message: str) -> None:
    validate(with_flags(*good))
    with pytest.raises(ConfigError, match=message) as caught:
        validate(with_flags(*bad))
    assert str(caught.value).startswith("Configuration validation failed - please fix the configuration and try again")


def test_listeners_name_their_setting() -> None:
    config = with_flags("registry.enabled=true")
    assert [listen.source for listen in listeners(config)] == ["swarm.listen", "server.listen", "registry.listen"]
