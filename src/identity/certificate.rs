//! A client's certificate: the names that are in it.
//!
//! Whether it is good (its chain, its signature, that its holder has the key) TLS has found out
//! before. Here it is only read, and whom it stands for is one rule's business: the one name of
//! the configured kind. A certificate with two of them stands for nobody, since which one would be
//! meant is not for us to guess.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use tollbridge_operation::Identity;
use x509_cert::attr::AttributeValue;
use x509_cert::der::asn1::{Ia5StringRef, ObjectIdentifier, PrintableStringRef, Utf8StringRef};
use x509_cert::der::{Decode as _, Tag, Tagged as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::authorities::Authorities;
use super::{Facts, Known, NotKnown};

/// `id-at-commonName` (RFC 5280, appendix A.1).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Which name of a certificate is the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// A URI of its alternative names (RFC 5280 §4.2.1.6), such as a SPIFFE ID.
    Uri,
    /// A DNS name of its alternative names.
    Dns,
    /// An e-mail address of its alternative names.
    Email,
    /// The common name of its subject.
    CommonName,
}

/// A client's certificate that a connection proved.
#[derive(Debug)]
pub struct Certificate {
    thumbprint: String,
    names: Vec<(NamedBy, String)>,
    /// The last second in which it is good, since the Unix epoch.
    until: i64,
    /// It, and what was brought with it.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Who found it good last, and when.
    pub(super) taken: Mutex<Option<(Authorities, u64)>>,
}

impl Certificate {
    /// Reads the first of these certificates (RFC 5280 §4.1); `None` for what is none.
    pub fn read(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let der = chain.first()?;
        let certificate = x509_cert::Certificate::from_der(der).ok()?.tbs_certificate;
        let mut names = Vec::new();
        if let Some((_, SubjectAltName(all))) = certificate.get::<SubjectAltName>().ok()? {
            names.extend(all.iter().filter_map(|name| match name {
                GeneralName::UniformResourceIdentifier(uri) => {
                    Some((NamedBy::Uri, uri.as_str().to_owned()))
                }
                GeneralName::DnsName(name) => Some((NamedBy::Dns, name.as_str().to_owned())),
                GeneralName::Rfc822Name(email) => Some((NamedBy::Email, email.as_str().to_owned())),
                _ => None,
            }));
        }
        for attribute in certificate.subject.0.iter().flat_map(|part| part.0.iter()) {
            if attribute.oid == COMMON_NAME {
                // One that cannot be read counts all the same: it is a second name, or no identity.
                names.push((NamedBy::CommonName, text(&attribute.value).unwrap_or_default()));
            }
        }
        let until = certificate.validity.not_after.to_unix_duration().as_secs();
        Some(Self {
            thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(der)),
            names,
            until: i64::try_from(until).unwrap_or(i64::MAX),
            chain: chain.iter().map(|one| one.clone().into_owned()).collect(),
            taken: Mutex::default(),
        })
    }

    /// Its SHA-256, in the form of RFC 8705 §3.1.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// Whether it has not expired, at that time in seconds since the Unix epoch.
    pub(super) fn is_good(&self, now: i64) -> bool {
        now <= self.until
    }

    /// Whom it stands for.
    pub fn known(&self, by: NamedBy) -> Result<Known, NotKnown> {
        let mut names = self.names.iter().filter(|(kind, _)| *kind == by).map(|(_, name)| name);
        let name = match (names.next(), names.next()) {
            (Some(name), None) => name,
            (None, _) => {
                return Err(NotKnown::Invalid("the certificate does not say who its holder is"));
            }
            (Some(_), Some(_)) => {
                return Err(NotKnown::Invalid("the certificate has more than one such name"));
            }
        };
        let identity = Identity::new(name.as_str())
            .map_err(|_| NotKnown::Invalid("the certificate's name is no identity"))?;
        Ok(Known {
            identity,
            groups: Vec::new(),
            facts: Facts::of_certificate(),
            expires: Some(self.until),
        })
    }
}

/// A `DirectoryString` in the forms that are in use (RFC 5280 §4.1.2.4).
fn text(value: &AttributeValue) -> Option<String> {
    let text = match value.tag() {
        Tag::Utf8String => value.decode_as::<Utf8StringRef<'_>>().ok()?.as_str().to_owned(),
        Tag::PrintableString => {
            value.decode_as::<PrintableStringRef<'_>>().ok()?.as_str().to_owned()
        }
        Tag::Ia5String => value.decode_as::<Ia5StringRef<'_>>().ok()?.as_str().to_owned(),
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn of(common: &str, names: Vec<SanType>) -> Certificate {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common);
        params.subject_alt_names = names;
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(&[made.der().clone()]).unwrap()
    }

    fn who(certificate: &Certificate, by: NamedBy) -> Result<String, NotKnown> {
        certificate.known(by).map(|known| known.identity.to_string())
    }

    #[test]
    fn each_kind_of_name_can_be_the_identity() {
        let spiffe = "spiffe://acme.example/agents/desk";
        let certificate = of(
            "desk",
            vec![
                SanType::URI(spiffe.try_into().unwrap()),
                SanType::DnsName("desk.acme.example".try_into().unwrap()),
                SanType::Rfc822Name("desk@acme.example".try_into().unwrap()),
            ],
        );
        for (by, name) in [
            (NamedBy::Uri, spiffe),
            (NamedBy::Dns, "desk.acme.example"),
            (NamedBy::Email, "desk@acme.example"),
            (NamedBy::CommonName, "desk"),
        ] {
            assert_eq!(who(&certificate, by).unwrap(), name);
        }
    }

    #[test]
    fn one_without_the_name_or_with_two_of_them_stands_for_nobody() {
        let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
        let two = of("desk", vec![dns("one.example"), dns("two.example")]);
        assert!(
            matches!(who(&two, NamedBy::Dns), Err(NotKnown::Invalid(why)) if why.contains("more"))
        );
        // The common name is not asked in its place.
        assert!(who(&two, NamedBy::Email).is_err());
        assert!(who(&of(&"a".repeat(257), vec![]), NamedBy::CommonName).is_err());
        assert!(who(&of("", vec![]), NamedBy::CommonName).is_err());
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        assert!(Certificate::read(&[]).is_none());
        for bytes in [vec![], vec![0x30; 4096]] {
            assert!(Certificate::read(&[bytes.into()]).is_none());
        }
    }
}
