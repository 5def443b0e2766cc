//! One schema of any flavour to JSON Schema 2020-12.
//!
//! What a keyword's value cannot be is left out with a warning: a validator refuses a schema
//! with one bad keyword as a whole. OpenAPI 3.0.4 §4.7.24, 3.1.1 §4.8.24, Swagger 2.0 Schema
//! Object; JSON Schema 2020-12 core and validation.

use std::collections::HashSet;

use serde_json::{Map, Number, Value, json};

use super::{Direction, Lifted, Schemas};
use crate::document::{Document, Fault, Flavour, Pointer, Warnings, reference, text};

pub(super) fn lift(
    schemas: &mut Schemas<'_>,
    at: &Pointer,
    schema: &Value,
    direction: Direction,
    bound: usize,
    warnings: &mut Warnings,
) -> Result<Lifted, Fault> {
    let document = schemas.document;
    let mut lift = Lift {
        schemas,
        document,
        direction,
        warnings,
        references: Vec::new(),
        in_place: Vec::new(),
        nodes: 0,
        bound,
    };
    let at = lift.entered(at);
    let schema = lift.schema(&at, schema, true, &HashSet::new())?;
    let Lift { references, in_place, nodes, .. } = lift;
    Ok(Lifted { schema, references, in_place, nodes })
}

struct Lift<'s, 'd, 'w> {
    schemas: &'s mut Schemas<'d>,
    document: &'d Document,
    direction: Direction,
    warnings: &'w mut Warnings,
    references: Vec<Pointer>,
    in_place: Vec<Pointer>,
    nodes: usize,
    /// Where it is too large to go on.
    bound: usize,
}

/// What a keyword of JSON Schema holds.
enum Keyword {
    Schema,
    /// A schema that applies to the same value.
    SchemaInPlace,
    SchemaMap,
    SchemaMapInPlace,
    SchemaListInPlace,
    SchemaList,
    Text,
    Name,
    Count,
    Number,
    Flag,
    Any,
    List,
    /// Handled apart, or meaningless outside its document.
    Dropped,
}

fn keyword(name: &str) -> Keyword {
    match name {
        "additionalProperties"
        | "unevaluatedProperties"
        | "unevaluatedItems"
        | "contains"
        | "propertyNames"
        | "contentSchema" => Keyword::Schema,
        "not" | "if" | "then" | "else" => Keyword::SchemaInPlace,
        "patternProperties" => Keyword::SchemaMap,
        "dependentSchemas" => Keyword::SchemaMapInPlace,
        "allOf" | "anyOf" | "oneOf" => Keyword::SchemaListInPlace,
        "prefixItems" => Keyword::SchemaList,
        "title" | "description" => Keyword::Text,
        "format" | "pattern" | "contentEncoding" | "contentMediaType" => Keyword::Name,
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
        | "minContains" | "maxContains" => Keyword::Count,
        "multipleOf" => Keyword::Number,
        "uniqueItems" | "deprecated" => Keyword::Flag,
        "const" | "default" => Keyword::Any,
        "enum" => Keyword::List,
        _ => Keyword::Dropped,
    }
}

impl<'d> Lift<'_, 'd, '_> {
    /// `hidden` are the members that the surrounding `allOf` leaves out in this direction.
    fn schema(
        &mut self,
        at: &Pointer,
        schema: &Value,
        in_place: bool,
        hidden: &HashSet<String>,
    ) -> Result<Value, Fault> {
        self.nodes += 1;
        if self.nodes > self.bound {
            return Err(Fault::new(
                at,
                "the description unfolds to more than can be carried; cut it down to what is used",
            ));
        }
        let object = match schema {
            Value::Object(object) => object,
            Value::Bool(_) => return Ok(schema.clone()),
            _ => {
                self.warnings
                    .add(at, "expected a schema (an object); read as one that takes anything");
                return Ok(json!({}));
            }
        };
        let entered = object.contains_key("$id").then(|| self.entered(at));
        let at = entered.as_ref().unwrap_or(at);
        let mut out = Map::new();
        let is_reference = reference(schema).is_some();
        let dynamic = || object.get("$dynamicRef").and_then(Value::as_str);
        let target = match reference(schema) {
            Some(target) => Some(self.definition_of(at, target)?),
            None => dynamic().map(|target| self.dynamic_definition_of(at, target)).transpose()?,
        };
        if let Some(target) = target {
            let name = self.schemas.name(&target);
            out.insert("$ref".to_owned(), Value::String(format!("#/$defs/{name}")));
            if in_place {
                self.in_place.push(target.clone());
            }
            self.references.push(target);
        }
        // Beside a reference, 3.0 and 2.0 ignore everything (OpenAPI 3.0.4 §4.7.23); what only
        // describes does no harm, and authors mean it.
        if is_reference && self.document.flavour != Flavour::OpenApi31 {
            if let Some(Value::String(description)) = object.get("description") {
                out.insert("description".to_owned(), Value::String(text(description)));
            }
        } else {
            self.keywords(at, object, in_place, hidden, &mut out)?;
        }
        self.nodes += out.len();
        let nullable = |name: &str| object.get(name) == Some(&Value::Bool(true));
        if nullable("nullable") || nullable("x-nullable") {
            return Ok(with_null(out));
        }
        Ok(Value::Object(out))
    }

    /// The place that a reference names; where that is only a reference, what that one names.
    fn definition_of(&mut self, at: &Pointer, reference_text: &str) -> Result<Pointer, Fault> {
        let (mut target, mut value) = match self.document.target(at, reference_text) {
            Ok(found) => found,
            Err(fault) => self.enclosing(at, reference_text).ok_or(fault)?,
        };
        target = self.document.library.enter(at.scope(), &target);
        let mut passed = HashSet::from([target.clone()]);
        while let Some(next) = reference(value).filter(|_| is_pure(value)) {
            let scope = target.scope().cloned();
            (target, value) = self.document.target(&target, next)?;
            target = self.document.library.enter(scope.as_ref(), &target);
            if !passed.insert(target.clone()) {
                return Err(Fault::new(
                    at,
                    "the reference leads back to itself; let it point to a definition",
                ));
            }
        }
        Ok(target)
    }

    /// The same for a `$dynamicRef`.
    fn dynamic_definition_of(&mut self, at: &Pointer, text: &str) -> Result<Pointer, Fault> {
        let library = &self.document.library;
        let (found, _) = self.document.target(at, text)?;
        let target = library.dynamic(at, text, found);
        Ok(library.enter(at.scope(), &target))
    }

    /// A place with what its own resource adds to the scope.
    fn entered(&self, at: &Pointer) -> Pointer {
        self.document.library.enter(at.scope(), at)
    }

    /// What a `#/$defs/NAME` means that leads nowhere from the document's root: generators
    /// copy whole schemas into a description, and their own definitions come with them.
    fn enclosing(&mut self, at: &Pointer, reference_text: &str) -> Option<(Pointer, &'d Value)> {
        let inside = Pointer::of_reference(reference_text)?;
        let kind = inside.tokens().next()?;
        if kind != "$defs" && kind != "definitions" {
            return None;
        }
        let document = self.document;
        let found = at.ancestors().find_map(|ancestor| {
            let place = ancestor.join(&inside);
            document.at(&place).map(|value| (place, value))
        })?;
        self.warnings.add(
            &at.child("$ref"),
            "it leads nowhere from the document's root; read within the schema around it",
        );
        Some(found)
    }

    fn keywords(
        &mut self,
        at: &Pointer,
        object: &Map<String, Value>,
        in_place: bool,
        outer_hidden: &HashSet<String>,
        out: &mut Map<String, Value>,
    ) -> Result<(), Fault> {
        let mut hidden = outer_hidden.clone();
        self.find_hidden(at, object, &mut hidden, &mut 0);
        for (name, value) in object {
            let here = at.child(name);
            let kept = match keyword(name) {
                Keyword::Schema => Some(self.schema(&here, value, false, &HashSet::new())?),
                Keyword::SchemaInPlace => {
                    Some(self.schema(&here, value, in_place, &HashSet::new())?)
                }
                Keyword::SchemaMap => self.map(&here, value, false)?,
                Keyword::SchemaMapInPlace => self.map(&here, value, in_place)?,
                Keyword::SchemaList => self.list(&here, value, false, &HashSet::new())?,
                Keyword::SchemaListInPlace => self.list(&here, value, in_place, &hidden)?,
                Keyword::Text => value.as_str().map(|raw| {
                    self.nodes += raw.len() / 128;
                    Value::String(text(raw))
                }),
                Keyword::Name => value.is_string().then(|| value.clone()),
                Keyword::Count => count(value).map(Value::Number),
                Keyword::Number => positive(value).then(|| value.clone()),
                Keyword::Flag => value.is_boolean().then(|| value.clone()),
                Keyword::Any => Some(self.data(value)),
                Keyword::List => {
                    value.as_array().filter(|list| !list.is_empty()).map(|_| self.data(value))
                }
                Keyword::Dropped => {
                    self.special(at, name, value, object, &hidden, out)?;
                    continue;
                }
            };
            match kept {
                Some(value) => {
                    out.insert(name.clone(), value);
                }
                None => {
                    self.warnings.add(&here, format!("the value is none for `{name}`; left out"));
                }
            }
        }
        Ok(())
    }

    /// The keywords that differ between the flavours or lean on one another.
    fn special(
        &mut self,
        at: &Pointer,
        name: &str,
        value: &Value,
        object: &Map<String, Value>,
        hidden: &HashSet<String>,
        out: &mut Map<String, Value>,
    ) -> Result<(), Fault> {
        let here = at.child(name);
        match name {
            "type" => match types(value) {
                Some(value) => {
                    out.insert(name.to_owned(), value);
                }
                None => self.warnings.add(&here, "no type of JSON Schema; left out"),
            },
            "properties" => match value.as_object() {
                Some(properties) => {
                    let mut kept = Map::new();
                    for (property, schema) in properties {
                        if !hidden.contains(property) {
                            let place = here.child(property);
                            let schema = self.schema(&place, schema, false, &HashSet::new())?;
                            kept.insert(property.clone(), schema);
                        }
                    }
                    out.insert(name.to_owned(), Value::Object(kept));
                }
                None => self.warnings.add(&here, "expected an object; left out"),
            },
            "required" => match value.as_array() {
                Some(names) => {
                    let mut seen = HashSet::new();
                    let kept: Vec<Value> = names
                        .iter()
                        .filter_map(Value::as_str)
                        .filter(|name| !hidden.contains(*name) && seen.insert(*name))
                        .map(|name| Value::String(name.to_owned()))
                        .collect();
                    if !kept.is_empty() {
                        out.insert(name.to_owned(), Value::Array(kept));
                    }
                }
                None => self.warnings.add(
                    &here,
                    "`required` of a schema lists the names of its properties; this one is left out",
                ),
            },
            // A tuple, before 2020-12.
            "items" if value.is_array() => {
                if let Some(list) = self.list(&here, value, false, &HashSet::new())? {
                    out.insert("prefixItems".to_owned(), list);
                }
            }
            "items" => {
                let schema = self.schema(&here, value, false, &HashSet::new())?;
                out.insert(name.to_owned(), schema);
            }
            "minimum" | "maximum" => {
                let exclusive =
                    if name == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" };
                let is_exclusive = object.get(exclusive) == Some(&Value::Bool(true));
                if value.is_number() {
                    let name = if is_exclusive { exclusive } else { name };
                    out.insert(name.to_owned(), value.clone());
                } else {
                    self.warnings.add(&here, "expected a number; left out");
                }
            }
            "exclusiveMinimum" | "exclusiveMaximum" => {
                if value.is_number() {
                    out.insert(name.to_owned(), value.clone());
                } else if !value.is_boolean() {
                    self.warnings.add(&here, "expected a number; left out");
                }
            }
            "examples" if value.is_array() => {
                out.insert(name.to_owned(), self.data(value));
            }
            "example" if !object.get("examples").is_some_and(Value::is_array) => {
                out.insert("examples".to_owned(), Value::Array(vec![self.data(value)]));
            }
            "dependentRequired" if value.as_object().is_some_and(is_map_of_names) => {
                out.insert(name.to_owned(), value.clone());
            }
            _ => {}
        }
        Ok(())
    }

    fn map(&mut self, at: &Pointer, value: &Value, in_place: bool) -> Result<Option<Value>, Fault> {
        let Some(members) = value.as_object() else { return Ok(None) };
        let mut kept = Map::new();
        for (name, schema) in members {
            let schema = self.schema(&at.child(name), schema, in_place, &HashSet::new())?;
            kept.insert(name.clone(), schema);
        }
        Ok(Some(Value::Object(kept)))
    }

    fn list(
        &mut self,
        at: &Pointer,
        value: &Value,
        in_place: bool,
        hidden: &HashSet<String>,
    ) -> Result<Option<Value>, Fault> {
        let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
            return Ok(None);
        };
        let mut kept = Vec::with_capacity(items.len());
        for (index, schema) in items.iter().enumerate() {
            kept.push(self.schema(&at.item(index), schema, in_place, hidden)?);
        }
        Ok(Some(Value::Array(kept)))
    }

    /// A value that is no schema, counted.
    fn data(&mut self, value: &Value) -> Value {
        self.nodes += size(value);
        value.clone()
    }

    /// Gathers the members that do not go in this direction, also those of `allOf` branches:
    /// `required` often stands in another branch than the property.
    fn find_hidden(
        &self,
        at: &Pointer,
        object: &Map<String, Value>,
        hidden: &mut HashSet<String>,
        visited: &mut usize,
    ) {
        // Branches may share branches, and lead back: more than this is no design.
        *visited += 1;
        if *visited > 200 {
            return;
        }
        if let Some(properties) = object.get("properties").and_then(Value::as_object) {
            for (name, schema) in properties {
                if self.is_hidden(at, schema) {
                    hidden.insert(name.clone());
                }
            }
        }
        for branch in object.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            if let Ok((at, Value::Object(branch))) = self.document.resolve(at.clone(), branch) {
                self.find_hidden(&at, branch, hidden, visited);
            }
        }
    }

    fn is_hidden(&self, at: &Pointer, schema: &Value) -> bool {
        let flag = match self.direction {
            Direction::Input => "readOnly",
            Direction::Output => "writeOnly",
        };
        let says = |schema: &Value| schema.get(flag) == Some(&Value::Bool(true));
        says(schema)
            || reference(schema).is_some()
                && self.document.resolve(at.clone(), schema).is_ok_and(|(_, target)| says(target))
    }
}

/// How many nodes a value has; long text counts for more than one.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(size).sum::<usize>(),
        Value::String(text) => 1 + text.len() / 128,
        _ => 1,
    }
}

/// Whether a schema is a reference and nothing else.
fn is_pure(schema: &Value) -> bool {
    schema.as_object().is_some_and(|object| object.len() == 1 && object.contains_key("$ref"))
}

fn is_map_of_names(map: &Map<String, Value>) -> bool {
    let are_names = |names: &Value| {
        let mut seen = HashSet::new();
        let names = names.as_array()?;
        Some(names.iter().all(|name| name.as_str().is_some_and(|name| seen.insert(name))))
    };
    map.values().all(|names| are_names(names) == Some(true))
}

/// The type or types, as far as JSON Schema knows them. Swagger's `file` is text here: what
/// is bytes is found before a schema is asked for.
fn types(value: &Value) -> Option<Value> {
    let known = |name: &str| match name {
        "string" | "number" | "integer" | "boolean" | "array" | "object" | "null" => {
            Some(name.to_owned())
        }
        "file" => Some("string".to_owned()),
        _ => None,
    };
    match value {
        Value::String(name) => known(name).map(Value::String),
        Value::Array(names) => {
            let mut kept: Vec<Value> = Vec::new();
            for name in names {
                let name = Value::String(known(name.as_str()?)?);
                if !kept.contains(&name) {
                    kept.push(name);
                }
            }
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

/// A count is a whole number that is not negative; `2.0` is one.
fn count(value: &Value) -> Option<Number> {
    let number = value.as_number()?;
    if let Some(count) = number.as_u64() {
        return Some(count.into());
    }
    let digits = number.to_string();
    let (whole, fraction) = digits.split_once('.')?;
    fraction.bytes().all(|b| b == b'0').then(|| whole.parse::<u64>().ok()).flatten().map(Into::into)
}

fn positive(value: &Value) -> bool {
    value.as_number().is_some_and(|number| {
        let digits = number.to_string();
        let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
        !digits.starts_with('-') && mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'))
    })
}

/// Lets null be a value too (OpenAPI 3.0.4, `nullable`; `x-nullable` in 2.0).
fn with_null(mut schema: Map<String, Value>) -> Value {
    const COMPOSITION: [&str; 6] = ["$ref", "allOf", "anyOf", "oneOf", "not", "const"];
    if COMPOSITION.iter().any(|keyword| schema.contains_key(*keyword)) {
        let mut outer = Map::new();
        for annotation in ["title", "description", "default", "examples", "deprecated"] {
            if let Some(value) = schema.shift_remove(annotation) {
                outer.insert(annotation.to_owned(), value);
            }
        }
        outer.insert("anyOf".to_owned(), json!([schema, {"type": "null"}]));
        return Value::Object(outer);
    }
    let null = Value::String("null".to_owned());
    match schema.get_mut("type") {
        Some(Value::Array(types)) if !types.contains(&null) => types.push(null),
        Some(one @ Value::String(_)) if *one != null => *one = Value::Array(vec![one.take(), null]),
        _ => {}
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    Value::Object(schema)
}
