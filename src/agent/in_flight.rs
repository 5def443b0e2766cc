//! How many calls are being carried out, so that a server can wait for their ends (and for
//! what they still have to record) before it goes away.

use std::time::Duration;

use tokio::sync::watch;

/// A count that can be waited on. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct InFlight(watch::Sender<usize>);

/// One call. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Ticket(watch::Sender<usize>);

impl InFlight {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(super) fn enter(&self) -> Ticket {
        self.0.send_modify(|count| *count += 1);
        Ticket(self.0.clone())
    }

    /// Waits until nothing is in flight, or the time is over. Says whether all ended.
    pub(super) async fn settle(&self, patience: Duration) -> bool {
        let mut count = self.0.subscribe();
        tokio::time::timeout(patience, count.wait_for(|count| *count == 0)).await.is_ok()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
