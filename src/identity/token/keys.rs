//! The public keys of an issuer: a JWK Set (RFC 7517).
//!
//! A key that cannot be used (another kind, another curve, for encryption, a shared secret, too
//! short) is passed over, as §5 asks; the others count.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::jws::{Algorithm, Token};

/// The longest set that is read, in bytes.
pub(super) const MAX_SET: usize = 256 * 1024;

/// How many keys of a set count.
const MAX_KEYS: usize = 128;

/// How many keys a token is tried by that does not say which it is of.
const MAX_TRIED: usize = 8;

/// The keys of an issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

/// A public key.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, where it says so.
    algorithm: Option<Algorithm>,
    pub(super) material: Material,
}

#[derive(Debug)]
pub(super) enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Ec(Curve, Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. The error says what is wrong.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() > MAX_SET {
            return Err("the key set is too long");
        }
        let set: Set = serde_json::from_slice(bytes).map_err(|_| "what was read is no JWK Set")?;
        let keys: Vec<Key> = set.keys.into_iter().filter_map(Key::read).take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err("the key set has no key that could verify tokens");
        }
        Ok(Self(keys))
    }

    /// Whether it has the key that a token says it is of.
    pub(super) fn may_have(&self, token: &Token<'_>) -> bool {
        self.candidates(token).next().is_some()
    }

    /// The keys that may have made a token.
    pub(super) fn candidates<'k>(
        &'k self,
        token: &'k Token<'_>,
    ) -> impl Iterator<Item = &'k Key> + use<'k> {
        let wanted = token.key_id.as_deref();
        let named = move |key: &&Key| wanted.is_none() || key.id.as_deref() == wanted;
        self.0.iter().filter(named).filter(|key| key.is_for(token.algorithm)).take(MAX_TRIED)
    }
}

impl Key {
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let verifies = jwk.used_for.as_deref().is_none_or(|used| used == "sig")
            && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !verifies {
            return None;
        }
        let algorithm = match &jwk.alg {
            None => None,
            // It is for something that does not count here.
            Some(name) => Some(Algorithm::named(name)?),
        };
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa {
                modulus: without_zeros(&bytes(&jwk.n)?),
                exponent: without_zeros(&bytes(&jwk.e)?),
            },
            ("EC", Some("P-256")) => ec(Curve::P256, 32, &bytes(&jwk.x)?, &bytes(&jwk.y)?)?,
            ("EC", Some("P-384")) => ec(Curve::P384, 48, &bytes(&jwk.x)?, &bytes(&jwk.y)?)?,
            ("OKP", Some("Ed25519")) => {
                Material::Ed25519(bytes(&jwk.x).filter(|point| point.len() == 32)?)
            }
            _ => return None,
        };
        Some(Self { id: jwk.kid, algorithm, material })
    }

    /// Whether the key makes signatures of that algorithm.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let of_kind = matches!(
            (&self.material, algorithm),
            (Material::Rsa { .. }, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512)
                | (Material::Ec(Curve::P256, _), Es256)
                | (Material::Ec(Curve::P384, _), Es384)
                | (Material::Ed25519(_), EdDsa)
        );
        of_kind && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

/// RFC 7518 §6.3.1.1: some libraries write a leading zero all the same.
fn without_zeros(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes[zeros..].to_vec()
}

/// An uncompressed point (SEC 1 §2.3.3). RFC 7518 §6.2.1.2: coordinates have their full length.
fn ec(curve: Curve, length: usize, x: &[u8], y: &[u8]) -> Option<Material> {
    (x.len() == length && y.len() == length).then(|| Material::Ec(curve, [&[4], x, y].concat()))
}
