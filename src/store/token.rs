//! Sealed tokens: the statements that keep, lease and read them.
//!
//! A lease is taken by whoever renews a token, across processes: what renews it may be good for
//! one use only, and a server that sees it twice takes it for stolen (RFC 9700 §4.14.2).

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::apply::Query;
use super::{Store, StoreError, TokenRow};

pub(super) fn keep(row: TokenRow) -> Query {
    sqlx::query(
        "INSERT INTO tokens (name, api, scheme, identity, \"grant\", scopes, sealed, issued, until) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT (name) DO UPDATE \
         SET \"grant\" = ?5, scopes = ?6, sealed = ?7, issued = ?8, until = ?9",
    )
    .bind(row.name)
    .bind(row.api)
    .bind(row.scheme)
    .bind(row.identity)
    .bind(row.grant)
    .bind(row.scopes)
    .bind(row.sealed)
    .bind(row.issued)
    .bind(row.until)
}

pub(super) fn forget(name: String) -> Query {
    sqlx::query("DELETE FROM tokens WHERE name = ?").bind(name)
}

/// Matches no row where another holder's lease has not run out.
pub(super) fn lease(name: String, holder: String, until: i64, now: i64) -> Query {
    sqlx::query(
        "INSERT INTO token_leases (name, holder, until) VALUES (?1, ?2, ?3) \
         ON CONFLICT (name) DO UPDATE SET holder = ?2, until = ?3 \
         WHERE until <= ?4 OR holder = ?2",
    )
    .bind(name)
    .bind(holder)
    .bind(until)
    .bind(now)
}

pub(super) fn release(name: String, holder: String) -> Query {
    sqlx::query("DELETE FROM token_leases WHERE name = ? AND holder = ?").bind(name).bind(holder)
}

impl Store {
    /// The sealed token of that name.
    pub async fn token(&self, name: &str) -> Result<Option<TokenRow>, StoreError> {
        let query = sqlx::query("SELECT * FROM tokens WHERE name = ?").bind(name.to_owned());
        Ok(self.typed(&self.all(query).await?)?.pop())
    }

    /// All sealed tokens, the oldest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        self.typed(&self.all(sqlx::query("SELECT * FROM tokens ORDER BY issued, name")).await?)
    }
}

impl FromRow<'_, SqliteRow> for TokenRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            name: row.try_get("name")?,
            api: row.try_get("api")?,
            scheme: row.try_get("scheme")?,
            identity: row.try_get("identity")?,
            grant: row.try_get("grant")?,
            scopes: row.try_get("scopes")?,
            sealed: row.try_get("sealed")?,
            issued: row.try_get("issued")?,
            until: row.try_get("until")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::super::tests::{change, folder, url};
    use super::super::{Change, CommitError, Durability};
    use super::*;

    fn row(name: &str, sealed: &[u8]) -> TokenRow {
        TokenRow {
            name: name.to_owned(),
            api: "shop".to_owned(),
            scheme: None,
            identity: Some("ann".to_owned()),
            grant: "login".to_owned(),
            scopes: Some("read".to_owned()),
            sealed: sealed.to_vec(),
            issued: 1,
            until: i64::MAX,
        }
    }

    #[tokio::test]
    async fn the_last_token_of_a_name_is_kept_until_it_is_forgotten() {
        let folder = folder();
        let store = Store::open(&url(&folder), Durability::Process).await.expect("a store");
        for sealed in [b"one", b"two"] {
            let _kept =
                store.commit(change(Change::KeepToken(row("a", sealed)))).await.expect("kept");
        }
        let read = store.token("a").await.expect("a read");
        assert_eq!(read, Some(row("a", b"two")));
        let _gone =
            store.commit(change(Change::ForgetToken { name: "a".into() })).await.expect("gone");
        assert_eq!(store.tokens().await.expect("a read"), []);
    }

    #[tokio::test]
    async fn one_holder_has_a_lease_until_it_lets_go_or_its_time_is_over() {
        static NOW: AtomicI64 = AtomicI64::new(100);
        let folder = folder();
        let clock = || NOW.load(Ordering::Relaxed);
        let store = Store::open_with_clock(&url(&folder), Durability::Process, clock).await;
        let store = store.expect("a store");
        let lease = |holder: &str| {
            let holder = holder.to_owned();
            store.commit(change(Change::LeaseToken { name: "a".into(), holder, until: 200 }))
        };
        assert!(lease("p1").await.is_ok());
        assert!(matches!(lease("p2").await, Err(CommitError::TokenLeased)));
        assert!(lease("p1").await.is_ok(), "its holder may take it again");
        let release = Change::ReleaseToken { name: "a".into(), holder: "p1".into() };
        let _released = store.commit(change(release)).await.expect("released");
        assert!(lease("p2").await.is_ok());
        NOW.store(200, Ordering::Relaxed);
        assert!(lease("p3").await.is_ok(), "the time of p2 is over");
    }
}
