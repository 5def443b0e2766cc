//! How rows go into the database: many in a statement, from wherever they stand.
//!
//! A statement costs a trip to the connection's thread, and a text that is bound costs a place in
//! memory that the other thread gives back. So there are few statements, and what comes again in
//! row after row (names, kinds, the call itself) is one text that all rows share.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Arguments, AssertSqlSafe, Sqlite};

use super::EventRow;
use super::chain::{Head, Link, Salts};

/// Rows go down in statements of these sizes: few statements, and few to prepare.
const CHUNKS: [usize; 5] = [256, 64, 16, 4, 1];

/// The statements for each of them.
pub(super) type Statements = [String; CHUNKS.len()];

pub(super) const EVENT_COLUMNS: &str = "INSERT INTO events (seq, salt, hash, at, call, kind, \
    identity, tool, api, operation, decision, outcome, body, payload)";

pub(super) const EVENT_VALUES: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// How many values that is.
const VALUES: usize = 4 + TEXTS;

/// How many texts an event has beside its time.
pub(super) const TEXTS: usize = 10;

/// An event's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row<'e> {
    pub(super) at: i64,
    /// In the order of [`EVENT_COLUMNS`].
    pub(super) texts: [Option<&'e str>; TEXTS],
}

impl<'e> From<&'e EventRow> for Row<'e> {
    fn from(event: &'e EventRow) -> Self {
        let texts = [
            event.call.as_deref(),
            Some(&*event.kind),
            event.identity.as_deref(),
            event.tool.as_deref(),
            event.api.as_deref(),
            event.operation.as_deref(),
            event.decision.as_deref(),
            event.outcome.as_deref(),
            Some(&*event.body),
            event.payload.as_deref(),
        ];
        Self { at: event.at, texts }
    }
}

/// Appends events to the trail, in order, behind the chain's end.
pub(super) async fn insert_events<'e>(
    transaction: &mut SqliteConnection,
    head: &mut Head,
    events: Box<dyn Iterator<Item = Row<'e>> + Send + 'e>,
) -> Result<(), sqlx::Error> {
    static EVENTS: LazyLock<Statements> =
        LazyLock::new(|| statements(&format!("{EVENT_COLUMNS} VALUES "), EVENT_VALUES));
    let mut events = events.peekable();
    if events.peek().is_none() {
        return Ok(());
    }
    let salts = Salts::new()?;
    let mut texts = Texts::default();
    // A statement's rows at a time: all of them together are more than a processor keeps at hand.
    let mut rows = Vec::with_capacity(CHUNKS[0]);
    while events.peek().is_some() {
        rows.clear();
        rows.extend(events.by_ref().take(CHUNKS[0]));
        for (statement, chunk) in chunks(&EVENTS, &rows) {
            let mut arguments = arguments(chunk.len());
            for event in chunk {
                let link = head.next(event, &salts);
                texts.bind(&mut arguments, &link, event).map_err(sqlx::Error::Encode)?;
            }
            execute(statement, arguments, &mut *transaction).await?;
        }
    }
    Ok(())
}

/// The rows in pieces, each with the statement that writes it.
pub(super) fn chunks<'r, T>(
    statements: &'static Statements,
    rows: &'r [T],
) -> impl Iterator<Item = (&'static str, &'r [T])> {
    let mut rows = rows;
    std::iter::from_fn(move || {
        let (size, statement) =
            CHUNKS.into_iter().zip(statements).find(|(size, _)| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some((statement.as_str(), chunk))
    })
}

/// Room for what so many events bind.
pub(super) fn arguments(events: usize) -> SqliteArguments {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(events * VALUES, 0);
    arguments
}

/// Carries a statement out that is made of literals; how many rows it wrote.
pub(super) async fn execute(
    statement: &'static str,
    arguments: SqliteArguments,
    connection: &mut SqliteConnection,
) -> Result<u64, sqlx::Error> {
    let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(statement), arguments);
    Ok(query.execute(connection).await?.rows_affected())
}

/// Statements for each size, of their beginning and what stands for a row.
pub(super) fn statements(head: &str, row: &str) -> Statements {
    CHUNKS.map(|rows| format!("{head}{}", vec![row; rows].join(", ")))
}

/// Texts that were bound before, to be bound again.
#[derive(Default)]
pub(super) struct Texts<'e> {
    known: HashMap<&'e str, Arc<str>>,
    /// The call of the row before: most rows are of the same.
    call: Option<(&'e str, Arc<str>)>,
}

impl<'e> Texts<'e> {
    /// Binds an event's columns.
    pub(super) fn bind(
        &mut self,
        arguments: &mut SqliteArguments,
        link: &Link,
        event: &Row<'e>,
    ) -> Result<(), BoxDynError> {
        let [call, names @ .., body, payload] = event.texts;
        arguments.add(link.seq)?;
        arguments.add(link.salt.map(|salt| salt.to_vec()))?;
        arguments.add(link.hash.to_vec())?;
        arguments.add(event.at)?;
        arguments.add(call.map(|call| self.call(call)))?;
        for name in names {
            arguments.add(name.map(|name| self.known(name)))?;
        }
        arguments.add(body.map(Arc::<str>::from))?;
        arguments.add(payload.map(Arc::<str>::from))
    }

    fn call(&mut self, call: &'e str) -> Arc<str> {
        match &self.call {
            Some((last, text)) if *last == call => Arc::clone(text),
            _ => Arc::clone(&self.call.insert((call, call.into())).1),
        }
    }

    fn known(&mut self, name: &'e str) -> Arc<str> {
        Arc::clone(self.known.entry(name).or_insert_with(|| name.into()))
    }
}
