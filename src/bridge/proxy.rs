//! The proxy that an API's requests go through.
//!
//! An HTTP proxy is asked for the URL, and by `CONNECT` where the API is https (RFC 9110 §9.3.6);
//! a SOCKS one for a connection (RFC 1928), to an address that was resolved and judged here
//! (`socks5`) or to a name that it resolves itself (`socks5h`). Who asks is told to the proxy
//! alone, never to the API.

use std::fmt;

use url::Url;

use crate::secret::Secret;

/// Where a proxy is, and who it is told we are.
#[derive(Clone)]
pub struct Proxy {
    /// `http`, `https`, `socks5` or `socks5h`, without credentials.
    pub url: Url,
    /// User and password: HTTP Basic (RFC 7617), or those of SOCKS (RFC 1929).
    pub login: Option<(String, Secret)>,
}

impl Proxy {
    /// As the HTTP library takes it. The error says what is wrong, without the password.
    pub(super) fn build(&self) -> Result<reqwest::Proxy, String> {
        let words = |error: reqwest::Error| error.without_url().to_string();
        let proxy = reqwest::Proxy::all(self.url.clone()).map_err(words)?;
        Ok(match &self.login {
            Some((user, password)) => proxy.basic_auth(user, password.expose()),
            None => proxy,
        })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}
