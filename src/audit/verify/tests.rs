use base64::Engine as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use super::*;
use crate::audit::{Signer, checkpoint};
use crate::secret::Secret;
use crate::store::{Batch, Durability, EventRow, Shared};

pub(in crate::audit) fn signer(seed: u8) -> Signer {
    let seed = base64::engine::general_purpose::STANDARD.encode([seed; 32]);
    Signer::of_seed(&Secret::new(seed)).expect("a key")
}

pub(in crate::audit) fn event(call: &str, kind: &'static str) -> EventRow {
    EventRow {
        call: Some(call.into()),
        at: 1,
        kind: kind.into(),
        identity: Some("alice".into()),
        tool: None,
        api: None,
        operation: None,
        decision: None,
        outcome: Some("succeeded".into()),
        body: format!(r#"{{"kind":"{kind}"}}"#),
        payload: Some(format!(r#"{{"arguments":{{"of":"{call}"}}}}"#)),
        shared: None,
    }
}

/// A trail of ten events, signed after the eighth.
pub(in crate::audit) struct House {
    pub(in crate::audit) folder: tempfile::TempDir,
    pub(in crate::audit) anchor: Anchor,
}

impl House {
    pub(in crate::audit) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Self::store(&folder).await;
        let write = async |from: u32, to: u32| {
            for n in from..to {
                let events = vec![event(&format!("c{n}"), "received")].into();
                let _ = store.commit(Batch { events, ..Batch::default() }).await.expect("written");
            }
        };
        write(0, 8).await;
        let signed = checkpoint(&store, &signer(1)).await.expect("signed").expect("events");
        assert!(signed.is_new);
        write(8, 10).await;
        store.close().await;
        Self { folder, anchor: signed.anchor }
    }

    /// A trail of four events, the last two of which have a text in common.
    pub(in crate::audit) async fn sharing() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Self::store(&folder).await;
        let shared = Shared::new(r#"{"tools":"t","config":"c","spec":null}"#.to_owned());
        let naming = |n: u32| EventRow {
            body: format!(r#"{{"kind":"received","shared":"{}"}}"#, shared.digest()),
            shared: Some(shared.clone()),
            ..event(&format!("c{n}"), "received")
        };
        let first = vec![event("c0", "received"), event("c0", "replied")];
        for events in [first, vec![naming(1)], vec![naming(2)]] {
            let batch = Batch { events: events.into(), ..Batch::default() };
            let _ = store.commit(batch).await.expect("written");
        }
        let signed = checkpoint(&store, &signer(1)).await.expect("signed").expect("events");
        store.close().await;
        Self { folder, anchor: signed.anchor }
    }

    pub(in crate::audit) async fn store(folder: &tempfile::TempDir) -> Store {
        let url = format!("sqlite:{}", folder.path().join("t.db").display());
        Store::open(&url, Durability::Process).await.expect("a store")
    }

    pub(in crate::audit) async fn sql(&self, statements: &str) {
        let options = SqliteConnectOptions::new().filename(self.folder.path().join("t.db"));
        let mut raw: SqliteConnection = options.connect().await.expect("past the store");
        let triggers = "DROP TRIGGER IF EXISTS events_stay; \
            DROP TRIGGER IF EXISTS events_keep_their_words; \
            DROP TRIGGER IF EXISTS shared_texts_stay; \
            DROP TRIGGER IF EXISTS shared_texts_keep_their_words;";
        for text in [triggers, statements] {
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut raw).await.expect(statements);
        }
        raw.close().await.expect("closed");
    }

    pub(in crate::audit) async fn verify(&self, against: Against<'_>) -> Result<Verified, Broken> {
        let store = Self::store(&self.folder).await;
        let found = verify(&store, against).await.expect("read");
        store.close().await;
        found
    }
}

#[tokio::test]
async fn a_trail_that_nobody_touched_verifies() {
    let house = House::new().await;
    let key = signer(1).key().to_owned();
    let found = house
        .verify(Against { anchors: std::slice::from_ref(&house.anchor), key: Some(&key) })
        .await
        .expect("verified");
    let expected = (10, 10, Some(8), 1, 1, 0);
    let Verified { events, last, signed_to, checkpoints, anchors, anchors_too_old, .. } = found;
    assert_eq!((events, last, signed_to, checkpoints, anchors, anchors_too_old), expected);
}

#[tokio::test]
async fn whatever_is_done_to_the_trail_names_the_first_event_that_is_wrong() {
    let changed = |seq: i64| Broken::Changed { seq, call: Some(format!("c{}", seq - 1)) };
    let (four, five) = (changed(4), changed(5));
    let swap = |column: &str| {
        format!(
            "UPDATE events SET {column} = CASE seq \
             WHEN 4 THEN (SELECT {column} FROM events WHERE seq = 5) \
             ELSE (SELECT {column} FROM events WHERE seq = 4) END WHERE seq IN (4, 5);"
        )
    };
    let renumber = "UPDATE events SET seq = seq + 100 WHERE seq >= 5; \
        INSERT INTO events (seq, call, at, kind, body, hash) \
            VALUES (5, 'c4', 1, 'received', '{}', zeroblob(32)); \
        UPDATE events SET seq = seq - 99 WHERE seq > 100;";
    let cases: Vec<(String, Broken)> = vec![
        ("UPDATE events SET body = '{}' WHERE seq = 4".into(), four.clone()),
        ("UPDATE events SET identity = 'bob' WHERE seq = 4".into(), four.clone()),
        ("UPDATE events SET identity = NULL WHERE seq = 4".into(), four.clone()),
        ("UPDATE events SET at = 2 WHERE seq = 4".into(), four.clone()),
        ("UPDATE events SET payload = '{\"a\":1}' WHERE seq = 4".into(), four.clone()),
        ("UPDATE events SET salt = zeroblob(16) WHERE seq = 4".into(), four.clone()),
        ("UPDATE events SET payload = NULL, salt = NULL WHERE seq = 4".into(), four.clone()),
        ("UPDATE events SET payload_digest = zeroblob(32) WHERE seq = 4".into(), four.clone()),
        ("UPDATE events SET hash = zeroblob(32) WHERE seq = 4".into(), four.clone()),
        (
            "UPDATE events SET hash = NULL WHERE seq = 4".into(),
            Broken::Unchained { seq: 4, call: Some("c3".into()) },
        ),
        (
            "UPDATE events SET payload = NULL, salt = NULL, payload_digest = zeroblob(32) \
             WHERE seq = 4"
                .into(),
            Broken::PayloadGone { seq: 4, call: Some("c3".into()) },
        ),
        ("DELETE FROM events WHERE seq IN (4, 5)".into(), Broken::Missing { from: 4, to: 5 }),
        ("DELETE FROM events WHERE seq = 1".into(), Broken::Missing { from: 1, to: 1 }),
        (renumber.into(), five),
        (swap("payload") + &swap("salt"), four.clone()),
        (swap("hash"), four),
        ("DELETE FROM events WHERE seq > 7".into(), Broken::CutOff { last: 7, signed: 8 }),
        ("UPDATE chain SET trail = 'other'".into(), Broken::Beginning),
        ("UPDATE checkpoints SET at = at + 1".into(), Broken::Signature { seq: 8 }),
        ("DELETE FROM checkpoints".into(), Broken::Unsigned),
    ];
    for (statements, broken) in cases {
        let house = House::new().await;
        house.sql(&statements).await;
        assert_eq!(house.verify(Against::default()).await, Err(broken), "{statements}");
    }
}

/// Whoever opens the store to write begins a chain anew, and that is found; who only looks must
/// find it before.
#[tokio::test]
async fn a_chain_whose_beginning_was_removed_does_not_verify() {
    let house = House::new().await;
    house.sql("DELETE FROM chain").await;
    let url = format!("sqlite:{}", house.folder.path().join("t.db").display());
    let store = Store::open_read_only(&url).await.expect("a store");
    let found = verify(&store, Against::default()).await.expect("read");
    assert_eq!(found, Err(Broken::Beginning));
    store.close().await;
    assert_eq!(house.verify(Against::default()).await, Err(Broken::BeforeChain));
}

#[tokio::test]
async fn a_trail_that_was_cut_off_with_its_checkpoints_is_found_by_an_anchor() {
    let house = House::new().await;
    house.sql("DELETE FROM events WHERE seq > 6; DELETE FROM checkpoints").await;
    let store = House::store(&house.folder).await;
    let _ = checkpoint(&store, &signer(1)).await.expect("signed anew");
    store.close().await;
    house.verify(Against::default()).await.expect("nothing in it tells");
    let anchors = std::slice::from_ref(&house.anchor);
    let found = house.verify(Against { anchors, key: None }).await;
    assert_eq!(found, Err(Broken::CutOff { last: 6, signed: 8 }));
}

#[tokio::test]
async fn a_trail_that_was_made_anew_is_found_by_the_key_and_by_an_anchor() {
    let house = House::new().await;
    let forged = House::new().await;
    let other = Against { anchors: std::slice::from_ref(&house.anchor), key: None };
    assert!(matches!(forged.verify(other).await, Err(Broken::OtherTrail { .. })));
    let store = House::store(&forged.folder).await;
    forged.sql("DELETE FROM checkpoints").await;
    let _ = checkpoint(&store, &signer(2)).await.expect("signed by another key");
    store.close().await;
    let key = signer(1).key().to_owned();
    let found = forged.verify(Against { anchors: &[], key: Some(&key) }).await;
    assert_eq!(found, Err(Broken::Key { seq: 10, key: signer(2).key().to_owned() }));
}

#[tokio::test]
async fn events_from_before_the_chain_are_covered_by_one_digest() {
    let before = async || {
        let house = House::new().await;
        // As a store was left by what knew no chain.
        house
            .sql(
                "UPDATE events SET hash = NULL, salt = NULL, payload = NULL; \
                 DELETE FROM chain; DELETE FROM checkpoints",
            )
            .await;
        let store = House::store(&house.folder).await;
        for n in 10..12 {
            let events = vec![event(&format!("c{n}"), "received")].into();
            let _ = store.commit(Batch { events, ..Batch::default() }).await.expect("written");
        }
        let _ = checkpoint(&store, &signer(1)).await.expect("signed");
        store.close().await;
        house
    };
    let house = before().await;
    let found = house.verify(Against::default()).await.expect("verified");
    assert_eq!((found.before_chain, found.events, found.last), (10, 2, 12));
    for statement in [
        "UPDATE events SET body = '[]' WHERE seq = 3",
        "DELETE FROM events WHERE seq = 3",
        "DELETE FROM events WHERE seq = 10",
        "INSERT INTO events (seq, at, kind, body) VALUES (0, 1, 'k', '{}')",
    ] {
        let house = before().await;
        house.sql(statement).await;
        assert_eq!(house.verify(Against::default()).await, Err(Broken::BeforeChain), "{statement}");
    }
}

#[tokio::test]
async fn two_processes_write_one_chain() {
    let house = House::new().await;
    let (one, two) = (House::store(&house.folder).await, House::store(&house.folder).await);
    for n in 0..20 {
        for store in [&one, &two] {
            let events = vec![event(&format!("d{n}"), "received")].into();
            let _ = store.commit(Batch { events, ..Batch::default() }).await.expect("written");
        }
    }
    one.close().await;
    two.close().await;
    let found = house.verify(Against::default()).await.expect("verified");
    assert_eq!((found.events, found.last), (50, 50));
}

#[tokio::test]
async fn the_text_that_events_have_in_common_is_part_of_the_trail() {
    let found = House::sharing().await.verify(Against::default()).await.expect("verified");
    assert_eq!(found.events, 4);
    for statement in [
        "UPDATE shared_texts SET text = '{}'",
        "UPDATE shared_texts SET digest = 'x'",
        "DELETE FROM shared_texts",
    ] {
        let house = House::sharing().await;
        house.sql(statement).await;
        let broken = Broken::SharedText { seq: 3, call: Some("c1".to_owned()) };
        assert_eq!(house.verify(Against::default()).await, Err(broken), "{statement}");
    }
    // An event that names another one is not the one that was written.
    let house = House::sharing().await;
    house.sql("UPDATE events SET body = '{\"shared\":\"x\"}' WHERE seq = 3").await;
    let broken = Broken::Changed { seq: 3, call: Some("c1".to_owned()) };
    assert_eq!(house.verify(Against::default()).await, Err(broken));
}
