//! A bare proxy, for the end-to-end benchmark: axum in front, reqwest behind, nothing between.
//! What it takes is what the hop itself costs.
//!
//! `peer-proxy UPSTREAM` listens on a free port of 127.0.0.1 and prints it.

#![allow(clippy::unwrap_used, missing_docs)]

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[derive(Clone)]
struct Hop {
    client: reqwest::Client,
    upstream: String,
}

#[tokio::main]
async fn main() {
    let upstream = std::env::args().nth(1).expect("the upstream's URL");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let app = Router::new().route("/{*path}", post(pass_on)).with_state(Hop { client, upstream });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let listener = axum::serve::ListenerExt::tap_io(listener, |socket| {
        let _ = socket.set_nodelay(true);
    });
    // Ends as a program does, so that one that was built to count what it runs writes that down.
    let mut asked = signal(SignalKind::terminate()).unwrap();
    tokio::select! {
        ended = axum::serve(listener, app) => ended.unwrap(),
        _ = asked.recv() => (),
    }
}

/// Takes a message's body, as every MCP server must, and asks the upstream for the path.
async fn pass_on(
    State(hop): State<Hop>,
    Path(path): Path<String>,
    _message: Bytes,
) -> impl IntoResponse {
    match hop.client.get(format!("{}/{path}", hop.upstream)).send().await {
        Ok(answer) => {
            let (status, body) = (answer.status(), answer.bytes().await.unwrap_or_default());
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
