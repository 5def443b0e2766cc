//! The crate as its users see it: WSDL text in, requests out, answers in.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::format_collect,
    clippy::format_push_string,
    reason = "documents of tests are short"
)]

mod answers;
mod attacks;
mod builtin_types;
mod content;
mod documents;
mod faults;
mod headers;
mod hostile;
mod identity;
mod parts;
mod plain;
mod policy;
mod properties;
mod requests;
mod rpc;
mod schemas;
mod security;
mod services;
mod support;
mod two;
mod types;
mod wildcards;
mod xsd_1_1;
