//! Limits on arguments: safety's rules, compiled.
//!
//! They are checked on the arguments as they will be sent, under the operation's own names,
//! with fixed and default values in. Numbers are compared exactly as they are written, also
//! where they are written in strings, as SOAP's are. A value that a limit cannot judge
//! breaks it. An argument that is absent passes: that it must be there is another rule.

use serde_json::{Map, Number, Value, json};
use tollbridge_operation::{Arguments, Decimal};

use super::judge::Judge;
use super::place;
use super::pointer::{ArgumentPointer, At, Found, Step, visit_members};
use super::rule::{ArgumentRule, RuleError};
use super::schema::{Types, Walk, choices};
use super::text;

/// How many broken limits are reported for one call.
const REPORTED: usize = 20;

/// The limits of one tool.
#[derive(Debug, Default)]
pub struct Limits(Vec<Limit>);

/// A limit that a call breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitBroken {
    /// The limit's name in the audit trail: `args.amount.max=500`.
    pub rule: String,
    /// A JSON pointer into the arguments, under the names that the agent knows.
    pub pointer: String,
    /// What is allowed, in words; no part of the value.
    pub message: String,
}

#[derive(Debug)]
struct Limit {
    rule: String,
    steps: Vec<Step>,
    shown: Vec<Step>,
    check: Check,
    message: String,
}

#[derive(Debug)]
enum Check {
    Min(Decimal),
    Max(Decimal),
    Enum {
        values: Vec<Value>,
        /// A text may be a number, as SOAP's are.
        numeric: bool,
    },
    Pattern(Box<Judge>),
    MaxLength(u64),
}

impl Limits {
    /// The limits that the arguments break, at most 20.
    pub fn check(&self, arguments: &Arguments) -> Vec<LimitBroken> {
        let mut broken = Vec::new();
        for limit in &self.0 {
            visit_members(&arguments.0, &limit.steps, &limit.shown, &At::TOP, &mut |at, found| {
                let holds = match found {
                    Found::Value(value) => limit.check.holds(value),
                    Found::Obstacle => false,
                };
                if !holds && broken.len() < REPORTED {
                    broken.push(LimitBroken {
                        rule: limit.rule.clone(),
                        pointer: text::cut(&at.to_string(), 300),
                        message: limit.message.clone(),
                    });
                }
            });
        }
        broken
    }

    /// Whether a limit is on a value of some kind.
    pub(super) fn read(&self, arguments: &Arguments, kind: impl Fn(&Value) -> bool) -> bool {
        let mut any = false;
        for limit in &self.0 {
            visit_members(&arguments.0, &limit.steps, &limit.shown, &At::TOP, &mut |_, found| {
                any |= matches!(found, Found::Value(value) if kind(value));
            });
        }
        any
    }

    /// The first limit at that very place which the value breaks.
    pub(super) fn broken_by(&self, pointer: &ArgumentPointer, value: &Value) -> Option<&str> {
        let limits = self.0.iter().filter(|limit| limit.steps == pointer.steps());
        limits.into_iter().find(|limit| !limit.check.holds(value)).map(|limit| limit.rule.as_str())
    }

    /// The names of the limits, as the audit trail has them.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|limit| limit.rule.as_str())
    }

    /// Compiles one argument's limits and adds them. `shown` are the steps as the agent
    /// names them, `leaves` the schemas of the argument.
    pub(super) fn add(
        &mut self,
        walk: &Walk<'_>,
        rule: &ArgumentRule,
        shown: &[Step],
        leaves: &[&Value],
    ) -> Result<(), RuleError> {
        let types = leaves.iter().fold(Types::NONE, |t, leaf| t.or(walk.types(leaf, 0)));
        let numbers_in_text = leaves.iter().any(|leaf| is_numeric_text(leaf));
        let pointer = &rule.pointer;
        let min = bound(pointer, "min", rule.min.as_deref())?;
        let max = bound(pointer, "max", rule.max.as_deref())?;
        if let (Some(min), Some(max)) = (&min, &max)
            && min > max
        {
            let reason = "`min` is greater than `max`".to_owned();
            return Err(RuleError::Impossible { pointer: pointer.clone(), reason });
        }
        let fits = |limit, wanted: Types, also: bool| {
            if types.overlaps(wanted) || also {
                return Ok(());
            }
            let found = types.words();
            Err(RuleError::UnfitLimit { pointer: pointer.clone(), limit, found })
        };
        let mut push = |key: &str, text: &str, check: Check, message: String| {
            self.0.push(Limit {
                rule: format!("args.{pointer}.{key}={}", text::cut(&text::clean_line(text), 80)),
                steps: pointer.steps().to_vec(),
                shown: shown.to_vec(),
                check,
                message,
            });
        };
        if let (Some(min), Some(text)) = (min, &rule.min) {
            fits("min", Types::NUMBER, numbers_in_text)?;
            push("min", text, Check::Min(min), format!("a number that is at least {text}"));
        }
        if let (Some(max), Some(text)) = (max, &rule.max) {
            fits("max", Types::NUMBER, numbers_in_text)?;
            push("max", text, Check::Max(max), format!("a number that is at most {text}"));
        }
        if let Some(values) = &rule.enum_ {
            let numeric = numbers_in_text || types.overlaps(Types::NUMBER);
            for value in values {
                let number_as_text =
                    numeric && value.as_str().is_some_and(|t| Decimal::parse(t).is_some());
                fits("enum", Types::of(value), number_as_text)?;
            }
            let check = Check::Enum { values: values.clone(), numeric };
            push("enum", &Value::Array(values.clone()).to_string(), check, choices(values));
        }
        if let Some(pattern) = &rule.pattern {
            fits("pattern", Types::STRING, false)?;
            let judge = Judge::pattern(pattern)
                .map_err(|reason| RuleError::InvalidPattern { pointer: pointer.clone(), reason })?;
            let message = format!("text that matches `{}`", text::cut(pattern, 200));
            push("pattern", pattern, Check::Pattern(Box::new(judge)), message);
        }
        if let Some(length) = rule.max_length {
            fits("max_length", Types::STRING, false)?;
            let message = format!("text of at most {length} characters");
            push("max_length", &length.to_string(), Check::MaxLength(length), message);
        }
        Ok(())
    }
}

fn bound(
    pointer: &ArgumentPointer,
    limit: &'static str,
    text: Option<&str>,
) -> Result<Option<Decimal>, RuleError> {
    let Some(text) = text else { return Ok(None) };
    Decimal::parse(text).map(Some).ok_or_else(|| RuleError::InvalidNumber {
        pointer: pointer.clone(),
        limit,
        text: text::cut(text, 40),
    })
}

/// A text whose format says that it is a number (the registry of formats for `OpenAPI`).
pub(super) fn is_numeric_text(leaf: &Value) -> bool {
    const FORMATS: [&str; 14] = [
        "decimal",
        "decimal128",
        "double",
        "float",
        "int8",
        "int16",
        "int32",
        "int64",
        "integer",
        "number",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
    ];
    leaf.get("format").and_then(Value::as_str).is_some_and(|format| FORMATS.contains(&format))
}

impl Check {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Min(min) => number(value).is_some_and(|number| number >= *min),
            Self::Max(max) => number(value).is_some_and(|number| number <= *max),
            Self::Enum { values, numeric } => {
                values.iter().any(|known| same(known, value, *numeric))
            }
            // A number's digits go to the wire as they are written: that is its text.
            Self::Pattern(judge) => match value {
                Value::String(_) => judge.accepts(value),
                Value::Number(number) => judge.accepts(&Value::String(number.to_string())),
                _ => false,
            },
            Self::MaxLength(length) => {
                let fits = |count: usize| u64::try_from(count).is_ok_and(|count| count <= *length);
                match value {
                    Value::String(text) => fits(text.chars().count()),
                    Value::Number(number) => fits(number.to_string().chars().count()),
                    _ => false,
                }
            }
        }
    }
}

pub(super) fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => Decimal::parse(&number.to_string()),
        Value::String(text) => Decimal::parse(text),
        _ => None,
    }
}

/// Equality as JSON Schema has it (core §4.2.2): numbers by value, objects in any order.
pub(super) fn same(left: &Value, right: &Value, numeric: bool) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => number(left) == number(right),
        // `01` and `1` may be two ids: a text means a number only beside one.
        (Value::Number(_), Value::String(_)) | (Value::String(_), Value::Number(_)) => {
            numeric && number(left).is_some() && number(left) == number(right)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right, numeric))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, left)| {
                    right.get(name).is_some_and(|right| same(left, right, numeric))
                })
        }
        _ => left == right,
    }
}

/// Merges an argument's limits into the schema that an agent sees.
pub(super) fn show(
    origin: &Value,
    schema: &mut Value,
    rule: &ArgumentRule,
) -> Result<(), RuleError> {
    let limited = rule.min.is_some()
        || rule.max.is_some()
        || rule.enum_.is_some()
        || rule.pattern.is_some()
        || rule.max_length.is_some();
    if !limited {
        return Ok(());
    }
    let mut hint: Vec<String> = Vec::new();
    if let Some(min) = &rule.min {
        hint.push(format!("at least {min}"));
    }
    if let Some(max) = &rule.max {
        hint.push(format!("at most {max}"));
    }
    let mut nothing_left = false;
    place::rewrite(origin, schema, rule.pointer.steps(), &mut |leaf| {
        let walk = Walk::new(origin);
        let types = walk.types(&Value::Object(leaf.clone()), 0);
        if !rule.enum_.as_ref().is_some_and(|values| values.contains(&Value::Null)) {
            without_null(leaf);
        }
        narrow(leaf, "minimum", rule.min.as_deref(), Decimal::lt);
        narrow(leaf, "maximum", rule.max.as_deref(), Decimal::gt);
        if let Some(values) = &rule.enum_ {
            let values: Vec<Value> = match leaf.get("enum") {
                Some(Value::Array(known)) => values
                    .iter()
                    .filter(|value| known.iter().any(|known| same(known, value, true)))
                    .cloned()
                    .collect(),
                _ => values.clone(),
            };
            nothing_left |= values.is_empty();
            leaf.insert("enum".to_owned(), Value::Array(values));
        }
        if let Some(pattern) = &rule.pattern {
            match leaf.get("pattern") {
                Some(known) if known.as_str() == Some(pattern) => {}
                Some(_) => {
                    let all = leaf.entry("allOf").or_insert_with(|| json!([]));
                    if let Value::Array(all) = all {
                        all.push(json!({"pattern": pattern}));
                    }
                }
                None => {
                    leaf.insert("pattern".to_owned(), json!(pattern));
                }
            }
        }
        if let Some(length) = rule.max_length {
            let known = leaf.get("maxLength").and_then(Value::as_u64).unwrap_or(u64::MAX);
            leaf.insert("maxLength".to_owned(), json!(length.min(known)));
        }
        // Keywords for numbers do not reach numbers in texts: words do.
        if !hint.is_empty() && types.overlaps(Types::STRING) {
            let said = leaf.get("description").and_then(Value::as_str).unwrap_or_default();
            let said = text::cut(&text::clean(said), 900);
            let words = hint.join(", ");
            let said = if said.is_empty() {
                format!("A number, {words}.")
            } else {
                format!("{said} ({words})")
            };
            leaf.insert("description".to_owned(), Value::String(said));
        }
    })
    .map_err(|place::TooComplex| RuleError::TooComplex { pointer: rule.pointer.clone() })?;
    if nothing_left {
        let reason = "the operation allows none of the values of `enum`".to_owned();
        return Err(RuleError::Impossible { pointer: rule.pointer.clone(), reason });
    }
    Ok(())
}

/// Null passes no limit (it may well mean "without one"), so it is not offered.
fn without_null(leaf: &mut Map<String, Value>) {
    let null = |name: &Value| name.as_str() == Some("null");
    if let Some(Value::Array(types)) = leaf.get_mut("type")
        && types.len() > 1
    {
        types.retain(|name| !null(name));
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(Value::Array(branches)) = leaf.get_mut(keyword)
            && branches.len() > 1
        {
            branches.retain(|branch| !branch.get("type").is_some_and(null));
        }
    }
}

/// Sets a bound where it is narrower than the one that is there.
fn narrow(
    leaf: &mut Map<String, Value>,
    keyword: &str,
    bound: Option<&str>,
    wider: impl Fn(&Decimal, &Decimal) -> bool,
) {
    let Some(text) = bound else { return };
    let Some(bound) = Decimal::parse(text) else { return };
    let known = leaf.get(keyword).and_then(number);
    if known.is_none_or(|known| wider(&known, &bound)) {
        // A spelling that JSON does not have (`+5`, `.5`) stays with the limit itself.
        if let Ok(number) = text.trim().parse::<Number>() {
            leaf.insert(keyword.to_owned(), Value::Number(number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(schema: &Value, rule: &ArgumentRule) -> Result<Limits, RuleError> {
        let walk = Walk::new(schema);
        let leaves = place::find(&walk, rule.pointer.steps()).expect("a place");
        let mut limits = Limits::default();
        limits.add(&walk, rule, rule.pointer.steps(), &leaves)?;
        Ok(limits)
    }

    fn rule(pointer: &str) -> ArgumentRule {
        ArgumentRule::new(ArgumentPointer::parse(pointer).expect("a pointer"))
    }

    fn holds(limits: &Limits, arguments: &str) -> bool {
        let arguments: Arguments = serde_json::from_str(arguments).expect("JSON");
        limits.check(&arguments).is_empty()
    }

    fn of(leaf: &Value) -> Value {
        json!({"type": "object", "properties": {"a": leaf}})
    }

    #[test]
    fn numbers_are_compared_exactly() {
        let rule =
            ArgumentRule { max: Some("500".to_owned()), min: Some("0".to_owned()), ..rule("a") };
        let limits = limits(&of(&json!({"type": ["string", "number"]})), &rule).expect("fits");
        for fine in
            ["500", "500.0", "5e2", "-0", "0e999999999", "1e-999999999", "\"500.00\"", "\" 5 \""]
        {
            assert!(holds(&limits, &format!("{{\"a\":{fine}}}")), "{fine}");
        }
        for bad in [
            "500.0000000000000000001",
            "501",
            "1e999999999",
            "-1e-999999999",
            "\"500.0000000000000000001\"",
            "\"INF\"",
            "\"NaN\"",
            "\"\"",
            "null",
            "true",
            "{}",
            "[]",
            "[5]",
        ] {
            assert!(!holds(&limits, &format!("{{\"a\":{bad}}}")), "{bad}");
        }
        assert!(holds(&limits, "{}"));
    }

    #[test]
    fn bounds_beyond_floating_point_hold() {
        let rule = ArgumentRule { max: Some("9007199254740992".to_owned()), ..rule("a") };
        let limits = limits(&of(&json!({"type": "integer"})), &rule).expect("fits");
        assert!(holds(&limits, r#"{"a":9007199254740992}"#));
        assert!(!holds(&limits, r#"{"a":9007199254740993}"#));
    }

    #[test]
    fn every_item_is_checked_and_named() {
        let schema = json!({"properties": {"body": {"properties": {"items": {"type": "array", "items": {"properties": {"price": {"type": "number"}}}}}}}});
        let rule = ArgumentRule { max: Some("5".to_owned()), ..rule("/body/items/*/price") };
        let limits = limits(&schema, &rule).expect("fits");
        let arguments: Arguments =
            serde_json::from_str(r#"{"body":{"items":[{"price":5},{},{"price":6}]}}"#)
                .expect("JSON");
        assert_eq!(
            limits.check(&arguments),
            [LimitBroken {
                rule: "args./body/items/*/price.max=5".to_owned(),
                pointer: "/body/items/2/price".to_owned(),
                message: "a number that is at most 5".to_owned(),
            }]
        );
        // What cannot be looked into is refused, not passed by.
        assert!(!holds(&limits, r#"{"body":"{\"items\":[{\"price\":6}]}"}"#));
        assert!(!holds(&limits, r#"{"body":{"items":7}}"#));
        assert!(!holds(&limits, r#"{"body":{"items":{"x":{"price":6}}}}"#));
    }

    #[test]
    fn texts_are_limited_by_pattern_and_code_points() {
        let rule =
            ArgumentRule { pattern: Some("b+".to_owned()), max_length: Some(3), ..rule("a") };
        let limits = limits(&of(&json!({"type": "string"})), &rule).expect("fits");
        assert!(holds(&limits, r#"{"a":"äbä"}"#));
        assert!(holds(&limits, "{\"a\":\"b\u{1f600}\u{1f600}\"}"));
        assert!(!holds(&limits, r#"{"a":"abcd"}"#));
        assert!(!holds(&limits, r#"{"a":"B"}"#));
        assert!(!holds(&limits, r#"{"a":["b"]}"#));
    }

    #[test]
    fn a_pattern_is_of_ecma_262() {
        for (pattern, fine, bad) in [
            ("^\\d+$", "\"12\"", "\"\u{663}\""),
            ("^a$", "\"a\"", "\"a\\n\""),
            ("^(?!b).", "\"a\"", "\"b\""),
            ("^\\u00e4$", "\"\u{e4}\"", "\"a\""),
            ("^[\\w-]+$", "\"a_-\"", "\"\u{e4}\""),
        ] {
            let rule = ArgumentRule { pattern: Some(pattern.to_owned()), ..rule("a") };
            let limits = limits(&of(&json!({"type": "string"})), &rule).expect("fits");
            assert!(holds(&limits, &format!("{{\"a\":{fine}}}")), "{pattern} {fine}");
            assert!(!holds(&limits, &format!("{{\"a\":{bad}}}")), "{pattern} {bad}");
        }
    }

    #[test]
    fn a_choice_is_by_value() {
        let rule = ArgumentRule {
            enum_: Some(vec![json!(1), json!("x"), json!({"k": [2]})]),
            ..rule("a")
        };
        let limits = limits(&of(&json!({})), &rule).expect("fits");
        for fine in ["1", "1.0", "10e-1", "\"x\"", r#"{"k":[2.0]}"#] {
            assert!(holds(&limits, &format!("{{\"a\":{fine}}}")), "{fine}");
        }
        for bad in ["2", "\"X\"", "null", "[1]"] {
            assert!(!holds(&limits, &format!("{{\"a\":{bad}}}")), "{bad}");
        }
        let text = of(&json!({"type": "string"}));
        let rule = ArgumentRule { enum_: Some(vec![json!("1")]), ..self::rule("a") };
        let limits = super::tests::limits(&text, &rule).expect("fits");
        assert!(!holds(&limits, r#"{"a":"01"}"#), "a text is no number");
        let soap = of(&json!({"type": ["string", "number"]}));
        let rule = ArgumentRule { enum_: Some(vec![json!(1), json!("7")]), ..self::rule("a") };
        let limits = super::tests::limits(&soap, &rule).expect("fits");
        assert!(holds(&limits, r#"{"a":"1.00"}"#) && holds(&limits, r#"{"a":7.0}"#));
        assert!(!holds(&limits, r#"{"a":"07"}"#) && !holds(&limits, r#"{"a":"x"}"#));
    }

    #[test]
    fn a_limit_of_another_type_is_an_error() {
        for (leaf, rule) in [
            (json!({"type": "string"}), ArgumentRule { max: Some("1".to_owned()), ..rule("a") }),
            (json!({"type": "array"}), ArgumentRule { min: Some("1".to_owned()), ..rule("a") }),
            (
                json!({"type": "integer"}),
                ArgumentRule { pattern: Some("1".to_owned()), ..rule("a") },
            ),
            (json!({"type": "boolean"}), ArgumentRule { max_length: Some(1), ..rule("a") }),
            (json!({"type": "string"}), ArgumentRule { enum_: Some(vec![json!(1)]), ..rule("a") }),
        ] {
            let error = limits(&of(&leaf), &rule).expect_err("unfit");
            assert!(matches!(error, RuleError::UnfitLimit { .. }), "{error}");
        }
        let format = of(&json!({"type": "string", "format": "decimal"}));
        assert!(limits(&format, &ArgumentRule { max: Some("1".to_owned()), ..rule("a") }).is_ok());
    }

    #[test]
    fn limits_that_mean_nothing_are_errors() {
        let any = of(&json!({}));
        let bad = ArgumentRule { max: Some("five".to_owned()), ..rule("a") };
        assert!(matches!(limits(&any, &bad), Err(RuleError::InvalidNumber { .. })));
        let bad =
            ArgumentRule { min: Some("2".to_owned()), max: Some("1".to_owned()), ..rule("a") };
        assert!(matches!(limits(&any, &bad), Err(RuleError::Impossible { .. })));
        let bad = ArgumentRule { pattern: Some("(".to_owned()), ..rule("a") };
        assert!(matches!(limits(&any, &bad), Err(RuleError::InvalidPattern { .. })));
    }

    #[test]
    fn an_agent_sees_the_narrower_bound() {
        let origin = of(&json!({"type": "integer", "maximum": 100, "minimum": 5}));
        let mut schema = origin.clone();
        let rule =
            ArgumentRule { max: Some("50".to_owned()), min: Some("1".to_owned()), ..rule("a") };
        show(&origin, &mut schema, &rule).expect("simple");
        assert_eq!(
            schema["properties"]["a"],
            json!({"type": "integer", "maximum": 50, "minimum": 5})
        );
    }
}
