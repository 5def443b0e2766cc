//! Calls, found by what is known of them, with their events.
//!
//! A question begins with what is rare where something of it is: what was not allowed, and what did not
//! succeed, has an index. The others walk the events that open calls. So a long trail answers at once,
//! but where what is asked for is rare and nothing in the question says so.

use sqlx::{QueryBuilder, Sqlite};

use super::read::{MOST, events_where};
use super::{HoldRow, Store, StoreError, StoredEvent};

/// A call: its events, and how the last hold that it named stands.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRow {
    /// Its name.
    pub id: String,
    /// Its events, in order.
    pub events: Vec<StoredEvent>,
    /// The hold.
    pub hold: Option<HoldRow>,
}

/// Which calls.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// Of this tool.
    pub tool: Option<String>,
    /// Of an operation of this API.
    pub api: Option<String>,
    /// Of this identity.
    pub identity: Option<String>,
    /// With this decision as the last one: `allow`, `deny` or `hold`.
    pub decision: Option<String>,
    /// That ended so.
    pub outcome: Option<Ended>,
    /// In the trace of this id: 32 digits in hex.
    pub trace: Option<String>,
    /// That came in at this time or later: microseconds since the Unix epoch.
    pub since: Option<i64>,
    /// That came in before this time.
    pub until: Option<i64>,
    /// Whose name starts with this.
    pub id: Option<String>,
    /// How many, counted from the newest; 10,000 where it is not said.
    pub limit: Option<u32>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Not well, whatever the outcome is called.
    Badly,
    /// With the outcome of this name.
    As(String),
}

impl Ended {
    const SUCCEEDED: &str = "succeeded";

    /// Whether an outcome is meant.
    pub fn is(&self, outcome: &str) -> bool {
        match self {
            Self::Badly => outcome != Self::SUCCEEDED,
            Self::As(name) => outcome == name,
        }
    }

    /// Adds the condition to a query that an outcome is meant.
    fn push(&self, query: &mut QueryBuilder<Sqlite>) {
        match self {
            Self::Badly => query.push(" <> ").push_bind(Self::SUCCEEDED),
            Self::As(name) => query.push(" = ").push_bind(name.clone()),
        };
    }
}

/// What a question begins with.
enum Begin<'f> {
    /// The events that open calls.
    Opened,
    /// A decision that is rare.
    Decided(&'f str),
    /// An outcome that is rare.
    Ended(&'f Ended),
}

impl CallFilter {
    fn begin(&self) -> Begin<'_> {
        match (self.decision.as_deref(), &self.outcome) {
            (Some(decision), _) if decision != "allow" => Begin::Decided(decision),
            (_, Some(ended)) if !ended.is(Ended::SUCCEEDED) => Begin::Ended(ended),
            _ => Begin::Opened,
        }
    }
}

/// Calls by the last value that they have of a column, where that is not the usual one: up to what is
/// asked of it. The index is on exactly that.
fn rare(column: &str, usual: &str) -> String {
    format!(
        "call IN (SELECT found.call FROM events AS found CROSS JOIN events AS opening \
         ON opening.call = found.call AND opening.kind IN ('received', 'malformed') \
         WHERE found.{column} IS NOT NULL AND found.{column} <> '{usual}' \
         AND found.seq = (SELECT max(seq) FROM events \
            WHERE call = found.call AND {column} IS NOT NULL) \
         AND found.{column}"
    )
}

/// The last value of a column that a call has.
fn last_of(column: &str) -> String {
    format!(
        " AND (SELECT {column} FROM events WHERE call = opening.call AND {column} IS NOT NULL \
         ORDER BY seq DESC LIMIT 1)"
    )
}

impl Store {
    /// Calls with their events, the newest that the filter lets through, oldest first. What began with a
    /// decision or an outcome is the newest by when that was.
    pub async fn calls(&self, filter: &CallFilter) -> Result<Vec<CallRow>, StoreError> {
        self.settle().await?;
        let mut query = events_where();
        let begin = filter.begin();
        // Begun with what is rare, each call is looked up by its name, whatever it is of.
        let (newest, plain) = match begin {
            Begin::Opened => {
                query.push(
                    "call IN (SELECT opening.call FROM events AS opening \
                     WHERE opening.kind IN ('received', 'malformed')",
                );
                ("opening.at", "")
            }
            Begin::Decided(decision) => {
                query.push(rare("decision", "allow")).push(" = ").push_bind(decision.to_owned());
                ("found.seq", "+")
            }
            Begin::Ended(ended) => {
                ended.push(query.push(rare("outcome", Ended::SUCCEEDED)));
                // Not in the order of the table, which is long: all failures are not.
                ("+found.seq", "+")
            }
        };
        if let (Some(decision), Begin::Opened | Begin::Ended(_)) = (&filter.decision, &begin) {
            query.push(last_of("decision")).push(" = ").push_bind(decision.clone());
        }
        if let (Some(ended), Begin::Opened | Begin::Decided(_)) = (&filter.outcome, &begin) {
            ended.push(query.push(last_of("outcome")));
        }
        let columns = [
            ("opening.tool", &filter.tool),
            ("opening.api", &filter.api),
            ("opening.identity", &filter.identity),
        ];
        for (column, value) in columns {
            if let Some(value) = value {
                query.push(format!(" AND {plain}{column} = ")).push_bind(value.clone());
            }
        }
        if let Some(trace) = &filter.trace {
            // A call that began its trace has its id; the index is on the ids that agents sent.
            query.push(" AND opening.call IN (SELECT ").push_bind(own_call(trace));
            query.push(
                " UNION ALL SELECT call FROM events \
                 WHERE kind = 'received' AND instr(body, '\"traceparent\":\"') > 0 \
                 AND substr(body, instr(body, '\"traceparent\":\"') + 18, 32) = ",
            );
            query.push_bind(trace.clone()).push(")");
        }
        for (compares, time) in [(">=", filter.since), ("<", filter.until)] {
            if let Some(time) = time {
                query.push(format!(" AND {plain}opening.at {compares} ")).push_bind(time);
            }
        }
        if let Some(id) = &filter.id {
            // Names that start with it are those from it up to it with the last character
            // that there is; so the index serves.
            query.push(" AND opening.call >= ").push_bind(id.clone());
            query.push(" AND opening.call < ").push_bind(format!("{id}{}", char::MAX));
        }
        let limit = filter.limit.unwrap_or(MOST);
        query.push(format!(" ORDER BY {newest} DESC, opening.seq DESC LIMIT ")).push_bind(limit);
        query.push(") ORDER BY seq");
        let events: Vec<StoredEvent> = self.typed(&self.all(query.build()).await?)?;
        let mut calls = group_by_call(events);
        self.add_holds(&mut calls).await?;
        Ok(calls)
    }

    async fn add_holds(&self, calls: &mut [CallRow]) -> Result<(), StoreError> {
        let named: Vec<Option<String>> = calls.iter().map(hold_named_by).collect();
        if named.iter().all(Option::is_none) {
            return Ok(());
        }
        let ids = serde_json::json!(named).to_string();
        let query = sqlx::query("SELECT * FROM holds WHERE id IN (SELECT value FROM json_each(?))")
            .bind(ids);
        let holds: Vec<HoldRow> = self.typed(&self.all(query).await?)?;
        for (call, id) in calls.iter_mut().zip(named) {
            call.hold = id.and_then(|id| holds.iter().find(|hold| hold.id == id).cloned());
        }
        Ok(())
    }
}

/// The call that a trace would be its own of.
fn own_call(trace: &str) -> Option<String> {
    tollbridge_operation::trace::call_of(trace).map(|call| call.to_string())
}

/// Events in order as calls, by their first events.
fn group_by_call(events: Vec<StoredEvent>) -> Vec<CallRow> {
    let mut calls: Vec<CallRow> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for event in events {
        let Some(id) = event.call.clone() else { continue };
        let place = *places.entry(id.clone()).or_insert(calls.len());
        if place == calls.len() {
            calls.push(CallRow { id, events: Vec::new(), hold: None });
        }
        calls[place].events.push(event);
    }
    calls
}

fn hold_named_by(call: &CallRow) -> Option<String> {
    let held = call.events.iter().rev().find(|event| event.kind == "held")?;
    let body: serde_json::Value = serde_json::from_str(&held.body).ok()?;
    body.get("hold")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::EventRow;
    use crate::store::tests::{event, events, folder, open};

    #[tokio::test]
    async fn calls_are_found_by_how_they_ended() {
        let folder = folder();
        let store = open(&folder).await;
        for (i, (decision, outcome)) in [
            ("allow", Some("succeeded")),
            ("allow", Some("upstream_timeout")),
            ("deny", Some("denied")),
            ("allow", None),
            ("allow", Some("upstream_timeout")),
            ("hold", Some("held")),
        ]
        .into_iter()
        .enumerate()
        {
            let id = format!("c{i}");
            let api = Some(if i < 3 { "shop" } else { "bank" }.into());
            let opening = EventRow { at: i64::try_from(i).unwrap(), api, ..event(&id, "received") };
            let decided = EventRow { decision: Some(decision.into()), ..event(&id, "decided") };
            let ended = EventRow { outcome: outcome.map(str::to_owned), ..event(&id, "replied") };
            let _ = store.commit(events([opening, decided, ended])).await.expect("written");
        }
        let ids = async |filter: CallFilter| -> Vec<String> {
            store.calls(&filter).await.expect("calls").into_iter().map(|call| call.id).collect()
        };
        let all = CallFilter::default;
        let ended = |name: &str| Some(Ended::As(name.to_owned()));
        for (filter, expected) in [
            (CallFilter { outcome: ended("succeeded"), ..all() }, vec!["c0"]),
            (CallFilter { outcome: ended("upstream_timeout"), ..all() }, vec!["c1", "c4"]),
            (
                CallFilter { outcome: ended("upstream_timeout"), limit: Some(1), ..all() },
                vec!["c4"],
            ),
            (CallFilter { outcome: ended("nothing"), ..all() }, vec![]),
            (CallFilter { outcome: Some(Ended::Badly), ..all() }, vec!["c1", "c2", "c4", "c5"]),
            (
                CallFilter { outcome: Some(Ended::Badly), api: Some("bank".into()), ..all() },
                vec!["c4", "c5"],
            ),
            (
                CallFilter { outcome: Some(Ended::Badly), decision: Some("allow".into()), ..all() },
                vec!["c1", "c4"],
            ),
            (
                CallFilter { outcome: ended("denied"), decision: Some("deny".into()), ..all() },
                vec!["c2"],
            ),
            (CallFilter { outcome: ended("held"), decision: Some("deny".into()), ..all() }, vec![]),
            (
                CallFilter { outcome: Some(Ended::Badly), since: Some(2), until: Some(5), ..all() },
                vec!["c2", "c4"],
            ),
            (CallFilter { api: Some("shop".into()), ..all() }, vec!["c0", "c1", "c2"]),
        ] {
            let asked = format!("{filter:?}");
            assert_eq!(ids(filter).await, expected, "{asked}");
        }
    }
}
