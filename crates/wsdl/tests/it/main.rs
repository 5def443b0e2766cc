//! The crate as its users see it: WSDL text in, requests out, answers in.
#![allow(clippy::unwrap_used)]

mod answers;
mod documents;
mod faults;
mod hostile;
mod plain;
mod properties;
mod requests;
mod rpc;
mod schemas;
mod services;
mod support;
mod two;
mod types;
