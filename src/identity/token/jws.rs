//! A signed token, taken apart and verified: JWS in its compact form (RFC 7515), as JWTs use it,
//! by the advice of RFC 8725.
//!
//! What the token says of itself is believed in one thing: which of the issuer's keys made it.
//! The algorithm is one that the configuration allows, and one that the key is for, so none can be
//! switched to `none`, or to a MAC whose secret would be a public key. No key, and no place of
//! one, is taken from the token (`jwk`, `jku`, `x5u`, `x5c`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::NotKnown;
use super::keys::{Curve, Key, Material};

/// The longest header that is read, in bytes.
const MAX_HEADER: usize = 4 * 1024;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). Those with a shared secret are not here:
/// who can verify could sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of that name in JOSE; RFC 9864 calls `EdDSA` over this curve `Ed25519`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        Some(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 | Self::Es384 | Self::EdDsa => return None,
        })
    }
}

/// A token that has the form of one. Nothing of it is believed yet.
#[derive(Debug)]
pub(super) struct Token<'t> {
    pub(super) algorithm: Algorithm,
    /// Which key made it, by its own word.
    pub(super) key_id: Option<String>,
    kind: Option<String>,
    signed: &'t str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// Extensions that must be understood (RFC 7515 §4.1.11): none is.
    crit: Option<IgnoredAny>,
}

impl<'t> Token<'t> {
    /// Takes a token apart.
    pub(super) fn parse(token: &'t str) -> Result<Self, NotKnown> {
        let malformed = NotKnown::Invalid("the token is no JWT");
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(malformed)?;
        if header.len() > MAX_HEADER || payload.contains('.') {
            return Err(malformed);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| malformed)?;
        if header.crit.is_some() {
            return Err(NotKnown::Invalid("the token has extensions that are not known here"));
        }
        let algorithm = Algorithm::named(&header.alg)
            .ok_or(NotKnown::Invalid("the token is signed by an algorithm that does not count"))?;
        Ok(Self {
            algorithm,
            key_id: header.kid,
            kind: header.typ,
            signed,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    /// Whether it is signed by an algorithm that counts, and is a kind of token that may come.
    /// `typed`: it must say that it is an access token (RFC 9068 §2.1). Else it may say nothing, or
    /// that it is a JWT; what says that it is something else is not taken for an access token
    /// (RFC 8725 §3.11).
    pub(super) fn check_header(&self, allowed: &[Algorithm], typed: bool) -> Result<(), NotKnown> {
        if !allowed.contains(&self.algorithm) {
            return Err(NotKnown::Invalid(
                "the token is signed by an algorithm that does not count",
            ));
        }
        let kind = self.kind.as_deref().map(str::to_ascii_lowercase);
        let kind = kind.as_deref().map(|kind| kind.strip_prefix("application/").unwrap_or(kind));
        match kind {
            Some("at+jwt") => Ok(()),
            None | Some("jwt") if !typed => Ok(()),
            _ => Err(NotKnown::Invalid("the token is no access token")),
        }
    }

    /// Its claims, if that key made it.
    pub(super) fn verified_by(&self, key: &Key) -> Option<Map<String, Value>> {
        if !key.is_for(self.algorithm) {
            return None;
        }
        let (message, signature) = (self.signed.as_bytes(), self.signature.as_slice());
        let verified = match &key.material {
            Material::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(self.algorithm.rsa()?, message, signature)
            }
            Material::Ec(curve, point) => {
                let algorithm = match curve {
                    Curve::P256 => &ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &ECDSA_P384_SHA384_FIXED,
                };
                UnparsedPublicKey::new(algorithm, point).verify(message, signature)
            }
            Material::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
        };
        verified.ok()?;
        serde_json::from_slice(&self.payload).ok()
    }
}
