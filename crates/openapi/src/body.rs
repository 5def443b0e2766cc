//! Request bodies: which media types can be sent, which schema `body` gets, and the plan by
//! which a value becomes bytes (OpenAPI 3.0.4 §4.7.13 and §4.7.15, 3.1.1 §4.8.13 and §4.8.15).
//!
//! A media type that cannot be written for certain is not offered; an operation that is left
//! with none is set aside.

use std::collections::HashSet;

use http::HeaderValue;
use serde_json::{Map, Value, json};

use crate::binding::{BodyForm, BodyPlan, Field, FieldForm, Style, Variant};
use crate::document::{Document, Fault, Flavour, Pointer, Warnings, reference, text, text_line};
use crate::media;
use crate::schema::{Direction, Lifted, Schemas};

/// Each of them has its own schema.
const MAX_MEDIA_TYPES: usize = 16;

/// A body with its property.
#[derive(Debug)]
pub(crate) struct PlannedBody {
    pub(crate) plan: BodyPlan,
    pub(crate) property: Value,
    pub(crate) lifted: Vec<Lifted>,
}

/// Plans a 3.x request body.
pub(crate) fn plan<'d>(
    document: &'d Document,
    schemas: &mut Schemas<'d>,
    at: &Pointer,
    body: &Value,
    warnings: &mut Warnings,
) -> Result<PlannedBody, Fault> {
    let content_at = at.child("content");
    let Some(content) = body.get("content").and_then(Value::as_object).filter(|c| !c.is_empty())
    else {
        return Err(Fault::new(
            &content_at,
            "expected a request body with at least one media type",
        ));
    };
    let mut planner = Planner { document, schemas, warnings };
    let mut offered: Vec<(u8, Variant, Value, Vec<Lifted>)> = Vec::new();
    let mut refused: Option<Fault> = None;
    for (name, entry) in content.iter().take(MAX_MEDIA_TYPES) {
        match planner.variant(&content_at.child(name), name, entry) {
            Ok((rank, variant, property, lifted)) => {
                offered.push((rank, variant, property, lifted));
            }
            Err(fault) => refused = refused.or(Some(fault)),
        }
    }
    if let (Some(fault), true) = (&refused, offered.is_empty()) {
        return Err(fault.clone());
    }
    if let Some(fault) = refused {
        planner.warnings.add(&fault.pointer, format!("{}; not offered", fault.reason));
    }
    // Stable: the document's order decides between equals.
    offered.sort_by_key(|(rank, ..)| *rank);
    let mut variants: Vec<Variant> = Vec::new();
    let mut properties: Vec<Value> = Vec::new();
    let mut lifted = Vec::new();
    for (_, variant, property, more) in offered {
        if variants.iter().any(|known| known.name == variant.name) {
            continue;
        }
        variants.push(variant);
        lifted.extend(more);
        if !properties.contains(&property) {
            properties.push(property);
        }
    }
    let mut property = match properties.len() {
        1 => properties.remove(0),
        _ => json!({"anyOf": properties}),
    };
    if let (Value::Object(property), Some(description)) =
        (&mut property, body.get("description").and_then(Value::as_str))
        && !description.trim().is_empty()
    {
        property.insert("description".to_owned(), Value::String(text(description)));
    }
    let required = body.get("required") == Some(&Value::Bool(true));
    Ok(PlannedBody { plan: BodyPlan { required, variants }, property, lifted })
}

struct Planner<'a, 'd> {
    document: &'d Document,
    schemas: &'a mut Schemas<'d>,
    warnings: &'a mut Warnings,
}

type Planned = (u8, Variant, Value, Vec<Lifted>);

impl Planner<'_, '_> {
    fn variant(&mut self, at: &Pointer, name: &str, entry: &Value) -> Result<Planned, Fault> {
        let followed = match reference(entry) {
            Some(_) => Some(self.document.resolve(at.clone(), entry)?),
            None => None,
        };
        let (at, entry) = followed.unwrap_or_else(|| (at.clone(), entry));
        let essence = media::essence(name);
        // Authors write wildcards where they mean the usual type.
        let written = match essence.as_str() {
            "*/*" | "application/*" => "application/json".to_owned(),
            "text/*" => "text/plain".to_owned(),
            _ if essence.contains('*') => {
                return Err(Fault::new(&at, format!("`{}` names no media type", text_line(name))));
            }
            _ => name.trim().to_owned(),
        };
        let essence = media::essence(&written);
        let invalid = || Fault::new(&at, format!("`{}` is no media type", text_line(name)));
        if !essence.contains('/') {
            return Err(invalid());
        }
        let schema_at = match self.document.flavour {
            Flavour::Swagger2 => at.clone(),
            _ => at.child("schema"),
        };
        let anything = json!({});
        let schema = entry.get("schema").unwrap_or(&anything);
        let mut sent = written.clone();
        let (rank, form, property, lifted) = if media::is_json(&essence) {
            let one = self.lift(&schema_at, schema)?;
            let types = self.root_types(&schema_at, schema);
            let rank = u8::from(essence != "application/json");
            (rank, BodyForm::Json { types }, one.schema.clone(), vec![one])
        } else if essence == "application/x-www-form-urlencoded" {
            let (property, lifted, fields) =
                self.form(&at, &schema_at, schema, entry, FormKind::UrlEncoded)?;
            (2, BodyForm::UrlEncoded { fields }, property, lifted)
        } else if essence == "multipart/form-data" {
            let (property, lifted, fields) =
                self.form(&at, &schema_at, schema, entry, FormKind::Multipart)?;
            (3, BodyForm::Multipart { fields }, property, lifted)
        } else if essence.starts_with("multipart/") {
            return Err(Fault::new(
                &at,
                format!("bodies of {essence} cannot be written; expected multipart/form-data"),
            ));
        } else if media::is_json_lines(&essence) {
            let item = entry.get("itemSchema").unwrap_or(schema);
            let one = self.lift(&schema_at, item)?;
            let is_list = item.get("type").and_then(Value::as_str) == Some("array");
            let property = if is_list {
                one.schema.clone()
            } else {
                json!({"type": "array", "items": one.schema})
            };
            (4, BodyForm::JsonLines, property, vec![one])
        } else if media::is_text(&essence) {
            if !written.to_ascii_lowercase().contains("charset=") && essence.starts_with("text/") {
                sent.push_str("; charset=utf-8");
            }
            let (property, lifted) = self.text(&schema_at, schema, &essence)?;
            (if media::is_xml(&essence) { 6 } else { 5 }, BodyForm::Text, property, lifted)
        } else {
            (7, BodyForm::Bytes, bytes_schema(), Vec::new())
        };
        let content_type = HeaderValue::from_str(&sent).map_err(|_| invalid())?;
        Ok((rank, Variant { name: written, content_type, form }, property, lifted))
    }

    fn lift(&mut self, at: &Pointer, schema: &Value) -> Result<Lifted, Fault> {
        self.schemas.lift(at, schema, Direction::Input, self.warnings)
    }

    /// The types that the schema's root demands, where it says them.
    fn root_types(&self, at: &Pointer, schema: &Value) -> Option<Vec<String>> {
        let (_, schema) = self.document.resolve(at.clone(), schema).ok()?;
        match schema.get("type")? {
            Value::String(one) => Some(vec![one.clone()]),
            Value::Array(all) => all.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => None,
        }
    }

    /// Text is a string; what else a schema says of it counts where it describes a string.
    fn text(
        &mut self,
        at: &Pointer,
        schema: &Value,
        essence: &str,
    ) -> Result<(Value, Vec<Lifted>), Fault> {
        let is_string = self.root_types(at, schema).is_some_and(|types| types == ["string"]);
        if is_string && !media::is_xml(essence) {
            let one = self.lift(at, schema)?;
            return Ok((one.schema.clone(), vec![one]));
        }
        let mut property = json!({"type": "string"});
        if media::is_xml(essence) {
            property["description"] = Value::String("The XML document, as text".to_owned());
        }
        Ok((property, Vec::new()))
    }

    /// The object of a form: its members known by name, so that files and styles are.
    fn form(
        &mut self,
        at: &Pointer,
        schema_at: &Pointer,
        schema: &Value,
        entry: &Value,
        kind: FormKind,
    ) -> Result<(Value, Vec<Lifted>, Vec<Field>), Fault> {
        let root = self.lift(schema_at, schema)?;
        let mut members = Members::default();
        self.members(schema_at, schema, &mut members)?;
        let encoding = entry.get("encoding").and_then(Value::as_object);
        let mut fields = Vec::new();
        let mut files = Map::new();
        let mut lifted = Vec::new();
        for (name, (place, member)) in &members.properties {
            let encoding = encoding.and_then(|all| all.get(name));
            let says = encoding.and_then(|one| one.get("contentType")).and_then(Value::as_str);
            let file = match kind {
                FormKind::Multipart => self.file(place, member, says),
                FormKind::UrlEncoded => None,
            };
            if let Some(is_list) = file {
                files.insert(name.clone(), file_schema(member, is_list));
            }
            let form = match (file.is_some(), kind) {
                (true, _) => FieldForm::File { content_type: first_type(says) },
                (false, FormKind::Multipart) => {
                    FieldForm::ByValue { content_type: first_type(says) }
                }
                (false, FormKind::UrlEncoded) => styled(encoding),
            };
            fields.push(Field { name: name.clone(), form });
        }
        if files.is_empty() {
            lifted.push(root.clone());
            let mut property = root.schema;
            // A form is an object, also where its schema does not say so.
            if reference(&property).is_none()
                && let Value::Object(property) = &mut property
                && !property.contains_key("type")
                && !["allOf", "anyOf", "oneOf"].iter().any(|word| property.contains_key(*word))
            {
                property.insert("type".to_owned(), json!("object"));
            }
            return Ok((property, lifted, fields));
        }
        // Files are objects for the agent: the schema is rebuilt with them.
        let mut properties = Map::new();
        for (name, (place, member)) in &members.properties {
            if let Some(file) = files.remove(name) {
                properties.insert(name.clone(), file);
            } else {
                let one = self.lift(place, member)?;
                properties.insert(name.clone(), one.schema.clone());
                lifted.push(one);
            }
        }
        let hidden = |name: &str| {
            members
                .properties
                .get(name)
                .is_some_and(|(_, member)| member.get("readOnly") == Some(&Value::Bool(true)))
        };
        properties.retain(|name, _| !hidden(name));
        let mut required = members.required.clone();
        let mut seen = HashSet::new();
        required.retain(|name| !hidden(name) && seen.insert(name.clone()));
        let mut property = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            property["required"] = json!(required);
        }
        if members.is_closed {
            property["additionalProperties"] = Value::Bool(false);
        }
        if members.is_open_ended {
            self.warnings
                .add(at, "alternatives beside the members of a multipart body are not checked");
        }
        Ok((property, lifted, fields))
    }

    /// Gathers the members of an object schema through references and `allOf`.
    fn members(&self, at: &Pointer, schema: &Value, members: &mut Members) -> Result<(), Fault> {
        // Branches may share branches, and lead back: more than this is no design.
        members.visited += 1;
        if members.visited > 200 {
            return Ok(());
        }
        let (at, schema) = self.document.resolve(at.clone(), schema)?;
        for (name, member) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let place = at.child("properties").child(name);
            members.properties.insert(name.clone(), (place, member.clone()));
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = name.as_str() {
                members.required.push(name.to_owned());
            }
        }
        members.is_closed |= schema.get("additionalProperties") == Some(&Value::Bool(false));
        members.is_open_ended |= schema.get("anyOf").is_some() || schema.get("oneOf").is_some();
        let all_of = schema.get("allOf").and_then(Value::as_array);
        for (index, branch) in all_of.into_iter().flatten().enumerate() {
            self.members(&at.child("allOf").item(index), branch, members)?;
        }
        Ok(())
    }

    /// Whether a part is a file, and whether there is a list of them.
    fn file(&self, at: &Pointer, member: &Value, content_type: Option<&str>) -> Option<bool> {
        let (at, member) = self.document.resolve(at.clone(), member).ok()?;
        let kind = member.get("type");
        if kind.and_then(Value::as_str) == Some("array") {
            let items = member.get("items")?;
            return self.file(&at.child("items"), items, content_type).map(|_| true);
        }
        let is = |name: &str, value: &str| member.get(name).and_then(Value::as_str) == Some(value);
        let is_string = match kind {
            Some(Value::String(kind)) => kind == "string",
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
            _ => false,
        };
        let is_media = member
            .get("contentMediaType")
            .and_then(Value::as_str)
            .is_some_and(|name| !media::is_json(name) && !media::is_text(name));
        let bytes_type = content_type.is_some_and(|types| {
            types
                .split(',')
                .map(media::essence)
                .all(|one| !media::is_json(&one) && !media::is_text(&one))
        });
        let is_file = (is_string && (is("format", "binary") || is_media && member.get("contentEncoding").is_none()))
            || is("type", "file")
            // 3.1: bytes have no type at all; their content type is in the encoding.
            || (kind.is_none() && (bytes_type || is_media))
            || (is_string && bytes_type && member.get("contentEncoding").is_none() && !is("format", "byte"));
        is_file.then_some(false)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FormKind {
    UrlEncoded,
    Multipart,
}

#[derive(Debug, Default)]
struct Members {
    properties: indexed::Members,
    required: Vec<String>,
    is_closed: bool,
    is_open_ended: bool,
    visited: usize,
}

/// Members in the order in which they were found.
mod indexed {
    use std::collections::HashMap;

    use super::{Pointer, Value};

    #[derive(Debug, Default)]
    pub(super) struct Members {
        list: Vec<(String, (Pointer, Value))>,
        places: HashMap<String, usize>,
    }

    impl Members {
        pub(super) fn insert(&mut self, name: String, member: (Pointer, Value)) {
            if let Some(&place) = self.places.get(&name) {
                self.list[place].1 = member;
            } else {
                self.places.insert(name.clone(), self.list.len());
                self.list.push((name, member));
            }
        }

        pub(super) fn get(&self, name: &str) -> Option<&(Pointer, Value)> {
            self.places.get(name).map(|&place| &self.list[place].1)
        }
    }

    impl<'a> IntoIterator for &'a Members {
        type Item = &'a (String, (Pointer, Value));
        type IntoIter = std::slice::Iter<'a, (String, (Pointer, Value))>;

        fn into_iter(self) -> Self::IntoIter {
            self.list.iter()
        }
    }
}

fn first_type(types: Option<&str>) -> Option<HeaderValue> {
    let first = types?.split(',').next()?.trim();
    if first.contains('*') || !first.contains('/') {
        return None;
    }
    HeaderValue::from_str(first).ok()
}

/// Style and its kin, where the encoding names any of them, rule over the content type
/// (OpenAPI 3.1.1 §4.8.15.1.2).
fn styled(encoding: Option<&Value>) -> FieldForm {
    let member = |name: &str| encoding.and_then(|encoding| encoding.get(name));
    if ["style", "explode", "allowReserved"].iter().all(|name| member(name).is_none()) {
        return FieldForm::ByValue { content_type: None };
    }
    let style = match member("style").and_then(Value::as_str) {
        Some("spaceDelimited") => Style::Delimited(' '),
        Some("pipeDelimited") => Style::Delimited('|'),
        Some("tabDelimited") => Style::Delimited('\t'),
        Some("deepObject") => Style::Deep,
        _ => Style::Form,
    };
    let explode = member("explode")
        .and_then(Value::as_bool)
        .unwrap_or(matches!(style, Style::Form | Style::Deep));
    FieldForm::Styled { style, explode }
}

/// Bytes, as the agent gives them.
fn bytes_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "data": {"type": "string", "contentEncoding": "base64", "description": "The bytes, in base64"}
        },
        "required": ["data"],
        "additionalProperties": false
    })
}

/// A file, as the agent gives it.
fn file_schema(member: &Value, is_list: bool) -> Value {
    let mut file = json!({
        "type": "object",
        "description": "A file: `data` in base64, or `text`",
        "properties": {
            "filename": {"type": "string"},
            "content_type": {"type": "string"},
            "data": {"type": "string", "contentEncoding": "base64"},
            "text": {"type": "string"}
        },
        "additionalProperties": false,
        "oneOf": [{"required": ["data"]}, {"required": ["text"]}]
    });
    let described = member.get("description").and_then(Value::as_str).map(text);
    if is_list {
        let mut list = json!({"type": "array", "items": file});
        if let Some(described) = described {
            list["description"] = Value::String(described);
        }
        return list;
    }
    if let Some(described) = described {
        file["description"] = Value::String(format!("{described} (`data` in base64, or `text`)"));
    }
    file
}
