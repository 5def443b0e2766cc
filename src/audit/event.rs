//! What the trail keeps: what may happen, and what is said of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::{Considerations, Time, WentBy};
use crate::store::{Shared, StopScope};

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
        identity: Arc<str>,
        /// The tool's name, whether or not there is such a tool.
        tool: Arc<str>,
        /// The API of its operation.
        api: Option<Arc<str>>,
        /// The operation's key in its API.
        operation: Option<Arc<str>>,
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
        identity: Option<Arc<str>>,
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
        windows: Vec<Arc<str>>,
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
    pub key: Arc<str>,
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

fn by_digest<S: Serializer>(considered: &Considerations, to: S) -> Result<S::Ok, S::Error> {
    considered.form.as_ref().map(Shared::digest).serialize(to)
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
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
