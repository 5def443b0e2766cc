//! WSDL 1.1 documents into neutral operations.
//!
//! [`definitions`] finds what the documents define; [`operation`] reads one operation of one
//! port into the elements that it needs; this file asks the compiler for their types, and
//! makes operations of what came out whole. One broken operation is set aside with a place
//! and a reason, and costs no other.
//!
//! Follows WSDL 1.1 (W3C Note of 15 March 2001) with its SOAP binding (§3), the SOAP 1.2
//! binding of it (W3C Submission of 5 April 2006), and the Basic Profile 1.1 where the Note
//! leaves a choice.

mod definitions;
mod operation;
mod policy;
mod schema;

use std::collections::HashMap;
use std::sync::Arc;

use tollbridge_operation::{
    ApiName, Description, Effect, EffectSource, Operation, OperationId, OperationKey, Skipped,
    Warning,
};
use url::Url;

use self::definitions::{Definitions, Port};
use self::operation::{Draft, Identity};
use crate::binding::SoapBinding;
use crate::documents::{Documents, Source, WSDL};
use crate::message::OperationPlan;
use crate::plan::{Compiler, Fault};
use crate::xsd::{self, Schemas};

/// What the reader has to know besides the document.
#[derive(Clone, Copy)]
pub struct ReadOptions<'a> {
    /// The API's name; every operation's id begins with it.
    pub api: &'a ApiName,
    /// Where the document came from: imports and relative addresses resolve against it.
    pub source: Option<&'a Url>,
    /// Who has the documents that it imports.
    pub documents: &'a dyn Source,
}

/// A document of which nothing can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is no XML that we read.
    #[error("this is XML or HTML, and no WSDL that can be read: {0}")]
    Xml(String),
    /// It is XML, and something else.
    #[error("expected `definitions` of WSDL 1.1 as the root, and found `{0}`")]
    Root(String),
    /// WSDL 2.0.
    #[error("it is WSDL 2.0, which is not read; most services that have it offer WSDL 1.1 as well")]
    Version2,
}

/// WSDL 2.0.
const WSDL_2: &str = "http://www.w3.org/ns/wsdl";

/// Whether bytes look like XML at all, and so like no OpenAPI document.
pub fn is_xml(bytes: &[u8]) -> bool {
    let start = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let start = start.trim_ascii_start();
    start.starts_with(b"<")
        || matches!(
            bytes,
            [0xFF, 0xFE, b'<', ..] | [0xFE, 0xFF, 0, b'<', ..] | [b'<', 0, ..] | [0, b'<', ..]
        )
}

/// Reads a WSDL document, with those that it imports, into operations.
pub fn read(bytes: &[u8], options: &ReadOptions<'_>) -> Result<Description, ReadError> {
    let documents = Documents::load(bytes, options.source, options.documents)
        .map_err(|error| ReadError::Xml(error.to_string()))?;
    let root = &documents.get(0).root;
    match (root.namespace.as_deref(), root.name.as_str()) {
        (Some(WSDL), "definitions") => {}
        (Some(WSDL_2), _) => return Err(ReadError::Version2),
        (_, name) => return Err(ReadError::Root(name.chars().take(80).collect())),
    }
    let bundled: Vec<_> = xsd::texts()
        .into_iter()
        .filter_map(|text| tollbridge_xml::parse(text.as_bytes()).ok())
        .collect();
    let schemas = Schemas::new(&documents, &bundled);
    let definitions = Definitions::new(&documents);
    let mut compiler = Compiler::new(&documents, &schemas);
    let mut skipped = Vec::new();
    let mut drafts = Vec::new();
    for port in definitions.ports() {
        draft_port(&definitions, port, &mut compiler, &mut drafts, &mut skipped);
    }
    let mut warnings: Vec<Warning> = documents
        .missing()
        .iter()
        .map(|missing| Warning {
            pointer: missing.location.clone(),
            message: format!("it could not be read: {}", missing.reason),
        })
        .collect();
    if definitions.ports().next().is_none() {
        warnings.push(Warning {
            pointer: "/definitions".to_owned(),
            message: "expected a service with a port; there is nothing to call".to_owned(),
        });
    }
    let (types, told) = compiler.finish();
    warnings.extend(told);
    let types = Arc::new(types);
    let mut operations: Vec<Operation> = Vec::new();
    let mut shared = schema::Shared::default();
    let mut first_of: HashMap<Identity, OperationKey> = HashMap::new();
    for (key, draft) in keyed(drafts) {
        let pointer = draft.pointer.clone();
        let identity = draft.identity.clone();
        match finish(options, &key, draft, &types, &mut shared) {
            Ok(mut operation) => {
                operation.twin_of = first_of.get(&identity).cloned();
                first_of.entry(identity).or_insert_with(|| operation.id.key.clone());
                operations.push(operation);
            }
            Err(Fault { pointer: at, reason }) => {
                let pointer = if at.is_empty() { pointer } else { at };
                skipped.push(Skipped { key, endpoint: None, pointer, reason });
            }
        }
    }
    let title = definitions.title().unwrap_or_else(|| options.api.as_str().to_owned());
    Ok(Description {
        title,
        version: String::new(),
        format: "WSDL 1.1".to_owned(),
        operations,
        skipped,
        warnings,
    })
}

fn draft_port<'d>(
    definitions: &Definitions<'d>,
    port: Port<'d>,
    compiler: &mut Compiler<'d>,
    drafts: &mut Vec<Draft>,
    skipped: &mut Vec<Skipped>,
) {
    let prefix = format!("{}.{}", port.service, port.name);
    let set_aside = |key: String, fault: Fault| Skipped {
        key,
        endpoint: None,
        pointer: fault.pointer,
        reason: fault.reason,
    };
    let binding = match definitions.binding(&port) {
        Ok(binding) => binding,
        Err(fault) => {
            skipped.push(set_aside(prefix, fault));
            return;
        }
    };
    if binding.operations().next().is_none() {
        let place = format!("/definitions/service[{}]/port[{}]", port.service, port.name);
        compiler.warn(place, "its binding has no operations");
    }
    for bound in binding.operations() {
        let name = bound.attribute(None, "name").unwrap_or("?").trim();
        let key = format!("{prefix}.{name}");
        match operation::draft(definitions, &port, &binding, bound, key.clone(), compiler) {
            Ok(draft) => drafts.push(draft),
            Err(fault) => skipped.push(set_aside(key, fault)),
        }
    }
}

/// A key for each operation: overloaded ones carry the name of their input.
fn keyed(drafts: Vec<Draft>) -> Vec<(String, Draft)> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for draft in &drafts {
        *counts.entry(draft.key.clone()).or_default() += 1;
    }
    let mut taken: HashMap<String, usize> = HashMap::new();
    let mut keyed = Vec::new();
    for draft in drafts {
        let mut key = draft.key.clone();
        if counts[&key] > 1 {
            key = format!("{key}#{}", draft.input_name.as_deref().unwrap_or("input"));
        }
        let n = taken.entry(key.clone()).or_default();
        *n += 1;
        if *n > 1 {
            key = format!("{key}_{n}");
        }
        keyed.push((key, draft));
    }
    keyed
}

fn finish(
    options: &ReadOptions<'_>,
    key: &str,
    draft: Draft,
    types: &Arc<crate::plan::Types>,
    shared: &mut schema::Shared,
) -> Result<Operation, Fault> {
    let fault = |reason: String| Fault::new(draft.pointer.clone(), reason);
    let (input, output) = draft.messages(types);
    let roots = input.roots().into_iter().chain(draft.headers.iter().map(|header| header.ty));
    if let Some(broken) = types.broken(roots) {
        return Err(broken.clone());
    }
    // An answer whose type is broken is read as it comes.
    let output = output.filter(|output| types.broken(output.roots()).is_none());
    let faults: Vec<_> =
        draft.faults.iter().filter(|fault| types.broken([fault.ty]).is_none()).cloned().collect();
    let input_schema = schema::input(types, &input, &draft.headers, shared);
    let output_schema = output.as_ref().map(|output| schema::output(types, output, shared));
    let (effect, idempotent) = effect(&draft.name);
    let operation_key = OperationKey::new(key).map_err(|error| fault(error.to_string()))?;
    let plan = OperationPlan {
        version: draft.version,
        action: draft.action.clone(),
        types: Arc::clone(types),
        headers: draft.headers.clone(),
        input,
        output,
        faults,
    };
    let binding = SoapBinding::new(plan).map_err(|error| fault(error.to_string()))?;
    Ok(Operation {
        id: OperationId { api: options.api.clone(), key: operation_key },
        endpoint: None,
        summary: draft.summary,
        description: draft.documentation,
        tags: vec![draft.service],
        deprecated: false,
        effect,
        effect_source: EffectSource::Inferred,
        idempotent,
        input: input_schema,
        output: output_schema,
        security: draft.security,
        servers: draft.servers,
        twin_of: None,
        binding: Arc::new(binding),
    })
}

/// What an operation may do, as far as its name tells. A name that sounds like reading does
/// not make it safe to repeat, so all others are writes until `tools.toml` says otherwise.
fn effect(name: &str) -> (Effect, bool) {
    const DESTRUCTIVE: [&str; 6] = ["delete", "remove", "cancel", "destroy", "purge", "drop"];
    let name = name.to_lowercase();
    if DESTRUCTIVE.iter().any(|word| name.starts_with(word)) {
        (Effect::Destructive, false)
    } else {
        (Effect::Write, false)
    }
}
