//! `[server.tls]` as the TLS of connections.
//!
//! Made anew whenever one of its files changes. Connections that are there keep their keys, and are
//! asked by the new authorities whether their certificate still counts.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use x509_cert::der::Decode as _;

use super::secrets::Resolved;
use crate::config::{Config, Diagnostic, Diagnostics, Located, ServerTls, codes};
use crate::identity::{Authorities, Listening};
use crate::secret::{Secret, SecretRef};

type Reference = Located<SecretRef>;

/// What is wrong in words, without keys, and of which reference.
type Wrong<'t> = (&'t Reference, String);

/// The TLS of connections; `None` where they have none, or where it cannot be made, which is
/// reported.
pub(super) fn tls(
    config: &Config,
    resolved: &Resolved,
    found: &mut Diagnostics,
) -> Option<Arc<Listening>> {
    let tls = config.server.tls.as_ref()?;
    let pem = |reference: &Reference| resolved.pem(reference);
    let (cert, key) = (pem(&tls.cert)?, pem(&tls.key)?);
    let authorities = match &tls.client_ca {
        Some(reference) => Some((reference, pem(reference)?)),
        None => None,
    };
    let mut doubts = Vec::new();
    let made = made(tls, cert, key, authorities, &mut doubts);
    for (reference, why) in doubts {
        found.push(Diagnostic::warning(codes::INBOUND, &config.file, why).at(reference.span()));
    }
    match made {
        Ok(made) => Some(Arc::new(made)),
        Err((reference, why)) => {
            found.push(Diagnostic::error(codes::INBOUND, &config.file, why).at(reference.span()));
            None
        }
    }
}

fn made<'t>(
    tls: &'t ServerTls,
    cert: &Secret,
    key: &Secret,
    authorities: Option<(&'t Reference, &Secret)>,
    doubts: &mut Vec<Wrong<'t>>,
) -> Result<Listening, Wrong<'t>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| (&tls.cert, format!("there can be no TLS: {error}")))?;
    let verifier = match authorities {
        Some((reference, pem)) => {
            Some(verifier(tls, reference, pem, doubts).map_err(|why| (reference, why))?)
        }
        None => None,
    };
    let builder = match &verifier {
        Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
        None => builder.with_no_client_auth(),
    };
    let chain = certificates(cert, "`cert`").map_err(|why| (&tls.cert, why))?;
    doubts.extend(in_doubt(&chain, "`cert`").map(|why| (&tls.cert, why)));
    doubts.extend(out_of_order(&chain).map(|why| (&tls.cert, why)));
    let key = private(key).map_err(|why| (&tls.key, why))?;
    let others: Vec<_> = chain.iter().skip(1).cloned().collect();
    let mut config = builder
        .with_single_cert(chain, key.clone_key())
        .map_err(|error| wrong_pair(tls, others, &key, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Listening { config: Arc::new(config), authorities: verifier.map(Authorities::new) })
}

/// Who finds out whether a caller's certificate is good.
fn verifier<'t>(
    tls: &ServerTls,
    reference: &'t Reference,
    pem: &Secret,
    doubts: &mut Vec<Wrong<'t>>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let mut roots = RootCertStore::empty();
    let all = certificates(pem, "`client_ca`")?;
    // An authority's own end is not looked at in a handshake (RFC 5280 §6.1.1, (d)).
    doubts.extend(in_doubt(&all, "`client_ca`").map(|why| (reference, why)));
    for authority in all {
        roots.add(authority).map_err(|error| {
            format!("`client_ca` has a certificate that is no authority's: {error}")
        })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier =
        if tls.requires_certificates() { verifier } else { verifier.allow_unauthenticated() };
    verifier.build().map_err(|error| format!("`client_ca` cannot be used: {error}"))
}

fn certificates(pem: &Secret, what: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    match read {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!("{what} holds no certificate in PEM")),
    }
}

fn private(pem: &Secret) -> Result<PrivateKeyDer<'static>, String> {
    let text = pem.expose();
    // PKCS #8 (RFC 5958 §3) says it in its label, what was before it in a header (RFC 1421 §4.6).
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err("`key` is encrypted: give it as it is, in a file that only this server can \
                    read, or by `exec:` from what decrypts it"
            .to_owned());
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| "`key` holds no private key in PEM".to_owned())
}

/// Why a certificate and a key are no pair. `others` are those behind the first.
fn wrong_pair<'t>(
    tls: &'t ServerTls,
    others: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
    error: &rustls::Error,
) -> Wrong<'t> {
    let provider = rustls::crypto::ring::default_provider();
    let fits = |one| CertifiedKey::from_der(vec![one], key.clone_key(), &provider).is_ok();
    if others.into_iter().any(fits) {
        let why = "the certificate that `key` belongs to must be the first in `cert`, and behind \
                   each the one that signed it";
        return (&tls.cert, why.to_owned());
    }
    (&tls.key, format!("`cert` and `key` do not go together: {error}"))
}

/// Certificates that are not valid now.
fn in_doubt(all: &[CertificateDer<'_>], what: &str) -> impl Iterator<Item = String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let found: Vec<String> = all
        .iter()
        .filter_map(|one| {
            let read = x509_cert::Certificate::from_der(one).ok()?.tbs_certificate;
            let (from, until) = (read.validity.not_before, read.validity.not_after);
            if until.to_unix_duration() < now {
                Some(format!("a certificate in {what} has expired: {}, on {until}", read.subject))
            } else if from.to_unix_duration() > now {
                Some(format!(
                    "a certificate in {what} is not valid yet: {}, from {from}",
                    read.subject
                ))
            } else {
                None
            }
        })
        .collect();
    found.into_iter()
}

/// The first certificate that is followed by another one than that of who signed it (RFC 5246
/// §7.4.2): older clients find no way from it to what they trust.
fn out_of_order(chain: &[CertificateDer<'_>]) -> Option<String> {
    let read = |one| Some(x509_cert::Certificate::from_der(one).ok()?.tbs_certificate);
    chain.windows(2).find_map(|pair| {
        let (one, next) = (read(&pair[0])?, read(&pair[1])?);
        (one.issuer != next.subject).then(|| {
            format!(
                "`cert` is out of order: {} was signed by {}, and {} is behind it",
                one.subject, one.issuer, next.subject
            )
        })
    })
}
