//! The pieces of a call's way, one by one: `cargo bench --bench hot_path [FILTER]`.
//!
//! They run on the project's own description of orders, on tools with limits and a credential,
//! so that nothing is measured in its empty form. What the pieces are together, with the store
//! and the network between them, is measured by `benches/end-to-end`.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use divan::{Bencher, black_box};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use tollbridge::agent::{self, ToolView, wire};
use tollbridge::audit::{Digests, Event, WentBy, new_call_id};
use tollbridge::bridge;
use tollbridge::gateway::{
    CallMeta, Caller, Exposed, Reply, Secrets, Success, Toolbox, Transport, load,
};
use tollbridge::safety::{self, Approval, Asked, Pursuit};
use tollbridge::secret::{Detectors, Instead, Redactor, Rules};
use tollbridge::store::{Batch, Durability, EventRow, Guard, Store};
use tollbridge::tools::ArgumentPointer;
use tollbridge_operation::{Answer, Call, Identity, Payload, Response};

const TOOLS: [&str; 2] = ["get_order", "refund_order"];

const CONFIGURATION: &str = r#"
[api.orders]
spec     = "orders.yaml"
base_url = "http://127.0.0.1:9"
auth     = { kind = "api_key", in = "header", name = "X-API-Key", value = "file:key" }

[[tool]]
api       = "orders"
operation = "getOrder"
name      = "get_order"

[[tool]]
api       = "orders"
operation = "createRefund"
name      = "refund_order"
allow     = ["local"]
calls     = { limit = 1000000, per = "1h", by = "identity" }
[tool.args."/body/amount"]
min = 0.01
max = 200
[tool.args."/body/currency"]
enum = ["EUR"]
"#;

static TOOLBOX: LazyLock<Toolbox> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/specs/orders.yaml");
    fs::copy(spec, folder.path().join("orders.yaml")).unwrap();
    fs::write(folder.path().join("key"), "a-key-of-usual-length-0123456789").unwrap();
    let path = folder.path().join("tools.toml");
    fs::write(&path, CONFIGURATION).unwrap();
    load(&path, Secrets::Resolve).unwrap().toolbox
});

static RUNTIME: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().unwrap());

fn main() {
    divan::main();
}

fn caller() -> Caller {
    let identity = Identity::new("local").unwrap();
    Caller::new(identity, Transport::Http)
}

fn exposed(tool: &str) -> &'static Exposed {
    let found = TOOLBOX.exposed().iter().find(|exposed| exposed.tool.name.as_str() == tool);
    found.unwrap()
}

fn arguments(tool: &str) -> Map<String, Value> {
    let arguments = match tool {
        "get_order" => json!({"order_id": "ord_1001"}),
        _ => json!({"order_id": "ord_1001", "body": {
            "amount": 120.50, "currency": "EUR", "reason": "damaged", "note": "box dented",
        }}),
    };
    arguments.as_object().unwrap().clone()
}

fn call(tool: &str) -> Call {
    let exposed = exposed(tool);
    Call {
        id: new_call_id(),
        identity: caller().identity,
        tool: exposed.tool.name.clone(),
        operation: exposed.tool.operation.clone(),
        arguments: exposed.tool.arguments(&arguments(tool)).unwrap(),
        key: None,
        trace: None,
    }
}

fn answer() -> Response {
    let body = json!({
        "id": "ord_1001", "status": "delivered", "placed_at": "2026-11-02T08:15:00Z",
        "customer_id": "cus_2001", "total": {"amount": 241.00, "currency": "EUR"},
        "lines": [
            {"sku": "PAN-024", "quantity": 2, "unit_price": {"amount": 79.00, "currency": "EUR"}},
            {"sku": "KNF-101", "quantity": 1, "unit_price": {"amount": 83.00, "currency": "EUR"}},
        ],
    });
    let json = HeaderValue::from_static("application/json");
    Response {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([(header::CONTENT_TYPE, json)]),
        body: body.to_string().into(),
    }
}

static WENT_BY: LazyLock<WentBy> = LazyLock::new(|| {
    WentBy::new(Digests {
        tools: TOOLBOX.config.clone(),
        config: TOOLBOX.config.clone(),
        policy: None,
        spec: Some(TOOLBOX.config.clone()),
    })
});

fn received(tool: &str) -> Event {
    Event::Received {
        reason: None,
        tracestate: None,
        identity: "local".into(),
        tool: tool.into(),
        api: Some("orders".into()),
        operation: Some("getOrder".into()),
        arguments: Value::Object(arguments(tool)),
        transport: "http".into(),
        client: Some("bench/1".into()),
        traceparent: None,
        went_by: WENT_BY.clone(),
        by: None,
        process: None,
    }
}

/// The wire layer's look at a message.
#[divan::bench(args = TOOLS)]
fn message_inspection(bencher: Bencher, tool: &str) {
    let params = json!({"name": tool, "arguments": arguments(tool)});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let message = message.to_string();
    bencher.bench(|| wire::inspect(black_box(message.as_bytes())).is_ok());
}

/// Which tools a caller sees, and the one that was asked for.
#[divan::bench(args = TOOLS)]
fn tool_lookup(bencher: Bencher, tool: &str) {
    let caller = caller();
    bencher.bench(|| {
        let offer = TOOLBOX.offer(&caller);
        (offer, TOOLBOX.find(black_box(tool), &caller).is_some())
    });
}

#[divan::bench(args = TOOLS)]
fn argument_validation(bencher: Bencher, tool: &str) {
    let (exposed, arguments) = (exposed(tool), arguments(tool));
    bencher.bench(|| exposed.tool.arguments(black_box(&arguments)).unwrap());
}

#[divan::bench(args = TOOLS)]
fn limits(bencher: Bencher, tool: &str) {
    let (exposed, call) = (exposed(tool), call(tool));
    bencher.bench(|| exposed.tool.check_limits(black_box(&call.arguments)));
}

/// Arguments to a request with its address and credentials.
#[divan::bench(args = TOOLS)]
fn encoding(bencher: Bencher, tool: &str) {
    let (exposed, call) = (exposed(tool), call(tool));
    bencher.bench(|| bridge::prepare(&exposed.upstream, black_box(&call)).unwrap());
}

#[divan::bench(args = TOOLS)]
fn decision(bencher: Bencher, tool: &str) {
    let exposed = exposed(tool);
    let store = RUNTIME.block_on(Store::open("sqlite::memory:", Durability::Process)).unwrap();
    let windows = exposed.rules.claims(&caller().identity, &BTreeSet::new());
    let place = TOOLBOX.exposed().iter().position(|other| other.tool.name == exposed.tool.name);
    let place = place.unwrap();
    let (caller, nothing) = (caller(), Map::new());
    bencher.with_inputs(|| call(tool)).bench_values(|call| {
        let seen = TOOLBOX.seen(&caller);
        let asked = Asked { arguments: &nothing, client: None, channel: "http", now: 0 };
        let policed = safety::police(&seen.policies, place, &asked, Pursuit::New);
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
        let rules = &exposed.rules;
        let decided = safety::decide(call, &windows, rules, policed, &[], approval, &store);
        futures::executor::block_on(decided).unwrap()
    });
}

/// An event as a row: redacted, bounded, written as JSON.
#[divan::bench(args = TOOLS)]
fn event_encoding(bencher: Bencher, tool: &str) {
    let (event, id) = (received(tool), new_call_id());
    bencher.bench(|| black_box(&event).row(Some(&id), 0, &TOOLBOX.redactor));
}

/// An answer to a value, and where it leaves its description.
#[divan::bench]
fn decoding(bencher: Bencher) {
    let (exposed, response) = (exposed("get_order"), answer());
    bencher.bench(|| exposed.tool.operation.binding.decode(black_box(&response)));
}

/// What the answer breaks of its schema.
#[divan::bench]
fn drift(bencher: Bencher) {
    let exposed = exposed("get_order");
    let value = value();
    bencher.bench(|| exposed.tool.drift(black_box(&value)));
}

/// The redaction of an answer that holds no secret.
#[divan::bench]
fn redaction(bencher: Bencher) {
    bencher.with_inputs(value).bench_refs(|value| TOOLBOX.redactor.value(value));
}

/// How much is looked through: an answer of usual length, and one as long as they may be.
const LENGTHS: [usize; 2] = [10_000, 1_000_000];

/// Looking through an answer for what is told by its form, with nothing in it to be found.
#[divan::bench(args = LENGTHS)]
fn detection_of_nothing(bencher: Bencher, length: usize) {
    detection(bencher, length, Detectors::default());
}

/// The same for secrets of known shapes alone.
#[divan::bench(args = LENGTHS)]
fn detection_of_secrets(bencher: Bencher, length: usize) {
    detection(bencher, length, Detectors { secrets: true, ..Detectors::default() });
}

/// The same for all that there is.
#[divan::bench(args = LENGTHS)]
fn detection_of_all(bencher: Bencher, length: usize) {
    let all = Detectors { secrets: true, cards: true, ibans: true, emails: true };
    detection(bencher, length, all);
}

fn detection(bencher: Bencher, length: usize, detectors: Detectors) {
    let redactor = Redactor::default().with_rules(Rules { detectors, instead: Instead::Mask });
    bencher.with_inputs(|| list(length)).bench_refs(|value| redactor.value(value));
}

/// Taking a member out of each row of an answer.
#[divan::bench(args = LENGTHS)]
fn members_taken_out(bencher: Bencher, length: usize) {
    let pointer = ArgumentPointer::parse("/*/customer/name").unwrap();
    let mask = || Value::String(Instead::Mask.of(""));
    bencher
        .with_inputs(|| list(length))
        .bench_refs(|value| pointer.each(value, &mut |found| *found = mask()));
}

/// An answer of about so many bytes: rows of people's and machines' texts.
fn list(length: usize) -> Value {
    let row = |n: usize| {
        json!({
            "id": format!("ord_{n}"), "placed_at": "2026-11-02T08:15:00Z", "total": 241.5,
            "customer": {"name": "Ann Lee", "phone": "+49 30 1234 5678"},
            "note": "Box dented, left at 12 Example Street; paid 2026-11-01 (100% of 241.50 EUR)",
            "url": "https://shop.example/orders?of=cus%5F2001&page=1",
        })
    };
    let one = row(1_000).to_string().len();
    (0..length / one).map(row).collect()
}

/// A reply to the JSON of a result.
#[divan::bench]
fn result_building(bencher: Bencher) {
    let view: ToolView = agent::view(&exposed("get_order").tool);
    let reply = || Reply {
        meta: CallMeta {
            id: new_call_id(),
            attempts: 1,
            status: Some(200),
            upstream_ms: 3,
            served_by: Some("http://127.0.0.1:9/orders/ord_1001".into()),
            edited: None,
            suspicious: Vec::new(),
        },
        result: Ok(Success {
            payload: Payload::Value(value()),
            drift: Vec::new(),
            headers: serde_json::Map::new(),
            cuts: Vec::new(),
            pages: None,
            next: Vec::new(),
            note: None,
        }),
    };
    bencher
        .with_inputs(reply)
        .bench_values(|reply| agent::result::to_json(reply, Some(&view), "bench").to_string());
}

/// A commit of a call's intent, with nothing else waiting: three events behind the kill switch.
#[divan::bench]
fn commit(bencher: Bencher) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("trail.db").display());
    let store = RUNTIME.block_on(Store::open(&url, Durability::Process)).unwrap();
    let guard = || Guard { api: "a".into(), tool: "t".into(), identity: "i".into() };
    let batch = || {
        let id = new_call_id();
        let row = |event: Event| -> EventRow { event.row(Some(&id), 0, &TOOLBOX.redactor) };
        let started = || Event::AttemptStarted {
            span: None,
            n: 1,
            url: "http://127.0.0.1:9/orders/ord_1001".into(),
            method: "GET".into(),
            wait_ms: 0,
            why: None,
            idempotency_key: None,
        };
        let events = vec![row(received("get_order")), row(started()), row(started())];
        Batch { guard: Some(guard()), events: events.into(), ..Batch::default() }
    };
    bencher
        .with_inputs(batch)
        .bench_values(|batch| RUNTIME.block_on(async { store.commit(batch).await.is_ok() }));
}

fn value() -> Value {
    match exposed("get_order").tool.operation.binding.decode(&answer()) {
        Answer::Success { payload: Payload::Value(value), .. } => value,
        other => panic!("no value: {other:?}"),
    }
}
