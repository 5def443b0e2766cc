//! `tools.toml` as a checked configuration, with spans and diagnostics.
//!
//! [`load`] reads the file, checks the whole document against the JSON Schema of the model
//! (so that all mistakes are reported at once, each with its place), makes [`Config`] of it,
//! and checks what spans more than one key. A configuration that loads is complete: every
//! value is parsed, every reference inside the file leads somewhere.
//!
//! This room does not read descriptions of APIs and resolves no secrets. Others report
//! through [`Diagnostics`] what they find wrong with the file: [`Config::file`] and the
//! places that [`Located`] values carry are all it takes.

mod approvals;
mod auth;
mod budget;
mod checks;
pub mod codes;
mod decimal;
mod diagnostic;
mod document;
mod inbound;
mod later;
mod lenient;
mod listening;
mod load;
mod located;
mod masks;
mod model;
mod oauth;
mod observe;
mod poll;
mod proxy;
mod recovery;
mod redact;
mod safety;
mod schema;
mod signed;
mod tool;
mod values;

pub use approvals::{Approvals, Webhook};
pub use auth::Auth;
pub use budget::{Budget, Currency, Terms as BudgetTerms, ToolBudget};
pub use checks::is_anchor_target;
pub use codes::explain;
pub use decimal::{Decimal, NotDecimal};
pub use diagnostic::{Diagnostic, Diagnostics, Severity, SourceFile, Style};
pub use inbound::{Introspection, Issuer, Jwt, JwtAlgorithm, KeySetAt, Scope, ServerAuth};
pub use lenient::{signing_key, store_url};
pub use listening::{ClientCertificate, ClientIdentity, ServerTls};
pub use load::{Config, load, parse};
pub use located::{Keyed, Located};
pub use model::{
    Api, Audit, Durability, Keep, ReadsWhenDown, Redirects, SchemaProfile, Server, Settlement,
    Stale, Tls, accepted_copy,
};
pub use oauth::{OAuth2, OAuthBy, OAuthClientAuth, OAuthGrant};
pub use observe::{Observe, Otlp, OtlpCompression, OtlpProtocol};
pub use poll::Poll;
pub use proxy::ProxyAuth;
pub use recovery::{Breaker, Fallback, LimitGroup, LimitHeaders, Lookup, Sharing};
pub use redact::{Detect, How, OwnRedact, Redact};
pub use safety::{Drift, Errors, Loops, Safety};
pub use schema::schema;
pub use signed::{Encoding, SessionAuth, SigV4Auth, SignatureAuth};
pub use tool::{Argument, Ask, Calls, CountedBy, Hold, PageKind, Pages, Reason, Shape, Tool, When};
pub use values::{
    ArgumentPath, BaseUrl, DayHours, Digest, HeaderText, HostName, Literal, Malformed, Money,
    Origin, Pattern, Period, Pointer, ProxyUrl, Rate, ReferenceTo, ResolverAt, Selector, Size,
    StorePath, WeekDays, Zone,
};

#[cfg(test)]
mod tests;
