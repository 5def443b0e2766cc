use serde_json::json;

use super::*;
use crate::tools::output::describing_output;

fn shape(select: &str) -> AnswerShape {
    AnswerShape { select: Some(Selector::parse(select).expect(select)), ..AnswerShape::default() }
}

fn selected(select: &str, value: &str) -> Value {
    let shaped = shape(select).apply(serde_json::from_str(value).expect("JSON"));
    assert_eq!((shaped.failed, shaped.cuts), (None, Vec::new()));
    shaped.value
}

#[test]
fn an_expression_selects_and_numbers_keep_their_digits() {
    let order = r#"{"id":9007199254740993,"lines":[{"sku":"a","quantity":1.10},{"sku":"b","quantity":2}],"total":1e400}"#;
    for (select, expected) in [
        ("id", "9007199254740993"),
        ("lines[].{sku: sku, qty: quantity}", r#"[{"qty":1.10,"sku":"a"},{"qty":2,"sku":"b"}]"#),
        ("lines[?quantity > `1.5`].sku", r#"["b"]"#),
        ("lines[?quantity == `2`].sku | [0]", r#""b""#),
        (
            "{id: id, n: length(lines), all: lines[*].sku}",
            r#"{"all":["a","b"],"id":9007199254740993,"n":2}"#,
        ),
        ("total", "1e+400"),
        ("to_number('5.50')", "5.50"),
        ("to_number(lines[0].quantity)", "1.10"),
        ("`{\"a\": [1, 2.50]}`", r#"{"a":[1,2.50]}"#),
        ("nothing.there", "null"),
    ] {
        assert_eq!(selected(select, order).to_string(), expected, "{select}");
    }
}

#[test]
fn what_is_no_expression_is_refused() {
    for text in ["lines[", "a..b", "frobnicate(a)", "{a: frobnicate(b)}", "a[?]", ""] {
        assert!(Selector::parse(text).is_err(), "{text}");
    }
    assert!(Selector::parse(&"[".repeat(5_000)).is_err());
    // As deep as it gets fits the stack of a thread of the runtime.
    for deep in [
        format!("{}a{}", "[".repeat(100), "]".repeat(100)),
        format!("a{}", ".a".repeat(100)),
        "!".repeat(100) + "a",
    ] {
        assert!(Selector::parse(&deep).expect("not too deep").apply(&json!({"a": 1})).is_ok());
        assert!(Selector::parse(&format!("[{deep}]")).is_err());
    }
}

#[test]
fn what_cannot_be_selected_is_not_shown_whole() {
    let shaped = shape("sum(lines)").apply(json!({"lines": "none", "secret": "x"}));
    assert_eq!(shaped.value, Value::Null);
    assert!(shaped.failed.is_some_and(|reason| reason.contains("expects type array")));
}

#[test]
fn rows_and_bytes_are_limited_and_told() {
    let rows = AnswerShape { rows: NonZeroU32::new(2), ..AnswerShape::default() };
    let shaped = rows.apply(json!([1, 2, 3]));
    assert_eq!(shaped.value, json!([1, 2]));
    assert_eq!(shaped.cuts, [Cut { pointer: "/result".into(), unit: "rows", kept: 2, total: 3 }]);
    let shaped = rows.apply(json!({"a/b": [1, 2, 3, 4], "c": [1], "d": {"e": [1, 2, 3]}}));
    assert_eq!(shaped.value, json!({"a/b": [1, 2], "c": [1], "d": {"e": [1, 2, 3]}}));
    assert_eq!(shaped.cuts[0].pointer, "/a~1b");

    let bytes = AnswerShape { bytes: Some(64), ..AnswerShape::default() };
    let shaped = bytes.apply(json!({"items": vec!["ääääääää"; 20]}));
    assert!(shaped.value.to_string().len() <= 64, "{}", shaped.value);
    assert_eq!(shaped.cuts[0].unit, "rows");
}

#[test]
fn the_published_schema_describes_what_is_left() {
    let full = Schema::new(json!({
        "type": "object",
        "properties": {
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
            "pages": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
            "total": {"type": "number", "description": "What it costs."},
        },
        "$defs": {"Line": {"type": "object", "properties": {
            "sku": {"type": "string"}, "quantity": {"type": "integer"}, "inner": {"$ref": "#/$defs/Line"},
        }}},
    }));
    let of = |select: &str| -> Value {
        serde_json::from_str(&describing_output(&shape(select).schema(&full))).unwrap()
    };
    for (select, expected) in [
        (
            "lines[].{sku: sku, qty: inner.quantity, has: contains(sku, 'a')}",
            json!({"type": "object", "properties": {"result": {
                "description": "list of object",
                "items": {"properties": {
                    "sku": {"description": "string"},
                    "qty": {"description": "integer"},
                    "has": {"description": "boolean"},
                }},
            }}}),
        ),
        (
            "lines[?quantity > `1`].sku",
            json!({"type": "object", "properties": {"result": {"description": "list of string"}}}),
        ),
        (
            "pages[]",
            json!({"type": "object", "properties": {"result": {"description": "list of string"}}}),
        ),
        (
            "total",
            json!({"type": "object", "description": "What it costs.", "properties": {"result": {"description": "number: What it costs."}}}),
        ),
        (
            "lines[0].inner.sku",
            json!({"type": "object", "properties": {"result": {"description": "string"}}}),
        ),
        (
            "lines[*].sku | sort(@) | join(', ', @)",
            json!({"type": "object", "properties": {"result": {"description": "string"}}}),
        ),
        ("lines[0].sku && total", json!({"type": "object"})),
    ] {
        assert_eq!(of(select), expected, "{select}");
    }
}

#[test]
fn a_schema_that_refers_to_its_root_is_left_open() {
    let full = Schema::new(json!({"type": "object", "properties": {"next": {"$ref": "#"}}}));
    assert_eq!(shape("next").schema(&full).into_value(), json!({}));
}

#[test]
fn what_an_expression_does_not_look_at_makes_no_difference() {
    let answer = json!({
        "status": "error", "n": 1.50, "list": [{"a": 1}, {"a": 2, "b": [3]}], "of": {"x": {"y": 7}},
        "rest": {"status": "fine"},
    });
    for text in [
        "status",
        "status == 'error'",
        "status == 'error' && n > `1`",
        "!missing || rest.status",
        "of.x.y",
        "of.*.y",
        "list[].a",
        "list[?a > `1`].b[]",
        "list[*].rest",
        "[status, length(list), keys(of)]",
        "{s: status, all: @.n}",
        "sort_by(list, &a)[0]",
        "length(@)",
        "keys(@)",
        "@",
        "*.y",
        "[0]",
    ] {
        let looked_at = Selector::parse(text).expect(text).apply(&answer);
        let whole = Selector::parse(&format!("@ | {text}")).expect(text).apply(&answer);
        assert_eq!(looked_at, whole, "{text}");
    }
}
