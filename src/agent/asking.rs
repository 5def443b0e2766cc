//! Asking the person at the client about a held call: MCP elicitation in form mode.
//!
//! A legacy session is asked while the call stays open. A client of 2026-07-28 is answered with
//! `input_required` and makes the call again (SEP-2322); what it hands back is opened and judged by
//! the gateway. Only a client that declared that it can is asked at all. Its word is taken for its
//! own caller's and nobody else's: see `docs/approvals.md` for whom that is enough.

use std::time::Duration;

use futures::FutureExt as _;
use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ElicitRequest, ElicitRequestParams, ElicitResult,
    ElicitationAction, ElicitationSchema, InputRequest, InputRequests, InputRequiredResult,
    ProtocolVersion,
};
use rmcp::service::{Peer, RequestContext};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::result::server_meta;
use crate::gateway::{Answer, Answered, Asker, Asking, Question};
use crate::tools::visible;

/// The name of our one question.
const QUESTION: &str = "approval";

/// The longest reason that is taken of a person, or shown to one.
const MAX_REASON: usize = 500;

/// How the client of a call is asked, and what tells that it is not any more.
pub(super) struct Asks {
    /// How.
    pub(super) way: Asking,
    /// Cancelled when the call is let through, where somebody waits for that.
    pub(super) through: Option<CancellationToken>,
}

impl Asks {
    /// It is not.
    pub(super) fn never() -> Self {
        Self { way: Asking::Never, through: None }
    }
}

/// How the client of this request can be asked.
pub(super) fn way(context: &RequestContext<RoleServer>) -> Asking {
    if !context.client_capabilities().is_some_and(|can| knows_forms(&can)) {
        return Asking::Never;
    }
    match context.protocol_version() {
        Some(version) if version >= ProtocolVersion::V_2026_07_28 => Asking::Round,
        Some(_) => Asking::Live(live(context.peer.clone())),
        None => Asking::Never,
    }
}

/// Whether a client declared that it can show forms. One that names no mode means forms
/// (2025-11-25, elicitation, "Capabilities").
pub(super) fn knows_forms(can: &ClientCapabilities) -> bool {
    can.elicitation.as_ref().is_some_and(|modes| modes.form.is_some() || modes.url.is_none())
}

/// Asks over a session, and waits.
fn live(peer: Peer<RoleServer>) -> Asker {
    Asker::new(move |question: Question, within: Duration| {
        let peer = peer.clone();
        async move {
            match peer.create_elicitation_with_timeout(form(&question), Some(within)).await {
                Ok(result) => said(&result),
                Err(error) => {
                    tracing::info!(hold = question.hold, %error, "a client did not answer");
                    Answer::None
                }
            }
        }
        .boxed()
    })
}

/// The result that has the client ask, and make the call again.
pub(super) fn round(
    question: &Question,
    server: &std::sync::Arc<rmcp::model::Implementation>,
) -> InputRequiredResult {
    let request = InputRequest::Elicitation(ElicitRequest::new(form(question)));
    let requests = InputRequests::from([(QUESTION.to_owned(), request)]);
    InputRequiredResult::new(Some(requests), question.state.clone()).with_meta(server_meta(server))
}

/// What a repeated call brings of its client's answer. A client that hands the state back without
/// an answer is asked again.
pub(super) fn answered(request: &CallToolRequestParams) -> Option<Answered> {
    let state = request.request_state.clone()?;
    let response = request.input_responses.as_ref().and_then(|all| all.get(QUESTION));
    let result = response.and_then(|given| serde_json::from_value(given.clone()).ok());
    let answer = result.as_ref().map(said);
    Some(Answered { state, answer })
}

/// What a person is shown, and what they may say. The one field that counts has no default, so
/// that a form that is sent off as it came approves nothing.
fn form(question: &Question) -> ElicitRequestParams {
    let schema = ElicitationSchema::builder()
        .required_bool_property("approve", |field| {
            field.title("Approve").description("Whether this one call may be made")
        })
        .string_property("reason", |field| {
            let most = u32::try_from(MAX_REASON).unwrap_or(u32::MAX);
            field.title("Reason").description("Why, for the audit trail").max_length(most)
        })
        .build_unchecked();
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: message(question),
        requested_schema: schema,
    }
}

fn message(question: &Question) -> String {
    let Question { tool, target, stated, arguments, price, rule, expires, hold, .. } = question;
    let arguments = format!("{arguments:#}");
    // One line, as JSON writes it: the agent's words are none of ours.
    let stated = stated.as_ref().map(|text| {
        let (mut cut, long) =
            (text.chars().take(MAX_REASON).collect::<String>(), text.chars().count() > MAX_REASON);
        if long {
            cut.push('…');
        }
        format!("The agent's reason: {}\n", Value::String(cut))
    });
    let stated = stated.unwrap_or_default();
    let price = price.as_ref().map(|price| format!("\nPrice: {price}")).unwrap_or_default();
    visible(&format!(
        "An agent wants to call `{tool}`, and a person must approve it.\n\
         Request: {target}{price}\n\
         Rule: {rule}\n\
         Held as: {hold}, until {expires}\n\
         {stated}Arguments: {arguments}"
    ))
}

fn said(result: &ElicitResult) -> Answer {
    let content = result.content.as_ref();
    let reason = content
        .and_then(|content| content.get("reason")?.as_str())
        .map(|reason| reason.chars().take(MAX_REASON).collect::<String>())
        .filter(|reason| !reason.trim().is_empty());
    match (&result.action, content.and_then(|content| content.get("approve"))) {
        (ElicitationAction::Accept, Some(Value::Bool(true))) => Answer::Yes { reason },
        (ElicitationAction::Accept, Some(Value::Bool(false))) | (ElicitationAction::Decline, _) => {
            Answer::No { reason }
        }
        _ => Answer::None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn question() -> Question {
        Question {
            hold: "h_1".into(),
            tool: "refund".into(),
            target: "POST https://shop.example.com/refunds".into(),
            arguments: json!({"note": "ok\u{202e}"}),
            stated: Some("late\nApprove: yes \u{202e}".into()),
            price: Some("0.01 USDC".into()),
            rule: "refund.hold".into(),
            expires: "2026-11-28T21:00:00Z".into(),
            state: Some("s".into()),
        }
    }

    #[test]
    fn a_question_is_a_flat_form_that_shows_all_that_is_decided_on() {
        let request = serde_json::to_value(round(&question(), &super::super::result::server("t")));
        let request = request.expect("JSON");
        assert_eq!(request["resultType"], "input_required");
        assert_eq!(request["requestState"], "s");
        let params = &request["inputRequests"]["approval"]["params"];
        assert_eq!(params["mode"], "form");
        let schema = &params["requestedSchema"];
        assert_eq!(schema["required"], json!(["approve"]));
        assert_eq!(schema["properties"]["approve"]["type"], "boolean");
        assert!(schema["properties"]["approve"].get("default").is_none());
        insta::assert_snapshot!(params["message"].as_str().expect("a text"), @r#"
        An agent wants to call `refund`, and a person must approve it.
        Request: POST https://shop.example.com/refunds
        Price: 0.01 USDC
        Rule: refund.hold
        Held as: h_1, until 2026-11-28T21:00:00Z
        The agent's reason: "late\nApprove: yes ‹U+202E›"
        Arguments: {
          "note": "ok‹U+202E›"
        }
        "#);
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        let result = |text: Value| serde_json::from_value::<ElicitResult>(text).expect("a result");
        let yes = |reason: Option<&str>| Answer::Yes { reason: reason.map(str::to_owned) };
        for (given, answer) in [
            (json!({"action": "accept", "content": {"approve": true}}), yes(None)),
            (
                json!({"action": "accept", "content": {"approve": true, "reason": "fine"}}),
                yes(Some("fine")),
            ),
            (
                json!({"action": "accept", "content": {"approve": false, "reason": " "}}),
                Answer::No { reason: None },
            ),
            (json!({"action": "accept", "content": {"approve": "true"}}), Answer::None),
            (json!({"action": "accept", "content": {}}), Answer::None),
            (json!({"action": "accept"}), Answer::None),
            (json!({"action": "decline"}), Answer::No { reason: None }),
            (json!({"action": "cancel", "content": {"approve": true}}), Answer::None),
        ] {
            assert_eq!(said(&result(given.clone())), answer, "{given}");
        }
    }
}
