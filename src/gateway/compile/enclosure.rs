//! What the configuration encloses in an API's messages: fixed header blocks, and how messages
//! are made.

use std::sync::Arc;

use serde_json::Value;
use tollbridge_operation::{Enclosure, HeaderBlock, MessageSecurity, Operation, Password, Schema};

use super::secrets::Resolved;
use crate::catalog;
use crate::config::{Api, Auth, Config, Diagnostic, Diagnostics, Located, codes};
use crate::secret::{REDACTED, SecretRef};

/// What is enclosed in an API's messages, credentials apart.
pub(super) fn of(api: &Api, secrets: &Resolved) -> Enclosure {
    let blocks = api.soap_headers.iter().map(|(name, value)| HeaderBlock {
        name: (**name).clone(),
        value: filled(&value.0, &|reference| secrets.get(reference).expose().to_owned()),
        shown: filled(&value.0, &|_| REDACTED.to_owned()),
    });
    Enclosure {
        blocks: blocks.collect(),
        addressing: api.addressing.as_deref().copied(),
        mtom: api.mtom.as_deref().copied(),
        security: None,
    }
}

/// A credential's part in messages, without its secrets; `None` where it has none.
pub(super) fn security_of(auth: &Auth) -> Option<Enclosure> {
    let Auth::Wsse { digest, timestamp, must_understand, .. } = auth else { return None };
    let security = MessageSecurity {
        username: String::new(),
        password: Password::Hidden(REDACTED),
        digest: *digest,
        timestamp: timestamp.as_ref().map(|valid| valid.0),
        must_understand: must_understand.unwrap_or(true),
    };
    Some(Enclosure { security: Some(security), ..Enclosure::default() })
}

/// The value with something in place of each reference to a secret.
pub(super) fn filled(value: &Value, resolve: &impl Fn(&SecretRef) -> String) -> Value {
    match value {
        Value::String(text) => match text.parse() {
            Ok(reference) => Value::String(resolve(&reference)),
            Err(_) => value.clone(),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, resolve)).collect(),
        Value::Object(members) => {
            let filled = members.iter().map(|(name, one)| (name.clone(), filled(one, resolve)));
            Value::Object(filled.collect())
        }
        other => other.clone(),
    }
}

/// Reports header blocks that no operation of the API has, and such as cannot be sent.
pub(super) fn check(
    config: &Config,
    api: &Api,
    described: &catalog::Api,
    secrets: &Resolved,
    found: &mut Diagnostics,
) {
    let operations: Vec<&Arc<Operation>> =
        described.operations.iter().filter(|one| one.binding.encloses()).collect();
    if operations.is_empty() {
        let keys = [
            ("addressing", api.addressing.as_ref().map(Located::span)),
            ("mtom", api.mtom.as_ref().map(Located::span)),
            ("soap_headers", api.soap_headers.iter().next().map(|(name, _)| name.span())),
        ];
        for (key, span) in keys {
            let Some(span) = span else { continue };
            let message = format!("`{key}` means nothing here: expected a SOAP service");
            found.push(
                Diagnostic::error(codes::UPSTREAM, &config.file, message)
                    .at(span)
                    .help("remove it"),
            );
        }
        return;
    }
    for (name, value) in api.soap_headers.iter() {
        let known = |operation: &&Arc<Operation>| operation.binding.has_header(name);
        if !name.starts_with('{') && !operations.iter().any(known) {
            let message = format!("no operation's messages have a header `{name}`");
            let help = format!(
                "for one that the description does not mention, write its namespace too: \
                 \"{{urn:example}}{name}\""
            );
            found.push(
                Diagnostic::error(codes::HEADER, &config.file, message).at(name.span()).help(help),
            );
            continue;
        }
        let whole = of(api, secrets);
        let only: Vec<HeaderBlock> =
            whole.blocks.into_iter().filter(|block| block.name == **name).collect();
        // What stands for a secret need not have the secret's form.
        if !secrets.are_real() && only.iter().any(|block| block.value != block.shown) {
            continue;
        }
        let enclosure = Enclosure { blocks: only, ..Enclosure::default() };
        let wrong =
            operations.iter().find_map(|operation| operation.binding.check(&enclosure).err());
        if let Some(error) = wrong {
            let message = format!("the header `{name}` cannot be sent: {error}");
            found.push(Diagnostic::error(codes::HEADER, &config.file, message).at(value.span()));
        }
    }
}

/// The operation without the headers that are fixed: an agent neither sees nor may give them.
pub(super) fn without_fixed(api: &Api, operation: &Arc<Operation>) -> Arc<Operation> {
    let fixed: Vec<&str> = api
        .soap_headers
        .iter()
        .map(|(name, _)| name.rsplit_once('}').map_or(name.as_str(), |(_, local)| local))
        .filter(|name| operation.binding.has_header(name))
        .collect();
    if fixed.is_empty() {
        return Arc::clone(operation);
    }
    let mut input = operation.input.to_value();
    let mut left = 0;
    if let Some(headers) = input.pointer_mut("/properties/headers") {
        if let Some(Value::Object(blocks)) = headers.get_mut("properties") {
            blocks.retain(|name, _| !fixed.contains(&name.as_str()));
            left = blocks.len();
        }
        if let Some(Value::Array(required)) = headers.get_mut("required") {
            required.retain(|name| !fixed.iter().any(|fixed| name == fixed));
        }
    }
    if left == 0 {
        if let Some(Value::Object(properties)) = input.get_mut("properties") {
            properties.shift_remove("headers");
        }
        if let Some(Value::Array(required)) = input.get_mut("required") {
            required.retain(|name| name != "headers");
        }
    }
    let mut operation = Arc::clone(operation);
    Arc::make_mut(&mut operation).input = Schema::new(input);
    operation
}
