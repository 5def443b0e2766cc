//! WSDL documents into neutral operations.
//!
//! [`definitions`] finds what the documents define; [`operation`] reads one operation of one
//! SOAP port into the elements that it needs, [`http`] one of a port over plain HTTP, [`two`]
//! those of WSDL 2.0; [`draft`] makes operations of what came out whole. One broken operation
//! is set aside with a place and a reason, and costs no other.
//!
//! Follows WSDL 1.1 (W3C Note of 15 March 2001) with its SOAP binding (§3), the SOAP 1.2
//! binding of it (W3C Submission of 5 April 2006), and the Basic Profile 1.1 where the Note
//! leaves a choice.

mod addressing;
mod bound;
mod definitions;
mod draft;
mod http;
mod operation;
mod parts;
mod policy;
mod schema;
mod two;

use std::collections::HashMap;
use std::sync::Arc;

use tollbridge_operation::{
    ApiName, Description, Effect, Operation, OperationKey, Skipped, Warning,
};
use url::Url;

use self::definitions::{Definitions, Port, Protocol};
use self::draft::Draft;
use self::operation::Identity;
use self::policy::Place;
use crate::documents::{Documents, Source, WSDL, WSDL_2};
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
    #[error(
        "expected `definitions` of WSDL 1.1 or `description` of WSDL 2.0 as the root, and found `{0}`"
    )]
    Root(String),
}

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
    let format = match (root.namespace.as_deref(), root.name.as_str()) {
        (Some(WSDL), "definitions") => "WSDL 1.1",
        (Some(WSDL_2), "description") => "WSDL 2.0",
        (_, name) => return Err(ReadError::Root(name.chars().take(80).collect())),
    };
    let bundled: Vec<_> = xsd::texts()
        .into_iter()
        .filter_map(|text| tollbridge_xml::parse(text.as_bytes()).ok())
        .collect();
    let schemas = Schemas::new(&documents, &bundled);
    let definitions = Definitions::new(&documents);
    let mut compiler = Compiler::new(&documents, &schemas);
    let two::Outcome { title, drafts, mut skipped } = two::drafts(&documents, &mut compiler);
    let mut drafts: Vec<Draft> = drafts.into_iter().map(Draft::Soap).collect();
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
    if drafts.is_empty() && skipped.is_empty() && definitions.ports().next().is_none() {
        warnings.push(Warning {
            pointer: format!("/{}", root.name),
            message: "expected a service with a port; there is nothing to call".to_owned(),
        });
    }
    for draft in &drafts {
        if let Draft::Soap(draft) = draft {
            demanded(&documents, draft, &mut warnings);
        }
    }
    let (types, told) = compiler.finish();
    warnings.extend(told);
    let types = Arc::new(types);
    let mut operations = Vec::new();
    let mut shared = schema::Shared::default();
    for (key, draft) in keyed(drafts) {
        let pointer = draft.pointer().to_owned();
        match draft.finish(options, &key, &types, &mut shared) {
            Ok(operation) => operations.push((draft, operation)),
            Err(Fault { pointer: at, reason }) => {
                let pointer = if at.is_empty() { pointer } else { at };
                skipped.push(Skipped { key, endpoint: None, pointer, reason });
            }
        }
    }
    let operations = twins(operations);
    let mut asked = Vec::new();
    for used in operations.iter().flat_map(|one| &one.security).flat_map(|one| &one.all_of) {
        if !asked.contains(&used.scheme) {
            asked.push(used.scheme.clone());
        }
    }
    let title = title.or_else(|| definitions.title());
    let title = title.unwrap_or_else(|| options.api.as_str().to_owned());
    Ok(Description {
        title,
        version: String::new(),
        format: format.to_owned(),
        operations,
        asked,
        skipped,
        warnings,
    })
}

/// Tells what the policies of an operation demand and we cannot do. A policy of a binding is
/// told once.
fn demanded(documents: &Documents, draft: &operation::Draft, warnings: &mut Vec<Warning>) {
    let binding = draft.pointer.split("/operation[").next().unwrap_or_default();
    let mut tell = |what: &str, place: Place, then: &str| {
        let line = place.line;
        let file =
            documents.file(place.document).map_or_else(String::new, |file| format!(" of {file}"));
        let message = format!("its policy (line {line}{file}) demands {what}{then}");
        let known =
            |warning: &Warning| warning.message == message && warning.pointer.starts_with(binding);
        if !warnings.iter().any(known) {
            warnings.push(Warning { pointer: draft.pointer.clone(), message });
        }
    };
    for (what, place) in &draft.demands.unmet {
        tell(what, *place, ", which is not done: expect the service to refuse calls");
    }
    if let Some(place) = draft.demands.https
        && draft.servers.first().is_some_and(|server| server.starts_with("http:"))
    {
        tell("https", place, ", and its address is http: set `base_url` to where it is on https");
    }
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
        let draft = match &binding.protocol {
            Protocol::Soap(soap) => {
                operation::draft(definitions, &port, &binding, *soap, bound, key.clone(), compiler)
                    .map(Draft::Soap)
            }
            Protocol::Http(method) => {
                http::draft(definitions, &port, &binding, method, bound, key.clone(), compiler)
                    .map(Draft::Http)
            }
        };
        match draft {
            Ok(draft) => drafts.push(draft),
            Err(fault) => skipped.push(set_aside(key, fault)),
        }
    }
}

/// A key for each operation: overloaded ones carry the name of their input.
fn keyed(drafts: Vec<Draft>) -> Vec<(String, Draft)> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for draft in &drafts {
        *counts.entry(draft.key().to_owned()).or_default() += 1;
    }
    let mut taken: HashMap<String, usize> = HashMap::new();
    let mut keyed = Vec::new();
    for draft in drafts {
        let mut key = draft.key().to_owned();
        if counts[&key] > 1 {
            key = format!("{key}#{}", draft.input_name().unwrap_or("input"));
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

/// What is again what another port has: the port type's operation through a later port, and
/// over plain HTTP what the service has over SOAP.
fn twins(operations: Vec<(Draft, Operation)>) -> Vec<Operation> {
    let mut first_of: HashMap<Identity, OperationKey> = HashMap::new();
    let mut by_name: HashMap<(String, String), OperationKey> = HashMap::new();
    for (draft, operation) in &operations {
        if let Draft::Soap(draft) = draft {
            first_of.entry(draft.identity.clone()).or_insert_with(|| operation.id.key.clone());
            by_name
                .entry((draft.service.clone(), draft.name.clone()))
                .or_insert_with(|| operation.id.key.clone());
        }
    }
    let mut all = Vec::new();
    for (draft, mut operation) in operations {
        let key = operation.id.key.clone();
        let first = match &draft {
            Draft::Soap(draft) => first_of.get(&draft.identity).cloned(),
            Draft::Http(draft) => {
                let named = (draft.service.clone(), draft.name.clone());
                Some(by_name.entry(named).or_insert_with(|| key.clone()).clone())
            }
        };
        operation.twin_of = first.filter(|first| *first != key);
        all.push(operation);
    }
    all
}

/// What an operation may do, as far as its name tells. A name that sounds like reading does
/// not make it safe to repeat, so all others are writes until `tools.toml` says otherwise.
pub(super) fn effect(name: &str) -> (Effect, bool) {
    const DESTRUCTIVE: [&str; 6] = ["delete", "remove", "cancel", "destroy", "purge", "drop"];
    let name = name.to_lowercase();
    if DESTRUCTIVE.iter().any(|word| name.starts_with(word)) {
        (Effect::Destructive, false)
    } else {
        (Effect::Write, false)
    }
}
