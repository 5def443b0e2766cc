//! `tollbridge serve`: MCP over standard input and output, or over HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Exit, context, telemetry};
use crate::agent::{self, AgentError, Beside, HttpOptions, Proofs, Resource, TlsNow};
use crate::config::{ClientIdentity, Config, Keep, Observe, ServerAuth, ServerTls};
use crate::dashboard::{self, Reached};
use crate::gateway::{self, Caller, Changes, Gateway, Secrets, Transport};
use crate::identity::NamedBy;
use crate::store::Durability;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Serve streamable HTTP at `http://ADDR/mcp` instead of standard input and output.
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
}

pub(super) async fn run(args: Args, config_path: &Path) -> Exit {
    let loaded = match context::load(config_path, Secrets::Resolve) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    if let Some(address) = args.http
        && !asks(&loaded.config)
        && !address.ip().to_canonical().is_loopback()
    {
        // Known before the store is opened and the address is announced.
        eprintln!("error: {}", AgentError::Open(address));
        return Exit::Usage;
    }
    let changes = gateway::watch(&loaded);
    let (gateway, config) = match context::gateway(loaded).await {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let exporters = match telemetry::exporters(&config, &gateway) {
        Ok(exporters) => exporters,
        Err(error) => {
            eprintln!("error: {error}");
            gateway.close().await;
            return Exit::Failed;
        }
    };
    let shutdown = CancellationToken::new();
    let reload = tokio::spawn(reload(
        config_path.to_owned(),
        changes,
        Lasting::of(&config),
        gateway.clone(),
        shutdown.clone(),
    ));
    let signals = tokio::spawn(stop_on_signal(shutdown.clone()));
    let served = match args.http {
        None => {
            let caller = Caller::new((*config.server.identity).clone(), Transport::Stdio);
            let backend = Arc::new(gateway.clone());
            Box::pin(agent::serve_stdio(backend, caller, shutdown.clone()))
                .await
                .map_err(|error| error.to_string())
        }
        Some(address) => {
            let auth = config.server.auth.as_deref().filter(|auth| auth.asks());
            let resource = auth.and_then(|auth| resource(auth, &config.server.name));
            let proofs = Proofs {
                keys: auth.is_some_and(|auth| auth.keys),
                certificates: named_by(&config),
            };
            let auth = asks(&config).then(|| agent::verifier(&gateway, proofs));
            let options = HttpOptions {
                allowed_hosts: Vec::new(),
                origins: config
                    .server
                    .origins
                    .iter()
                    .map(|origin| origin.as_str().to_owned())
                    .collect(),
                auth,
                resource,
                local_identity: (*config.server.identity).clone(),
                beside: pages(&config, &gateway),
                tls: tls(&gateway),
            };
            match TcpListener::bind(address).await {
                Ok(listener) => {
                    if let Ok(bound) = listener.local_addr() {
                        let scheme = if config.server.tls.is_some() { "https" } else { "http" };
                        eprintln!("serving MCP at {scheme}://{bound}/mcp");
                        if config.approvals.web {
                            eprintln!("held calls are at {scheme}://{bound}{}", dashboard::PATH);
                        }
                    }
                    let backend = Arc::new(gateway.clone());
                    agent::serve_http(backend, listener, options, shutdown.clone())
                        .await
                        .map_err(|error| error.to_string())
                }
                Err(error) => Err(format!("cannot listen on {address}: {error}")),
            }
        }
    };
    shutdown.cancel();
    reload.abort();
    signals.abort();
    gateway.close().await;
    // After the last call: its spans and its numbers are sent, too.
    exporters.stop().await;
    match served {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("error: {error}");
            Exit::Failed
        }
    }
}

/// The pages for approvers, where the configuration wants them.
fn pages(config: &Config, gateway: &Gateway) -> Option<Beside> {
    let approvals = &config.approvals;
    if !approvals.web {
        return None;
    }
    let over_tls = config.server.tls.is_some()
        || approvals.url.as_ref().is_some_and(|url| url.as_url().scheme() == "https");
    let reached = if over_tls { Reached::OverTls } else { Reached::Plainly };
    let router = dashboard::approvals(gateway.clone(), reached);
    Some(Beside { path: dashboard::PATH, router })
}

/// Whether callers over HTTP must say who they are.
fn asks(config: &Config) -> bool {
    config.server.auth.as_ref().is_some_and(|auth| auth.asks()) || named_by(config).is_some()
}

/// Which name of a client's certificate is the caller.
fn named_by(config: &Config) -> Option<NamedBy> {
    let named = config.server.tls.as_ref()?.client_identity.as_ref()?;
    Some(match **named {
        ClientIdentity::Uri => NamedBy::Uri,
        ClientIdentity::Dns => NamedBy::Dns,
        ClientIdentity::Email => NamedBy::Email,
        ClientIdentity::CommonName => NamedBy::CommonName,
    })
}

/// The TLS of connections as the configuration has it when they begin.
fn tls(gateway: &Gateway) -> Option<TlsNow> {
    // Whether there is any changes with a restart alone.
    let first = gateway.toolbox().tls.clone()?;
    let gateway = gateway.clone();
    Some(Arc::new(move || gateway.toolbox().tls.clone().unwrap_or_else(|| Arc::clone(&first))))
}

/// This server as clients are to find its authorization server (RFC 9728).
fn resource(auth: &ServerAuth, name: &str) -> Option<Resource> {
    let (issuer, _) = auth.issuer_and_audience()?;
    Some(Resource {
        url: auth.resource()?,
        issuers: vec![issuer.as_str().to_owned()],
        scopes: auth.scopes.iter().map(ToString::to_string).collect(),
        name: name.to_owned(),
    })
}

async fn stop_on_signal(shutdown: CancellationToken) {
    until_stopped().await;
    shutdown.cancel();
}

/// Waits for SIGINT or SIGTERM.
pub(super) async fn until_stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).ok();
        let terminated = async {
            match &mut terminate {
                Some(terminate) => terminate.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminated => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// What a running server cannot take anew: who may come in, and where the trail is kept. A
/// reload that would change it is refused, so that nobody believes it is in force.
#[derive(PartialEq, Eq)]
struct Lasting {
    identity: String,
    auth: Option<ServerAuth>,
    tls: Option<ServerTls>,
    origins: Vec<String>,
    web: bool,
    store: String,
    durable: Durability,
    signing: (Option<String>, Option<String>),
    keep: Option<Keep>,
    observe: Observe,
}

impl Lasting {
    fn of(config: &Config) -> Self {
        Self {
            identity: config.server.identity.to_string(),
            auth: config.server.auth.as_deref().cloned(),
            tls: config.server.tls.as_deref().cloned(),
            origins: config
                .server
                .origins
                .iter()
                .map(|origin| origin.as_str().to_owned())
                .collect(),
            web: config.approvals.web,
            store: config.store_url(),
            durable: gateway::durability(config),
            signing: (
                config.audit.signing_key.as_ref().map(ToString::to_string),
                config.audit.anchor.as_ref().map(|to| (**to).clone()),
            ),
            keep: config.audit.keep.as_ref().map(|keep| **keep),
            observe: config.observe.clone(),
        }
    }

    /// The first key of the file that differs.
    fn changed(&self, new: &Self) -> Option<&'static str> {
        [
            (self.identity == new.identity, "[server] identity"),
            (self.auth == new.auth, "[server.auth]"),
            (self.tls == new.tls, "[server.tls]"),
            (self.origins == new.origins, "[server] origins"),
            (self.web == new.web, "[approvals] web"),
            (self.store == new.store, "[audit] store"),
            (self.durable == new.durable, "[audit] durability"),
            (self.signing == new.signing, "[audit] signing_key or anchor"),
            (self.keep == new.keep, "[audit] keep"),
            (self.observe == new.observe, "[observe.otlp]"),
        ]
        .into_iter()
        .find_map(|(same, key)| (!same).then_some(key))
    }
}

/// Loads the configuration anew on SIGHUP and on a change of its files. One that is wrong
/// leaves the old one in place.
async fn reload(
    config: PathBuf,
    mut changes: Changes,
    lasting: Lasting,
    gateway: Gateway,
    shutdown: CancellationToken,
) {
    #[cfg(unix)]
    let mut hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok();
    loop {
        #[cfg(unix)]
        let asked = async {
            match &mut hangup {
                Some(hangup) => {
                    hangup.recv().await;
                }
                None => std::future::pending().await,
            }
        };
        #[cfg(not(unix))]
        let asked = std::future::pending::<()>();
        // What a command prints changes without any of the files.
        let whatever = tokio::select! {
            () = shutdown.cancelled() => return,
            () = asked => true,
            () = changes.next() => false,
        };
        // A secret's command may take its time.
        let path = config.clone();
        let loading = tokio::task::spawn_blocking(move || gateway::load(&path, Secrets::Resolve));
        let Ok(loaded) = loading.await else { continue };
        match loaded {
            Ok(loaded) => {
                if !whatever && loaded.toolbox.same_as(&gateway.toolbox()) {
                    continue;
                }
                if let Some(key) = lasting.changed(&Lasting::of(&loaded.config)) {
                    gateway.metrics().reload(false);
                    eprintln!(
                        "{}: a change of {key} needs a restart; the configuration as it was stays in force",
                        config.display()
                    );
                    continue;
                }
                context::report(&loaded.warnings);
                changes.follow(&loaded);
                let digest = loaded.config.digest.clone();
                gateway.swap(loaded.toolbox).await;
                gateway.metrics().reload(true);
                eprintln!("reloaded {}: {digest}", config.display());
            }
            Err(diagnostics) => {
                gateway.metrics().reload(false);
                context::report(&diagnostics);
                changes.follow_too(&config);
                eprintln!("the configuration as it was stays in force");
            }
        }
    }
}
