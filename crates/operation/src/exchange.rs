//! One HTTP exchange, as a binding sees it: without a host, without credentials.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

/// A request that a binding built. The bridge adds the server, credentials and fixed headers.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path under the server's base URL: percent-encoded, and empty or beginning with `/`.
    pub path: String,
    /// The query, percent-encoded, without `?`.
    pub query: Option<String>,
    /// Headers, `Accept` among them; no `Host`, `Cookie`, `Content-Type` or `Content-Length`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `name=value` pairs of the `Cookie` header, encoded.
    pub cookies: Vec<String>,
    /// The body with its media type.
    pub body: Option<Body>,
}

/// A request's body.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// The value of `Content-Type`.
    pub content_type: HeaderValue,
    /// The bytes.
    pub bytes: Bytes,
}

/// A whole response, its body read, bounded and decompressed.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// The `Content-Type` without its parameters, in lower case; `None` where it is missing
    /// or no text.
    pub fn media_type(&self) -> Option<String> {
        let value = self.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = value.split(';').next().unwrap_or_default().trim();
        (!essence.is_empty()).then(|| essence.to_ascii_lowercase())
    }
}
