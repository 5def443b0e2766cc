//! The first stage: arguments checked, and the request built.

use std::sync::Arc;

use serde_json::Value;
use tollbridge_operation::{Call, CallId, EncodeError};

use crate::bridge::{self, FileRead, PrepareError, Prepared};
use crate::gateway::reply::{ErrorCode, Failure, Violation};
use crate::gateway::request::{CallRequest, Caller};
use crate::gateway::toolbox::Exposed;
use crate::safety::BrokenLimit;

/// A call whose arguments are right and whose request is built. Nothing was decided yet.
pub(super) struct Ready {
    pub(super) call: Call,
    pub(super) prepared: Prepared,
    /// The limits that its arguments break: for safety to judge.
    pub(super) broken: Vec<BrokenLimit>,
    /// The files that it sends.
    pub(super) files: Vec<FileRead>,
}

/// Checks the arguments, and what was said beside them, and builds the request.
pub(super) fn ready(
    id: &CallId,
    caller: &Caller,
    exposed: &Exposed,
    request: &CallRequest,
    reason: Option<&Value>,
) -> Result<Ready, Box<Failure>> {
    let tool = &exposed.tool;
    let invalid = |violations| Box::new(Failure::invalid(violations));
    let unreasoned = tool.reason().and_then(|rule| rule.check(reason));
    let mut arguments = match (tool.arguments(&request.arguments), unreasoned) {
        (Ok(arguments), None) => arguments,
        (judged, unreasoned) => {
            let found = judged.err().into_iter().flatten();
            return Err(invalid(
                unreasoned.into_iter().chain(found).map(Violation::from).collect(),
            ));
        }
    };
    let broken = tool
        .check_limits(&arguments)
        .into_iter()
        .map(|limit| BrokenLimit {
            rule: format!("{}.{}", tool.name, limit.rule),
            message: format!("{} must be {}", limit.pointer, limit.message),
        })
        .collect();
    let unfit = |error: EncodeError| {
        invalid(vec![Violation {
            pointer: tool.shown_pointer(&error.pointer),
            expected: error.expected,
            suggestion: None,
        }])
    };
    let files = bridge::note_files(&exposed.upstream, &tool.operation, &mut arguments);
    let files = files.map_err(unfit)?;
    let call = Call {
        id: id.clone(),
        identity: caller.identity.clone(),
        tool: tool.name.clone(),
        operation: Arc::clone(&tool.operation),
        arguments,
        key: request.idempotency_key.clone(),
        trace: request.trace.clone(),
    };
    match bridge::prepare(&exposed.upstream, &call) {
        Ok(prepared) => Ok(Ready { call, prepared, broken, files }),
        Err(PrepareError::Encode(error)) => Err(unfit(error)),
        Err(error @ PrepareError::Nobody { .. }) => {
            let next_step = "Nothing was done. Do something else, or tell a person: whoever runs the bridge must \
                             give this caller a credential of its own for the API.";
            let failure = Failure::new(ErrorCode::Denied, error.to_string());
            Err(Box::new(Failure { next_step: next_step.to_owned(), ..failure }))
        }
        Err(error) => Err(Box::new(Failure::new(ErrorCode::Internal, error.to_string()))),
    }
}
