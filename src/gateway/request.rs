//! What a front end hands to the gateway.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tollbridge_operation::{CallId, Identity, Trace};

use super::asking::{Answered, Asking};
use crate::identity::{Agent, Facts};
use crate::observe::{Channel, Message, OperationEnd, Origin};
use crate::store::HoldRow;

/// Who calls, as the front end established it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name that rules know.
    pub identity: Identity,
    /// The groups that a token claims, beside those of `[groups]`.
    pub groups: Vec<String>,
    /// How the call came in.
    pub transport: Transport,
    /// The program that calls, by its own word.
    pub agent: Option<Agent>,
    /// What else was established about it.
    pub facts: Arc<Facts>,
}

impl Caller {
    /// A caller who is on this machine, of whom nothing else is known.
    pub fn new(identity: Identity, transport: Transport) -> Self {
        Self { identity, groups: Vec::new(), transport, agent: None, facts: Facts::local() }
    }

    /// What is known of it beside its identity and its groups, as JSON: kept with a held call.
    pub(super) fn known(&self) -> String {
        let known = Known {
            transport: self.transport,
            agent: self.agent.clone(),
            facts: Facts::clone(&self.facts),
        };
        serde_json::to_string(&known).expect("what is known is JSON")
    }

    /// Who made a call that was held, as they were known then; `None` where that was not kept, or
    /// cannot be read by this version.
    pub(super) fn of_hold(hold: &HoldRow) -> Option<Self> {
        let Known { transport, agent, facts } =
            serde_json::from_str(hold.known.as_deref()?).ok()?;
        Some(Self {
            identity: Identity::new(hold.identity.clone()).ok()?,
            groups: serde_json::from_str(&hold.claimed).ok()?,
            transport,
            agent,
            facts: Arc::new(facts),
        })
    }
}

/// What a held call keeps of its caller.
#[derive(Serialize, Deserialize)]
struct Known {
    transport: Transport,
    agent: Option<Agent>,
    facts: Facts,
}

/// How a call came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// MCP over standard input and output.
    Stdio,
    /// MCP over streamable HTTP.
    Http,
    /// `tollbridge call`.
    Cli,
}

impl Transport {
    /// The word that the trail and the metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
            Self::Cli => "cli",
        }
    }

    /// The channel that MCP is spoken over; `None` where it is not spoken.
    pub fn channel(self) -> Option<Channel> {
        match self {
            Self::Stdio => Some(Channel::Pipe),
            Self::Http => Some(Channel::Http),
            Self::Cli => None,
        }
    }
}

/// A tool call as it was asked for. Nothing of it has been checked.
#[derive(Debug, Clone, Default)]
pub struct CallRequest {
    /// The tool's name.
    pub tool: String,
    /// The arguments.
    pub arguments: Map<String, Value>,
    /// `_meta["tollbridge/approval"]`: the hold that the caller says was approved.
    pub approval: Option<String>,
    /// `_meta["tollbridge/idempotency-key"]`: what the caller names this call by, so that it is
    /// done once however often it is made.
    pub idempotency_key: Option<String>,
    /// `_meta["x402/payment"]`: the payment that it brings.
    pub payment: Option<Value>,
    /// The answer to the question with which this call ended when it was made before.
    pub answered: Option<Answered>,
    /// The trace that it is made in (W3C Trace Context).
    pub trace: Option<Arc<Trace>>,
    /// The revision of MCP that it was made in, where it is one that we speak.
    pub revision: Option<&'static str>,
    /// The message that it came in, where requests are traced: it is told of in the call's span.
    pub message: Option<Box<Message>>,
}

/// A request of MCP that is answered without the gateway: no call, or one that is malformed.
#[derive(Debug, Clone)]
pub struct OtherRequest {
    /// How it came in.
    pub transport: Transport,
    /// The method, or [`OTHER_METHOD`](super::OTHER_METHOD).
    pub method: &'static str,
    /// The prompt that it is about, where there is one of that name.
    pub prompt: Option<&'static str>,
    /// The URI that was read, where requests are traced.
    pub resource: Option<String>,
    /// The revision of MCP, where it is one that we speak.
    pub revision: Option<&'static str>,
    /// How it was answered.
    pub end: OperationEnd,
    /// Where it came from, where requests are traced.
    pub origin: Origin,
}

/// How a front end follows a call, and ends it early.
#[derive(Debug, Clone, Default)]
pub struct CallWatch {
    /// The name that it gets in the trail; a new one where there is none.
    pub id: Option<CallId>,
    /// Cancelled when the client no longer wants the answer.
    pub cancel: CancellationToken,
    /// Where progress goes, where the client asked for it. Full means that it is not sent.
    pub progress: Option<mpsc::Sender<Progress>>,
    /// Whether, and how, the person at the client can be asked.
    pub asking: Asking,
    /// Cancelled when nobody is asked about the call any more: it is let through and on record.
    pub through: Option<CancellationToken>,
}

/// How far a call has come. `done` always increases within a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Steps so far.
    pub done: u32,
    /// What is happening, in words.
    pub message: String,
}

/// A call that reached no tool: JSON-RPC error -32602 for an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such tool, or none that this caller may see: the two look the same.
    #[error("Unknown tool: {tool}")]
    UnknownTool {
        /// The name that was asked for, cut at 128 characters.
        tool: String,
        /// The call's name in the trail.
        call: CallId,
    },
    /// The call could not be recorded, so nothing can be said about it.
    #[error("the audit trail cannot be written")]
    Unrecorded,
}
