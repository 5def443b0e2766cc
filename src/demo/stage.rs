//! Setting the demo up: upstreams, configuration, bridge, keys.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{Identity, InvalidName};
use ulid::Ulid;

use super::client::{Agent, AgentError};
use super::facilitator;
use super::orders::OrdersUpstream;
use super::warehouse::WarehouseUpstream;
use crate::agent::{self, HttpOptions, Proofs};
use crate::bridge;
use crate::config::Style;
use crate::gateway::{self, Gateway, OperateError, Secrets};
use crate::identity::{KeyError, NewKey};
use crate::observe::Metrics;
use crate::store::{Store, StoreError};

const CONFIG: &str = include_str!("../../tools.toml");
const ORDERS: &str = include_str!("../../specs/orders.yaml");
const WAREHOUSE: &str = include_str!("../../specs/warehouse.wsdl");
const WAREHOUSE_TYPES: &str = include_str!("../../specs/warehouse.xsd");

/// What `tools.toml` has where the demo puts its own.
const UPSTREAM: &str = "http://127.0.0.1:4010";
const WAREHOUSE_URL: &str = "http://127.0.0.1:4011/services/Warehouse";
const FACILITATOR: &str = "http://127.0.0.1:4022";
const SECRET: &str = "env:ORDERS_API_KEY";
const TICKET: &str = "env:WAREHOUSE_TICKET";

/// The demo could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or a port.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What went wrong.
        error: std::io::Error,
    },
    /// The bundled configuration does not load.
    #[error("the bundled configuration is wrong:\n{0}")]
    Config(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be kept.
    #[error(transparent)]
    Operate(#[from] OperateError),
    /// An agent could not connect or got no result.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// A key could not be drawn.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An identity of the demo is no identity.
    #[error(transparent)]
    Identity(#[from] InvalidName),
    /// The HTTP client cannot be made.
    #[error("{0}")]
    Client(String),
    /// Something happened that the script did not expect.
    #[error("the demo went another way than it should: {0}")]
    Script(String),
}

/// The demo, set up and running.
pub struct Stage {
    /// Where the bridge serves MCP.
    pub url: String,
    /// The bridge.
    pub gateway: Gateway,
    /// The bundled orders API.
    pub orders: OrdersUpstream,
    /// The bundled warehouse, which speaks SOAP.
    pub warehouse: WarehouseUpstream,
    folder: PathBuf,
    client: reqwest::Client,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Stage {
    /// Sets the demo up on loopback, on free ports, in a folder of its own.
    pub async fn set() -> Result<Self, DemoError> {
        let folder = std::env::temp_dir().join(format!("tollbridge-demo-{}", Ulid::new()));
        std::fs::create_dir_all(folder.join("specs")).map_err(io("the demo's folder"))?;
        let shutdown = CancellationToken::new();
        let mut tasks = Vec::new();

        let listener = listen().await?;
        let paid_at = address(&listener)?;
        tasks.push(facilitator::start(listener, shutdown.clone()));

        let secret = Ulid::new().to_string();
        let listener = listen().await?;
        let (orders, task) = OrdersUpstream::start(listener, secret.clone(), shutdown.clone())
            .map_err(io("the orders API"))?;
        tasks.push(task);

        let ticket = Ulid::new().to_string();
        let listener = listen().await?;
        let (warehouse, task) =
            WarehouseUpstream::start(listener, ticket.clone(), shutdown.clone())
                .map_err(io("the warehouse"))?;
        tasks.push(task);

        let config = CONFIG
            .replace(UPSTREAM, &orders.base_url)
            .replace(WAREHOUSE_URL, &warehouse.url)
            .replace(TICKET, "file:warehouse.ticket")
            .replace(FACILITATOR, &format!("http://{paid_at}"))
            .replace(SECRET, "file:orders.key")
            .replace("[groups]", "[server.auth]\nkeys = true\n\n[groups]");
        let config_path = folder.join("tools.toml");
        write(&config_path, &config)?;
        write(&folder.join("specs/orders.yaml"), ORDERS)?;
        write(&folder.join("orders.key"), &secret)?;
        write(&folder.join("specs/warehouse.wsdl"), WAREHOUSE)?;
        write(&folder.join("specs/warehouse.xsd"), WAREHOUSE_TYPES)?;
        write(&folder.join("warehouse.ticket"), &ticket)?;

        let loaded = gateway::load(&config_path, Secrets::Resolve)
            .map_err(|diagnostics| DemoError::Config(diagnostics.render(Style::Plain)))?;
        let store =
            Store::open(&loaded.config.store_url(), gateway::durability(&loaded.config)).await?;
        let local_identity = (*loaded.config.server.identity).clone();
        let gateway = Gateway::new(store, loaded.toolbox, Arc::new(Metrics::new()));
        let options = HttpOptions {
            origins: Vec::new(),
            allowed_hosts: Vec::new(),
            beside: None,
            tls: None,
            auth: Some(agent::verifier(&gateway, Proofs { keys: true, ..Proofs::default() })),
            resource: None,
            local_identity,
        };
        let listener = listen().await?;
        let url = format!("http://{}/mcp", address(&listener)?);
        let backend = Arc::new(gateway.clone());
        let stop = shutdown.clone();
        tasks.push(tokio::spawn(async move {
            if let Err(error) = agent::serve_http(backend, listener, options, stop).await {
                tracing::error!(%error, "the demo's bridge ended");
            }
        }));
        let client = bridge::http_client().map_err(DemoError::Client)?;
        Ok(Self { url, gateway, orders, warehouse, folder, client, shutdown, tasks })
    }

    /// A new API key for an identity.
    pub async fn key(&self, identity: &str) -> Result<String, DemoError> {
        let key = NewKey::generate(&Identity::new(identity)?, None, self.gateway.store().now())?;
        gateway::add_key(self.gateway.store(), key.row, "demo").await?;
        Ok(key.key.expose().to_owned())
    }

    /// An agent of that identity, connected with a new key.
    pub async fn agent(&self, identity: &str) -> Result<Agent, DemoError> {
        let key = self.key(identity).await?;
        Ok(Agent::connect(&self.url, &key, self.client.clone()).await?)
    }

    /// Where the demo's configuration and store are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends everything and removes the folder.
    pub async fn strike(self) {
        self.shutdown.cancel();
        for task in self.tasks {
            let _ = task.await;
        }
        self.gateway.close().await;
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, "the demo's folder could not be removed");
        }
    }
}

async fn listen() -> Result<TcpListener, DemoError> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .map_err(io("a port on loopback"))
}

fn address(listener: &TcpListener) -> Result<SocketAddr, DemoError> {
    listener.local_addr().map_err(io("a port on loopback"))
}

fn write(path: &Path, text: &str) -> Result<(), DemoError> {
    std::fs::write(path, text).map_err(io("the demo's files"))
}

fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> DemoError {
    move |error| DemoError::Io { what, error }
}
