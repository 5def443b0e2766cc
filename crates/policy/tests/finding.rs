//! Who may find operations that are no tools, and what holds for their calls.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use support::{caller, decide, input, sources, tool, words};
use tollbridge_operation::{Effect, Identity};
use tollbridge_policy::{
    Caller, Engine, FindList, Finding, FoundDef, Outlook, Problem, ToolDef, ToolRules, Who,
};

const EFFECTS: [Effect; 3] = [Effect::Read, Effect::Write, Effect::Destructive];

/// `shop/read`, `shop/write` and `shop/destructive`, for `ops` and `ann` to find.
fn compiled(text: &str) -> (Option<Engine>, Vec<Problem>) {
    let names = ["shop/read", "shop/write", "shop/destructive"];
    let defs: Vec<ToolDef> =
        names.iter().zip(EFFECTS).map(|(name, effect)| tool(name, effect)).collect();
    let operations: Vec<FoundDef> =
        defs.iter().map(|def| FoundDef { operation: def.clone(), list: 0 }).collect();
    let tools: Vec<ToolDef> =
        defs.into_iter().enumerate().map(|(at, def)| ToolDef { found: Some(at), ..def }).collect();
    let who = vec![Who::Group("ops".to_owned()), Who::Identity(Identity::new("ann").unwrap())];
    let lists = [FindList { api: "shop".to_owned(), who }];
    let finding = Finding { lists: &lists, operations: &operations };
    let sources = if text.is_empty() { Vec::new() } else { sources(text) };
    Engine::compile_finding(&tools, finding, &input, &sources, None)
}

fn engine(text: &str) -> Arc<Engine> {
    let (engine, problems) = compiled(text);
    Arc::new(engine.unwrap_or_else(|| panic!("{problems:#?}")))
}

fn told(text: &str) -> String {
    let (_, problems) = compiled(text);
    let words = problems.iter().map(|problem| format!("{} {:?}", problem.message, problem.help));
    words.collect::<Vec<_>>().join("\n")
}

/// What each of the three operations comes to.
fn outlooks(caller: &Caller) -> [Outlook; 3] {
    [0, 1, 2].map(|at| caller.outlook(at))
}

use Outlook::{Depends, Free, Held, Refused};

#[test]
fn who_is_on_the_list_finds_and_reads_and_is_held_where_it_writes() {
    let engine = engine("");
    for (identity, groups, expected) in [
        ("ann", &[][..], [Free, Held, Held]),
        ("bob", &["ops"], [Free, Held, Held]),
        ("eve", &[], [Refused; 3]),
    ] {
        assert_eq!(outlooks(&caller(&engine, identity, groups)), expected, "{identity}");
    }
    let ann = caller(&engine, "ann", &[]);
    assert_eq!(words(&decide(&ann, 0, json!({"amount": 1}))), "allow by shop.discover");
    assert_eq!(words(&decide(&ann, 1, json!({"amount": 1}))), "hold by shop.discover.hold");
    let eve = caller(&engine, "eve", &[]);
    assert!(words(&decide(&eve, 0, json!({"amount": 1}))).starts_with("deny"));
}

#[test]
fn a_policy_that_speaks_of_a_write_lifts_its_hold() {
    let table = [
        // It names the operation, its action, its API; or it reads what it is.
        (r#"permit(principal, action in Action::"call", resource == Tool::"shop/write");"#, Free),
        (r#"permit(principal, action == Action::"shop/write", resource);"#, Free),
        (r#"permit(principal, action in Action::"call", resource in Api::"shop");"#, Free),
        (
            r#"permit(principal, action in Action::"call", resource) when { resource.effect == "write" };"#,
            Free,
        ),
        // It speaks of every call.
        (r#"permit(principal, action in Action::"call", resource);"#, Held),
        ("permit(principal, action, resource);", Held),
        // It is about somebody else.
        (
            r#"permit(principal == Identity::"bob", action in Action::"call", resource in Api::"shop");"#,
            Held,
        ),
        // It depends on the call, which another one reads: the hold does not.
        (r#"forbid(principal, action, resource) when { context.channel == "cli" };"#, Held),
        // It depends on the call.
        (
            r#"permit(principal, action == Action::"shop/write", resource) when { context.arguments.amount.lessThan(decimal("5.0")) };"#,
            Depends,
        ),
    ];
    for (text, expected) in table {
        let engine = engine(text);
        let ann = caller(&engine, "ann", &[]);
        assert_eq!(ann.outlook(1), expected, "{text}");
        // Nobody finds what they may only call; what is permitted altogether is found as well.
        let all = text.starts_with("permit(principal, action, resource)");
        let eve = if all { Held } else { Refused };
        assert_eq!(caller(&engine, "eve", &[]).outlook(1), eve, "{text}");
    }
    let small = engine(table[8].0);
    let ann = caller(&small, "ann", &[]);
    assert!(words(&decide(&ann, 1, json!({"amount": 1}))).starts_with("allow"));
    assert!(words(&decide(&ann, 1, json!({"amount": 9}))).starts_with("hold"));
}

#[test]
fn policies_on_discover_say_who_finds_what() {
    let hides = engine(
        r#"forbid(principal == Identity::"ann", action == Action::"discover", resource)
             when { resource.effect == "destructive" };
           permit(principal == Identity::"eve", action == Action::"discover",
             resource == Operation::"shop/read");"#,
    );
    assert_eq!(outlooks(&caller(&hides, "ann", &[])), [Free, Held, Refused]);
    assert_eq!(outlooks(&caller(&hides, "bob", &["ops"])), [Free, Held, Held]);
    // She finds what she could not call: she sees nothing of it.
    let eve = caller(&hides, "eve", &[]);
    assert!(eve.may_find(0) && !eve.may_see(0));
    let both = engine(
        r#"permit(principal == Identity::"eve", action, resource in Api::"shop")
             when { resource.effect == "read" };"#,
    );
    assert_eq!(outlooks(&caller(&both, "eve", &[])), [Free, Refused, Refused]);
}

#[test]
fn what_makes_no_sense_of_finding_is_refused() {
    let table = [
        (
            r#"forbid(principal, action == Action::"discover", resource) when { context.channel == "cli" };"#,
            "reads the call",
        ),
        (r#"@hold forbid(principal, action == Action::"discover", resource);"#, "nobody waits"),
        (
            r#"forbid(principal, action == Action::"discover", resource == Operation::"shop/raed");"#,
            "did you mean Operation::\\\"shop/read\\\"",
        ),
        (r#"forbid(principal, action == Action::"discover", resource is Tool);"#, "discover"),
    ];
    for (text, expected) in table {
        let told = told(text);
        assert!(told.contains(expected), "{text}\n{told}");
    }
}

fn policy() -> impl Strategy<Value = String> {
    let effect = prop_oneof![Just("permit"), Just("forbid"), Just("@hold forbid")];
    let principal = prop_oneof![
        Just("principal"),
        Just(r#"principal == Identity::"ann""#),
        Just(r#"principal in Group::"ops""#),
        Just(r#"principal == Identity::"eve""#),
    ];
    let action = prop_oneof![
        Just("action"),
        Just(r#"action in Action::"call""#),
        Just(r#"action == Action::"shop/write""#),
    ];
    let condition = prop_oneof![
        Just(""),
        Just(r#" when { resource.effect == "read" }"#),
        Just(r#" unless { resource.effect == "destructive" }"#),
        Just(r#" when { context.channel == "http" }"#),
    ];
    (effect, principal, action, condition).prop_map(|(effect, principal, action, condition)| {
        format!("{effect} ({principal}, {action}, resource){condition};")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the policies are: who is shown an operation may find it, some call of it is not
    /// refused, and a tool with the list's rules would be decided on alike but for the hold.
    #[test]
    fn nobody_sees_what_they_may_neither_find_nor_call(
        texts in proptest::collection::vec(policy(), 0..4)
    ) {
        let text = texts.join("\n");
        let (found, _) = compiled(&text);
        prop_assume!(found.is_some());
        let found = Arc::new(found.unwrap());
        let who = vec![Who::Group("ops".to_owned()), Who::Identity(Identity::new("ann").unwrap())];
        let rules = |effect| ToolRules {
            allow: Some(who.clone()),
            hold: (effect != Effect::Read).then(|| vec![Who::Everyone]),
            ..ToolRules::default()
        };
        let names = ["shop/read", "shop/write", "shop/destructive"];
        let tools: Vec<ToolDef> = names
            .iter()
            .zip(EFFECTS)
            .map(|(name, effect)| ToolDef { rules: rules(effect), ..tool(name, effect) })
            .collect();
        let sources = if text.is_empty() { Vec::new() } else { sources(&text) };
        let (curated, _) = Engine::compile(&tools, &input, &sources, None);
        prop_assume!(curated.is_some());
        let curated = Arc::new(curated.unwrap());
        for (identity, groups) in [("ann", &[][..]), ("bob", &["ops"]), ("eve", &[])] {
            let (one, other) = (caller(&found, identity, groups), caller(&curated, identity, groups));
            for at in 0..3 {
                let verdict = words(&decide(&one, at, json!({"amount": 1})));
                let word = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
                prop_assert_eq!(one.may_see(at), one.outlook(at) != Refused);
                if !one.may_see(at) {
                    prop_assert_eq!(word(&verdict), "deny", "{} {}", identity, at);
                    continue;
                }
                prop_assert!(one.may_find(at) && other.may_see(at), "{} {}", identity, at);
                let tools = words(&decide(&other, at, json!({"amount": 1})));
                // A tool's own hold is not lifted: that is all that may differ.
                let same = word(&verdict) == word(&tools)
                    || word(&verdict) == "allow" && word(&tools) == "hold";
                prop_assert!(same, "{} {}: {} and {}", identity, at, verdict, tools);
            }
        }
    }
}
