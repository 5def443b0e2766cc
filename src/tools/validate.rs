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
use super::schema::{Types, Walk, choices, closest, escape, members};
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
            return self.variant(errors, depth);
        }
        match tagged(at, &meant) {
            Tagged::Variant(errors) => return self.variant(errors, depth),
            Tagged::Unknown { pointer, values, given } => {
                let near = given
                    .as_deref()
                    .and_then(|given| closest(given, values.iter().filter_map(Value::as_str)));
                let suggestion = near.map(|near| format!("did you mean \"{near}\"?"));
                return self.add(&pointer, &choices(&values), suggestion);
            }
            Tagged::No => {}
        }
        if let Some((name, values)) = self.missing_tag(error, &meant) {
            let pointer = format!("{at}/{}", escape(&name));
            return self.add(&pointer, &format!("{}: it must be given", choices(&values)), None);
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

    fn variant(&mut self, errors: &[ValidationError<'static>], depth: u32) {
        for error in errors.iter().take(REPORTED * 2) {
            self.error(error, depth + 1);
        }
    }

    /// The member that decides between the alternatives and is not there: each of them has
    /// its own values for it.
    fn missing_tag(
        &self,
        error: &ValidationError<'_>,
        meant: &[&Vec<ValidationError<'static>>],
    ) -> Option<(String, Vec<Value>)> {
        let at = error.instance_path().as_str();
        let missing = |errors: &Vec<ValidationError<'static>>, name: &str| {
            errors.iter().any(|error| {
                error.instance_path().as_str() == at
                    && matches!(error.kind(), Kind::Required { property } if property == name)
            })
        };
        let branches = self.schema.pointer(error.schema_path().as_str())?.as_array()?;
        let names = meant.first()?.iter().filter_map(|error| match error.kind() {
            Kind::Required { property } => property.as_str().map(str::to_owned),
            _ => None,
        });
        let walk = Walk::new(self.schema);
        for name in names.filter(|name| meant.iter().all(|errors| missing(errors, name))) {
            let mut values: Vec<Value> = Vec::new();
            let mut tags = 0;
            for branch in branches {
                let target = branch.as_object().and_then(|branch| walk.target(branch));
                let tag = std::iter::once(branch).chain(target).find_map(|schema| {
                    let member = schema.get("properties")?.get(&name)?;
                    let listed = member.get("enum").and_then(Value::as_array).cloned();
                    member.get("const").map(|value| vec![value.clone()]).or(listed)
                });
                tags += usize::from(tag.is_some());
                values.extend(tag.into_iter().flatten());
            }
            if tags == meant.len() {
                return Some((name, values));
            }
        }
        None
    }

    /// The schema that the failed keyword stands in.
    fn around(&self, error: &ValidationError<'_>) -> Option<&Value> {
        let path = error.schema_path().as_str();
        self.schema.pointer(&path[..path.rfind('/')?])
    }

    fn known_names(&self, error: &ValidationError<'_>) -> Vec<String> {
        let mut names = Vec::new();
        if let Some(around) = self.around(error) {
            gather_names(&Walk::new(self.schema), around, 0, &mut names);
        }
        names
    }

    fn words_of_member(&self, error: &ValidationError<'_>, name: &str) -> String {
        let member = self.around(error).and_then(|schema| schema.get("properties")?.get(name));
        let walk = Walk::new(self.schema);
        member.map_or_else(|| "any value".to_owned(), |member| walk.words(member, 0))
    }
}

/// The names of the members of a schema and of all that holds beside it.
fn gather_names(walk: &Walk<'_>, schema: &Value, depth: u32, names: &mut Vec<String>) {
    let Value::Object(object) = schema else { return };
    if !walk.spend(depth) || names.len() > 1_000 {
        return;
    }
    for name in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if !names.contains(name.0) {
            names.push(name.0.clone());
        }
    }
    let target = walk.target(object);
    for part in target.into_iter().chain(members(object, "allOf")) {
        gather_names(walk, part, depth + 1, names);
    }
}

/// What the member that decides between alternatives says.
enum Tagged<'e> {
    /// Its value is that of one alternative.
    Variant(&'e [ValidationError<'static>]),
    /// Its value is that of none.
    Unknown { pointer: String, values: Vec<Value>, given: Option<String> },
    /// There is no such member.
    No,
}

/// Alternatives often differ in the values of one member (`const`, `enum`): whichever takes
/// the value that is there was meant.
fn tagged<'e>(at: &str, meant: &[&'e Vec<ValidationError<'static>>]) -> Tagged<'e> {
    let is_tag = |error: &ValidationError<'_>| {
        let inside = error.instance_path().as_str().strip_prefix(at)?.strip_prefix('/')?;
        let decides = matches!(error.kind(), Kind::Constant { .. } | Kind::Enum { .. });
        (decides && !inside.contains('/')).then(|| inside.to_owned())
    };
    let mut names: Vec<String> = Vec::new();
    for name in meant.iter().flat_map(|errors| errors.iter()).filter_map(is_tag) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut unknown = Tagged::No;
    for name in names {
        let refuses = |errors: &&&'e Vec<ValidationError<'static>>| {
            errors.iter().any(|error| is_tag(error).as_ref() == Some(&name))
        };
        let mut fitting = meant.iter().filter(|errors| !refuses(errors));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => return Tagged::Variant(only),
            (None, _) if matches!(unknown, Tagged::No) => {
                let mut values: Vec<Value> = Vec::new();
                let mut given = None;
                for error in meant.iter().flat_map(|errors| errors.iter()) {
                    if is_tag(error).as_ref() != Some(&name) {
                        continue;
                    }
                    given = error.instance().as_str().map(str::to_owned);
                    match error.kind() {
                        Kind::Constant { expected_value } => {
                            values.push((**expected_value).clone());
                        }
                        Kind::Enum { options } => {
                            values.extend(options.as_array().into_iter().flatten().cloned());
                        }
                        _ => {}
                    }
                }
                values.dedup();
                unknown = Tagged::Unknown { pointer: format!("{at}/{name}"), values, given };
            }
            _ => {}
        }
    }
    unknown
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
#[path = "validate_tests.rs"]
mod tests;
