//! Request bodies: which media types can be sent, which schema `body` gets, and the plan by
//! which a value becomes bytes (OpenAPI 3.0.4 §4.7.13 and §4.7.15, 3.1.1 §4.8.13 and §4.8.15).
//!
//! A media type that cannot be written for certain is not offered; an operation that is left
//! with none is set aside.

use std::collections::HashSet;

use http::HeaderValue;
use serde_json::{Map, Value, json};

use crate::binding::{
    BodyForm, BodyPlan, Field, FieldForm, Part, PartHeader, Style, Styled, Variant,
};
use crate::document::{
    Document, Fault, Flavour, Pointer, Warnings, reference, scalar_text, text, text_line,
};
use crate::flag::{self, flag, is_true};
use crate::media;
use crate::schema::{Direction, Lifted, Schemas};
use crate::xml;

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
    xml: &mut xml::Planner<'d>,
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
    let mut planner = Planner { document, schemas, xml, warnings };
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
    if let Value::Object(body) = body {
        flag::tell(at, body, &["required"], planner.warnings);
    }
    let required = is_true(body, "required");
    Ok(PlannedBody { plan: BodyPlan { required, variants }, property, lifted })
}

/// What bodies are planned with.
pub(crate) struct Planner<'a, 'd> {
    pub(crate) document: &'d Document,
    pub(crate) schemas: &'a mut Schemas<'d>,
    pub(crate) xml: &'a mut xml::Planner<'d>,
    pub(crate) warnings: &'a mut Warnings,
}

/// How good it is, how it is written, its property, and what that is made of.
pub(crate) type Planned = (u8, Variant, Value, Vec<Lifted>);

impl Planner<'_, '_> {
    pub(crate) fn variant(
        &mut self,
        at: &Pointer,
        name: &str,
        entry: &Value,
    ) -> Result<Planned, Fault> {
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
            self.multipart(&at, &schema_at, schema, entry)?
        } else if media::is_json_lines(&essence) {
            let item = entry.get("itemSchema");
            let item_at = if item.is_some() { at.child("itemSchema") } else { schema_at };
            let one = self.lift(&item_at, item.unwrap_or(schema))?;
            let types = self.root_types(&item_at, item.unwrap_or(schema));
            let is_list = item.is_none() && types.is_some_and(|types| types == ["array"]);
            let property = if is_list {
                one.schema.clone()
            } else {
                json!({"type": "array", "items": one.schema})
            };
            let is_sequence = media::is_json_sequence(&essence);
            (4, BodyForm::JsonLines { is_sequence }, property, vec![one])
        } else if media::is_text(&essence) {
            if !written.to_ascii_lowercase().contains("charset=") && essence.starts_with("text/") {
                sent.push_str("; charset=utf-8");
            }
            let is_xml = media::is_xml(&essence);
            if let Some(plan) = is_xml.then(|| self.xml.written(&schema_at, schema)).flatten() {
                let one = self.lift(&schema_at, schema)?;
                (6, BodyForm::Xml(plan), one.schema.clone(), vec![one])
            } else {
                let (property, lifted) = self.text(&schema_at, schema, &essence)?;
                (if media::is_xml(&essence) { 6 } else { 5 }, BodyForm::Text, property, lifted)
            }
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
        let encoding_at = at.child("encoding");
        let mut fields = Vec::new();
        let mut rebuilt = Map::new();
        let mut lifted = Vec::new();
        for (name, (place, member)) in &members.properties {
            let encoding = encoding.and_then(|all| all.get(name));
            if let Some(styled) = encoding.and_then(styled) {
                fields.push(Field { name: name.clone(), form: FieldForm::Styled(styled) });
                continue;
            }
            let part_at = encoding_at.child(name);
            let (form, property) = match kind {
                FormKind::Multipart => self.part(place, member, &part_at, encoding, &mut lifted)?,
                FormKind::UrlEncoded => {
                    let (part, _) = self.part_of(place, member, &part_at, encoding);
                    (FieldForm::ByValue(Part { headers: Vec::new(), ..part }), None)
                }
            };
            if let Some(property) = property {
                rebuilt.insert(name.clone(), property);
            }
            fields.push(Field { name: name.clone(), form });
        }
        if rebuilt.is_empty() {
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
        // Files are objects for the agent, and so are parts with headers: the schema is
        // rebuilt with them.
        let mut properties = Map::new();
        for (name, (place, member)) in &members.properties {
            if let Some(part) = rebuilt.remove(name) {
                properties.insert(name.clone(), part);
            } else {
                let one = self.lift(place, member)?;
                properties.insert(name.clone(), one.schema.clone());
                lifted.push(one);
            }
        }
        let hidden = |name: &str| {
            members.properties.get(name).is_some_and(|(_, member)| is_true(member, "readOnly"))
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

    /// A body of parts that is no form: a list of them (3.2.0 §4.14.4.2), or, as earlier
    /// versions advised, an object whose members name them.
    fn multipart(
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
                self.form(at, schema_at, schema, entry, FormKind::Multipart)?;
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
            let (form, property) = self.part(&place, own, &encoding_at, encoding, &mut lifted)?;
            first.push(form);
            properties.push(self.part_schema(property, &place, own, &mut lifted)?);
        }
        let encoding = entry.get("itemEncoding");
        let encoding_at = at.child("itemEncoding");
        let (others, property) = self.part(&item_at, item, &encoding_at, encoding, &mut lifted)?;
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
    fn part(
        &mut self,
        place: &Pointer,
        member: &Value,
        at: &Pointer,
        encoding: Option<&Value>,
        lifted: &mut Vec<Lifted>,
    ) -> Result<(FieldForm, Option<Value>), Fault> {
        let says = encoding.and_then(|one| one.get("contentType")).and_then(Value::as_str);
        let (mut part, headers) = self.part_of(place, member, at, encoding);
        if let Some(is_list) = self.file(place, member, says) {
            return Ok((FieldForm::File(part), Some(file_schema(member, is_list, says, &headers))));
        }
        if headers.properties.is_empty() {
            return Ok((FieldForm::ByValue(part), None));
        }
        part.is_wrapped = true;
        let one = self.lift(place, member)?;
        let mut property = json!({
            "type": "object",
            "properties": {"value": one.schema, "headers": headers.schema()},
            "required": ["value"],
            "additionalProperties": false
        });
        lifted.push(one);
        if !headers.required.is_empty() {
            property["required"] = json!(["value", "headers"]);
        }
        Ok((FieldForm::ByValue(part), Some(property)))
    }

    /// What the encoding says of a part, and the headers that it leaves to the agent.
    fn part_of(
        &mut self,
        place: &Pointer,
        member: &Value,
        at: &Pointer,
        encoding: Option<&Value>,
    ) -> (Part, GivenHeaders) {
        let says = encoding.and_then(|one| one.get("contentType")).and_then(Value::as_str);
        let content_type = first_type(says);
        let is_xml = says.is_some_and(|says| media::is_xml(&media::essence(says)));
        let mut part = Part { content_type, ..Part::default() };
        // Each item of a list is a part of its own.
        let items = self.document.resolve(place.clone(), member).ok().and_then(|(at, member)| {
            let is_list = member.get("type").and_then(Value::as_str) == Some("array");
            Some((at.child("items"), member.get("items").filter(|_| is_list)?.clone()))
        });
        let (place, member) = match &items {
            Some((at, items)) => (at, items),
            None => (place, member),
        };
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

type Planned4 = (u8, BodyForm, Value, Vec<Lifted>);

/// The headers of a part that the agent gives.
#[derive(Debug, Default)]
struct GivenHeaders {
    properties: Map<String, Value>,
    required: Vec<String>,
}

impl GivenHeaders {
    fn schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false
        })
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

        pub(super) fn is_empty(&self) -> bool {
            self.list.is_empty()
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
fn styled(encoding: &Value) -> Option<Styled> {
    if ["style", "explode", "allowReserved"].iter().all(|name| encoding.get(name).is_none()) {
        return None;
    }
    let style = match encoding.get("style").and_then(Value::as_str) {
        Some("spaceDelimited") => Style::Delimited(' '),
        Some("pipeDelimited") => Style::Delimited('|'),
        Some("tabDelimited") => Style::Delimited('\t'),
        Some("deepObject") => Style::Deep,
        _ => Style::Form,
    };
    let flag = |name: &str| flag(encoding.get(name));
    let explode = flag("explode").unwrap_or(matches!(style, Style::Form | Style::Deep));
    Some(Styled { style, explode, allow_reserved: flag("allowReserved").unwrap_or(false) })
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

/// A file, as the agent gives it. Where its media type is one of several, the agent says
/// which: it is not guessed.
fn file_schema(member: &Value, is_list: bool, says: Option<&str>, headers: &GivenHeaders) -> Value {
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
    let types: Vec<&str> =
        says.into_iter().flat_map(|says| says.split(',')).map(str::trim).collect();
    let is_open = types.iter().any(|one| one.contains('*'));
    let mut required = Vec::new();
    if !types.is_empty() && !is_open {
        file["properties"]["content_type"] = json!({"type": "string", "enum": types});
    } else if !types.is_empty() {
        let about = format!("One of {}", types.join(", "));
        file["properties"]["content_type"] = json!({"type": "string", "description": text(&about)});
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
        file["description"] = Value::String(format!("{described} (`data` in base64, or `text`)"));
    }
    file
}
