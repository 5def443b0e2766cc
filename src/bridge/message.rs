//! A call's message, where it is more than its arguments: fixed header blocks, a security
//! token, what is new in each message.
//!
//! What it is made of is kept beside the request, because each attempt may need another one: a
//! nonce that came twice is refused, and so is a time that is over.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use tollbridge_operation::{
    Arguments, Enclosure, EncodeError, MessageSecurity, Moment, Operation, Request,
};

use super::upstream::Upstream;
use crate::secret::REDACTED;

/// What a call's message is made of.
pub(super) struct Message {
    operation: Arc<Operation>,
    arguments: Arguments,
    enclosure: Arc<Enclosure>,
}

/// The system gives no random bytes, so that no new message can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRandomness;

impl Message {
    /// The call's message; `None` where its arguments alone make it.
    pub(super) fn of(
        upstream: &Upstream,
        operation: &Arc<Operation>,
        arguments: &Arguments,
        security: Option<MessageSecurity>,
    ) -> Option<Self> {
        let enclosure = match security {
            None => Arc::clone(&upstream.enclosure),
            security => Arc::new(Enclosure { security, ..(*upstream.enclosure).clone() }),
        };
        if enclosure.is_empty() && !operation.binding.is_momentary(&enclosure) {
            return None;
        }
        Some(Self { operation: Arc::clone(operation), arguments: arguments.clone(), enclosure })
    }

    /// Builds the request for this moment, to that base URL.
    pub(super) fn request(
        &self,
        upstream: &Upstream,
        at: usize,
    ) -> Result<Result<Request, EncodeError>, NoRandomness> {
        self.built(upstream, at, &self.enclosure)
    }

    /// The request as it may be seen: built without the secrets, so that it does not depend on
    /// their being recognised.
    pub(super) fn shown(&self, upstream: &Upstream) -> Option<Request> {
        self.built(upstream, 0, &self.enclosure.shown(REDACTED)).ok()?.ok()
    }

    fn built(
        &self,
        upstream: &Upstream,
        at: usize,
        enclosure: &Enclosure,
    ) -> Result<Result<Request, EncodeError>, NoRandomness> {
        let random = (upstream.random)().ok_or(NoRandomness)?;
        let now = (upstream.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        let moment = Moment { now, random, to: upstream.bases[at].url.as_str() };
        Ok(self.operation.binding.enclose(&self.arguments, enclosure, &moment))
    }

    /// Whether each request needs another one.
    pub(super) fn is_momentary(&self) -> bool {
        self.operation.binding.is_momentary(&self.enclosure)
    }

    /// Whether it proves who we are, and so must not reach another origin.
    pub(super) fn is_confidential(&self) -> bool {
        self.enclosure.is_confidential()
    }
}
