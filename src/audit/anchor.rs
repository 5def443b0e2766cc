//! What is signed of the trail, and kept elsewhere as well.
//!
//! A checkpoint says: this trail has this event as its last one, and here is its hash. Whoever has
//! the key can make one; whoever has the trail alone cannot. An anchor is a checkpoint that was
//! taken somewhere else: a trail that was cut off behind it no longer holds what it says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Time;
use crate::secret::Secret;
use crate::store::{CheckpointRow, Digest};

/// What stands before a public key.
const ALGORITHM: &str = "ed25519:";

/// A checkpoint as it is kept outside of the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Which trail: its name.
    pub trail: String,
    /// Up to which event.
    pub seq: i64,
    /// The hash of that event, in hex.
    pub hash: String,
    /// When it was signed.
    pub time: Time,
    /// The public key: `ed25519:` and base64.
    pub key: String,
    /// The signature (RFC 8032) of [`text`](Self::text), in base64.
    pub signature: String,
}

impl Anchor {
    /// A checkpoint of a trail.
    pub(super) fn of_row(trail: &str, row: &CheckpointRow) -> Self {
        Self {
            trail: trail.to_owned(),
            seq: row.seq,
            hash: hex::encode(row.hash),
            time: Time(row.at),
            key: row.key.clone(),
            signature: STANDARD.encode(&row.signature),
        }
    }

    /// What is signed: five lines.
    pub fn text(&self) -> String {
        text(&self.trail, self.seq, &self.hash, self.time)
    }

    /// Whether the key that it names signed it.
    pub fn is_signed(&self) -> bool {
        let Ok(signature) = STANDARD.decode(&self.signature) else { return false };
        let Some(key) = self.key.strip_prefix(ALGORITHM) else { return false };
        let Ok(key) = STANDARD.decode(key) else { return false };
        UnparsedPublicKey::new(&ED25519, key).verify(self.text().as_bytes(), &signature).is_ok()
    }
}

fn text(trail: &str, seq: i64, hash: &str, time: Time) -> String {
    format!("tollbridge checkpoint 1\ntrail {trail}\nseq {seq}\nhash {hash}\ntime {time}\n")
}

/// Reads anchors: one JSON object, or one a line. The error says what is wrong.
pub fn read_anchors(text: &str) -> Result<Vec<Anchor>, String> {
    let anchors: Result<Vec<Anchor>, _> =
        serde_json::Deserializer::from_str(text).into_iter().collect();
    match anchors {
        Ok(anchors) if anchors.is_empty() => Err("there is no anchor in it".to_owned()),
        Ok(anchors) => Ok(anchors),
        Err(error) => Err(format!("no anchor that `tollbridge trace anchor` wrote: {error}")),
    }
}

/// The key that signs checkpoints (Ed25519, RFC 8032).
#[derive(Debug)]
pub struct Signer {
    pair: Ed25519KeyPair,
    key: String,
}

impl Signer {
    /// The key of a seed: 32 bytes in base64. The error says in words what is wrong.
    pub fn of_seed(seed: &Secret) -> Result<Self, String> {
        let wrong = || "expected 32 bytes in base64, as `openssl rand -base64 32` makes them";
        let padding: &[_] = &['='];
        let text = seed.expose().trim().trim_end_matches(padding);
        let bytes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(text);
        let bytes = Zeroizing::new(bytes.map_err(|_| wrong())?);
        let pair = Ed25519KeyPair::from_seed_unchecked(&bytes).map_err(|_| wrong())?;
        let key = format!("{ALGORITHM}{}", STANDARD.encode(pair.public_key()));
        Ok(Self { pair, key })
    }

    /// Its public half: `ed25519:` and base64.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Signs what a trail is up to an event.
    pub(super) fn sign(&self, trail: &str, seq: i64, hash: Digest, at: i64) -> CheckpointRow {
        let text = text(trail, seq, &hex::encode(hash), Time(at));
        let signature = self.pair.sign(text.as_bytes()).as_ref().to_vec();
        CheckpointRow { seq, hash, at, key: self.key.clone(), signature }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_seed_is_that_of_rfc_8032() {
        // RFC 8032, 7.1, TEST 1.
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let seed = Secret::new(STANDARD.encode(seed.expect("hex")));
        let key = hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let signer = Signer::of_seed(&seed).expect("a key");
        assert_eq!(signer.key(), format!("ed25519:{}", STANDARD.encode(key.expect("hex"))));
        assert!(Signer::of_seed(&Secret::new("c2hvcnQ=")).is_err());
    }

    #[test]
    fn whatever_is_changed_in_an_anchor_breaks_its_signature() {
        let signer = Signer::of_seed(&Secret::new(STANDARD.encode([7; 32]))).expect("a key");
        let other = Signer::of_seed(&Secret::new(STANDARD.encode([8; 32]))).expect("a key");
        let anchor = Anchor::of_row("T", &signer.sign("T", 5, [1; 32], 9));
        assert!(anchor.is_signed());
        for changed in [
            Anchor { trail: "U".into(), ..anchor.clone() },
            Anchor { seq: 6, ..anchor.clone() },
            Anchor { hash: "00".into(), ..anchor.clone() },
            Anchor { time: Time(10), ..anchor.clone() },
            Anchor { key: other.key().into(), ..anchor.clone() },
            Anchor { signature: String::new(), ..anchor.clone() },
        ] {
            assert!(!changed.is_signed(), "{changed:?}");
        }
        let text = serde_json::to_string(&anchor).expect("JSON");
        assert_eq!(read_anchors(&format!("{text}\n{text}\n")), Ok(vec![anchor.clone(), anchor]));
        assert!(read_anchors("").is_err() && read_anchors("{}").is_err());
    }
}
