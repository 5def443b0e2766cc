//! A caller's own calls, as it may read of them.
//!
//! Of what stands in the trail it is told what it was told before, and how the call went: no URL, no
//! rule, and no argument, since the configuration may have added some that it does not know.

use serde::Serialize;

use super::{Caller, Gateway, StoreError};
use crate::audit::{self, AuditError, CallRecord, Time};

/// A call, for who made it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OwnCall {
    /// Its id.
    pub id: String,
    /// When it came in.
    pub time: Time,
    /// The tool, or the operation, that was called.
    pub tool: Option<String>,
    /// Why, as the caller said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `allow`, `deny` or `hold`.
    pub decision: Option<&'static str>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<String>,
    /// What the caller was told of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// Each request to the API.
    pub attempts: Vec<OwnAttempt>,
}

/// One request of such a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OwnAttempt {
    /// Counted from 1.
    pub n: u32,
    /// The status of the answer; `None` where none came.
    pub status: Option<u16>,
    /// How long was waited before it.
    pub wait_ms: u64,
}

impl Gateway {
    /// The caller's call of that id. Another's is not there.
    pub async fn own_call(&self, caller: &Caller, id: &str) -> Result<Option<OwnCall>, StoreError> {
        let found = match audit::call(self.store(), id).await {
            Ok(found) => found,
            Err(AuditError::Store(error)) => return Err(error),
            Err(AuditError::Ambiguous { .. } | AuditError::TooShort { .. }) => None,
        };
        // A shortened id could find what is another's by trying.
        let own = |record: &CallRecord| {
            record.id == id && record.identity.as_deref() == Some(caller.identity.as_str())
        };
        Ok(found.filter(own).map(own_call))
    }

    /// The ids of the caller's latest calls that begin so, the newest first.
    pub async fn own_calls(
        &self,
        caller: &Caller,
        beginning: &str,
    ) -> Result<Vec<String>, StoreError> {
        let ids = self.store().lately_called_by(caller.identity.as_str()).await?;
        Ok(ids.into_iter().filter(|id| id.starts_with(beginning)).collect())
    }
}

fn own_call(record: CallRecord) -> OwnCall {
    OwnCall {
        id: record.id,
        time: record.started,
        tool: record.tool,
        reason: record.reason,
        decision: record.decision.map(|decision| decision.effect.as_str()),
        outcome: record.outcome,
        message: record.message,
        duration_ms: record.duration_ms,
        attempts: record
            .attempts
            .into_iter()
            .map(|one| OwnAttempt { n: one.n, status: one.status, wait_ms: one.wait_ms })
            .collect(),
    }
}
