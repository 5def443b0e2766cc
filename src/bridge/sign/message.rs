//! HTTP Message Signatures (RFC 9421): a list of components of the request is written down in one
//! form, and signed with a shared secret or a private key.
//!
//! The body is signed by its digest (RFC 9530), which is put into a header where it is among the
//! components. A component that the request does not have is left out: a read has no body.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderName, HeaderValue};
use ring::hmac;
use sha2::{Digest as _, Sha256};
use url::Position;

use super::{Outgoing, Unsigned};
use crate::bridge::signing::SigningKey;
use crate::secret::Secret;

/// What is signed by default: what the request does, where, and with which body.
const COMPONENTS: [&str; 6] =
    ["@method", "@authority", "@path", "@query", "content-type", "content-digest"];

/// What a component may be that is no header (§2.2).
const DERIVED: [&str; 7] =
    ["@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"];

/// How requests are signed.
#[derive(Debug)]
pub struct MessageSigner {
    key: MessageKey,
    /// By what name whoever verifies knows the key.
    key_id: String,
    components: Vec<String>,
    label: String,
    /// For how long a signature says that it is good.
    expires: Option<Duration>,
    /// What it is for (§2.3).
    tag: Option<String>,
}

/// With what is signed.
pub enum MessageKey {
    /// A secret that both sides know: `hmac-sha256`.
    Shared(Secret),
    /// The same, where the bytes are what the text is in base64.
    SharedBytes(Vec<u8>),
    /// A private key.
    Private(Arc<SigningKey>),
}

impl MessageSigner {
    /// A signer; `components` are by default the method, the place and the body. The error says
    /// in words what is wrong.
    pub fn new(
        key: MessageKey,
        key_id: &str,
        components: Option<Vec<String>>,
        label: Option<&str>,
        expires: Option<Duration>,
        tag: Option<&str>,
    ) -> Result<Self, String> {
        let components =
            components.unwrap_or_else(|| COMPONENTS.iter().map(ToString::to_string).collect());
        for component in &components {
            let is_header = HeaderName::try_from(component.as_str()).is_ok()
                && *component == component.to_ascii_lowercase();
            if !is_header && !DERIVED.contains(&component.as_str()) {
                return Err(format!(
                    "`{component}` is no component: expected a header in lower case or one of {}",
                    DERIVED.join(", ")
                ));
            }
        }
        for text in [Some(key_id), tag].into_iter().flatten() {
            if !text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
                return Err("a key's name and a tag are printable ASCII".to_owned());
            }
        }
        let label = label.unwrap_or("sig1");
        let is_label = label.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b));
        if !is_label {
            return Err("a label is a word in lower case (RFC 8941 §3.1.2)".to_owned());
        }
        Ok(Self {
            key,
            key_id: key_id.to_owned(),
            components,
            label: label.to_owned(),
            expires,
            tag: tag.map(str::to_owned),
        })
    }

    pub(super) fn sign(&self, request: &mut Outgoing<'_>, now: SystemTime) -> Result<(), Unsigned> {
        let has = |name: &str| self.components.iter().any(|component| component == name);
        if has("content-digest") && !request.body.is_empty() {
            let digest = STANDARD.encode(Sha256::digest(request.body));
            put(request, "content-digest", &format!("sha-256=:{digest}:"))?;
        }
        if has("date") && !request.headers.contains_key(DATE) {
            put(request, DATE.as_str(), &httpdate::fmt_http_date(now))?;
        }
        // The library sends it as the body is long.
        if has("content-length") && !request.body.is_empty() {
            put(request, CONTENT_LENGTH.as_str(), &request.body.len().to_string())?;
        }
        let created = now.duration_since(UNIX_EPOCH).map_err(|_| Unsigned)?.as_secs();
        let mut lines = Vec::new();
        let mut covered = Vec::new();
        for component in &self.components {
            let Some(value) = value(request, component)? else { continue };
            lines.push(format!("\"{component}\": {value}"));
            covered.push(format!("\"{component}\""));
        }
        let params = self.params(&covered.join(" "), created)?;
        lines.push(format!("\"@signature-params\": {params}"));
        let signature = self.key.sign(lines.join("\n").as_bytes()).ok_or(Unsigned)?;
        put(request, "signature-input", &format!("{}={params}", self.label))?;
        put(request, "signature", &format!("{}=:{}:", self.label, STANDARD.encode(signature)))
    }

    /// What is signed and how (§2.3).
    fn params(&self, covered: &str, created: u64) -> Result<String, Unsigned> {
        let mut params = vec![format!("({covered})"), format!("created={created}")];
        if let Some(expires) = self.expires {
            params.push(format!("expires={}", created.saturating_add(expires.as_secs())));
            // What is good for a while may come again within it, unless it has a name.
            let mut nonce = [0; 16];
            getrandom::fill(&mut nonce).map_err(|_| Unsigned)?;
            params.push(format!("nonce=\"{}\"", URL_SAFE_NO_PAD.encode(nonce)));
        }
        params.push(format!("keyid={}", quoted(&self.key_id)));
        params.extend(self.tag.as_ref().map(|tag| format!("tag={}", quoted(tag))));
        Ok(params.join(";"))
    }
}

/// A string of RFC 8941 §4.1.6.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn put(request: &mut Outgoing<'_>, name: &str, text: &str) -> Result<(), Unsigned> {
    let name = HeaderName::try_from(name).map_err(|_| Unsigned)?;
    let mut value = HeaderValue::from_str(text).map_err(|_| Unsigned)?;
    value.set_sensitive(name == "signature");
    request.headers.insert(name, value);
    Ok(())
}

/// A component's value (§2.1, §2.2); `None` where the request has none.
fn value(request: &Outgoing<'_>, component: &str) -> Result<Option<String>, Unsigned> {
    let url = request.url;
    let derived = match component {
        "@method" => request.method.as_str().to_owned(),
        "@target-uri" => url[..Position::AfterQuery].to_owned(),
        "@authority" => request.host().to_ascii_lowercase(),
        "@scheme" => url.scheme().to_owned(),
        "@request-target" => url[Position::BeforePath..Position::AfterQuery].to_owned(),
        "@path" => url.path().to_owned(),
        "@query" => format!("?{}", url.query().unwrap_or_default()),
        name => {
            let values = request.headers.get_all(name);
            let values: Result<Vec<&str>, _> =
                values.iter().map(|value| value.to_str().map(str::trim)).collect();
            let values = values.map_err(|_| Unsigned)?;
            return Ok((!values.is_empty()).then(|| values.join(", ")));
        }
    };
    Ok(Some(derived))
}

impl MessageKey {
    /// A shared secret that is written in base64. The error says in words what is wrong.
    pub fn of_base64(secret: &Secret) -> Result<Self, &'static str> {
        let bytes = STANDARD.decode(secret.expose().trim());
        bytes.map(Self::SharedBytes).map_err(|_| "is no base64")
    }

    fn sign(&self, base: &[u8]) -> Option<Vec<u8>> {
        let shared = |bytes: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
            Some(hmac::sign(&key, base).as_ref().to_vec())
        };
        match self {
            Self::Shared(secret) => shared(secret.expose().as_bytes()),
            Self::SharedBytes(bytes) => shared(bytes),
            Self::Private(key) => key.sign(base),
        }
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use url::Url;

    use super::*;

    /// The request of §B.2.
    fn signed(signer: &MessageSigner) -> HeaderMap {
        let mut headers = HeaderMap::from_iter([
            (DATE, HeaderValue::from_static("Tue, 20 Apr 2021 02:07:55 GMT")),
            (http::header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ]);
        let mut request = Outgoing {
            method: &Method::POST,
            url: &Url::parse("https://example.com/foo?param=Value&Pet=dog").expect("a URL"),
            headers: &mut headers,
            body: b"{\"hello\": \"world\"}",
        };
        let now = UNIX_EPOCH + Duration::from_secs(1_618_884_473);
        signer.sign(&mut request, now).expect("signed");
        headers
    }

    fn signer(key: MessageKey, id: &str, components: &str, label: &str) -> MessageSigner {
        let components = components.split(' ').map(str::to_owned).collect();
        MessageSigner::new(key, id, Some(components), Some(label), None, None).expect("a signer")
    }

    #[test]
    fn the_vector_of_a_shared_secret_is_met() {
        let secret = Secret::new(
            "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==",
        );
        let key = MessageKey::of_base64(&secret).expect("a key");
        let signer = signer(key, "test-shared-secret", "date @authority content-type", "sig-b25");
        let headers = signed(&signer);
        assert_eq!(
            headers["signature-input"],
            "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;\
             keyid=\"test-shared-secret\""
        );
        assert_eq!(headers["signature"], "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:");
        assert!(headers["signature"].is_sensitive());
    }

    #[test]
    fn the_vector_of_ed25519_is_met() {
        let pem = Secret::new(
            "-----BEGIN PRIVATE KEY-----\n\
             MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n\
             -----END PRIVATE KEY-----\n",
        );
        let key = SigningKey::from_pem(&pem, None).expect("a key");
        let signer = signer(
            MessageKey::Private(Arc::new(key)),
            "test-key-ed25519",
            "date @method @path @authority content-type content-length",
            "sig-b26",
        );
        let headers = signed(&signer);
        assert_eq!(
            headers["signature-input"],
            "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \
             \"content-length\");created=1618884473;keyid=\"test-key-ed25519\""
        );
        assert_eq!(
            headers["signature"],
            "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5\
             WPpBKRCw==:"
        );
    }

    #[test]
    fn what_the_request_lacks_is_left_out_and_the_body_goes_by_its_digest() {
        let key = || MessageKey::Shared(Secret::new("s"));
        let components = "@query content-digest x-none";
        let headers = signed(&signer(key(), "k\"1", components, "a"));
        // RFC 9530 has the digest of this body.
        assert_eq!(
            headers["content-digest"],
            "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
        );
        assert_eq!(
            headers["signature-input"],
            "a=(\"@query\" \"content-digest\");created=1618884473;keyid=\"k\\\"1\""
        );
        let minute = Some(Duration::from_mins(1));
        let lasting = MessageSigner::new(key(), "k", None, None, minute, Some("app"));
        let headers = signed(&lasting.expect("a signer"));
        let input = headers["signature-input"].to_str().expect("text");
        assert!(input.contains(";created=1618884473;expires=1618884533;nonce=\""), "{input}");
        assert!(input.ends_with(";keyid=\"k\";tag=\"app\""), "{input}");
        for wrong in ["@status", "X-Upper", "a b"] {
            let components = Some(vec![wrong.to_owned()]);
            assert!(MessageSigner::new(key(), "k", components, None, None, None).is_err());
        }
    }
}
