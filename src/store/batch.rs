//! What goes into the store together, and what comes of it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::chain::Digest;
use super::shared::Shared;
use super::upkeep::Whose;

/// What one step of a call leaves behind. It is committed whole or not at all.
#[derive(Debug, Default)]
pub struct Batch {
    /// Refuse the batch where the kill switch is on for any of this.
    pub guard: Option<Guard>,
    /// Refuse the batch where any of these windows is full; else count one in each.
    pub claims: Arc<[WindowClaim]>,
    /// Refuse the batch where any of these budgets leaves too little; else reserve in each.
    pub budgets: Vec<BudgetClaim>,
    /// Refuse the batch unless this hold is approved, unspent and unexpired; else spend it.
    pub spend: Option<String>,
    /// Give back what a call reserved in budgets: certainly nothing was done.
    pub give_back: Option<Box<GiveBack>>,
    /// Other rows to write.
    pub changes: Vec<Change>,
    /// The events to append, in order. Shared, since whoever commits them keeps them until they
    /// are down.
    pub events: Arc<Vec<EventRow>>,
}

/// What a call reserved, to be given back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GiveBack {
    /// The call.
    pub call: Arc<str>,
    /// Each budget that it reserved something in, as often as it did so.
    pub keys: Vec<Arc<str>>,
    /// When it had reserved nothing yet, in microseconds since the Unix epoch.
    pub since: i64,
}

/// What the kill switch is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// The API that would be called.
    pub api: Arc<str>,
    /// The tool that was called.
    pub tool: Arc<str>,
    /// Who calls.
    pub identity: Arc<str>,
}

/// One more call in a sliding window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowClaim {
    /// What is counted: a rule and whom it counts for.
    pub key: Arc<str>,
    /// How many the window may hold.
    pub limit: u32,
    /// How long it is.
    pub per: Duration,
}

/// What a call takes of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetClaim {
    /// Which budget, and whom it counts for.
    pub key: Arc<str>,
    /// The call, by whose name what is reserved can be given back.
    pub call: Arc<str>,
    /// How much.
    pub amount: Amount,
    /// How much the budget allows.
    pub limit: Amount,
    /// In how long a sliding window.
    pub per: Duration,
}

/// In microseconds, as times in the database are.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// An amount in 10^-18 parts: exact for any number with at most 18 digits behind its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(pub i128);

/// How many digits behind the point an [`Amount`] has.
pub const PLACES: u8 = 18;

/// Without zeros at the end: `12.5`, `1000`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10_u128.pow(u32::from(PLACES));
        let size = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (size / scale, size % scale);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let places = usize::from(PLACES);
        let rest = format!("{rest:0places$}");
        write!(f, "{sign}{whole}.{}", rest.trim_end_matches('0'))
    }
}

/// An event of the audit trail, as a row. Rows are only ever appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The call that it belongs to; `None` for what belongs to none (a switch, a key).
    pub call: Option<Arc<str>>,
    /// When it happened: microseconds since the Unix epoch.
    pub at: i64,
    /// The event's name in `snake_case`.
    pub kind: Cow<'static, str>,
    /// Who called; on a call's first event only, as are `tool`, `api` and `operation`.
    pub identity: Option<Arc<str>>,
    /// The tool that was called.
    pub tool: Option<Arc<str>>,
    /// The API of its operation.
    pub api: Option<Arc<str>>,
    /// The operation's key in its API.
    pub operation: Option<Arc<str>>,
    /// `allow`, `deny` or `hold`; on the event of a decision only.
    pub decision: Option<Cow<'static, str>>,
    /// How the call ended; on its last event only.
    pub outcome: Option<String>,
    /// The event as a JSON object, without what may hold personal data.
    pub body: String,
    /// That, as a JSON object: it can be removed without breaking the chain.
    pub payload: Option<String>,
    /// The text that the body names as its member `shared`.
    pub shared: Option<Shared>,
}

/// A row that is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Keep a call that a person must decide on; the batch is refused with
    /// [`CommitError::HoldSpent`] where one of the same call is there already, or too many of
    /// this identity wait.
    PlaceHold(Box<HoldRow>),
    /// Decide on a held call; the batch is refused with [`CommitError::HoldSpent`] unless
    /// it is pending and unexpired.
    DecideHold {
        /// Which one.
        id: String,
        /// What was decided: approved or rejected.
        state: HoldState,
        /// Who decided.
        by: String,
        /// The user who decided in that name, where it was not their own.
        user: Option<String>,
        /// Why, in their words.
        reason: Option<String>,
        /// What they changed in its arguments, where they did: JSON.
        edits: Option<String>,
    },
    /// End an approval that no longer counts, so that its call can be held anew. One that is not
    /// there, or no approval any more, is left as it is.
    EndHold {
        /// Which one.
        id: String,
    },
    /// Turn the kill switch on.
    Stop {
        /// For what.
        scope: StopScope,
        /// Who did.
        by: String,
    },
    /// Turn it off again.
    Resume {
        /// For what.
        scope: StopScope,
    },
    /// Keep what was signed of the chain; where that is on record already, nothing.
    KeepCheckpoint(CheckpointRow),
    /// Note how far something is known of the trail: under a name, up to which event.
    Mark(&'static str, i64),
    /// Put digests in the place of payloads. An event must have said so.
    ErasePayloads(Vec<(i64, Digest)>),
    /// Forget what held calls were about, once they were decided on or ran out.
    EraseHolds(Whose),
    /// The same of those that were placed before a time.
    EraseHoldsBefore(i64),
    /// Put a word for how they ended in the place of whatever is kept of these calls.
    EraseKept(Vec<String>),
    /// Remove held calls that were placed before a time and ran out.
    PruneHolds {
        /// When.
        before: i64,
    },
    /// Drop whatever does not count any more, as is done from time to time in any case.
    Sweep,
    /// Remove all events up to one. An event must have said so.
    Prune {
        /// Up to which.
        through: i64,
    },
    /// Keep a new API key.
    AddKey(KeyRow),
    /// Refuse an API key from now on.
    RevokeKey {
        /// Which one.
        id: String,
    },
    /// Take up the key that a caller named its call by; the batch is refused with
    /// [`CommitError::KeyTaken`] where it is taken.
    ClaimKey(RepeatRow),
    /// Keep the outcome of the call that took the key up.
    KeepOutcome(RepeatRow),
    /// Give the key back.
    FreeKey(RepeatRow),
    /// Keep a sealed token in the place of the one of its name.
    KeepToken(TokenRow),
    /// Keep it no longer.
    ForgetToken {
        /// Its name.
        name: String,
    },
    /// Take up a token to renew it; the batch is refused with [`CommitError::TokenLeased`] where
    /// another process has.
    LeaseToken {
        /// Its name.
        name: String,
        /// Who takes it up.
        holder: String,
        /// Until when at the latest: microseconds since the Unix epoch.
        until: i64,
    },
    /// Let go of it.
    ReleaseToken {
        /// Its name.
        name: String,
        /// Who took it up.
        holder: String,
    },
    /// Keep where a call is asked after that the API is not done with.
    KeepPending(PendingRow),
    /// Forget that: it is done.
    DropPending(PendingRow),
    /// Keep what was learned of an API's limits.
    KeepLearned(LearnedRow),
    /// Open a task; the batch is refused with [`CommitError::NoTask`] where too many of its
    /// identity's work.
    OpenTask(TaskRow),
    /// Say that the processes of these tasks are alive.
    KeepTasks {
        /// Which.
        ids: Vec<String>,
    },
    /// Ask a task to end; refused with [`CommitError::NoTask`] unless it works.
    CancelTask {
        /// Which.
        id: String,
    },
    /// End a task; refused with [`CommitError::NoTask`] where it has ended.
    EndTask {
        /// Which.
        id: String,
        /// How.
        state: TaskState,
        /// What came of it: JSON.
        result: String,
    },
}

/// What was learned of an API's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearnedRow {
    /// The API.
    pub api: String,
    /// Whose credential it is about; `None` where it is about all of the API.
    pub identity: Option<String>,
    /// Where the API was.
    pub origin: String,
    /// What was learned: JSON.
    pub learned: String,
    /// When that was so: microseconds since the Unix epoch, as all times here.
    pub at: i64,
    /// When nothing of it counts any more.
    pub expires: i64,
}

/// A call that a client follows as a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskRow {
    /// Its handle.
    pub id: String,
    /// Who called.
    pub identity: String,
    /// The tool.
    pub tool: String,
    /// The call; `None` in rows of an earlier version.
    pub call: Option<String>,
    /// When it was opened: microseconds since the Unix epoch, as all times here.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// When its process last said that it is alive.
    pub alive: i64,
    /// When it is forgotten.
    pub expires: i64,
    /// Where it stands.
    pub state: TaskState,
    /// What came of it: JSON.
    pub result: Option<String>,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// Its call is carried out.
    Working,
    /// The same, and it is to end.
    Cancelling,
    /// Its call has a result.
    Completed,
    /// Its call came to an error of the protocol.
    Failed,
    /// Its call was cancelled.
    Cancelled,
}

/// What was signed of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Up to which event.
    pub seq: i64,
    /// The hash of that event.
    pub hash: Digest,
    /// When: microseconds since the Unix epoch.
    pub at: i64,
    /// The public key.
    pub key: String,
    /// The signature.
    pub signature: Vec<u8>,
}

/// A token for an API, sealed: the store cannot tell what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// What it is for: a name that tells neither secrets nor what they were.
    pub name: String,
    /// The API.
    pub api: String,
    /// The security scheme, where the API has several.
    pub scheme: Option<String>,
    /// Whom it stands for, where each identity has its own.
    pub identity: Option<String>,
    /// How it was got: `login`, or the grant.
    pub grant: String,
    /// What it allows, where that was said.
    pub scopes: Option<String>,
    /// Token and what it is renewed with, sealed.
    pub sealed: Vec<u8>,
    /// When it was got: microseconds since the Unix epoch, as all times here.
    pub issued: i64,
    /// When it is of no use any more.
    pub until: i64,
}

/// A call that an API took and is not done with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRow {
    /// Who called.
    pub identity: String,
    /// The tool.
    pub tool: String,
    /// A digest of the arguments, by which a repeat is known.
    pub digest: String,
    /// The call that the API took.
    pub call: String,
    /// Where it is asked after: JSON.
    pub handle: String,
    /// When a repeat is a call of its own: microseconds since the Unix epoch.
    pub expires: i64,
}

/// A call that its caller named by a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepeatRow {
    /// Who called.
    pub identity: String,
    /// The tool.
    pub tool: String,
    /// The name.
    pub key: String,
    /// A digest of the arguments.
    pub digest: String,
    /// The call.
    pub call: String,
    /// When the key can be taken up anew: microseconds since the Unix epoch.
    pub expires: i64,
    /// What became of it; `None` while nobody knows.
    pub outcome: Option<String>,
}

/// A held call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRow {
    /// Its handle.
    pub id: String,
    /// The call that was held.
    pub call: String,
    /// Who called.
    pub identity: String,
    /// The tool.
    pub tool: String,
    /// A digest of the arguments, by which a repeat is known.
    pub digest: String,
    /// The arguments for the person who decides, as they would be sent: a JSON object, redacted.
    pub arguments: String,
    /// The arguments as the agent gave them: a JSON object, redacted.
    pub given: String,
    /// Why it is made, as the agent said it, redacted.
    pub stated: Option<String>,
    /// Where it would go, for the person who decides.
    pub target: String,
    /// The groups that its caller claimed beside those of the configuration: a JSON list.
    pub claimed: String,
    /// What else was known of its caller: a JSON object. `None` where nothing was kept.
    pub known: Option<String>,
    /// Whether an operator may decide.
    pub asks_operator: bool,
    /// Whether the caller's own client may decide.
    pub asks_client: bool,
    /// The names of those who may not decide: a JSON list. `None` where anybody may.
    pub barred: Option<String>,
    /// The rule that holds it.
    pub rule: String,
    /// What it would cost, where it has a price.
    pub price: Option<String>,
    /// When it was placed: microseconds since the Unix epoch, as all times here.
    pub placed: i64,
    /// When it can no longer be approved or used.
    pub expires: i64,
    /// Where it stands. A hold whose time has run out stays `Pending` or `Approved` here;
    /// who reads it compares `expires`.
    pub state: HoldState,
    /// Who decided.
    pub decided_by: Option<String>,
    /// The user who decided in that name, where it was not their own.
    pub decided_user: Option<String>,
    /// When they did.
    pub decided: Option<i64>,
    /// Why, in their words.
    pub reason: Option<String>,
    /// What they changed in its arguments, where they did: JSON.
    pub edits: Option<String>,
}

/// Where a held call stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldState {
    /// Nobody has decided.
    #[default]
    Pending,
    /// It may go on, once.
    Approved,
    /// It may not.
    Rejected,
    /// It went on.
    Spent,
}

/// What the kill switch stops.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "scope", content = "name", rename_all = "lowercase")]
pub enum StopScope {
    /// Every call.
    All,
    /// Calls of one API.
    Api(String),
    /// Calls of one tool.
    Tool(String),
    /// Calls of one identity.
    Identity(String),
}

impl StopScope {
    /// Whether it stops a call of this kind.
    pub fn covers(&self, guard: &Guard) -> bool {
        match self {
            Self::All => true,
            Self::Api(name) => **name == *guard.api,
            Self::Tool(name) => **name == *guard.tool,
            Self::Identity(name) => **name == *guard.identity,
        }
    }
}

/// An inbound API key at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// Its name, which is no secret.
    pub id: String,
    /// SHA-256 of the key, in hex.
    pub hash: String,
    /// Whom it stands for.
    pub identity: String,
    /// When it was made: microseconds since the Unix epoch.
    pub created: i64,
    /// When it ends; `None` where it does not.
    pub expires: Option<i64>,
    /// When it was revoked.
    pub revoked: Option<i64>,
    /// Whether it is for deciding on held calls, and for nothing else.
    pub approver: bool,
}

/// Proof that a batch went down as the store's durability says.
#[derive(Debug)]
#[must_use]
pub struct Receipt {
    pub(super) _private: (),
}

/// Why a batch did not go down. Nothing of it was written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The kill switch is on.
    #[error("stopped: {0:?}")]
    Stopped(StopScope),
    /// A window is full.
    #[error("window {claim} is full for {retry_after:?}")]
    WindowFull {
        /// Which of the batch's claims, by index.
        claim: usize,
        /// When the oldest call leaves it.
        retry_after: Duration,
    },
    /// A budget leaves less than the call would take.
    #[error("budget {claim} leaves {left}")]
    BudgetSpent {
        /// Which of the batch's claims on budgets, by index.
        claim: usize,
        /// How much it leaves.
        left: Amount,
        /// When it leaves enough; `None` where it never does.
        retry_after: Option<Duration>,
    },
    /// The hold cannot be placed, spent or decided: there is one already, it is not in the
    /// state for it, or it has expired.
    #[error("the hold is spent, undecided, rejected or expired")]
    HoldSpent,
    /// Another call took the key up.
    #[error("another call has the same idempotency key")]
    KeyTaken,
    /// There is no such task that works, or there are too many.
    #[error("the task has ended, or too many work")]
    NoTask,
    /// Another process renews the token.
    #[error("another process renews the token")]
    TokenLeased,
    /// The store cannot be written.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// The store cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store {path}: {message}")]
pub struct StoreError {
    /// Which store.
    pub path: String,
    /// What is wrong, and what would mend it where that is known.
    pub message: String,
}
