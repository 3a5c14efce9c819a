//! From settings to a running node.

use calimero_blobstore::config::BlobStoreConfig;
use calimero_config::{ConfigFile, NetworkConfig};
use calimero_network_primitives::config::NetworkConfig as SwarmSettings;
use calimero_node::sync::SyncConfig;
use calimero_node::{start, NodeConfig, SpecializedNodeConfig};
use calimero_server::config::ServerConfig;
use calimero_store::config::StoreConfig;
use camino::Utf8PathBuf;

/// Run the node in `home`; returns only when it fails.
pub async fn run(home: Utf8PathBuf) -> eyre::Result<()> {
    let ConfigFile { identity, mode, network, sync, datastore, blobstore, context, .. } =
        ConfigFile::load(&home).await?;
    let NetworkConfig { swarm, server, bootstrap, discovery, specialized_node, .. } = network;
    start(NodeConfig {
        network: SwarmSettings::new(identity.clone(), swarm, bootstrap, discovery),
        sync: SyncConfig {
            timeout: sync.timeout,
            interval: sync.interval,
            frequency: sync.frequency,
            ..SyncConfig::default()
        },
        datastore: StoreConfig::new(home.join(datastore.path)),
        blobstore: BlobStoreConfig::new(home.join(blobstore.path)),
        context,
        server: ServerConfig::with_auth(
            server.listen,
            identity.clone(),
            server.admin,
            server.jsonrpc,
            server.websocket,
            server.sse,
            server.auth_mode,
            server.embedded_auth,
        ),
        gc_interval_secs: None,
        mode,
        specialized_node: SpecializedNodeConfig {
            invite_topic: specialized_node.invite_topic,
            accept_mock_tee: specialized_node.accept_mock_tee,
        },
        identity,
        home,
    })
    .await
}
