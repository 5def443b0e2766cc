//! For how long a stream may go on that only listens: as long as whoever opened it may.
//!
//! A token ends, and a key is revoked, while a stream is open. It is looked at again and again
//! whether what was brought still proves the same; when it does not, the stream ends, and who
//! comes back for it is asked anew. What cannot be said now ends nothing: it was proved once.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::future::BoxFuture;
use http_body::{Frame, SizeHint};
use tollbridge_operation::Identity;

use super::{Presented, Verifier};
use crate::identity::NotKnown;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Resolves when what was presented does not prove that identity any more.
pub(super) async fn outlived(verify: Verifier, presented: Presented, identity: Identity) {
    loop {
        tokio::time::sleep(LOOK).await;
        match verify(presented.clone()).await {
            Ok(known) if known.identity == identity => {}
            Err(NotKnown::Unavailable) => {}
            Ok(_) | Err(NotKnown::Invalid(_) | NotKnown::Nothing) => return,
        }
    }
}

/// A body that ends early when `over` resolves.
pub(super) struct Until {
    body: Option<Body>,
    over: BoxFuture<'static, ()>,
}

impl Until {
    pub(super) fn new(body: Body, over: BoxFuture<'static, ()>) -> Self {
        Self { body: Some(body), over }
    }
}

impl http_body::Body for Until {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.body.is_some() && self.over.as_mut().poll(context).is_ready() {
            // Whatever feeds it learns that nobody reads it any more.
            self.body = None;
        }
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, http_body::Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    use futures::FutureExt;

    use super::*;
    use crate::gateway::Facts;
    use crate::identity::Known;

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_when_what_opened_it_does_and_not_before() {
        let alice = Identity::new("alice").expect("an identity");
        let state = Arc::new(AtomicU8::new(0));
        let (seen, who) = (Arc::clone(&state), alice.clone());
        let verify: Verifier = Arc::new(move |_| {
            let answer = match seen.load(Ordering::Relaxed) {
                0 => Ok(Known {
                    identity: who.clone(),
                    groups: Vec::new(),
                    facts: Facts::local(),
                    expires: None,
                }),
                1 => Err(NotKnown::Unavailable),
                _ => Err(NotKnown::Invalid("it has expired")),
            };
            async move { answer }.boxed()
        });
        let presented = Presented { bearer: Some("t".into()), certificate: None };
        let mut over = outlived(verify, presented, alice).boxed();
        let patience = Duration::from_mins(1);
        for kept in [0, 1] {
            state.store(kept, Ordering::Relaxed);
            assert!(tokio::time::timeout(patience, &mut over).await.is_err(), "{kept}");
        }
        state.store(2, Ordering::Relaxed);
        assert!(tokio::time::timeout(patience, &mut over).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_ends_with_what_it_waits_for() {
        use http_body_util::BodyExt;
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let endless = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        let over = receiver.map(drop).boxed();
        let mut body = Until::new(Body::from_stream(endless), over);
        assert!(body.frame().now_or_never().is_none());
        drop(sender);
        assert!(body.frame().await.is_none());
    }
}
