//! The settings of a new node.

use std::net::IpAddr;

use calimero_config::{ConfigFile, CONFIG_FILE};
use camino::Utf8Path;
use clap::Args;
use eyre::bail;
use tokio::fs;

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value = "127.0.0.1")]
    swarm_host: IpAddr,
    #[arg(long)]
    swarm_port: u16,
    #[arg(long, default_value = "127.0.0.1")]
    server_host: IpAddr,
    #[arg(long)]
    server_port: u16,
    /// The registry that stands for the chain
    #[arg(long)]
    relayer_url: String,
    /// Addresses of other nodes, each ending in /p2p/ID
    #[arg(long)]
    boot_nodes: Vec<String>,
    /// Look for nodes by multicast
    #[arg(long, overrides_with = "no_mdns")]
    mdns: bool,
    #[arg(long)]
    no_mdns: bool,
}

/// Write the settings and a new identity into `home`. Fails for a node that is there already.
pub async fn init(home: &Utf8Path, options: &Options) -> eyre::Result<()> {
    if ConfigFile::exists(home) {
        bail!("there is a node in {home} already");
    }
    for folder in ["data", "blobs"] {
        fs::create_dir_all(home.join(folder)).await?;
    }
    fs::write(home.join(CONFIG_FILE), text(options)).await?;
    // A file without an identity is read with a new one.
    ConfigFile::load(home).await?.save(home).await
}

fn address(host: IpAddr, port: u16) -> String {
    let family = if host.is_ipv4() { "ip4" } else { "ip6" };
    format!("/{family}/{host}/tcp/{port}")
}

fn text(options: &Options) -> String {
    format!(
        r#"
[swarm]
listen = ["{swarm}"]
[server]
listen = ["{server}"]
admin = {{ enabled = true }}
jsonrpc = {{ enabled = true }}
websocket = {{ enabled = true }}
sse = {{ enabled = true }}
[bootstrap]
nodes = {boot_nodes:?}
[discovery]
mdns = {mdns}
advertise_address = false
relay = {{ registrations_limit = 3 }}
autonat = {{ max_candidates = 5, probe_interval = {{ secs = 10, nanos = 0 }} }}
[discovery.rendezvous]
namespace = "/calimero/devnet/global"
discovery_rpm = 0.5
discovery_interval = {{ secs = 90, nanos = 0 }}
registrations_limit = 3
[sync]
timeout_ms = 30000
interval_ms = 5000
frequency_ms = 10000
[datastore]
path = "data"
[blobstore]
path = "blobs"
[context.config.near]
signer = "relayer"
network = "testnet"
contract_id = "v0-6.config.calimero-context.testnet"
[context.config.signer]
relayer = {{ url = "{relayer}" }}
self = {{}}
"#,
        swarm = address(options.swarm_host, options.swarm_port),
        server = address(options.server_host, options.server_port),
        boot_nodes = options.boot_nodes,
        mdns = options.mdns,
        relayer = options.relayer_url,
    )
}
