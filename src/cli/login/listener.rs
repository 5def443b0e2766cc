//! Where a browser brings a login's answer: one path on loopback, for as long as the login takes.
//!
//! Anyone on this machine can ask it. What does not carry the login's state is refused, and the
//! login goes on.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::bridge::Browser;

/// What a person sees who comes back.
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>tollbridge</title>\
                    <p>This window can be closed. The terminal says how it ended.";

/// A listener for one login.
pub(super) struct Listener {
    listener: TcpListener,
    /// Where the browser is to be sent.
    pub(super) redirect: String,
}

impl Listener {
    /// Listens on that port of 127.0.0.1; any where it is zero.
    pub(super) async fn bind(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let redirect = format!("http://{}/callback", listener.local_addr()?);
        Ok(Self { listener, redirect })
    }

    /// The query that the browser brings; `None` where the listener breaks.
    pub(super) async fn query(self, browser: Arc<Browser>) -> Option<String> {
        let (came, mut queries) = mpsc::channel(1);
        let callback = move |uri: Uri| {
            let (came, browser) = (came.clone(), Arc::clone(&browser));
            async move {
                let query = uri.query().unwrap_or_default().to_owned();
                if !browser.is_ours(&query) {
                    return (StatusCode::BAD_REQUEST, "this is not for this login").into_response();
                }
                // A second answer is of no use.
                let _ = came.try_send(query);
                let headers = [
                    (CONTENT_TYPE, "text/html; charset=utf-8"),
                    (CACHE_CONTROL, "no-store"),
                    (REFERRER_POLICY, "no-referrer"),
                    (CONTENT_SECURITY_POLICY, "default-src 'none'"),
                ];
                (headers, PAGE).into_response()
            }
        };
        let app = Router::new().route("/callback", get(callback));
        let done = CancellationToken::new();
        let served =
            axum::serve(self.listener, app).with_graceful_shutdown(done.clone().cancelled_owned());
        let received = async {
            let query = queries.recv().await;
            done.cancel();
            query
        };
        let (_, query) = tokio::join!(served.into_future(), received);
        query
    }
}
