//! What is decided on a call.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::json;
use support::{caller, compile, decide, decide_at, reason, tool, words};
use tollbridge_operation::{Effect, Identity};
use tollbridge_policy::{
    Consideration, Days, Decided, Deciders, HoldTerms, Hours, Outcome, ToolDef, ToolRules, Verdict,
    When, Who,
};

fn with(rules: ToolRules) -> Vec<ToolDef> {
    vec![ToolDef { rules, ..tool("refund", Effect::Write) }]
}

fn named(name: &str) -> Who {
    Who::Identity(Identity::new(name).unwrap())
}

#[test]
fn a_tool_without_rules_is_everyones() {
    let engine = compile(&[tool("refund", Effect::Write)], "");
    assert!(engine.is_open(0));
    let decided = decide(&caller(&engine, "eve", &[]), 0, json!({"amount": 1}));
    assert_eq!(words(&decided), "allow by refund.allow");
    assert!(decided.considered.is_empty());
}

#[test]
fn a_list_may_be_long() {
    let all = |kind: &str| (0..2_000).map(|at| named(&format!("{kind}-{at}"))).collect::<Vec<_>>();
    let both = || all("agent").into_iter().chain(all("watched"));
    let rules = ToolRules {
        allow: Some(both().chain([Who::Group("ops".to_owned())]).collect()),
        deny: all("gone"),
        hold: Some(all("watched")),
        when: None,
    };
    let engine = compile(&with(rules), "");
    for (identity, groups, expected) in [
        ("agent-0", [].as_slice(), "allow by refund.allow"),
        ("agent-1999", &[], "allow by refund.allow"),
        ("watched-1000", &[], "hold by refund.hold"),
        ("eve", &["ops"], "allow by refund.allow"),
        ("gone-1999", &["ops"], "deny by refund.deny"),
        ("agent-2000", &[], "deny by refund.allow"),
    ] {
        let decided = decide(&caller(&engine, identity, groups), 0, json!({"amount": 1}));
        assert_eq!(words(&decided), expected, "{identity}");
    }
}

#[test]
fn allow_deny_and_hold_of_a_tool_are_policies() {
    let rules = ToolRules {
        allow: Some(vec![named("alice"), Who::Group("ops".to_owned())]),
        deny: vec![named("mallory")],
        hold: Some(vec![Who::Group("trainees".to_owned())]),
        when: None,
    };
    let engine = compile(&with(rules), "");
    let table: &[(&str, &[&str], bool, &str)] = &[
        ("alice", &[], true, "allow by refund.allow"),
        ("bob", &["ops"], true, "allow by refund.allow"),
        ("bob", &["ops", "trainees"], true, "hold by refund.hold"),
        ("mallory", &["ops"], false, "deny by refund.deny"),
        ("eve", &[], false, "deny by refund.allow"),
        ("ops", &[], false, "deny by refund.allow"),
    ];
    for (identity, groups, listed, expected) in table {
        let caller = caller(&engine, identity, groups);
        assert_eq!(caller.may_see(0), *listed, "{identity}");
        let decided = decide(&caller, 0, json!({"amount": 1}));
        assert_eq!(words(&decided), *expected, "{identity}");
    }
}

#[test]
fn nobody_is_allowed_by_an_empty_list_but_by_a_policy() {
    let rules = ToolRules { allow: Some(Vec::new()), ..ToolRules::default() };
    let engine = compile(&with(rules.clone()), "");
    assert!(!caller(&engine, "alice", &[]).may_see(0));
    let engine = compile(
        &with(rules),
        "@id(\"small\") permit(principal, action == Action::\"refund\", resource)
         when { context.arguments.amount.lessThan(decimal(\"10.0\")) };",
    );
    let caller = caller(&engine, "alice", &[]);
    assert!(caller.may_see(0));
    assert_eq!(words(&decide(&caller, 0, json!({"amount": 9.9999}))), "allow by small");
    assert_eq!(words(&decide(&caller, 0, json!({"amount": 10}))), "deny by refund.allow");
}

#[test]
fn a_forbid_wins_over_a_hold_and_a_hold_over_a_permit() {
    let engine = compile(
        &[tool("refund", Effect::Write)],
        r#"
        @id("big") @reason("ask a manager for more than 100")
        forbid(principal, action in Action::"call", resource)
        when { context.arguments.amount.greaterThan(decimal("100.0")) };

        @id("medium") @hold("5m") @wait("2m") @ask("client, operator")
        forbid(principal, action, resource)
        when { context.arguments has amount && context.arguments.amount.greaterThan(decimal("50.0")) };

        @hold("2m") @wait("30s") @four_eyes
        forbid(principal, action, resource)
        when { context.arguments has count && context.arguments.count > 3 };
        "#,
    );
    let caller = caller(&engine, "alice", &[]);
    let small = decide(&caller, 0, json!({"amount": 50}));
    assert_eq!(words(&small), "allow by refund.allow");
    let medium = decide(&caller, 0, json!({"amount": 50.01, "count": 4}));
    let Verdict::Hold { rules, permits, terms } = medium.verdict else { panic!("{medium:?}") };
    assert_eq!(rules, ["medium", "shop.3"]);
    assert_eq!(permits, ["refund.allow"]);
    let strictest = HoldTerms {
        expires: Some(Duration::from_mins(2)),
        four_eyes: true,
        ask: Some(Deciders::OPERATORS),
        wait: Some(Duration::from_secs(30)),
    };
    assert_eq!(terms, strictest);
    let alone = decide(&caller, 0, json!({"amount": 51}));
    let Verdict::Hold { terms, .. } = alone.verdict else { panic!("{alone:?}") };
    assert_eq!(terms.ask, Some(Deciders { operator: true, client: true }));
    assert!(engine.may_ask_client(0));
    let big = decide(&caller, 0, json!({"amount": 101}));
    assert_eq!(words(&big), "deny by big");
    assert_eq!(reason(&big), "ask a manager for more than 100");
    let told = big.considered.iter().find(|one| one.rule == "big").unwrap();
    assert_eq!(*told.outcome, Outcome::Satisfied);
    let values: Vec<_> = told.values().collect();
    assert_eq!(values, [("context.arguments.amount", Some(&json!(101)))]);
}

#[test]
fn what_was_considered_is_told_with_what_stood_there_and_nothing_else_is() {
    let rules =
        ToolRules { allow: Some(vec![Who::Group("ops".to_owned())]), ..ToolRules::default() };
    let engine = compile(
        &with(rules),
        r#"
        @id("fraud") forbid(principal, action == Action::"refund", resource)
          when { context.arguments has currency && context.arguments.currency like "X*" };
        @id("dear") @hold("10m") forbid(principal, action == Action::"refund", resource)
          when { context.arguments.amount.greaterThan(decimal("50.0")) || resource.effect == "read" };
        "#,
    );
    let told = |decided: &Decided| -> Vec<String> {
        let line = |one: Consideration<'_>| {
            let values = one.values().map(|(name, value)| match value {
                Some(value) => format!(" {name}={value}"),
                None => format!(" {name} not there"),
            });
            let outcome = format!("{:?}", one.outcome);
            format!("{} {} {outcome}{}", one.effect, one.rule, values.collect::<String>())
        };
        decided.considered.iter().map(line).collect()
    };
    let asked = decide(&caller(&engine, "eve", &["ops"]), 0, json!({"amount": 60}));
    assert_eq!(
        told(&asked),
        [
            "permit refund.allow Satisfied principal=\"eve\" principal.groups=[\"ops\"]",
            "forbid fraud NotSatisfied context.arguments.currency not there",
            "hold dear Satisfied resource.effect=\"write\" context.arguments.amount=60",
        ]
    );
    // Who may never call it is refused without a look at the call.
    let hidden = decide(&caller(&engine, "mallory", &[]), 0, json!({"amount": 60}));
    assert_eq!(told(&hidden), ["permit refund.allow NotSatisfied principal=\"mallory\""]);
}

#[test]
fn what_cedar_cannot_hold_exactly_is_denied_where_a_policy_reads_it() {
    let engine = compile(
        &[tool("refund", Effect::Write)],
        r#"
        @id("big") forbid(principal, action, resource)
        when { context.arguments has amount && context.arguments.amount.greaterThan(decimal("100.0")) };
        @id("many") forbid(principal in Group::"trainees", action, resource)
        when { context.arguments has count && context.arguments.count > 10 };
        @id("raise") forbid(principal, action, resource)
        when { context.arguments has body.limit };
        @id("flag") forbid(principal, action, resource)
        when { context.arguments has body.deep.flag && context.arguments.body.deep.flag };
        "#,
    );
    let alice = caller(&engine, "alice", &[]);
    let trainee = caller(&engine, "bob", &["trainees"]);
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let ok = "allow by refund.allow";
    let table = [
        (&alice, r#"{"amount": 99.9999}"#, ok),
        (&alice, r#"{"amount": 100.00001}"#, "deny by big"),
        (&alice, r#"{"amount": 0.00001}"#, "deny by big"),
        (&alice, r#"{"amount": 1e400}"#, "deny by big"),
        (&alice, r#"{"amount": 1, "count": 9223372036854775808}"#, ok),
        (&trainee, r#"{"amount": 1, "count": 9223372036854775808}"#, "deny by many"),
        (&trainee, r#"{"amount": 1, "count": 9223372036854775807}"#, "deny by many"),
        (&trainee, r#"{"amount": 1, "count": 1e1}"#, ok),
        // A null is there: only whether it is can be asked.
        (&alice, r#"{"amount": 1, "body": {"limit": null}}"#, "deny by raise"),
        (&alice, r#"{"amount": 1, "body": {"limit": 3}}"#, "deny by raise"),
        (&alice, r#"{"amount": 1, "body": {}}"#, ok),
        (&alice, r#"{"amount": 1, "body": {"deep": null}}"#, "deny by flag"),
        (&alice, r#"{"amount": 1, "body": {"deep": {"flag": false}}}"#, ok),
        // Nobody reads it.
        (&alice, r#"{"amount": 1, "note": null, "odd": {"x": 1}}"#, ok),
    ];
    for (caller, arguments, expected) in table {
        assert_eq!(words(&decide(caller, 0, value(arguments))), expected, "{arguments}");
    }
    let decided = decide(&alice, 0, value(r#"{"amount": 0.00001}"#));
    assert!(
        reason(&decided).contains("`big` cannot be decided: /amount is a number"),
        "{decided:?}"
    );
}

#[test]
fn a_policy_that_fails_denies_the_call_and_is_named() {
    let engine = compile(
        &[tool("refund", Effect::Write)],
        r#"@id("sum") forbid(principal, action == Action::"refund", resource)
        when { context.arguments has count && context.arguments.count + 9223372036854775807 > 0 };"#,
    );
    let caller = caller(&engine, "alice", &[]);
    let decided = decide(&caller, 0, json!({"amount": 1, "count": 1}));
    assert_eq!(words(&decided), "deny by sum");
    assert!(reason(&decided).contains("overflow"), "{decided:?}");
}

#[test]
fn records_are_compared_whole_or_not_at_all() {
    let rules = ToolRules { allow: Some(Vec::new()), ..ToolRules::default() };
    let engine = compile(
        &with(rules),
        r#"@id("just") permit(principal, action == Action::"refund", resource)
        when { context.arguments has point && context.arguments.point == {x: 3} };"#,
    );
    let caller = caller(&engine, "alice", &[]);
    let of = |body| words(&decide(&caller, 0, json!({"amount": 1, "point": body})));
    assert_eq!(of(json!({"x": 3})), "allow by just");
    assert_eq!(of(json!({"x": 4})), "deny by refund.allow");
    assert_eq!(of(json!({"x": 3, "unknown": 1})), "deny by just");
}

#[test]
fn the_client_the_channel_and_the_tool_can_be_asked_about() {
    let engine = compile(
        &[tool("refund", Effect::Write), tool("look", Effect::Read)],
        r#"
        @id("writes") forbid(principal, action, resource is Tool)
        when { resource.effect == "write" && context.agent.name == "claude" && context.channel == "http" };
        @id("night") forbid(principal, action, resource in Api::"shop")
        when { context.time.local.hour < 6 || context.time.local.weekday > 5 };
        @id("over") forbid(principal, action, resource)
        when { context.time.instant >= datetime("2027-01-01") };
        "#,
    );
    let caller = caller(&engine, "alice", &[]);
    assert_eq!(words(&decide(&caller, 0, json!({"amount": 1}))), "deny by writes");
    assert_eq!(words(&decide(&caller, 1, json!({"amount": 1}))), "allow by look.allow");
    let later = support::NOON + 5 * 86_400_000_000;
    assert_eq!(words(&decide_at(&caller, 1, json!({"amount": 1}), later)), "deny by night");
    let year = support::NOON + 364 * 86_400_000_000;
    assert_eq!(words(&decide_at(&caller, 1, json!({"amount": 1}), year)), "deny by over");
}

fn open_at(when: &When, time: jiff::civil::DateTime) -> bool {
    let rules = ToolRules { when: Some(when.clone()), ..ToolRules::default() };
    let engine = compile(&with(rules), "");
    let caller = caller(&engine, "alice", &[]);
    assert!(caller.may_see(0), "a window may open again");
    let now = time.to_zoned(when.zone.clone()).unwrap().timestamp().as_microsecond();
    let decided = decide_at(&caller, 0, json!({"amount": 1}), now);
    match words(&decided).as_str() {
        "allow by refund.allow" => true,
        "deny by refund.when" => {
            assert!(reason(&decided).contains("may be called Mon-Fri"), "{decided:?}");
            false
        }
        other => panic!("{other}"),
    }
}

const WORKDAYS: Days = Days([true, true, true, true, true, false, false]);

#[test]
fn a_window_is_open_from_its_first_minute_and_up_to_its_last() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let when = When { days: WORKDAYS, hours: Hours { from: 480, to: 1_080 }, zone };
    let friday = date(2026, 11, 27);
    assert!(!open_at(&when, friday.at(7, 59, 59, 999_999_000)));
    assert!(open_at(&when, friday.at(8, 0, 0, 0)));
    assert!(open_at(&when, friday.at(17, 59, 59, 0)));
    assert!(!open_at(&when, friday.at(18, 0, 0, 0)));
    assert!(!open_at(&when, date(2026, 11, 28).at(12, 0, 0, 0)), "a Saturday");
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let when = When { days: WORKDAYS, hours: Hours { from: 1_320, to: 360 }, zone };
    assert!(open_at(&when, date(2026, 11, 27).at(23, 0, 0, 0)), "Friday night");
    assert!(open_at(&when, date(2026, 11, 28).at(5, 59, 0, 0)), "which ends on Saturday");
    assert!(!open_at(&when, date(2026, 11, 28).at(23, 0, 0, 0)), "Saturday night");
    assert!(!open_at(&when, date(2026, 11, 23).at(3, 0, 0, 0)), "of Sunday's there is none");
}

#[test]
fn windows_follow_the_clock_on_the_wall_when_it_is_changed() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let hours = Hours { from: 480, to: 1_080 };
    let all = Days([true; 7]);
    let rules =
        |zone| ToolRules { when: Some(When { days: all, hours, zone }), ..ToolRules::default() };
    let engine = compile(&with(rules(zone.clone())), "");
    let caller = caller(&engine, "alice", &[]);
    // 08:00 there is 07:00 UTC on the day before the change, and 06:00 UTC after it.
    let at = |text: &str| {
        let time: jiff::Timestamp = text.parse().unwrap();
        words(&decide_at(&caller, 0, json!({"amount": 1}), time.as_microsecond()))
    };
    assert_eq!(at("2026-03-28T06:30:00Z"), "deny by refund.when");
    assert_eq!(at("2026-03-29T06:30:00Z"), "allow by refund.allow");
}

#[test]
fn claims_of_a_token_are_tags_of_the_caller() {
    let engine = compile(
        &[tool("refund", Effect::Write)],
        r#"@id("tenant") forbid(principal, action, resource)
        unless { principal.hasTag("tenant") && principal.getTag("tenant").contains("acme") };"#,
    );
    let of = |claims: &[(&str, &[&str])]| {
        let values = |all: &[&str]| all.iter().map(ToString::to_string).collect();
        let claims = claims.iter().map(|(name, all)| ((*name).to_owned(), values(all))).collect();
        engine.caller(&Identity::new("alice").unwrap(), &BTreeSet::new(), claims).may_see(0)
    };
    assert!(of(&[("tenant", &["acme", "other"])]));
    assert!(!of(&[("tenant", &["other"])]));
    assert!(!of(&[]));
}
