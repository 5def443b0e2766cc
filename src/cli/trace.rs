//! `tollbridge trace`: the audit trail for people and scripts.

mod erase;
mod export;
mod told;
mod verify;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use tollbridge_operation::Trace;

use super::Exit;
use super::context::{self, Access};
use crate::audit::{self, AuditError, CallRecord, Ended, Filter, Time};
use crate::gateway::ErrorCode;
use crate::store::{Store, StoreError};

/// How often `--follow` looks for new calls.
const FOLLOW_EVERY: Duration = Duration::from_millis(300);

/// Arguments of `trace`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    act: Option<Act>,
    /// Print calls as they end, until interrupted; with `--json` one object a line.
    #[arg(long)]
    follow: bool,
    /// Only calls of this tool.
    #[arg(long, value_name = "T")]
    tool: Option<String>,
    /// Only calls of operations of this API.
    #[arg(long, value_name = "A")]
    api: Option<String>,
    /// Only calls of this identity.
    #[arg(long, value_name = "I")]
    caller: Option<String>,
    /// Only calls that were decided so: allow, deny or hold.
    #[arg(long, value_name = "D", value_parser = ["allow", "deny", "hold"])]
    decision: Option<String>,
    /// Only calls that ended so: `succeeded`, the code of an error (`upstream_timeout`), `unknown_tool`,
    /// `malformed`, or `failed` for all that did not succeed, those that are held among them.
    #[arg(long, value_name = "O", value_parser = outcomes(), hide_possible_values = true)]
    outcome: Option<Ended>,
    /// Only calls of this trace: its id, 32 digits in hex, or a `traceparent`.
    #[arg(long, value_name = "ID", value_parser = trace_id)]
    trace_id: Option<String>,
    /// Only calls since then: a time (RFC 3339), a date, or how long ago (`2h`, `14d`).
    #[arg(long, value_name = "T", value_parser = since)]
    since: Option<Time>,
    /// Only calls before then.
    #[arg(long, value_name = "T", value_parser = since, conflicts_with = "follow")]
    until: Option<Time>,
    /// At most so many calls, the newest.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Clone, Default, clap::Args)]
struct Options {
    /// The store, where the configuration cannot be read: `sqlite:FILE`.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Tell the story of one call.
    Show {
        /// Its id, or the beginning of it.
        id: String,
        /// Tell every policy that was considered, and the values that decided.
        #[arg(long)]
        why: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Verify that the trail is what was written; exit code 7 where it is not.
    Verify(verify::Verify),
    /// Sign the trail as it is now, and write that to a file that is kept elsewhere.
    Anchor(verify::Anchoring),
    /// Erase what may hold personal data of a call, or of an identity's calls; that it was
    /// erased stays on record.
    Erase(erase::Erase),
    /// Write every event for other programs: as JSON Lines, as a table, or as OpenTelemetry logs.
    Export(export::Export),
}

pub(super) async fn run(args: Args, config: &Path) -> Exit {
    let (named, access) = match &args.act {
        Some(Act::Show { options, .. } | Act::Verify(verify::Verify { options, .. })) => {
            (&options.store, Access::Read)
        }
        Some(Act::Anchor(anchoring)) => (&anchoring.options.store, Access::Write),
        Some(Act::Erase(erase)) => (&erase.options.store, Access::Write),
        Some(Act::Export(export)) => (&export.store, Access::Read),
        None => (&args.options.store, Access::Read),
    };
    let store = match context::operators_store(config, named.as_deref(), access).await {
        Ok(store) => store,
        Err(exit) => return exit,
    };
    let done = match &args.act {
        Some(Act::Show { id, why, options }) => show(&store, id, *why, options.json).await,
        Some(Act::Verify(args)) => verify::verify(&store, args, config).await,
        Some(Act::Anchor(args)) => verify::anchor(&store, args, config).await,
        Some(Act::Erase(args)) => erase::erase(&store, args, config).await,
        Some(Act::Export(args)) => export::export(&store, args).await,
        None if args.follow => follow(&store, &args).await,
        None => list(&store, &args).await,
    };
    store.close().await;
    done.unwrap_or_else(|error| context::failed(&error))
}

async fn list(store: &Store, args: &Args) -> Result<Exit, StoreError> {
    let calls = audit::calls(store, &filter(args)).await?;
    if args.options.json {
        super::print_json(&json!({"calls": calls}));
        return Ok(Exit::Done);
    }
    for call in &calls {
        super::print(&line(call));
    }
    match calls.last() {
        Some(last) => context::next(&format!("tollbridge trace show {}", last.id)),
        None => eprintln!("no calls"),
    }
    Ok(Exit::Done)
}

/// Prints each call when it has ended, until interrupted.
async fn follow(store: &Store, args: &Args) -> Result<Exit, StoreError> {
    let filter = filter(args);
    if args.since.is_some() {
        for call in audit::calls(store, &filter).await? {
            one(&call, args.options.json);
        }
    }
    let mut after = store.last_seq().await?;
    loop {
        let (ended, next) = audit::follow(store, after, &filter).await?;
        after = next;
        for call in ended {
            one(&call, args.options.json);
        }
        tokio::select! {
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
    }
}

fn one(call: &CallRecord, as_json: bool) {
    if as_json {
        super::print(&format!("{}\n", json!(call)));
    } else {
        super::print(&line(call));
    }
}

async fn show(store: &Store, id: &str, why: bool, as_json: bool) -> Result<Exit, StoreError> {
    let call = match audit::call(store, id).await {
        Ok(Some(call)) => call,
        Ok(None) => {
            eprintln!("error: there is no call `{id}` in the trail");
            return Ok(Exit::Failed);
        }
        Err(AuditError::Store(error)) => return Err(error),
        Err(error @ (AuditError::Ambiguous { .. } | AuditError::TooShort { .. })) => {
            eprintln!("error: {error}");
            return Ok(Exit::Usage);
        }
    };
    if as_json {
        super::print_json(&json!(call));
    } else {
        super::print(&story(&call));
        if why {
            super::print(&considered(&call));
        }
    }
    Ok(Exit::Done)
}

fn filter(args: &Args) -> Filter {
    Filter {
        tool: args.tool.clone(),
        api: args.api.clone(),
        caller: args.caller.clone(),
        decision: args.decision.clone(),
        outcome: args.outcome.clone(),
        trace: args.trace_id.clone(),
        since: args.since,
        until: args.until,
        limit: Some(args.limit),
    }
}

/// One call on one line.
fn line(call: &CallRecord) -> String {
    let decision = call.decision.as_ref().map_or("-", |decision| decision.effect.as_str());
    format!(
        "{}  {}  {:<14} {:<24} {:<5} {:<20} attempts {}  {}\n",
        call.started,
        call.id,
        super::clean(call.identity.as_deref().unwrap_or("-"), 40),
        super::clean(call.tool.as_deref().unwrap_or("-"), 40),
        decision,
        call.outcome.as_deref().unwrap_or("running"),
        call.attempts.len(),
        super::clean(&arguments(call), 160),
    )
}

fn arguments(call: &CallRecord) -> String {
    call.arguments.as_ref().map(Value::to_string).unwrap_or_default()
}

/// One call as a story: who, what, why, each attempt, and how it ended.
fn story(call: &CallRecord) -> String {
    let mut text = format!(
        "call {}\n  time       {}\n  who        {}\n  tool       {}\n",
        call.id,
        call.started,
        super::clean(call.identity.as_deref().unwrap_or("-"), 256),
        super::clean(call.tool.as_deref().unwrap_or("-"), 128)
    );
    let mut row = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    if let (Some(api), Some(operation)) = (&call.api, &call.operation) {
        row("operation", &super::clean(&format!("{api}/{operation}"), 256));
    }
    row("arguments", &super::clean(&arguments(call), 4_000));
    if let Some(trace) = &call.trace {
        row("trace", trace);
    }
    if let Some(reason) = &call.reason {
        row("reason", &super::clean(reason, 4_000));
    }
    if let Some(decision) = &call.decision {
        row("decision", &format!("{} by {}", decision.effect.as_str(), decision.rules.join(", ")));
    }
    for event in &call.events {
        let at = event.time.to_string();
        let kind = event.body.get("kind").and_then(Value::as_str).unwrap_or_default();
        row(
            at.split_once('T').map_or(&*at, |(_, time)| time),
            &format!("{kind:<18} {}", super::clean(&told::event(&event.body), 600)),
        );
    }
    row("outcome", call.outcome.as_deref().unwrap_or("running"));
    for (name, value) in [
        ("served by", &call.served_by),
        ("cost", &call.cost),
        ("config", &call.config),
        ("spec", &call.spec),
    ] {
        if let Some(value) = value {
            row(name, &super::clean(value, 300));
        }
    }
    text
}

/// The policies that each decision on a call considered.
fn considered(call: &CallRecord) -> String {
    let of_events = call.events.iter().filter_map(|event| super::why::of_event(&event.body));
    of_events.fold(String::new(), |text, rows| text + "considered:\n" + &super::why::lines(&rows))
}

/// The id of a trace: as it is, or in a `traceparent`.
fn trace_id(text: &str) -> Result<String, String> {
    let alone = Trace::read(&format!("00-{text}-0000000000000001-00"), None);
    let found = alone.or_else(|| Trace::read(text, None));
    found.map(|trace| trace.id()).ok_or_else(|| {
        "expected the id of a trace, 32 digits in hex, or a traceparent (W3C Trace Context)"
            .to_owned()
    })
}

/// How a call ended: `failed` for all that did not succeed, or what the trail calls it.
fn outcomes() -> impl TypedValueParser<Value = Ended> {
    let codes = ErrorCode::ALL.map(ErrorCode::as_str);
    let others = ["succeeded", "failed", "unknown_tool", "malformed"];
    PossibleValuesParser::new(others.into_iter().chain(codes)).map(|name| match name.as_str() {
        "failed" => Ended::Badly,
        _ => Ended::As(name),
    })
}

/// A time, a date, or how long ago, as microseconds since the Unix epoch.
pub(super) fn since(text: &str) -> Result<Time, String> {
    if let Ok(ago) = text.parse::<crate::config::Period>() {
        let ago = i64::try_from(ago.0.as_micros()).unwrap_or(i64::MAX);
        return Ok(Time(crate::store::system_clock().saturating_sub(ago)));
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Time(time.as_microsecond()));
    }
    text.parse::<jiff::civil::Date>()
        .ok()
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::system()).ok())
        .map(|start| Time(start.timestamp().as_microsecond()))
        .ok_or_else(|| {
            "expected a time (2026-11-23T09:00:00Z), a date (2026-11-23) or how long ago (2h)"
                .to_owned()
        })
}
