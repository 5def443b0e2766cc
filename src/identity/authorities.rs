//! Whose certificates callers may bring, and whether one still counts.
//!
//! TLS asks when a connection begins. A connection may last longer than the certificate, than one
//! between it and its authority, or than the authority's place in the configuration, so it is
//! asked again here, for as long as something is sent.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;

use super::Certificate;

/// For how long an answer is taken for true, in seconds.
const KEEP: u64 = 5;

/// The TLS of connections that begin now.
#[derive(Debug)]
pub struct Listening {
    /// For the handshake.
    pub config: Arc<ServerConfig>,
    /// Who vouches for callers' certificates; `None` where none are asked for.
    pub authorities: Option<Authorities>,
}

/// The authorities whose certificates callers may bring.
#[derive(Clone)]
pub struct Authorities(Arc<dyn ClientCertVerifier>);

impl fmt::Debug for Authorities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Authorities")
    }
}

impl Authorities {
    /// Those of a handshake's verifier.
    pub fn new(verifier: Arc<dyn ClientCertVerifier>) -> Self {
        Self(verifier)
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Listening {
    /// Whether a certificate that a connection proved once would be taken now: it and all between
    /// it and one of the authorities are valid (RFC 5280 §6), as the handshake would find. The
    /// error says in words why not.
    pub fn still_takes(&self, certificate: &Certificate) -> Result<(), &'static str> {
        self.takes_at(certificate, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn takes_at(&self, certificate: &Certificate, now: Duration) -> Result<(), &'static str> {
        const GONE: &str = "no authority vouches for the certificate any more";
        let seconds = now.as_secs();
        if !certificate.is_good(i64::try_from(seconds).unwrap_or(i64::MAX)) {
            return Err("the certificate has expired");
        }
        let authorities = self.authorities.as_ref().ok_or(GONE)?;
        let mut taken = certificate.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back proves nothing.
        if let Some((by, at)) = &*taken
            && by.is(authorities)
            && (*at..*at + KEEP).contains(&seconds)
        {
            return Ok(());
        }
        *taken = None;
        let (own, between) = certificate.chain.split_first().ok_or(GONE)?;
        let verified =
            authorities.0.verify_client_cert(own, between, UnixTime::since_unix_epoch(now));
        verified.map_err(|_| GONE)?;
        *taken = Some((authorities.clone(), seconds));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType, date_time_ymd,
    };
    use rustls::RootCertStore;
    use rustls::server::WebPkiClientVerifier;

    use super::*;

    /// 2030-01-01, and a day later.
    const THEN: Duration = Duration::from_hours(525_960);
    const LATER: Duration = Duration::from_hours(525_984);

    type Issuer = CertifiedIssuer<'static, KeyPair>;

    fn authority() -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    fn root() -> Issuer {
        CertifiedIssuer::self_signed(authority(), KeyPair::generate().unwrap()).unwrap()
    }

    fn listening(root: &Issuer) -> Listening {
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(Arc::clone(&verifier))
            .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
        Listening { config: Arc::new(config), authorities: Some(Authorities::new(verifier)) }
    }

    /// A client's certificate by way of one that ends with the year 2029.
    fn by_way_of_one_that_ends(root: &Issuer) -> Certificate {
        let mut params = authority();
        params.distinguished_name.push(rcgen::DnType::CommonName, "between");
        params.not_after = date_time_ymd(2030, 1, 1);
        let between =
            CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), root).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::DnsName("desk.example".try_into().unwrap())];
        let own = params.signed_by(&KeyPair::generate().unwrap(), &between).unwrap();
        Certificate::read(&[own.der().clone(), between.der().clone()]).unwrap()
    }

    #[test]
    fn a_certificate_ends_with_what_stands_between_it_and_its_authority() {
        let root = root();
        let (listening, certificate) = (listening(&root), by_way_of_one_that_ends(&root));
        let early = THEN.checked_sub(Duration::from_hours(1)).unwrap();
        assert_eq!(listening.takes_at(&certificate, early), Ok(()));
        let refused = listening.takes_at(&certificate, LATER).unwrap_err();
        assert!(refused.contains("no authority vouches"), "{refused}");
        // It was found good once, which counts for nothing after a while, and never backwards.
        assert_eq!(listening.takes_at(&certificate, early), Ok(()));
        assert!(listening.takes_at(&certificate, Duration::ZERO).is_err());
    }

    #[test]
    fn a_certificate_ends_with_its_authoritys_place_in_the_configuration() {
        let root = root();
        let certificate = by_way_of_one_that_ends(&root);
        let early = THEN.checked_sub(Duration::from_hours(1)).unwrap();
        assert_eq!(listening(&root).takes_at(&certificate, early), Ok(()));
        // Of the same name, with another key.
        assert!(listening(&self::root()).takes_at(&certificate, early).is_err());
    }
}
