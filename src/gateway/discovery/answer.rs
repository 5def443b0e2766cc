//! A call of one of discovery's own tools: answered, and recorded with what was shown.

use serde_json::json;
use tollbridge_operation::CallId;

use super::{Meta, Results, View, meta};
use crate::gateway::pipeline::{self, Ground, Shown};
use crate::gateway::reply::{CallMeta, ErrorCode, Failure, Reply, Violation};
use crate::gateway::request::{CallRequest, CallWatch, Caller, Refused};

/// The answer to a call, and the name under which it is counted.
pub(in crate::gateway) struct Answered {
    pub(in crate::gateway) answer: Result<Reply, Refused>,
    /// `None` where there is nothing of that name for this caller.
    pub(in crate::gateway) called: Option<String>,
}

/// Answers a call of one of discovery's tools. An invocation becomes a call of the operation.
pub(in crate::gateway) async fn answer(
    id: CallId,
    ground: Ground<'_>,
    caller: &Caller,
    mut request: CallRequest,
    watch: CallWatch,
    (which, view): (Meta, View<'_>),
) -> Answered {
    let called = Some(which.name().to_owned());
    let tool = view.discovery.tool(which);
    let arguments = match tool.arguments(&request.arguments) {
        Ok(arguments) => arguments.0,
        Err(violations) => {
            let violations = violations.into_iter().map(Violation::from).collect();
            let failure = Failure::invalid(violations);
            let answer = pipeline::show(id, ground, caller, &mut request, Err(failure)).await;
            return Answered { answer, called };
        }
    };
    let shown = match which {
        Meta::Invoke => {
            let (operation, arguments) = meta::invoked(arguments);
            let Some(name) = view.called_by(&operation).map(str::to_owned) else {
                let mut request = CallRequest { tool: operation, arguments, ..request };
                let answer = Box::pin(pipeline::unknown(id, ground, caller, &mut request)).await;
                return Answered { answer: answer.or_else(unknown), called: None };
            };
            let request = CallRequest { tool: name.clone(), arguments, ..request };
            let answer = Box::pin(pipeline::run(id, ground, caller, request, watch)).await;
            return Answered { answer, called: Some(name) };
        }
        Meta::Search => {
            let (query, limit) = meta::searched(&arguments);
            let all = query.trim().is_empty();
            let Results { text, hits, matched } =
                if all { view.apis() } else { view.search(query, limit) };
            let operations = hits.into_iter().map(|hit| hit.id).collect();
            Shown { value: json!({ "results": text }), operations, matched }
        }
        Meta::Describe => {
            let ids = meta::described(&arguments);
            let (mut texts, mut operations) = (Vec::new(), Vec::new());
            for one in &ids {
                let text = view.describe(one);
                operations.extend(text.is_some().then(|| (*one).to_owned()));
                texts.push(text.unwrap_or_else(|| format!("{}: {UNKNOWN}", quoted(one))));
            }
            let matched = operations.len();
            Shown { value: json!({ "operations": texts.join("\n\n") }), operations, matched }
        }
    };
    let answer = pipeline::show(id, ground, caller, &mut request, Ok(shown)).await;
    Answered { answer, called }
}

const UNKNOWN: &str = "there is no such operation; search_operations finds those that there are";

/// An agent's own words in an answer, on one line.
fn quoted(id: &str) -> String {
    let id: String = id.chars().take(128).collect();
    json!(id).to_string()
}

/// What is invoked and is not there is an argument that is wrong, not a tool that is missing.
fn unknown(refused: Refused) -> Result<Reply, Refused> {
    let Refused::UnknownTool { tool, call } = refused else { return Err(refused) };
    let expected =
        format!("the id of an operation that search_operations finds, not {}", quoted(&tool));
    let violations = vec![Violation { pointer: "/id".to_owned(), expected, suggestion: None }];
    let failure = Failure {
        next_step: "Search for what you want to do, and use an id of the result.".to_owned(),
        ..Failure::invalid(violations)
    };
    debug_assert_eq!(failure.code, ErrorCode::InvalidArguments);
    Ok(Reply { meta: CallMeta::unsent(call), result: Err(failure) })
}
