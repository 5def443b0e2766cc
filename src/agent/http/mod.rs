//! MCP over streamable HTTP, for both eras on one path, with health and metrics beside it.
//!
//! A request passes, in this order: the bound on connections ([`listener`]), who may talk to
//! this server at all ([`access`]: peer, `Host`, `Origin`), who calls (a key, a token or, with [`tls`],
//! a certificate; [`challenge`] answers whoever is not known), whose session it names ([`sessions`]), and the wire layer
//! ([`mcp`]). Only then does the MCP library see it, with the caller in its extensions and
//! without its credentials; a plain call of the newest revision passes it by ([`direct`]).
//! Streams in a session survive their connection ([`resume`]), and no stream outlives what it was
//! opened with ([`lasting`]).
//!
//! Without authentication the server is for this machine alone: it refuses to start on any
//! other address, refuses peers from elsewhere, and refuses what a proxy passes on.

mod access;
mod challenge;
mod direct;
mod lasting;
mod listener;
mod mcp;
mod refused;
mod resume;
mod sessions;
mod tls;

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use futures::future::BoxFuture;
use rmcp::transport::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::tower::StreamableHttpService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tollbridge_operation::Identity;

use self::access::{Access, Denied};
pub use self::challenge::Resource;
use self::challenge::WELL_KNOWN;
use self::listener::{Bounded, Connection};
use self::resume::ResumableSessions;
use self::sessions::Sessions;
use super::handler::Handler;
use super::in_flight::InFlight;
use super::wire::MAX_BYTES;
use super::{AgentError, Backend, changes};
use crate::gateway::Transport;
use crate::identity::{Certificate, Known, Listening, NotKnown};

/// How long calls under way may take to end when the server is told to.
const GRACE: Duration = Duration::from_secs(10);

/// How long calls have to record their end once they were cancelled, and streams to close.
const CLOSING: Duration = Duration::from_secs(5);

/// How the server is reached, and by whom.
pub struct HttpOptions {
    /// Origins of browsers that may call, besides loopback: `https://app.example.com`.
    pub origins: Vec<String>,
    /// What verifies callers; `None` where `[server.auth]` is not set.
    pub auth: Option<Verifier>,
    /// This server as a resource of an authorization server's; `None` where no tokens are taken.
    pub resource: Option<Resource>,
    /// Who calls where there is no authentication.
    pub local_identity: Identity,
    /// `Host` names besides loopback, without port. Without any, and with authentication,
    /// every name is accepted: what a rebound name could borrow is the caller's place on
    /// this machine, and with keys that is worth nothing.
    pub allowed_hosts: Vec<String>,
    /// Pages of our own, served beside MCP.
    pub beside: Option<Beside>,
    /// The TLS of connections that begin now; `None` where they have none.
    pub tls: Option<TlsNow>,
}

/// Pages of our own, served beside MCP. Whether a page of another origin may send to them they
/// judge themselves, by stricter rules; which peer sent a request they find in its extensions, as
/// a [`SocketAddr`].
#[derive(Debug)]
pub struct Beside {
    /// Where they are.
    pub path: &'static str,
    /// What serves them.
    pub router: Router,
}

/// What a request brought to say who sent it.
#[derive(Clone)]
pub struct Presented {
    /// What stands behind `Bearer` in its `Authorization` header: a key or a token.
    pub bearer: Option<Arc<str>>,
    /// The certificate that its connection proved.
    pub certificate: Option<Arc<Certificate>>,
}

/// Gives the TLS of a connection that begins: certificates are renewed while the server runs.
pub type TlsNow = Arc<dyn Fn() -> Arc<Listening> + Send + Sync>;

/// Says who it is that brought something.
pub type Verifier =
    Arc<dyn Fn(Presented) -> BoxFuture<'static, Result<Known, NotKnown>> + Send + Sync>;

struct App<B: Backend> {
    backend: Arc<B>,
    access: Access,
    sessions: Sessions,
    manager: Arc<ResumableSessions<B>>,
    mcp: StreamableHttpService<Handler<B>, ResumableSessions<B>>,
    handler: Handler<B>,
    in_flight: InFlight,
    tls: Option<TlsNow>,
}

/// Serves until `shutdown` is cancelled, then lets calls under way end.
pub async fn serve_http<B: Backend>(
    backend: Arc<B>,
    listener: TcpListener,
    mut options: HttpOptions,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let address = listener.local_addr()?;
    if options.auth.is_none() && !address.ip().to_canonical().is_loopback() {
        return Err(AgentError::Open(address));
    }
    let beside = options.beside.take();
    let tls = options.tls.take();
    let access = Access::new(options)?.with_beside(beside.as_ref().map(|beside| beside.path));

    // Two ends: streams that only listen close at once, sessions after the grace.
    let listening = shutdown.child_token();
    let open = CancellationToken::new();
    let _open_guard = open.clone().drop_guard();
    let handler = Handler::new(
        Arc::clone(&backend),
        Transport::Http,
        None,
        listening.clone(),
        open.child_token(),
    );
    let in_flight = handler.in_flight();
    let mut tasks = JoinSet::new();
    tasks.spawn(changes::announce(Arc::clone(&backend), handler.peers(), listening.clone()));

    let manager = Arc::new(ResumableSessions::new(Arc::clone(&backend)));
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(true)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BYTES)
        .with_cancellation_token(open.clone())
        // The answer to `initialize`, and the stream of notices, open without an event that has
        // no data: they cannot be resumed, and clients before 2025-11-25 do not know such events.
        .with_sse_retry(None)
        // `access` has checked them, also for the paths that are not MCP's.
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let each = handler.clone();
    let mcp = StreamableHttpService::new(move || Ok(each.clone()), Arc::clone(&manager), config);
    let sessions = Sessions::default();
    let in_flight_too = in_flight.clone();
    let app = Arc::new(App {
        backend,
        access,
        sessions,
        manager,
        mcp,
        handler,
        in_flight: in_flight_too,
        tls: tls.clone(),
    });
    let service = router(app, beside).into_make_service_with_connect_info::<Connection>();

    let accepting = listening.clone();
    let server = axum::serve(Bounded::new(listener, tls), service)
        .with_graceful_shutdown(async move { accepting.cancelled().await })
        .into_future();
    let mut serving = JoinSet::new();
    serving.spawn(server);
    tokio::select! {
        ended = serving.join_next() => if let Some(Ok(Err(error))) = ended {
            return Err(error.into());
        },
        () = shutdown.cancelled() => {}
    }
    listening.cancel();
    if !in_flight.settle(GRACE).await {
        tracing::warn!("calls under way are cancelled after {} s", GRACE.as_secs());
    }
    open.cancel();
    if !in_flight.settle(CLOSING).await {
        tracing::warn!("calls were still under way when the server ended");
    }
    let _ = tokio::time::timeout(CLOSING, serving.join_next()).await;
    serving.shutdown().await;
    tasks.shutdown().await;
    Ok(())
}

fn router<B: Backend>(app: Arc<App<B>>, beside: Option<Beside>) -> Router {
    let own = Router::new()
        .route("/mcp", any(mcp::serve::<B>))
        .route(WELL_KNOWN, get(resource::<B>))
        .route(&format!("{WELL_KNOWN}/{{*path}}"), get(resource::<B>))
        .route("/metrics", get(metrics::<B>))
        .route("/-/ready", get(ready::<B>))
        .route("/-/healthy", get(|| async { Json(json!({ "healthy": true })) }))
        .with_state(Arc::clone(&app));
    let all = match beside {
        Some(beside) => own.merge(beside.router),
        None => own,
    };
    all.layer(middleware::from_fn_with_state(app, admit::<B>))
}

impl<B: Backend> App<B> {
    /// Why the certificate that opened a connection would open none any more.
    fn outlived(&self, connection: &Connection) -> Option<&'static str> {
        let (tls, certificate) = (self.tls.as_ref()?, connection.certificate()?);
        tls().still_takes(&certificate).err()
    }
}

/// What every path has in front: the connection is busy while it is served, it has not outlived
/// what opened it, and only whom [`Access`] admits is served.
async fn admit<B: Backend>(
    State(app): State<Arc<App<B>>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    mut request: Request,
    next: Next,
) -> Response {
    let _busy = connection.busy();
    if let Some(why) = app.outlived(&connection) {
        let last = [(header::CONNECTION, HeaderValue::from_static("close"))];
        return (last, app.access.challenges.answer(Denied::Forbidden(why))).into_response();
    }
    request.extensions_mut().insert::<SocketAddr>(connection.peer());
    let mut response = match app.access.admit(connection.peer(), &request) {
        Err(refused) => app.access.challenges.answer(refused),
        Ok(None) => next.run(request).await,
        Ok(Some(origin)) => {
            let mut response = match access::preflight(&request) {
                Some(answer) => answer,
                None => next.run(request).await,
            };
            access::allow_origin(response.headers_mut(), origin);
            response
        }
    };
    if connection.is_spent() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Protected Resource Metadata (RFC 9728): for everybody, because who needs it has no token yet.
async fn resource<B: Backend>(State(app): State<Arc<App<B>>>, uri: Uri) -> Response {
    let path = uri.path().strip_prefix(WELL_KNOWN).unwrap_or_default();
    match app.access.challenges.metadata(path, app.backend.scopes()) {
        Some(metadata) => {
            let kept = [(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"))];
            (kept, Json(metadata)).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn metrics<B: Backend>(
    State(app): State<Arc<App<B>>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
) -> Response {
    // On this machine a scraper needs no key; from elsewhere it does as agents do.
    if !Access::is_local(connection.peer(), request.headers()) {
        let certificate = connection.certificate();
        if let Err(refused) = app.access.caller(request.headers(), certificate).await {
            return app.access.challenges.answer(refused);
        }
        connection.trust();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], app.backend.metrics())
        .into_response()
}

async fn ready<B: Backend>(
    State(app): State<Arc<App<B>>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
) -> Response {
    let (status, details) = match app.backend.ready().await {
        Ok(details) => (StatusCode::OK, details),
        Err(details) => (StatusCode::SERVICE_UNAVAILABLE, details),
    };
    // What exactly is wrong is for this machine's operator.
    if Access::is_local(connection.peer(), &headers) {
        (status, Json(details)).into_response()
    } else {
        (status, Json(json!({ "ready": status == StatusCode::OK }))).into_response()
    }
}

#[cfg(test)]
mod tests;
