//! What a client hands back with its answer to a question: sealed, so that only this server can
//! have made it, for this caller.
//!
//! It is sealed with ChaCha20-Poly1305 (RFC 8439) together with the caller's identity, under a key
//! that is derived of the one with which tokens are sealed (see `vault`); a store that does not
//! outlast the process has a key that does not either. What is in it binds the answer to the held
//! call, the digest of its arguments and target, the configuration with its policies, and a time. That it is used
//! once is the store's doing: a hold is decided once, and spent once.

use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};
use tollbridge_operation::Identity;
use zeroize::Zeroizing;

use super::toolbox::Toolbox;
use super::vault::KeyAt;
use crate::secret::Secret;
use crate::store::Store;

/// Longer than any state of ours.
const MAX: usize = 4 * 1024;

/// What a state says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The hold.
    pub(super) hold: String,
    /// What the call does, and where.
    pub(super) digest: String,
    /// The rules under which it was asked.
    pub(super) rules: String,
    /// Until when it can be answered: microseconds since the Unix epoch.
    pub(super) expires: i64,
}

/// Seals states, and opens them. Clones share the key.
#[derive(Clone)]
pub(super) struct Seal {
    key: KeyAt,
    opened: Arc<OnceLock<LessSafeKey>>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// The seal of this store and configuration.
    pub(super) fn of(store: &Store, toolbox: &Toolbox) -> Self {
        let passing = || {
            let mut bytes = Zeroizing::new([0; 32]);
            match getrandom::fill(&mut *bytes) {
                Ok(()) => Secret::new(hex::encode(*bytes)),
                // No key is worth more than a guessable one: nothing is sealed or opened with it.
                Err(_) => Secret::new(""),
            }
        };
        Self::new(KeyAt::of(store, toolbox).unwrap_or_else(|| KeyAt::Configuration(passing())))
    }

    pub(super) fn new(key: KeyAt) -> Self {
        Self { key, opened: Arc::default() }
    }

    fn key(&self) -> Result<&LessSafeKey, String> {
        if let Some(key) = self.opened.get() {
            return Ok(key);
        }
        let text = self.key.text(true)?.filter(|key| !key.expose().is_empty());
        let text = text.ok_or("there is no key to seal it with")?;
        let root = hmac::Key::new(hmac::HMAC_SHA256, text.expose().as_bytes());
        let derived = hmac::sign(&root, b"tollbridge request state 1");
        let key = UnboundKey::new(&CHACHA20_POLY1305, derived.as_ref())
            .map_err(|_| "the key cannot be used".to_owned())?;
        Ok(self.opened.get_or_init(|| LessSafeKey::new(key)))
    }

    /// The state as a caller may hold it.
    pub(super) fn seal(&self, state: &State, identity: &Identity) -> Result<String, String> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| "the system gives no random bytes".to_owned())?;
        let mut text = serde_json::to_vec(state).map_err(|error| error.to_string())?;
        self.key()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(identity.as_str().as_bytes()),
                &mut text,
            )
            .map_err(|_| "it is too long to be sealed".to_owned())?;
        Ok(format!("tb1.{}", URL_SAFE_NO_PAD.encode([&nonce[..], &text].concat())))
    }

    /// What a state says; `None` for what this server did not make for this caller.
    pub(super) fn open(&self, sealed: &str, identity: &Identity) -> Result<Option<State>, String> {
        let key = self.key()?;
        let open = || {
            let text = sealed.strip_prefix("tb1.").filter(|text| text.len() <= MAX)?;
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let (nonce, text) = bytes.split_at_checked(NONCE_LEN)?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut text = text.to_vec();
            let aad = Aad::from(identity.as_str().as_bytes());
            let opened = key.open_in_place(nonce, aad, &mut text).ok()?;
            serde_json::from_slice(opened).ok()
        };
        Ok(open())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_opens_for_its_caller_and_key_only_and_only_unchanged() {
        let seal = |key: &str| Seal::new(KeyAt::Configuration(Secret::new(key)));
        let identity = |name: &str| Identity::new(name).expect("an identity");
        let state = State {
            hold: "h_1".into(),
            digest: "sha256:0".into(),
            rules: "sha256:1".into(),
            expires: 7,
        };
        let sealed = seal("one").seal(&state, &identity("ann")).expect("sealed");
        let open = |key: &str, name: &str, text: &str| {
            seal(key).open(text, &identity(name)).expect("there is a key")
        };
        assert_eq!(open("one", "ann", &sealed), Some(state.clone()));
        assert_eq!(open("one", "bob", &sealed), None);
        assert_eq!(open("two", "ann", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("text");
            assert_eq!(open("one", "ann", &changed), None, "byte {at}");
        }
        for text in ["", "tb1.", "tb1.AA", &sealed[4..], &format!("tb1.{}", "A".repeat(MAX + 1))] {
            assert_eq!(open("one", "ann", text), None, "{text:.20}");
        }
        assert_ne!(sealed, seal("one").seal(&state, &identity("ann")).expect("sealed"));
    }
}
