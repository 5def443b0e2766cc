//! Signing the trail as it grows.

use super::{Anchor, Signer};
use crate::store::{Batch, Change, CommitError, Store, StoreError};

/// A checkpoint could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The trail cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Signs the trail's last event, where it is not signed yet: the checkpoint of it either way.
/// `None` where there is no event.
pub async fn checkpoint(store: &Store, signer: &Signer) -> Result<Option<Signed>, CheckpointError> {
    let mut trail = store.trail().await?;
    let start = trail.start().await?;
    let signed = trail.last_checkpoint().await?;
    let last = trail.last().await?;
    trail.close().await?;
    let Some((seq, hash)) = last.and_then(|row| Some((row.seq, row.hash?))) else {
        return Ok(None);
    };
    // A chain without a beginning, and a hash of another length, are none that were written here:
    // `verify` names them.
    let (Some(start), Ok(hash)) = (start, hash.try_into()) else { return Ok(None) };
    if let Some(row) = signed.filter(|row| row.seq == seq && row.key == signer.key()) {
        return Ok(Some(Signed { anchor: Anchor::of_row(&start.trail, &row), is_new: false }));
    }
    let row = signer.sign(&start.trail, seq, hash, store.now());
    let anchor = Anchor::of_row(&start.trail, &row);
    let changes = vec![Change::KeepCheckpoint(row)];
    let _ = store.commit(Batch { changes, ..Batch::default() }).await?;
    Ok(Some(Signed { anchor, is_new: true }))
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What was signed.
    pub anchor: Anchor,
    /// Whether it was signed just now.
    pub is_new: bool,
}
