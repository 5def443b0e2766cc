//! Tokens for APIs, kept in the store: sealed, so that whoever has the store alone has none.
//!
//! The key is the configuration's `token_key`, or a file of ours beside the store that only its
//! owner may read, made when the first token is kept. A token is sealed with ChaCha20-Poly1305
//! (RFC 8439) under a key that is derived for that alone, together with the name that it is kept
//! by, so that no row can take another's place. Names are digests under a second derived key:
//! they tell nothing of the secrets that they are made of.
//!
//! Each renewal goes on record in the same commit, without the token.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::toolbox::Toolbox;
use crate::audit::{Event, Time};
use crate::bridge::{KeptToken, TokenKeeper, TokenName};
use crate::secret::{Redactor, Secret, key_file};
use crate::store::{Batch, Change, CommitError, Store, TokenRow};

/// For how long what ends at no known time is kept after it was last renewed.
const UNKNOWN_END: Duration = Duration::from_hours(24 * 180);

/// The first byte of what is sealed: in which way it is.
const WAY: u8 = 1;

/// Has the toolbox's tokens kept in the store, where that outlasts the process.
pub(super) fn attach(store: &Store, toolbox: &Toolbox) {
    if store.file().is_none() {
        return;
    }
    let Some(key) = KeyAt::of(store, toolbox) else { return };
    let vault = Arc::new(Vault {
        store: store.clone(),
        key,
        opened: OnceLock::new(),
        redactor: (*toolbox.redactor).clone(),
        holder: ulid::Ulid::new().to_string(),
    });
    for source in &toolbox.sources {
        source.keep_in(vault.clone());
    }
    for session in &toolbox.sessions {
        session.keep_in(vault.clone());
    }
}

/// The store's tokens, with the key to them.
struct Vault {
    store: Store,
    key: KeyAt,
    opened: OnceLock<Keys>,
    redactor: Redactor,
    /// Who we are where a token is leased.
    holder: String,
}

/// Where the key is.
#[derive(Clone)]
pub(super) enum KeyAt {
    /// It is this one.
    Configuration(Secret),
    /// In a file of ours.
    File(PathBuf),
}

impl KeyAt {
    /// Where the key to what is kept in the store is; `None` where nothing is kept.
    pub(super) fn of(store: &Store, toolbox: &Toolbox) -> Option<Self> {
        match (&toolbox.token_key, store.file()) {
            (Some(key), _) => Some(Self::Configuration(key.clone())),
            (None, Some(file)) => Some(Self::File(key_file::beside(file, "key"))),
            (None, None) => None,
        }
    }

    /// The key; `None` where it was never used, and this is no use of it.
    pub(super) fn text(&self, first_use: bool) -> Result<Option<Secret>, String> {
        match self {
            Self::Configuration(key) => Ok(Some(key.clone())),
            Self::File(path) if first_use => key_file::read_or_make(path).map(Some),
            Self::File(path) => key_file::read(path),
        }
    }
}

/// What is derived of the key.
struct Keys {
    seal: LessSafeKey,
    name: hmac::Key,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    token: String,
    refresh: Option<String>,
    /// Seconds since the Unix epoch.
    ends: Option<u64>,
}

impl Vault {
    /// The keys; `None` where no token was ever kept, and none is to be now.
    fn keys(&self, first_use: bool) -> Result<Option<&Keys>, String> {
        if let Some(keys) = self.opened.get() {
            return Ok(Some(keys));
        }
        let Some(text) = self.key.text(first_use)? else { return Ok(None) };
        let keys = Keys::of(&text)?;
        Ok(Some(self.opened.get_or_init(|| keys)))
    }

    fn keys_in_use(&self) -> Result<&Keys, String> {
        self.keys(true)?.ok_or_else(|| "there is no key to seal it with".to_owned())
    }

    async fn load(&self, name: &TokenName) -> Result<Option<KeptToken>, String> {
        let Some(keys) = self.keys(false)? else { return Ok(None) };
        let row_name = keys.name_of(name);
        let row = self.store.token(&row_name).await.map_err(|error| error.to_string())?;
        let Some(row) = row.filter(|row| row.until > self.store.now()) else { return Ok(None) };
        let Some(sealed) = keys.open(&row_name, row.sealed) else {
            // Written with another key, or changed: as good as not there.
            tracing::warn!(api = name.api.as_str(), "a kept token does not open with this key");
            return Ok(None);
        };
        let from_epoch = |time: Duration| UNIX_EPOCH.checked_add(time);
        Ok(Some(KeptToken {
            token: Secret::new(sealed.token),
            refresh: sealed.refresh.map(Secret::new),
            scopes: row.scopes,
            issued: from_epoch(Duration::from_micros(row.issued.unsigned_abs()))
                .unwrap_or(UNIX_EPOCH),
            ends: sealed.ends.and_then(|ends| from_epoch(Duration::from_secs(ends))),
        }))
    }

    async fn save(&self, name: &TokenName, kept: &KeptToken) -> Result<(), String> {
        let keys = self.keys_in_use()?;
        let row_name = keys.name_of(name);
        let seconds =
            |time: SystemTime| time.duration_since(UNIX_EPOCH).ok().map(|at| at.as_secs());
        let sealed = Sealed {
            token: kept.token.expose().to_owned(),
            refresh: kept.refresh.as_ref().map(|refresh| refresh.expose().to_owned()),
            ends: kept.ends.and_then(seconds),
        };
        let until = match (kept.ends, &kept.refresh) {
            (Some(ends), None) => micros(ends),
            _ => micros(kept.issued.checked_add(UNKNOWN_END).unwrap_or(kept.issued)),
        };
        let row = TokenRow {
            name: row_name.clone(),
            api: name.api.to_string(),
            scheme: name.scheme.clone(),
            identity: name.identity.clone(),
            grant: name.grant.to_owned(),
            scopes: kept.scopes.clone(),
            sealed: keys.seal(&row_name, &sealed)?,
            issued: micros(kept.issued),
            until,
        };
        let event = issued(name, kept.scopes.clone(), kept.ends);
        let release = Change::ReleaseToken { name: row_name, holder: self.holder.clone() };
        self.commit(vec![Change::KeepToken(row), release], Some(&event))
            .await
            .map_err(|error| error.to_string())
    }

    async fn forget(&self, name: &TokenName) -> Result<(), String> {
        let Some(keys) = self.keys(false)? else { return Ok(()) };
        let row_name = keys.name_of(name);
        if self.store.token(&row_name).await.map_err(|error| error.to_string())?.is_none() {
            return Ok(());
        }
        let event = Event::TokenForgotten {
            api: name.api.to_string(),
            scheme: name.scheme.clone(),
            identity: name.identity.clone(),
        };
        let release = Change::ReleaseToken { name: row_name.clone(), holder: self.holder.clone() };
        self.commit(vec![Change::ForgetToken { name: row_name }, release], Some(&event))
            .await
            .map_err(|error| error.to_string())
    }

    async fn lease(&self, name: &TokenName, time: Duration) -> Result<bool, String> {
        let row_name = self.keys_in_use()?.name_of(name);
        let time = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let until = self.store.now().saturating_add(time);
        let lease = Change::LeaseToken { name: row_name, holder: self.holder.clone(), until };
        match self.commit(vec![lease], None).await {
            Ok(()) => Ok(true),
            Err(CommitError::TokenLeased) => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn release(&self, name: &TokenName) -> Result<(), String> {
        let row_name = self.keys_in_use()?.name_of(name);
        let release = Change::ReleaseToken { name: row_name, holder: self.holder.clone() };
        self.commit(vec![release], None).await.map_err(|error| error.to_string())
    }

    async fn commit(&self, changes: Vec<Change>, event: Option<&Event>) -> Result<(), CommitError> {
        let row = event.map(|event| event.row(None, self.store.now(), &self.redactor));
        let events = row.into_iter().collect::<Vec<_>>().into();
        self.store.commit(Batch { changes, events, ..Batch::default() }).await.map(drop)
    }
}

impl TokenKeeper for Vault {
    fn load<'a>(&'a self, name: &'a TokenName) -> BoxFuture<'a, Result<Option<KeptToken>, String>> {
        Vault::load(self, name).boxed()
    }

    fn save<'a>(
        &'a self,
        name: &'a TokenName,
        kept: &'a KeptToken,
    ) -> BoxFuture<'a, Result<(), String>> {
        Vault::save(self, name, kept).boxed()
    }

    fn forget<'a>(&'a self, name: &'a TokenName) -> BoxFuture<'a, ()> {
        let told = |done: Result<(), String>| told(name, done);
        Vault::forget(self, name).map(told).boxed()
    }

    fn lease<'a>(&'a self, name: &'a TokenName, time: Duration) -> BoxFuture<'a, bool> {
        let taken = |leased: Result<bool, String>| {
            leased.unwrap_or_else(|error| {
                told(name, Err(error));
                true
            })
        };
        Vault::lease(self, name, time).map(taken).boxed()
    }

    fn note<'a>(&'a self, name: &'a TokenName, ends: Option<SystemTime>) -> BoxFuture<'a, ()> {
        let event = issued(name, None, ends);
        let noted = async move {
            let done = self.commit(Vec::new(), Some(&event)).await;
            told(name, done.map_err(|error| error.to_string()));
        };
        noted.boxed()
    }

    fn release<'a>(&'a self, name: &'a TokenName) -> BoxFuture<'a, ()> {
        let told = |done: Result<(), String>| told(name, done);
        Vault::release(self, name).map(told).boxed()
    }
}

fn micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// That something was got, as the trail has it.
fn issued(name: &TokenName, scopes: Option<String>, ends: Option<SystemTime>) -> Event {
    Event::TokenIssued {
        api: name.api.to_string(),
        scheme: name.scheme.clone(),
        identity: name.identity.clone(),
        grant: name.grant.to_owned(),
        scopes,
        expires: ends.map(|ends| Time(micros(ends))),
    }
}

/// What goes wrong with a lease or with forgetting costs no call.
fn told(name: &TokenName, done: Result<(), String>) {
    if let Err(error) = done {
        tracing::warn!(api = name.api.as_str(), error, "a kept token could not be looked after");
    }
}

impl Keys {
    fn of(text: &Secret) -> Result<Self, String> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, text.expose().as_bytes());
        let derived = |what: &str| hmac::sign(&root, format!("tollbridge {what} 1").as_bytes());
        let seal = UnboundKey::new(&CHACHA20_POLY1305, derived("token seal").as_ref())
            .map_err(|_| "the key cannot be used".to_owned())?;
        let name = hmac::Key::new(hmac::HMAC_SHA256, derived("token name").as_ref());
        Ok(Self { seal: LessSafeKey::new(seal), name })
    }

    /// The name of a row.
    fn name_of(&self, name: &TokenName) -> String {
        let TokenName { api, scheme, identity, grant, binding } = name;
        let parts = serde_json::json!([api.as_str(), scheme, identity, grant]).to_string();
        let mut signed = hmac::Context::with_key(&self.name);
        signed.update(parts.as_bytes());
        signed.update(&[0]);
        signed.update(binding.expose().as_bytes());
        hex::encode(&signed.sign().as_ref()[..16])
    }

    fn seal(&self, row: &str, sealed: &Sealed) -> Result<Vec<u8>, String> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| "the system gives no random bytes".to_owned())?;
        let mut text = serde_json::to_vec(sealed).map_err(|error| error.to_string())?;
        self.seal
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(row.as_bytes()),
                &mut text,
            )
            .map_err(|_| "it is too long to be sealed".to_owned())?;
        Ok([&[WAY][..], &nonce, &text].concat())
    }

    fn open(&self, row: &str, sealed: Vec<u8>) -> Option<Sealed> {
        let sealed = Zeroizing::new(sealed);
        let (way, rest) = sealed.split_first()?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok().filter(|_| *way == WAY)?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = self.seal.open_in_place(nonce, Aad::from(row.as_bytes()), &mut text).ok()?;
        serde_json::from_slice(opened).ok()
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

#[cfg(test)]
mod tests {
    use tollbridge_operation::ApiName;

    use super::*;

    fn keys(text: &str) -> Keys {
        Keys::of(&Secret::new(text)).expect("keys")
    }

    fn name(identity: Option<&str>, binding: &str) -> TokenName {
        TokenName {
            api: ApiName::new("shop").expect("a name"),
            scheme: None,
            identity: identity.map(str::to_owned),
            grant: "login",
            binding: Secret::new(binding),
        }
    }

    #[test]
    fn what_is_sealed_opens_under_its_own_name_and_key_only() {
        let sealed = || Sealed {
            token: "a-token-of-some-length".into(),
            refresh: Some("r1".into()),
            ends: Some(7),
        };
        let one = keys("one").seal("a", &sealed()).expect("sealed");
        let plain = |text: &[u8]| text == b"a-token-of-some-length";
        assert!(!one.windows(22).any(plain));
        let opened = keys("one").open("a", one.clone()).expect("opened");
        assert_eq!((opened.token.as_str(), opened.ends), ("a-token-of-some-length", Some(7)));
        assert!(keys("one").open("b", one.clone()).is_none());
        assert!(keys("two").open("a", one.clone()).is_none());
        for at in [0, 1, one.len() - 1] {
            let mut changed = one.clone();
            changed[at] ^= 1;
            assert!(keys("one").open("a", changed).is_none(), "byte {at}");
        }
        assert!(keys("one").open("a", vec![WAY]).is_none());
        assert_ne!(one, keys("one").seal("a", &sealed()).expect("sealed"), "a nonce of its own");
    }

    #[test]
    fn a_name_is_of_all_that_a_token_is_for() {
        let keys = keys("one");
        let names = [
            keys.name_of(&name(None, "x")),
            keys.name_of(&name(Some("ann"), "x")),
            keys.name_of(&name(Some("bob"), "x")),
            keys.name_of(&name(None, "y")),
        ];
        let all: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(all.len(), names.len());
        assert_eq!(names[0], keys.name_of(&name(None, "x")));
    }
}
