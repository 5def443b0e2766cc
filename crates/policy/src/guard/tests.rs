use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tollbridge_operation::{Effect, Identity};

use crate::caller::Caller;
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
        tags: vec!["orders".to_owned(), "night".to_owned()],
        rules: ToolRules { allow: Some(Vec::new()), ..ToolRules::default() },
        found: None,
    }
}

fn input(_: usize) -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let required = ["id", "by", "n", "m", "s", "t", "d", "all", "some", "numbers", "amounts"];
    json!({"type": "object", "required": required, "properties": {
        "id": {"type": "string"},
        "by": {"type": "object", "properties": {"name": {"type": "string"}}},
        "n": {"type": "integer"},
        "m": {"type": "integer"},
        "s": {"type": "string"},
        "t": {"type": "string"},
        "d": {"type": "number"},
        "all": texts,
        "some": texts,
        "numbers": {"type": "array", "items": {"type": "integer"}},
        "amounts": {"type": "array", "items": {"type": "number"}},
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "currency": {"type": "string"},
        "express": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "from": {"type": "object", "properties": {
            "country": {"type": "string"},
            "zone": {"type": "integer"},
        }},
        "to": {"type": "object", "properties": {
            "country": {"type": "string"},
            "zone": {"type": "integer"},
        }},
    }})
}

/// Another tool, of another API.
fn other() -> ToolDef {
    ToolDef { name: "pay".to_owned(), api: "bank".to_owned(), ..tool() }
}

/// Compiles `forbid`s with these conditions, which read a call.
fn compile(conditions: &[String]) -> Option<Engine> {
    let each = conditions.iter().map(|condition| {
        format!("forbid(principal, action == Action::\"refund\", resource) {condition};\n")
    });
    let sources = [Source { path: "policies/a.cedar".to_owned(), text: each.collect() }];
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    Engine::compile(&[tool(), other()], &input, &sources, Some(&zone)).0
}

/// Monday, the 2nd of November 2026, 10:30 in Berlin.
const NOW: i64 = 1_793_611_800_000_000;

fn asked(arguments: &Map<String, Value>) -> Asked<'_> {
    Asked { arguments, client: Some("claude/1.2"), channel: "http", now: NOW }
}

fn caller(engine: &Arc<Engine>) -> Caller {
    let names = |all: &[&str]| all.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let claims = [("tenant".to_owned(), names(&["acme", "EUR"]))].into();
    engine.caller(&Identity::new("alice").expect("a name"), &names(&["ops", "day"]), claims)
}

/// What the guards say of a call, whether it meets each policy's conditions as far as that is
/// known; none where a value is not carried.
fn known(engine: &Arc<Engine>, asked: &Asked<'_>) -> Option<Vec<Option<bool>>> {
    let (mut lost, slice, caller) = (Vec::new(), &engine.slices[0], caller(engine));
    let facts =
        slice.facts(caller.principal(), asked, slice.clocks(asked.now), &mut lost).expect("a time");
    lost.is_empty().then(|| slice.all().map(|rule| rule.guard.holds(&facts)).collect())
}

/// What Cedar says of it.
fn cedar(engine: &Arc<Engine>, asked: &Asked<'_>) -> Vec<Outcome> {
    let (slice, caller) = (&engine.slices[0], caller(engine));
    let facts = slice
        .facts(caller.principal(), asked, slice.clocks(asked.now), &mut Vec::new())
        .expect("a time");
    let context = Slice::context(&facts).expect("a context");
    let (request, entities) = caller.asked_of_cedar(slice, context).expect("a request");
    slice.all().map(|rule| Slice::evaluate(rule, &request, &entities)).collect()
}

/// What is known here is what Cedar finds.
fn agree(known: Option<bool>, outcome: &Outcome) -> bool {
    match known {
        None => true,
        Some(true) => *outcome == Outcome::Satisfied,
        Some(false) => *outcome == Outcome::NotSatisfied,
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

const MET: Option<bool> = Some(true);
const MISSED: Option<bool> = Some(false);
const ASKED: Option<bool> = None;

/// What is said of a call of which these are the arguments.
fn look(table: &[(&str, Option<bool>)]) {
    let arguments = object(json!({
        "n": 7, "m": -2, "s": "EUR", "t": "eur", "d": 19.99, "all": ["a", "b", "a"], "some": ["b"],
        "numbers": [7, 8], "amounts": [19.99],
        "amount": 19.99, "count": 3, "currency": "EUR", "express": true, "tags": ["a"],
        "to": {"country": "DE"}, "from": {"country": "DE"},
    }));
    for (condition, expected) in table {
        let engine = compile(&[condition.to_string()]).unwrap_or_else(|| panic!("{condition}"));
        let (engine, asked) = (Arc::new(engine), asked(&arguments));
        assert_eq!(known(&engine, &asked), Some(vec![*expected]), "{condition}");
        let outcome = cedar(&engine, &asked).remove(0);
        assert!(agree(*expected, &outcome), "{condition}: {outcome:?}");
    }
}

#[test]
fn what_is_known_without_cedar() {
    look(&[
        (
            "when { context.arguments has amount && context.arguments.amount.greaterThan(decimal(\"20.0\")) }",
            MISSED,
        ),
        (
            "when { context.arguments has amount && context.arguments.amount.greaterThan(decimal(\"19.98\")) }",
            MET,
        ),
        ("when { context.arguments has count && context.arguments.count > 3 }", MISSED),
        ("when { context.arguments has count && 3 > context.arguments.count }", MISSED),
        ("when { context.arguments has count && 3 <= context.arguments.count }", MET),
        ("unless { context.arguments has count && context.arguments.count >= 3 }", MISSED),
        (
            "when { context.arguments has currency && context.arguments.currency != \"EUR\" }",
            MISSED,
        ),
        (
            "when { context.arguments has currency && [\"USD\", \"CHF\"].contains(context.arguments.currency) }",
            MISSED,
        ),
        (
            "when { context.arguments has currency && [\"USD\", \"EUR\"].contains(context.arguments.currency) }",
            MET,
        ),
        (
            "when { context.arguments has currency && context.arguments.currency like \"U*\" }",
            MISSED,
        ),
        ("when { context.arguments has express && !context.arguments.express }", MISSED),
        ("when { context.arguments has to.zone }", MISSED),
        ("when { context has arguments.to.zone }", MISSED),
        (
            "when { context.arguments has to && context.arguments.to has country && context.arguments.to.country == \"FR\" }",
            MISSED,
        ),
        ("when { context.channel == \"stdio\" }", MISSED),
        ("when { context.agent.name == \"cursor\" || context.agent.version like \"0.*\" }", MISSED),
        ("when { context.time.local.hour < 10 }", MISSED),
        ("when { context.time.local.weekday == 1 && context.time.local.minute < 30 }", MISSED),
        (
            "when { if context.channel == \"http\" then context.time.local.hour > 20 else true }",
            MISSED,
        ),
        // A second clause counts, where the first is known.
        ("when { context.channel == \"http\" } unless { context.time.local.hour > 9 }", MISSED),
        ("when { context.channel == \"stdio\" } unless { context.arguments.id == \"7\" }", MISSED),
        ("when { context.arguments.id == \"7\" } when { context.channel == \"stdio\" }", ASKED),
        // What should be there and is not is an error, unless it is not looked at.
        ("when { context.arguments.id == \"7\" }", ASKED),
        ("when { context.arguments.id == context.arguments.s }", ASKED),
        ("when { context.arguments.by has name }", ASKED),
        ("when { context.channel == \"stdio\" && context.arguments.id == \"7\" }", MISSED),
        ("when { context.channel == \"http\" && context.arguments.id == \"7\" }", ASKED),
        ("when { context.arguments.id == \"7\" && context.channel == \"stdio\" }", ASKED),
        ("unless { context.channel == \"http\" || context.arguments.id == \"7\" }", MISSED),
        ("unless { context.channel == \"stdio\" || context.arguments.id == \"7\" }", ASKED),
    ]);
}

#[test]
fn values_are_reckoned_with_and_compared_with_each_other() {
    look(&[
        ("when { context.arguments.n * 2 > 14 }", MISSED),
        ("when { context.arguments.n * 2 >= 14 }", MET),
        ("when { context.arguments.n + context.arguments.m > 5 }", MISSED),
        ("when { context.arguments.n - context.arguments.m != 9 }", MISSED),
        ("when { -context.arguments.n > context.arguments.m }", MISSED),
        ("when { (if context.channel == \"http\" then context.arguments.n else 9) > 8 }", MISSED),
        ("when { context.arguments.n <= context.arguments.m }", MISSED),
        ("when { context.arguments.s == context.arguments.t }", MISSED),
        ("when { context.channel == context.agent.name }", MISSED),
        ("when { context.arguments.d.lessThan(context.arguments.d) }", MISSED),
        ("when { context.arguments.d.lessThanOrEqual(decimal(\"19.9899\")) }", MISSED),
        ("when { context.arguments.d.greaterThanOrEqual(context.arguments.d) }", MET),
        ("when { (context.arguments.n > 3) != (context.arguments.m < 3) }", MISSED),
        // Beyond 64 bits there is an error, for Cedar to find.
        ("when { context.arguments.n * 4611686018427387904 > 3 }", ASKED),
        ("when { context.arguments.n + 9223372036854775807 < 3 }", ASKED),
        ("when { context.arguments.m - 9223372036854775807 > 3 }", ASKED),
        ("when { -(context.arguments.m - 9223372036854775806) < 3 }", ASKED),
        (
            "when { context.arguments.n * 4611686018427387904 > 3 && context.channel == \"stdio\" }",
            ASKED,
        ),
        (
            "when { context.channel == \"stdio\" && context.arguments.n * 4611686018427387904 > 3 }",
            MISSED,
        ),
        (
            "when { context.arguments.n * 4611686018427387904 > 3 } unless { context.channel == \"http\" }",
            ASKED,
        ),
    ]);
}

#[test]
fn sets_are_looked_into() {
    look(&[
        ("when { context.arguments.all.contains(\"c\") }", MISSED),
        ("when { context.arguments.all.contains(context.arguments.s) }", MISSED),
        ("when { [context.arguments.s, \"x\"].contains(context.arguments.t) }", MISSED),
        ("when { [context.arguments.s, context.arguments.t].contains(\"eur\") }", MET),
        ("when { context.arguments.some.containsAll(context.arguments.all) }", MISSED),
        ("when { context.arguments.all.containsAll(context.arguments.some) }", MET),
        ("when { context.arguments.all.containsAny([\"c\", \"d\"]) }", MISSED),
        ("when { [\"c\", \"b\"].containsAny(context.arguments.all) }", MET),
        ("when { context.arguments.all == [\"b\", \"a\"] }", MET),
        ("when { context.arguments.all == context.arguments.some }", MISSED),
        ("when { context.arguments.some == context.arguments.all }", MISSED),
        ("when { context.arguments.all != [\"b\", \"a\", \"b\"] }", MISSED),
        ("when { context.arguments.all.isEmpty() }", MISSED),
        ("when { context.arguments.numbers.contains(context.arguments.n + 2) }", MISSED),
        ("when { context.arguments.amounts.contains(decimal(\"20.0\")) }", MISSED),
        ("when { context.arguments.amounts == [decimal(\"19.9900\")] }", MET),
        ("when { resource.tags.contains(context.arguments.s) }", MISSED),
        ("when { [context.arguments.all].contains([\"a\"]) }", MISSED),
        // An element that cannot be reckoned is an error, wherever it stands.
        ("when { [1, context.arguments.n * 4611686018427387904].contains(1) }", ASKED),
        ("when { [context.arguments.s, context.arguments.id].contains(\"x\") }", ASKED),
    ]);
}

#[test]
fn it_is_known_who_asks_and_of_what() {
    // Without something of the call they are decided before it.
    let with_call =
        |condition: &str| format!("when {{ context.channel == \"http\" && ({condition}) }}");
    for (condition, expected) in [
        ("principal == Identity::\"bob\"", MISSED),
        ("principal == Identity::\"alice\"", MET),
        ("principal != Identity::\"alice\"", MISSED),
        ("principal in Group::\"night\"", MISSED),
        ("principal in Group::\"ops\"", MET),
        ("principal in [Group::\"night\", Group::\"day\"]", MET),
        ("principal in [Group::\"night\", Group::\"x\"]", MISSED),
        ("principal in Identity::\"ops\"", MISSED),
        ("principal in principal", MET),
        ("principal is Identity in Group::\"night\"", MISSED),
        ("principal is Identity in Group::\"ops\"", MET),
        ("[Identity::\"bob\", Identity::\"eve\"].contains(principal)", MISSED),
        ("principal.name like \"b*\"", MISSED),
        ("principal.name == context.arguments.s", MISSED),
        ("principal.hasTag(\"team\")", MISSED),
        ("principal.hasTag(\"tenant\") && principal.getTag(\"tenant\").contains(\"x\")", MISSED),
        (
            "principal.hasTag(\"tenant\") && principal.getTag(\"tenant\").contains(context.arguments.s)",
            MET,
        ),
        (
            "principal.hasTag(context.arguments.s) && principal.getTag(context.arguments.s).isEmpty()",
            MISSED,
        ),
        ("resource == Tool::\"refund\"", MET),
        ("resource in Api::\"shop\"", MET),
        ("resource in Api::\"bank\"", MISSED),
        ("!(resource in [Api::\"bank\", Api::\"bank\"])", MET),
        ("resource in [Api::\"shop\"]", MET),
        ("resource is Tool", MET),
        ("resource.effect == \"read\"", MISSED),
        ("resource.idempotent", MISSED),
        ("resource.name == context.arguments.s", MISSED),
        ("resource.tags.containsAll([\"orders\", \"day\"])", MISSED),
        ("action == Action::\"refund\"", MET),
        ("action in Action::\"call\"", MET),
        ("!(action in [Action::\"call\"])", MISSED),
        // Of others Cedar knows.
        ("Identity::\"bob\" in Group::\"ops\"", ASKED),
        ("Identity::\"bob\" in [Identity::\"bob\"]", MET),
        ("Identity::\"alice\" in Group::\"ops\"", MET),
    ] {
        look(&[(&with_call(condition), expected)]);
    }
}

#[test]
fn instants_are_compared_and_reckoned_with() {
    look(&[
        ("when { context.time.instant < datetime(\"2020-01-01\") }", MISSED),
        ("when { context.time.instant >= datetime(\"2026-11-02T10:30:00.001+0100\") }", MISSED),
        ("when { context.time.instant == datetime(\"2026-11-02T09:30:00Z\") }", MET),
        ("when { context.time.instant <= datetime(\"2026-11-02T09:30:00.000Z\") }", MET),
        ("when { context.time.instant > datetime(\"2026-11-02T09:30:00Z\") }", MISSED),
        (
            "when { context.time.instant.offset(duration(\"1h\")) < datetime(\"2020-01-01\") }",
            MISSED,
        ),
        (
            "when { context.time.instant.offset(duration(\"-9h30m\")) == datetime(\"2026-11-02\") }",
            MET,
        ),
        ("when { context.time.instant.toDate() == datetime(\"2026-11-02\") }", MET),
        ("when { context.time.instant.toDate() < datetime(\"2026-11-02\") }", MISSED),
        ("when { context.time.instant.toTime() < duration(\"9h\") }", MISSED),
        ("when { context.time.instant.toTime() >= duration(\"9h30m\") }", MET),
        ("when { context.time.instant.toTime() > duration(\"9h29m59s999ms\") }", MET),
        ("when { context.time.instant.toTime() <= duration(\"9h30m\") }", MET),
        ("when { context.time.instant.toTime() == duration(\"570m\") }", MET),
        ("when { context.time.instant.toTime().toMinutes() != 570 }", MISSED),
        (
            "when { context.time.instant.durationSince(datetime(\"2026-11-01\")).toHours() == 33 }",
            MET,
        ),
        // Towards zero, not downwards.
        (
            "when { context.time.instant.durationSince(datetime(\"2026-11-03\")).toHours() == -14 }",
            MET,
        ),
        (
            "when { context.time.instant.durationSince(datetime(\"2026-11-03T10:00:00Z\")).toDays() < -1 }",
            MISSED,
        ),
        (
            "when { context.time.instant.offset(duration(\"9223372036854775807ms\")) > datetime(\"2020-01-01\") }",
            ASKED,
        ),
    ]);
}

#[test]
fn what_else_there_is_is_cedars() {
    look(&[
        ("when { context.agent == {name: \"x\", version: \"y\"} }", ASKED),
        (
            "when { context.arguments has to && context.arguments has from && context.arguments.to != context.arguments.from }",
            ASKED,
        ),
        (
            "when { context.arguments has to && context.arguments has from && [context.arguments.to].contains(context.arguments.from) }",
            ASKED,
        ),
        ("when { {a: context.channel}.a == \"stdio\" }", ASKED),
        ("when { resource has name && context.channel == \"stdio\" }", ASKED),
        // Whether it is there Cedar would know from the types as well.
        ("when { context.agent has name && context.channel == \"stdio\" }", MISSED),
    ]);
}

#[test]
fn of_large_sets_cedar_is_asked_and_of_deep_conditions_not() {
    let texts: Vec<String> = (0..40).map(|n| format!("\"{n}\"")).collect();
    let set = |length: usize| format!("[{}]", texts[..length].join(", "));
    let table = [
        (format!("when {{ [context.channel, {}.containsAny({}) }}", &set(31)[1..], set(32)), MET),
        (format!("when {{ [context.channel, {}.containsAny({}) }}", &set(32)[1..], set(32)), ASKED),
        (format!("when {{ [context.channel, {}.containsAll({}) }}", &set(32)[1..], set(32)), ASKED),
        (format!("when {{ context.arguments.n{} < 3 }}", " + 1".repeat(240)), MISSED),
    ];
    // Cedar's own reading goes deep, the more so without optimisations.
    let whole = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
        for (condition, expected) in &table {
            look(&[(condition, *expected)]);
        }
    });
    whole.expect("a thread").join().expect("what is said is so");
}

/// A name is what it says, whatever it is written with.
#[test]
fn names_are_read_as_cedar_reads_them() {
    for name in ["a\"b", "a\\b", "ä\u{301}", "a b", "\t"] {
        let condition = format!(
            "when {{ context.channel == \"http\" && Group::{name:?} in Group::{name:?} && principal != Identity::{name:?} \
             && context.arguments.s == {name:?} }}"
        );
        let engine = Arc::new(compile(std::slice::from_ref(&condition)).expect("it compiles"));
        let arguments = object(json!({ "s": name }));
        let asked = asked(&arguments);
        assert_eq!(known(&engine, &asked), Some(vec![MET]), "{condition}");
        assert_eq!(cedar(&engine, &asked), [Outcome::Satisfied], "{condition}");
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
            let known = known(&engine, &asked).expect("a text is carried")[0];
            assert!(known.is_some(), "{pattern:?} on {text:?}");
            assert!(agree(known, &cedar(&engine, &asked)[0]), "{pattern:?} on {text:?}");
        }
    }
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

/// A whole number.
fn long() -> impl Strategy<Value = String> {
    let leaf = one_of(&[
        "context.arguments.n",
        "context.arguments.m",
        "context.time.local.hour",
        "0",
        "3",
        "-4",
        "4611686018427387904",
        "9223372036854775807",
        "-9223372036854775808",
    ]);
    leaf.prop_recursive(3, 8, 2, |inner| {
        let op = one_of(&["+", "-", "*"]);
        prop_oneof![
            3 => (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            1 => inner.clone().prop_map(|a| format!("(-({a}))")),
            1 => (inner.clone(), inner)
                .prop_map(|(a, b)| format!("(if context.arguments.n > 3 then {a} else {b})")),
        ]
    })
}

/// How long it is between two instants, which are seldom the same day.
fn duration() -> impl Strategy<Value = String> {
    let literal = one_of(&[
        "duration(\"0ms\")",
        "duration(\"9h30m\")",
        "duration(\"-1d2h\")",
        "duration(\"9223372036854775807ms\")",
        "duration(\"-9223372036854775808ms\")",
    ]);
    prop_oneof![
        literal,
        instant().prop_map(|at| format!("{at}.toTime()")),
        (instant(), instant()).prop_map(|(at, since)| format!("{at}.durationSince({since})")),
    ]
}

fn instant() -> impl Strategy<Value = String> {
    let leaf = one_of(&[
        "context.time.instant",
        "datetime(\"2026-11-02T09:30:00Z\")",
        "datetime(\"1969-12-31T23:59:59.999Z\")",
        "datetime(\"1950-03-01\")",
    ]);
    leaf.prop_recursive(2, 4, 1, |inner| {
        let by = one_of(&[
            "9h30m",
            "-23h59m59s999ms",
            "9223372036854775807ms",
            "-9223372036854775808ms",
        ]);
        prop_oneof![
            inner.clone().prop_map(|at| format!("{at}.toDate()")),
            (inner, by).prop_map(|(at, by)| format!("{at}.offset(duration(\"{by}\"))")),
        ]
    })
}

/// One that looks at when it is.
fn when() -> impl Strategy<Value = String> {
    let order = || one_of(&["<", "<=", ">", ">=", "==", "!="]);
    let unit = one_of(&["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"]);
    let number = one_of(&["0", "-1", "9", "570", "34200000"]);
    prop_oneof![
        (instant(), order(), instant()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        (duration(), order(), duration()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        (duration(), unit, order(), number)
            .prop_map(|(a, unit, op, b)| format!("({a}.{unit}() {op} {b})")),
    ]
}

fn text() -> impl Strategy<Value = String> {
    one_of(&[
        "context.arguments.s",
        "context.arguments.t",
        "\"EUR\"",
        "\"a\"",
        "context.channel",
        "principal.name",
        "resource.name",
        "resource.effect",
    ])
}

fn set() -> impl Strategy<Value = String> {
    prop_oneof![
        one_of(&[
            "context.arguments.all",
            "context.arguments.some",
            "resource.tags",
            "(if principal.hasTag(\"tenant\") then principal.getTag(\"tenant\") else [\"a\"])",
        ]),
        prop::collection::vec(text(), 1..4).prop_map(|all| format!("[{}]", all.join(", "))),
    ]
}

/// One that reckons, or looks at two values or at who asks.
fn relation() -> impl Strategy<Value = String> {
    let order = one_of(&["<", "<=", ">", ">=", "==", "!="]);
    let decimals = one_of(&["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"]);
    let decimal = || one_of(&["context.arguments.d", "decimal(\"5.25\")", "decimal(\"-1.5\")"]);
    let identity = || one_of(&["principal", "Identity::\"alice\"", "Identity::\"bob\""]);
    let above = one_of(&[
        "Group::\"ops\"",
        "Group::\"night\"",
        "[Group::\"night\", Group::\"day\"]",
        "principal",
        "[Identity::\"bob\", Identity::\"alice\"]",
    ]);
    let sets = one_of(&["containsAll", "containsAny"]);
    let same = || one_of(&["==", "!="]);
    prop_oneof![
        4 => (long(), order, long()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        1 => (decimal(), decimals, decimal()).prop_map(|(a, op, b)| format!("{a}.{op}({b})")),
        1 => (decimal(), same(), decimal()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        1 => (text(), same(), text()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        2 => (set(), text()).prop_map(|(a, b)| format!("{a}.contains({b})")),
        1 => (set(), sets, set()).prop_map(|(a, op, b)| format!("{a}.{op}({b})")),
        1 => (set(), same(), set()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        1 => set().prop_map(|a| format!("{a}.isEmpty()")),
        1 => (prop::collection::vec(long(), 1..3), long())
            .prop_map(|(all, one)| format!("[{}].contains({one})", all.join(", "))),
        1 => long().prop_map(|one| format!("context.arguments.numbers.contains({one})")),
        4 => when(),
        1 => (identity(), above).prop_map(|(a, b)| format!("({a} in {b})")),
        1 => (identity(), same(), identity()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        1 => one_of(&[
            "resource in Api::\"shop\"",
            "resource == Tool::\"refund\"",
            "resource.idempotent",
            "action in Action::\"call\"",
            "principal is Identity in Group::\"ops\"",
            "principal.hasTag(context.arguments.s)",
            "context.arguments.amounts.contains(context.arguments.d)",
            "[context.arguments.d, decimal(\"1.0\")].containsAny(context.arguments.amounts)",
        ]),
    ]
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
    let leaf = prop_oneof![leaf, relation()];
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
    let optional = (some(amount), some(count()), some(text()), some(express), some(tags), some(to));
    (optional, required()).prop_map(|((amount, count, currency, express, tags, to), required)| {
        let members = [
            ("amount", amount),
            ("count", count),
            ("currency", currency),
            ("express", express),
            ("tags", tags),
            ("to", to),
        ];
        let optional = members.into_iter().filter_map(|(n, v)| Some((n.to_owned(), v?)));
        optional.chain(required).collect()
    })
}

/// What should be there, and seldom is not.
fn required() -> impl Strategy<Value = Map<String, Value>> {
    let number = |texts| {
        one_of(texts).prop_map(|text| serde_json::from_str::<Value>(&text).expect("a number"))
    };
    let long = || number(&["0", "3", "4", "-4", "9223372036854775807", "-9223372036854775808"]);
    let decimal = || number(&["5.25", "-1.5", "1", "922337203685477.5807"]);
    let text = || one_of(&["", "EUR", "a", "alice", "refund", "tenant", "http"]);
    let texts = || prop::collection::vec(text(), 0..4);
    let lists = (
        texts(),
        texts(),
        prop::collection::vec(long(), 0..4),
        prop::collection::vec(decimal(), 0..3),
    );
    let all = (long(), long(), text(), text(), decimal(), lists);
    (all, prop::option::weighted(0.1, 0_usize..9)).prop_map(
        |((n, m, s, t, d, (all, some, numbers, amounts)), missing)| {
            let mut members = object(json!({
                "n": n, "m": m, "s": s, "t": t, "d": d, "all": all, "some": some,
                "numbers": numbers, "amounts": amounts,
            }));
            if let Some(name) = missing.and_then(|at| members.keys().nth(at).cloned()) {
                members.remove(&name);
            }
            members
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever the conditions and the call are.
    #[test]
    fn what_is_known_is_what_cedar_finds(
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
            let Some(known) = known(&engine, &asked) else { continue };
            for (at, outcome) in cedar(&engine, &asked).into_iter().enumerate() {
                let rule = engine.slices[0].rules[at].policy.to_string();
                prop_assert!(
                    agree(known[at], &outcome),
                    "{rule} on {call:?}: {:?} and {outcome:?}", known[at]
                );
            }
        }
    }

    /// One condition at a time reckons, compares or looks at who asks, so that no other hides it.
    #[test]
    fn each_relation_is_what_cedar_finds(
        relation in relation(),
        calls in prop::collection::vec(arguments(), 8),
    ) {
        let condition = format!("when {{ context.channel == \"http\" && {relation} }}");
        let Some(engine) = compile(std::slice::from_ref(&condition)) else { return Ok(()) };
        let engine = Arc::new(engine);
        for call in &calls {
            let asked = asked(call);
            let Some(known) = known(&engine, &asked) else { continue };
            let outcome = cedar(&engine, &asked).remove(0);
            prop_assert!(agree(known[0], &outcome), "{condition} on {call:?}: {outcome:?}");
            // Where it is not known, it is an error; of others than the caller Cedar knows.
            let failed = matches!(outcome, Outcome::Failed(_));
            prop_assert!(
                known[0].is_some() || failed || relation.contains("\"bob\" in") ,
                "{condition} on {call:?} is not known"
            );
        }
    }
}
