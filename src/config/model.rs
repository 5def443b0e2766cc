//! `tools.toml` as types: every key that this version knows, once.
//!
//! The JSON Schema of these structs is what `tollbridge schema` prints and what the check
//! of the whole document walks, so a key is declared here and nowhere else. Keys of the
//! format that this version does not act on are not here: see `later`.

use std::ffi::OsStr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tollbridge_operation::{ApiName, Identity};

use super::approvals::Approvals;
use super::auth::Auth;
use super::budget::Budget;
use super::inbound::ServerAuth;
use super::listening::ServerTls;
use super::located::{Keyed, Located};
use super::observe::Observe;
use super::proxy::ProxyAuth;
use super::recovery::{Breaker, LimitGroup, LimitHeaders, Sharing};
use super::redact::{OwnForm, OwnRedact, Redact};
use super::safety::Safety;
use super::tool::Tool;
use super::values::{
    BaseUrl, Digest, HeaderText, HostName, IdentitySchema, Literal, Origin, Period, ProxyUrl, Rate,
    ReferenceTo, ResolverAt, Selector, Size, StorePath,
};
use crate::secret::SecretRef;

/// The configuration of tollbridge: which APIs, which of their operations are tools, and
/// within which limits.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tools.toml")]
pub(super) struct File {
    /// The server that agents see.
    #[serde(default)]
    pub(super) server: Server,
    /// Groups of identities, beside those that a token claims.
    #[serde(default)]
    #[schemars(with = "Keyed<String, Vec<IdentitySchema>>")]
    pub(super) groups: Keyed<String, Vec<Located<Identity>>>,
    /// The audit trail.
    #[serde(default)]
    pub(super) audit: Audit,
    /// What is kept out of the trail.
    #[serde(default)]
    pub(super) redact: Redact,
    /// What other programs are told while this one runs.
    #[serde(default)]
    pub(super) observe: Observe,
    /// How people decide on held calls.
    #[serde(default)]
    pub(super) approvals: Approvals,
    /// How priced calls are paid for.
    pub(super) settlement: Option<Located<Settlement>>,
    /// What holds for all tools.
    #[serde(default)]
    pub(super) safety: Safety,
    /// Limits that several APIs or tools have in common, one table each.
    #[serde(default)]
    pub(super) limit_group: Keyed<String, LimitGroup>,
    /// Budgets over several tools.
    #[serde(default)]
    pub(super) budget: Vec<Located<Budget>>,
    /// The APIs, one table each.
    #[serde(default)]
    pub(super) api: Keyed<ApiName, Api>,
    /// The tools: operations that agents may call.
    #[serde(default)]
    pub(super) tool: Vec<Located<Tool>>,
}

/// `[server]`: what agents see of the server, and who calls it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The server's name, as clients show it.
    #[serde(default = "default_name")]
    pub name: String,
    /// Who calls over stdio, and over HTTP on loopback while no `[server.auth]` is set.
    #[serde(default = "default_identity")]
    #[schemars(with = "IdentitySchema")]
    pub identity: Located<Identity>,
    /// Whether agents have tools to find and call operations: those that `discover` of an API
    /// opens for them.
    #[serde(default)]
    pub discovery: bool,
    /// Which schemas of arguments clients are shown. Calls are always judged by the full ones.
    #[serde(default)]
    pub schemas: SchemaProfile,
    /// Allowed `Origin` headers besides loopback.
    #[serde(default)]
    pub origins: Vec<Located<Origin>>,
    /// How many calls are carried out at once; more are refused. By default 1024.
    pub max_calls: Option<Located<NonZeroU32>>,
    /// How many bytes of requests' and answers' bodies are held at once, over all calls. By default
    /// 512MiB.
    pub max_memory: Option<Located<Size>>,
    /// Who calls over HTTP; without it only loopback may.
    pub auth: Option<Located<ServerAuth>>,
    /// TLS of the server itself; without it HTTP is in the open.
    pub tls: Option<Located<ServerTls>>,
    /// With what the tokens that are kept in the store are sealed: at least 32 characters that
    /// nobody can guess. By default a file beside the store, made when it is first needed.
    pub token_key: Option<Located<SecretRef>>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            name: default_name(),
            identity: default_identity(),
            discovery: false,
            schemas: SchemaProfile::default(),
            origins: Vec::new(),
            max_calls: None,
            max_memory: None,
            auth: None,
            tls: None,
            token_key: None,
        }
    }
}

fn default_name() -> String {
    "tollbridge".to_owned()
}

fn default_identity() -> Located<Identity> {
    Located::nowhere(Identity::new("local").expect("a plain word"))
}

/// What the clients that are served read of JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum SchemaProfile {
    /// The part that all clients read.
    #[default]
    Portable,
    /// All of JSON Schema 2020-12.
    Full,
    /// Gemini's subset, for clients that pass schemas on to it as they are.
    Gemini,
}

impl SchemaProfile {
    /// Its name in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Full => "full",
            Self::Gemini => "gemini",
        }
    }
}

/// `[audit]`: the trail of every call.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Where the trail is kept.
    #[serde(default = "default_store")]
    pub store: Located<StorePath>,
    /// When an event counts as written.
    #[serde(default)]
    pub durability: Durability,
    /// What becomes of reads while the trail cannot be written.
    #[serde(default)]
    pub reads_when_down: ReadsWhenDown,
    /// With what the trail is signed: 32 bytes in base64, the seed of an Ed25519 key. By default a
    /// file beside the store, made when it is first needed.
    pub signing_key: Option<Located<SecretRef>>,
    /// Where what was signed is kept besides: a file that it is appended to, relative to this one,
    /// or a URL that it is posted to.
    pub anchor: Option<Located<String>>,
    /// How long what is in it is kept. By default for ever.
    pub keep: Option<Located<Keep>>,
}

/// How long what is in the trail is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Keep {
    /// What may hold personal data: arguments, URLs, messages.
    pub payloads: Option<Period>,
    /// Whole calls.
    pub calls: Option<Period>,
    /// How large the store may be; the oldest calls go first.
    pub size: Option<Size>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            store: default_store(),
            durability: Durability::default(),
            reads_when_down: ReadsWhenDown::default(),
            signing_key: None,
            anchor: None,
            keep: None,
        }
    }
}

fn default_store() -> Located<StorePath> {
    Located::nowhere(StorePath::default())
}

/// When an event counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Durability {
    /// When the disk has it: it survives a power cut.
    #[default]
    Full,
    /// When the operating system has it: it survives a killed process only.
    Process,
}

/// What becomes of reads while the trail cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ReadsWhenDown {
    /// They are refused, as everything is.
    #[default]
    Deny,
    /// They go on, unrecorded.
    Allow,
}

/// `[settlement]`: how priced calls are paid for (x402).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// The facilitator that verifies and settles payments.
    pub facilitator: Located<BaseUrl>,
    /// The address that is paid.
    pub pay_to: Located<String>,
    /// The network, by its CAIP-2 name: `eip155:8453`.
    pub network: Located<String>,
    /// The assets that prices are in, each with its address on the network.
    pub assets: Keyed<String, Located<String>>,
}

/// `[api.NAME]`: an API and how it is reached.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// The API's description: a file, relative to this one.
    pub spec: Located<String>,
    /// The URL that the description was fetched from, written by `tollbridge import`: its
    /// relative references and servers resolve against it.
    pub source: Option<Located<BaseUrl>>,
    /// What the description may refer to besides its own folder: files and folders, relative to
    /// this file, and URLs with what is below them.
    #[serde(default)]
    pub references: Vec<Located<ReferenceTo>>,
    /// Changes to the description, in their order: Overlay documents and JSON Patches.
    #[serde(default)]
    pub overlays: Vec<Located<String>>,
    /// Values for the variables of the description's servers.
    #[serde(default)]
    pub variables: Keyed<String, Located<String>>,
    /// Where the API is, instead of the description's servers. Its host may be private.
    pub base_url: Option<Located<BaseUrl>>,
    /// Other hosts that the description names and that may be contacted.
    #[serde(default)]
    pub hosts: Vec<Located<HostName>>,
    /// Who may find and call the operations that are no tools. By default nobody. Calls that do
    /// more than read are held, unless a policy speaks of them.
    #[serde(default)]
    pub discover: Vec<Located<Selector>>,
    /// The digest of the description that was accepted, written by `tollbridge import` and
    /// `tollbridge diff --accept`.
    pub digest: Option<Located<Digest>>,
    /// What becomes of a tool whose operation differs from the accepted one.
    #[serde(default)]
    pub stale: Stale,
    /// The credential for every call.
    pub auth: Option<Located<Auth>>,
    /// Instead of `auth`: a credential for each security scheme of the description, by its
    /// name there.
    #[serde(default)]
    pub credentials: Keyed<String, Located<Auth>>,
    /// Instead of `auth`, or before it: each caller's own credential, by identity. Without `auth`
    /// nobody else can call.
    #[serde(default)]
    #[schemars(with = "Keyed<String, Auth>")]
    pub by_identity: Keyed<Identity, Located<Auth>>,
    /// Headers that every request carries.
    #[serde(default)]
    pub headers: Keyed<String, Located<HeaderText>>,
    /// SOAP header blocks that every message carries: by the local name of a header that the
    /// description has, or as `{namespace}name`. Texts in them may be references to secrets.
    #[serde(default)]
    pub soap_headers: Keyed<String, Located<Literal>>,
    /// Whether SOAP messages are addressed (WS-Addressing). By default as the description says.
    pub addressing: Option<Located<bool>>,
    /// Whether bytes in SOAP messages travel beside the envelope (MTOM). By default as the
    /// description says.
    pub mtom: Option<Located<bool>>,
    /// How long a whole call may take: attempts and waits. By default 45s.
    pub timeout: Option<Located<Period>>,
    /// How long one attempt may take: by default a third of the call's time.
    pub attempt_timeout: Option<Located<Period>>,
    /// What becomes of redirects.
    #[serde(default)]
    pub redirects: Redirects,
    /// The longest answer that is read. By default 8MiB.
    pub max_response: Option<Located<Size>>,
    /// Who is asked for the addresses of the API's hosts: `system`, or a name server.
    pub resolver: Option<Located<ResolverAt>>,
    /// The HTTP or SOCKS proxy that requests to the API go through.
    pub proxy: Option<Located<ProxyUrl>>,
    /// Who the proxy is told we are.
    pub proxy_auth: Option<Located<ProxyAuth>>,
    /// Whom connections to the API trust, and who they say we are.
    pub tls: Option<Located<Tls>>,
    /// A folder, relative to this file, whose files agents may send by their paths in it.
    pub files: Option<Located<String>>,
    /// The most bytes of the files that one call sends so, together. By default 8MiB.
    pub max_upload: Option<Located<Size>>,
    /// How many requests the API is sent in a time, retries among them.
    pub rate_limit: Option<Located<Rate>>,
    /// How many requests to the API are under way at once.
    pub max_concurrency: Option<Located<NonZeroU32>>,
    /// How many calls wait for their turn at most, of one identity half of them. By default 1024.
    pub max_queue: Option<Located<NonZeroU32>>,
    /// The `[limit_group.NAME]` whose limits hold for it too.
    pub limit_group: Option<Located<String>>,
    /// When a host of the API is not asked any more, and for how long.
    pub breaker: Option<Located<Breaker>>,
    /// The headers in which the API announces its limit, beside those in common use.
    pub rate_limit_headers: Option<Located<LimitHeaders>>,
    /// Whether requests say in which trace they are made (W3C Trace Context). By default true.
    pub trace_context: Option<Located<bool>>,
    /// The header by which the API tells a repetition from a call of its own.
    pub idempotency_key: Option<Located<String>>,
    /// Which answers say that they failed though their status does not: a JMESPath expression.
    pub error_when: Option<Located<String>>,
    /// Where else the API is, in the order in which it is asked there.
    #[serde(default)]
    pub fallback_urls: Vec<Located<BaseUrl>>,
    /// Whether what is done at one of its URLs is known at all, so that a write which may be done
    /// twice may be repeated at another.
    #[serde(default)]
    pub fallback_writes: bool,
    /// Whether answers to reads are kept as far as HTTP allows (RFC 9111): for the identity that
    /// got them, or for all where the answer says that it may be.
    pub cache: Option<Located<Sharing>>,
    /// What is kept out of the trail and out of answers of its tools: arguments, or a table.
    #[serde(default, deserialize_with = "super::redact::own")]
    #[schemars(with = "Option<OwnForm>")]
    pub redact: OwnRedact,
    /// How many bytes of answers are kept. By default 16MiB.
    pub cache_size: Option<Located<Size>>,
    /// Whether identical reads that are under way at the same time are one request: those of one
    /// identity, or of all.
    pub coalesce: Option<Located<Sharing>>,
}

impl Api {
    /// All its credentials.
    pub fn auths(&self) -> impl Iterator<Item = &Located<Auth>> {
        let by_scheme = self.credentials.iter().map(|(_, auth)| auth);
        let by_identity = self.by_identity.iter().map(|(_, auth)| auth);
        self.auth.iter().chain(by_scheme).chain(by_identity)
    }

    /// How long a whole call may take.
    pub fn timeout(&self) -> Duration {
        self.timeout.as_ref().map_or(DEFAULT_TIMEOUT, |timeout| timeout.0)
    }

    /// How long one attempt may take.
    pub fn attempt_timeout(&self) -> Duration {
        self.attempt_timeout.as_ref().map_or(self.timeout() / 3, |timeout| timeout.0)
    }

    /// The most bytes of the files that one call sends by their paths.
    pub fn max_upload(&self) -> u64 {
        self.max_upload.as_ref().map_or(DEFAULT_MAX_UPLOAD, |size| size.0)
    }

    /// The longest answer that is read, in bytes.
    pub fn max_response(&self) -> u64 {
        self.max_response.as_ref().map_or(DEFAULT_MAX_RESPONSE, |size| size.0)
    }
}

/// What becomes of a tool whose operation is not the one that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Stale {
    /// It stays listed as it was accepted, and its calls are refused.
    #[default]
    Quarantine,
    /// It changes with the description; that is reported.
    Warn,
}

/// Where the copy of the description that was accepted is kept: of the API `name`, whose
/// description is `spec`, in the configuration's folder `dir`.
pub fn accepted_copy(name: &ApiName, spec: &str, dir: &Path) -> PathBuf {
    let extension = Path::new(spec).extension().and_then(OsStr::to_str);
    let extension = extension.filter(|text| text.bytes().all(|b| b.is_ascii_alphanumeric()));
    dir.join(format!("specs/accepted/{name}.{}", extension.unwrap_or("json")))
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(45);
const DEFAULT_MAX_RESPONSE: u64 = 8 << 20;
const DEFAULT_MAX_UPLOAD: u64 = 8 << 20;

/// What becomes of an upstream's redirects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Redirects {
    /// They are failures.
    #[default]
    Refuse,
    /// They are followed, each hop guarded like the first.
    Follow,
}

/// `tls` of an API: certificates and a key in PEM, and where they are to be found.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Tls {
    /// The authorities that are trusted, instead of the machine's.
    pub ca: Option<Located<SecretRef>>,
    /// The client's certificate, with those between it and its authority.
    pub cert: Option<Located<SecretRef>>,
    /// The certificate's private key.
    pub key: Option<Located<SecretRef>>,
}
