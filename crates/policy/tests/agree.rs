//! What is listed and what is decided agree, whatever the policies are.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use support::{caller, compile, decide_at, tool};
use tollbridge_operation::{Effect, Identity};
use tollbridge_policy::{Claims, Days, Hours, Outcome, ToolDef, ToolRules, Verdict, When, Who};

/// One of these texts, as it stands: a bare text is a regular expression to proptest.
fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        Just(Who::Everyone),
        one_of(&["alice", "bob"]).prop_map(|name| Who::Identity(Identity::new(name).unwrap())),
        one_of(&["ops", "night"]).prop_map(Who::Group),
    ]
}

fn some(most: usize) -> impl Strategy<Value = Vec<Who>> {
    prop::collection::vec(who(), 0..most)
}

fn rules() -> impl Strategy<Value = ToolRules> {
    let when = prop::option::weighted(0.2, (any::<[bool; 7]>(), 0_u16..1_440, 1_u16..1_440));
    let list = prop::option::weighted(0.5, some(3));
    (list, some(2), prop::option::weighted(0.3, some(3)), when).prop_map(
        |(allow, deny, hold, when)| ToolRules {
            allow,
            deny,
            hold,
            when: when.map(|(days, from, length)| When {
                days: Days(days),
                hours: Hours { from, to: (from + length) % 1_440 },
                zone: jiff::tz::TimeZone::get("Europe/Berlin").unwrap(),
            }),
        },
    )
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("principal in Group::\"ops\"".to_owned()),
        Just("principal == Identity::\"alice\"".to_owned()),
        Just("principal.name == \"bob\"".to_owned()),
        Just(
            "(principal.hasTag(\"tenant\") && principal.getTag(\"tenant\").contains(\"acme\"))"
                .to_owned()
        ),
        Just("resource.effect == \"write\"".to_owned()),
        Just("resource.tags.contains(\"orders\")".to_owned()),
        Just("context.channel == \"http\"".to_owned()),
        Just("context.agent.name like \"cl*\"".to_owned()),
        Just("context.time.local.hour < 12".to_owned()),
        Just("context.time.instant < datetime(\"2027-01-01\")".to_owned()),
        Just("context.arguments.amount.lessThan(decimal(\"50.0\"))".to_owned()),
        Just("(context.arguments has count && context.arguments.count > 3)".to_owned()),
        Just(
            "(context.arguments has count && context.arguments.count * 4611686018427387904 > 3)"
                .to_owned()
        ),
        Just("(context.arguments has note && context.arguments.note == \"x\")".to_owned()),
        Just("context.arguments has body.limit".to_owned()),
        Just("(context.arguments has tags && context.arguments.tags.contains(\"a\"))".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("(if {a} then {b} else {c})")),
        ]
    })
}

/// A policy: its head, its kind of clause, and the condition.
#[derive(Debug, Clone)]
struct Written(String, String, String);

impl Written {
    fn text(&self) -> String {
        let Self(head, clause, condition) = self;
        format!("{head} {clause} {{ {condition} }};\n")
    }

    /// The same policy, in a form that tells nothing before there is a call.
    fn veiled(&self) -> String {
        let Self(head, clause, condition) = self;
        let always = "context.time.instant > datetime(\"1971-01-01\")";
        let condition = match clause.as_str() {
            "when" => format!("({condition}) && {always}"),
            _ => format!("({condition}) || !({always})"),
        };
        format!("{head} {clause} {{ {condition} }};\n")
    }
}

/// It permits nothing, which nobody knows before there is a call.
const NEVER: &str =
    "permit(principal, action, resource) when { context.time.instant < datetime(\"1971-01-01\") };";

/// Whether a tool's own list lets the caller call it.
fn lets(rules: &ToolRules, identity: &Identity, groups: &BTreeSet<String>) -> bool {
    let is = |who: &Who| who.matches(identity, groups);
    rules.allow.as_ref().is_none_or(|list| list.iter().any(is))
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Allow { .. } => "allow",
        Verdict::Deny { .. } => "deny",
        Verdict::Hold { .. } => "hold",
    }
}

fn policy() -> impl Strategy<Value = Written> {
    let effect = one_of(&["permit", "forbid", "@hold(\"1m\") forbid"]);
    let principal = one_of(&[
        "principal",
        "principal == Identity::\"alice\"",
        "principal in Group::\"ops\"",
        "principal is Identity in Group::\"night\"",
    ]);
    let action = one_of(&["action", "action in Action::\"call\"", "action == Action::\"refund\""]);
    let resource =
        one_of(&["resource", "resource == Tool::\"refund\"", "resource in Api::\"shop\""]);
    let clause = one_of(&["when", "unless"]);
    (effect, principal, action, resource, clause, condition()).prop_map(
        |(effect, principal, action, resource, clause, condition)| {
            // Each tool has arguments of its own: a condition on one is about that tool's calls.
            let action = if condition.contains("arguments") {
                "action == Action::\"refund\"".to_owned()
            } else {
                action
            };
            Written(format!("{effect}({principal}, {action}, {resource})"), clause, condition)
        },
    )
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let amount = one_of(&["1", "49.9999", "50", "0.00001", "1e30"]);
    let count = prop::option::of(one_of(&["0", "4", "99999999999999999999"]));
    let note = prop::option::of(prop_oneof![Just(json!("x")), Just(json!(null))]);
    let body = prop::option::of(prop_oneof![
        Just(json!({})),
        Just(json!({"limit": null})),
        Just(json!({"limit": 1})),
        Just(json!(null)),
    ]);
    let tags =
        prop::option::of(prop_oneof![Just(json!(["a"])), Just(json!([null])), Just(json!([]))]);
    (amount, count, note, body, tags).prop_map(|(amount, count, note, body, tags)| {
        let number = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let mut all = json!({"amount": number(&amount)});
        let members = [
            ("count", count.as_deref().map(number)),
            ("note", note),
            ("body", body),
            ("tags", tags),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                all[name] = value;
            }
        }
        all
    })
}

/// Within some weeks, and sometimes years later.
fn time() -> impl Strategy<Value = i64> {
    let week = 7 * 86_400_000_000_i64;
    prop_oneof![
        9 => (0..4 * week).prop_map(|after| support::NOON + after),
        1 => Just(support::NOON + 100 * week),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_allowed_or_held_is_listed_and_a_forbid_wins(
        rules in rules(),
        policies in prop::collection::vec(policy(), 0..5),
        (identity, groups, tenants) in (
            one_of(&["alice", "bob", "eve"]),
            prop::sample::subsequence(vec!["ops", "night"], 0..=2),
            prop::option::of(prop::sample::subsequence(vec!["acme", "other"], 0..=2)),
        ),
        calls in prop::collection::vec((value(), time()), 1..6),
    ) {
        let tools = [
            ToolDef { rules, ..tool("refund", Effect::Write) },
            tool("look", Effect::Read),
        ];
        let engine = compile(&tools, &policies.iter().map(Written::text).collect::<String>());
        // Whom the lists let call is reckoned here, so that nothing is hidden for want of a permit.
        let open = tools.clone().map(|tool| {
            let rules = ToolRules { allow: None, ..tool.rules };
            ToolDef { rules, ..tool }
        });
        let veiled = policies.iter().map(Written::veiled).chain([NEVER.to_owned()]);
        let veiled = compile(&open, &veiled.collect::<String>());
        for (at, tool) in tools.iter().enumerate() {
            let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect();
            let claims = tenants.iter().map(|all| ("tenant".to_owned(), texts(all))).collect();
            let claims: Claims = claims;
            let identity = Identity::new(&*identity).unwrap();
            let in_groups: BTreeSet<String> = texts(&groups);
            let caller = engine.caller(&identity, &in_groups, claims.clone());
            let slow = veiled.caller(&identity, &in_groups, claims);
            for (arguments, now) in &calls {
                let decided = decide_at(&caller, at, arguments.clone(), *now);
                let is = |effect: &str, wanted: fn(&Outcome) -> bool| {
                    decided.considered.iter().any(|one| one.effect == effect && wanted(one.outcome))
                };
                // What is known before the call hides nothing that the call would have been let do.
                let whole = decide_at(&slow, at, arguments.clone(), *now);
                let permitted = lets(&tool.rules, &identity, &in_groups)
                    || whole.considered.iter().any(|one| {
                        one.effect == "permit"
                            && *one.outcome == Outcome::Satisfied
                            && one.rule != format!("{}.allow", tool.name)
                    });
                let expected = if permitted { word(&whole.verdict) } else { "deny" };
                prop_assert_eq!(word(&decided.verdict), expected, "{:?}", whole);
                let satisfied = |outcome: &Outcome| *outcome == Outcome::Satisfied;
                let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
                let refused = is("forbid", satisfied)
                    || ["permit", "forbid", "hold"].iter().any(|effect| is(effect, failed));
                match &decided.verdict {
                    Verdict::Deny { .. } => {}
                    Verdict::Allow { .. } => {
                        prop_assert!(caller.may_see(at), "allowed and not listed");
                        prop_assert!(!refused && !is("hold", satisfied), "{decided:?}");
                    }
                    Verdict::Hold { .. } => {
                        prop_assert!(caller.may_see(at), "held and not listed");
                        prop_assert!(!refused && is("permit", satisfied), "{decided:?}");
                    }
                }
            }
        }
    }
}

/// The property above would hold if everything were listed. This is what it would miss.
#[test]
fn what_no_call_could_reach_is_not_listed() {
    let closed = || ToolRules { allow: Some(Vec::new()), ..ToolRules::default() };
    let tools = [ToolDef { rules: closed(), ..tool("refund", Effect::Write) }];
    let table = [
        ("permit(principal in Group::\"ops\", action, resource) when { context.channel == \"http\" };", "ops"),
        ("permit(principal, action, resource) when { principal in Group::\"ops\" && context.channel == \"http\" };", "ops"),
        ("permit(principal, action in Action::\"call\", resource) when { context.arguments.amount.lessThan(decimal(\"1.0\")) };
          forbid(principal, action, resource) unless { principal in Group::\"ops\" && context.channel == \"http\" };", "ops"),
        ("permit(principal, action, resource) when { context.channel == \"http\" };
          forbid(principal, action, resource) unless { principal in Group::\"ops\" };", "ops"),
    ];
    for (policies, group) in table {
        let engine = compile(&tools, policies);
        assert!(caller(&engine, "alice", &[group]).may_see(0), "{policies}");
        assert!(!caller(&engine, "alice", &[]).may_see(0), "{policies}");
    }
}
