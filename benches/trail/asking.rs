//! Asks what people ask of a trail, as `tollbridge trace` does and as SQL.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, SqlitePool};
use tollbridge::audit::{self, Ended, Filter, Time};
use tollbridge::store::Store;

use crate::writing::{DAYS, RARE_IDENTITY, RARE_TOOL, TRACE};

/// An answer may take so long.
const AIM: Duration = Duration::from_secs(1);

/// How often each is asked.
const TIMES: usize = 5;

/// What docs/audit.md shows, and its like.
const QUERIES: &[(&str, &str)] = &[
    (
        "denied calls, the newest",
        "SELECT time, identity, tool, outcome FROM calls WHERE decision = 'deny' \
         ORDER BY at DESC LIMIT 20",
    ),
    (
        "a tool's calls in a day",
        "SELECT * FROM calls WHERE tool = 'tool_9' \
         AND at > unixepoch('now', '-1 day') * 1000000",
    ),
    (
        "tools and their ends in a week",
        "SELECT tool, outcome, count(*), max(duration_ms) FROM calls \
         WHERE at > unixepoch('now', '-7 days') * 1000000 GROUP BY tool, outcome",
    ),
    (
        "who called a rare tool",
        "SELECT identity, count(*) FROM calls WHERE tool = 'close_account' GROUP BY identity",
    ),
    (
        "which rules denied whom, ever",
        "SELECT rules, identity, count(*) FROM refusals WHERE decision = 'deny' GROUP BY 1, 2",
    ),
    (
        "unknown outcomes, ever",
        "SELECT call, time, tool, message FROM failures WHERE outcome = 'outcome_unknown'",
    ),
    (
        "requests that failed in a day",
        "SELECT api, status, count(*) FROM attempts WHERE status >= 500 \
         AND at > unixepoch('now', '-1 day') * 1000000 GROUP BY api, status",
    ),
];

/// Prints how long each takes, the first time and in the middle of all.
pub(crate) async fn ask(url: &str, file: &Path) -> ExitCode {
    let store = Store::open_read_only(url).await.unwrap();
    let options = SqliteConnectOptions::new().filename(file).read_only(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    println!("{:<42} {:>8} {:>10} {:>10}", "question", "rows", "first ms", "median ms");
    let mut slow = false;
    for (question, filter) in questions() {
        let once = async || audit::calls(&store, &filter).await.unwrap().len();
        slow |= time(question, once).await;
    }
    let id = audit::calls(&store, &Filter { limit: Some(1), ..Filter::default() }).await.unwrap();
    let id = id[0].id.clone();
    let once = async || usize::from(audit::call(&store, &id).await.unwrap().is_some());
    slow |= time("trace show ID", once).await;
    for (question, query) in QUERIES {
        slow |= time(question, async || rows(&pool, query).await).await;
    }
    ExitCode::from(u8::from(slow))
}

async fn rows(pool: &SqlitePool, query: &'static str) -> usize {
    sqlx::query(AssertSqlSafe(query)).fetch_all(pool).await.unwrap().len()
}

fn questions() -> Vec<(&'static str, Filter)> {
    let ago = |days: i64| Some(Time(Timestamp::now().as_microsecond() - days * 86_400_000_000));
    let of = |tool: Option<&str>, caller: Option<&str>, decision: Option<&str>| Filter {
        tool: tool.map(str::to_owned),
        caller: caller.map(str::to_owned),
        decision: decision.map(str::to_owned),
        limit: Some(100),
        ..Filter::default()
    };
    let ended = |ended| Filter { outcome: Some(ended), ..of(None, None, None) };
    vec![
        ("trace", of(None, None, None)),
        ("trace --limit 10000", Filter { limit: Some(10_000), ..Filter::default() }),
        ("trace --since, a day", Filter { since: ago(1), ..Filter::default() }),
        ("trace --since, the beginning", Filter { since: ago(DAYS), ..of(None, None, None) }),
        ("trace --tool, of many calls", of(Some("tool_0"), None, None)),
        ("trace --tool, of few", of(Some(RARE_TOOL), None, None)),
        ("trace --tool, of none", of(Some("no_such_tool"), None, None)),
        ("trace --caller, of many calls", of(None, Some("agent-0"), None)),
        ("trace --caller, of few", of(None, Some(RARE_IDENTITY), None)),
        ("trace --tool --caller, both of many", of(Some("tool_0"), Some("agent-0"), None)),
        ("trace --tool --caller, never together", of(Some(RARE_TOOL), Some("agent-0"), None)),
        ("trace --decision deny", of(None, None, Some("deny"))),
        ("trace --decision hold, none", of(None, None, Some("hold"))),
        ("trace --decision deny --tool, of none", of(Some("tool_59"), None, Some("deny"))),
        ("trace --decision allow", of(None, None, Some("allow"))),
        ("trace --outcome failed", ended(Ended::Badly)),
        ("trace --outcome, of few", ended(Ended::As("outcome_unknown".to_owned()))),
        ("trace --outcome, of none", ended(Ended::As("quarantined".to_owned()))),
        ("trace --outcome failed --since, a day", Filter { since: ago(1), ..ended(Ended::Badly) }),
        ("trace --until, half of all", Filter { until: ago(DAYS / 2), ..of(None, None, None) }),
        ("trace --trace-id", Filter { trace: Some(TRACE.to_owned()), ..Filter::default() }),
    ]
}

/// Asks so many times, and says so. Whether it took too long.
async fn time(question: &str, once: impl AsyncFn() -> usize) -> bool {
    let mut took = Vec::new();
    let mut found = 0;
    for _ in 0..TIMES {
        let began = Instant::now();
        found = once().await;
        took.push(began.elapsed());
    }
    let first = took[0];
    took.sort_unstable();
    let median = took[TIMES / 2];
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let slow = if first > AIM { "  more than a second" } else { "" };
    println!("{question:<42} {found:>8} {:>10.1} {:>10.1}{slow}", ms(first), ms(median));
    first > AIM
}
