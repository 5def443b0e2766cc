//! The bridging client: one cleared call against one upstream, over HTTP.
//!
//! What flows in is a [`Call`](tollbridge_operation::Call) with the proof that it may be
//! carried out, and an [`Upstream`]: an API's address, credentials and bounds. [`prepare`]
//! builds the request and sends nothing; [`execute`] sends it, repeats it where that cannot
//! do its effect twice, and reports what became of it. Each request is announced to an
//! [`AttemptLog`] before its first byte goes out.
//!
//! Only hosts that the configuration names are contacted, redirects included; no argument can
//! leave its place in the URL or add a header; every answer is bounded; secrets leave this
//! room in requests only.
//!
//! REST and SOAP are the same here, since an operation's binding is all that differs. This
//! room knows no MCP, policy, price or configuration file.
//!
//! | file | its one idea |
//! |---|---|
//! | `upstream` | an API's address, credentials and bounds, checked once |
//! | `address` | where a request may go, and that its URL arrives as it was built |
//! | `resolve`, `range` | where a host's name may lead |
//! | `credential` | which credential an operation gets |
//! | `message` | what a message carries beside its arguments, anew for each attempt |
//! | `digest` | the proof that a server asks for first |
//! | `oauth` | tokens that are asked for when they are needed |
//! | `session` | a session that a declared operation opens |
//! | `sign` | requests that are signed |
//! | `signing` | private keys that sign |
//! | `pass` | what is got before a request goes out: a token, or a session |
//! | `prepare` | a call as a request, and its preview |
//! | `uploads` | the files that arguments name |
//! | `client`, `tls` | the connection pool; whom it trusts, and who it says we are |
//! | `courier` | one bounded question of our own |
//! | `exchange`, `inflate` | one request, one bounded answer |
//! | `sent` | whether anything of a request can have gone out |
//! | `breakage` | what broke, in our words |
//! | `redirect` | a hop, guarded |
//! | `poll` | where a call that is not done yet is asked after, and how far it is |
//! | `link` | the next page, by the URL that the upstream names |
//! | `retry`, `retry_after` | what may be repeated, and when |
//! | `judge` | what an answer means |
//! | `key` | by what an API tells repetitions |
//! | `limiter` | when a request may start: declared, announced and learned limits, whose turn it is |
//! | `gate` | the limiter's clock, and those who wait |
//! | `budget` | how many repetitions an API may be sent |
//! | `breaker` | whether a host is asked at all |
//! | `cache` | answers that HTTP lets one keep |
//! | `coalesce` | identical reads that are one request |
//! | `manner` | how a tool's requests are sent where there is a choice |
//! | `memory` | how many bytes all calls hold |
//! | `traffic` | what all calls of an API have in common |
//! | `recovery` | what an API declares of all that |
//! | `engine` | the course of a call: attempts, waits, the deadline, cancellation |
//! | `attempt`, `report` | what is recorded, and what is reported |
//! | `noted` | what of an answer's headers is recorded |
//! | `traced` | what a request says of its trace |

mod address;
mod attempt;
mod breakage;
mod breaker;
mod budget;
mod cache;
mod client;
mod coalesce;
mod courier;
mod credential;
mod digest;
mod engine;
mod exchange;
mod gate;
mod inflate;
mod judge;
mod key;
mod limiter;
mod link;
mod manner;
mod measured;
mod memory;
mod message;
mod noted;
mod oauth;
mod pass;
mod poll;
mod prepare;
mod proxy;
mod range;
mod recovery;
mod redirect;
mod report;
mod resolve;
mod retry;
mod retry_after;
mod sent;
mod session;
mod sign;
mod signing;
mod tls;
mod traced;
mod traffic;
mod uploads;
mod upstream;

#[cfg(test)]
mod tests;

pub use attempt::{
    AttemptEnd, AttemptLog, AttemptRefused, AttemptStart, Exchange, Server, TokenExchange, TokenLog,
};
pub use breaker::BreakerRules;
pub use client::http_client;
pub use courier::Courier;
pub use credential::{ApiKeyAt, Credential, Credentials, Provenance};
pub use digest::Digest;
pub use engine::{Instead, Next, Within, execute, execute_instead, execute_pages, execute_polled};
pub use gate::{Gate, Standing};
pub use limiter::headers::{LimitHeaders, LimitsRead};
pub use limiter::{Limits, LimitsLearned, Rate};
pub use manner::{Manner, Sharing};
pub use memory::{Held, Memory};
pub use oauth::{
    Browser, ClientAuth, Device, Endpoints, Grant, KeptToken, Login, LoginError, LoginStanding,
    OAuth, OnBehalf, SourceConfig, TokenKeeper, TokenName, TokenSource,
};
pub use poll::{Handle, Pending, Poll};
pub use prepare::{PrepareError, Prepared, Preview, prepare};
pub use proxy::Proxy;
pub use recovery::{ErrorRule, Recovery};
pub use report::{Failed, FailureKind, KeptFor, Outcome, Report, UpstreamReply};
pub use session::{Session, SessionLogin, SessionToken, session_prefix};
pub use sign::{MessageKey, MessageSigner, SigV4, Signer};
pub use signing::SigningKey;
pub use tls::{Identity as ClientIdentity, Tls};
pub use traffic::Traffic;
pub use uploads::{FileRead, Uploads, note_files};
pub use upstream::{HeaderText, Redirects, Upstream, UpstreamConfig, UpstreamError};
