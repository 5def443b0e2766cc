//! The trail for other programs: each event as a line of JSON, a row of a table, or a log record
//! of OpenTelemetry.
//!
//! What is written can be read by others without us: JSON Lines; CSV (RFC 4180) in which no cell is a
//! formula to a spreadsheet; the JSON form of OTLP, a request a line, as collectors read it from files.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use tollbridge_operation::{CallId, Trace, trace};

use super::Time;
use super::row::members;
use crate::store::{ChainRow, Store, StoreError};

/// How many events are read at once, and are one request of OTLP.
const PAGE: u32 = 500;

/// No more traces are remembered than this: they are of calls that run.
const MAX_TRACES: usize = 100_000;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An object a line.
    JsonLines,
    /// A table, with a head.
    Csv,
    /// OpenTelemetry logs: an `ExportLogsServiceRequest` a line.
    Otlp,
}

/// The columns of a table.
const COLUMNS: [&str; 15] = [
    "seq",
    "time",
    "call",
    "kind",
    "identity",
    "tool",
    "api",
    "operation",
    "decision",
    "outcome",
    "event",
    "payload",
    "erased",
    "hash",
    "shared",
];

/// Exports the events since a time, piece by piece, each to be written as it is. `false` from who
/// takes a piece ends it.
pub async fn export(
    store: &Store,
    format: Format,
    since: Option<Time>,
    mut take: impl FnMut(String) -> bool,
) -> Result<(), StoreError> {
    let before = match since {
        Some(Time(time)) => store.places_before(time).await?.map(|(_, last)| last),
        None => None,
    };
    let mut trail = store.trail().await?;
    let mut after = before.unwrap_or(i64::MIN);
    let mut traces = HashMap::new();
    if format == Format::Csv && !take(format!("{}\r\n", COLUMNS.join(","))) {
        return trail.close().await;
    }
    loop {
        let rows = trail.after(after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.seq;
        let piece = match format {
            Format::JsonLines => rows.iter().map(line).collect(),
            Format::Csv => rows.iter().map(cells).collect(),
            Format::Otlp => request(&rows, &mut traces),
        };
        if !take(piece) {
            break;
        }
    }
    trail.close().await
}

/// An event's column.
fn column<'r>(row: &'r ChainRow, name: &str) -> Option<&'r str> {
    let names = ["call", "kind", "identity", "tool", "api", "operation", "decision", "outcome"];
    row.texts[names.iter().position(|known| *known == name)?].as_deref()
}

fn object(row: &ChainRow) -> Map<String, Value> {
    let mut event = Map::new();
    event.insert("seq".to_owned(), row.seq.into());
    event.insert("time".to_owned(), json!(Time(row.at)));
    event.insert("call".to_owned(), json!(column(row, "call")));
    event.extend(members(&row.event()).unwrap_or_else(|| {
        Map::from_iter([
            ("kind".to_owned(), row.kind().into()),
            ("unreadable".to_owned(), row.body().into()),
        ])
    }));
    event.insert("hash".to_owned(), json!(row.hash.as_ref().map(hex::encode)));
    event
}

fn line(row: &ChainRow) -> String {
    format!("{}\n", Value::Object(object(row)))
}

fn cells(row: &ChainRow) -> String {
    let of = |name| column(row, name).unwrap_or_default().to_owned();
    let cells = [
        row.seq.to_string(),
        Time(row.at).to_string(),
        of("call"),
        of("kind"),
        of("identity"),
        of("tool"),
        of("api"),
        of("operation"),
        of("decision"),
        of("outcome"),
        row.body().to_owned(),
        row.payload.clone().unwrap_or_default(),
        row.payload_digest.is_some().to_string(),
        row.hash.as_ref().map(hex::encode).unwrap_or_default(),
        row.shared.clone().unwrap_or_default(),
    ];
    let mut text = cells.map(|text| cell(&text)).join(",");
    text.push_str("\r\n");
    text
}

/// A cell (RFC 4180 §2). One that a spreadsheet would take for a formula begins with an apostrophe.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// A request of OTLP (opentelemetry-proto, logs service, in its JSON mapping): numbers of 64 bits are
/// texts, ids are in hex.
fn request(rows: &[ChainRow], traces: &mut HashMap<String, String>) -> String {
    let records: Vec<Value> = rows.iter().map(|row| record(row, traces)).collect();
    let request = json!({"resourceLogs": [{
        "resource": {"attributes": [text("service.name", "tollbridge")]},
        "scopeLogs": [{
            "scope": {"name": "tollbridge.audit", "version": env!("CARGO_PKG_VERSION")},
            "logRecords": records,
        }],
    }]});
    format!("{request}\n")
}

fn record(row: &ChainRow, traces: &mut HashMap<String, String>) -> Value {
    let event = object(row);
    let call = column(row, "call").unwrap_or_default();
    if matches!(row.kind(), "received" | "malformed") && traces.len() < MAX_TRACES {
        let brought = event.get("traceparent").and_then(Value::as_str);
        let brought = brought.and_then(|sent| Trace::read(sent, None));
        let own = || trace::own_trace(&CallId::new(call));
        traces.insert(call.to_owned(), brought.map_or_else(own, |trace| trace.id()));
    }
    let request = event.get("n").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let nanos = (i128::from(row.at) * 1_000).to_string();
    let denied = column(row, "decision") == Some("deny");
    let failed = column(row, "outcome").is_some_and(|outcome| outcome != "succeeded");
    let (number, severity) = if denied || failed { (13, "WARN") } else { (9, "INFO") };
    let mut attributes = vec![json!({
        "key": "tollbridge.seq", "value": {"intValue": row.seq.to_string()},
    })];
    for (key, name) in [
        ("tollbridge.call", "call"),
        ("user.id", "identity"),
        ("gen_ai.tool.name", "tool"),
        ("tollbridge.api", "api"),
        ("tollbridge.decision", "decision"),
        ("tollbridge.outcome", "outcome"),
    ] {
        attributes.extend(column(row, name).map(|value| text(key, value)));
    }
    let mut record = json!({
        "timeUnixNano": nanos,
        "observedTimeUnixNano": nanos,
        "severityNumber": number,
        "severityText": severity,
        "eventName": format!("tollbridge.{}", row.kind()),
        "body": {"stringValue": Value::Object(event).to_string()},
        "attributes": attributes,
    });
    let known = if column(row, "outcome").is_some() {
        traces.remove(call)
    } else {
        traces.get(call).cloned()
    };
    if let Some(trace) = known {
        record["traceId"] = trace.into();
        record["spanId"] = trace::span(&CallId::new(call), request.unwrap_or(0)).into();
    }
    record
}

/// An attribute of OTLP whose value is a text (opentelemetry-proto, common, in its JSON mapping).
pub fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verify::tests::House;

    async fn exported(house: &House, format: Format) -> String {
        let store = House::store(&house.folder).await;
        let mut whole = String::new();
        let taken = export(&store, format, None, |piece| {
            whole.push_str(&piece);
            true
        });
        taken.await.expect("read");
        store.close().await;
        whole
    }

    #[test]
    fn no_cell_is_a_formula_and_none_leaves_its_place() {
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("=1+1", "\"'=1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@a", "\"'@a\""),
            ("\tx", "\"'\tx\""),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\r\nb", "\"a\r\nb\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

    #[tokio::test]
    async fn every_event_is_in_every_form() {
        let house = House::new().await;
        let lines = exported(&house, Format::JsonLines).await;
        let events: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(events.len(), 10);
        assert_eq!(events[3]["arguments"]["of"], "c3");
        assert_eq!(events[3]["hash"].as_str().map(str::len), Some(64));
        let table = exported(&house, Format::Csv).await;
        assert_eq!(table.split("\r\n").filter(|row| !row.is_empty()).count(), 11);
        let request = exported(&house, Format::Otlp).await;
        let request: Value = serde_json::from_str(&request).expect("one request");
        let records = &request["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
        assert_eq!(records.as_array().map(Vec::len), Some(10));
        assert_eq!(records[0]["timeUnixNano"], "1000");
        assert_eq!(records[0]["eventName"], "tollbridge.received");
        let call = CallId::new(
            records[0]["attributes"][1]["value"]["stringValue"].as_str().expect("a call"),
        );
        assert_eq!(records[0]["traceId"], trace::own_trace(&call));
        assert_eq!(records[0]["spanId"], trace::span(&call, 0));
    }

    #[tokio::test]
    async fn what_events_have_in_common_is_in_every_form() {
        let house = House::sharing().await;
        let lines = exported(&house, Format::JsonLines).await;
        let last: Value =
            serde_json::from_str(lines.lines().last().expect("a line")).expect("JSON");
        assert_eq!((&last["tools"], &last["config"]), (&json!("t"), &json!("c")));
        assert_eq!(last.get("shared"), None);
        let table = exported(&house, Format::Csv).await;
        let last = table.trim_end().lines().last().expect("a row");
        assert!(last.ends_with(r#""{""tools"":""t"",""config"":""c"",""spec"":null}""#), "{last}");
        let request = exported(&house, Format::Otlp).await;
        assert!(request.contains(r#"\"tools\":\"t\""#), "{request}");
    }
}
