//! A payment facilitator as far as a seller needs it before anything is paid: it says what
//! it supports (x402 version 2, `GET /supported`).

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Serves until `shutdown`.
pub(super) fn start(listener: TcpListener, shutdown: CancellationToken) -> JoinHandle<()> {
    let router = Router::new().route("/supported", get(supported));
    tokio::spawn(async move {
        let served =
            axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the demo's facilitator ended");
        }
    })
}

async fn supported() -> Json<Value> {
    Json(json!({
        "kinds": [{"x402Version": 2, "scheme": "exact", "network": "eip155:84532"}],
        "extensions": [],
        "signers": {},
    }))
}
