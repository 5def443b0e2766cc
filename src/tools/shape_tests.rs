use serde_json::{Value, json};

use super::*;

fn rule(pointer: &str) -> ArgumentRule {
    ArgumentRule::new(ArgumentPointer::parse(pointer).expect("a pointer"))
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "article": {"type": "string"},
            "tenant": {"type": "string"},
            "limit": {"type": "integer"},
            "body": {"$ref": "#/$defs/Body"},
        },
        "required": ["article", "tenant"],
        "additionalProperties": false,
        "$defs": {"Body": {
            "type": "object",
            "properties": {
                "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}, "admin": {"type": "boolean"}}}},
                "currency": {"type": "string"},
            },
        }},
    })
}

fn error(rules: &[ArgumentRule]) -> RuleError {
    let mut errors = compile(&schema(), rules).expect_err("a wrong rule");
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

fn applied(rules: &[ArgumentRule], given: &Value) -> Value {
    let compiled = compile(&schema(), rules).expect("rules that fit");
    let given = given.as_object().cloned().expect("an object");
    Value::Object(compiled.shape.apply(given).expect("arguments that fit"))
}

#[test]
fn hidden_fixed_and_renamed_arguments_leave_the_schema() {
    let rules = [
        ArgumentRule { fixed: Some(json!("acme")), ..rule("tenant") },
        ArgumentRule { rename: Some("sku".to_owned()), ..rule("article") },
        ArgumentRule { hide: true, ..rule("limit") },
        ArgumentRule {
            default: Some(json!("EUR")),
            description: Some("Of all amounts.".to_owned()),
            ..rule("/body/currency")
        },
        ArgumentRule {
            rename: Some("article".to_owned()),
            required: Some(true),
            ..rule("/body/lines/*/sku")
        },
        ArgumentRule { hide: true, ..rule("/body/lines/*/admin") },
    ];
    let judged = compile(&schema(), &rules).expect("rules that fit").judged;
    assert_eq!(
        judged["properties"],
        json!({
            "sku": {"type": "string"},
            "body": {"type": "object", "properties": {
                "lines": {"type": "array", "items": {
                    "type": "object",
                    "properties": {"article": {"type": "string"}},
                    "required": ["article"],
                }},
                "currency": {"type": "string", "description": "Of all amounts.", "default": "EUR"},
            }},
        })
    );
    assert_eq!(judged["required"], json!(["sku"]));
}

#[test]
fn arguments_find_their_way_back() {
    let rules = [
        ArgumentRule { fixed: Some(json!("acme")), ..rule("tenant") },
        ArgumentRule { rename: Some("sku".to_owned()), ..rule("article") },
        ArgumentRule { rename: Some("order".to_owned()), ..rule("body") },
        ArgumentRule { default: Some(json!("EUR")), ..rule("/body/currency") },
        ArgumentRule { rename: Some("article".to_owned()), ..rule("/body/lines/*/sku") },
        ArgumentRule { fixed: Some(json!(false)), ..rule("/body/lines/*/admin") },
    ];
    assert_eq!(
        applied(&rules, &json!({"sku": "a", "order": {"lines": [{"article": "b"}, {}]}})),
        json!({
            "article": "a",
            "body": {"lines": [{"sku": "b", "admin": false}, {"admin": false}], "currency": "EUR"},
            "tenant": "acme",
        })
    );
    assert_eq!(
        applied(&rules, &json!({"sku": "a"})),
        json!({"article": "a", "tenant": "acme"}),
        "a default waits for its object"
    );
    let compiled = compile(&schema(), &rules).expect("rules that fit");
    assert_eq!(compiled.shape.shown_pointer("/body/lines/3/sku"), "/order/lines/3/article");
    assert_eq!(compiled.shape.shown_pointer(""), "");
}

#[test]
fn arguments_of_the_operation_are_shown_as_an_agent_gives_them() {
    let rules = [
        ArgumentRule { fixed: Some(json!("acme")), ..rule("tenant") },
        ArgumentRule { rename: Some("sku".to_owned()), ..rule("article") },
        ArgumentRule { rename: Some("order".to_owned()), ..rule("body") },
        ArgumentRule { rename: Some("article".to_owned()), ..rule("/body/lines/*/sku") },
        ArgumentRule { hide: true, ..rule("/body/lines/*/admin") },
        ArgumentRule { default: Some(json!("EUR")), ..rule("/body/currency") },
    ];
    let shape = compile(&schema(), &rules).expect("rules that fit").shape;
    let members = |value: Value| value.as_object().cloned().expect("an object");
    let operation = json!({
        "article": "a", "tenant": "b", "body": {"lines": [{"sku": "c", "admin": true}]}
    });
    let agent = json!({"sku": "a", "order": {"lines": [{"article": "c"}]}});
    assert_eq!(Value::Object(shape.shown(&members(operation)).into_owned()), agent);
    assert_eq!(
        Value::Object(shape.given(members(agent))),
        json!({"article": "a", "body": {"lines": [{"sku": "c"}], "currency": "EUR"}}),
        "what is fixed is not an agent's to know"
    );
    // What cannot be looked into may hold what is hidden.
    let opaque = json!({"body": {"lines": ["text"]}});
    assert_eq!(
        Value::Object(shape.shown(&members(opaque)).into_owned()),
        json!({"order": {"lines": [null]}})
    );
}

#[test]
fn two_arguments_may_swap_their_names() {
    let rules = [
        ArgumentRule { rename: Some("tenant".to_owned()), ..rule("article") },
        ArgumentRule { rename: Some("article".to_owned()), ..rule("tenant") },
    ];
    let given = json!({"tenant": "a", "article": "t"});
    assert_eq!(applied(&rules, &given), json!({"article": "a", "tenant": "t"}));
    let compiled = compile(&schema(), &rules).expect("rules that fit");
    assert!(compiled.shape.trespasses(&given).is_empty());
}

#[test]
fn a_fixed_value_is_sent_whatever_is_above_it() {
    let rules = [ArgumentRule { fixed: Some(json!("EUR")), ..rule("/body/currency") }];
    for given in [json!({}), json!({"body": null}), json!({"body": {"currency": "USD"}})] {
        assert_eq!(applied(&rules, &given), json!({"body": {"currency": "EUR"}}), "{given}");
    }
    let compiled = compile(&schema(), &rules).expect("rules that fit");
    let given = json!({"body": "text"}).as_object().cloned().expect("an object");
    assert_eq!(compiled.shape.apply(given).expect_err("no place").pointer, "/body");
}

#[test]
fn an_open_object_is_no_way_around_a_rule() {
    let rules = [
        ArgumentRule { hide: true, ..rule("/body/lines/*/admin") },
        ArgumentRule { rename: Some("money".to_owned()), ..rule("/body/currency") },
    ];
    let compiled = compile(&schema(), &rules).expect("rules that fit");
    let given = json!({"body": {"currency": "x", "lines": [{}, {"admin": true}]}});
    let found: Vec<_> =
        compiled.shape.trespasses(&given).into_iter().map(|v| (v.pointer, v.suggestion)).collect();
    assert_eq!(
        found,
        [
            ("/body/lines/1/admin".to_owned(), None),
            ("/body/currency".to_owned(), Some("did you mean `money`?".to_owned())),
        ]
    );
    let found = compiled.shape.trespasses(&json!({"body": "{\"lines\":[{\"admin\":true}]}"}));
    assert_eq!(found.len(), 1);
}

#[test]
fn a_rule_that_cannot_hold_is_an_error_that_helps() {
    let unknown = error(&[rule("artikle")]);
    assert_eq!(unknown.help(), "did you mean `article`?");
    let unknown = error(&[rule("/body/lines/*/skuu")]);
    assert_eq!(unknown.help(), "did you mean `/body/lines/*/sku`?");
    let unknown = error(&[rule("zzz")]);
    assert_eq!(unknown.help(), "there are `article`, `tenant`, `limit`, `body`");

    assert!(matches!(
        error(&[ArgumentRule { hide: true, ..rule("tenant") }]),
        RuleError::Needed { .. }
    ));
    assert!(matches!(
        error(&[ArgumentRule { required: Some(false), ..rule("tenant") }]),
        RuleError::Needed { .. }
    ));
    assert!(matches!(
        error(&[ArgumentRule { fixed: Some(json!(5)), ..rule("tenant") }]),
        RuleError::UnfitValue { key: "fixed", .. }
    ));
    assert!(matches!(
        error(&[ArgumentRule {
            default: Some(json!(50)),
            max: Some("5".to_owned()),
            ..rule("limit")
        }]),
        RuleError::Impossible { .. }
    ));
    assert!(matches!(
        error(&[ArgumentRule { rename: Some("limit".to_owned()), ..rule("article") }]),
        RuleError::UnfitName { .. }
    ));
    assert!(matches!(
        error(&[ArgumentRule { rename: Some("a b".to_owned()), ..rule("article") }]),
        RuleError::UnfitName { .. }
    ));
    assert!(matches!(
        error(&[ArgumentRule { hide: true, ..rule("/body/lines/*") }]),
        RuleError::Impossible { .. }
    ));
    assert!(matches!(
        error(&[ArgumentRule { fixed: Some(json!(1)), default: Some(json!(1)), ..rule("limit") }]),
        RuleError::Contradiction { first: "fixed", second: "default", .. }
    ));
    assert!(matches!(error(&[rule("limit"), rule("/limit")]), RuleError::Impossible { .. }));
}

#[test]
fn every_wrong_rule_is_reported() {
    let errors = compile(&schema(), &[rule("x"), rule("y")]).expect_err("wrong rules");
    assert_eq!(errors.len(), 2);
}

#[test]
fn limits_are_shown_and_do_not_judge() {
    let rules = [ArgumentRule { max: Some("5".to_owned()), ..rule("limit") }];
    let compiled = compile(&schema(), &rules).expect("rules that fit");
    assert_eq!(compiled.shown["properties"]["limit"], json!({"type": "integer", "maximum": 5}));
    assert_eq!(compiled.judged, schema());
}
