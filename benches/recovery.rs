//! What recovery costs a call that needs none of it: `cargo bench --bench recovery [ROUNDS]`.
//!
//! The same request of an order is sent to an API in this process, over loopback: by the bare HTTP client that
//! the bridge uses, by the bridge without a setting of recovery, and by the bridge with all of them
//! on; then the last two once more as whole calls through the gateway, with policy and trail.
//! Nothing fails, nothing waits, and no answer may be kept, so whatever is added is overhead.
//!
//! All of it runs in one thread, API included, so a difference is processor time and not the waking
//! of another thread. Each round drives each in turn, in an order that turns as well, and
//! differences are taken within a round.

#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tollbridge::audit::new_call_id;
use tollbridge::bridge::{self, AttemptEnd, AttemptLog, AttemptRefused, AttemptStart, Within};
use tollbridge::gateway::{
    CallRequest, CallWatch, Caller, Gateway, Secrets, Toolbox, Transport, load,
};
use tollbridge::observe::Metrics;
use tollbridge::safety::{self, Approval, Asked, Decision, Pursuit};
use tollbridge::settlement::{self, Clearance, Cleared};
use tollbridge::store::{Batch, Durability, Receipt, Store};
use tollbridge_operation::{Call, Identity};

/// The binary's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The whole stack may add this to a call, in microseconds.
const AIM: f64 = 30.0;

/// Calls of one kind in one round.
const CALLS: usize = 200;

const KEY: &str = "a-key-of-usual-length-0123456789";

const ORDER: &str = r#"{"id":"ord_1001","status":"delivered","placed_at":"2026-11-02T08:15:00Z","customer_id":"cus_2001","total":{"amount":241.00,"currency":"EUR"},"lines":[{"sku":"PAN-024","quantity":2,"unit_price":{"amount":79.00,"currency":"EUR"}},{"sku":"KNF-101","quantity":1,"unit_price":{"amount":83.00,"currency":"EUR"}}]}"#;

const GROUPS: &str = r#"
[limit_group.plan]
rate_limit      = "100000/s"
max_concurrency = 1000

[limit_group.machine]
rate_limit = "100000/s"
"#;

const API: &str = r#"
rate_limit      = "100000/s"
max_concurrency = 1000
limit_group     = "plan"
breaker         = { failures = 8, slow = "5s" }
idempotency_key = "Idempotency-Key"
error_when      = "status == 'error'"
fallback_urls   = ["http://127.0.0.1:9"]
fallback_writes = true
cache           = "shared"
coalesce        = "shared"
"#;

const TOOL: &str = r#"
rate_limit      = "100000/s"
max_concurrency = 1000
limit_group     = "machine"
cost            = 2
hedge           = "2s"
timeout         = "20s"
fallback        = [{ operation = "getOrder", map = { order_id = "order_id" } }, { cached = "5m" }, { answer = {} }]
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // `cargo bench` hands options of its own harness on.
    let rounds = std::env::args().find_map(|given| given.parse().ok()).unwrap_or(60);
    let base = serve().await;
    let bare = Bare::new(&base);
    let store = Store::open("sqlite::memory:", Durability::Process).await.unwrap();
    let (plain, full) = (toolbox(&base, false), toolbox(&base, true));
    let receipt = store.commit(Batch::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plain_calls = gateway(&folder, "plain", &base, false).await;
    let full_calls = gateway(&folder, "full", &base, true).await;

    let mut took: Vec<[f64; 5]> = Vec::new();
    for round in 0..=rounds {
        let mut of_round = [0.0; 5];
        for turn in 0..5 {
            let which = (turn + round) % 5;
            of_round[which] = match which {
                0 => bare.run().await,
                1 => bridge_run(&plain, &store, &receipt).await,
                2 => bridge_run(&full, &store, &receipt).await,
                3 => gateway_run(&plain_calls).await,
                _ => gateway_run(&full_calls).await,
            };
        }
        // The first one connects, and fills what is filled once.
        if round > 0 {
            took.push(of_round);
        }
    }
    report(&took)
}

fn report(took: &[[f64; 5]]) -> ExitCode {
    let names = [
        "the bare client",
        "the bridge, no recovery",
        "the bridge, all of recovery",
        "whole calls, no recovery",
        "whole calls, all of recovery",
    ];
    println!("{} rounds of {CALLS} calls, µs a call: median [quartiles]\n", took.len());
    for (at, name) in names.iter().enumerate() {
        println!("{name:<32}{}", spread(took.iter().map(|round| round[at])).0);
    }
    println!();
    let mut met = true;
    for (with, without, aimed) in [(2, 0, true), (2, 1, true), (4, 3, true), (1, 0, false)] {
        let (more, median) = spread(took.iter().map(|round| round[with] - round[without]));
        let (times, _) = spread(took.iter().map(|round| round[with] / round[without]));
        let said = if !aimed {
            ""
        } else if median <= AIM {
            ": at most 30 more, met"
        } else {
            met = false;
            ": at most 30 more, NOT met"
        };
        println!("{} − {}: {more}, × {times}{said}", names[with], names[without]);
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Median and quartiles, as text, and the median.
fn spread(values: impl Iterator<Item = f64>) -> (String, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |part: usize| values[(values.len() - 1) * part / 4];
    (format!("{:.2} [{:.2}–{:.2}]", at(2), at(1), at(3)), at(2))
}

/// Microseconds a call.
fn each(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6 / f64::from(u32::try_from(CALLS).unwrap())
}

/// An API that answers every request with one order. Returns its URL.
async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
         date: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: {}\r\n\r\n{ORDER}",
        ORDER.len()
    );
    let answer: Arc<[u8]> = answer.into_bytes().into();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while socket.read_buf(&mut head).await.is_ok_and(|read| read > 0) {
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        socket.write_all(&answer).await.unwrap();
                    }
                }
            });
        }
    });
    base
}

/// The client that the bridge uses, without the bridge.
struct Bare {
    client: reqwest::Client,
    url: reqwest::Url,
}

impl Bare {
    fn new(base: &str) -> Self {
        let url = format!("{base}/orders/ord_1001").parse().unwrap();
        Self { client: bridge::http_client().unwrap(), url }
    }

    async fn run(&self) -> f64 {
        let begun = Instant::now();
        for _ in 0..CALLS {
            let mut key = HeaderValue::from_static(KEY);
            key.set_sensitive(true);
            let mut request = reqwest::Request::new(http::Method::GET, self.url.clone());
            request.headers_mut().insert("x-api-key", key);
            request.headers_mut().insert("accept", HeaderValue::from_static("application/json"));
            let answer = self.client.execute(request).await.unwrap();
            assert_eq!(answer.bytes().await.unwrap().len(), ORDER.len());
        }
        each(begun.elapsed())
    }
}

fn toolbox(base: &str, all: bool) -> Toolbox {
    let folder = tempfile::tempdir().unwrap();
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/specs/orders.yaml");
    fs::copy(spec, folder.path().join("orders.yaml")).unwrap();
    fs::write(folder.path().join("key"), KEY).unwrap();
    let (groups, api, tool) = if all { (GROUPS, API, TOOL) } else { ("", "", "") };
    let text = format!(
        "{groups}\n[api.orders]\nspec = \"orders.yaml\"\nbase_url = \"{base}\"\n\
         auth = {{ kind = \"api_key\", in = \"header\", name = \"X-API-Key\", value = \"file:key\" }}\n\
         {api}\n[[tool]]\napi = \"orders\"\noperation = \"getOrder\"\nname = \"get_order\"\n{tool}"
    );
    let path = folder.path().join("tools.toml");
    fs::write(&path, text).unwrap();
    match load(&path, Secrets::Resolve) {
        Ok(loaded) => loaded.toolbox,
        Err(wrong) => panic!("{}", wrong.render(tollbridge::config::Style::Plain)),
    }
}

fn arguments() -> Map<String, Value> {
    json!({"order_id": "ord_1001"}).as_object().unwrap().clone()
}

fn caller() -> Caller {
    Caller::new(Identity::new("local").unwrap(), Transport::Http)
}

/// A call that may go on.
async fn cleared(toolbox: &Toolbox, store: &Store, receipt: &Receipt) -> Cleared<Call> {
    let exposed = &toolbox.exposed()[0];
    let seen = toolbox.seen(&caller());
    let nothing = Map::new();
    let asked = Asked { arguments: &nothing, client: None, channel: "http", now: 0 };
    let policed = safety::police(&seen.policies, 0, &asked, Pursuit::New);
    let call = Call {
        id: new_call_id(),
        identity: caller().identity,
        tool: exposed.tool.name.clone(),
        operation: exposed.tool.operation.clone(),
        arguments: exposed.tool.arguments(&arguments()).unwrap(),
        key: None,
        trace: None,
    };
    let approval = Approval {
        named: None,
        shown: "",
        stated: None,
        given: "",
        shown_target: "",
        target: "",
        claimed: "",
        known: None,
        price: None,
        now: 0,
        edited: None,
    };
    let windows = exposed.rules.claims(&call.identity, &std::collections::BTreeSet::new());
    let decided =
        safety::decide(call, &windows, &exposed.rules, policed, &[], approval, store).await;
    let Decision::Allow { allowed, .. } = decided.unwrap() else { panic!("not allowed") };
    match settlement::quote(allowed, &exposed.terms, None, None, "").await {
        Clearance::Free(quoted) => quoted.clear(receipt),
        other => panic!("not free: {other:?}"),
    }
}

/// From a cleared call to its outcome: the request built, sent, and its answer judged.
async fn bridge_run(toolbox: &Toolbox, store: &Store, receipt: &Receipt) -> f64 {
    let exposed = &toolbox.exposed()[0];
    let mut calls = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        calls.push(cleared(toolbox, store, receipt).await);
    }
    let cancel = CancellationToken::new();
    let begun = Instant::now();
    for cleared in &calls {
        let prepared = bridge::prepare(&exposed.upstream, cleared.get()).unwrap();
        let within = Within {
            deadline: tokio::time::Instant::now() + exposed.timeout,
            cancel: &cancel,
            gate: exposed.gate.as_deref(),
            groups: &exposed.groups,
            manner: exposed.manner,
            held: None,
        };
        let report =
            bridge::execute(cleared, prepared, &exposed.upstream, within, &mut NoLog).await;
        assert_eq!((report.attempts, report.status), (1, Some(200)));
    }
    each(begun.elapsed())
}

async fn gateway(folder: &tempfile::TempDir, name: &str, base: &str, all: bool) -> Gateway {
    let url = format!("sqlite:{}", folder.path().join(name).display());
    let store = Store::open(&url, Durability::Process).await.unwrap();
    Gateway::new(store, toolbox(base, all), Arc::new(Metrics::new()))
}

/// From what an agent asks for to its reply.
async fn gateway_run(gateway: &Gateway) -> f64 {
    let request =
        || CallRequest { tool: "get_order".into(), arguments: arguments(), ..Default::default() };
    let begun = Instant::now();
    for _ in 0..CALLS {
        let reply = gateway.call(caller(), request(), CallWatch::default()).await.unwrap();
        assert_eq!((reply.meta.attempts, reply.meta.status), (1, Some(200)));
    }
    each(begun.elapsed())
}

struct NoLog;

impl AttemptLog for NoLog {
    async fn started(&mut self, _: AttemptStart) -> Result<(), AttemptRefused> {
        Ok(())
    }

    async fn still_may(&mut self) -> Result<(), AttemptRefused> {
        Ok(())
    }

    async fn finished(&mut self, _: AttemptEnd) {}

    async fn taken(&mut self, _: &bridge::Handle) {}

    fn waiting(&mut self, _: u32, _: Duration, _: &str) {}
}
