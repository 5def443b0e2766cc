//! Calls that the API took and was not done with when their time was over: the same call, made
//! again, goes on with the first one and starts nothing.
//!
//! They are known by identity, tool and arguments, as held calls are. Going on is decided on like
//! any call, but for a hold: what a person had to approve is under way already.

use std::time::Duration;

use tollbridge_operation::digest_value;

use super::ending::End;
use super::ready::Ready;
use super::{Run, ending};
use crate::audit::Time;
use crate::bridge::{Handle, Pending};
use crate::gateway::reply::{ErrorCode, Failure, PendingNotice};
use crate::gateway::toolbox::Exposed;
use crate::store::{Change, PendingRow, is_erased};

/// For how long a call can be gone on with.
const KEPT: Duration = Duration::from_hours(24);

impl Run<'_> {
    /// Looks for the same call, and has the request ask after it where there is one.
    pub(super) async fn take_up(
        &mut self,
        exposed: &Exposed,
        ready: &mut Ready,
    ) -> Result<Option<Handle>, End> {
        let (identity, tool) = (self.caller.identity.as_str(), exposed.tool.name.as_str());
        let digest = digest_value(&ready.call.arguments.to_value());
        let store = self.ground.store;
        let found = store.pending(identity, tool, &digest, store.now()).await;
        let Some(row) = found.map_err(|error| ending::audit_unavailable(&error.to_string()))?
        else {
            self.digest = Some(digest);
            return Ok(None);
        };
        // Begun anew it might be done twice.
        if is_erased(&row.handle) {
            let message = format!(
                "`{}` took this call as {}, and what was kept to ask after it was erased since then",
                exposed.rules.api, row.call
            );
            return Err(Failure::new(ErrorCode::OutcomeUnknown, message).into());
        }
        let Ok(handle) = serde_json::from_str::<Handle>(&row.handle) else {
            let message = format!(
                "`{}` took this call as {}, and what was kept to ask after it cannot be read by \
                 this version",
                exposed.rules.api, row.call
            );
            return Err(Failure::new(ErrorCode::OutcomeUnknown, message).into());
        };
        match ready.prepared.going_on(&exposed.upstream, &handle) {
            Ok(prepared) => ready.prepared = prepared,
            Err(reason) => {
                let message =
                    format!("`{}` took this call as {}, but {reason}", exposed.rules.api, row.call);
                return Err(Failure::new(ErrorCode::UpstreamError, message).into());
            }
        }
        self.earlier = Some(row);
        Ok(Some(handle))
    }

    /// The call as it would be kept, but for where it is asked after; `None` where it cannot be gone
    /// on with.
    pub(super) fn to_keep(&self, exposed: &Exposed) -> Option<PendingRow> {
        let kept = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
        let expires = self.ground.store.now().saturating_add(kept);
        if let Some(earlier) = &self.earlier {
            return Some(PendingRow { expires, ..earlier.clone() });
        }
        Some(PendingRow {
            identity: self.caller.identity.to_string(),
            tool: exposed.tool.name.to_string(),
            digest: self.digest.clone()?,
            call: self.id.to_string(),
            handle: String::new(),
            expires,
        })
    }

    /// What is kept of a call of a tool that may be gone on with, and what its failure says of it.
    pub(super) fn kept(
        &mut self,
        exposed: &Exposed,
        left: Option<Box<Pending>>,
        failure: Option<&mut Failure>,
    ) -> Option<Change> {
        let (Some(left), Some(failure)) = (left, failure) else {
            return self.earlier.take().map(Change::DropPending);
        };
        let handle = left.handle.and_then(|handle| serde_json::to_string(&handle).ok());
        let row = handle.and_then(|handle| Some(PendingRow { handle, ..self.to_keep(exposed)? }));
        failure.pending = Some(PendingNotice {
            url: left.url,
            state: left.state,
            expires: row.as_ref().map(|row| Time(row.expires).to_string()),
        });
        failure.next_step = match (&row, failure.retryable) {
            (Some(_), true) => {
                "The API goes on with it. Make the same call again later: that asks what became of \
                 it and starts nothing new."
            }
            (Some(_), false) => {
                "The API goes on with it. The same call, made again once that can help, asks what \
                 became of it and starts nothing new."
            }
            (None, _) => {
                "The API goes on with it. Find out with a read what became of it before you do it \
                 again."
            }
        }
        .to_owned();
        if row.is_none() {
            // Made again, it would be another one.
            failure.retryable = false;
        }
        row.map(Change::KeepPending)
    }
}
