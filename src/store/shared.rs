//! Texts that many events have in common: each is kept once, under its digest, and events name it.
//!
//! What a call went by, and which policies were considered, is the same for call after call. Written
//! with each event it would be most of the trail. An event's body has the text's digest as its member
//! `shared`; so the chain covers the text too.
//!
//! What must hold: a text is in the database before an event that names it is acknowledged, by the
//! journal too. It is never changed or removed. What is in a text, the store does not know.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnection;

use super::EventRow;

/// How many texts are remembered to be in the database. More are written again, which changes
/// nothing.
const MOST: usize = 4_096;

/// How an event's body names its text. Inside of a text of a JSON object there is no bare `"`.
const NAMES: &str = "\"shared\":\"";

/// How long a digest is.
const LENGTH: usize = 43;

/// The text that an event names, as a column of a query for events: NULL where it names none. Looked
/// for in the text of the body, as one that somebody changed may be no JSON.
pub(super) static COLUMN: LazyLock<String> = LazyLock::new(|| {
    let at = NAMES.len();
    format!(
        "CASE WHEN kind IN ('received', 'decided') THEN \
             (SELECT text FROM shared_texts \
              WHERE digest = substr(body, instr(body, '{NAMES}') + {at}, {LENGTH})) \
         END AS shared"
    )
});

/// The digest by which an event names a text.
pub(super) fn named_by<'b>(kind: &str, body: &'b str) -> Option<&'b str> {
    if !matches!(kind, "received" | "decided") {
        return None;
    }
    let (_, named) = body.split_once(NAMES)?;
    named.split('"').next()
}

/// A text that events have in common. Clones are one.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    digest: String,
    text: String,
}

impl Shared {
    /// A text, under its digest.
    pub fn new(text: String) -> Self {
        Self(Arc::new(Inner { digest: digest(&text), text }))
    }

    /// Its SHA-256, in base64url without padding (RFC 4648 §5).
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0.text
    }
}

/// Texts are the same where their digests are.
impl PartialEq for Shared {
    fn eq(&self, other: &Self) -> bool {
        self.digest() == other.digest()
    }
}

impl Eq for Shared {}

impl Hash for Shared {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // It is as good as random: a part of it tells one from the other.
        self.digest().as_bytes()[..8].hash(state);
    }
}

/// The digest of a text that events have in common.
pub fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// The texts that are known to be in the database.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashSet<Shared>>);

impl Known {
    /// Whether every text is that these events name.
    pub(super) fn has_all(&self, events: &[EventRow]) -> bool {
        let mut named = named(events).peekable();
        if named.peek().is_none() {
            return true;
        }
        let known = self.known();
        named.all(|text| known.contains(text))
    }

    /// They are in the database now.
    pub(super) fn add(&self, texts: Vec<Shared>) {
        let mut known = self.known();
        if known.len() + texts.len() > MOST {
            known.clear();
        }
        known.extend(texts);
    }

    /// Nothing is known of the database any more: what was.
    pub(super) fn forget(&self) -> Vec<Shared> {
        std::mem::take(&mut *self.known()).into_iter().collect()
    }

    fn known(&self) -> MutexGuard<'_, HashSet<Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The texts that these events name.
pub(super) fn named(events: &[EventRow]) -> impl Iterator<Item = &Shared> {
    events.iter().filter_map(|event| event.shared.as_ref())
}

/// Writes the texts that these events name and that are not known to be in the database; which those
/// were.
pub(super) async fn write<'e>(
    transaction: &mut SqliteConnection,
    events: impl Iterator<Item = &'e [EventRow]>,
    known: &Known,
) -> Result<Vec<Shared>, sqlx::Error> {
    let mut new: Vec<Shared> = Vec::new();
    for text in events.flat_map(named) {
        if !new.contains(text) && !known.known().contains(text) {
            new.push(text.clone());
        }
    }
    for text in &new {
        insert(transaction, text).await?;
    }
    Ok(new)
}

/// Writes a text, if it is not there.
pub(super) async fn insert(
    transaction: &mut SqliteConnection,
    text: &Shared,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO shared_texts (digest, text) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(text.digest().to_owned())
        .bind(text.text().to_owned())
        .execute(transaction)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::journal::tests::{journals, killed};
    use crate::store::tests::{event, events, file, folder, open, raw};

    /// An event that names a text.
    fn naming(call: &str, text: &str) -> EventRow {
        let shared = Shared::new(text.to_owned());
        let body = format!(r#"{{"kind":"received","shared":"{}"}}"#, shared.digest());
        EventRow { body, shared: Some(shared), ..event(call, "received") }
    }

    #[tokio::test]
    async fn a_text_is_kept_once_and_read_with_each_event_that_names_it() {
        let folder = folder();
        let store = open(&folder).await;
        // Enough for a journal, which takes none whose text is not in the database.
        for n in 0..40 {
            let text = if n % 10 == 9 { format!("of {n}") } else { "of most".to_owned() };
            let batch = events([naming(&format!("c{n}"), &text), event("c", "decided")]);
            let _ = store.commit(batch).await.expect("written");
        }
        let read = store.events_after(0).await.expect("events");
        let texts: Vec<Option<String>> = read.into_iter().map(|event| event.shared).collect();
        let expected = (0..40).flat_map(|n| {
            let text = if n % 10 == 9 { format!("of {n}") } else { "of most".to_owned() };
            [Some(text), None]
        });
        assert_eq!(texts, expected.collect::<Vec<_>>());
        let kept = store.all(sqlx::query("SELECT * FROM shared_texts")).await.expect("rows");
        assert_eq!(kept.len(), 5);
    }

    #[tokio::test]
    async fn what_the_journal_took_has_its_text_after_a_kill() {
        let folder = folder();
        let store = open(&folder).await;
        for n in 0..40 {
            let _ = store.commit(events([naming(&format!("c{n}"), "all")])).await.expect("written");
        }
        let left = killed(&folder);
        let read = open(&left).await.events_after(0).await.expect("events");
        assert_eq!(read.len(), 40);
        assert!(read.iter().all(|event| event.shared.as_deref() == Some("all")), "{read:?}");
    }

    #[tokio::test]
    async fn what_the_journal_took_has_its_text_in_an_older_database() {
        let folder = folder();
        drop(open(&folder).await);
        let older = killed(&folder);
        let store = open(&folder).await;
        // More than one half of the file: what stands in the other one is of no use then.
        let large = || EventRow { body: "x".repeat(200_000), ..event("large", "replied") };
        let mut texts = Vec::new();
        for n in 0..40 {
            let text = format!("of {}", n % 3);
            let batch = events([naming(&format!("c{n}"), &text), large()]);
            let _ = store.commit(batch).await.expect("written");
            texts.push(text);
        }
        // As where a copy is put in the place of the database, and the file beside it stays.
        for journal in journals(killed(&folder).path()) {
            let name = journal.file_name().expect("a name");
            std::fs::copy(folder.path().join(name), older.path().join(name)).expect("copied");
        }
        let read = open(&older).await.events_after(0).await.expect("events");
        let named: Vec<_> = read.into_iter().filter(|event| event.kind == "received").collect();
        assert!(!named.is_empty());
        assert!(named.iter().all(|event| event.shared.is_some()), "{:?}", named.len());
    }

    #[tokio::test]
    async fn a_text_goes_into_the_database_that_took_the_place_of_the_one_that_had_it() {
        let folder = folder();
        let store = open(&folder).await;
        for _ in 0..20 {
            let _ = store.commit(events([naming("old", "before")])).await.expect("written");
        }
        store.last_seq().await.expect("all of it is in the database");
        // This one is in the journal alone, and no later one names its text.
        let _ = store.commit(events([naming("late", "before")])).await.expect("written");
        for entry in std::fs::read_dir(folder.path()).expect("a folder") {
            let path = entry.expect("a file").path();
            if !path.to_string_lossy().contains("ahead") {
                std::fs::remove_file(path).expect("removed");
            }
        }
        drop(open(&folder).await);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while store.commit(events([naming("new", "after")])).await.is_err() {
            assert!(std::time::Instant::now() < end, "it goes on");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let read = open(&folder).await.events_after(0).await.expect("events");
        let found = |call: &str| {
            let event = read.iter().find(|event| event.call.as_deref() == Some(call));
            event.and_then(|event| event.shared.as_deref())
        };
        assert_eq!((found("late"), found("new")), (Some("before"), Some("after")), "{read:?}");
    }

    #[tokio::test]
    async fn texts_are_neither_changed_nor_deleted() {
        let folder = folder();
        let store = open(&folder).await;
        let _ = store.commit(events([naming("c", "all")])).await.expect("written");
        let mut other = raw(&file(&folder)).await;
        for statement in [
            "UPDATE shared_texts SET text = 'other'",
            "DELETE FROM shared_texts",
            "INSERT OR REPLACE INTO shared_texts SELECT digest, 'other' FROM shared_texts",
        ] {
            let error = sqlx::query(statement).execute(&mut other).await.expect_err("refused");
            assert!(error.to_string().contains("append-only"), "{error}");
        }
    }

    /// A policy, what it does, what became of it and why, and what it read.
    type Row = (String, String, String, Option<String>, String);

    #[tokio::test]
    async fn the_view_has_what_became_of_each_policy_and_what_it_read() {
        let folder = folder();
        let store = open(&folder).await;
        let form = r#"{"considered":[{"rule":"own","effect":"permit","reads":[0,1]},
            {"rule":"asleep","effect":"forbid"},
            {"rule":"large","effect":"hold","reads":[2,3,4]}],
            "places":["principal","principal.groups","a","b","c"]}"#;
        let payload = r#"{"became":"s-f","failed":{"2":"it overflows"},
            "read":[["alice"],null,[],[null],{"cut":"xx…"}]}"#;
        let decided =
            EventRow { kind: "decided".into(), payload: Some(payload.into()), ..naming("c", form) };
        let _ = store.commit(events([decided])).await.expect("written");
        store.last_seq().await.expect("all of it is in the database");
        let query = r#"SELECT rule, effect, outcome, why, "values" FROM considered"#;
        let rows = store.all(sqlx::query(query)).await.expect("rows");
        let rows: Vec<Row> = store.typed(&rows).expect("texts");
        let row = |rule: &str, effect: &str, outcome: &str, why: Option<&str>, values: &str| {
            let why = why.map(str::to_owned);
            (rule.to_owned(), effect.to_owned(), outcome.to_owned(), why, values.to_owned())
        };
        let read = r#"{"a":"not there","b":null,"c":"xx…"}"#;
        let expected = [
            row("own", "permit", "satisfied", None, r#"{"principal":"alice"}"#),
            row("large", "hold", "failed", Some("it overflows"), read),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_text_is_named_by_events_of_some_kinds_alone() {
        let body = format!(r#"{{"a":"\"shared\":\"no\"","shared":"{}"}}"#, "x".repeat(LENGTH));
        assert_eq!(named_by("received", &body), Some(&*"x".repeat(LENGTH)));
        assert_eq!(named_by("replied", &body), None);
        assert_eq!(named_by("decided", r#"{"a":"\"shared\":\"no\""}"#), None);
        assert_eq!(digest("").len(), LENGTH);
    }
}
