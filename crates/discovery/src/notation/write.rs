//! From a schema to the notation.

use serde_json::{Map, Value};
use tollbridge_operation::Schema;

use super::TYPES;
use super::constraints::{fits, is_annotation};
use super::text::{declared_name, is_plain_name, json_string, json_text, one_line, written_name};

/// How deep a schema is written in the notation; below it stands as JSON.
const DEEPEST: usize = 40;

/// How tightly an operator binds: what is looser stands in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binds {
    /// `|`
    Any,
    /// `&`
    All,
    /// `+`
    Sum,
    /// A suffix.
    Tight,
}

/// What is written beside the constraints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// How many characters of a description are kept as a comment; none at 0.
    pub(crate) said: usize,
}

/// Writes a schema: a type, and a line for each of its definitions. Nothing but constraints and
/// defaults is in it.
pub fn write(schema: &Schema) -> String {
    let writer = Writer { style: Style { said: 0 } };
    let mut out = writer.whole(schema.root());
    for (name, schema) in definitions(schema) {
        out.push('\n');
        out.push_str(&writer.declaration(name, schema));
    }
    out
}

/// The definitions of a schema, those of its root and those that it shares.
pub(crate) fn definitions(schema: &Schema) -> impl Iterator<Item = (&str, &Value)> {
    let own = schema.root().get("$defs").and_then(Value::as_object);
    let own = own.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema));
    own.chain(schema.definitions().iter().map(|one| (&*one.name, &*one.schema)))
}

/// Writes types.
pub(crate) struct Writer {
    pub(crate) style: Style,
}

impl Writer {
    /// The type of a whole schema, its definitions aside.
    pub(crate) fn whole(&self, root: &Value) -> String {
        if root.get("$defs").is_none_or(|own| !own.is_object()) {
            return self.schema(root, Binds::Any, 0);
        }
        let mut root = root.clone();
        root.as_object_mut().map(|root| root.shift_remove("$defs"));
        self.schema(&root, Binds::Any, 0)
    }

    /// One line that declares a type.
    pub(crate) fn declaration(&self, name: &str, schema: &Value) -> String {
        let said = self.comment(schema);
        let name = declared_name(name);
        format!("type {name} = {}{said}", self.schema(schema, Binds::Any, 0))
    }

    fn schema(&self, schema: &Value, outside: Binds, depth: usize) -> String {
        let keywords = match schema {
            Value::Bool(true) => return "any".to_owned(),
            Value::Object(keywords) => keywords,
            _ => return "never".to_owned(),
        };
        let mut left: Map<String, Value> = Map::new();
        for (name, value) in keywords {
            if !is_annotation(name) {
                left.insert(name.clone(), value.clone());
            }
        }
        if depth > DEEPEST {
            return if left.is_empty() { "any".to_owned() } else { format!("any !{}", raw(left)) };
        }
        let mut parts: Vec<(String, Binds)> = Vec::new();
        if let Some(name) = take_reference(&mut left) {
            parts.push((name, Binds::Tight));
        }
        if let Some(values) = take_values(&mut left) {
            let binds = if values.contains('|') { Binds::Any } else { Binds::Tight };
            parts.push((values, binds));
        } else {
            self.typed(&mut left, &mut parts, depth);
        }
        self.combined(&mut left, &mut parts, depth);
        let rest = (!left.is_empty()).then(|| raw(left));
        let (text, binds) = match (parts.len(), rest) {
            (0, None) => ("any".to_owned(), Binds::Tight),
            (0, Some(rest)) => (format!("any !{rest}"), Binds::Tight),
            (1, None) => parts.remove(0),
            (_, rest) => {
                let texts: Vec<String> = parts
                    .iter()
                    .map(|(text, binds)| wrapped(text.clone(), *binds, Binds::Sum))
                    .collect();
                let binds = if parts.len() > 1 { Binds::Sum } else { parts[0].1.max(Binds::Sum) };
                let rest = rest.map(|rest| format!(" !{rest}")).unwrap_or_default();
                (texts.join(" + ") + &rest, binds)
            }
        };
        wrapped(text, binds, outside)
    }

    /// Types, and the keywords that go with each.
    fn typed(&self, left: &mut Map<String, Value>, parts: &mut Vec<(String, Binds)>, depth: usize) {
        let types = take_types(left);
        let null = types.len() > 1 && types.iter().any(|one| one == "null");
        let named: Vec<&str> =
            types.iter().map(String::as_str).filter(|one| !null || *one != "null").collect();
        let question = if null { "?" } else { "" };
        match named.as_slice() {
            [] => {
                if let Some(object) = self.object(left, false, depth) {
                    parts.push((format!("~{object}"), Binds::Sum));
                }
                if let Some(list) = self.list(left, depth) {
                    parts.push((format!("~{list}"), Binds::Sum));
                }
            }
            ["object"] => {
                let object = self.object(left, true, depth).unwrap_or_else(|| "object".to_owned());
                parts.push((format!("{object}{question}"), Binds::Tight));
            }
            ["array"] => {
                let list = self.list(left, depth).unwrap_or_else(|| "any[]".to_owned());
                parts.push((format!("{list}{question}"), Binds::Tight));
            }
            [one] => {
                let facets = facets(one, left);
                let facets = if facets.is_empty() { facets } else { format!("({facets})") };
                parts.push((format!("{one}{facets}{question}"), Binds::Tight));
            }
            _ => {
                parts.push((types.join("/"), Binds::Tight));
                if types.iter().any(|one| one == "object")
                    && let Some(object) = self.object(left, false, depth)
                {
                    parts.push((format!("~{object}"), Binds::Sum));
                }
                if types.iter().any(|one| one == "array")
                    && let Some(list) = self.list(left, depth)
                {
                    parts.push((format!("~{list}"), Binds::Sum));
                }
            }
        }
    }

    /// An object's members; none where nothing is said of them.
    fn object(&self, left: &mut Map<String, Value>, bare: bool, depth: usize) -> Option<String> {
        let mut members = Vec::new();
        let names = take_if(left, "required", is_names);
        let mut required: Vec<String> = strings(names.as_ref());
        let properties = take_if(left, "properties", Value::is_object);
        let patterns = take_if(left, "patternProperties", Value::is_object);
        let others =
            take_if(left, "additionalProperties", |one| one.is_object() || one.is_boolean());
        let exact = if others == Some(Value::Bool(false)) { "exact " } else { "" };
        let size = range(left, "minProperties", "maxProperties");
        let said =
            names.is_some() || properties.is_some() || patterns.is_some() || others.is_some();
        if !said && size.is_none() {
            return None;
        }
        if !said && bare {
            return Some(format!("object({})", size.unwrap_or_default()));
        }
        for (name, schema) in properties.iter().filter_map(Value::as_object).flatten() {
            let is_required = required.iter().any(|one| one == name);
            required.retain(|one| one != name);
            members.push(self.member(name, schema, is_required, depth));
        }
        for (pattern, schema) in patterns.iter().filter_map(Value::as_object).flatten() {
            let pattern = written_pattern(pattern);
            members.push((format!("[{pattern}]: {}", self.inner(schema, depth)), String::new()));
        }
        if let Some(others) = others.filter(|others| !others.is_boolean()) {
            members.push((format!("...{}", self.inner(&others, depth)), self.comment(&others)));
        }
        // A name that is required, and of which nothing is said.
        if !required.is_empty() {
            left.insert("required".to_owned(), required.into());
        }
        let size = size.map(|size| format!("({size})")).unwrap_or_default();
        Some(format!("{exact}{{{}}}{size}", joined(members)))
    }

    fn member(&self, name: &str, schema: &Value, required: bool, depth: usize) -> (String, String) {
        let question = if required { "" } else { "?" };
        let mut text = format!("{}{question}: {}", written_name(name), self.inner(schema, depth));
        if let Some(default) = schema.get("default") {
            text.push_str(" = ");
            text.push_str(&json_text(default));
        }
        (text, self.comment(schema))
    }

    fn inner(&self, schema: &Value, depth: usize) -> String {
        self.schema(schema, Binds::Any, depth + 1)
    }

    /// A list; none where nothing is said of it.
    fn list(&self, left: &mut Map<String, Value>, depth: usize) -> Option<String> {
        let items = take_if(left, "items", |items| items.is_object() || items.is_boolean());
        let unique = take_if(left, "uniqueItems", Value::is_boolean);
        let size = range(left, "minItems", "maxItems");
        if items.is_none() && unique.is_none() && size.is_none() {
            return None;
        }
        let items = items.unwrap_or(Value::Bool(true));
        let items = self.schema(&items, Binds::Tight, depth + 1);
        let unique = (unique == Some(Value::Bool(true))).then(|| "unique".to_owned());
        let inside: Vec<String> = size.into_iter().chain(unique).collect();
        Some(format!("{items}[{}]", inside.join(" ")))
    }

    /// Schemas that are made of schemas.
    fn combined(
        &self,
        left: &mut Map<String, Value>,
        parts: &mut Vec<(String, Binds)>,
        depth: usize,
    ) {
        for (keyword, sign, binds) in [
            ("allOf", " & ", Binds::All),
            ("anyOf", " | ", Binds::Any),
            ("oneOf", "", Binds::Tight),
            ("prefixItems", "", Binds::Tight),
        ] {
            let is_list = |value: &Value| value.as_array().is_some_and(|list| !list.is_empty());
            let Some(Value::Array(list)) = take_if(left, keyword, is_list) else { continue };
            let alone = parts.is_empty() && left.is_empty() && list.len() > 1 && !sign.is_empty();
            if alone {
                let inside = if binds == Binds::All { Binds::Sum } else { Binds::All };
                let texts = list.iter().map(|one| {
                    let text = self.schema(one, inside, depth + 1);
                    // Literals side by side would be one enumeration.
                    if is_literal(one) { format!("({text})") } else { text }
                });
                let mut texts: Vec<String> = texts.collect();
                // `null` is a type, and beside literals alone it is one.
                if texts.iter().all(|text| text == "null") {
                    texts[0] = "(null)".to_owned();
                }
                parts.push((texts.join(sign), binds));
            } else {
                let texts: Vec<String> = list.iter().map(|one| self.inner(one, depth)).collect();
                parts.push((format!("{keyword}({})", texts.join(", ")), Binds::Tight));
            }
        }
        if let Some(not) = take_if(left, "not", |not| not.is_object() || not.is_boolean()) {
            parts.push((format!("not({})", self.inner(&not, depth)), Binds::Tight));
        }
    }

    /// What is said of a schema, as a comment to the end of the line.
    fn comment(&self, schema: &Value) -> String {
        if self.style.said == 0 {
            return String::new();
        }
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let mut said = one_line(text, self.style.said);
        if schema.get("deprecated") == Some(&Value::Bool(true)) {
            said = format!("deprecated {said}").trim_end().to_owned();
        }
        if said.is_empty() { said } else { format!(" // {said}") }
    }
}

/// Members after each other, each comment at the end of its line.
fn joined(members: Vec<(String, String)>) -> String {
    let mut out = String::new();
    let last = members.len().saturating_sub(1);
    for (at, (member, comment)) in members.into_iter().enumerate() {
        // A member may end with a line of its own comments.
        out.push_str(&member);
        if at < last {
            out.push(',');
        }
        if comment.is_empty() {
            out.push_str(if at < last { " " } else { "" });
        } else {
            out.push_str(&comment);
            out.push('\n');
        }
    }
    out
}

fn wrapped(text: String, binds: Binds, outside: Binds) -> String {
    if binds < outside { format!("({text})") } else { text }
}

fn raw(left: Map<String, Value>) -> String {
    json_text(&Value::Object(left))
}

fn take_if(
    left: &mut Map<String, Value>,
    keyword: &str,
    fits: impl Fn(&Value) -> bool,
) -> Option<Value> {
    if left.get(keyword).is_some_and(fits) { left.shift_remove(keyword) } else { None }
}

/// A reference to a definition or to the whole; others stay as they are.
fn take_reference(left: &mut Map<String, Value>) -> Option<String> {
    let target = left.get("$ref")?.as_str()?;
    let name = if target == "#" {
        "self".to_owned()
    } else {
        let name = target.strip_prefix("#/$defs/")?;
        // What is escaped in a pointer, or is a pointer further down, is no plain name.
        if name.contains(['/', '~', '%']) {
            return None;
        }
        declared_name(name)
    };
    left.shift_remove("$ref");
    Some(name)
}

/// The values of an enumeration of simple values, where its type says nothing beside them.
fn take_values(left: &mut Map<String, Value>) -> Option<String> {
    if left.contains_key("enum") && left.contains_key("const") {
        return None;
    }
    let values = match (left.get("enum"), left.get("const")) {
        (Some(Value::Array(values)), None) => values.clone(),
        (None, Some(value)) => vec![value.clone()],
        _ => return None,
    };
    if values.iter().any(|value| value.is_array() || value.is_object()) {
        return None;
    }
    let types = left.get("type");
    let values: Vec<&Value> =
        values.iter().filter(|value| types.is_none_or(|types| fits(value, types))).collect();
    if values.is_empty() || types.is_some_and(|types| known_types(types).is_none()) {
        return None;
    }
    let texts: Vec<String> = values.into_iter().map(json_text).collect();
    for keyword in ["enum", "const", "type"] {
        left.shift_remove(keyword);
    }
    Some(texts.join("|"))
}

fn is_literal(schema: &Value) -> bool {
    schema.get("enum").is_some() || schema.get("const").is_some()
}

fn known_types(types: &Value) -> Option<Vec<String>> {
    let list = match types {
        Value::String(one) => vec![one.clone()],
        Value::Array(list) if !list.is_empty() => {
            list.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>()?
        }
        _ => return None,
    };
    let mut seen: Vec<String> = Vec::new();
    for one in list {
        if !TYPES.contains(&one.as_str()) {
            return None;
        }
        if !seen.contains(&one) {
            seen.push(one);
        }
    }
    Some(seen)
}

fn take_types(left: &mut Map<String, Value>) -> Vec<String> {
    let Some(types) = left.get("type").and_then(known_types) else { return Vec::new() };
    left.shift_remove("type");
    types
}

/// What binds a value of a simple type, in brackets.
fn facets(kind: &str, left: &mut Map<String, Value>) -> String {
    let mut facets = Vec::new();
    match kind {
        "string" => {
            facets.extend(range(left, "minLength", "maxLength"));
            if let Some(Value::String(pattern)) = take_if(left, "pattern", Value::is_string) {
                facets.push(written_pattern(&pattern));
            }
        }
        "integer" | "number" => {
            facets.extend(range(left, "minimum", "maximum"));
            for (keyword, sign) in
                [("exclusiveMinimum", ">"), ("exclusiveMaximum", "<"), ("multipleOf", "step ")]
            {
                if let Some(number) = take_if(left, keyword, Value::is_number) {
                    facets.push(format!("{sign}{number}"));
                }
            }
        }
        _ => return String::new(),
    }
    if let Some(Value::String(format)) = take_if(left, "format", Value::is_string) {
        let plain = is_plain_name(&format) && !super::RESERVED.contains(&format.as_str());
        facets.push(if plain { format } else { format!("format {}", json_string(&format)) });
    }
    facets.join(", ")
}

fn range(left: &mut Map<String, Value>, least: &str, most: &str) -> Option<String> {
    let least = take_if(left, least, Value::is_number);
    let most = take_if(left, most, Value::is_number);
    if least.is_none() && most.is_none() {
        return None;
    }
    let text = |number: Option<Value>| number.map(|number| number.to_string()).unwrap_or_default();
    Some(format!("{}..{}", text(least), text(most)))
}

/// An expression between slashes, where it has none itself.
fn written_pattern(pattern: &str) -> String {
    let plain = !pattern.is_empty()
        && !pattern.contains('/')
        && !pattern.chars().any(super::text::is_unseen);
    if plain { format!("/{pattern}/") } else { format!("re {}", json_string(pattern)) }
}

fn is_names(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|one| one.as_str().map(str::to_owned)).collect()
}
