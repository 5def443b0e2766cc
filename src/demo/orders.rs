//! The bundled upstream: the orders API of `specs/orders.yaml`, as far as the demo goes.
//!
//! A real HTTP server with state in memory: a refund changes its order, a cancelled order
//! gives its stock back. It checks its key, answers errors as problem details (RFC 9457),
//! and fails on purpose where the demo wants to see recovery: the first look at an article's
//! stock is answered 429 with `Retry-After: 1`, the first look at a shipment 503.
//!
//! It keeps a record of what reached it, so that the demo and the tests can say what a
//! bridge in front of it truly sent. It knows nothing of that bridge.

mod shop;
#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use shop::{Cancellation, NewRefund, Shop, Trouble};

/// The header that carries the key.
const KEY_HEADER: &str = "x-api-key";
/// The largest request body.
const MAX_BODY: usize = 64 * 1024;
/// How many requests the record keeps.
const MAX_SEEN: usize = 1_000;
/// How many entries a page has, unless asked otherwise.
const PAGE_SIZE: usize = 20;

/// A running orders API.
#[derive(Debug)]
pub struct OrdersUpstream {
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub base_url: String,
    api: Arc<Api>,
    server: JoinHandle<()>,
}

/// A request that reached the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path as it stood on the wire, without the query.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
}

impl OrdersUpstream {
    /// Serves on the listener until `shutdown` is cancelled.
    pub fn start(
        listener: TcpListener,
        api_key: String,
        shutdown: CancellationToken,
    ) -> std::io::Result<Self> {
        let base_url = format!("http://{}", listener.local_addr()?);
        let api = Arc::new(Api::new(api_key));
        let router = router(Arc::clone(&api));
        let server = tokio::spawn(async move {
            let served = axum::serve(listener, router)
                .with_graceful_shutdown(shutdown.cancelled_owned())
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "the orders upstream ended");
            }
        });
        Ok(Self { base_url, api, server })
    }

    /// What reached it, oldest first; the last thousand.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.api.seen).iter().cloned().collect()
    }

    /// Waits until it has stopped, after `shutdown` was cancelled.
    pub async fn stopped(self) {
        if let Err(error) = self.server.await {
            tracing::error!(%error, "the orders upstream ended");
        }
    }
}

/// What the handlers share.
#[derive(Debug)]
struct Api {
    key: String,
    shop: Mutex<Shop>,
    /// What has failed once already.
    failed: Mutex<HashSet<String>>,
    seen: Mutex<VecDeque<Seen>>,
}

impl Api {
    fn new(key: String) -> Self {
        Self {
            key,
            shop: Mutex::new(Shop::seeded()),
            failed: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    fn shop(&self) -> MutexGuard<'_, Shop> {
        lock(&self.shop)
    }

    /// Whether this is the first time that `what` is asked for.
    fn first_time(&self, what: String) -> bool {
        lock(&self.failed).insert(what)
    }

    fn record(&self, seen: Seen) {
        let mut all = lock(&self.seen);
        if all.len() == MAX_SEEN {
            all.pop_front();
        }
        all.push_back(seen);
    }
}

/// No handler leaves the state half changed, so a poisoned lock's value is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/orders", get(list_orders))
        .route("/orders/{id}", get(get_order))
        .route("/orders/{id}/lines", get(list_lines))
        .route("/orders/{id}/cancel", post(cancel_order))
        .route("/orders/{id}/refunds", get(list_refunds).post(create_refund))
        .route("/refunds/{id}", get(get_refund))
        .route("/customers/{id}", get(get_customer))
        .route("/inventory/{sku}", get(get_stock))
        .route("/inventory/{sku}/forecast", get(get_forecast))
        .route("/shipments/{id}", get(get_shipment))
        .route("/reports/orders.csv", get(export_orders))
        .route("/status", get(status))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "Not built in this upstream"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Not built in this upstream")
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&api), admit))
        .with_state(api)
}

/// Checks the key, and keeps the record.
async fn admit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let response = if path == "/status" || knows_key(&api.key, request.headers()) {
        next.run(request).await
    } else {
        Problem::new(StatusCode::UNAUTHORIZED, "The key is missing or wrong").into_response()
    };
    api.record(Seen { method, path, status: response.status().as_u16() });
    response
}

fn knows_key(key: &str, headers: &HeaderMap) -> bool {
    headers.get(KEY_HEADER).is_some_and(|given| given.as_bytes().ct_eq(key.as_bytes()).into())
}

type Answer = Result<Response, Problem>;

async fn list_orders(State(api): State<Arc<Api>>, uri: Uri) -> Answer {
    let size = match query(&uri, "page_size") {
        None => PAGE_SIZE,
        Some(text) => match text.parse() {
            Ok(size @ 1..=100) => size,
            _ => return Err(Problem::bad("page_size is a number from 1 to 100")),
        },
    };
    let status = query(&uri, "status");
    let customer = query(&uri, "customer_id");
    let cursor = query(&uri, "cursor");
    let shop = api.shop();
    let mut found = shop
        .orders()
        .rev()
        .filter(|order| cursor.as_ref().is_none_or(|cursor| order.id < *cursor))
        .filter(|order| customer.as_ref().is_none_or(|id| order.customer_id == *id))
        .filter(|order| {
            status.as_ref().is_none_or(|list| list.split(',').any(|one| order.status.name() == one))
        });
    let items: Vec<_> = found.by_ref().take(size).collect();
    let next = items.last().filter(|_| found.next().is_some());
    Ok(ok(&json!({ "items": items, "next_cursor": next.map(|order| &order.id) })))
}

async fn get_order(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answer {
    Ok(ok(api.shop().order(&id)?))
}

async fn list_lines(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answer {
    Ok(ok(&api.shop().order(&id)?.lines))
}

async fn cancel_order(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> Answer {
    let why: Cancellation = read(&body)?;
    Ok(ok(api.shop().cancel(&id, why)?))
}

async fn list_refunds(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answer {
    Ok(ok(&api.shop().refunds_of(&id)?))
}

async fn create_refund(State(api): State<Arc<Api>>, Path(id): Path<String>, body: Bytes) -> Answer {
    let wanted: NewRefund = read(&body)?;
    let mut shop = api.shop();
    let refund = shop.refund(&id, wanted, jiff::Timestamp::now())?;
    let location = format!("/refunds/{}", refund.id);
    let mut response = (StatusCode::CREATED, axum::Json(refund)).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn get_refund(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answer {
    Ok(ok(api.shop().one_refund(&id)?))
}

async fn get_customer(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answer {
    Ok(ok(api.shop().customer(&id)?))
}

async fn get_stock(State(api): State<Arc<Api>>, Path(sku): Path<String>, uri: Uri) -> Answer {
    let stock = api.shop().stock(&sku, query(&uri, "warehouse").as_deref())?;
    if api.first_time(format!("stock {sku}")) {
        let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
        problem.retry_after = Some("1");
        return Err(problem);
    }
    Ok(ok(&stock))
}

async fn get_forecast(State(api): State<Arc<Api>>, Path(sku): Path<String>, uri: Uri) -> Answer {
    let weeks = match query(&uri, "weeks") {
        None => 4,
        Some(text) => match text.parse() {
            Ok(weeks @ 1..=26) => weeks,
            _ => return Err(Problem::bad("weeks is a number from 1 to 26")),
        },
    };
    Ok(ok(&api.shop().forecast(&sku, weeks)?))
}

async fn get_shipment(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Answer {
    let shop = api.shop();
    let shipment = shop.shipment(&id)?;
    if api.first_time(format!("shipment {id}")) {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The carrier's service does not answer",
        ));
    }
    Ok(ok(shipment))
}

async fn export_orders(State(api): State<Arc<Api>>) -> Response {
    let csv = api.shop().csv();
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response()
}

async fn status() -> Response {
    ok(&json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

fn ok<T: Serialize + ?Sized>(value: &T) -> Response {
    axum::Json(value).into_response()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad(&error.to_string()))
}

/// The first value of that name in the query.
fn query(uri: &Uri, name: &str) -> Option<String> {
    url::form_urlencoded::parse(uri.query()?.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// An error answer: problem details (RFC 9457 §3).
#[derive(Debug)]
struct Problem {
    status: StatusCode,
    title: &'static str,
    detail: Option<String>,
    retry_after: Option<&'static str>,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str) -> Self {
        Self { status, title, detail: None, retry_after: None }
    }

    fn bad(detail: &str) -> Self {
        Self {
            detail: Some(detail.to_owned()),
            ..Self::new(StatusCode::BAD_REQUEST, "The request is not valid")
        }
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        let (status, title) = match trouble {
            Trouble::NotFound { .. } => (StatusCode::NOT_FOUND, "There is no such thing"),
            Trouble::WrongState { .. } => (StatusCode::CONFLICT, "It is not in the state for this"),
            Trouble::CannotBeDone { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "It cannot be done as it is")
            }
        };
        Self { detail: Some(trouble.to_string()), ..Self::new(status, title) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({ "title": self.title, "status": self.status.as_u16() });
        if let Some(detail) = self.detail {
            body["detail"] = detail.into();
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response
    }
}
