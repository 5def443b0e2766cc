//! How an event becomes a row of the trail, redacted and bounded; and a row an event again, with what it
//! has in common with others.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tollbridge_operation::CallId;

use super::considered::{self, Stood};
use super::event::{Event, FileRow, Place};
use crate::secret::Redactor;
use crate::store::{EventRow, Shared, StoredEvent};

/// Arguments are kept whole up to this size; of larger ones size and digest are.
const MAX_ARGUMENTS: usize = 1024 * 1024;

/// Other texts are cut at this size: they come from strangers and explain, no more.
const MAX_TEXT: usize = 16 * 1024;

/// What of an event may hold personal data, under the names that it has in the event.
#[derive(Debug, Default, Serialize)]
struct Personal<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'e Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracestate: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<&'e BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'e Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<&'e [FileRow]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms: Option<&'e Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    served_by: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    became: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<&'e BTreeMap<usize, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<&'e [Stood]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    places: Option<&'e [Place]>,
}

impl Personal<'_> {
    fn is_empty(&self) -> bool {
        let Self {
            arguments,
            reason,
            tracestate,
            headers,
            by,
            files,
            terms,
            url,
            why,
            error,
            message,
            served_by,
            became,
            failed,
            read,
            places,
        } = self;
        let texts = [reason, tracestate, url, why, error, message, served_by, became];
        arguments.is_none()
            && by.is_none()
            && headers.is_none()
            && files.is_none()
            && terms.is_none()
            && failed.is_none()
            && read.is_none()
            && places.is_none()
            && texts.iter().all(|text| text.is_none())
    }
}

/// The columns of an event that opens a call.
#[derive(Debug, Clone, Copy, Default)]
struct Opening<'a> {
    identity: Option<&'a Arc<str>>,
    tool: Option<&'a Arc<str>>,
    api: Option<&'a Arc<str>>,
    operation: Option<&'a Arc<str>>,
}

impl Event {
    /// The event as a row. Nothing that the redactor knows gets into it, and no text without
    /// bounds.
    pub fn row(&self, call: Option<&CallId>, at: i64, redactor: &Redactor) -> EventRow {
        let call = call.map(Arc::from);
        let opening = self.opening();
        let personal = self.personal();
        let payload = (!personal.is_empty()).then(|| json_text(&personal)).transpose();
        let is_clean = |text: &str| text.len() <= MAX_TEXT && redactor.leaves_json(text);
        match (json_text(self), payload) {
            // Nearly always: nothing in it is long, and nothing in it is secret.
            (Ok(body), Ok(payload))
                if (self.is_ours() || is_clean(&body))
                    && payload.as_deref().is_none_or(is_clean) =>
            {
                EventRow {
                    identity: opening.identity.cloned(),
                    tool: opening.tool.cloned(),
                    api: opening.api.cloned(),
                    operation: opening.operation.cloned(),
                    ..self.bare_row(call, at, body, payload)
                }
            }
            _ => self.clean_row(call, at, redactor),
        }
    }

    /// The row of an event that must be cleaned member by member.
    pub(super) fn clean_row(
        &self,
        call: Option<Arc<str>>,
        at: i64,
        redactor: &Redactor,
    ) -> EventRow {
        let mut body = match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            // An event has only names and values that JSON has.
            _ => Map::from_iter([("kind".to_owned(), self.kind().into())]),
        };
        let mut payload = match serde_json::to_value(self.personal()) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        };
        for (name, value) in body.iter_mut().chain(&mut payload) {
            clean(name, value, redactor);
        }
        let opens = matches!(self, Self::Received { .. } | Self::Malformed { .. });
        let of_call = |name: &str| {
            let column = || body.get(name).and_then(Value::as_str).map(Arc::from);
            if opens { column() } else { None }
        };
        let (identity, tool) = (of_call("identity"), of_call("tool"));
        let (api, operation) = (of_call("api"), of_call("operation"));
        let body = Value::Object(body).to_string();
        let payload = (!payload.is_empty()).then(|| Value::Object(payload).to_string());
        EventRow { identity, tool, api, operation, ..self.bare_row(call, at, body, payload) }
    }

    /// Whether nothing is in its body but numbers and words of closed lists, which [`clean`] leaves.
    fn is_ours(&self) -> bool {
        match self {
            // `error` and `headers` are in the payload.
            Self::AttemptFinished {
                n: _,
                status: _,
                error: _,
                queued_ms: _,
                duration_ms: _,
                bytes: _,
                headers: _,
            } => true,
            // `message` and `served_by` are.
            Self::Replied {
                outcome: _,
                message: _,
                attempts: _,
                status: _,
                served_by: _,
                upstream_ms: _,
                bytes: _,
                cost,
                duration_ms: _,
            } => cost.is_none(),
            _ => false,
        }
    }

    /// What of it may hold personal data.
    fn personal(&self) -> Personal<'_> {
        let none = Personal::default();
        match self {
            Self::Received { arguments, reason, tracestate, by, .. } => Personal {
                arguments: Some(arguments),
                reason: reason.as_deref(),
                tracestate: tracestate.as_deref(),
                by: by.as_deref(),
                ..none
            },
            Self::Edited { arguments, .. } => Personal { arguments: Some(arguments), ..none },
            Self::Malformed { reason, .. } => Personal { reason: Some(reason), ..none },
            Self::FilesRead { files } => Personal { files: Some(files), ..none },
            Self::Decided { reason, considered, .. } => {
                let told = considered.form.as_ref().map(|_| &considered.told);
                Personal {
                    reason: reason.as_deref(),
                    became: told.map(|told| &*told.became),
                    failed: told.map(|told| &told.failed).filter(|failed| !failed.is_empty()),
                    read: told.map(|told| &*told.read),
                    ..none
                }
            }
            Self::Approved { reason, .. } | Self::Rejected { reason, .. } => {
                Personal { reason: reason.as_deref(), ..none }
            }
            Self::Quoted { terms, .. } => {
                Personal { terms: (!terms.is_null()).then_some(terms), ..none }
            }
            Self::AttemptStarted { url, why, .. } => {
                Personal { url: Some(url), why: why.as_deref(), ..none }
            }
            Self::AttemptFinished { error, headers, .. } => Personal {
                error: error.as_deref(),
                headers: (!headers.is_empty()).then_some(headers),
                ..none
            },
            Self::SuspiciousContent { places } => Personal { places: Some(places), ..none },
            Self::FellBack { why, .. } | Self::PassedOver { why, .. } => {
                Personal { why: Some(why), ..none }
            }
            Self::Replied { message, served_by, .. } => {
                Personal { message: message.as_deref(), served_by: served_by.as_deref(), ..none }
            }
            Self::Held { .. }
            | Self::Found { .. }
            | Self::Reserved { .. }
            | Self::Released { .. }
            | Self::SwitchStopped { .. }
            | Self::SwitchResumed { .. }
            | Self::KeyCreated { .. }
            | Self::KeyRevoked { .. }
            | Self::TokenIssued { .. }
            | Self::TokenForgotten { .. }
            | Self::PayloadsErased { .. }
            | Self::RecordsPruned { .. }
            | Self::ConfigLoaded { .. } => none,
        }
    }

    /// A row without the columns that open a call.
    fn bare_row(
        &self,
        call: Option<Arc<str>>,
        at: i64,
        body: String,
        payload: Option<String>,
    ) -> EventRow {
        let outcome = match self {
            Self::Malformed { .. } => Some("malformed".to_owned()),
            // A word of a closed list, and so nothing that is cleaned.
            Self::Replied { outcome, .. } => Some(outcome.clone()),
            _ => None,
        };
        let decision = match self {
            Self::Decided { effect, .. } => Some(effect.as_str().into()),
            _ => None,
        };
        EventRow {
            call,
            at,
            kind: self.kind().into(),
            identity: None,
            tool: None,
            api: None,
            operation: None,
            decision,
            outcome,
            body,
            payload,
            shared: self.shared().cloned(),
        }
    }

    /// The text that it names.
    fn shared(&self) -> Option<&Shared> {
        match self {
            Self::Received { went_by, .. } => Some(went_by.shared()),
            Self::Decided { considered, .. } => considered.form.as_ref(),
            _ => None,
        }
    }

    /// What an event that opens a call says in columns of their own.
    fn opening(&self) -> Opening<'_> {
        match self {
            Self::Received { identity, tool, api, operation, .. } => Opening {
                identity: Some(identity),
                tool: Some(tool),
                api: api.as_ref(),
                operation: operation.as_ref(),
            },
            Self::Malformed { identity, .. } => {
                Opening { identity: identity.as_ref(), ..Opening::default() }
            }
            _ => Opening::default(),
        }
    }

    /// Reads an event back: what it says, with what stands apart from it. `None` for what this
    /// version does not know.
    pub(super) fn read(event: &StoredEvent) -> Option<Self> {
        // By way of a value: read from text into a tagged enum, serde takes a number of
        // arbitrary precision for a map.
        serde_json::from_value(Value::Object(said(event)?)).ok()
    }
}

/// Stands for what was erased.
const ERASED: &str = "(erased)";

/// An event's members, with what stands apart from it. `None` where they cannot be read.
pub(super) fn members(event: &StoredEvent) -> Option<Map<String, Value>> {
    let mut members = said(event)?;
    if let Some(form) = event.shared.as_ref().filter(|_| event.kind == "decided") {
        considered::put_together(form, &mut members);
    }
    Some(members)
}

/// The same with the policies of a decision as they are stored.
fn said(event: &StoredEvent) -> Option<Map<String, Value>> {
    let mut members: Map<String, Value> = serde_json::from_str(&event.body).ok()?;
    if let Some(text) = &event.shared {
        members.shift_remove("shared");
        if event.kind != "decided" {
            // One that was changed tells nothing: `trace verify` tells of it.
            let text: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
            members.extend(text);
        }
    }
    if let Some(payload) = &event.payload {
        members.extend(serde_json::from_str::<Map<String, Value>>(payload).ok()?);
    } else if event.erased {
        let instead = match &*event.kind {
            "received" => Some(("arguments", json!({ "tollbridge/erased": true }))),
            "malformed" => Some(("reason", ERASED.into())),
            "attempt_started" => Some(("url", ERASED.into())),
            _ => None,
        };
        members.extend(instead.map(|(name, value)| (name.to_owned(), value)));
        members.insert("erased".to_owned(), true.into());
    }
    Some(members)
}

/// Most of what events say has room in that many bytes.
const ROOM: usize = 384;

/// The text of something in JSON, in one piece of memory where it is not long.
fn json_text(of: &impl Serialize) -> serde_json::Result<String> {
    let mut text = Vec::with_capacity(ROOM);
    serde_json::to_writer(&mut text, of)?;
    String::from_utf8(text).map_err(serde::ser::Error::custom)
}

/// Redacts and bounds one member of an event. Numbers and the words of closed lists are our
/// own; a caller's are inside arguments.
fn clean(name: &str, value: &mut Value, redactor: &Redactor) {
    let is_ours = matches!(name, "kind" | "effect" | "outcome" | "scope" | "shared" | "became");
    if is_ours || value.is_number() {
        return;
    }
    match value {
        // Who it was is known by the name, also where names are e-mail addresses.
        Value::String(text) if matches!(name, "identity" | "by" | "user") => {
            *text = redactor.known_text(text).into_owned();
        }
        _ => redactor.value(value),
    }
    match value {
        Value::String(text) => cut(text),
        Value::Object(_) | Value::Array(_) => {
            let text = value.to_string();
            if text.len() > MAX_ARGUMENTS {
                let digest = hex::encode(Sha256::digest(&text));
                *value = json!({"tollbridge/cut": {"bytes": text.len(), "sha256": digest}});
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cut(text: &mut String) {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push('…');
    }
}
