//! A node of the reference for the interop tests: the published crates, wired the way merod 0.10.0 wires them.
//!
//! It takes the part of merod's command line that the tests use, and reads and writes merod's config.toml. Unlike merod
//! it listens on loopback, knows no boot node and does no multicast unless it is told to, and asks nobody for updates.

mod init;
mod run;

use calimero_utils_actix::init_global_runtime;
use camino::Utf8PathBuf;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

const DEFAULT_LOG: &str = "info";

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// The folder that holds one folder for each node
    #[arg(long, env = "CALIMERO_HOME")]
    home: Utf8PathBuf,
    /// The name of the node's folder
    #[arg(long, short)]
    node: Utf8PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a node
    Init(init::Options),
    /// Run a node until it is killed
    Run,
}

#[tokio::main]
async fn main() -> eyre::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).init();
    init_global_runtime()?;
    let arguments = Arguments::parse();
    let home = arguments.home.join(arguments.node);
    match arguments.command {
        Command::Init(options) => init::init(&home, &options).await,
        Command::Run => run::run(home).await,
    }
}
