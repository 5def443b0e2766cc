use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tollbridge_operation::{Effect, Identity};

use crate::decide::{Asked, Outcome};
use crate::engine::{Engine, Slice, ToolDef};
use crate::rules::ToolRules;
use crate::source::Source;

fn tool() -> ToolDef {
    ToolDef {
        name: "refund".to_owned(),
        api: "shop".to_owned(),
        operation: "refund".to_owned(),
        effect: Effect::Write,
        idempotent: false,
        tags: Vec::new(),
        rules: ToolRules { allow: Some(Vec::new()), ..ToolRules::default() },
        found: None,
    }
}

fn input(_: usize) -> Value {
    json!({"type": "object", "required": ["id", "by"], "properties": {
        "id": {"type": "string"},
        "by": {"type": "object", "properties": {"name": {"type": "string"}}},
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "currency": {"type": "string"},
        "express": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "to": {"type": "object", "properties": {
            "country": {"type": "string"},
            "zone": {"type": "integer"},
        }},
    }})
}

/// Compiles `forbid`s with these conditions, which read a call.
fn compile(conditions: &[String]) -> Option<Engine> {
    let each = conditions.iter().map(|condition| {
        format!("forbid(principal, action == Action::\"refund\", resource) {condition};\n")
    });
    let sources = [Source { path: "policies/a.cedar".to_owned(), text: each.collect() }];
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    Engine::compile(&[tool()], &input, &sources, Some(&zone)).0
}

/// Monday, the 2nd of November 2026, 10:30 in Berlin.
const NOW: i64 = 1_793_611_800_000_000;

fn asked(arguments: &Map<String, Value>) -> Asked<'_> {
    Asked { arguments, client: Some("claude/1.2"), channel: "http", now: NOW }
}

/// What the guard of the only policy says of a call; none where a value is not carried.
fn misses(engine: &Engine, asked: &Asked<'_>) -> Option<Vec<bool>> {
    let mut lost = Vec::new();
    let facts = engine.slices[0].facts(asked, &mut lost);
    lost.is_empty().then(|| engine.slices[0].all().map(|rule| rule.guard.misses(&facts)).collect())
}

/// What Cedar says of it.
fn cedar(engine: &Arc<Engine>, asked: &Asked<'_>) -> Vec<Outcome> {
    let slice = &engine.slices[0];
    let caller = engine.caller(
        &Identity::new("alice").expect("a name"),
        &BTreeSet::new(),
        crate::Claims::new(),
    );
    let facts = slice.facts(asked, &mut Vec::new());
    let context = slice.context(&facts, asked.now).expect("a context");
    let (request, entities) = caller.asked_of_cedar(slice, context).expect("a request");
    slice.all().map(|rule| Slice::evaluate(rule, &request, &entities)).collect()
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

#[test]
fn what_is_known_without_cedar() {
    let arguments = object(json!({
        "amount": 19.99, "count": 3, "currency": "EUR", "express": true, "tags": ["a"],
        "to": {"country": "DE"},
    }));
    // Whether the call is certainly not met.
    let table = [
        (
            "when { context.arguments has amount && context.arguments.amount.greaterThan(decimal(\"20.0\")) }",
            true,
        ),
        (
            "when { context.arguments has amount && context.arguments.amount.greaterThan(decimal(\"19.98\")) }",
            false,
        ),
        ("when { context.arguments has count && context.arguments.count > 3 }", true),
        ("when { context.arguments has count && 3 > context.arguments.count }", true),
        ("when { context.arguments has count && 3 <= context.arguments.count }", false),
        ("unless { context.arguments has count && context.arguments.count >= 3 }", true),
        ("when { context.arguments has currency && context.arguments.currency != \"EUR\" }", true),
        (
            "when { context.arguments has currency && [\"USD\", \"CHF\"].contains(context.arguments.currency) }",
            true,
        ),
        (
            "when { context.arguments has currency && [\"USD\", \"EUR\"].contains(context.arguments.currency) }",
            false,
        ),
        ("when { context.arguments has currency && context.arguments.currency like \"U*\" }", true),
        ("when { context.arguments has express && !context.arguments.express }", true),
        ("when { context.arguments has to.zone }", true),
        ("when { context has arguments.to.zone }", true),
        (
            "when { context.arguments has to && context.arguments.to has country && context.arguments.to.country == \"FR\" }",
            true,
        ),
        ("when { context.channel == \"stdio\" }", true),
        ("when { context.agent.name == \"cursor\" || context.agent.version like \"0.*\" }", true),
        ("when { context.time.local.hour < 10 }", true),
        ("when { context.time.local.weekday == 1 && context.time.local.minute < 30 }", true),
        (
            "when { if context.channel == \"http\" then context.time.local.hour > 20 else true }",
            true,
        ),
        // A second clause counts, where the first is known.
        ("when { context.channel == \"http\" } unless { context.time.local.hour > 9 }", true),
        // What may fail comes first: Cedar is asked.
        (
            "when { context.arguments has count && context.arguments.count * 2 > 1 && context.channel == \"stdio\" }",
            false,
        ),
        (
            "when { context.channel == \"stdio\" && context.arguments has count && context.arguments.count * 2 > 1 }",
            true,
        ),
        (
            "when { context.arguments has count && context.arguments.count * 4611686018427387904 > 3 } unless { context.channel == \"http\" }",
            false,
        ),
        // What should be there and is not is an error.
        ("when { context.arguments.id == \"7\" }", false),
        ("when { context.arguments.by has name }", false),
        // What is not looked at here.
        ("when { context.agent has name && context.arguments has count }", false),
        ("when { context.time.instant < datetime(\"2020-01-01\") }", false),
        ("when { context.arguments has tags && context.arguments.tags.contains(\"b\") }", false),
        ("when { context.channel == context.agent.name }", false),
    ];
    for (condition, expected) in table {
        let engine = compile(&[condition.to_owned()]).unwrap_or_else(|| panic!("{condition}"));
        let asked = asked(&arguments);
        assert_eq!(misses(&engine, &asked), Some(vec![expected]), "{condition}");
        let outcome = cedar(&Arc::new(engine), &asked).remove(0);
        assert!(!expected || outcome == Outcome::NotSatisfied, "{condition}: {outcome:?}");
    }
}

#[test]
fn a_pattern_fits_as_cedar_has_it() {
    let texts = ["", "a", "ab", "abab", "a*b", "äb", "aab", "ab\u{301}", "🦀b"];
    let patterns = ["", "*", "a*", "*b", "a*b", "a\\*b", "*a*b*", "**", "?", "ä*", "*ab", "a*a*b"];
    for pattern in patterns {
        let condition = format!(
            "when {{ context.arguments has currency && context.arguments.currency like \"{pattern}\" }}"
        );
        let engine = Arc::new(compile(&[condition]).expect("it compiles"));
        for text in texts {
            let arguments = object(json!({ "currency": text }));
            let asked = asked(&arguments);
            let missed = misses(&engine, &asked).expect("a text is carried") == [true];
            let unsatisfied = cedar(&engine, &asked) == [Outcome::NotSatisfied];
            assert_eq!(missed, unsatisfied, "{pattern:?} on {text:?}");
        }
    }
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = one_of(&[
        "context.arguments.amount.lessThan(decimal(\"5.0\"))",
        "(context.arguments has amount && context.arguments.amount.greaterThanOrEqual(decimal(\"5.25\")))",
        "(context.arguments has amount && context.arguments.amount == decimal(\"-1.5\"))",
        "(context.arguments has amount && context.arguments.amount != decimal(\"5.2500\"))",
        "(context.arguments has count && context.arguments.count < 4)",
        "(context.arguments has count && 4 < context.arguments.count)",
        "(context.arguments has count && context.arguments.count == 4)",
        "(context.arguments has count && -9223372036854775807 <= context.arguments.count)",
        "(context.arguments has count && context.arguments.count * 4611686018427387904 > 3)",
        "(context.arguments has count && [3, 4].contains(context.arguments.count))",
        "(context.arguments has currency && context.arguments.currency like \"*U*\")",
        "(context.arguments has currency && context.arguments.currency == \"\")",
        "(context.arguments has currency && [\"EUR\", \"eur\"].contains(context.arguments.currency))",
        "(context.arguments has express && context.arguments.express)",
        "(context.arguments has express && context.arguments.express == false)",
        "(context.arguments has express && true != context.arguments.express)",
        "(context.arguments has tags && context.arguments.tags.contains(\"EUR\"))",
        "context.arguments has to",
        "context.arguments has to.country",
        "context has arguments.to.zone",
        "(context.arguments has to && context.arguments.to has zone && context.arguments.to.zone > 2)",
        "(context.arguments has to.country && context.arguments.to.country like \"D*\")",
        "context.channel == \"http\"",
        "context.channel like \"*t*o\"",
        "context.agent.name == \"claude\"",
        "context.agent.version like \"1.*\"",
        "context.time.local.hour >= 10",
        "context.time.local.weekday == 7",
        "context.time.instant < datetime(\"2027-01-01\")",
        "principal.name == \"alice\"",
        "resource.effect == \"read\"",
        "true",
        "false",
    ]);
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
        ]
    })
}

fn clauses() -> impl Strategy<Value = String> {
    let clause = (one_of(&["when", "unless"]), condition());
    prop::collection::vec(clause, 1..3).prop_map(|clauses| {
        let each = clauses.iter().map(|(kind, condition)| format!(" {kind} {{ {condition} }}"));
        each.collect()
    })
}

fn arguments() -> impl Strategy<Value = Map<String, Value>> {
    let number = |texts| {
        one_of(texts).prop_map(|text| serde_json::from_str::<Value>(&text).expect("a number"))
    };
    let some = |value: BoxedStrategy<Value>| prop::option::of(value);
    let text = || one_of(&["", "EUR", "USD", "eur", "DE"]).prop_map(Value::from).boxed();
    let amount = number(&["5", "5.25", "-1.5", "4.9999", "1e3", "1e30", "0.00001"]).boxed();
    let count = || number(&["3", "4", "-0", "5e0", "99999999999999999999"]).boxed();
    let to = (some(text()), some(count())).prop_map(|(country, zone)| {
        let members = [("country", country), ("zone", zone)];
        let there = members.into_iter().filter_map(|(n, v)| Some((n.to_owned(), v?)));
        Value::Object(there.collect())
    });
    let to = prop_oneof![4 => to, 1 => Just(Value::Null)].boxed();
    let tags = prop_oneof![Just(json!(["EUR"])), Just(json!([])), Just(json!([null]))].boxed();
    let express = any::<bool>().prop_map(Value::from).boxed();
    (some(amount), some(count()), some(text()), some(express), some(tags), some(to)).prop_map(
        |(amount, count, currency, express, tags, to)| {
            let members = [
                ("amount", amount),
                ("count", count),
                ("currency", currency),
                ("express", express),
                ("tags", tags),
                ("to", to),
            ];
            members.into_iter().filter_map(|(n, v)| Some((n.to_owned(), v?))).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the conditions and the call are.
    #[test]
    fn what_is_found_missed_cedar_finds_unsatisfied(
        conditions in prop::collection::vec(clauses(), 1..6),
        calls in prop::collection::vec(arguments(), 1..6),
    ) {
        // Of conditions that are no Cedar of ours nothing is asked.
        let conditions: Vec<String> =
            conditions.into_iter().filter(|one| compile(std::slice::from_ref(one)).is_some()).collect();
        prop_assume!(!conditions.is_empty());
        let Some(engine) = compile(&conditions) else { return Ok(()) };
        let engine = Arc::new(engine);
        for call in &calls {
            let asked = asked(call);
            let Some(missed) = misses(&engine, &asked) else { continue };
            for (at, outcome) in cedar(&engine, &asked).into_iter().enumerate() {
                let rule = engine.slices[0].rules[at].policy.to_string();
                prop_assert!(
                    !missed[at] || outcome == Outcome::NotSatisfied,
                    "{rule} on {call:?}: {outcome:?}"
                );
            }
        }
    }
}
