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

/// Builds the client. It connects to nothing yet.
pub(super) fn build(
    attempt_timeout: Duration,
    tls: ClientConfig,
) -> Result<reqwest::Client, String> {
    // Less than an attempt, so that a time-out of the attempt means that there was a connection.
    let connect = CONNECT.min(attempt_timeout.mul_f64(0.75));
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
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

/// TLS that trusts whom the machine trusts. Where it has no certificates, every https
/// connection fails for lack of trust, and nothing else does.
pub(super) fn trust_the_system() -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(verifier) = Verifier::new(Arc::clone(&provider)) else {
        return trust_only(RootCertStore::empty());
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous() // rustls' word for every verifier but its own; this one is the system's.
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(with_protocols(config))
}

/// TLS that trusts these authorities.
pub(super) fn trust_only(roots: RootCertStore) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(with_protocols(config))
}

fn with_protocols(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
