//! The same as JSON, for programs: a bearer key of an approver (RFC 6750), and no cookie, so that
//! no page can use it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::App;
use super::pages::{operator, status_of};
use crate::gateway::{self, Approver, Edit, KeyHolder, OperateError};

/// What is sent with a decision. A body that is empty says nothing.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    reason: Option<String>,
    /// All arguments, as they are to be.
    arguments: Option<Map<String, Value>>,
    /// What is to be different in them.
    changes: Option<Vec<Edit>>,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = holder(&app, peer, &headers).await {
        return refused;
    }
    match gateway::held(app.gateway.store()).await {
        Ok(rows) => {
            let holds: Vec<Value> = rows.iter().map(gateway::hold_json).collect();
            Json(json!({ "holds": holds })).into_response()
        }
        Err(error) => failed(&error.into()),
    }
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<SocketAddr>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    match holder(&app, peer, &headers).await {
        Ok(_) => told(&app, id).await,
        Err(refused) => refused,
    }
}

pub(super) async fn decide(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<SocketAddr>,
    headers: HeaderMap,
    Path((id, act)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let who = match holder(&app, peer, &headers).await {
        Ok(who) => who,
        Err(refused) => return refused,
    };
    let said = match body.as_ref() {
        b"" => Ok(Said::default()),
        // By way of a value: numbers keep their digits.
        text => serde_json::from_slice::<Value>(text).and_then(serde_json::from_value),
    };
    let said: Said = match said {
        Ok(said) => said,
        Err(error) => return refused(StatusCode::BAD_REQUEST, "malformed", &error.to_string()),
    };
    let store = app.gateway.store();
    let name = operator(&who.name);
    let toolbox = app.gateway.toolbox();
    let (by, reason) = (Approver::from(&name).under(&toolbox), said.reason.clone());
    let done = match act.as_str() {
        "yes" => gateway::approve(store, &id, by, reason).await.map(drop),
        "no" => gateway::reject(store, &id, by, reason).await.map(drop),
        "edit" => edit(&app, &id, by, said).await,
        _ => return refused(StatusCode::NOT_FOUND, "not_found", "there is no such act"),
    };
    match done {
        Ok(()) => told(&app, id).await,
        Err(error) => failed(&error),
    }
}

async fn edit(app: &App, id: &str, by: Approver<'_>, said: Said) -> Result<(), OperateError> {
    let store = app.gateway.store();
    let row = store.hold(id).await?.ok_or_else(|| OperateError::NoSuchHold(id.to_owned()))?;
    let edits = match (said.arguments, said.changes) {
        (Some(wanted), None) => gateway::edits_between(&gateway::given(&row), &wanted),
        (None, Some(changes)) => changes,
        _ => {
            let why = "either `arguments` or `changes` must be given".to_owned();
            return Err(OperateError::Edit { id: id.to_owned(), why });
        }
    };
    let toolbox = app.gateway.toolbox();
    gateway::edit(store, &toolbox, id, &edits, by, said.reason).await.map(drop)
}

/// The held call as it is now.
async fn told(app: &App, id: String) -> Response {
    match app.gateway.store().hold(&id).await {
        Ok(Some(row)) => Json(gateway::hold_json(&row)).into_response(),
        Ok(None) => failed(&OperateError::NoSuchHold(id)),
        Err(error) => failed(&error.into()),
    }
}

async fn holder(app: &App, peer: SocketAddr, headers: &HeaderMap) -> Result<KeyHolder, Response> {
    let peer = peer.ip().to_canonical();
    if !app.failures.room(peer) {
        let told = "too many wrong keys; try again in a minute";
        let mut response = refused(StatusCode::TOO_MANY_REQUESTS, "rate_limited", told);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        return Err(response);
    }
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = sent.and_then(|sent| {
        let (scheme, key) = sent.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let found = match key {
        None => None,
        Some(key) => match app.gateway.approver(key).await {
            Ok(Some(who)) => return Ok(who),
            Ok(None) => Some(()),
            Err(error) => return Err(failed(&error.into())),
        },
    };
    let challenge = match found {
        None => "Bearer",
        Some(()) => {
            app.failures.note(peer);
            "Bearer error=\"invalid_token\""
        }
    };
    let told = "an approver's key is wanted: Authorization: Bearer KEY";
    let mut response = refused(StatusCode::UNAUTHORIZED, "unauthorized", told);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    Err(response)
}

fn failed(error: &OperateError) -> Response {
    let status = status_of(error);
    if let OperateError::EditDenied { rules, .. } = error {
        let told = json!({ "code": "denied", "message": error.to_string(), "rules": rules });
        return (status, Json(json!({ "error": told }))).into_response();
    }
    let code = match status {
        StatusCode::NOT_FOUND => "no_such_hold",
        StatusCode::CONFLICT => "decided",
        StatusCode::FORBIDDEN => "not_yours",
        StatusCode::UNPROCESSABLE_ENTITY => "not_allowed",
        _ => {
            tracing::error!(%error, "approvals cannot be served");
            return refused(status, "unavailable", "the store cannot be used now");
        }
    };
    refused(status, code, &error.to_string())
}

fn refused(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
}
