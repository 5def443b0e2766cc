//! What is got before a request goes out and proves who we are: a token, or a session.

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tollbridge_operation::Identity;

use super::attempt::TokenLog;
use super::credential::Additions;
use super::oauth::{NoToken, Slot, Token};
use super::session::{Open, Session};
use super::upstream::Upstream;

/// Where the proof comes from.
#[derive(Clone)]
pub(super) enum Pass {
    /// An authorization server.
    Token(Arc<Slot>),
    /// The API itself.
    Session(Arc<Session>),
}

/// What proves it this time.
pub(super) enum Proof {
    Token(Token),
    Session(Open),
}

impl Pass {
    /// What an operation's credentials ask for, for that caller.
    pub(super) fn of(credentials: &Additions, identity: &Identity) -> Option<Self> {
        let token = credentials.token.as_ref().map(|source| Self::Token(source.slot(identity)));
        token.or_else(|| credentials.session.clone().map(Self::Session))
    }

    /// The proof for a request to that base URL. Waits until `limit` at most. `told` is told of what is
    /// asked of an authorization server for it.
    pub(super) async fn proof(
        &self,
        upstream: &Upstream,
        at: usize,
        limit: Instant,
        cancel: &CancellationToken,
        told: Option<TokenLog>,
    ) -> Result<Proof, NoToken> {
        match self {
            Self::Token(slot) => slot.token(limit, told).await.map(Proof::Token),
            Self::Session(session) => {
                session.enter(upstream, at, limit, cancel).await.map(Proof::Session)
            }
        }
    }

    /// The API refused what was sent. Whether another one is worth a try.
    pub(super) fn refused(&self, at: usize, number: u64) -> bool {
        match self {
            Self::Token(slot) => slot.refused(number),
            Self::Session(session) => session.refused(at, number),
        }
    }

    /// What tells it from others, while it is there.
    pub(super) fn address(&self) -> usize {
        match self {
            Self::Token(slot) => Arc::as_ptr(slot).addr(),
            Self::Session(session) => Arc::as_ptr(session).addr(),
        }
    }

    /// In which header it goes.
    pub(super) fn header(&self) -> HeaderName {
        match self {
            Self::Token(_) => AUTHORIZATION,
            Self::Session(session) => session.header().unwrap_or(COOKIE),
        }
    }
}

impl Proof {
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Token(token) => token.number,
            Self::Session(open) => open.number,
        }
    }

    /// Puts it into a request's headers.
    pub(super) fn authorize(&self, headers: &mut HeaderMap) {
        match self {
            Self::Token(token) => token.authorize(headers),
            Self::Session(open) => open.authorize(headers),
        }
    }
}
