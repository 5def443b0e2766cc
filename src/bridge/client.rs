//! The connection pool of one upstream, and whom its TLS trusts.
//!
//! The cryptography provider is passed, not installed for the process. Nothing of the
//! environment has a say: no proxy variables, no redirects, no repetitions but our own.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// A connection that takes longer is none.
const CONNECT: Duration = Duration::from_secs(10);

/// Shorter than what servers usually grant, so that it is us who close an idle connection: a
/// write sent on one that the server is closing has an unknown outcome.
const IDLE: Duration = Duration::from_secs(20);

/// Builds the client. `tls` says whether any host may be reached by https; where none may,
/// the machine's certificates are not read. On a machine that has none, every https
/// connection fails for lack of trust, and nothing else does.
pub(super) fn build(attempt_timeout: Duration, tls: bool) -> Result<reqwest::Client, String> {
    // Less than an attempt, so that a time-out of the attempt means that there was a connection.
    let connect = CONNECT.min(attempt_timeout.mul_f64(0.75));
    reqwest::Client::builder()
        .tls_backend_preconfigured(trust(tls)?)
        .user_agent(concat!("tollbridge/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(connect)
        .pool_idle_timeout(IDLE)
        .gzip(true)
        .build()
        .map_err(|error| error.without_url().to_string())
}

fn trust(tls: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let verifier = if tls { Verifier::new(provider).ok() } else { None };
    let mut config = match verifier {
        Some(verifier) => builder
            .dangerous() // rustls' word for any verifier but its own; this one is the system's.
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth(),
        None => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
