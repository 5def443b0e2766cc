//! AWS Signature Version 4, after "Signing AWS API requests" of the IAM User Guide: a canonical
//! form of the request is hashed, and the hash signed under a key that is derived for the day, the
//! region and the service.
//!
//! Signed are the host, the content type and what is Amazon's own; whatever else a proxy on the
//! way may change is not. Amazon's published vectors are its tests.

use std::time::SystemTime;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::hmac;
use sha2::{Digest as _, Sha256};

use super::{Outgoing, Unsigned};
use crate::secret::Secret;

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same, but for what parts the segments of a path.
const IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// Whose requests are signed, and for which service.
#[derive(Debug)]
pub struct SigV4 {
    /// The name of the key.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// What goes with a key that is lent for a while.
    pub session_token: Option<Secret>,
    /// Where the service is: `eu-west-1`.
    pub region: String,
    /// Its name in signatures: `execute-api`, `s3`.
    pub service: String,
}

impl SigV4 {
    pub(super) fn sign(&self, request: &mut Outgoing<'_>, now: SystemTime) -> Result<(), Unsigned> {
        let now = Timestamp::try_from(now).map_err(|_| Unsigned)?;
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let payload = hex::encode(Sha256::digest(request.body));
        put(request, "x-amz-date", &time, false)?;
        if let Some(token) = &self.session_token {
            put(request, "x-amz-security-token", token.expose(), true)?;
        }
        if self.is_s3() {
            put(request, "x-amz-content-sha256", &payload, false)?;
        }
        let (canonical, signed) = self.canonical(request, &payload)?;
        let day = time.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let digest = hex::encode(Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
        let signature = hex::encode(hmac::sign(&self.key(day), text.as_bytes()).as_ref());
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            self.access_key_id
        );
        put(request, AUTHORIZATION.as_str(), &value, true)
    }

    /// The canonical request, and the names of the headers in it.
    fn canonical(
        &self,
        request: &Outgoing<'_>,
        payload: &str,
    ) -> Result<(String, String), Unsigned> {
        let mut headers = vec![("host".to_owned(), request.host().to_owned())];
        for name in request.headers.keys() {
            if *name == CONTENT_TYPE || name.as_str().starts_with("x-amz-") {
                let values: Result<Vec<_>, _> = request
                    .headers
                    .get_all(name)
                    .iter()
                    .map(|value| value.to_str().map(squeezed))
                    .collect();
                headers.push((name.as_str().to_owned(), values.map_err(|_| Unsigned)?.join(",")));
            }
        }
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let signed = names.join(";");
        let lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let lines = lines.join("\n");
        let (path, query) = (self.path(request.url.path()), query(request.url.query()));
        let method = request.method;
        let canonical = format!("{method}\n{path}\n{query}\n{lines}\n\n{signed}\n{payload}");
        Ok((canonical, signed))
    }

    /// The path as it is sent, encoded once more; S3 alone takes it as it is.
    fn path(&self, sent: &str) -> String {
        if self.is_s3() {
            return sent.to_owned();
        }
        let mut path = String::with_capacity(sent.len());
        for (at, segment) in sent.split('/').enumerate() {
            // What is empty between two slashes is no segment to a service.
            let is_last = at + 1 == sent.split('/').count();
            if at > 0 && (is_last || !segment.is_empty()) {
                path.push('/');
            }
            path.extend(utf8_percent_encode(segment, IN_PATH));
        }
        path
    }

    fn is_s3(&self) -> bool {
        self.service == "s3"
    }

    /// The key of a day.
    fn key(&self, day: &str) -> hmac::Key {
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let first = zeroize::Zeroizing::new(format!("AWS4{}", self.secret_access_key.expose()));
        let mut derived = key(first.as_bytes());
        for part in [day, &self.region, &self.service, "aws4_request"] {
            derived = key(hmac::sign(&derived, part.as_bytes()).as_ref());
        }
        derived
    }
}

fn put(request: &mut Outgoing<'_>, name: &str, text: &str, secret: bool) -> Result<(), Unsigned> {
    let name = HeaderName::try_from(name).map_err(|_| Unsigned)?;
    let mut value = HeaderValue::from_str(text).map_err(|_| Unsigned)?;
    value.set_sensitive(secret);
    request.headers.insert(name, value);
    Ok(())
}

/// Runs of spaces are one, and none at the ends.
fn squeezed(text: &str) -> String {
    text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The parameters in order, names and values encoded strictly.
fn query(sent: Option<&str>) -> String {
    let encoded = |text: &str| {
        let bytes: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&bytes, RESERVED).to_string()
    };
    let pairs = sent.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<(String, String)> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded(name), encoded(value))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use url::Url;

    use super::*;

    fn signed(
        signer: &SigV4,
        time: &str,
        method: &str,
        url: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> HeaderMap {
        let time: Timestamp = time.parse().expect("a time");
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
        });
        let mut headers: HeaderMap = headers.collect();
        let mut request = Outgoing {
            method: &Method::from_bytes(method.as_bytes()).expect("a method"),
            url: &Url::parse(url).expect("a URL"),
            headers: &mut headers,
            body: body.as_bytes(),
        };
        signer.sign(&mut request, time.into()).expect("signed");
        headers
    }

    fn signature(headers: &HeaderMap) -> (&str, &str) {
        let value = headers[AUTHORIZATION].to_str().expect("text");
        let names = value.split("SignedHeaders=").nth(1).expect("names");
        names.split_once(", Signature=").expect("a signature")
    }

    fn suite() -> SigV4 {
        SigV4 {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: None,
            region: "us-east-1".to_owned(),
            service: "service".to_owned(),
        }
    }

    /// The requests and signatures of Amazon's test suite.
    #[test]
    fn amazon_s_vectors_are_met() {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        for (method, url, headers, body, names, expected) in [
            (
                "GET",
                "https://example.amazonaws.com/",
                &[][..],
                "",
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "GET",
                "https://example.amazonaws.com/?Param2=value2&Param1=value1",
                &[],
                "",
                "host;x-amz-date",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "GET",
                "https://example.amazonaws.com/?%E1%88%B4=bar",
                &[],
                "",
                "host;x-amz-date",
                "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
            ),
            (
                "GET",
                "https://example.amazonaws.com//",
                &[],
                "",
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "POST",
                "https://example.amazonaws.com/",
                &[],
                "",
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "POST",
                "https://example.amazonaws.com/",
                &form,
                "Param1=value1",
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let headers = signed(&suite(), "2015-08-30T12:36:00Z", method, url, headers, body);
            assert_eq!(signature(&headers), (names, expected), "{method} {url} {body}");
            assert!(headers[AUTHORIZATION].is_sensitive());
        }
    }

    #[test]
    fn the_example_of_the_documentation_is_met() {
        let signer = SigV4 { service: "iam".to_owned(), ..suite() };
        let kind = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
        let headers = signed(&signer, "2015-08-30T12:36:00Z", "GET", url, &kind, "");
        let expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(signature(&headers), ("content-type;host;x-amz-date", expected));
    }

    #[test]
    fn s3_has_the_digest_in_a_header_and_its_path_as_it_is() {
        let signer = SigV4 {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            service: "s3".to_owned(),
            ..suite()
        };
        let url = "https://examplebucket.s3.amazonaws.com/?lifecycle";
        let headers = signed(&signer, "2013-05-24T00:00:00Z", "GET", url, &[], "");
        let expected = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
        assert_eq!(signature(&headers), ("host;x-amz-content-sha256;x-amz-date", expected));
        assert_eq!(signer.path("/a%20b//c"), "/a%20b//c");
        assert_eq!(suite().path("/a%20b//c/"), "/a%2520b/c/");
    }

    #[test]
    fn what_is_lent_goes_along_and_is_signed() {
        let signer = SigV4 { session_token: Some(Secret::new("lent")), ..suite() };
        let url = "https://example.amazonaws.com/";
        let headers = signed(&signer, "2015-08-30T12:36:00Z", "GET", url, &[], "");
        assert_eq!(signature(&headers).0, "host;x-amz-date;x-amz-security-token");
        assert_eq!(headers["x-amz-security-token"], "lent");
        assert!(headers["x-amz-security-token"].is_sensitive());
    }
}
