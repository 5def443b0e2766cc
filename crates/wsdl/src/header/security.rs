//! WS-Security: the header that proves who sends a message, and when it was made.
//!
//! OASIS Web Services Security: SOAP Message Security 1.1.1 (§5 the header, §10 the timestamp)
//! and `UsernameToken` Profile 1.1.1 (§3.1: the password as text, or as
//! `Base64(SHA-1(nonce + created + password))`). Nothing is signed or encrypted.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha1::{Digest, Sha1};
use tollbridge_operation::{EncodeError, MessageSecurity, Moment, Password};

use crate::message::Wanted;
use crate::name::QName;
use crate::value::Writer;

const SECEXT: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
pub(crate) const UTILITY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const TOKEN: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0";
const BASE64: &str = "http://docs.oasis-open.org/wss/2004/01/\
                      oasis-200401-wss-soap-message-security-1.0#Base64Binary";

/// How long a message is valid where a policy wants to be told and nobody says: what the
/// implementations of the profile take by default.
const VALIDITY: Duration = Duration::from_mins(5);

/// Bytes of a nonce: the profile names no number, and 16 are never drawn twice.
const NONCE: usize = 16;

/// Writes the header.
pub(super) fn write(
    out: &mut Writer<'_>,
    security: &MessageSecurity,
    wanted: &Wanted,
    moment: &Moment<'_>,
) -> Result<(), EncodeError> {
    let refused = |expected: &str| EncodeError {
        pointer: "/security".to_owned(),
        expected: expected.to_owned(),
    };
    let now = i64::try_from(moment.now.as_millis())
        .ok()
        .and_then(|now| Timestamp::from_millisecond(now).ok())
        .ok_or_else(|| refused("a clock that is right"))?;
    let created = written(now);
    let wsse = |local: &str| QName::new(Some(SECEXT), local);
    let wsu = |local: &str| QName::new(Some(UTILITY), local);
    if security.must_understand {
        out.beside.push(("soap:mustUnderstand".to_owned(), "1".to_owned()));
    }
    let header = out.start(&wsse("Security"), &[]);
    if let Some(valid) = validity(security, wanted) {
        let expires = now.checked_add(valid).map_err(|_| refused("a shorter `timestamp`"))?;
        let timestamp = out.start(&wsu("Timestamp"), &[]);
        out.leaf_of(&wsu("Created"), &[], &created, "/security")?;
        out.leaf_of(&wsu("Expires"), &[], &written(expires), "/security")?;
        out.end(&timestamp);
    }
    let token = out.start(&wsse("UsernameToken"), &[]);
    out.leaf_of(&wsse("Username"), &[], &security.username, "/security/username")?;
    let nonce = &moment.random[..NONCE];
    let digest = is_digest(security, wanted);
    let (kind, password) = match (&security.password, digest) {
        (Password::Clear(password), true) => {
            ("PasswordDigest", digested(nonce, &created, password))
        }
        (Password::Clear(password), false) => ("PasswordText", password.clone()),
        (Password::Hidden(mask), true) => ("PasswordDigest", (*mask).to_owned()),
        (Password::Hidden(mask), false) => ("PasswordText", (*mask).to_owned()),
    };
    let kind = format!("{TOKEN}#{kind}");
    out.leaf_of(&wsse("Password"), &[("Type", &kind)], &password, "/security/password")?;
    if digest {
        let encoded = STANDARD.encode(nonce);
        out.leaf_of(&wsse("Nonce"), &[("EncodingType", BASE64)], &encoded, "/security")?;
        out.leaf_of(&wsu("Created"), &[], &created, "/security")?;
    }
    out.end(&token);
    out.end(&header);
    Ok(())
}

/// Whether the password goes as a digest: by the configuration, else by the WSDL.
pub(super) fn is_digest(security: &MessageSecurity, wanted: &Wanted) -> bool {
    security.digest.unwrap_or(wanted.digest)
}

/// How long the message says that it is valid, if it says so.
pub(super) fn validity(security: &MessageSecurity, wanted: &Wanted) -> Option<Duration> {
    security.timestamp.or(wanted.timestamp.then_some(VALIDITY))
}

/// `Base64(SHA-1(nonce + created + password))` (§3.1): of the nonce the bytes, of the others
/// their UTF-8.
fn digested(nonce: &[u8], created: &str, password: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(nonce);
    hash.update(created.as_bytes());
    hash.update(password.as_bytes());
    STANDARD.encode(hash.finalize())
}

/// `xsd:dateTime` in UTC with milliseconds, which is what implementations agree on.
fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_profile() {
        // By OpenSSL: the sixteen bytes and the two texts through `openssl dgst -sha1 -binary`.
        let nonce: Vec<u8> = (1..=16).collect();
        assert_eq!(digested(&nonce, "2003-07-16T01:24:32.000Z", "taadtaadpstcsm"), EXPECTED);
    }

    const EXPECTED: &str = "3R6DqThs3I3egOresy5tBjnKWT0=";
}
