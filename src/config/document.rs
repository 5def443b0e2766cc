//! The check of the whole document against the schema: every unknown key, every value of
//! the wrong type or form, every missing key, each with its place, all at once.
//!
//! serde would report the first mistake only. It reads the document after this check has
//! passed it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics, SourceFile};
use super::schema::{additional, branches, properties, resolve};
use super::{codes, later, values};

/// Checks a document.
pub(super) fn check(
    schema: &Value,
    document: &Spanned<DeTable<'_>>,
    file: &Arc<SourceFile>,
) -> Diagnostics {
    let mut check = Check { root: schema, file, found: Diagnostics::new() };
    check.table(schema, document.get_ref(), &(0..0), &Place::default());
    check.found.sort();
    check.found
}

/// Where the check stands.
#[derive(Clone, Default)]
struct Place {
    /// As `later` knows it: `api.*.auth`, `tool[].args.*`.
    pattern: String,
    /// As the file says it: `[api.orders]`, `[[tool]]`.
    table: String,
    /// The last key: what messages name.
    key: String,
}

impl Place {
    fn key(&self, key: &str, known: bool) -> Self {
        let dot = if self.pattern.is_empty() { "" } else { "." };
        let step = if known { key } else { "*" };
        let table = self.table.trim_matches(['[', ']']);
        let inner_dot = if table.is_empty() { "" } else { "." };
        Self {
            pattern: format!("{}{dot}{step}", self.pattern),
            table: format!("[{table}{inner_dot}{key}]"),
            key: key.to_owned(),
        }
    }

    fn element(&self) -> Self {
        Self {
            pattern: format!("{}[]", self.pattern),
            table: format!("[{}]", self.table),
            key: self.key.clone(),
        }
    }

    fn within(&self) -> String {
        if self.table.is_empty() { String::new() } else { format!(" in {}", self.table) }
    }
}

struct Check<'a> {
    root: &'a Value,
    file: &'a Arc<SourceFile>,
    found: Diagnostics,
}

impl Check<'_> {
    fn report(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: String,
    ) -> &mut Diagnostic {
        self.found.push(Diagnostic::error(code, self.file, message).at(span));
        self.found.last_mut().expect("it was just pushed")
    }

    fn value(&mut self, schema: &Value, value: &Spanned<DeValue<'_>>, place: &Place) {
        let schema = resolve(self.root, schema);
        if let Some((what, reason)) = later::value(&place.pattern, value.get_ref()) {
            let message = format!("{what} is not supported by this version: {reason}");
            self.report(codes::NOT_YET, value.span(), message).label = "remove it".to_owned();
            return;
        }
        if let Some(branches) = branches(schema) {
            return self.alternatives(branches, value, place);
        }
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        if !has_type(schema, value.get_ref()) {
            let label = values::check(format, "")
                .and_then(Result::err)
                .map_or_else(|| format!("expected {}", types_in_words(schema)), |form| form.0);
            let message = format!(
                "`{}` must be {}, not {}",
                place.key,
                types_in_words(schema),
                article(value.get_ref().type_str())
            );
            self.report(codes::WRONG_TYPE, value.span(), message).label = label;
            return;
        }
        match value.get_ref() {
            DeValue::String(text) => self.text(schema, format, text, &value.span(), place),
            DeValue::Integer(_) | DeValue::Float(_) => {
                self.number(schema, format, value.get_ref(), &value.span(), place);
            }
            DeValue::Array(elements) => {
                if let Some(items) = schema.get("items") {
                    let place = place.element();
                    for element in elements {
                        self.value(items, element, &place);
                    }
                }
            }
            DeValue::Table(table) => self.table(schema, table, &value.span(), place),
            DeValue::Boolean(_) | DeValue::Datetime(_) => {}
        }
        if format == "tollbridge-literal"
            && let Some(span) = not_json(value)
        {
            let message = format!("`{}` holds a number that JSON does not have", place.key);
            self.report(codes::MALFORMED, span, message).label =
                "expected a finite number".to_owned();
        }
    }

    fn text(
        &mut self,
        schema: &Value,
        format: &str,
        text: &str,
        span: &Range<usize>,
        place: &Place,
    ) {
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            self.word(&words, text, span, place);
        }
        if let Some(Err(malformed)) = values::check(format, text) {
            let literal = format == "tollbridge-secret" && !is_reference(text);
            let (code, message) = if literal {
                let message = format!("`{}` holds a literal secret", place.key);
                (codes::LITERAL_SECRET, message)
            } else {
                (codes::MALFORMED, format!("`{}` is malformed", place.key))
            };
            let diagnostic = self.report(code, span.clone(), message);
            diagnostic.label = malformed.0;
            if literal {
                diagnostic.label = "a literal secret is refused".to_owned();
                diagnostic.help = Some(
                    "write where the secret is: \"env:NAME\", \"file:PATH\" or \"cred:NAME\""
                        .to_owned(),
                );
            }
        }
    }

    fn number(
        &mut self,
        schema: &Value,
        format: &str,
        number: &DeValue<'_>,
        span: &Range<usize>,
        place: &Place,
    ) {
        if format == "tollbridge-number" {
            if json_number(number).is_none() {
                let message = format!("`{}` is malformed", place.key);
                self.report(codes::MALFORMED, span.clone(), message).label =
                    "expected a finite number".to_owned();
            }
            return;
        }
        if !types_of(schema).contains(&"integer") {
            return;
        }
        let DeValue::Integer(integer) = number else { return };
        let minimum = schema.get("minimum").and_then(Value::as_i64);
        let maximum = match format {
            "uint32" => i64::from(u32::MAX),
            _ => i64::MAX,
        };
        let parsed = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        if parsed.is_none_or(|n| n > maximum || minimum.is_some_and(|minimum| n < minimum)) {
            let message = format!("`{}` is out of range", place.key);
            let label = match minimum {
                Some(minimum) => format!("expected {minimum} to {maximum}"),
                None => format!("expected at most {maximum}"),
            };
            self.report(codes::WRONG_TYPE, span.clone(), message).label = label;
        }
    }

    /// One of several words.
    fn word(&mut self, words: &[&str], text: &str, span: &Range<usize>, place: &Place) {
        if words.contains(&text) {
            return;
        }
        // What was given is not repeated: in the wrong place it may be a secret.
        let message = format!("`{}` has none of the values that it takes", place.key);
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let diagnostic = self.report(codes::WRONG_TYPE, span.clone(), message);
        diagnostic.label = format!("expected {}", or(&quoted));
        diagnostic.help =
            nearest(text, words.iter().copied()).map(|word| format!("did you mean \"{word}\"?"));
    }

    /// A schema with several branches: words, tables told apart by a key, or types.
    fn alternatives(&mut self, branches: &[Value], value: &Spanned<DeValue<'_>>, place: &Place) {
        let branches: Vec<&Value> =
            branches.iter().map(|branch| resolve(self.root, branch)).collect();
        let words: Vec<&str> = branches.iter().flat_map(|branch| words_of(branch)).collect();
        match value.get_ref() {
            DeValue::String(text) if !words.is_empty() => {
                return self.word(&words, text, &value.span(), place);
            }
            DeValue::Table(table) => {
                if let Some((tag, _)) = branches.first().and_then(|branch| tag_of(branch)) {
                    return self.tagged(tag, &branches, table, &value.span(), place);
                }
            }
            _ => {}
        }
        if let Some(branch) = branches.iter().find(|branch| has_type(branch, value.get_ref())) {
            return self.value(branch, value, place);
        }
        let types: Vec<String> = branches.iter().map(|branch| types_in_words(branch)).collect();
        let mut types = types;
        types.dedup();
        let expected = or(&types);
        let message = format!(
            "`{}` must be {expected}, not {}",
            place.key,
            article(value.get_ref().type_str())
        );
        self.report(codes::WRONG_TYPE, value.span(), message).label =
            format!("expected {expected}");
    }

    /// A table whose kind is named by one of its keys.
    fn tagged(
        &mut self,
        tag: &str,
        branches: &[&Value],
        table: &DeTable<'_>,
        span: &Range<usize>,
        place: &Place,
    ) {
        let Some((_, kind)) = table.iter().find(|(key, _)| key.get_ref() == tag) else {
            return self.missing(tag, span, place);
        };
        let kinds: Vec<&str> =
            branches.iter().filter_map(|branch| Some(tag_of(branch)?.1)).collect();
        let named = kind.get_ref().as_str().and_then(|kind| {
            branches.iter().find(|branch| tag_of(branch).is_some_and(|(_, own)| own == kind))
        });
        match named {
            Some(branch) => self.table(branch, table, span, place),
            None => {
                let words = serde_json::json!({"type": "string", "enum": kinds});
                self.value(&words, kind, &place.key(tag, true));
            }
        }
    }

    fn table(&mut self, schema: &Value, table: &DeTable<'_>, span: &Range<usize>, place: &Place) {
        let known = properties(schema);
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if let Some(schema) = known.and_then(|known| known.get(name)) {
                self.value(schema, value, &place.key(name, true));
            } else if let Some(schema) = additional(schema) {
                self.value(schema, value, &place.key(name, false));
            } else if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
                self.unknown(known.into_iter().flat_map(|known| known.keys()), key, place);
                continue;
            }
            if let Some(format) = schema.pointer("/propertyNames/format").and_then(Value::as_str)
                && let Some(Err(malformed)) = values::check(format, name)
            {
                let message = format!("the key `{name}`{} is malformed", place.within());
                self.report(codes::MALFORMED, key.span(), message).label = malformed.0;
            }
        }
        for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(required) = required.as_str()
                && !table.iter().any(|(key, _)| key.get_ref() == required)
            {
                self.missing(required, span, place);
            }
        }
    }

    fn missing(&mut self, key: &str, span: &Range<usize>, place: &Place) {
        let message = format!("`{key}` is missing{}", place.within());
        self.report(codes::MISSING_KEY, span.clone(), message).label = format!("needs `{key}`");
    }

    fn unknown<'k>(
        &mut self,
        known: impl Iterator<Item = &'k String> + Clone,
        key: &Spanned<Cow<'_, str>>,
        place: &Place,
    ) {
        let name = key.get_ref();
        if let Some(reason) = later::key(&place.pattern, name) {
            let message = format!("`{name}` is not supported by this version: {reason}");
            self.report(codes::NOT_YET, key.span(), message).label = "remove it".to_owned();
            return;
        }
        let message = format!("unknown key `{name}`{}", place.within());
        let suggestion = nearest(name, known.clone().map(String::as_str));
        let diagnostic = self.report(codes::UNKNOWN_KEY, key.span(), message);
        if let Some(suggestion) = suggestion {
            diagnostic.label = format!("did you mean `{suggestion}`?");
        }
        let known: Vec<&str> = known.map(String::as_str).collect();
        diagnostic.help = Some(format!("known keys: {}", known.join(", ")));
    }
}

/// Whether a text that is no valid reference was at least meant as one.
fn is_reference(text: &str) -> bool {
    ["env:", "file:", "cred:", "keyring:", "exec:"].iter().any(|kind| text.starts_with(kind))
}

/// The candidate that was probably meant.
fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    // Keys are short; a text of another length is no misspelling, and not worth comparing.
    if name.len() > 64 {
        return None;
    }
    candidates
        .map(|candidate| (strsim::osa_distance(&name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(3) / 3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The words of a schema that is an enumeration.
fn words_of(schema: &Value) -> Vec<&str> {
    let one = schema.get("const").and_then(Value::as_str);
    let several = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    one.into_iter().chain(several.filter_map(Value::as_str)).collect()
}

/// The key by which a table's schema is told from others, and its value there.
fn tag_of(schema: &Value) -> Option<(&str, &str)> {
    properties(schema)?
        .iter()
        .find_map(|(key, property)| Some((key.as_str(), property.get("const")?.as_str()?)))
}

fn types_of(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn has_type(schema: &Value, value: &DeValue<'_>) -> bool {
    let types = types_of(schema);
    let fits = |name: &str| match value {
        DeValue::String(_) => name == "string",
        DeValue::Integer(_) => name == "integer" || name == "number",
        DeValue::Float(_) => name == "number",
        DeValue::Boolean(_) => name == "boolean",
        DeValue::Array(_) => name == "array",
        DeValue::Table(_) => name == "object",
        DeValue::Datetime(_) => false,
    };
    types.is_empty() || types.iter().any(|name| fits(name))
}

fn types_in_words(schema: &Value) -> String {
    let words: Vec<String> = types_of(schema)
        .into_iter()
        .map(|name| match name {
            "object" => "a table".to_owned(),
            name => article(name),
        })
        .collect();
    or(&words)
}

fn article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

fn or(items: &[String]) -> String {
    match items {
        [] => "another value".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A number of the file in JSON's notation; `None` for what JSON does not have.
fn json_number(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(integer) if integer.radix() == 10 => {
            Some(integer.as_str().trim_start_matches('+').to_owned())
        }
        DeValue::Integer(integer) => {
            i128::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n.to_string())
        }
        DeValue::Float(float) => {
            let text = float.as_str().trim_start_matches('+');
            (!text.contains(['n', 'i'])).then(|| text.to_owned())
        }
        _ => None,
    }
}

/// The place of a number in a value that JSON does not have.
fn not_json(value: &Spanned<DeValue<'_>>) -> Option<Range<usize>> {
    match value.get_ref() {
        DeValue::Integer(_) | DeValue::Float(_) => {
            json_number(value.get_ref()).is_none().then(|| value.span())
        }
        DeValue::Array(elements) => elements.iter().find_map(not_json),
        DeValue::Table(table) => table.iter().find_map(|(_, value)| not_json(value)),
        _ => None,
    }
}

/// Replaces what serde's data model would rob of its digits by its JSON text, where the
/// model reads it as such: `Literal` and `Decimal`.
pub(super) fn keep_digits(root: &Value, schema: &Value, value: &mut DeValue<'_>) {
    let schema = resolve(root, schema);
    match schema.get("format").and_then(Value::as_str) {
        Some("tollbridge-literal") => {
            *value = DeValue::String(Cow::Owned(to_json(value).to_string()));
            return;
        }
        Some("tollbridge-number") => {
            if let Some(number) = json_number(value) {
                *value = DeValue::String(Cow::Owned(number));
            }
            return;
        }
        _ => {}
    }
    if let (Some(branches), DeValue::Table(table)) = (branches(schema), &*value) {
        let is_it = |branch: &&Value| {
            tag_of(branch).is_some_and(|(tag, kind)| {
                let said = table.iter().find(|(key, _)| key.get_ref() == tag);
                said.is_some_and(|(_, said)| said.get_ref().as_str() == Some(kind))
            })
        };
        let branch = branches.iter().map(|branch| resolve(root, branch)).find(is_it);
        if let Some(branch) = branch {
            return keep_digits(root, branch, value);
        }
    }
    match value {
        DeValue::Array(elements) => {
            if let Some(items) = schema.get("items") {
                for element in elements.iter_mut() {
                    keep_digits(root, items, element.get_mut());
                }
            }
        }
        DeValue::Table(table) => {
            for (key, value) in table.iter_mut() {
                let known = properties(schema).and_then(|known| known.get(key.get_ref().as_ref()));
                if let Some(schema) = known.or_else(|| additional(schema)) {
                    keep_digits(root, schema, value.get_mut());
                }
            }
        }
        _ => {}
    }
}

/// A value of the file as JSON. Dates become their text, as JSON Schema has them.
fn to_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.clone().into_owned()),
        DeValue::Integer(_) | DeValue::Float(_) => json_number(value)
            .and_then(|number| serde_json::from_str(&number).ok())
            .unwrap_or(Value::Null),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(elements) => elements.iter().map(|value| to_json(value.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().clone().into_owned(), to_json(value.get_ref())))
                .collect(),
        ),
    }
}
