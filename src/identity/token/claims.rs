//! What must hold of a token's claims, and who they say it is (RFC 7519 §4.1, RFC 9068 §4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use tollbridge_operation::Identity;

use super::super::{Claim, Facts, Proof};
use super::{Known, NotKnown};

/// How many groups, scopes or values of a claim count.
const MAX_LISTED: usize = 256;

/// How far the issuer's clock may be from ours, in seconds.
const LEEWAY: i64 = 30;

/// What must hold of claims, and which of them say what.
#[derive(Debug, Clone, Default)]
pub struct ClaimRules {
    /// Who must have issued the token, letter by letter.
    pub issuer: String,
    /// Whether it may leave out who issued it.
    pub issuer_may_lack: bool,
    /// For whom it must be: this server.
    pub audience: String,
    /// The claim that is the identity: its name, or a JSON pointer to it.
    pub identity: String,
    /// The claim that lists groups, likewise.
    pub groups: Option<String>,
    /// Claims that are kept as facts about the caller, by name or JSON pointer.
    pub kept: Vec<String>,
}

impl ClaimRules {
    /// Who it is, at that time in seconds since the Unix epoch.
    pub(super) fn judge(
        &self,
        claims: &Map<String, Value>,
        now: i64,
        certificate: Option<&str>,
    ) -> Result<Known, NotKnown> {
        let invalid = |why| Err(NotKnown::Invalid(why));
        match claims.get("iss") {
            None if self.issuer_may_lack => {}
            issuer if issuer.and_then(Value::as_str) == Some(&self.issuer) => {}
            _ => return invalid("the token is of another issuer"),
        }
        if !names(claims.get("aud"), &self.audience) {
            return invalid("the token is not for this server");
        }
        let Some(expires) = claims.get("exp").and_then(seconds) else {
            return invalid("the token does not say when it expires");
        };
        if now >= expires.saturating_add(LEEWAY) {
            return invalid("the token has expired");
        }
        for name in ["nbf", "iat"] {
            match claims.get(name).map(seconds) {
                None => {}
                Some(Some(from)) if now >= from.saturating_sub(LEEWAY) => {}
                Some(_) => return invalid("the token is not valid yet"),
            }
        }
        bound(claims, certificate)?;
        let identity = find(claims, &self.identity).and_then(Value::as_str);
        let Some(identity) = identity.and_then(|name| Identity::new(name).ok()) else {
            return invalid("the token does not say who its bearer is");
        };
        let groups = self.groups.as_deref().and_then(|name| find(claims, name));
        let scopes = claims.get("scope").or_else(|| claims.get("scp")).map(scopes);
        let client = ["client_id", "azp", "appid"].iter().find_map(|name| claims.get(*name));
        let kept: BTreeMap<String, Claim> = self
            .kept
            .iter()
            .filter_map(|name| Some((name.clone(), claim(find(claims, name)?)?)))
            .collect();
        let facts = Facts {
            proof: Proof::Token,
            client_id: client.and_then(Value::as_str).map(str::to_owned),
            scopes: Some(scopes.unwrap_or_default()),
            claims: kept,
        };
        Ok(Known {
            identity,
            groups: groups.map(texts).unwrap_or_default(),
            facts: Arc::new(facts),
            // When it stops being taken, not when it says.
            expires: Some(expires.saturating_add(LEEWAY)),
        })
    }
}

/// Whether who brings the token holds what it is bound to. Bound to a certificate it is good for
/// that one alone (RFC 8705 §3); what else a token can be bound to is not verified here, and then
/// it is not good at all, since who stole it could bring it too.
fn bound(claims: &Map<String, Value>, certificate: Option<&str>) -> Result<(), NotKnown> {
    let Some(confirmation) = claims.get("cnf") else { return Ok(()) };
    let Some(confirmation) = confirmation.as_object() else {
        return Err(NotKnown::Invalid("what the token is bound to cannot be read"));
    };
    let thumbprint = confirmation.get("x5t#S256").and_then(Value::as_str);
    match thumbprint {
        Some(wanted) if confirmation.len() == 1 => {
            if certificate == Some(wanted) {
                Ok(())
            } else {
                Err(NotKnown::Invalid("the token is bound to a certificate that is not there"))
            }
        }
        _ => Err(NotKnown::Invalid("the token is bound to a key that is not verified here")),
    }
}

/// A claim by its name, or by a JSON pointer. Names may hold anything, dots and slashes too, but
/// start with a slash only as a pointer.
fn find<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    let Some(pointer) = name.strip_prefix('/') else { return claims.get(name) };
    let (first, rest) = match pointer.split_once('/') {
        Some((first, _)) => (first, &pointer[first.len()..]),
        None => (pointer, ""),
    };
    claims.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
}

/// RFC 7519 §4.1.3: a string, or a list of them.
fn names(audience: Option<&Value>, wanted: &str) -> bool {
    match audience {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(wanted)),
        _ => false,
    }
}

/// RFC 7519 §2, `NumericDate`: seconds, perhaps with a fraction, which is cut.
fn seconds(value: &Value) -> Option<i64> {
    let Value::Number(number) = value else { return None };
    let text = number.to_string();
    let whole = text.split('.').next().unwrap_or_default();
    whole.parse().ok()
}

/// A string, or a list of strings.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(all) => {
            all.iter().filter_map(Value::as_str).take(MAX_LISTED).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Scopes: one string with blanks between them (RFC 8693 §4.2), or a list, as some servers have it.
fn scopes(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(all) => {
            all.split_ascii_whitespace().take(MAX_LISTED).map(str::to_owned).collect()
        }
        other => texts(other).into_iter().collect(),
    }
}

fn claim(value: &Value) -> Option<Claim> {
    Some(match value {
        Value::String(text) => Claim::Text(text.clone()),
        Value::Bool(flag) => Claim::Flag(*flag),
        Value::Number(_) => Claim::Number(value.as_i64()?),
        Value::Array(_) => Claim::Texts(texts(value).into_iter().collect()),
        Value::Null | Value::Object(_) => return None,
    })
}
