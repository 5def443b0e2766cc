//! What the trail keeps, and how it becomes a row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tollbridge_operation::CallId;

use super::considered::{self, Stood};
use super::{Considerations, Time, WentBy};
use crate::secret::Redactor;
use crate::store::{EventRow, Shared, StopScope, StoredEvent};

/// Arguments are kept whole up to this size; of larger ones size and digest are.
const MAX_ARGUMENTS: usize = 1024 * 1024;

/// Other texts are cut at this size: they come from strangers and explain, no more.
const MAX_TEXT: usize = 16 * 1024;

/// Something that happened. Its JSON form, with `kind`, is what the trail holds.
///
/// What may hold personal data or texts of strangers stands apart in the trail, so that it can be
/// erased: it is not serialized here but by `Personal`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "one is made at a time, and is no longer kept")]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A call came in. It opens a call.
    Received {
        /// Who calls.
        identity: String,
        /// The tool's name, whether or not there is such a tool.
        tool: String,
        /// The API of its operation.
        api: Option<String>,
        /// The operation's key in its API.
        operation: Option<String>,
        /// The arguments as the agent sent them.
        #[serde(default, skip_serializing)]
        arguments: Value,
        /// Why it is made, as the agent said it, where the tool takes that.
        #[serde(default, skip_serializing)]
        reason: Option<String>,
        /// How it came in: `stdio`, `http` or `cli`.
        transport: String,
        /// The client's name and version.
        client: Option<String>,
        /// W3C Trace Context, as the agent sent it; nothing where the call began a trace of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
        /// What vendors say of that trace, as the agent sent it.
        #[serde(default, skip_serializing)]
        tracestate: Option<String>,
        /// By what it goes.
        #[serde(flatten)]
        went_by: WentBy,
        /// The process that took it in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<String>,
        /// How the caller proved who it is, and what else was known of it then; nothing where it
        /// is on this machine and proved nothing.
        #[serde(default, skip_serializing)]
        by: Option<Box<Value>>,
    },
    /// Something came in that is no call. It opens a call and ends it.
    Malformed {
        /// How it came in.
        transport: String,
        /// Who sent it, where that is known.
        identity: Option<String>,
        /// What is wrong with it.
        #[serde(default, skip_serializing)]
        reason: String,
    },
    /// Files were read that the arguments name, to be sent.
    FilesRead {
        /// Which.
        #[serde(default, skip_serializing)]
        files: Vec<FileRow>,
    },
    /// A decision fell.
    Decided {
        /// Which.
        effect: Verdict,
        /// The rules that said so.
        rules: Vec<String>,
        /// Why, in words.
        #[serde(default, skip_serializing)]
        reason: Option<String>,
        /// The policies that were considered, where there was more than one to consider. They are
        /// not read back: an event that is read has them as
        /// [`ConsideredRow`](super::ConsideredRow)s.
        #[serde(
            rename = "shared",
            default,
            skip_deserializing,
            skip_serializing_if = "Considerations::are_none",
            serialize_with = "by_digest"
        )]
        considered: Considerations,
    },
    /// A person must decide.
    Held {
        /// The hold's handle.
        hold: String,
        /// Until when.
        expires: Time,
    },
    /// A person said yes.
    Approved {
        /// The hold's handle.
        hold: String,
        /// Who decided.
        by: String,
        /// Why, in their words.
        #[serde(default, skip_serializing)]
        reason: Option<String>,
        /// When they did, where that was before this.
        decided: Option<Time>,
        /// The user of the operating system who decided in that name, where it was not their own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// A person said no.
    Rejected {
        /// The hold's handle.
        hold: String,
        /// Who decided.
        by: String,
        /// Why, in their words.
        #[serde(default, skip_serializing)]
        reason: Option<String>,
        /// The user of the operating system who decided in that name, where it was not their own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// A person changed the arguments of a held call, and said yes to it so.
    Edited {
        /// The hold's handle.
        hold: String,
        /// Who did.
        by: String,
        /// The arguments as they are then.
        #[serde(default, skip_serializing)]
        arguments: Value,
        /// The user of the operating system who did in that name, where it was not their own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
    },
    /// A price was named.
    Quoted {
        /// The price: `0.01 USDC`.
        price: String,
        /// The payment requirements that the caller was sent.
        #[serde(default, skip_serializing)]
        terms: Value,
    },
    /// The call was counted in windows, and took its part of budgets.
    Reserved {
        /// The keys of the windows.
        windows: Vec<String>,
        /// What it took of which budgets.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        budgets: Vec<Reservation>,
    },
    /// A request is about to go out.
    AttemptStarted {
        /// Counted from 1.
        n: u32,
        /// Where to.
        #[serde(default, skip_serializing)]
        url: String,
        /// The method.
        method: String,
        /// How long was waited before it.
        wait_ms: u64,
        /// Why it is not the first one.
        #[serde(default, skip_serializing)]
        why: Option<String>,
        /// The key by which the API tells repetitions of the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idempotency_key: Option<String>,
        /// The id of its span, where it is sent (W3C Trace Context).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        span: Option<String>,
    },
    /// A request came to an end.
    AttemptFinished {
        /// Which.
        n: u32,
        /// The status of the answer.
        status: Option<u16>,
        /// What failed.
        #[serde(default, skip_serializing)]
        error: Option<String>,
        /// How long it waited for its turn before it was sent.
        #[serde(default, skip_serializing_if = "is_zero")]
        queued_ms: u64,
        /// How long it took from then on.
        duration_ms: u64,
        /// How many bytes of body were read.
        bytes: u64,
        /// What the answer's headers say of why it came to be.
        #[serde(default, skip_serializing)]
        headers: BTreeMap<String, String>,
    },
    /// An answer speaks to a model. Nothing follows from it.
    SuspiciousContent {
        /// Where, and what it says: at most a few.
        #[serde(default, skip_serializing)]
        places: Vec<Place>,
    },
    /// Operations were found, or described: what the caller was shown.
    Found {
        /// Their ids, the best first.
        operations: Vec<String>,
        /// How many fitted, shown or not.
        matched: u64,
    },
    /// Something stands in for the tool's operation, which could not answer.
    FellBack {
        /// What: an operation, `cache`, or `the declared answer`.
        to: String,
        /// What failed.
        #[serde(default, skip_serializing)]
        why: String,
    },
    /// What might have stood in was not asked.
    PassedOver {
        /// Which operation.
        operation: String,
        /// Why.
        #[serde(default, skip_serializing)]
        why: String,
    },
    /// What was reserved was given back.
    Released {
        /// What: keys of windows, a nonce.
        reservations: Vec<String>,
        /// Why, in words.
        reason: String,
    },
    /// The caller has its answer. It ends a call.
    Replied {
        /// `succeeded`, an error code, or `unknown_tool`.
        outcome: String,
        /// The error's message.
        #[serde(default, skip_serializing)]
        message: Option<String>,
        /// How many requests went out.
        attempts: u32,
        /// The last answer's status.
        status: Option<u16>,
        /// The URL that answered, an operation, or `cache`.
        #[serde(default, skip_serializing)]
        served_by: Option<String>,
        /// How long the upstream took, waits among it.
        upstream_ms: u64,
        /// How many bytes the last answer had.
        bytes: u64,
        /// What was charged: `0.01 USDC`.
        cost: Option<String>,
        /// How long the call took.
        duration_ms: u64,
    },
    /// The kill switch was turned on.
    SwitchStopped {
        /// For what.
        #[serde(flatten)]
        scope: StopScope,
        /// Who did.
        by: String,
    },
    /// The kill switch was turned off.
    SwitchResumed {
        /// For what.
        #[serde(flatten)]
        scope: StopScope,
        /// Who did.
        by: String,
    },
    /// An inbound API key was made.
    KeyCreated {
        /// Its name.
        id: String,
        /// Whom it stands for.
        identity: String,
        /// Who made it.
        by: String,
    },
    /// An inbound API key was revoked.
    KeyRevoked {
        /// Its name.
        id: String,
        /// Who did.
        by: String,
    },
    /// A token for an API was got. What it is, is nowhere in the trail.
    TokenIssued {
        /// The API.
        api: String,
        /// The security scheme, where the API has several.
        scheme: Option<String>,
        /// Whom it stands for, where each identity has its own.
        identity: Option<String>,
        /// How it was got: `login`, or the grant.
        grant: String,
        /// What it allows, where that was said.
        scopes: Option<String>,
        /// When it ends, where that was said.
        expires: Option<Time>,
    },
    /// A token for an API is kept no longer.
    TokenForgotten {
        /// The API.
        api: String,
        /// The security scheme, where the API has several.
        scheme: Option<String>,
        /// Whom it stood for, where each identity has its own.
        identity: Option<String>,
    },
    /// Payloads of events are removed. It comes before that, and allows it.
    PayloadsErased {
        /// Of which: runs of places in the trail, each from its first to its last.
        events: Vec<(i64, i64)>,
        /// `asked for` or `age`.
        why: String,
        /// Who asked, or `retention`.
        by: String,
    },
    /// The trail's oldest events are removed. It comes before that, and allows it.
    RecordsPruned {
        /// Up to which place.
        upto: i64,
        /// The hash of the event there, in hex: the chain goes on from it.
        hash: String,
        /// `age` or `size`.
        why: String,
        /// Who asked, or `retention`.
        by: String,
    },
    /// A configuration took effect.
    ConfigLoaded {
        /// Its digest.
        config: String,
        /// How many tools it has.
        tools: u32,
    },
}

/// What a call took of a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The budget, and whom it counts for.
    pub key: String,
    /// How much.
    pub amount: String,
}

/// A place in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// A JSON pointer into it.
    pub pointer: String,
    /// What is there, in words.
    pub message: String,
}

/// A file that a call sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// Its path in the API's folder of files.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its content.
    pub digest: String,
}

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

fn by_digest<S: Serializer>(considered: &Considerations, to: S) -> Result<S::Ok, S::Error> {
    considered.form.as_ref().map(Shared::digest).serialize(to)
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

/// What was decided on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It may go on.
    Allow,
    /// It may not.
    Deny,
    /// A person must decide.
    Hold,
}

impl Verdict {
    /// The word that the trail uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Hold => "hold",
        }
    }
}

/// The columns of an event that opens a call.
#[derive(Debug, Clone, Copy, Default)]
struct Opening<'a> {
    identity: Option<&'a str>,
    tool: Option<&'a str>,
    api: Option<&'a str>,
    operation: Option<&'a str>,
}

impl Event {
    /// The event's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Received { .. } => "received",
            Self::Malformed { .. } => "malformed",
            Self::FilesRead { .. } => "files_read",
            Self::Decided { .. } => "decided",
            Self::Held { .. } => "held",
            Self::Approved { .. } => "approved",
            Self::Rejected { .. } => "rejected",
            Self::Edited { .. } => "edited",
            Self::Quoted { .. } => "quoted",
            Self::Reserved { .. } => "reserved",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::AttemptFinished { .. } => "attempt_finished",
            Self::SuspiciousContent { .. } => "suspicious_content",
            Self::Found { .. } => "found",
            Self::FellBack { .. } => "fell_back",
            Self::PassedOver { .. } => "passed_over",
            Self::Released { .. } => "released",
            Self::Replied { .. } => "replied",
            Self::SwitchStopped { .. } => "switch_stopped",
            Self::SwitchResumed { .. } => "switch_resumed",
            Self::KeyCreated { .. } => "key_created",
            Self::KeyRevoked { .. } => "key_revoked",
            Self::TokenIssued { .. } => "token_issued",
            Self::TokenForgotten { .. } => "token_forgotten",
            Self::PayloadsErased { .. } => "payloads_erased",
            Self::RecordsPruned { .. } => "records_pruned",
            Self::ConfigLoaded { .. } => "config_loaded",
        }
    }

    /// The event as a row. Nothing that the redactor knows gets into it, and no text without
    /// bounds.
    pub fn row(&self, call: Option<&CallId>, at: i64, redactor: &Redactor) -> EventRow {
        let call = call.map(|call| call.as_str().to_owned());
        let opening = self.opening();
        let personal = self.personal();
        let payload = (!personal.is_empty()).then(|| json_text(&personal)).transpose();
        let is_clean = |text: &str| text.len() <= MAX_TEXT && redactor.leaves_json(text);
        match (json_text(self), payload) {
            // Nearly always: nothing in it is long, and nothing in it is secret.
            (Ok(body), Ok(payload))
                if is_clean(&body) && payload.as_deref().is_none_or(is_clean) =>
            {
                EventRow {
                    identity: opening.identity.map(str::to_owned),
                    tool: opening.tool.map(str::to_owned),
                    api: opening.api.map(str::to_owned),
                    operation: opening.operation.map(str::to_owned),
                    ..self.bare_row(call, at, body, payload)
                }
            }
            _ => self.clean_row(call, at, redactor),
        }
    }

    /// The row of an event that must be cleaned member by member.
    pub(super) fn clean_row(&self, call: Option<String>, at: i64, redactor: &Redactor) -> EventRow {
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
            let column = || body.get(name).and_then(Value::as_str).map(str::to_owned);
            if opens { column() } else { None }
        };
        let (identity, tool) = (of_call("identity"), of_call("tool"));
        let (api, operation) = (of_call("api"), of_call("operation"));
        let body = Value::Object(body).to_string();
        let payload = (!payload.is_empty()).then(|| Value::Object(payload).to_string());
        EventRow { identity, tool, api, operation, ..self.bare_row(call, at, body, payload) }
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
        call: Option<String>,
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
                api: api.as_deref(),
                operation: operation.as_deref(),
            },
            Self::Malformed { identity, .. } => {
                Opening { identity: identity.as_deref(), ..Opening::default() }
            }
            _ => Opening::default(),
        }
    }

    /// Reads an event back: what it says, with what stands apart from it. `None` for what this
    /// version does not know.
    pub(super) fn read(event: &StoredEvent) -> Option<Self> {
        // By way of a value: read from text into a tagged enum, serde takes a number of
        // arbitrary precision for a map.
        serde_json::from_value(Value::Object(members(event)?)).ok()
    }
}

/// Stands for what was erased.
const ERASED: &str = "(erased)";

/// An event's members, with what stands apart from it. `None` where they cannot be read.
pub(super) fn members(event: &StoredEvent) -> Option<Map<String, Value>> {
    let mut members: Map<String, Value> = serde_json::from_str(&event.body).ok()?;
    let mut form = None;
    if let Some(text) = &event.shared {
        members.shift_remove("shared");
        if event.kind == "decided" {
            form = Some(text);
        } else {
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
    if let Some(form) = form {
        considered::put_together(form, &mut members);
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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
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
