//! The pipeline of one call. The only place where the layers meet.

mod reply;
mod request;

pub use reply::{
    CallMeta, ErrorCode, Failure, HoldNotice, Reply, Success, UpstreamAnswer, Violation,
};
pub use request::{CallRequest, CallWatch, Caller, Progress, Refused, Transport};
