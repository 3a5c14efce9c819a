"""Text of config.toml: a new file as ``init`` makes it, and changes that keep comments and order. No file is touched.

core 0.10.0: crates/merod/src/cli/init.rs, config.rs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
import tomlkit
from tomlkit.exceptions import TOMLKitError

from node.config.address import parse_listen
from node.config.identity import RandomBytes, new_account, new_identity
from node.config.load import all_paths, kind_at, load, parse_value, suggestion
from node.config.model import (
    DEFAULT_RELAYER,
    DEV_BOOT_NODES,
    SERVER_PORT,
    SWARM_PORT,
    AuthStorage,
    Autonat,
    BlobStore,
    Bootstrap,
    ContextClients,
    Contexts,
    DataStore,
    Discovery,
    Duration,
    EmbeddedAuth,
    Jwt,
    LocalSigner,
    Module,
    NodeConfig,
    Registry,
    Relay,
    RelayerSigner,
    Rendezvous,
    Server,
    Signer,
    Swarm,
    Sync,
    WebSocket,
)
from node.errors import ConfigError

__all__ = ["InitOptions", "as_data", "initial_config", "initial_text", "set_values"]

IPFS_BOOT_NODES: Final = (
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmQCU2EcMqAqQPR2i9bChDtGNJchTbq5TbXJJ16u19uLTa",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb",
    "/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt",
    "/ip4/104.131.131.82/tcp/4001/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ",
    "/ip4/104.131.131.82/udp/4001/quic-v1/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ",
)
BOOT_NETWORKS: Final = {"calimero-dev": DEV_BOOT_NODES, "ipfs": IPFS_BOOT_NODES, "none": ()}
NEAR_NETWORKS: Final = {"mainnet": "https://rpc.mainnet.near.org", "testnet": "https://rpc.testnet.near.org"}

MASK: Final = "…"
SECRETS: Final = frozenset({"keypair", "secret_key", "mock_auth_header_value"})

HEADER: Final = (
    "Settings of one node. Change them here or with `calimero node config KEY=VALUE`.\n"
    "The identity is the node's private key: keep this file to yourself."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOptions:
    """What ``init`` may be told; the defaults are merod's. ``registry_listen`` is ours and makes a coordinator."""

    swarm_hosts: tuple[str, ...] = ("0.0.0.0", "::")  # noqa: S104 - a node is there to be reached
    swarm_port: int = SWARM_PORT
    server_hosts: tuple[str, ...] = ("127.0.0.1", "::1")
    server_port: int = SERVER_PORT
    boot_nodes: tuple[str, ...] = ()
    boot_network: Literal["calimero-dev", "ipfs", "none"] = "calimero-dev"
    relayer_url: str = DEFAULT_RELAYER
    mdns: bool = True
    advertise_address: bool = False
    rendezvous_registrations_limit: int = 3
    relay_registrations_limit: int = 3
    autonat_probe_interval: int = 10
    autonat_max_candidates: int = 5
    mode: Literal["standard", "readonly"] = "standard"
    auth_mode: Literal["proxy", "embedded"] = "proxy"
    auth_storage: Literal["persistent", "memory"] = "persistent"
    auth_storage_path: str = "auth"
    registry_listen: str | None = None


def initial_config(options: InitOptions, random_bytes: RandomBytes) -> NodeConfig:
    """The settings of a new node with fresh keys. Raises :class:`ConfigError` for a host that is no address."""
    return NodeConfig(
        identity=new_identity(random_bytes),
        mode=options.mode,
        swarm=Swarm(listen=tuple(_swarm_addresses(options))),
        server=_server(options),
        bootstrap=Bootstrap(nodes=(*options.boot_nodes, *BOOT_NETWORKS[options.boot_network])),
        discovery=_discovery(options),
        sync=Sync(),
        datastore=DataStore(path="data"),
        blobstore=BlobStore(path="blobs"),
        context=Contexts(config=ContextClients(signer=_signer(options, random_bytes))),
        registry=_registry(options),
    )


def initial_text(config: NodeConfig) -> str:
    """A new file; tables of ours are written only where they differ from their defaults."""
    document = tomlkit.document()
    for line in HEADER.split("\n"):
        document.add(tomlkit.comment(line))
    own = {"runtime", "store", "registry", "log"}
    defaults = {field.name: field.default for field in msgspec.structs.fields(NodeConfig)}
    for name, value in _plain(config).items():
        if not (name in own and getattr(config, name) == defaults[name]):
            document.add(name, tomlkit.item(value))
    return tomlkit.dumps(document)


def set_values(text: str, assignments: Iterable[str], *, file: str) -> str:
    """The text with every ``KEY=VALUE`` applied; comments stay. Raises :class:`ConfigError`, then nothing counts."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from error
    for assignment in assignments:
        _assign(document, assignment)
    changed = tomlkit.dumps(document)
    load(changed, file=file)
    return changed


def as_data(config: NodeConfig) -> dict[str, Any]:
    """The settings as JSON values, secrets masked."""
    masked = _masked(_plain(config))
    assert isinstance(masked, dict)
    return masked


# -- inside


def _assign(document: tomlkit.TOMLDocument, assignment: str) -> None:
    path, equals, value = assignment.partition("=")
    path = path.strip()
    if not equals or not path:
        raise ConfigError(f"{assignment!r} is no assignment; write KEY=VALUE, e.g. sync.interval_ms=5000")
    kind = kind_at(path)
    if kind is None:
        raise ConfigError(f"there is no setting {path}{suggestion(path, all_paths())}")
    steps = path.split(".")
    table: Any = document
    for step in steps[:-1]:
        table = table.setdefault(step, tomlkit.table())
    table[steps[-1]] = parse_value(value.strip(), kind, path)


def _plain(config: NodeConfig) -> dict[str, Any]:
    plain = _without_none(msgspec.to_builtins(config))
    assert isinstance(plain, dict)
    return plain


def _without_none(value: Any) -> Any:
    """TOML has no null: what is absent is left out."""
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list | tuple) else value


def _masked(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _masked(item, name) for name, item in value.items()}
    return MASK if key in SECRETS else value


def _family(host: str, option: str) -> str:
    try:
        return f"ip{ipaddress.ip_address(host).version}"
    except ValueError as error:
        raise ConfigError(f"{option}: {host!r} is no IP address") from error


def _swarm_addresses(options: InitOptions) -> Iterable[str]:
    for host in options.swarm_hosts:
        start = f"/{_family(host, '--swarm-host')}/{host}"
        yield f"{start}/tcp/{options.swarm_port}"
        yield f"{start}/udp/{options.swarm_port}/quic-v1"


def _server(options: InitOptions) -> Server:
    listen = (f"/{_family(host, '--server-host')}/{host}/tcp/{options.server_port}" for host in options.server_hosts)
    storage = AuthStorage(
        type="rocksdb" if options.auth_storage == "persistent" else "memory", path=options.auth_storage_path
    )
    embedded = options.auth_mode == "embedded"
    return Server(
        listen=tuple(listen),
        admin=Module(),
        jsonrpc=Module(),
        websocket=WebSocket(),
        sse=Module(),
        auth_mode=options.auth_mode,
        embedded_auth=EmbeddedAuth(jwt=Jwt(issuer="calimero-auth"), storage=storage) if embedded else None,
    )


def _discovery(options: InitOptions) -> Discovery:
    return Discovery(
        mdns=options.mdns,
        advertise_address=options.advertise_address,
        rendezvous=Rendezvous(registrations_limit=options.rendezvous_registrations_limit),
        relay=Relay(registrations_limit=options.relay_registrations_limit),
        autonat=Autonat(
            max_candidates=options.autonat_max_candidates,
            probe_interval=Duration(secs=options.autonat_probe_interval),
        ),
    )


def _signer(options: InitOptions, random_bytes: RandomBytes) -> Signer:
    accounts = {name: new_account(url, random_bytes) for name, url in NEAR_NETWORKS.items()}
    return Signer(relayer=RelayerSigner(url=_relayer_url(options)), local=LocalSigner(near=accounts))


def _relayer_url(options: InitOptions) -> str:
    """A coordinator asks its own registry unless told another: the public default must not hear of its contexts."""
    if options.registry_listen is None or options.relayer_url != DEFAULT_RELAYER:
        return options.relayer_url
    return parse_listen(options.registry_listen, "registry.listen").url


def _registry(options: InitOptions) -> Registry:
    if options.registry_listen is None:
        return Registry()
    return Registry(enabled=True, listen=options.registry_listen)
