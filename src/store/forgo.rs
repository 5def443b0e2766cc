//! Going on without a record, and asking the kill switch outside of a commit.

use super::Store;
use super::batch::{Guard, Receipt, StopScope, StoreError};

impl Store {
    /// What stops this call now, if anything does. A commit asks the same again, and its
    /// answer is the one that counts.
    pub async fn stopped(&self, guard: &Guard) -> Result<Option<StopScope>, StoreError> {
        let stops = self.stops().await?;
        Ok(stops.into_iter().map(|stop| stop.scope).find(|scope| scope.covers(guard)))
    }

    /// A receipt for what could not be recorded, where the configuration lets reads go on
    /// (`reads_when_down`). `None` where the kill switch is on or cannot be read: that
    /// refuses, whatever the configuration says.
    pub async fn forgo(&self, guard: &Guard) -> Option<Receipt> {
        matches!(self.stopped(guard).await, Ok(None)).then_some(Receipt { _private: () })
    }
}
