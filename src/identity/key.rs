//! Inbound API keys: made once, shown once, kept as a hash.
//!
//! A key is `tb_ID_SECRET`: 32 random bytes behind a name that may be shown. That much
//! randomness needs no slow hash: SHA-256 of it cannot be searched.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tollbridge_operation::Identity;
use zeroize::Zeroizing;

use crate::secret::Secret;
use crate::store::{KeyRow, Store, StoreError};

/// What every key begins with.
pub const KEY_PREFIX: &str = "tb_";

/// Longer than any key of ours; longer ones are not worth hashing.
const MAX_LENGTH: usize = 128;

/// There is no randomness, so no key can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct KeyError(getrandom::Error);

/// A key that was just made.
#[derive(Debug)]
pub struct NewKey {
    /// What is kept.
    pub row: KeyRow,
    /// The key itself. It is nowhere else, and prints as `[redacted]`.
    pub key: Secret,
}

impl NewKey {
    /// Makes a key. Times are microseconds since the Unix epoch; without `expires` it is good
    /// until revoked.
    pub fn generate(identity: &Identity, expires: Option<i64>, now: i64) -> Result<Self, KeyError> {
        let mut id = [0; 5];
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(&mut id).map_err(KeyError)?;
        getrandom::fill(random.as_mut_slice()).map_err(KeyError)?;
        let id = hex::encode(id);
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
        let key = Secret::new(format!("{KEY_PREFIX}{id}_{}", text.as_str()));
        let row = KeyRow {
            id,
            hash: hash(key.expose()),
            identity: identity.as_str().to_owned(),
            created: now,
            expires,
            revoked: None,
            approver: false,
        };
        Ok(Self { row, key })
    }
}

impl NewKey {
    /// For deciding on held calls, and for nothing else.
    #[must_use]
    pub fn for_approvals(mut self) -> Self {
        self.row.approver = true;
        self
    }
}

/// Who holds an approver's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    /// Their name.
    pub name: String,
    /// The key's, which is no secret.
    pub id: String,
    hash: String,
}

/// What is kept of a key: SHA-256 in lower-case hex.
pub fn hash(key: &str) -> String {
    hex::encode(Sha256::digest(key))
}

/// Whom a key stands for; `None` for one that is unknown, revoked or expired, or an approver's. The
/// time is microseconds since the Unix epoch.
pub async fn verify(
    store: &Store,
    presented: &str,
    now: i64,
) -> Result<Option<Identity>, StoreError> {
    let Some(hash) = hash_of(presented) else { return Ok(None) };
    let row = store.recent_key(&hash).await?;
    let row = row.filter(|row| !row.approver && is_good(row, &hash, now));
    Ok(row.and_then(|row| Identity::new(row.identity.as_str()).ok()))
}

/// Whose an approver's key is; `None` for one that is no such key, revoked or expired. People decide
/// seldom enough for it to be read each time.
pub async fn verify_approver(
    store: &Store,
    presented: &str,
    now: i64,
) -> Result<Option<KeyHolder>, StoreError> {
    let Some(hash) = hash_of(presented) else { return Ok(None) };
    let row = store.key_by_hash(&hash).await?;
    let row = row.filter(|row| row.approver && is_good(row, &hash, now));
    Ok(row.map(|row| KeyHolder { name: row.identity, id: row.id, hash }))
}

/// Whether the key that somebody showed before is still good.
pub async fn is_still_approver(
    store: &Store,
    who: &KeyHolder,
    now: i64,
) -> Result<bool, StoreError> {
    let row = store.key_by_hash(&who.hash).await?;
    Ok(row.is_some_and(|row| row.approver && is_good(&row, &who.hash, now)))
}

/// The hash of what may be a key.
fn hash_of(presented: &str) -> Option<String> {
    let may_be = presented.starts_with(KEY_PREFIX) && presented.len() <= MAX_LENGTH;
    may_be.then(|| hash(presented))
}

/// Whether the row that was found is of the key with that hash, and the key good.
fn is_good(row: &KeyRow, hash: &str, now: i64) -> bool {
    // What found it compared hashes byte by byte, which tells a guesser about hashes and nothing
    // about keys; the answer hangs on this comparison.
    let same = bool::from(row.hash.as_bytes().ct_eq(hash.as_bytes()));
    same && row.revoked.is_none() && row.expires.is_none_or(|expires| now < expires)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::mask_keys;
    use crate::store::{Batch, Change, Durability};

    fn alice() -> Identity {
        Identity::new("alice").expect("an identity")
    }

    async fn store_with(row: KeyRow) -> Store {
        let store = Store::open("sqlite::memory:", Durability::Process).await.expect("a store");
        let changes = vec![Change::AddKey(row)];
        let _ = store.commit(Batch { changes, ..Batch::default() }).await.expect("added");
        store
    }

    #[test]
    fn a_new_key_is_long_and_its_row_does_not_hold_it() {
        let one = NewKey::generate(&alice(), None, 1).expect("a key");
        let two = NewKey::generate(&alice(), None, 1).expect("a key");
        assert_ne!(one.key.expose(), two.key.expose());
        assert_eq!(one.key.expose().len(), "tb_".len() + 10 + 1 + 43);
        let secret = one.key.expose().rsplit_once(&one.row.id).expect("its id").1;
        assert!(!format!("{one:?}").contains(secret));
    }

    #[test]
    fn a_key_is_masked_wherever_it_stands() {
        for _ in 0..50 {
            let new = NewKey::generate(&alice(), None, 1).expect("a key");
            let masked = mask_keys(new.key.expose()).into_owned();
            assert_eq!(masked, format!("tb_{}_[redacted]", new.row.id));
        }
    }

    #[tokio::test]
    async fn a_key_stands_for_its_identity_until_it_expires() {
        let new = NewKey::generate(&alice(), Some(100), 1).expect("a key");
        let store = store_with(new.row).await;
        for (now, expected) in [(99, Some(alice())), (100, None), (101, None)] {
            let found = verify(&store, new.key.expose(), now).await.expect("read");
            assert_eq!(found, expected, "at {now}");
        }
    }

    #[tokio::test]
    async fn an_approver_s_key_decides_and_calls_nothing_and_others_decide_nothing() {
        let approver = NewKey::generate(&alice(), Some(100), 1).expect("a key").for_approvals();
        let store = store_with(approver.row).await;
        let key = approver.key.expose();
        assert_eq!(verify(&store, key, 2).await.expect("read"), None);
        let who = verify_approver(&store, key, 2).await.expect("read").expect("a holder");
        assert_eq!(who.name, "alice");
        assert!(is_still_approver(&store, &who, 99).await.expect("read"));
        assert!(!is_still_approver(&store, &who, 100).await.expect("read"));
        assert_eq!(verify_approver(&store, key, 100).await.expect("read"), None);
        let other = NewKey::generate(&alice(), None, 1).expect("a key");
        let store = store_with(other.row).await;
        assert_eq!(verify_approver(&store, other.key.expose(), 2).await.expect("read"), None);
    }

    #[tokio::test]
    async fn a_revoked_key_stands_for_nobody() {
        let new = NewKey::generate(&alice(), None, 1).expect("a key");
        let id = new.row.id.clone();
        let store = store_with(new.row).await;
        let changes = vec![Change::RevokeKey { id }];
        let _ = store.commit(Batch { changes, ..Batch::default() }).await.expect("revoked");
        assert_eq!(verify(&store, new.key.expose(), 2).await.expect("read"), None);
    }

    #[tokio::test]
    async fn what_is_no_key_stands_for_nobody() {
        let new = NewKey::generate(&alice(), None, 1).expect("a key");
        let hash = new.row.hash.clone();
        let store = store_with(new.row).await;
        let almost = &new.key.expose()[..new.key.expose().len() - 1];
        for presented in ["", "tb_", almost, &hash, &"tb_".repeat(100)] {
            assert_eq!(verify(&store, presented, 2).await.expect("read"), None);
        }
    }
}
