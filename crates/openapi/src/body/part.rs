//! Parts of multipart bodies: values, files, and their headers.

use http::HeaderValue;
use serde_json::{Map, Value, json};

use super::form::{FormKind, Members};
use super::{Planner, path_schema};
use crate::binding::{BodyForm, FieldForm, Nested, Part, PartHeader, Style, Styled};
use crate::document::{Fault, Flavour, Pointer, scalar_text, text};
use crate::flag::is_true;
use crate::media;
use crate::schema::Lifted;

impl Planner<'_, '_> {
    /// A body of parts that is no form: a list of them (3.2.0 §4.14.4.2), or, as earlier
    /// versions advised, an object whose members name them.
    pub(super) fn multipart(
        &mut self,
        at: &Pointer,
        schema_at: &Pointer,
        schema: &Value,
        entry: &Value,
    ) -> Result<Planned4, Fault> {
        let item = entry.get("itemSchema");
        let resolved = self.document.resolve(schema_at.clone(), schema)?;
        let (list_at, list) = (resolved.0, resolved.1.clone());
        let is_list = item.is_some()
            || list.get("type").and_then(Value::as_str) == Some("array")
            || ["items", "prefixItems"].iter().any(|word| list.get(word).is_some());
        if !is_list {
            let mut members = Members::default();
            self.members(schema_at, schema, &mut members)?;
            if members.properties.is_empty() {
                return Err(Fault::new(at, "nothing says what the parts of the body are"));
            }
            let (property, lifted, fields) =
                self.form(at, schema_at, schema, entry, FormKind::Parts)?;
            return Ok((3, BodyForm::Multipart { fields }, property, lifted));
        }
        let mut lifted = Vec::new();
        let anything = json!({});
        let (mut first, mut properties) = (Vec::new(), Vec::new());
        let prefix = list.get("prefixItems").and_then(Value::as_array).filter(|_| item.is_none());
        let encodings = entry.get("prefixEncoding").and_then(Value::as_array);
        let count = prefix.map_or(0, Vec::len).max(encodings.map_or(0, Vec::len)).min(64);
        let (item_at, item) = match item {
            Some(item) => (at.child("itemSchema"), item),
            None => (list_at.child("items"), list.get("items").unwrap_or(&anything)),
        };
        for index in 0..count {
            let own = prefix.and_then(|all| all.get(index));
            let place = match own {
                Some(_) => list_at.child("prefixItems").item(index),
                None => item_at.clone(),
            };
            let own = own.unwrap_or(item);
            let encoding = encodings.and_then(|all| all.get(index));
            let encoding_at = at.child("prefixEncoding").item(index);
            let (form, property) =
                self.part(&place, own, &encoding_at, encoding, By::Position, &mut lifted)?;
            first.push(form);
            properties.push(self.part_schema(property, &place, own, &mut lifted)?);
        }
        let encoding = entry.get("itemEncoding");
        let encoding_at = at.child("itemEncoding");
        let (others, property) =
            self.part(&item_at, item, &encoding_at, encoding, By::Position, &mut lifted)?;
        let mut property = json!({
            "type": "array",
            "items": self.part_schema(property, &item_at, item, &mut lifted)?
        });
        if !properties.is_empty() {
            property["prefixItems"] = Value::Array(properties);
        }
        Ok((3, BodyForm::Parts { first, others }, property, lifted))
    }

    fn part_schema(
        &mut self,
        property: Option<Value>,
        at: &Pointer,
        schema: &Value,
        lifted: &mut Vec<Lifted>,
    ) -> Result<Value, Fault> {
        if let Some(property) = property {
            return Ok(property);
        }
        let one = self.lift(at, schema)?;
        let property = one.schema.clone();
        lifted.push(one);
        Ok(property)
    }

    /// How a part is written, and its property where that is not its schema's.
    pub(super) fn part(
        &mut self,
        place: &Pointer,
        member: &Value,
        at: &Pointer,
        encoding: Option<&Value>,
        by: By,
        lifted: &mut Vec<Lifted>,
    ) -> Result<(FieldForm, Option<Value>), Fault> {
        let says = encoding.and_then(|one| one.get("contentType")).and_then(Value::as_str);
        let is_nested = |types: &str| {
            let first = types.split(',').next().unwrap_or_default();
            media::essence(first).starts_with("multipart/")
        };
        if let Some(encoding) = encoding.filter(|_| says.is_some_and(is_nested)) {
            return self.nested((place, member), (at, encoding), says, by, lifted);
        }
        let (mut part, headers) = self.part_of(place, member, at, encoding);
        if let Some(is_list) = self.file(place, member, says) {
            return Ok((
                FieldForm::File(part),
                Some(file_schema(member, (is_list, self.document.takes_paths), says, &headers)),
            ));
        }
        let text = self.xml_text(&part, place, member);
        if headers.properties.is_empty() {
            return Ok((FieldForm::ByValue(part), text));
        }
        part.is_wrapped = true;
        let value = match text {
            Some(text) => text,
            None => {
                let one = self.lift(place, member)?;
                let schema = one.schema.clone();
                lifted.push(one);
                schema
            }
        };
        Ok((FieldForm::ByValue(part), Some(headers.beside(&value))))
    }

    /// The property of a part that is XML, where its schema does not say of which elements: the
    /// agent writes it.
    pub(super) fn xml_text(&self, part: &Part, place: &Pointer, member: &Value) -> Option<Value> {
        let says = part.content_type.as_ref()?.to_str().ok()?;
        if part.xml.is_some() || !media::is_xml(&media::essence(says)) {
            return None;
        }
        let types = |at: &Pointer, schema: &Value| self.root_types(at, schema).unwrap_or_default();
        let (at, member) = self.document.resolve(place.clone(), member).ok()?;
        let is_list = types(&at, member) == ["array"];
        let one = if is_list { member.get("items").unwrap_or(&Value::Null) } else { member };
        if types(&at.child("items"), one) == ["string"] {
            return None;
        }
        let text = super::xml_text();
        Some(if is_list { json!({"type": "array", "items": text}) } else { text })
    }

    /// A part that is made of parts itself. Of a list under a name each element is one, where an
    /// element can be; else the list is.
    fn nested(
        &mut self,
        (place, member): (&Pointer, &Value),
        (at, encoding): (&Pointer, &Value),
        says: Option<&str>,
        by: By,
        lifted: &mut Vec<Lifted>,
    ) -> Result<(FieldForm, Option<Value>), Fault> {
        const DEEPEST: usize = 8;
        if self.nesting >= DEEPEST {
            let reason = format!("parts within parts deeper than {DEEPEST} levels");
            return Err(Fault::new(at, reason));
        }
        let (found_at, found) = self.document.resolve(place.clone(), member)?;
        let items = found.get("items").filter(|_| by == By::Name).cloned();
        let items_at = found_at.child("items");
        let has_parts = |items: &Value| {
            let types = self.root_types(&items_at, items);
            types.is_some_and(|types| types.iter().all(|kind| kind == "object" || kind == "array"))
        };
        let items = items.filter(has_parts);
        let (inner_at, inner) = match &items {
            Some(items) => (&items_at, items),
            None => (place, member),
        };
        self.nesting += 1;
        let planned = self.multipart(at, inner_at, inner, encoding);
        self.nesting -= 1;
        let (_, form, mut property, more) = planned?;
        lifted.extend(more);
        let (mut part, headers) = self.part_of(place, &Value::Null, at, Some(encoding));
        let essence = says.and_then(|says| says.split(',').next()).map(media::essence);
        part.content_type = essence.and_then(|essence| HeaderValue::from_str(&essence).ok());
        if !headers.properties.is_empty() {
            part.is_wrapped = true;
            property = headers.beside(&property);
        }
        if items.is_some() {
            property = json!({"type": "array", "items": property});
        }
        let nested = Nested { part, form, takes_lists: items.is_none() };
        Ok((FieldForm::Nested(Box::new(nested)), Some(property)))
    }

    /// What the encoding says of a part, and the headers that it leaves to the agent.
    pub(super) fn part_of(
        &mut self,
        place: &Pointer,
        member: &Value,
        at: &Pointer,
        encoding: Option<&Value>,
    ) -> (Part, GivenHeaders) {
        let says = encoding.and_then(|one| one.get("contentType")).and_then(Value::as_str);
        let is_xml = says.is_some_and(|says| media::is_xml(&media::essence(says)));
        // Each item of a list is a part of its own.
        let items = self.document.resolve(place.clone(), member).ok().and_then(|(at, member)| {
            let is_list = member.get("type").and_then(Value::as_str) == Some("array");
            Some((at.child("items"), member.get("items").filter(|_| is_list)?.clone()))
        });
        let (place, member) = match &items {
            Some((at, items)) => (at, items),
            None => (place, member),
        };
        let has_members = self
            .root_types(place, member)
            .is_some_and(|types| types.iter().all(|kind| kind == "object" || kind == "array"));
        let mut part = Part { content_type: fitting_type(says, has_members), ..Part::default() };
        if is_xml {
            part.xml = self.xml.written(place, member);
        }
        let mut given = GivenHeaders::default();
        let headers = encoding.and_then(|one| one.get("headers")).and_then(Value::as_object);
        for (name, header) in headers.into_iter().flatten().take(32) {
            let at = at.child("headers").child(name);
            let Ok((_, header)) = self.document.resolve(at.clone(), header) else { continue };
            let of_the_part = ["content-type", "content-disposition", "content-length"];
            let Some(header_name) = http::HeaderName::from_bytes(name.as_bytes())
                .ok()
                .filter(|name| !of_the_part.contains(&name.as_str()))
            else {
                continue;
            };
            let anything = json!({});
            let content = header.get("content").and_then(Value::as_object);
            let schema = header
                .get("schema")
                .or_else(|| content?.values().next()?.get("schema"))
                .unwrap_or(&anything);
            if schema == &Value::Bool(false) {
                continue;
            }
            let only = match schema.get("enum").and_then(Value::as_array) {
                Some(all) if all.len() == 1 => all.first(),
                _ => schema.get("const").or_else(|| schema.get("default")),
            };
            let explode = is_true(header, "explode");
            part.headers.push(PartHeader {
                name: header_name,
                fixed: only.and_then(scalar_text),
                styled: Styled { style: Style::Simple, explode, allow_reserved: false },
            });
            if only.is_none() {
                if is_true(header, "required") {
                    given.required.push(name.clone());
                }
                let kind = schema.get("type").filter(|kind| kind.is_string());
                let mut property = kind.map_or(json!({}), |kind| json!({"type": kind}));
                if let Some(about) = header.get("description").and_then(Value::as_str) {
                    property["description"] = Value::String(text(about));
                }
                given.properties.insert(name.clone(), property);
            }
        }
        // A transfer encoding in the schema is one in a header (3.2.0 §4.15.5.2).
        let encoded = member.get("contentEncoding").and_then(Value::as_str);
        if let Some(encoded) = encoded.filter(|encoded| encoded.eq_ignore_ascii_case("base64")) {
            part.content_type = part
                .content_type
                .or_else(|| Some(HeaderValue::from_static("application/octet-stream")));
            part.headers.push(PartHeader {
                name: http::HeaderName::from_static("content-transfer-encoding"),
                fixed: Some(encoded.to_owned()),
                styled: Styled { style: Style::Simple, explode: false, allow_reserved: false },
            });
        }
        (part, given)
    }

    /// Whether a part is a file, and whether there is a list of them.
    fn file(&self, at: &Pointer, member: &Value, content_type: Option<&str>) -> Option<bool> {
        let (at, member) = self.document.resolve(at.clone(), member).ok()?;
        let kind = member.get("type");
        // 3.1: a schema that says nothing at all is one of bytes.
        let says_nothing = self.document.flavour == Flavour::OpenApi31
            && member.as_object().is_some_and(|object| {
                object
                    .keys()
                    .all(|key| matches!(key.as_str(), "description" | "title" | "$comment"))
            });
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
            || (says_nothing && content_type.is_none())
            // Bytes have no type at all; their content type is in the encoding.
            || (kind.is_none() && (bytes_type || is_media))
            || (is_string && bytes_type && member.get("contentEncoding").is_none() && !is("format", "byte"));
        is_file.then_some(false)
    }
}

/// What tells which part a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Name,
    Position,
}

/// Its rank, how it is written, its property, and what that is made of.
type Planned4 = (u8, BodyForm, Value, Vec<Lifted>);

/// The headers of a part that the agent gives.
#[derive(Debug, Default)]
pub(super) struct GivenHeaders {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl GivenHeaders {
    /// The property of a part whose value has this schema.
    fn beside(&self, value: &Value) -> Value {
        let required: &[&str] =
            if self.required.is_empty() { &["value"] } else { &["value", "headers"] };
        json!({
            "type": "object",
            "properties": {"value": value, "headers": self.schema()},
            "required": required,
            "additionalProperties": false
        })
    }

    fn schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false
        })
    }
}

/// The media type of a part among those that it may have: the first, or for what has members the
/// first that can hold them.
fn fitting_type(types: Option<&str>, has_members: bool) -> Option<HeaderValue> {
    let holds = |one: &&str| {
        let essence = media::essence(one);
        media::is_json(&essence) || media::is_xml(&essence)
    };
    let all = || types.into_iter().flat_map(|types| types.split(',')).map(str::trim);
    let first = all().find(|one| has_members && holds(one)).or_else(|| all().next())?;
    if first.contains('*') || !first.contains('/') {
        return None;
    }
    HeaderValue::from_str(first).ok()
}

/// A file, as the agent gives it. Where its media type is one of several, the agent says
/// which: it is not guessed.
fn file_schema(
    member: &Value,
    (is_list, takes_paths): (bool, bool),
    says: Option<&str>,
    headers: &GivenHeaders,
) -> Value {
    let mut file = json!({
        "type": "object",
        "description": "A file: `data` in base64, or `text`",
        "properties": {
            "filename": {"type": "string"},
            "content_type": {"type": "string", "pattern": media::PATTERN},
            "data": {"type": "string", "contentEncoding": "base64"},
            "text": {"type": "string"}
        },
        "additionalProperties": false,
        "oneOf": [{"required": ["data"]}, {"required": ["text"]}]
    });
    let mut forms = "`data` in base64, or `text`";
    if takes_paths {
        forms = "`data` in base64, `text`, or `path`";
        file["description"] = Value::String(format!("A file: {forms}"));
        file["properties"]["path"] = path_schema();
        file["oneOf"] =
            json!([{"required": ["data"]}, {"required": ["text"]}, {"required": ["path"]}]);
    }
    let types: Vec<&str> =
        says.into_iter().flat_map(|says| says.split(',')).map(str::trim).collect();
    let is_open = types.iter().any(|one| one.contains('*'));
    let mut required = Vec::new();
    if !types.is_empty() && !is_open {
        file["properties"]["content_type"] = json!({"type": "string", "enum": types});
    } else if !types.is_empty() {
        let about = format!("One of {}", types.join(", "));
        file["properties"]["content_type"]["description"] = Value::String(text(&about));
        if types.iter().all(|one| one.contains('*')) && !types.contains(&"*/*") {
            required.push("content_type");
        }
    }
    if !headers.properties.is_empty() {
        file["properties"]["headers"] = headers.schema();
        if !headers.required.is_empty() {
            required.push("headers");
        }
    }
    if !required.is_empty() {
        file["required"] = json!(required);
    }
    let described = member.get("description").and_then(Value::as_str).map(text);
    if is_list {
        let mut list = json!({"type": "array", "items": file});
        if let Some(described) = described {
            list["description"] = Value::String(described);
        }
        return list;
    }
    if let Some(described) = described {
        file["description"] = Value::String(format!("{described} ({forms})"));
    }
    file
}
