//! Pages for people, served beside MCP: the held calls, and deciding on them.
//!
//! Everything that is shown comes from strangers: agents' arguments, APIs' names. So nothing on a
//! page is a script, nothing is loaded from elsewhere, and a content security policy says so to
//! the browser (`guard`). Who decides has logged in with an approver's key (`login`); a form is
//! taken only with the token of its session. The same is there as JSON for programs (`api`).
//!
//! This room decides nothing: it calls what `tollbridge approve` calls.

mod api;
mod guard;
mod html;
mod login;
mod pages;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};

use crate::gateway::Gateway;
use login::{Failures, Sessions};

/// Where the pages are.
pub const PATH: &str = "/approvals";

/// How the pages are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reached {
    /// As the server listens: over plain HTTP.
    #[default]
    Plainly,
    /// Over TLS, which something in front of the server ends: cookies go over nothing else.
    OverTls,
}

struct App {
    gateway: Gateway,
    reached: Reached,
    sessions: Sessions,
    failures: Failures,
}

/// The pages, to be served at [`PATH`]. Who serves them puts the peer's address, a
/// [`SocketAddr`](std::net::SocketAddr), into each request's extensions.
pub fn approvals(gateway: Gateway, reached: Reached) -> Router {
    let app = Arc::new(App {
        gateway,
        reached,
        sessions: Sessions::default(),
        failures: Failures::default(),
    });
    Router::new()
        .route("/approvals", get(pages::list))
        .route("/approvals/", get(pages::list))
        .route("/approvals/style.css", get(pages::style))
        .route("/approvals/login", get(login::form).post(login::log_in))
        .route("/approvals/logout", post(login::log_out))
        .route("/approvals/api/holds", get(api::list))
        .route("/approvals/api/holds/{id}", get(api::show))
        .route("/approvals/api/holds/{id}/{act}", post(api::decide))
        .route("/approvals/{id}", get(pages::show))
        .route("/approvals/{id}/{act}", post(pages::decide))
        .layer(middleware::from_fn(guard::guard))
        .with_state(app)
}

#[cfg(test)]
mod tests;
