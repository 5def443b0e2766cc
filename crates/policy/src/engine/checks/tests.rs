use jiff::tz::TimeZone;
use serde_json::json;
use tollbridge_operation::Effect as OperationEffect;

use super::*;
use crate::decide::Effect;
use crate::found::FindList;
use crate::rules::{ToolRules, Who, policy};
use crate::window::{Days, Hours, When};

fn tool() -> ToolDef {
    ToolDef {
        name: "refund".to_owned(),
        api: "shop".to_owned(),
        operation: "refund".to_owned(),
        effect: OperationEffect::Write,
        idempotent: false,
        tags: Vec::new(),
        rules: ToolRules {
            allow: Some(vec![Who::Group("ops".to_owned())]),
            deny: vec![Who::Everyone],
            hold: Some(vec![Who::Everyone]),
            when: Some(When {
                days: Days([true; 7]),
                hours: Hours { from: 0, to: 60 },
                zone: TimeZone::UTC,
            }),
        },
        found: None,
    }
}

#[test]
fn a_rule_that_cannot_be_made_a_policy_is_an_error_at_its_key() {
    let tool = tool();
    // No condition of ours is one that Cedar does not have.
    assert!(
        policy("x", Effect::Forbid, &json!({"op": "All"}), Some(json!({"kind": "if"}))).is_none()
    );
    for (at, wanted) in ["allow", "deny", "hold", "when"].into_iter().enumerate() {
        let mut policies = tool.rules.policies(&tool.name);
        assert!(policies.iter().all(|(_, rule)| rule.is_some()));
        policies[at].1 = None;
        let mut problems = Vec::new();
        let kept = made(3, &tool, policies, &mut problems);
        assert_eq!((kept.len(), problems.len()), (3, 1), "{wanted}");
        assert_eq!(problems[0].entry, Some(Entry::Tool { tool: 3, key: wanted }));
        assert_eq!(problems[0].severity, Severity::Error);
        let message = format!("`{wanted}` of `refund` cannot be made a policy");
        assert_eq!(problems[0].message, message);
    }
}

#[test]
fn a_list_whose_policies_cannot_be_made_is_an_error() {
    let list = || List::new(&FindList { api: "shop".to_owned(), who: vec![Who::Everyone] });
    let mut problems = Vec::new();
    lists(&[list(), list().without_hold()], &mut problems);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].entry, Some(Entry::List(1)));
    assert_eq!(problems[0].severity, Severity::Error);
}
