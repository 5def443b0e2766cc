//! `/mcp`: the wire layer and the caller, in front of the MCP library.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rmcp::transport::streamable_http_server::SessionManager;
use serde::Deserialize;
use tollbridge_operation::Identity;

use super::App;
use super::access::{Admitted, Denied};
use super::direct;
use super::lasting::{Until, outlived};
use super::listener::Connection;
use super::refused::{self, Known};
use crate::agent::arrived::Passing;
use crate::agent::wire::{self, Code, Envelope, MAX_BYTES, Refusal};
use crate::agent::{Backend, methods};
use crate::gateway::{CallRequest, CallWatch, Caller, OTHER_METHOD, OperationEnd, Transport};

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// How long a client may take to send a message.
const READING: Duration = Duration::from_secs(30);

pub(super) async fn serve<B: Backend>(
    State(app): State<Arc<App<B>>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    mut request: Request,
) -> Response {
    let admitted = app.access.known(request.headers(), connection.certificate()).await;
    let Admitted { caller, lasting } = match admitted {
        Ok(admitted) => admitted,
        Err(denied) => return app.access.challenges.answer(denied),
    };
    if let Err(denied) = app.access.enough(&caller) {
        return Box::pin(lacking(&app, &caller, request, denied)).await;
    }
    connection.trust();
    // Nothing behind this point has a use for the key.
    request.headers_mut().remove(header::AUTHORIZATION);

    let session = match session(request.headers()) {
        Ok(session) => session,
        Err(denied) => return app.access.challenges.answer(denied),
    };
    if let Some(session) = &session
        && !app.sessions.belongs(session, &caller.identity)
    {
        // Whose it is, or was, is nobody's to tell.
        request.headers_mut().remove(SESSION);
        return no_session(&app, request);
    }
    let (method, version) = (request.method().clone(), request.version());
    let ticket = (method == Method::POST).then(|| app.in_flight.enter());
    let (request, passing, listens) = match prepare(&app, &caller, request).await {
        Ok(Way::Library(request, passing, listens)) => (*request, passing, listens),
        Ok(Way::Direct(call)) => {
            let connection = (connection.peer(), version);
            return direct::answer(&app.handler, caller, call, connection).await;
        }
        Err(response) => return response,
    };
    let mut response = Box::pin(app.mcp.handle(request)).await.map(Body::new);
    if let Some(passing) = passing {
        response = Box::pin(refused::by_library(&*app.backend, &passing, response)).await;
    }

    if method == Method::POST
        && matches!(
            response.status(),
            StatusCode::BAD_REQUEST
                | StatusCode::NOT_ACCEPTABLE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
        )
    {
        let reason = format!("refused with HTTP status {}", response.status());
        Box::pin(record(&app, &caller, reason)).await;
    }
    match (method, session) {
        (Method::DELETE, Some(session)) if response.status().is_success() => {
            app.sessions.forget(&session);
            // It is closed, and not only about to be: clients complain of 202.
            *response.status_mut() = StatusCode::NO_CONTENT;
        }
        (Method::POST, None) => {
            if let Some(opened) = response.headers().get(SESSION).and_then(|id| id.to_str().ok()) {
                Box::pin(bind(&app, opened.to_owned(), caller.identity.clone())).await;
            }
        }
        _ => {}
    }
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    if listens && let Some((verify, presented)) = lasting {
        let over = Box::pin(outlived(verify, presented, caller.identity));
        response = response.map(|body| Body::new(Until::new(body, over)));
    }
    // A shutdown waits until a stream has been handed over, not only until it has begun.
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _in_flight = &ticket;
            frame
        }))
    })
}

/// The one session that a request names.
fn session(headers: &HeaderMap) -> Result<Option<String>, Denied> {
    let mut sent = headers.get_all(SESSION).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Ok(None),
        (Some(id), None) => match id.to_str() {
            Ok(id) => Ok(Some(id.to_owned())),
            Err(_) => Err(Denied::Forbidden("The session's id is no text.")),
        },
        _ => Err(Denied::Forbidden("The request names two sessions.")),
    }
}

async fn bind<B: Backend>(app: &App<B>, session: String, identity: Identity) {
    if let Some(closed) = app.sessions.bind(session, identity)
        && let Err(error) = app.manager.close_session(&closed.into()).await
    {
        tracing::debug!(%error, "a session was already closed");
    }
}

/// The answer to a request in a session that there is not.
fn no_session<B: Backend>(app: &App<B>, request: Request) -> Response {
    let status = StatusCode::NOT_FOUND;
    if *request.method() == Method::POST {
        let arrived = refused::arrived(&*app.backend, &request.into_parts().0, UNREAD);
        arrived.answered(&*app.backend, OperationEnd::Http(status.as_u16()));
    }
    (status, "Session not found").into_response()
}

/// A message that was not read.
const UNREAD: Known<'static> = Known { method: OTHER_METHOD, id: None, message: &[] };

/// Where a message goes.
enum Way {
    /// To the library; what measures it where it is a request; whether for a stream that only listens.
    Library(Box<Request>, Option<Passing>, bool),
    Direct(Box<direct::Call>),
}

/// Reads the message and has the wire layer look at it.
async fn prepare<B: Backend>(
    app: &Arc<App<B>>,
    caller: &Caller,
    request: Request,
) -> Result<Way, Response> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(caller.clone());
    // What is not said to be JSON is refused by the MCP library, unread.
    if parts.method != Method::POST || !is_json(&parts.headers) {
        let listens = parts.method == Method::GET;
        let arrived = || refused::arrived(&*app.backend, &parts, UNREAD);
        let passing = (parts.method == Method::POST).then(|| Passing::new(arrived()));
        let request = Box::new(Request::from_parts(parts, Body::empty()));
        return Ok(Way::Library(request, passing, listens));
    }
    let message = match read(&parts.headers, body).await {
        Ok(message) => message,
        Err(Unread::TooLarge) => {
            return Err(Box::pin(refuse(app, caller, &parts, Refusal::too_large())).await);
        }
        Err(Unread::Slow) => {
            let status = StatusCode::REQUEST_TIMEOUT;
            let arrived = refused::arrived(&*app.backend, &parts, UNREAD);
            arrived.answered(&*app.backend, OperationEnd::Http(status.as_u16()));
            return Err(status.into_response());
        }
        Err(Unread::Gone) => return Err(StatusCode::BAD_REQUEST.into_response()),
    };
    match wire::inspect(&message) {
        Ok(envelope) => {
            if caller.facts.scopes.is_some()
                && envelope.method() == Some("tools/call")
                && let Some(refused) = Box::pin(scoped(app, caller, &message)).await
            {
                return Err(refused);
            }
            if let Some(call) = direct::read(&parts.headers, &message)
                && !call.may_last(&*app.backend, caller)
            {
                return Ok(Way::Direct(call));
            }
            let listens = envelope.method() == Some("subscriptions/listen");
            let passing = match &envelope {
                Envelope::Request { id, method } => {
                    let (method, id) = (methods::named(method), Some(id));
                    let known = Known { method, id, message: &message };
                    let passing = Passing::new(refused::arrived(&*app.backend, &parts, known));
                    parts.extensions.insert(passing.clone());
                    Some(passing)
                }
                Envelope::Notification { method } => {
                    say_method(&mut parts.headers, method);
                    None
                }
                Envelope::Response => None,
            };
            let request = Box::new(Request::from_parts(parts, Body::from(message)));
            Ok(Way::Library(request, passing, listens))
        }
        Err(refusal) => Err(Box::pin(refuse(app, caller, &parts, refusal)).await),
    }
}

/// The refusal of a request whose token lacks what every token must allow. A call is on record all
/// the same, for it is known whose it is, and is told what its tool asks for besides.
async fn lacking<B: Backend>(
    app: &Arc<App<B>>,
    caller: &Caller,
    request: Request,
    denied: Denied,
) -> Response {
    let (parts, body) = request.into_parts();
    if parts.method == Method::POST
        && is_json(&parts.headers)
        && let Ok(message) = read(&parts.headers, body).await
        && wire::inspect(&message).is_ok_and(|envelope| envelope.method() == Some("tools/call"))
    {
        if let Some(refused) = Box::pin(scoped(app, caller, &message)).await {
            return refused;
        }
        // Of no tool that this caller may see, or of one that finds and invokes operations.
        let reason = "refused: the token allows less than every call needs".to_owned();
        Box::pin(record(app, caller, reason)).await;
    }
    app.access.challenges.answer(denied)
}

/// The refusal of a call whose caller's token allows less than the tool asks for (RFC 6750 §3.1,
/// `insufficient_scope`). It goes the way of every call first, which refuses it and has it on
/// record; the client is told by the transport, because that is where it can get more.
async fn scoped<B: Backend>(
    app: &Arc<App<B>>,
    caller: &Caller,
    message: &[u8],
) -> Option<Response> {
    #[derive(Deserialize)]
    struct Message {
        params: Params,
    }
    #[derive(Deserialize)]
    struct Params {
        name: String,
        #[serde(default)]
        arguments: serde_json::Map<String, serde_json::Value>,
    }
    // What is malformed is refused elsewhere.
    let Params { name, arguments } = serde_json::from_slice::<Message>(message).ok()?.params;
    let wanted = app.backend.lacks_scopes(caller, &name)?;
    let ticket = app.in_flight.enter();
    let (backend, caller) = (Arc::clone(&app.backend), caller.clone());
    let request = CallRequest { tool: name, arguments, ..CallRequest::default() };
    let recording = tokio::spawn(async move {
        let answered = backend.call(caller, request, CallWatch::default()).await;
        drop(ticket);
        answered.is_ok_and(|reply| reply.result.is_err())
    });
    match recording.await {
        Ok(true) => Some(app.access.challenges.answer(Denied::Lacking(wanted))),
        // It is not on record, or the configuration was changed meanwhile.
        Ok(false) | Err(_) => Some(StatusCode::SERVICE_UNAVAILABLE.into_response()),
    }
}

/// MCP 2026-07-28, Streamable HTTP: `Mcp-Method` is asked of requests, and what notifications
/// need is left open. The MCP library asks it of them as well; the TypeScript client, which
/// sends `notifications/cancelled` when it closes a subscription, sends none with them. One
/// that is there must be right, and is left to the library.
fn say_method(headers: &mut HeaderMap, method: &str) {
    if !headers.contains_key(METHOD)
        && let Ok(method) = method.parse()
    {
        headers.insert(METHOD, method);
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

enum Unread {
    TooLarge,
    Slow,
    Gone,
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Unread> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse::<usize>().ok()).is_some_and(|n| n > MAX_BYTES) {
        return Err(Unread::TooLarge);
    }
    let whole = Limited::new(body, MAX_BYTES).collect();
    match tokio::time::timeout(READING, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Gone),
        Err(_) => Err(Unread::Slow),
    }
}

async fn refuse<B: Backend>(
    app: &Arc<App<B>>,
    caller: &Caller,
    parts: &Parts,
    refusal: Refusal,
) -> Response {
    let known = Known { id: refusal.id.as_ref(), ..UNREAD };
    let arrived = refused::arrived(&*app.backend, parts, known);
    let end = OperationEnd::Rpc(refusal.code.number());
    let status = match refusal.code {
        Code::Parse | Code::Invalid => StatusCode::BAD_REQUEST,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
    };
    let answer = refusal.to_json();
    record(app, caller, refusal.reason).await;
    arrived.answered(&*app.backend, end);
    (status, Json(answer)).into_response()
}

/// Records a refusal to its end, also when the client has gone meanwhile.
async fn record<B: Backend>(app: &Arc<App<B>>, caller: &Caller, reason: String) {
    let ticket = app.in_flight.enter();
    let backend = Arc::clone(&app.backend);
    let identity = Some(caller.identity.clone());
    let recording = tokio::spawn(async move {
        backend.malformed(Transport::Http, identity, reason).await;
        drop(ticket);
    });
    if let Err(error) = recording.await {
        tracing::error!(%error, "a refusal was not recorded");
    }
}
