//! The seam to whoever keeps the record of a call's requests.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::poll::Handle;

/// A request that is about to go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptStart {
    /// Which request of its call it is, from 1.
    pub n: u32,
    /// Where it goes, redacted.
    pub url: String,
    /// Its method.
    pub method: String,
    /// How long was waited before it.
    pub wait: Duration,
    /// Why there is another one, in words.
    pub why: String,
    /// Whether it is the request before it once more, and not the next one of several.
    pub resent: bool,
    /// The key by which the API tells its repetitions.
    pub key: Option<String>,
    /// The id of its span, where it is sent.
    pub span: Option<String>,
}

/// A request that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    /// Which request of its call it was.
    pub n: u32,
    /// The status of its answer.
    pub status: Option<u16>,
    /// What went wrong with the exchange, in words, redacted. An answer that tells of a
    /// failure is no error of the exchange.
    pub error: Option<String>,
    /// How long it waited for its turn before it was sent.
    pub queued: Duration,
    /// How long it took from then on.
    pub duration: Duration,
    /// How many bytes of the answer's body were read, decompressed.
    pub bytes: u64,
    /// What the answer's headers say of why it came to be, redacted.
    pub headers: BTreeMap<String, String>,
    /// What of it is measured; `None` where nothing was to go out.
    pub exchange: Option<Exchange>,
}

/// An exchange as it is measured: none of it is a text of an agent's or an upstream's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The host that was asked.
    pub server: Arc<Server>,
    /// The method, in capitals; `_OTHER` where it is none that is known.
    pub method: &'static str,
    /// What went wrong with the exchange, in a word of a fixed set.
    pub error: Option<&'static str>,
}

/// A host that the configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, or its address without brackets.
    pub address: Arc<str>,
    /// Its port.
    pub port: u16,
}

/// An exchange with an authorization server that was made for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenExchange {
    /// Where it went, without a user and without what stands behind the path.
    pub url: String,
    /// The status of its answer.
    pub status: Option<u16>,
    /// What of it is measured.
    pub exchange: Exchange,
    /// How long it took.
    pub duration: Duration,
}

/// Told of each such exchange once it is over.
pub type TokenLog = Arc<dyn Fn(TokenExchange) + Send + Sync>;

/// Why a further request must not go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptRefused {
    /// The kill switch is on: what it says.
    Stopped(String),
    /// It cannot be recorded: why.
    AuditUnavailable(String),
}

/// Where a call's requests are recorded.
///
/// The first one is on record with the call's intent before [`execute`](super::execute) can
/// be called, so `started` is called from the second on. `finished` is called for each,
/// the first among them, whatever its end: answered, broken, cancelled, or never sent
/// because its turn did not come, or its host is not asked at present.
pub trait AttemptLog: Send {
    /// A further request is about to go out; it does when this returns `Ok`, and must then
    /// be on record. It is given up at the call's deadline.
    fn started(
        &mut self,
        start: AttemptStart,
    ) -> impl Future<Output = Result<(), AttemptRefused>> + Send;

    /// A request that was announced had to wait before it could go out; it does when this
    /// returns `Ok`. It is given up at the call's deadline.
    fn still_may(&mut self) -> impl Future<Output = Result<(), AttemptRefused>> + Send;

    /// A request is over. The call's answer waits for this, so what takes long must be
    /// bounded by whoever implements it.
    fn finished(&mut self, end: AttemptEnd) -> impl Future<Output = ()> + Send;

    /// The API took the call, and with this it is asked after from now on. Called before anything is
    /// waited for, so that the call can be gone on with whatever becomes of this process.
    fn taken(&mut self, handle: &Handle) -> impl Future<Output = ()> + Send;

    /// Who is told of the exchanges with an authorization server that are made for the call; nobody
    /// by default. A call that waits for a token that another one asks for makes none.
    fn token_log(&self) -> Option<TokenLog> {
        None
    }

    /// Request `n` will go out after a wait.
    fn waiting(&mut self, n: u32, wait: Duration, why: &str);

    /// A stream answers request `n`, and so many bytes of it have come so far. Called often.
    fn receiving(&mut self, n: u32, bytes: u64) {
        let _ = (n, bytes);
    }
}
