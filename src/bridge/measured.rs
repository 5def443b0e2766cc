//! What of an exchange is measured: where it went, and in a word how it failed.
//!
//! These become labels of metrics, so all of them are of fixed sets or of the configuration.

use std::sync::Arc;

use http::Method;
use url::{Host, Url};

use super::attempt::{Exchange, Server};
use super::breakage::Breakage;
use super::exchange::{Content, Ended};
use super::prepare::Target;
use super::upstream::Upstream;

impl Server {
    /// The host of a base URL, or of one that the configuration allows.
    pub(super) fn of(url: &Url) -> Arc<Self> {
        let address: Arc<str> = match url.host() {
            Some(Host::Domain(name)) => name.into(),
            Some(Host::Ipv4(address)) => address.to_string().into(),
            Some(Host::Ipv6(address)) => address.to_string().into(),
            None => Arc::default(),
        };
        Arc::new(Self { address, port: url.port_or_known_default().unwrap_or_default() })
    }
}

impl Exchange {
    /// Of a request that ended so; `None` where nothing of it was to go out.
    pub(super) fn of(upstream: &Upstream, target: &Target, ended: &Ended) -> Option<Self> {
        let error = match ended {
            Ended::Answered(answered) => match &answered.body {
                Content::Whole(_) => None,
                Content::TooLarge | Content::Bomb => Some("response_too_large"),
                Content::NoRoom => Some("no_room"),
                Content::Encoded(_) => Some("encoding_unknown"),
                Content::Broken(what) => Some(what.word()),
            },
            Ended::Broken { what: Breakage::NoMessage | Breakage::NoToken(_), .. }
            | Ended::Cancelled { sent: false } => return None,
            Ended::Broken { what, .. } => Some(what.word()),
            Ended::Cancelled { sent: true } => Some("cancelled"),
        };
        let base = &upstream.bases[target.at];
        // A redirect leads to another host that the configuration names.
        let is_there = base.url.host() == target.url.host()
            && base.url.port_or_known_default() == target.url.port_or_known_default();
        let server = if is_there { Arc::clone(&base.server) } else { Server::of(&target.url) };
        Some(Self { server, method: word(&target.method), error })
    }
}

/// A method that the conventions of OpenTelemetry know (HTTP client spans, `http.request.method`).
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ if method == "QUERY" => "QUERY",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_with_its_port_and_without_brackets() {
        for (url, address, port) in [
            ("https://orders.example/v1", "orders.example", 443),
            ("http://orders.example:8080", "orders.example", 8080),
            ("http://127.0.0.1/", "127.0.0.1", 80),
            ("https://[::1]:8443/", "::1", 8443),
        ] {
            let server = Server::of(&Url::parse(url).expect("a URL"));
            assert_eq!((&*server.address, server.port), (address, port), "{url}");
        }
    }

    #[test]
    fn methods_that_nobody_knows_are_one() {
        for (method, expected) in [("GET", "GET"), ("QUERY", "QUERY"), ("BREW", "_OTHER")] {
            assert_eq!(word(&method.parse().expect("a method")), expected);
        }
    }
}
