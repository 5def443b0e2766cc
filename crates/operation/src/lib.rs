//! What an API can do, in one neutral form for REST and SOAP.
//!
//! A reader (`tollbridge-openapi`, `tollbridge-wsdl`) turns a description into a
//! [`Description`]: [`Operation`]s, what was skipped with its reason, and warnings.
//! Everything after the readers (curation, policy, settlement, the bridging client, the
//! audit trail) sees operations only in this form, so a rule that works for REST works
//! for SOAP from the same day.
//!
//! The one thing that differs by protocol is the [`Binding`]: how arguments become one
//! HTTP request, and how one HTTP response becomes an answer. A binding is pure. It does
//! no I/O and knows no clock, credential, host name or retry.
//!
//! This crate must not know OpenAPI, WSDL, MCP, tokio or a database.

mod binding;
mod call;
mod decimal;
mod description;
mod digest;
mod effect;
mod enclosure;
mod exchange;
mod id;
mod link;
mod schema;
mod security;
pub mod trace;

pub use binding::{Answer, Binding, Drift, EncodeError, Fault};
pub use call::{Arguments, Attachment, Call, CallId, Payload};
pub use decimal::Decimal;
pub use description::{
    DeclaredError, Description, Endpoint, MOST_ERRORS, Operation, Skipped, Wanted, Warning,
};
pub use digest::{digest_bytes, digest_value};
pub use effect::{Effect, EffectSource};
pub use enclosure::{Enclosure, HeaderBlock, MessageSecurity, Moment, Password};
pub use exchange::{Body, Request, Response};
pub use id::{ApiName, Identity, InvalidName, OperationId, OperationKey, ToolName};
pub use link::{Exchanged, Link};
pub use schema::{Definition, Definitions, Schema};
pub use security::{ApiKeyPlace, Grant, OAuthFlow, SchemeUse, SecurityRequirement, SecurityScheme};
pub use trace::Trace;
