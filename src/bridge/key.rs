//! The key by which an API tells repetitions of one call from calls of their own
//! (draft-ietf-httpapi-idempotency-key-header): one for each call, the same in all its
//! requests.
//!
//! Where the caller names its call by a key, ours follows from that, so that a call which is
//! made again after the bridge has forgotten it is still the same call to the API.

use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use tollbridge_operation::Call;

/// Puts the call's key into its headers, and says what it is. A key among the arguments is the
/// caller's own, and stays.
pub(super) fn put(name: &HeaderName, call: &Call, headers: &mut HeaderMap) -> String {
    let own = headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(own) = own.filter(|own| !own.is_empty()) {
        return own.to_owned();
    }
    let key = of(call);
    if let Ok(value) = HeaderValue::from_str(&key) {
        headers.insert(name, value);
    }
    key
}

/// A UUID of version 8 (RFC 9562 §5.8), which says that its bits are made our way.
fn of(call: &Call) -> String {
    let mut hash = Sha256::new();
    match &call.key {
        None => hash.update(call.id.as_str()),
        Some(key) => {
            for part in [call.identity.as_str(), call.tool.as_str(), key] {
                hash.update(part.len().to_be_bytes());
                hash.update(part);
            }
        }
    }
    let mut bytes: [u8; 16] = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
