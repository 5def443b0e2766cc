//! Odd schemas, odd names, and policies that cannot be evaluated.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use support::{caller, compile, decide, problems, reason, tool, words};
use tollbridge_operation::{Effect, Identity};
use tollbridge_policy::{
    Claims, Engine, Problem, Severity, Source, ToolDef, ToolRules, Verdict, Who,
};

fn of(input: &Value, text: &str) -> (Option<Arc<Engine>>, Vec<Problem>) {
    let sources = [Source { path: "odd.cedar".to_owned(), text: text.to_owned() }];
    let tools = [tool("refund", Effect::Write)];
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let (engine, problems) = Engine::compile(&tools, &|_| input.clone(), &sources, Some(&zone));
    (engine.map(Arc::new), problems)
}

fn errors(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    errors.map(|one| format!("{} {:?}", one.message, one.help)).collect::<Vec<_>>().join("\n")
}

/// Each operator that can fail does so in a policy of each effect, and beside others that would
/// let the call through.
#[test]
fn whatever_cannot_be_evaluated_denies_the_call() {
    let max = "9223372036854775807";
    for failing in [
        format!("context.arguments.count + {max} > 0"),
        format!("context.arguments.count * {max} > 0"),
        format!("(0 - context.arguments.count) - {max} > 0"),
        "-(0 - 9223372036854775807 - context.arguments.count + 1) > 0".to_owned(),
        format!("context.time.instant.offset(duration(\"{max}ms\")) > context.time.instant"),
        "datetime(\"0001-01-01\").offset(duration(\"-9223372036854775807ms\")).durationSince(context.time.instant) > duration(\"1ms\")".to_owned(),
        "(if context.arguments.count > 1 then context.arguments.count * 9223372036854775807 > 1 else false)".to_owned(),
    ] {
        for (effect, clause) in [
            ("permit", "when"),
            ("forbid", "when"),
            ("forbid", "unless"),
            ("@hold forbid", "when"),
            ("@hold forbid", "unless"),
        ] {
            let text = format!(
                "permit(principal, action, resource); @hold forbid(principal, action, resource);\n\
                 @id(\"bad\") {effect}(principal, action == Action::\"refund\", resource) {clause} {{ {failing} }};"
            );
            let input = json!({"type": "object", "required": ["count"],
                "properties": {"count": {"type": "integer"}}});
            let (engine, problems) = of(&input, &text);
            let engine = engine.unwrap_or_else(|| panic!("{failing}: {problems:?}"));
            let decided = decide(&caller(&engine, "alice", &[]), 0, json!({"count": 3}));
            assert_eq!(words(&decided), "deny by bad", "{effect} {clause} {failing}");
            assert!(reason(&decided).contains("`bad` cannot be decided"), "{decided:?}");
        }
    }
}

#[test]
fn an_argument_that_no_tool_has_is_an_error_wherever_it_is_named() {
    let tools = [tool("refund", Effect::Write), tool("look", Effect::Read)];
    for (scope, condition) in [
        (
            "action == Action::\"refund\"",
            "context.arguments has amonut && context.arguments.amonut > 3",
        ),
        (
            "action == Action::\"refund\"",
            "context.arguments has amonut || context.arguments.amount.greaterThan(decimal(\"9.0\"))",
        ),
        ("action in Action::\"call\"", "context.arguments has amonut"),
        (
            "action == Action::\"refund\"",
            "context.arguments has body.limt || context.channel == \"http\"",
        ),
        ("action == Action::\"refund\"", "!(context.arguments has body.deep.flga)"),
    ] {
        for effect in ["forbid", "@hold forbid", "permit"] {
            let text = format!("{effect}(principal, {scope}, resource) when {{ {condition} }};");
            let told = errors(&problems(&tools, &text));
            assert!(told.contains("did you mean"), "{text}\n{told}");
        }
    }
    // Where one of them has it, it is for that one.
    let input = |at: usize| match at {
        0 => support::input(0),
        _ => json!({"type": "object", "properties": {"id": {"type": "string"}}}),
    };
    let text = "forbid(principal, action in Action::\"call\", resource)
        when { context.arguments has id && context.arguments.id == \"7\" };";
    let sources = support::sources(text);
    let told = Engine::compile(&tools, &input, &sources, None).1;
    assert_eq!(errors(&told), "");
}

#[test]
fn an_argument_that_is_left_out_is_told_of_wherever_it_is_named_and_its_calls_are_denied() {
    let tools = [tool("refund", Effect::Write)];
    for condition in [
        "context.arguments has odd || context.channel == \"cli\"",
        "context.channel == \"cli\" || !(context.arguments has odd)",
        "(if context.channel == \"http\" then context.arguments has odd else false)",
        "[context.arguments has odd].contains(true)",
    ] {
        for effect in ["forbid", "@hold forbid", "permit"] {
            for clause in ["when", "unless"] {
                let text = format!(
                    "{effect}(principal, action == Action::\"refund\", resource) {clause} {{ {condition} }};"
                );
                let told = format!("{:?}", problems(&tools, &text));
                assert!(told.contains("`/odd` of `refund` is left out"), "{text}\n{told}");
                let (engine, _) = of(&support::input(0), &text);
                let Some(engine) = engine else { continue };
                let caller = caller(&engine, "alice", &[]);
                let with = decide(&caller, 0, json!({"amount": 1, "odd": "x"}));
                assert!(words(&with).starts_with("deny by"), "{text}: {with:?}");
            }
        }
    }
    let text = "forbid(principal, action == Action::\"refund\", resource)
        when { context.arguments has odd || context.channel == \"cli\" };";
    let caller = caller(&compile(&tools, text), "alice", &[]);
    assert_eq!(words(&decide(&caller, 0, json!({"amount": 1}))), "allow by refund.allow");
    let with = decide(&caller, 0, json!({"amount": 1, "odd": {}}));
    let why = "the policy `shop.1` cannot be decided: /odd is of a type that policies do not have";
    assert_eq!(reason(&with), why);
}

#[test]
fn arguments_may_have_any_name() {
    for name in [
        "a\"b",
        "a.b",
        "a::b",
        "größe",
        "",
        " ",
        "__entity",
        "__extn",
        "__expr",
        "__cedar",
        "if",
        "principal",
        "has",
        "a\\b",
        "x\u{0}y",
        "\u{1f600}",
        "type",
        "in",
    ] {
        let input = json!({"type": "object", "required": [name], "properties": {
            name: {"type": "integer"}, "body": {"type": "object", "properties": {name: {"type": "string"}}},
        }});
        let quoted: String = name
            .chars()
            .map(|c| match c {
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\0' => "\\0".to_owned(),
                c => c.to_string(),
            })
            .collect();
        let text = format!(
            "forbid(principal, action == Action::\"refund\", resource)
             when {{ context.arguments[\"{quoted}\"] > 3 ||
                (context.arguments has body && context.arguments.body has \"{quoted}\" && context.arguments.body[\"{quoted}\"] == \"no\") }};"
        );
        let (engine, problems) = of(&input, &text);
        let engine = engine.unwrap_or_else(|| panic!("{name:?}: {problems:?}"));
        let caller = caller(&engine, "alice", &[]);
        for (arguments, expected) in [
            (json!({name: 3}), "allow by refund.allow"),
            (json!({name: 4}), "deny by odd.1"),
            (json!({name: 3, "body": {name: "no"}}), "deny by odd.1"),
            (json!({name: 3, "body": {name: "yes"}}), "allow by refund.allow"),
        ] {
            assert_eq!(words(&decide(&caller, 0, arguments)), expected, "{name:?}");
        }
    }
}

#[test]
fn callers_and_groups_may_have_any_name() {
    for name in [
        "a\"b",
        "Identity::\"alice\"",
        "x::y",
        "größe",
        "a\\b",
        "*",
        "group:ops",
        "operator:ann",
        "https://id.example.com/u?a=1#x",
        "alice ",
        "Alice",
    ] {
        let Ok(identity) = Identity::new(name) else { continue };
        let literal = format!("{name:?}");
        let own = |name: &str| ToolRules {
            allow: Some(vec![Who::Identity(Identity::new(name).unwrap())]),
            ..ToolRules::default()
        };
        let tools = [ToolDef { rules: own(name), ..tool("refund", Effect::Write) }];
        let engine = compile(&tools, "");
        let may = |engine: &Arc<Engine>, identity: &str, groups: &[&str]| {
            caller(engine, identity, groups).may_see(0)
        };
        assert!(may(&engine, name, &[]), "{name}");
        assert!(!may(&engine, "alice", &[name]), "{name}");
        let closed = || ToolRules { allow: Some(Vec::new()), ..ToolRules::default() };
        let tools = [ToolDef { rules: closed(), ..tool("refund", Effect::Write) }];
        let engine = compile(
            &tools,
            &format!(
                "@id(\"p\") permit(principal == Identity::{literal}, action, resource);
             @id(\"g\") permit(principal in Group::{literal}, action, resource);"
            ),
        );
        let none = BTreeSet::new();
        let by = |identity: &Identity, groups: &BTreeSet<String>| {
            words(&decide(&engine.caller(identity, groups, Claims::new()), 0, json!({"amount": 1})))
        };
        let alice = Identity::new("alice").unwrap();
        let group = BTreeSet::from([name.to_owned()]);
        assert_eq!(by(&identity, &none), "allow by p", "{name}");
        assert_eq!(by(&alice, &group), "allow by g", "{name}");
        assert_eq!(by(&alice, &none), "deny by refund.allow", "{name}");
    }
}

#[test]
fn policies_of_two_files_have_names_of_their_own() {
    let tools = [tool("refund", Effect::Write)];
    let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let policy = "forbid(principal in Group::\"x\", action, resource);";
    let named = format!("@id(\"a\") {policy}");
    for (one, other) in [
        (file("a/shop.cedar", policy), file("b/shop.cedar", policy)),
        (file("a.cedar", &named), file("b.cedar", &named)),
    ] {
        let (engine, problems) = Engine::compile(&tools, &support::input, &[one, other], None);
        assert!(engine.is_none());
        let told = errors(&problems);
        assert!(told.contains("two policies `") && told.contains("another @id"), "{told}");
        assert_eq!(problems[0].site.source, Some(1), "the second one is pointed at");
    }
}

#[test]
fn what_a_schema_leaves_open_is_never_guessed() {
    let deep = (0..12).fold(
        json!({"type": "integer"}),
        |inner, _| json!({"type": "object", "properties": {"d": inner}}),
    );
    let input = json!({"type": "object", "properties": {
        "amount": {"type": ["number", "null"]},
        "rows": {"type": "array", "items": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}},
        "point": {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
        "map": {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "integer"}},
        "either": {"oneOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "object", "properties": {"b": {"type": "string"}}}]},
        "tree": {"$ref": "#/$defs/tree"},
        "deep": deep,
    }, "$defs": {"tree": {"type": "object", "properties": {
        "n": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}, "next": {"$ref": "#/$defs/tree"},
    }}}});
    let decided = |condition: &str, arguments: Value| {
        let text = format!(
            "@id(\"f\") forbid(principal, action == Action::\"refund\", resource) when {{ {condition} }};"
        );
        let (engine, problems) = of(&input, &text);
        match engine {
            None => format!("error: {}", errors(&problems)),
            Some(engine) => words(&decide(&caller(&engine, "alice", &[]), 0, arguments)),
        }
    };
    let allow = "allow by refund.allow";
    let amount =
        "context.arguments has amount && context.arguments.amount.greaterThan(decimal(\"10.0\"))";
    let rows = "context.arguments has rows && context.arguments.rows.contains({n: 3})";
    let map = "context.arguments has point && context.arguments.point == {a: 1}";
    let member = "context.arguments has map.a && context.arguments.map.a > 1";
    let next = "context.arguments has tree.next.next.n && context.arguments.tree.next.next.n > 1";
    for (condition, arguments, expected) in [
        (amount, json!({}), allow),
        (amount, json!({"amount": null}), "deny by f"),
        (rows, json!({"rows": [{"n": 3}]}), "deny by f"),
        (rows, json!({"rows": [{"n": 4}]}), allow),
        (rows, json!({"rows": [{"n": 4}, {"n": 3, "more": 1}]}), "deny by f"),
        (rows, json!({"rows": [{"n": 4}, null]}), "deny by f"),
        (map, json!({"point": {"a": 1}}), "deny by f"),
        (map, json!({"point": {"a": 2}}), allow),
        (map, json!({"point": {"a": 1, "other": 1}}), "deny by f"),
        (member, json!({"map": {"a": 1, "other": 9}}), allow),
        (next, json!({"tree": {"next": {"next": {"n": 2}}}}), "deny by f"),
        (next, json!({"tree": {"next": {"next": {"n": 1, "kids": [{}]}}}}), allow),
        (next, json!({"tree": {"next": null}}), "deny by f"),
    ] {
        assert_eq!(decided(condition, arguments.clone()), expected, "{condition} {arguments}");
    }
    for (condition, word) in [
        ("context.arguments has either.a", "/either"),
        ("context.arguments has deep.d.d.d.d.d.d.d.d.d", "nested too deep"),
        ("context.arguments has map.other", "map"),
    ] {
        let told = decided(condition, json!({}));
        assert!(told.starts_with("error: ") && told.contains(word), "{condition}: {told}");
    }
}

#[test]
fn a_hold_and_a_forbid_of_one_condition_forbid() {
    let engine = compile(
        &[tool("refund", Effect::Write)],
        r#"@id("h") @hold @four_eyes forbid(principal, action, resource) when { context.channel == "http" };
        @id("f") forbid(principal, action, resource) when { context.channel == "http" };"#,
    );
    let decided = decide(&caller(&engine, "alice", &[]), 0, json!({"amount": 1}));
    let Verdict::Deny { rules, .. } = &decided.verdict else { panic!("{decided:?}") };
    assert_eq!(rules, &["f"]);
}

#[test]
fn operations_may_have_any_name() {
    for name in ["shop/grüße", "shop/say \"hi\"", "shop/GET /a/{b}", "shop/a\\b", "shop/😀"] {
        let tools = [tool(name, Effect::Write), tool("other", Effect::Write)];
        let text = format!(
            "@id(\"a\") forbid(principal, action == Action::{name:?}, resource) when {{ context.channel == \"http\" }};
             @id(\"b\") forbid(principal, action, resource == Tool::{name:?});
             @id(\"c\") forbid(principal, action, resource) when {{ resource == Tool::{name:?} }};"
        );
        let engine = compile(&tools, &text);
        let caller = caller(&engine, "alice", &[]);
        assert!(!caller.may_see(0), "{name}");
        assert_eq!(words(&decide(&caller, 0, json!({"amount": 1}))), "deny by b, c", "{name}");
        assert_eq!(
            words(&decide(&caller, 1, json!({"amount": 1}))),
            "allow by other.allow",
            "{name}"
        );
    }
}
