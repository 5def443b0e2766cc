//! Judging arguments and answers by their full schemas, in words that help.
//!
//! Arguments that do not fit are refused before anything is sent, with the place and what
//! was expected there, so that a model can mend the call. An answer that does not fit is
//! delivered, and the places are reported as drift. No value is repeated: it may be secret.

use std::borrow::Cow;
use std::collections::HashSet;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::{Map, Value};
use tollbridge_operation::{Drift, Schema, Warning};

use super::judge::{Judge, without_bad_patterns};
use super::schema::{Types, Walk, choices, closest, escape};
use super::text;

/// How many places are reported of one value.
pub const REPORTED: usize = 5;

/// How long one report is, in characters.
const LONGEST: usize = 500;

/// An argument that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// A JSON pointer into the arguments (RFC 6901).
    pub pointer: String,
    /// What was expected, in words.
    pub expected: String,
    /// What to write instead, where that can be told.
    pub suggestion: Option<String>,
}

/// Judges a tool's arguments, under the names that the agent uses.
#[derive(Debug)]
pub struct ArgumentValidator {
    schema: Value,
    judge: Judge,
}

impl ArgumentValidator {
    /// Compiles the schema. A pattern that is none is left out, with a warning; the error is
    /// the reason why the rest cannot be used.
    pub fn new(schema: Schema) -> Result<(Self, Vec<Warning>), String> {
        let (schema, judge, warnings) = compile(schema)?;
        Ok((Self { schema, judge }, warnings))
    }

    /// The schema that it judges by.
    pub(super) fn schema(&self) -> &Value {
        &self.schema
    }

    /// Where the arguments do not fit, at most five places.
    pub fn violations(&self, arguments: &Map<String, Value>) -> Vec<Violation> {
        let value = Value::Object(arguments.clone());
        report(&self.judge, &self.schema, &value)
    }
}

/// Judges a tool's answers.
#[derive(Debug)]
pub struct OutputValidator {
    schema: Value,
    judge: Judge,
}

impl OutputValidator {
    /// Compiles the schema; an odd one costs drift reports, never the tool.
    pub fn new(schema: Schema) -> (Option<Self>, Vec<Warning>) {
        match compile(schema) {
            Ok((schema, judge, warnings)) => (Some(Self { schema, judge }), warnings),
            Err(reason) => {
                let message =
                    format!("answers are not compared with their schema, which is none: {reason}");
                (None, vec![Warning { pointer: String::new(), message }])
            }
        }
    }

    /// Where the answer does not fit, at most five places.
    pub fn drift(&self, value: &Value) -> Vec<Drift> {
        let found = report(&self.judge, &self.schema, value);
        found
            .into_iter()
            .map(|Violation { pointer, expected, .. }| {
                let came = match value.pointer(&pointer) {
                    Some(value) => Types::of(value).words(),
                    None => "nothing".to_owned(),
                };
                let message = format!("expected {expected}; it is {came}");
                Drift { pointer, message }
            })
            .collect()
    }
}

fn compile(schema: Schema) -> Result<(Value, Judge, Vec<Warning>), String> {
    let mut schema = schema.into_value();
    if let Ok(judge) = Judge::new(&schema) {
        return Ok((schema, judge, Vec::new()));
    }
    let bad = without_bad_patterns(&mut schema);
    let judge = Judge::new(&schema)?;
    let warnings = bad
        .into_iter()
        .take(20)
        .map(|pattern| Warning {
            pointer: String::new(),
            message: format!("`{pattern}` is no pattern of ECMA-262 and is not checked"),
        })
        .collect();
    Ok((schema, judge, warnings))
}

fn report(judge: &Judge, schema: &Value, value: &Value) -> Vec<Violation> {
    if judge.accepts(value) {
        return Vec::new();
    }
    // The errors are all made before the first is seen: of a list of a million wrong items,
    // a million. So they are looked for in a part of a large value.
    let part = part_of(value);
    let shortened = matches!(part, Some(Cow::Owned(_)));
    let looked_at = part.as_deref().unwrap_or(&Value::Null);
    let mut report =
        Report { schema, value: looked_at, shortened, found: Vec::new(), seen: HashSet::new() };
    if let Some(part) = &part {
        for error in judge.errors(part) {
            if report.found.len() >= REPORTED {
                break;
            }
            report.error(&error, 0);
        }
    }
    if report.found.is_empty() {
        report.add("", "a value that fits its schema in every item and member", None);
    }
    report.found
}

/// How many values errors are looked for in.
const LOOKED_AT: usize = 5_000;

/// The value, or what is left of a large one where lists end early. `None` where even that
/// is large.
fn part_of(value: &Value) -> Option<Cow<'_, Value>> {
    if fits(value, &mut { LOOKED_AT }) {
        return Some(Cow::Borrowed(value));
    }
    [50, 10, 2].into_iter().find_map(|items| {
        let part = shortened(value, items, &mut { LOOKED_AT })?;
        Some(Cow::Owned(part))
    })
}

fn fits(value: &Value, left: &mut usize) -> bool {
    if *left == 0 {
        return false;
    }
    *left -= 1;
    match value {
        Value::Array(list) => list.iter().all(|item| fits(item, left)),
        Value::Object(object) => object.values().all(|member| fits(member, left)),
        _ => true,
    }
}

fn shortened(value: &Value, items: usize, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    Some(match value {
        Value::Array(list) => {
            let first = list.iter().take(items);
            Value::Array(first.map(|item| shortened(item, items, left)).collect::<Option<_>>()?)
        }
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(name, member)| Some((name.clone(), shortened(member, items, left)?)))
                .collect::<Option<_>>()?,
        ),
        scalar => scalar.clone(),
    })
}

struct Report<'s> {
    schema: &'s Value,
    /// What is looked at.
    value: &'s Value,
    /// Lists end early in what is looked at.
    shortened: bool,
    found: Vec<Violation>,
    seen: HashSet<String>,
}

impl<'s> Report<'s> {
    fn add(&mut self, pointer: &str, expected: &str, suggestion: Option<String>) {
        let pointer = text::cut(pointer, LONGEST);
        if self.found.len() < REPORTED && self.seen.insert(pointer.clone()) {
            let expected = text::cut(&text::clean_line(expected), LONGEST);
            self.found.push(Violation { pointer, expected, suggestion });
        }
    }

    fn error(&mut self, error: &ValidationError<'_>, depth: u32) {
        let at = error.instance_path().as_str().to_owned();
        let instance = error.instance();
        match error.kind() {
            // What was cut off is not missing.
            Kind::MinItems { .. } | Kind::Contains if self.shortened => {}
            Kind::AdditionalProperties { unexpected }
            | Kind::UnevaluatedProperties { unexpected } => {
                let known = self.known_names(error);
                for name in unexpected.iter().take(REPORTED) {
                    self.unknown(&at, name, &known);
                }
            }
            // So it is said of an object that may have no member at all.
            Kind::FalseSchema if closes(error) && self.members(&at).next().is_some() => {
                for name in self.members(&at).take(REPORTED) {
                    self.unknown(&at, name, &[]);
                }
            }
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let words = self.words_of_member(error, name);
                let pointer = format!("{at}/{}", escape(name));
                self.add(&pointer, &format!("{words}: it must be given"), None);
            }
            Kind::Type { kind } => {
                let wanted = type_words(kind);
                let suggestion = respell(instance.as_ref(), kind);
                self.add(&at, &wanted, suggestion);
            }
            Kind::Enum { options } => {
                let empty = Vec::new();
                let options = options.as_array().unwrap_or(&empty);
                let words = options.iter().filter_map(Value::as_str);
                let near = instance.as_str().and_then(|given| closest(given, words));
                let suggestion = near.map(|near| format!("did you mean \"{near}\"?"));
                self.add(&at, &choices(options), suggestion);
            }
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } if depth < 8 => {
                self.branches(error, &at, context, depth);
            }
            kind => self.add(&at, &plain_words(kind, error), None),
        }
    }

    /// The names in the object at a place.
    fn members(&self, at: &str) -> impl Iterator<Item = &'s String> + use<'s> {
        let value: &'s Value = self.value;
        value.pointer(at).and_then(Value::as_object).into_iter().flat_map(Map::keys)
    }

    fn unknown(&mut self, at: &str, name: &str, known: &[String]) {
        let pointer = format!("{at}/{}", escape(name));
        let mut names: Vec<String> =
            known.iter().take(20).map(|name| format!("`{}`", text::cut(name, 64))).collect();
        if known.len() > names.len() {
            names.push(format!("{} more", known.len() - names.len()));
        }
        let expected = if names.is_empty() {
            "no such argument: none is taken here".to_owned()
        } else {
            format!("no such argument: there are {}", names.join(", "))
        };
        let suggestion = closest(name, known.iter().map(String::as_str))
            .map(|near| format!("did you mean `{near}`?"));
        self.add(&pointer, &expected, suggestion);
    }

    /// Of several alternatives the one that was meant is told by its type: a value of no
    /// other alternative's type is judged by that one.
    fn branches(
        &mut self,
        error: &ValidationError<'_>,
        at: &str,
        context: &[Vec<ValidationError<'static>>],
        depth: u32,
    ) {
        let meant: Vec<&Vec<ValidationError<'static>>> = context
            .iter()
            .filter(|errors| {
                !errors.iter().any(|error| {
                    matches!(error.kind(), Kind::Type { .. } | Kind::FalseSchema)
                        && error.instance_path().as_str() == at
                })
            })
            .collect();
        if let [errors] = meant.as_slice() {
            for error in errors.iter().take(REPORTED * 2) {
                self.error(error, depth + 1);
            }
            return;
        }
        let words = match self.schema.pointer(error.schema_path().as_str()) {
            Some(Value::Array(branches)) => {
                let walk = Walk::new(self.schema);
                let mut words: Vec<String> = Vec::new();
                for branch in branches.iter().take(8) {
                    let branch = branch_words(&walk, branch);
                    if !words.contains(&branch) {
                        words.push(branch);
                    }
                }
                words.join(", or ")
            }
            _ => "a value of one of the alternatives".to_owned(),
        };
        self.add(at, &words, None);
    }

    /// The schema that the failed keyword stands in.
    fn around(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let path = error.schema_path().as_str();
        self.schema.pointer(&path[..path.rfind('/')?])
    }

    fn known_names(&self, error: &ValidationError<'_>) -> Vec<String> {
        let around = self.around(error);
        let properties = around.and_then(|schema| schema.get("properties")?.as_object());
        properties.map(|map| map.keys().cloned().collect()).unwrap_or_default()
    }

    fn words_of_member(&self, error: &ValidationError<'_>, name: &str) -> String {
        let member = self.around(error).and_then(|schema| schema.get("properties")?.get(name));
        let walk = Walk::new(self.schema);
        member.map_or_else(|| "any value".to_owned(), |member| walk.words(member, 0))
    }
}

/// An alternative in words: an object by the members that it needs.
fn branch_words(walk: &Walk<'_>, branch: &Value) -> String {
    let words = walk.words(branch, 0);
    let object = branch.as_object();
    let target = object.and_then(|object| walk.target(object)).unwrap_or(branch);
    let required: Vec<String> = target
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(6)
        .map(|name| format!("`{}`", text::cut(name, 40)))
        .collect();
    if required.is_empty() { words } else { format!("{words} with {}", required.join(", ")) }
}

fn closes(error: &ValidationError<'_>) -> bool {
    error.schema_path().as_str().ends_with("/additionalProperties")
}

fn type_words(kind: &TypeKind) -> String {
    let word = |name: &str| if name == "array" { "list".to_owned() } else { name.to_owned() };
    match kind {
        TypeKind::Single(single) => word(single.as_str()),
        TypeKind::Multiple(several) => {
            let names: Vec<String> = several.iter().map(|one| word(one.as_str())).collect();
            names.join(" or ")
        }
    }
}

/// The same value in the spelling that was wanted, where that is a matter of quotes.
fn respell(given: &Value, kind: &TypeKind) -> Option<String> {
    let TypeKind::Single(wanted) = kind else { return None };
    match (given, wanted.as_str()) {
        (Value::String(_), "integer" | "number" | "boolean") => {
            Some("write it without quotes".to_owned())
        }
        (Value::Number(_) | Value::Bool(_), "string") => Some("write it in quotes".to_owned()),
        (Value::String(text), "object" | "array") if text.trim_start().starts_with(['{', '[']) => {
            Some("give it as JSON, not as text that contains JSON".to_owned())
        }
        (Value::Array(_), "array") => None,
        (_, "array") => Some("put it in a list".to_owned()),
        _ => None,
    }
}

fn plain_words(kind: &Kind, error: &ValidationError<'_>) -> String {
    let cut = |value: &Value| text::cut(&value.to_string(), 80);
    match kind {
        Kind::Minimum { limit } => format!("a number that is at least {}", cut(limit)),
        Kind::Maximum { limit } => format!("a number that is at most {}", cut(limit)),
        Kind::ExclusiveMinimum { limit } => format!("a number greater than {}", cut(limit)),
        Kind::ExclusiveMaximum { limit } => format!("a number less than {}", cut(limit)),
        Kind::MultipleOf { multiple_of } => format!("a multiple of {}", cut(multiple_of)),
        Kind::MinLength { limit } => format!("text of at least {limit} characters"),
        Kind::MaxLength { limit } => format!("text of at most {limit} characters"),
        Kind::Pattern { pattern } => format!("text that matches `{}`", text::cut(pattern, 200)),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "text that its pattern can judge within bounds".to_owned()
        }
        Kind::MinItems { limit } => format!("a list of at least {limit}"),
        Kind::MaxItems { limit } => format!("a list of at most {limit}"),
        Kind::AdditionalItems { limit } => format!("a list of at most {limit}"),
        Kind::UnevaluatedItems { .. } => "a list without further items".to_owned(),
        Kind::UniqueItems => "a list in which nothing is twice".to_owned(),
        Kind::MinProperties { limit } => format!("an object of at least {limit} members"),
        Kind::MaxProperties { limit } => format!("an object of at most {limit} members"),
        Kind::Constant { expected_value } => cut(expected_value),
        Kind::Format { format } => format!("text in the format {}", text::cut(format, 40)),
        Kind::FalseSchema => "nothing: it may not be given".to_owned(),
        Kind::OneOfMultipleValid { .. } => {
            "a value that fits one of the alternatives, not several".to_owned()
        }
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            "a value of one of the alternatives".to_owned()
        }
        Kind::Not { .. } => "a value that is not excluded".to_owned(),
        Kind::PropertyNames { .. } => "an object whose members have other names".to_owned(),
        Kind::Contains => "a list that contains what it must".to_owned(),
        _ => text::cut(&error.masked().to_string(), 200),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: &Value, arguments: &str) -> Vec<(String, String, Option<String>)> {
        let (validator, warnings) =
            ArgumentValidator::new(Schema::new(schema.clone())).expect("a schema");
        assert!(warnings.is_empty());
        let arguments: Map<String, Value> = serde_json::from_str(arguments).expect("JSON");
        let violations = validator.violations(&arguments);
        violations.into_iter().map(|v| (v.pointer, v.expected, v.suggestion)).collect()
    }

    fn one(schema: &Value, arguments: &str) -> (String, String, String) {
        let mut found = found(schema, arguments);
        assert_eq!(found.len(), 1, "{found:?}");
        let (pointer, expected, suggestion) = found.remove(0);
        (pointer, expected, suggestion.unwrap_or_default())
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "warehouse": {"enum": ["berlin", "paris"]},
                "count": {"type": "integer", "minimum": 1, "maximum": 9},
                "names": {"type": "array", "items": {"type": "string"}},
                "item": {"$ref": "#/$defs/Item"},
                "pay": {"oneOf": [
                    {"type": "object", "properties": {"card": {"type": "string"}}, "required": ["card"]},
                    {"type": "object", "properties": {"iban": {"type": "string"}}, "required": ["iban"]},
                ]},
                "note": {"anyOf": [{"type": "string", "maxLength": 2}, {"type": "null"}]},
                "none": {"type": "object", "properties": {}, "additionalProperties": false},
            },
            "required": ["warehouse"],
            "additionalProperties": false,
            "$defs": {"Item": {
                "type": "object",
                "properties": {"sku": {"type": "string", "format": "uuid"}, "a/b": {}},
                "required": ["sku"],
                "additionalProperties": false,
            }},
        })
    }

    #[test]
    fn a_violation_says_where_what_and_what_instead() {
        for (arguments, pointer, expected, suggestion) in [
            ("{}", "/warehouse", "one of \"berlin\", \"paris\": it must be given", ""),
            (
                r#"{"warehouse":"berlin","conut":1}"#,
                "/conut",
                "no such argument: there are `warehouse`, `count`, `names`, `item`, `pay`, `note`, `none`",
                "did you mean `count`?",
            ),
            (
                r#"{"warehouse":"Berlin"}"#,
                "/warehouse",
                "one of \"berlin\", \"paris\"",
                "did you mean \"berlin\"?",
            ),
            (
                r#"{"warehouse":"paris","count":"1"}"#,
                "/count",
                "integer",
                "write it without quotes",
            ),
            (r#"{"warehouse":"paris","count":1.5}"#, "/count", "integer", ""),
            (r#"{"warehouse":"paris","count":0}"#, "/count", "a number that is at least 1", ""),
            (r#"{"warehouse":"paris","count":9.0000000000000000000001}"#, "/count", "integer", ""),
            (
                r#"{"warehouse":"paris","names":["a",2]}"#,
                "/names/1",
                "string",
                "write it in quotes",
            ),
            (r#"{"warehouse":"paris","names":"a"}"#, "/names", "list", "put it in a list"),
            (
                r#"{"warehouse":"paris","item":{}}"#,
                "/item/sku",
                "string (uuid): it must be given",
                "",
            ),
            (
                r#"{"warehouse":"paris","item":{"sku":"x","c/d":1}}"#,
                "/item/c~1d",
                "no such argument: there are `sku`, `a/b`",
                "",
            ),
            (
                r#"{"warehouse":"paris","pay":{}}"#,
                "/pay",
                "object with `card`, or object with `iban`",
                "",
            ),
            (
                r#"{"warehouse":"paris","pay":{"card":"a","iban":"b"}}"#,
                "/pay",
                "a value that fits one of the alternatives, not several",
                "",
            ),
            (r#"{"warehouse":"paris","note":"abc"}"#, "/note", "text of at most 2 characters", ""),
            (r#"{"warehouse":"paris","note":1}"#, "/note", "string, or null", ""),
            (
                r#"{"warehouse":"paris","none":{"a/b":1}}"#,
                "/none/a~1b",
                "no such argument: none is taken here",
                "",
            ),
        ] {
            let found = one(&schema(), arguments);
            assert_eq!(
                found,
                (pointer.to_owned(), expected.to_owned(), suggestion.to_owned()),
                "{arguments}"
            );
        }
    }

    #[test]
    fn at_most_five_places_are_reported_and_bounded() {
        let many: Map<String, Value> = (0..20).map(|n| (format!("x{n}"), json!(n))).collect();
        let found = found(&schema(), &Value::Object(many).to_string());
        assert_eq!(found.len(), 5);
        let long = format!("{{\"warehouse\":\"paris\",\"{}\":1}}", "x".repeat(100_000));
        let (pointer, expected, _) = one(&schema(), &long);
        assert!(pointer.chars().count() <= LONGEST && expected.chars().count() <= LONGEST);
    }

    #[test]
    fn numbers_of_any_size_are_judged_at_once() {
        let schema = json!({"properties": {"a": {"type": "number", "maximum": 5, "multipleOf": 0.5}, "b": {"type": "integer"}}});
        for number in ["1e999999999", "1e99999999999999999999", "-1e-999999999"] {
            for name in ["a", "b"] {
                let started = std::time::Instant::now();
                let _ = found(&schema, &format!("{{\"{name}\":{number}}}"));
                assert!(started.elapsed().as_secs() < 5, "{name} {number}");
            }
        }
        assert_eq!(found(&schema, r#"{"a":1e999999999}"#).len(), 1);
    }

    #[test]
    fn a_large_value_is_judged_whole_and_reported_in_part() {
        let schema = json!({"anyOf": [
            {"type": "array", "minItems": 60, "items": {"type": "string"}},
            {"type": "null"},
        ]});
        let (validator, _) = OutputValidator::new(Schema::new(schema));
        let validator = validator.expect("a schema");
        let pointers = |value: &Value| {
            let drift = validator.drift(value);
            drift.into_iter().map(|drift| drift.pointer).collect::<Vec<_>>()
        };
        let started = std::time::Instant::now();
        let wrong = Value::Array(vec![json!(0); 200_000]);
        assert_eq!(pointers(&wrong), ["/0", "/1", "/2", "/3", "/4"]);
        let mut late = Value::Array(vec![json!("x"); 200_000]);
        assert_eq!(pointers(&late), [""; 0]);
        late[199_999] = json!(0);
        assert_eq!(pointers(&late), [""]);
        assert!(started.elapsed().as_secs() < 10);
    }

    #[test]
    fn an_odd_schema_is_used_as_far_as_it_goes() {
        let odd = Schema::new(json!({"properties": {"a": {"type": "string", "pattern": "(?<x"}}}));
        let (validator, warnings) = ArgumentValidator::new(odd).expect("a schema");
        assert_eq!(warnings.len(), 1);
        let arguments = json!({"a": 1}).as_object().cloned().expect("an object");
        assert_eq!(validator.violations(&arguments).len(), 1);
        assert!(ArgumentValidator::new(Schema::new(json!({"type": "strnig"}))).is_err());
        let (validator, warnings) =
            OutputValidator::new(Schema::new(json!({"$ref": "http://127.0.0.1:9"})));
        assert!(validator.is_none() && warnings.len() == 1);
    }

    #[test]
    fn drift_says_what_came_and_repeats_no_value() {
        let schema = json!({"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}});
        let (validator, _) = OutputValidator::new(Schema::new(schema));
        let drift = validator.expect("a schema").drift(&json!([{"id": "secret"}, {}, {"id": 1}]));
        assert_eq!(
            drift,
            [
                Drift {
                    pointer: "/0/id".to_owned(),
                    message: "expected integer; it is string".to_owned()
                },
                Drift {
                    pointer: "/1/id".to_owned(),
                    message: "expected integer: it must be given; it is nothing".to_owned()
                },
            ]
        );
    }
}
