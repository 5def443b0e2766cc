//! `[server.tls]` as the TLS of connections.
//!
//! Made anew whenever one of its files changes; connections that are there go on as they began.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::secrets::Resolved;
use crate::config::{Config, Diagnostic, Diagnostics, Located, ServerTls, codes};
use crate::secret::{Secret, SecretRef};

/// The TLS of connections; `None` where they have none, or where it cannot be made, which is
/// reported.
pub(super) fn tls(
    config: &Config,
    resolved: &Resolved,
    found: &mut Diagnostics,
) -> Option<Arc<ServerConfig>> {
    let tls = config.server.tls.as_ref()?;
    let pem = |reference: &Located<SecretRef>| resolved.pem(reference);
    let (cert, key) = (pem(&tls.cert)?, pem(&tls.key)?);
    let authorities = match &tls.client_ca {
        Some(reference) => Some(pem(reference)?),
        None => None,
    };
    match made(tls, cert, key, authorities) {
        Ok(made) => Some(Arc::new(made)),
        Err((reference, why)) => {
            found.push(Diagnostic::error(codes::INBOUND, &config.file, why).at(reference.span()));
            None
        }
    }
}

/// The error says in words what is wrong, without keys, and of which reference.
fn made<'t>(
    tls: &'t ServerTls,
    cert: &Secret,
    key: &Secret,
    authorities: Option<&Secret>,
) -> Result<ServerConfig, (&'t Located<SecretRef>, String)> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| (&tls.cert, format!("there can be no TLS: {error}")))?;
    let builder = match (&tls.client_ca, authorities) {
        (Some(reference), Some(pem)) => {
            let wrong = |why: String| (reference, why);
            let mut roots = RootCertStore::empty();
            for authority in certificates(pem, "`client_ca`").map_err(wrong)? {
                let added = roots.add(authority);
                added.map_err(|error| {
                    wrong(format!("`client_ca` has a certificate that is no authority's: {error}"))
                })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if tls.requires_certificates() {
                verifier
            } else {
                verifier.allow_unauthenticated()
            };
            let verifier = verifier.build();
            builder.with_client_cert_verifier(
                verifier.map_err(|error| wrong(format!("`client_ca` cannot be used: {error}")))?,
            )
        }
        _ => builder.with_no_client_auth(),
    };
    let chain = certificates(cert, "`cert`").map_err(|why| (&tls.cert, why))?;
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes())
        .map_err(|_| (&tls.key, "`key` holds no private key in PEM".to_owned()))?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| (&tls.key, format!("`cert` and `key` do not go together: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(pem: &Secret, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    match read {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!("{what} holds no certificate in PEM")),
    }
}
