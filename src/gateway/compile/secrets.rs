//! Every secret that a configuration refers to, resolved once.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::bridge;
use crate::config::{
    Api, Auth, Config, Diagnostic, Diagnostics, HeaderText, Located, ProxyAuth, Severity, Tls,
    codes,
};
use crate::secret::{Redactor, Secret, SecretRef};

/// What becomes of the configuration's references to secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// They are resolved; one that cannot be is an error.
    Resolve,
    /// It is only looked whether they could be: the toolbox is for reading, not for calls.
    Verify,
    /// The same, but those that are had without running a program are resolved, so that what people
    /// write goes on record without them.
    AtHand,
}

/// What stands where a secret was not resolved: what nobody writes, for it is taken out of texts as a
/// secret is.
const UNRESOLVED: &str = "tollbridge-unresolved-secret";

/// The secrets of one configuration.
pub(super) struct Resolved {
    by_reference: HashMap<SecretRef, Secret>,
    /// User and secret of basic authentication: their encoding is a secret of its own.
    pairs: Vec<(String, SecretRef)>,
    /// Whether more become known while the bridge runs.
    grows: bool,
    /// Whether all values are the secrets' own.
    real: bool,
    /// Certificates and keys of connections. They go over no wire as they are, and are read in
    /// earnest also where secrets are only verified: what is wrong with them shows only so.
    pems: HashMap<SecretRef, Secret>,
}

impl Resolved {
    /// The secret's value; empty for one that could not be resolved, which was reported.
    pub(super) fn get(&self, reference: &SecretRef) -> Secret {
        self.by_reference.get(reference).cloned().unwrap_or_else(|| Secret::new(""))
    }

    /// The secret's own value, where it was resolved: no word in its place.
    pub(super) fn own(&self, reference: &SecretRef) -> Option<Secret> {
        let found = self.by_reference.get(reference);
        found.filter(|secret| secret.expose() != UNRESOLVED).cloned()
    }

    /// Whether all values are the secrets' own, and no words in their places.
    pub(super) fn are_real(&self) -> bool {
        self.real
    }

    /// The value of a text that may be a reference.
    pub(super) fn text(&self, text: &HeaderText) -> String {
        match text {
            HeaderText::Fixed(text) => text.clone(),
            HeaderText::Secret(reference) => self.get(reference).expose().to_owned(),
        }
    }

    /// The proxy of an API, if it has one.
    pub(super) fn proxy(&self, api: &Api) -> Option<bridge::Proxy> {
        let login = api.proxy_auth.as_ref();
        let login = login.map(|login| (self.text(&login.username), self.get(&login.password)));
        api.proxy.as_ref().map(|proxy| bridge::Proxy { url: proxy.as_url().clone(), login })
    }

    /// What an API's connections trust and present; what could not be read was reported.
    pub(super) fn tls(&self, tls: &Tls) -> bridge::Tls {
        let pem = |reference: &Located<SecretRef>| self.pems.get(&**reference).cloned();
        let certificate = tls.cert.as_ref().and_then(pem);
        let key = tls.key.as_ref().and_then(pem);
        bridge::Tls {
            authorities: tls.ca.as_ref().and_then(pem).map(|pem| pem.expose().to_owned()),
            identity: certificate.zip(key).map(|(certificate, key)| bridge::ClientIdentity {
                certificate: certificate.expose().to_owned(),
                key,
            }),
        }
    }

    /// A certificate or key; what could not be read was reported.
    pub(super) fn pem(&self, reference: &SecretRef) -> Option<&Secret> {
        self.pems.get(reference)
    }

    /// The files that hold secrets.
    pub(super) fn files(&self, config: &Config) -> Vec<PathBuf> {
        let references = self.by_reference.keys().chain(self.pems.keys());
        references.filter_map(|reference| reference.file(&config.dir)).collect()
    }

    /// What tells these secrets from others under the same references.
    pub(super) fn digest(&self) -> [u8; 32] {
        let all = self.by_reference.iter().chain(&self.pems);
        let mut all: Vec<(String, &Secret)> =
            all.map(|(reference, secret)| (reference.to_string(), secret)).collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut digest = Sha256::new();
        for (reference, secret) in all {
            for text in [reference.as_str(), secret.expose()] {
                digest.update(text.len().to_le_bytes());
                digest.update(text);
            }
        }
        digest.finalize().into()
    }

    pub(super) fn redactor(&self) -> Redactor {
        let pairs: Vec<_> = self
            .pairs
            .iter()
            .map(|(user, reference)| (user.clone(), self.get(reference)))
            .collect();
        let secrets = self.by_reference.values();
        let pairs = pairs.iter().map(|(user, secret)| (user.as_str(), secret));
        if self.grows {
            Redactor::growing(secrets, pairs)
        } else {
            Redactor::with_pairs(secrets, pairs)
        }
    }
}

pub(super) fn resolve(config: &Config, how: Secrets, found: &mut Diagnostics) -> Resolved {
    let mut by_reference: HashMap<SecretRef, Secret> = HashMap::new();
    let mut one = |reference: &SecretRef, span: Range<usize>| {
        if by_reference.contains_key(reference) {
            return;
        }
        let found_one = match how {
            Secrets::Resolve => reference.resolve(&config.dir),
            Secrets::AtHand if !reference.runs_a_program() => reference.resolve(&config.dir),
            Secrets::Verify | Secrets::AtHand => {
                reference.verify(&config.dir).map(|()| Secret::new(UNRESOLVED))
            }
        };
        match found_one {
            Ok(secret) => {
                by_reference.insert(reference.clone(), secret);
            }
            Err(error) => {
                let mut diagnostic =
                    Diagnostic::error(codes::SECRET, &config.file, error.to_string())
                        .at(span)
                        .help("set it where the server runs; `check` without it is a warning");
                if how != Secrets::Resolve {
                    diagnostic.severity = Severity::Warning;
                    by_reference.insert(reference.clone(), Secret::new(UNRESOLVED));
                }
                found.push(diagnostic);
            }
        }
    };
    for key in [&config.server.token_key, &config.audit.signing_key].into_iter().flatten() {
        one(key, key.span());
    }
    if let Some(key) = &config.redact.key {
        one(key, key.span());
    }
    for (_, value) in config.observe.otlp.iter().flat_map(|otlp| otlp.headers.iter()) {
        if let HeaderText::Secret(reference) = &**value {
            one(reference, value.span());
        }
    }
    if let Some(webhook) = &config.approvals.webhook {
        one(&webhook.secret, webhook.secret.span());
    }
    let mut users = Vec::new();
    let introspection = config.server.auth.as_ref().and_then(|auth| auth.introspection.as_ref());
    if let Some(introspection) = introspection {
        let secret = &introspection.client_secret;
        one(secret, secret.span());
        if let HeaderText::Secret(id) = &*introspection.client_id {
            one(id, introspection.client_id.span());
        }
        users.push(((*introspection.client_id).clone(), (**secret).clone()));
    }
    let mut grows = false;
    for (_, api) in config.apis.iter() {
        for auth in api.auths() {
            match &**auth {
                Auth::ApiKey { value, .. } => one(value, value.span()),
                Auth::Bearer { token } => one(token, token.span()),
                Auth::Oauth2(oauth) => {
                    let secrets = [
                        &oauth.client_secret,
                        &oauth.client_key,
                        &oauth.assertion_key,
                        &oauth.refresh_token,
                        &oauth.password,
                    ];
                    for secret in secrets.into_iter().flatten() {
                        one(secret, secret.span());
                    }
                    for text in oauth.username.iter().chain([&oauth.client_id]) {
                        if let HeaderText::Secret(reference) = &**text {
                            one(reference, text.span());
                        }
                    }
                    if let Some(secret) = &oauth.client_secret {
                        users.push(((*oauth.client_id).clone(), (**secret).clone()));
                    }
                    grows = true;
                }
                Auth::Sigv4(sigv4) => {
                    if let HeaderText::Secret(id) = &*sigv4.access_key_id {
                        one(id, sigv4.access_key_id.span());
                    }
                    let key = &sigv4.secret_access_key;
                    for secret in std::iter::once(key).chain(&sigv4.session_token) {
                        one(secret, secret.span());
                    }
                }
                Auth::Signature(signature) => {
                    for secret in signature.secret.iter().chain(&signature.key) {
                        one(secret, secret.span());
                    }
                }
                Auth::Session(session) => {
                    if let Some(arguments) = &session.arguments {
                        references(&arguments.0, &mut |found| one(found, arguments.span()));
                    }
                    grows = true;
                }
                Auth::Basic { username, password }
                | Auth::Digest { username, password }
                | Auth::Wsse { username, password, .. } => {
                    one(password, password.span());
                    if let HeaderText::Secret(user) = &**username {
                        one(user, username.span());
                    }
                    users.push(((**username).clone(), (**password).clone()));
                }
            }
        }
        if let Some(ProxyAuth { username, password }) = api.proxy_auth.as_deref() {
            one(password, password.span());
            if let HeaderText::Secret(user) = &**username {
                one(user, username.span());
            }
            users.push(((**username).clone(), (**password).clone()));
        }
        for (_, block) in api.soap_headers.iter() {
            references(&block.0, &mut |reference| one(reference, block.span()));
        }
        for (_, text) in api.headers.iter() {
            if let HeaderText::Secret(reference) = &**text {
                one(reference, text.span());
            }
        }
    }
    let real = how == Secrets::Resolve;
    let pems = pems(config, how, found);
    let mut resolved = Resolved { by_reference, pairs: Vec::new(), grows, real, pems };
    resolved.pairs =
        users.into_iter().map(|(user, password)| (resolved.text(&user), password)).collect();
    resolved
}

/// The references to secrets in a value.
fn references(value: &Value, told: &mut impl FnMut(&SecretRef)) {
    match value {
        Value::String(text) => {
            if let Ok(reference) = text.parse() {
                told(&reference);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, told)),
        Value::Object(members) => members.values().for_each(|value| references(value, told)),
        _ => {}
    }
}

fn pems(config: &Config, how: Secrets, found: &mut Diagnostics) -> HashMap<SecretRef, Secret> {
    let mut pems = HashMap::new();
    let tls = config.apis.iter().filter_map(|(_, api)| api.tls.as_deref());
    let of_apis = tls.flat_map(|tls| [&tls.ca, &tls.cert, &tls.key]).flatten();
    let own = config.server.tls.iter();
    let own = own.flat_map(|tls| [Some(&tls.cert), Some(&tls.key), tls.client_ca.as_ref()]);
    for reference in of_apis.chain(own.flatten()) {
        match reference.resolve(&config.dir) {
            Ok(pem) => {
                pems.insert((**reference).clone(), pem);
            }
            Err(error) => {
                let diagnostic = Diagnostic::error(codes::SECRET, &config.file, error.to_string());
                let mut diagnostic = diagnostic.at(reference.span());
                if how != Secrets::Resolve {
                    diagnostic.severity = Severity::Warning;
                }
                found.push(diagnostic);
            }
        }
    }
    pems
}
