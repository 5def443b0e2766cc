//! Whom a connection trusts, and who it says we are: certificates and keys in PEM.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::secret::Secret;

/// What the configuration says of an API's TLS.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// The authorities that are trusted instead of the machine's.
    pub authorities: Option<String>,
    /// The client's certificate, with those between it and its authority.
    pub identity: Option<Identity>,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The chain, our own certificate first.
    pub certificate: String,
    /// Its private key.
    pub key: Secret,
}

impl Tls {
    /// The configuration of connections. The error says in words what is wrong, without keys.
    pub(super) fn config(&self) -> Result<ClientConfig, String> {
        let builder = match &self.authorities {
            Some(pem) => trust_only(authorities(pem)?)?,
            None => trust_the_system()?,
        };
        let config = match &self.identity {
            Some(Identity { certificate, key }) => {
                let chain = certificates(certificate, "`cert`")?;
                let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
                    .map_err(|_| "`key` holds no private key in PEM".to_owned())?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("`cert` and `key` do not go together: {error}"))?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(with_protocols(config))
    }
}

/// TLS that trusts whom the machine trusts.
pub(super) fn system() -> Result<ClientConfig, String> {
    Tls::default().config()
}

/// TLS that trusts nobody: for connections that have none.
pub(super) fn none() -> Result<ClientConfig, String> {
    Ok(with_protocols(trust_only(RootCertStore::empty())?.with_no_client_auth()))
}

type Builder = ConfigBuilder<ClientConfig, WantsClientCert>;

/// Where the machine has no certificates, every https connection fails for lack of trust, and
/// nothing else does.
fn trust_the_system() -> Result<Builder, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(verifier) = Verifier::new(Arc::clone(&provider)) else {
        return trust_only(RootCertStore::empty());
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous() // rustls' word for every verifier but its own; this one is the system's.
        .with_custom_certificate_verifier(Arc::new(verifier)))
}

fn trust_only(roots: RootCertStore) -> Result<Builder, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots))
}

fn authorities(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, "`ca`")? {
        roots.add(certificate).map_err(|error| format!("`ca` cannot be trusted: {error}"))?;
    }
    Ok(roots)
}

fn certificates(pem: &str, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!("{key} holds no certificate in PEM")),
    }
}

fn with_protocols(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
