//! `[server.tls]`: TLS of the server itself, and the certificates of those who call.

use schemars::JsonSchema;
use serde::Deserialize;

use super::inbound::Wrong;
use super::located::Located;
use crate::secret::SecretRef;

/// `[server.tls]`: TLS of the server itself, and the certificates of those who call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// The server's certificate in PEM, with those between it and its authority.
    pub cert: Located<SecretRef>,
    /// The certificate's private key.
    pub key: Located<SecretRef>,
    /// The authorities whose certificates callers may bring, in PEM. Without it none are asked for.
    pub client_ca: Option<Located<SecretRef>>,
    /// Whether every connection needs one. By default `required`.
    pub client_certificate: Option<Located<ClientCertificate>>,
    /// Which name of the certificate is the caller's identity. Without it certificates let callers
    /// connect, and a key or a token says who they are.
    pub client_identity: Option<Located<ClientIdentity>>,
}

/// Whether a connection needs a client's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum ClientCertificate {
    /// There is no connection without one.
    Required,
    /// Who has none brings a key or a token.
    Optional,
}

/// A name in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum ClientIdentity {
    /// The URI among its alternative names, such as a SPIFFE ID.
    Uri,
    /// The DNS name among its alternative names.
    Dns,
    /// The e-mail address among its alternative names.
    Email,
    /// The common name of its subject.
    CommonName,
}

impl ServerTls {
    /// Whether there is no connection without a client's certificate.
    pub fn requires_certificates(&self) -> bool {
        self.client_certificate.as_deref() != Some(&ClientCertificate::Optional)
    }

    /// What of it does not hold together, where `[server.auth]` asks callers for something or not.
    pub(super) fn wrong(&self, auth_asks: bool) -> Vec<Wrong> {
        let mut all = Vec::new();
        let mut wrong = |span, message: &str, label| {
            all.push(Wrong { span, message: message.to_owned(), label });
        };
        let Some(authorities) = &self.client_ca else {
            let identity = self.client_identity.as_ref().map(Located::span);
            let certificate = self.client_certificate.as_ref().map(Located::span);
            for span in identity.into_iter().chain(certificate) {
                let message = "nobody says whose certificates callers may bring";
                wrong(span, message, "needs `client_ca`");
            }
            return all;
        };
        if self.client_identity.is_none() && !auth_asks {
            let message = "callers bring certificates, and nothing says who they are";
            let label = "set `client_identity`, or ask for keys or tokens in [server.auth]";
            wrong(authorities.span(), message, label);
        }
        if let (Some(how), false, false) =
            (&self.client_certificate, self.requires_certificates(), auth_asks)
        {
            let message = "who comes without a certificate could prove nothing";
            wrong(how.span(), message, "ask for keys or tokens in [server.auth], or \"required\"");
        }
        all
    }
}
