//! The SOAP binding: envelopes, values and faults of SOAP 1.1 and 1.2, document/literal.
//!
//! This is the binding without the reader. [`SoapBinding`] carries out an operation whose
//! messages are described by an [`OperationPlan`]; a plan is built by hand today, and will
//! be what a reader of WSDL and XSD compiles. What only a schema could say (choices,
//! derived types, attributes to send, mixed content, fixed values) a plan cannot say yet;
//! what an answer has beyond its plan is kept all the same. `WS-Security` headers are not
//! written, and the headers of an answer are not handed on.
//!
//! - [`plan`](OperationPlan): what the messages of one operation look like;
//! - [`SoapBinding`]: arguments → HTTP request, HTTP response → answer;
//! - below them, the envelope (what is SOAP) and the values (what is JSON), each of which
//!   knows nothing of the one above it. XML itself is read and written by `tollbridge-xml`,
//!   whose bounds are those of every answer.
//!
//! Follows SOAP 1.1 (W3C Note of 8 May 2000), SOAP 1.2 part 1 and 2 (second edition), XML
//! 1.0 (fifth edition), Namespaces in XML 1.0 (third edition), and the Basic Profile 1.1
//! where SOAP 1.1 leaves a choice. This crate must not know HTTP clients, MCP or tokio.

mod binding;
mod envelope;
mod plan;
mod value;

#[cfg(test)]
mod tests;

pub use binding::SoapBinding;
pub use plan::{ElementPlan, FieldPlan, Kind, OperationPlan, PlanError, SoapVersion};
