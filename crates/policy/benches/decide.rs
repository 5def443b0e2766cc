//! What a decision costs among a hundred policies, beside Cedar's authorizer on the same policies
//! with the request and the entities made beforehand. Prints one line a case; `just bench-policies`
//! runs all of them, words behind it those whose names hold one.
//!
//! | case | policies |
//! |---|---|
//! | spread | ten on each of ten tools: three read only caller and tool, seven the call |
//! | gathered | a hundred on one tool: thirty read only caller and tool, seventy the call |
//! | fixed | a hundred on one tool, none of which reads the call |
//! | reckoned | as gathered, and each of the seventy reckons |
//! | about | as gathered, and each of the seventy compares two values, looks into a set or at who asks |
//! | timed | as gathered, and each of the seventy moves an instant |
//! | asked | as gathered, and Cedar must be asked about each of the seventy: they make a record |

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cedar_policy::{Authorizer, Context, Entities, EntityUid, PolicySet, Request};
use serde_json::{Map, Value, json};
use tollbridge_operation::{Effect, Identity};
use tollbridge_policy::{Asked, Caller, Claims, Engine, Source, ToolDef, ToolRules, Verdict};

/// The binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What the policy with that number asks of a call.
type Condition = fn(usize) -> String;

const POLICIES: usize = 100;
const ROUNDS: usize = 5;
const CALLS: u32 = 2_000;

/// A Monday in December 2026, in the morning.
const NOW: i64 = 1_796_641_200_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "{POLICIES} policies, median of {ROUNDS} times {CALLS} decisions; `Cedar` is its authorizer alone, \
         on all of them at once"
    );
    println!("| case | decision, µs | Cedar, µs | ÷ Cedar |\n|---|---|---|---|");
    let cases: [(&str, usize, usize, Condition); 7] = [
        ("spread", 10, 3, condition),
        ("gathered", 1, 30, condition),
        ("fixed", 1, 100, condition),
        ("reckoned", 1, 30, reckoned),
        ("about", 1, 30, about),
        ("timed", 1, 30, timed),
        ("asked", 1, 30, asked),
    ];
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let is_meant = |case: &str| words.is_empty() || words.iter().any(|word| case.contains(word));
    for (case, tools, fixed, condition) in cases.into_iter().filter(|one| is_meant(one.0)) {
        let text = policies(tools, fixed, condition);
        let ours = time(&ours(tools, &text)?);
        let theirs = time(&theirs(&text)?);
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!("| {case} | {:.1} | {:.1} | {ratio:.2} |", micros(ours), micros(theirs));
    }
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The median over the rounds of what one takes.
fn time(decide: &dyn Fn()) -> Duration {
    let mut rounds: Vec<Duration> = (0..=ROUNDS)
        .map(|_| {
            let started = Instant::now();
            (0..CALLS).for_each(|_| decide());
            started.elapsed() / CALLS
        })
        // The first one warms up.
        .skip(1)
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2]
}

fn name(tool: usize) -> String {
    format!("refund_{tool}")
}

/// Policies as they are written, evenly on the tools; `fixed` of each tool's read no call.
fn policies(tools: usize, fixed: usize, condition: Condition) -> String {
    let each = POLICIES / tools;
    let mut text = String::new();
    for tool in 0..tools {
        let action = format!("action == Action::\"{}\"", name(tool));
        for n in 0..each {
            let policy = match n {
                0 => format!("permit(principal in Group::\"ops\", {action}, resource)"),
                _ if n < fixed && n % 2 == 0 => {
                    format!("forbid(principal == Identity::\"robot_{n}\", {action}, resource)")
                }
                _ if n < fixed => format!(
                    "forbid(principal in Group::\"team_{n}\", {action}, resource) \
                     when {{ resource.tags.contains(\"night\") }}"
                ),
                _ => format!("forbid(principal, {action}, resource) when {{ {} }}", condition(n)),
            };
            let hold = if n > 0 && n % 5 == 0 { "@hold(\"10m\") " } else { "" };
            writeln!(text, "@id(\"p{tool}_{n}\") {hold}{policy};").expect("a text takes it");
        }
    }
    text
}

fn condition(n: usize) -> String {
    match n % 5 {
        0 => format!("context.arguments.amount.greaterThan(decimal(\"{n}000.0\"))"),
        1 => format!("context.arguments has count && context.arguments.count > {n}0"),
        2 => format!("context.arguments.currency == \"XX{n}\""),
        3 => {
            format!("context.arguments has reason && context.arguments.reason like \"*fraud {n}*\"")
        }
        _ => format!("context.channel == \"channel {n}\""),
    }
}

fn reckoned(n: usize) -> String {
    format!("context.arguments has count && context.arguments.count * 2 > {n}0")
}

fn about(n: usize) -> String {
    match n % 5 {
        0 => format!("context.arguments.order == context.arguments.currency && {n} > 0"),
        1 => format!("context.arguments.tags.contains(\"vip {n}\")"),
        2 => format!("context.arguments.tags.containsAny([\"a{n}\", \"b{n}\"])"),
        3 => format!("principal in Group::\"team_{n}\" && context.channel == \"http\""),
        _ => format!("resource.tags.contains(\"night {n}\") && context.channel == \"http\""),
    }
}

fn timed(n: usize) -> String {
    format!("context.time.instant.offset(duration(\"{n}h\")) < datetime(\"2020-01-01\")")
}

fn asked(n: usize) -> String {
    format!("{{ count: context.arguments.amount }}.count.greaterThan(decimal(\"{n}000.0\"))")
}

fn arguments() -> Map<String, Value> {
    let arguments = json!({
        "order": "ord_0000000042", "amount": 19.99, "currency": "EUR", "count": 3,
        "reason": "arrived broken, the customer sent a picture", "tags": ["web", "express"],
    });
    let Value::Object(arguments) = arguments else { unreachable!("an object was written") };
    arguments
}

/// A decision as a call asks for it.
fn ours(tools: usize, text: &str) -> Result<impl Fn(), Box<dyn Error>> {
    let tools: Vec<ToolDef> = (0..tools).map(tool).collect();
    let sources = [Source { path: "policies/bench.cedar".to_owned(), text: text.to_owned() }];
    let (engine, problems) = Engine::compile(&tools, &input, &sources, None);
    let engine = Arc::new(engine.ok_or_else(|| format!("{problems:?}"))?);
    let groups = BTreeSet::from(["ops".to_owned(), "day".to_owned()]);
    let caller: Caller = engine.caller(&Identity::new("alice")?, &groups, Claims::new());
    let arguments = arguments();
    let decide = move || {
        let asked =
            Asked { arguments: &arguments, client: Some("claude/1.2"), channel: "http", now: NOW };
        caller.decide(0, black_box(&asked))
    };
    let Verdict::Allow { .. } = decide().verdict else { return Err("the call is allowed".into()) };
    // What was considered is read as whoever writes it down does.
    Ok(move || {
        for one in black_box(decide()).considered.iter() {
            black_box((one.rule, one.effect, one.outcome));
            one.values().for_each(|value| _ = black_box(value));
        }
    })
}

/// Cedar's own decision, of the policies as they stand.
fn theirs(text: &str) -> Result<impl Fn(), Box<dyn Error>> {
    let set: PolicySet = text.parse()?;
    let uid = |text: &str| text.parse::<EntityUid>().map_err(Box::new);
    let entities = json!([
        { "uid": { "type": "Identity", "id": "alice" }, "attrs": { "name": "alice" },
          "parents": [{ "type": "Group", "id": "ops" }, { "type": "Group", "id": "day" }] },
        { "uid": { "type": "Tool", "id": name(0) }, "attrs": { "tags": ["orders"] }, "parents": [] },
    ]);
    let entities = Entities::from_json_value(entities, None)?;
    let mut given = Value::Object(arguments());
    given["amount"] = json!({ "__extn": { "fn": "decimal", "arg": "19.99" } });
    let instant = json!({ "__extn": { "fn": "datetime", "arg": "2026-12-07T07:20:00Z" } });
    let context = json!({
        "arguments": given, "channel": "http", "time": { "instant": instant },
    });
    let context = Context::from_json_value(context, None)?;
    let action = uid(&format!("Action::{:?}", name(0)))?;
    let tool = uid(&format!("Tool::{:?}", name(0)))?;
    let request = Request::new(uid("Identity::\"alice\"")?, action, tool, context, None)?;
    let authorizer = Authorizer::new();
    Ok(move || drop(black_box(authorizer.is_authorized(black_box(&request), &set, &entities))))
}

fn tool(n: usize) -> ToolDef {
    ToolDef {
        name: name(n),
        api: "shop".to_owned(),
        operation: name(n),
        effect: Effect::Write,
        idempotent: false,
        tags: vec!["orders".to_owned()],
        rules: ToolRules { allow: Some(Vec::new()), ..ToolRules::default() },
        found: None,
    }
}

fn input(_: usize) -> Value {
    json!({"type": "object", "required": ["order", "amount", "currency", "tags"], "properties": {
        "order": {"type": "string"},
        "amount": {"type": "number"},
        "currency": {"type": "string"},
        "count": {"type": "integer"},
        "reason": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
    }})
}
