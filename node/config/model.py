"""Every setting of a node with its type and default, in the layout of merod's config.toml.

Tables that merod does not have are ours: ``runtime``, ``store``, ``registry``, ``log``. A field that has no default is
required in the file. The structs are plain data: they travel to worker processes as they are.
core 0.10.0: crates/config/src/lib.rs, crates/server/src/config.rs, crates/merod/src/cli/init.rs.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

__all__ = ["NodeConfig"]

SWARM_PORT: Final = 2428
SERVER_PORT: Final = 2528

DEV_BOOT_NODES: Final = (
    "/ip4/63.181.86.34/udp/4001/quic-v1/p2p/12D3KooWR5V4zmisVtVdGE6i8jfFwtgRNq5t8eDGxfckKuhXu7Eh",
    "/ip4/63.181.86.34/tcp/4001/p2p/12D3KooWR5V4zmisVtVdGE6i8jfFwtgRNq5t8eDGxfckKuhXu7Eh",
)
"""core 0.10.0: crates/network/primitives/src/config.rs, the network ``calimero-dev``."""

DEFAULT_RELAYER: Final = "http://63.179.161.75:63529"
DEFAULT_CONTRACT: Final = "v0-6.config.calimero-context.testnet"
RENDEZVOUS_NAMESPACE: Final = "/calimero/devnet/global"
INVITE_TOPIC: Final = "mero_specialized_node_invites"


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the file."""


class Duration(Section, frozen=True):
    """A length of time as the reference writes it: ``{ secs = 90, nanos = 0 }``."""

    secs: int
    nanos: int = 0

    @property
    def seconds(self) -> float:
        return self.secs + self.nanos / 1e9


class Identity(Section, frozen=True):
    """The libp2p key of the node: base58 of its protobuf form, and the id derived from it."""

    peer_id: str
    keypair: str

    def __repr__(self) -> str:
        return f"Identity(peer_id={self.peer_id!r}, keypair=…)"


class Swarm(Section, frozen=True):
    listen: tuple[str, ...]


class Module(Section, frozen=True):
    """A module of the server; a table that is absent switches it off."""

    enabled: bool = True


class WebSocket(Module, frozen=True):
    ping_interval_secs: int = 30
    pong_timeout_secs: int = 10


class Jwt(Section, frozen=True):
    issuer: str
    access_token_expiry: int = 3600
    refresh_token_expiry: int = 2592000


class AuthStorage(Section, frozen=True):
    type: Literal["rocksdb", "memory"] = "rocksdb"
    path: str = "auth"


class Cors(Section, frozen=True):
    allow_all_origins: bool = False
    allowed_origins: tuple[str, ...] = ()
    allowed_methods: tuple[str, ...] = ("GET", "POST", "PUT", "DELETE", "OPTIONS")
    allowed_headers: tuple[str, ...] = ("Authorization", "Content-Type", "Accept")
    exposed_headers: tuple[str, ...] = ()


class Csp(Section, frozen=True):
    enabled: bool = True
    default_src: tuple[str, ...] = ("'self'",)
    script_src: tuple[str, ...] = ("'self'", "'unsafe-inline'", "'unsafe-eval'")
    style_src: tuple[str, ...] = ("'self'", "'unsafe-inline'")
    connect_src: tuple[str, ...] = ("'self'", "http:", "https:", "ws:", "wss:")


class SecurityHeaders(Section, frozen=True):
    enabled: bool = True
    hsts_max_age: int = 31536000
    hsts_include_subdomains: bool = True
    frame_options: str = "DENY"
    content_type_options: str = "nosniff"
    referrer_policy: str = "strict-origin-when-cross-origin"
    csp: Csp = Csp()


class Security(Section, frozen=True):
    max_body_size: int = 1048576
    headers: SecurityHeaders = SecurityHeaders()


class NearAuth(Section, frozen=True):
    network: str = "testnet"
    rpc_url: str = "https://rpc.testnet.near.org"
    wallet_url: str = "https://wallet.testnet.near.org"
    helper_url: str | None = None


class UserPassword(Section, frozen=True):
    min_password_length: int = 8
    max_password_length: int = 128


class Development(Section, frozen=True):
    enable_mock_auth: bool = False
    mock_auth_require_header: bool = False
    mock_auth_header_value: str | None = None


class EmbeddedAuth(Section, frozen=True):
    jwt: Jwt
    listen_addr: str = "127.0.0.1:3001"
    storage: AuthStorage = AuthStorage()
    cors: Cors = Cors()
    security: Security = Security()
    providers: dict[str, bool] = msgspec.field(default_factory=lambda: {"user_password": True})
    near: NearAuth = NearAuth()
    user_password: UserPassword = UserPassword()
    development: Development = Development()


class Server(Section, frozen=True):
    listen: tuple[str, ...]
    admin: Module | None = None
    jsonrpc: Module | None = None
    websocket: WebSocket | None = None
    sse: Module | None = None
    auth_mode: Literal["proxy", "embedded"] = "proxy"
    embedded_auth: EmbeddedAuth | None = None


class Bootstrap(Section, frozen=True):
    nodes: tuple[str, ...] = ()


class Rendezvous(Section, frozen=True):
    namespace: str = RENDEZVOUS_NAMESPACE
    discovery_rpm: float = 0.5
    discovery_interval: Duration = Duration(secs=90)
    registrations_limit: int = 3


class Relay(Section, frozen=True):
    registrations_limit: int = 3


class Autonat(Section, frozen=True):
    max_candidates: int = 5
    probe_interval: Duration = Duration(secs=10)


class Discovery(Section, frozen=True):
    mdns: bool = True
    advertise_address: bool = False
    rendezvous: Rendezvous = Rendezvous()
    relay: Relay = Relay()
    autonat: Autonat = Autonat()


class SpecializedNode(Section, frozen=True):
    invite_topic: str = INVITE_TOPIC
    accept_mock_tee: bool = False


class Sync(Section, frozen=True):
    """Milliseconds: of one session, between two sessions with the same peer, between two rounds."""

    timeout_ms: int = 30000
    interval_ms: int = 5000
    frequency_ms: int = 10000


class DataStore(Section, frozen=True):
    path: str


class BlobStore(Section, frozen=True):
    path: str


class Near(Section, frozen=True):
    """Where and by whom the membership contract is called."""

    signer: Literal["relayer", "self"] = "relayer"
    network: str = "testnet"
    contract_id: str = DEFAULT_CONTRACT


class RelayerSigner(Section, frozen=True):
    url: str


class Account(Section, frozen=True):
    """A NEAR account of the local signer."""

    rpc_url: str
    account_id: str
    public_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Account(account_id={self.account_id!r}, secret_key=…)"


class LocalSigner(Section, frozen=True):
    near: dict[str, Account] = {}


class Signer(Section, frozen=True):
    relayer: RelayerSigner = RelayerSigner(url=DEFAULT_RELAYER)
    local: LocalSigner | None = msgspec.field(default=None, name="self")


class ContextClients(Section, frozen=True):
    near: Near = Near()
    signer: Signer = Signer()


class Contexts(Section, frozen=True):
    config: ContextClients = ContextClients()


class Phala(Section, frozen=True):
    url: str


class Kms(Section, frozen=True):
    phala: Phala | None = None


class Tee(Section, frozen=True):
    kms: Kms = Kms()


class Runtime(Section, frozen=True):
    """Ours. ``workers`` processes own the contexts (at most as many as shards); a call is ended after ``deadline_ms``.

    ``metering`` counts a guest's instructions as fuel; ``fuel`` is what one call may use, 0 for no bound.
    """

    workers: int = 1
    deadline_ms: int = 30000
    metering: bool = False
    fuel: int = 0


class StoreSettings(Section, frozen=True):
    """Ours. ``sync`` waits for the disk at every commit; ``buffered`` survives a killed process, not a power cut.

    ``blob_quota`` is what all blobs together may have, in bytes; 0 for no bound.
    """

    durability: Literal["buffered", "sync"] = "buffered"
    blob_quota: int = 0


class Registry(Section, frozen=True):
    """Ours: the membership registry that this node serves to its peers, in the relayer's protocol."""

    enabled: bool = False
    listen: str = "/ip4/127.0.0.1/tcp/2628"


class Log(Section, frozen=True):
    """Ours. ``filter`` in the form of RUST_LOG; ``format`` auto is human on a terminal and JSON elsewhere."""

    filter: str = "info"
    format: Literal["auto", "human", "json"] = "auto"


class NodeConfig(Section, frozen=True):
    """The whole file."""

    swarm: Swarm
    server: Server
    datastore: DataStore
    blobstore: BlobStore
    sync: Sync
    identity: Identity | None = None
    mode: Literal["standard", "readonly"] = "standard"
    bootstrap: Bootstrap = Bootstrap()
    discovery: Discovery = Discovery()
    specialized_node: SpecializedNode = SpecializedNode()
    context: Contexts = Contexts()
    tee: Tee | None = None
    runtime: Runtime = Runtime()
    store: StoreSettings = StoreSettings()
    registry: Registry = Registry()
    log: Log = Log()
