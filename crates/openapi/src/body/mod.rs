//! Request bodies: which media types can be sent, which schema `body` gets, and the plan by
//! which a value becomes bytes (OpenAPI 3.0.4 §4.7.13 and §4.7.15, 3.1.1 §4.8.13 and §4.8.15).
//!
//! A media type that cannot be written for certain is not offered; an operation that is left
//! with none is set aside.

mod form;
mod part;

use http::HeaderValue;
use serde_json::{Value, json};

use crate::binding::{BodyForm, BodyPlan, Variant};
use crate::document::{Document, Fault, Flavour, Pointer, Warnings, reference, text, text_line};
use crate::flag::{self, is_true};
use crate::media;
use crate::schema::{Direction, Lifted, Schemas};
use crate::xml;

use form::FormKind;

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
    let mut planner = Planner { document, schemas, xml, warnings, nesting: 0 };
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
    /// How many multipart bodies are around the part that is planned.
    pub(crate) nesting: usize,
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
        } else if essence == "application/x-www-form-urlencoded"
            && self.root_types(&schema_at, schema).is_some_and(|types| types == ["string"])
        {
            // The author lets the caller write the form.
            let one = self.lift(&schema_at, schema)?;
            (2, BodyForm::Text, one.schema.clone(), vec![one])
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
            (7, BodyForm::Bytes, bytes_schema(self.document.takes_paths), Vec::new())
        };
        let content_type = HeaderValue::from_str(&sent).map_err(|_| invalid())?;
        Ok((rank, Variant { name: written, content_type, form }, property, lifted))
    }

    fn lift(&mut self, at: &Pointer, schema: &Value) -> Result<Lifted, Fault> {
        self.schemas.lift(at, schema, Direction::Input, self.warnings)
    }

    /// The types that the schema's root demands, where it says them.
    pub(crate) fn root_types(&self, at: &Pointer, schema: &Value) -> Option<Vec<String>> {
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
        let property = if media::is_xml(essence) { xml_text() } else { json!({"type": "string"}) };
        Ok((property, Vec::new()))
    }
}

/// XML that the agent writes.
fn xml_text() -> Value {
    json!({"type": "string", "description": "The XML document, as text"})
}

/// Bytes, as the agent gives them.
fn bytes_schema(takes_paths: bool) -> Value {
    let data = json!({"type": "string", "contentEncoding": "base64", "description": "The bytes, in base64"});
    if takes_paths {
        return json!({
            "type": "object",
            "properties": {"data": data, "path": path_schema()},
            "additionalProperties": false,
            "oneOf": [{"required": ["data"]}, {"required": ["path"]}]
        });
    }
    json!({
        "type": "object",
        "properties": {"data": data},
        "required": ["data"],
        "additionalProperties": false
    })
}

/// A file that is read where the call is carried out.
fn path_schema() -> Value {
    json!({"type": "string", "minLength": 1, "description": "A file of the bridge's folder of files, by its path there"})
}
