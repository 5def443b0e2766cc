//! Pieces of Swagger 2.0 in their 3.x shapes, one at a time.
//!
//! Everything after this module knows the 3.x shapes only. Schemas are left as they are:
//! the lifting of schemas knows 2.0's differences.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::document::{Document, Fault, Pointer};
use crate::flag::is_true;
use crate::media;
use crate::parameters::Declared;

/// Each of them gets its own copy of the schema.
const MAX_MEDIA_TYPES: usize = 16;

/// What describes a value in a parameter that is its own schema.
const SCHEMA_KEYWORDS: [&str; 20] = [
    "type",
    "format",
    "items",
    "default",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "enum",
    "multipleOf",
    "x-nullable",
    "x-example",
    "title",
    "properties",
];

/// A 3.x request body with the place that it came from.
pub(crate) type RequestBody = (Pointer, Value);

/// Splits 2.0 parameters into 3.x parameters and a 3.x request body.
pub(crate) fn parameters<'d>(
    document: &Document,
    operation: &Value,
    declared: Vec<Declared<'d>>,
) -> Result<(Vec<Declared<'d>>, Option<RequestBody>), Fault> {
    let mut parameters = Vec::new();
    let mut body: Option<Declared<'_>> = None;
    let mut form = Vec::new();
    for declared in declared {
        match declared.place.as_str() {
            "body" if body.is_some() => {
                return Err(Fault::new(&declared.at, "expected at most one parameter in `body`"));
            }
            "body" => body = Some(declared),
            "formData" => form.push(declared),
            _ => parameters.push(parameter(declared)),
        }
    }
    let consumes = media_types(document, operation, "consumes");
    let request_body = match (body, form.first()) {
        (Some(body), None) => Some(body_of(&body, consumes)),
        (None, Some(first)) => Some((first.at.clone(), form_body(&form, &consumes))),
        (Some(body), Some(_)) => {
            return Err(Fault::new(
                &body.at,
                "expected parameters in `body` or `formData`, not both",
            ));
        }
        (None, None) => None,
    };
    Ok((parameters, request_body))
}

/// The operation's media types, else the document's.
fn media_types(document: &Document, operation: &Value, member: &str) -> Vec<String> {
    let list = operation.get(member).or_else(|| document.root.get(member));
    let types = list.and_then(Value::as_array).into_iter().flatten();
    types.filter_map(Value::as_str).map(str::to_owned).take(MAX_MEDIA_TYPES).collect()
}

fn parameter(declared: Declared<'_>) -> Declared<'_> {
    let value = &declared.value;
    let mut out = Map::new();
    for member in ["name", "in", "description", "required"] {
        if let Some(value) = value.get(member) {
            out.insert(member.to_owned(), value.clone());
        }
    }
    let (style, explode) = collection(value, &declared.place);
    if let Some(style) = style {
        out.insert("style".to_owned(), Value::String(style.to_owned()));
    }
    out.insert("explode".to_owned(), Value::Bool(explode));
    out.insert("schema".to_owned(), own_schema(value));
    Declared { value: Cow::Owned(Value::Object(out)), ..declared }
}

/// `collectionFormat` as style and explode.
fn collection(value: &Value, place: &str) -> (Option<&'static str>, bool) {
    match value.get("collectionFormat").and_then(Value::as_str) {
        Some("multi") => (None, matches!(place, "query" | "formData")),
        Some("ssv") => (Some("spaceDelimited"), false),
        Some("tsv") => (Some("tabDelimited"), false),
        Some("pipes") => (Some("pipeDelimited"), false),
        _ => (None, false),
    }
}

fn own_schema(value: &Value) -> Value {
    // Authors write 3.x's form in 2.0 documents, too.
    if let Some(schema) = value.get("schema") {
        return schema.clone();
    }
    let mut schema = Map::new();
    for keyword in SCHEMA_KEYWORDS {
        if let Some(value) = value.get(keyword) {
            let keyword = if keyword == "x-example" { "example" } else { keyword };
            schema.insert(keyword.to_owned(), value.clone());
        }
    }
    Value::Object(schema)
}

fn body_of(body: &Declared<'_>, mut consumes: Vec<String>) -> RequestBody {
    if consumes.is_empty() {
        consumes.push("application/json".to_owned());
    }
    let schema = body.value.get("schema").cloned().unwrap_or_else(|| json!({}));
    let content: Map<String, Value> =
        consumes.into_iter().map(|name| (name, json!({"schema": schema}))).collect();
    let mut out = Map::new();
    for member in ["description", "required"] {
        if let Some(value) = body.value.get(member) {
            out.insert(member.to_owned(), value.clone());
        }
    }
    out.insert("content".to_owned(), Value::Object(content));
    (body.at.clone(), Value::Object(out))
}

fn form_body(form: &[Declared<'_>], consumes: &[String]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut encoding = Map::new();
    let mut has_file = false;
    for field in form {
        let value = &field.value;
        let is_file = value.get("type").and_then(Value::as_str) == Some("file");
        has_file |= is_file;
        let mut schema =
            if is_file { json!({"type": "string", "format": "binary"}) } else { own_schema(value) };
        if let (Value::Object(schema), Some(description)) = (&mut schema, value.get("description"))
        {
            schema.insert("description".to_owned(), description.clone());
        }
        properties.insert(field.name.clone(), schema);
        if is_true(value, "required") {
            required.push(Value::String(field.name.clone()));
        }
        if value.get("type").and_then(Value::as_str) == Some("array") {
            let (style, explode) = collection(value, "formData");
            let style = style.unwrap_or("form");
            encoding.insert(field.name.clone(), json!({"style": style, "explode": explode}));
        }
    }
    let is_required = !required.is_empty();
    let mut schema = json!({"type": "object", "properties": properties});
    if let (Value::Object(schema), true) = (&mut schema, is_required) {
        schema.insert("required".to_owned(), Value::Array(required));
    }
    let multipart = "multipart/form-data";
    let urlencoded = "application/x-www-form-urlencoded";
    let says = |name: &str| consumes.iter().any(|one| media::essence(one) == name);
    let kinds: &[&str] = match (has_file, says(urlencoded), says(multipart)) {
        (true, ..) | (false, false, true) => &[multipart],
        (false, true, true) => &[urlencoded, multipart],
        (false, _, false) => &[urlencoded],
    };
    let content: Map<String, Value> = kinds
        .iter()
        .map(|&kind| (kind.to_owned(), json!({"schema": schema, "encoding": encoding})))
        .collect();
    json!({"required": is_required, "content": content})
}

/// A 2.0 response in its 3.x shape.
pub(crate) fn response(document: &Document, operation: &Value, response: &Value) -> Value {
    let mut produces = media_types(document, operation, "produces");
    let mut out = Map::new();
    if let Some(schema) = response.get("schema") {
        let is_file = schema.get("type").and_then(Value::as_str) == Some("file");
        if is_file {
            produces.retain(|name| !media::is_json(&media::essence(name)));
            if produces.is_empty() {
                produces.push("application/octet-stream".to_owned());
            }
        } else if produces.is_empty() {
            produces.push("application/json".to_owned());
        }
        let content: Map<String, Value> =
            produces.into_iter().map(|name| (name, json!({"schema": schema}))).collect();
        out.insert("content".to_owned(), Value::Object(content));
    }
    Value::Object(out)
}
