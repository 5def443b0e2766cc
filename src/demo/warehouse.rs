//! The bundled warehouse: the service of `specs/warehouse.wsdl`, as decade-old services are.
//!
//! A real SOAP 1.1 server with state in memory, and on purpose not what its WSDL says:
//!
//! - it wants a header block `{urn:alder-vale:wms:auth}Ticket`, which the WSDL does not name;
//! - errors of its document/literal port are faults under HTTP 200, those of its rpc/encoded
//!   port come under 500 with codes that SOAP has none of;
//! - the first look at an article's stock is a `Server` fault, since "the table is locked";
//! - stock lines have an element that the schema does not know, stand in another order, and
//!   may hold a date that is none;
//! - pick lists come by reference (`href`, `multiRef`).
//!
//! It is strict about what reaches it: names, namespaces and values are those of its schemas.
//! It keeps a record of that, and knows nothing of a bridge in front of it.

mod envelope;
mod legacy;
mod stock;
mod stores;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use envelope::{Fault, Message};
use stores::Stores;

/// The namespace of the header block with the ticket.
const AUTH: &str = "urn:alder-vale:wms:auth";
/// Where it is served.
const PATH: &str = "/services/Warehouse";
/// The largest request body.
const MAX_BODY: usize = 64 * 1024;
/// How many requests the record keeps.
const MAX_SEEN: usize = 1_000;

/// A running warehouse.
#[derive(Debug)]
pub struct WarehouseUpstream {
    /// The address of its ports.
    pub url: String,
    site: Arc<Site>,
}

/// A message that reached the warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The name of the body's element; empty where the message could not be read.
    pub operation: String,
    /// The status of the answer.
    pub status: u16,
    /// The fault's code, where the answer was a fault.
    pub fault: Option<String>,
}

impl WarehouseUpstream {
    /// Serves on the listener until `shutdown` is cancelled: the task ends then. Messages
    /// without the ticket are refused.
    pub fn start(
        listener: TcpListener,
        ticket: String,
        shutdown: CancellationToken,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let url = format!("http://{}{PATH}", listener.local_addr()?);
        let site = Arc::new(Site {
            ticket,
            stores: Mutex::new(Stores::seeded()),
            heard: Mutex::default(),
        });
        let router = Router::new()
            .route(PATH, post(serve))
            .route("/status", get(async || StatusCode::NO_CONTENT))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(Arc::clone(&site));
        let server = tokio::spawn(async move {
            let served = axum::serve(listener, router)
                .with_graceful_shutdown(shutdown.cancelled_owned())
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "the warehouse ended");
            }
        });
        Ok((Self { url, site }, server))
    }

    /// What reached it, oldest first; the last thousand.
    pub fn heard(&self) -> Vec<Heard> {
        lock(&self.site.heard).iter().cloned().collect()
    }
}

/// What the handlers share.
#[derive(Debug)]
struct Site {
    ticket: String,
    stores: Mutex<Stores>,
    heard: Mutex<VecDeque<Heard>>,
}

impl Site {
    /// The answer's body, or the fault, of a message.
    fn answer(&self, message: &Message) -> Result<Vec<u8>, Fault> {
        let known = message
            .header(AUTH, "Ticket")
            .is_some_and(|ticket| ticket.as_bytes().ct_eq(self.ticket.as_bytes()).into());
        if !known {
            return Err(Fault::new("soapenv:Client.Auth", "WMS-0001 no ticket, or an old one"));
        }
        let body = message.body();
        let mut stores = lock(&self.stores);
        match body.namespace.as_deref() {
            Some(stock::NAMESPACE) => stock::answer(&mut stores, body),
            Some(legacy::NAMESPACE) => legacy::answer(&mut stores, body),
            _ => Err(Fault::new("soapenv:Client", "WMS-0002 no such operation")),
        }
    }

    fn record(&self, heard: Heard) {
        let mut all = lock(&self.heard);
        if all.len() == MAX_SEEN {
            all.pop_front();
        }
        all.push_back(heard);
    }
}

/// No handler leaves the state half changed, so a poisoned lock's value is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(State(site): State<Arc<Site>>, body: Bytes) -> Response {
    let message = Message::read(&body);
    let operation =
        message.as_ref().map_or_else(|_| String::new(), |message| message.body().name.clone());
    let answer = message.and_then(|message| site.answer(&message));
    let (status, code, envelope) = match answer {
        Ok(body) => (StatusCode::OK, None, envelope::write(&body)),
        Err(fault) => (fault.status, Some(fault.code.clone()), fault.envelope()),
    };
    site.record(Heard { operation, status: status.as_u16(), fault: code });
    (status, [(header::CONTENT_TYPE, "text/xml; charset=utf-8")], envelope).into_response()
}
