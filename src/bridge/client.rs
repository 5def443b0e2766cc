//! The connection pool of one upstream.
//!
//! The cryptography provider is passed, not installed for the process. Nothing of the
//! environment has a say: no proxy variables (a proxy is one that the
//! configuration names), no redirects, no repetitions but our own.

use std::time::Duration;

use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue};
use reqwest::redirect;
use rustls::ClientConfig;

use super::proxy::Proxy;
use super::resolve::Guard;
use super::tls;

/// A connection that takes longer is none.
const CONNECT: Duration = Duration::from_secs(10);

/// Shorter than what servers usually grant, so that it is us who close an idle connection: a
/// write sent on one that the server is closing has an unknown outcome.
const IDLE: Duration = Duration::from_secs(20);

/// The largest head of an answer over HTTP/2. Over HTTP/1.1 the library takes 100 headers and
/// about 400 KiB.
const HEAD: u32 = 256 * 1024;

/// Builds the client. It connects to nothing yet.
pub(super) fn build(
    attempt_timeout: Duration,
    tls: ClientConfig,
    guard: Guard,
    proxy: Option<&Proxy>,
) -> Result<reqwest::Client, String> {
    // Less than an attempt, so that a time-out of the attempt means that there was a connection.
    let connect = CONNECT.min(attempt_timeout.mul_f64(0.75));
    let mut builder = reqwest::Client::builder();
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy.build()?);
    } else {
        builder = builder.no_proxy();
    }
    builder
        .tls_backend_preconfigured(tls)
        .default_headers(HeaderMap::from_iter([(
            // What `inflate` undoes.
            ACCEPT_ENCODING,
            HeaderValue::from_static("gzip"),
        )]))
        .user_agent(concat!("tollbridge/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(guard)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(connect)
        .pool_idle_timeout(IDLE)
        .http2_max_header_list_size(HEAD)
        .build()
        .map_err(|error| error.without_url().to_string())
}

/// A client for others of our own errands that go where the configuration says: guarded by
/// the same rules, without redirects.
pub fn http_client() -> Result<reqwest::Client, String> {
    build(CONNECT, tls::system()?, Guard::new(None)?, None)
}
