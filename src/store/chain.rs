//! The hash chain over events: each one's hash covers itself and the hash of the one before.
//!
//! Whoever writes events reads the chain's end in its transaction and goes on from there, so the
//! chain is one whichever process writes. What stands in a journal is not in it yet.
//!
//! The form that is hashed, so that others can compute it too (numbers are eight bytes,
//! big-endian; `‖` puts bytes behind each other):
//!
//! - a payload's digest is `SHA-256("tollbridge payload\n" ‖ salt ‖ payload)`; the salt is 16
//!   random bytes, so that the digest of a short payload does not give it away;
//! - an event's hash is `SHA-256("tollbridge event\n" ‖ hash before ‖ seq ‖ at ‖ call ‖ kind ‖
//!   identity ‖ tool ‖ api ‖ operation ‖ decision ‖ outcome ‖ body ‖ payload's digest)`, each text
//!   as a byte 1, its length and its UTF-8, the digest as a byte 1 and its bytes, and what is not
//!   there as a byte 0;
//! - the hash before the first event is the genesis: `SHA-256("tollbridge genesis\n" ‖ trail ‖
//!   first seq ‖ number of events before it ‖ their digest)`. That digest is the hash of the last
//!   of them in a chain of their own, which begins with 32 zeros.

use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row as _};

use super::insert::{Row, TEXTS};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// A payload's salt.
pub(super) type Salt = [u8; 16];

/// The chain's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: Digest,
}

/// What the chain adds to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: i64,
    pub(super) salt: Option<Salt>,
    pub(super) hash: Digest,
}

/// Salts that nobody can guess, one a place in the trail.
pub(super) struct Salts(Digest);

impl Salts {
    /// Asks the system once for many of them.
    pub(super) fn new() -> Result<Self, sqlx::Error> {
        let mut seed = [0; 32];
        let failed = |_| sqlx::Error::Protocol("the system gives no random bytes".into());
        getrandom::fill(&mut seed).map_err(failed)?;
        Ok(Self(seed))
    }

    fn of(&self, seq: i64) -> Salt {
        let digest = Sha256::new().chain_update(self.0).chain_update(seq.to_be_bytes()).finalize();
        let mut salt = Salt::default();
        salt.copy_from_slice(&digest[..16]);
        salt
    }
}

impl Head {
    /// Goes on by an event.
    pub(super) fn next(&mut self, row: &Row<'_>, salts: &Salts) -> Link {
        self.seq += 1;
        let [texts @ .., payload] = row.texts;
        let salt = payload.map(|_| salts.of(self.seq));
        let digest = payload.zip(salt).map(|(payload, salt)| payload_digest(&salt, payload));
        self.hash = link(&self.hash, self.seq, row.at, texts, digest.as_ref());
        Link { seq: self.seq, salt, hash: self.hash }
    }
}

/// The digest by which a payload is bound to its event.
pub fn payload_digest(salt: &[u8], payload: &str) -> Digest {
    let hash = Sha256::new_with_prefix("tollbridge payload\n");
    hash.chain_update(salt).chain_update(payload).finalize().into()
}

/// An event's hash; the texts are its columns from `call` to `body`.
pub(super) fn link(
    before: &Digest,
    seq: i64,
    at: i64,
    texts: [Option<&str>; TEXTS - 1],
    payload: Option<&Digest>,
) -> Digest {
    // In one piece: a digest takes many short pieces more slowly.
    let said = texts.iter().flatten().map(|text| text.len()).sum::<usize>();
    let mut form = Vec::with_capacity(192 + said);
    form.extend_from_slice(b"tollbridge event\n");
    form.extend_from_slice(before);
    form.extend_from_slice(&seq.to_be_bytes());
    form.extend_from_slice(&at.to_be_bytes());
    for text in texts {
        match text {
            Some(text) => {
                form.push(1);
                form.extend_from_slice(&(text.len() as u64).to_be_bytes());
                form.extend_from_slice(text.as_bytes());
            }
            None => form.push(0),
        }
    }
    match payload {
        Some(digest) => {
            form.push(1);
            form.extend_from_slice(digest);
        }
        None => form.push(0),
    }
    Sha256::digest(&form).into()
}

/// The hash before the first event.
pub fn genesis(trail: &str, first: i64, covers: i64, digest: &Digest) -> Digest {
    let hash = Sha256::new_with_prefix("tollbridge genesis\n");
    let hash = hash.chain_update(trail).chain_update(first.to_be_bytes());
    hash.chain_update(covers.to_be_bytes()).chain_update(digest).finalize().into()
}

/// The chain's end, as a transaction sees it.
pub(super) async fn head(connection: &mut SqliteConnection) -> Result<Head, sqlx::Error> {
    let last: Option<(i64, Option<Vec<u8>>)> =
        sqlx::query_as("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
    if let Some((seq, Some(hash))) = &last {
        return Ok(Head { seq: *seq, hash: digest_of(hash)? });
    }
    let last = last.map_or(0, |(seq, _)| seq);
    let chained: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT hash FROM events WHERE hash IS NOT NULL ORDER BY seq DESC LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let (first, genesis): (i64, Vec<u8>) =
        sqlx::query_as("SELECT first, genesis FROM chain").fetch_one(connection).await?;
    let hash = chained.as_ref().unwrap_or(&genesis);
    Ok(Head { seq: last.max(first - 1), hash: digest_of(hash)? })
}

/// Begins the chain where there is none: what is there is covered by one digest.
pub(super) async fn begin(connection: &mut SqliteConnection, now: i64) -> Result<(), sqlx::Error> {
    let begun = "SELECT count(*) FROM chain";
    if sqlx::query_scalar::<_, i64>(begun).fetch_one(&mut *connection).await? > 0 {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if sqlx::query_scalar::<_, i64>(begun).fetch_one(&mut *transaction).await? > 0 {
        return transaction.rollback().await;
    }
    let (mut digest, mut covers, mut last) = (Digest::default(), 0_i64, 0_i64);
    loop {
        let rows = sqlx::query(
            "SELECT seq, at, call, kind, identity, tool, api, operation, decision, outcome, body \
             FROM events WHERE seq > ? ORDER BY seq LIMIT 4096",
        )
        .bind(last)
        .fetch_all(&mut *transaction)
        .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let mut texts = [None; TEXTS - 1];
            for (place, text) in texts.iter_mut().enumerate() {
                *text = row.try_get::<Option<&str>, _>(place + 2)?;
            }
            last = row.try_get("seq")?;
            covers += 1;
            digest = link(&digest, last, row.try_get("at")?, texts, None);
        }
    }
    let (trail, first) = (ulid::Ulid::new().to_string(), last + 1);
    let genesis = genesis(&trail, first, covers, &digest);
    sqlx::query(
        "INSERT INTO chain (one, trail, first, covers, digest, genesis, began) \
         VALUES (1, ?, ?, ?, ?, ?, ?)",
    )
    .bind(trail)
    .bind(first)
    .bind(covers)
    .bind(digest.to_vec())
    .bind(genesis.to_vec())
    .bind(now)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

pub(super) fn digest_of(bytes: &[u8]) -> Result<Digest, sqlx::Error> {
    let wrong = |_| sqlx::Error::Decode("a hash of the chain is no SHA-256 digest".into());
    bytes.try_into().map_err(wrong)
}
