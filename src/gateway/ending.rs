//! What must come to its end though nobody waits for it any more.
//!
//! A call's future is dropped when its client goes away, and what it has begun must still be
//! recorded. A task of its own for each call would see to that, and costs a change of threads
//! for every one of them. So the future runs where it is awaited, and becomes a task only when
//! it is dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// A future that is polled to its end: by whoever awaits it, and where that one goes away, by
/// the runtime.
#[must_use = "it does nothing until it is polled or dropped"]
pub struct ToItsEnd<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// `None` once it has ended.
    left: Option<Pin<Box<F>>>,
}

/// The future panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it panicked")]
pub struct Defect;

impl<F: Future<Output: Send> + Send + 'static> ToItsEnd<F> {
    /// Sees a future through. It begins when it is first polled.
    pub fn new(future: F) -> Self {
        Self { left: Some(Box::pin(future)) }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for ToItsEnd<F> {
    type Output = Result<F::Output, Defect>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(left) = &mut self.left else { return Poll::Ready(Err(Defect)) };
        // What panicked is not polled again, so nobody sees it half done.
        let polled = catch_unwind(AssertUnwindSafe(|| left.as_mut().poll(context)));
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(_) => Err(Defect),
        };
        self.left = None;
        Poll::Ready(ended)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for ToItsEnd<F> {
    fn drop(&mut self) {
        if let Some(left) = self.left.take()
            // Without a runtime everything ends.
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_is_awaited_gives_its_value() {
        assert_eq!(ToItsEnd::new(async { 1 }).await, Ok(1));
    }

    #[tokio::test]
    async fn what_is_dropped_half_way_still_ends() {
        let (go, gone) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let mut future = ToItsEnd::new(async move {
            let _ = gone.await;
            let _ = end.send(());
        });
        assert!(futures::poll!(&mut future).is_pending());
        drop(future);
        go.send(()).expect("somebody waits for it");
        let ended = tokio::time::timeout(Duration::from_secs(5), ended).await;
        assert_eq!(ended, Ok(Ok(())));
    }

    #[tokio::test]
    async fn a_panic_is_told_and_goes_no_further() {
        let future = ToItsEnd::new(async { panic!("a defect") });
        let told: Result<(), Defect> = future.await;
        assert_eq!(told, Err(Defect));
    }
}
