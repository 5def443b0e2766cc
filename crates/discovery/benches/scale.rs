//! Ten thousand operations with names as APIs have them: how long they take to index and to
//! search, and what they weigh. Prints one line each; `just bench-search`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tollbridge_discovery::Corpus;
use tollbridge_openapi::{ReadOptions, read};
use tollbridge_operation::{ApiName, Operation};

const OPERATIONS: usize = 10_000;
const SEARCHES: usize = 5_000;

const THINGS: &[&str] = &[
    "account",
    "address",
    "alert",
    "article",
    "badge",
    "basket",
    "booking",
    "branch",
    "budget",
    "campaign",
    "card",
    "carrier",
    "channel",
    "charge",
    "cluster",
    "comment",
    "commit",
    "contact",
    "contract",
    "coupon",
    "customer",
    "dashboard",
    "deployment",
    "device",
    "dispute",
    "document",
    "domain",
    "employee",
    "endpoint",
    "event",
    "export",
    "feature",
    "file",
    "folder",
    "group",
    "host",
    "image",
    "incident",
    "instance",
    "invoice",
    "issue",
    "job",
    "key",
    "label",
    "lead",
    "license",
    "listing",
    "location",
    "mailbox",
    "meeting",
    "member",
    "message",
    "metric",
    "milestone",
    "network",
    "note",
    "order",
    "organization",
    "package",
    "page",
    "partner",
    "payment",
    "payout",
    "permission",
    "pipeline",
    "plan",
    "policy",
    "price",
    "product",
    "profile",
    "project",
    "quote",
    "receipt",
    "record",
    "refund",
    "region",
    "release",
    "report",
    "repository",
    "reservation",
    "review",
    "role",
    "route",
    "rule",
    "runner",
    "schedule",
    "secret",
    "segment",
    "server",
    "session",
    "shipment",
    "snapshot",
    "subscription",
    "survey",
    "task",
    "team",
    "template",
    "ticket",
    "token",
    "topic",
    "transfer",
    "user",
    "vault",
    "vendor",
    "version",
    "volume",
    "voucher",
    "warehouse",
    "webhook",
    "workflow",
    "workspace",
    "zone",
];

const OF: &[&str] = &[
    "active", "archived", "billing", "default", "draft", "external", "guest", "internal", "legacy",
    "pending", "primary", "public", "regional", "shared", "staging", "tax",
];

/// The same numbers every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % sides
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

fn main() {
    let operations = operations();
    assert_eq!(operations.len(), OPERATIONS);
    let api = ApiName::new("large").expect("a name");
    let began = Instant::now();
    let corpus = Corpus::new([(&api, "A large API", &operations)]);
    let read = began.elapsed();
    let began = Instant::now();
    let index = corpus.index(|_| true);
    let built = began.elapsed();
    println!("{OPERATIONS} operations: read in {read:.0?}, indexed in {built:.0?}");
    let (shared, own) = (corpus.size() / OPERATIONS, index.size() / OPERATIONS);
    println!("memory for each operation: {shared} bytes shared, {own} bytes for each index");

    let mut dice = Dice(7);
    let mut times: Vec<Duration> = Vec::new();
    let mut found = 0;
    for turn in 0..SEARCHES {
        let query = query(&mut dice, turn);
        let began = Instant::now();
        found += index.search(&query, 10).hits.len();
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 100];
    println!(
        "{SEARCHES} searches: p50 {:.2?}, p99 {:.2?}, longest {:.2?}; {found} results",
        at(50),
        at(99),
        times[times.len() - 1]
    );
}

/// Short and long, right and misspelt, with filters and without.
fn query(dice: &mut Dice, turn: usize) -> String {
    let verb = dice.one(&["list", "create", "find", "delete", "update", "get", "cancel"]);
    let (one, other, of) = (dice.one(THINGS), dice.one(THINGS), dice.one(OF));
    match turn % 4 {
        0 => format!("{verb} {one}"),
        1 => format!("{verb} the {of} {one}s of a {other} effect:read"),
        2 => {
            let mut letters: Vec<char> = one.chars().collect();
            let at = letters.len() / 2;
            letters.swap(at, at - 1);
            format!("{verb} {}", letters.into_iter().collect::<String>())
        }
        _ => format!(
            "I want to know which {one}s and {of} {other}s were changed last week, and then \
             {verb} those that belong to nobody and have no {} any more",
            dice.one(THINGS)
        ),
    }
}

fn operations() -> Vec<Arc<Operation>> {
    let mut dice = Dice(1);
    let mut paths: Map<String, Value> = Map::new();
    let mut made = 0;
    while made < OPERATIONS {
        let (parent, thing, of) = (dice.one(THINGS), dice.one(THINGS), dice.one(OF));
        let version = 1 + dice.roll(3);
        let path = format!("/v{version}/{parent}s/{{{parent}_id}}/{of}-{thing}s");
        if paths.contains_key(&path) {
            continue;
        }
        let mut item = Map::new();
        for (method, verb) in [("get", "List"), ("post", "Create"), ("delete", "Delete")] {
            if made == OPERATIONS {
                break;
            }
            made += 1;
            let limit = json!({"name": "limit", "in": "query", "description": "How many are answered.", "schema": {"type": "integer"}});
            let id = json!({"name": format!("{parent}_id"), "in": "path", "required": true, "description": format!("The id of the {parent}."), "schema": {"type": "string"}});
            let filter = json!({"name": format!("{}_status", dice.one(THINGS)), "in": "query", "schema": {"type": "string", "enum": ["open", "closed"]}});
            let names: Map<String, Value> = (0..8)
                .map(|_| {
                    (format!("{}_{}", dice.one(OF), dice.one(THINGS)), json!({"type": "string"}))
                })
                .collect();
            item.insert(method.to_owned(), json!({
                "operationId": format!("{}V{version}{parent}{of}{thing}s", verb.to_lowercase()),
                "summary": format!("{verb} {of} {thing}s of a {parent}"),
                "description": format!(
                    "{verb}s the {of} {thing}s that belong to a {parent}, with their {}s and {}s. \
                     Needs the permission to see {}s.",
                    dice.one(THINGS), dice.one(THINGS), dice.one(THINGS)
                ),
                "tags": [thing],
                "parameters": [id, limit, filter],
                "responses": {"200": {"description": "Done", "content": {"application/json": {
                    "schema": {"type": "object", "properties": names},
                }}}},
            }));
        }
        paths.insert(path, Value::Object(item));
    }
    let document = json!({"openapi": "3.1.0", "info": {"title": "A large API", "version": "1"}, "paths": paths});
    let api = ApiName::new("large").expect("a name");
    let read = read(document.to_string().as_bytes(), &ReadOptions { api: &api, source: None });
    read.expect("a description").operations.into_iter().map(Arc::new).collect()
}
