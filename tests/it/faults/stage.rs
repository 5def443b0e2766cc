//! A fault upstream, a bridge in front of it, and one read and one write through both.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tollbridge::audit::CallRecord;
use tollbridge::config::Style;
use tollbridge::demo::faults::{AUTHORITY, FaultUpstream, Script};
use tollbridge::gateway::{self, Reply, Secrets};
use tollbridge::store::{Durability, Store};

use super::names::{NameServer, Said};
use super::row::{Row, Speaks, Time, Want};
use crate::support::{Bridge, Folder, code, stock_wsdl};

/// What the bridge proves itself with, and what must leave nowhere.
const TOKEN: &str = "t0ken-of-the-fault-matrix";

/// Where the hosts are whose addresses the name server tells.
const DOMAIN: &str = "matrix.test";

/// Tries a read and a write at the same time. The error says what is not as the row has it.
pub(super) async fn tried(name: &str, row: &Row) -> Result<(), String> {
    let upstream =
        FaultUpstream::start(Script::built_in(), &[row.door], 0).await.expect("a server");
    let names = match row.names {
        [] => None,
        said => {
            let said = said.iter().map(|said| (*said).into()).collect();
            let said: Vec<Said> = said;
            let hosts = ["read", "write"].map(|tool| (format!("{tool}.{DOMAIN}"), said.clone()));
            let mut names = HashMap::from(hosts);
            let metadata = vec![Said::At(vec![[169, 254, 169, 254].into()])];
            names.insert(format!("hidden.{DOMAIN}"), metadata);
            Some(NameServer::start(names).await.expect("a name server"))
        }
    };
    let bridge = bridge(name, row, &upstream, names.as_ref()).await;
    let begun = Instant::now();
    let (read, write) = tokio::join!(call(&bridge, row, "read"), call(&bridge, row, "write"));
    let mut wrong = Vec::new();
    if begun.elapsed() > Duration::from_secs(12) {
        wrong.push(format!("it took {:?}", begun.elapsed()));
    }
    for (tool, reply, want) in [("read", read, &row.read), ("write", write, &row.write)] {
        let record = bridge.record(&reply).await;
        let run = format!("{}~{tool}", row.script(name));
        let seen = upstream.seen().iter().filter(|seen| seen.run == run).count();
        let told = Told::of(&reply, &record, seen);
        if !told.is_wanted(want) {
            wrong.push(format!("{tool}: wanted {want:?}\n  got {told:?}\n  {:?}", reply.result));
        }
        let all = format!("{reply:?} {record:?}");
        if all.contains(TOKEN) {
            wrong.push(format!("the credential leaves by {tool}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// What became of a call, as far as a row speaks of it.
#[derive(Debug)]
struct Told {
    code: &'static str,
    outcome: String,
    retryable: bool,
    retry_after_s: Option<u64>,
    seen: usize,
    attempts: usize,
    last: String,
}

impl Told {
    fn of(reply: &Reply, record: &CallRecord, seen: usize) -> Self {
        let failure = reply.result.as_ref().err();
        // The deadline may come while an attempt is being recorded: it then never goes out.
        let not_sent = |error: &String| error == "not sent";
        let mut sent = record.attempts.clone();
        sent.retain(|attempt| !attempt.error.as_ref().is_some_and(not_sent));
        let last = sent.last().map(|attempt| {
            let status = attempt.status.map(|status| status.to_string());
            let both = [status, attempt.error.clone()];
            both.into_iter().flatten().collect::<Vec<_>>().join(", ")
        });
        Self {
            code: code(reply),
            outcome: record.outcome.clone().unwrap_or_default(),
            retryable: failure.is_some_and(|failure| failure.retryable),
            retry_after_s: failure.and_then(|failure| failure.retry_after_s),
            seen,
            attempts: sent.len(),
            last: untimed(&last.unwrap_or_default()),
        }
    }

    /// Whether that is what the row wants.
    fn is_wanted(&self, want: &Want) -> bool {
        let within = |(least, most): (usize, usize), count| (least..=most).contains(&count);
        let waits = match want.retry_after_s {
            Some(seconds) => self.retry_after_s == Some(seconds),
            None => true,
        };
        let attempts = match want.attempts {
            Some(attempts) => within(attempts, self.attempts),
            None => self.attempts == self.seen,
        };
        self.code == want.code
            && self.outcome == want.code
            && self.retryable == want.retryable
            && waits
            && within(want.seen, self.seen)
            && attempts
            && self.last == want.last
    }
}

/// The text without the milliseconds that something took.
fn untimed(text: &str) -> String {
    match text.strip_suffix(" ms").and_then(|text| text.rsplit_once(' ')) {
        Some((before, _)) => format!("{before} its time"),
        None => text.to_owned(),
    }
}

async fn call(bridge: &Bridge, row: &Row, tool: &str) -> Reply {
    let arguments = match (row.speaks, tool) {
        (Speaks::Soap, _) => r#"{"article": "A-1"}"#,
        (Speaks::Rest, "read") => "{}",
        (Speaks::Rest, _) => r#"{"body": {"amount": 5}}"#,
    };
    bridge.call(tool, arguments).await
}

/// A bridge with a tool that reads and one that writes, each with an API of its own.
pub(super) async fn bridge(
    name: &str,
    row: &Row,
    upstream: &FaultUpstream,
    names: Option<&NameServer>,
) -> Bridge {
    let folder = Folder::new();
    folder.write("token", TOKEN);
    folder.write("ca.pem", AUTHORITY);
    folder.write("shop.json", include_str!("../support/shop.json"));
    folder.write("stock.wsdl", &stock_wsdl("http://127.0.0.1/"));
    let (spec, operations) = match row.speaks {
        Speaks::Rest => ("shop.json", ["listItems", "createRefund"]),
        Speaks::Soap => ("stock.wsdl", ["Warehouse.Port.GetStock"; 2]),
    };
    let time = match row.time {
        Time::Enough => "timeout = \"10s\"\nattempt_timeout = \"6s\"",
        // Three attempts, and too little for a fourth, of which the third has what is left.
        Time::Short => "timeout = \"1750ms\"\nattempt_timeout = \"600ms\"",
    };
    let port = upstream.port(row.door).expect("an open door");
    let scheme = row.scheme.unwrap_or(row.door.scheme());
    let mut config = "[audit]\ndurability = \"process\"\n".to_owned();
    for (tool, operation) in ["read", "write"].into_iter().zip(operations) {
        let resolver = names.map(|names| format!("resolver = \"{}\"\n", names.address()));
        let host = match names {
            Some(_) => format!("{tool}.{DOMAIN}"),
            None => "127.0.0.1".to_owned(),
        };
        let size = if row.api.contains("max_response") { "" } else { "max_response = \"1MiB\"\n" };
        let bearer = "auth = { kind = \"bearer\", token = \"file:token\" }\n";
        let auth = if row.api.contains("auth = ") { "" } else { bearer };
        let tls = if scheme == "https" { "tls = { ca = \"file:ca.pem\" }\n" } else { "" };
        write!(
            config,
            "[api.{tool}s]\nspec = \"{spec}\"\n\
             base_url = \"{scheme}://{host}:{port}/fault/{}~{tool}\"\n\
             {auth}{size}{time}\n{tls}{}{}\n\
             [[tool]]\napi = \"{tool}s\"\noperation = \"{operation}\"\nname = \"{tool}\"\n\
             effect = \"{tool}\"\n{}\n",
            row.script(name),
            resolver.unwrap_or_default(),
            row.api.replace("PORT", &port.to_string()),
            row.tool,
        )
        .expect("a string takes it");
    }
    let path = folder.write("tools.toml", &config);
    let loaded = gateway::load(&path, Secrets::Resolve)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(Style::Plain)));
    let store = Store::open(&folder.store_url(), Durability::Process).await.expect("a store");
    Bridge::of(folder, loaded.toolbox, store)
}
