//! One schema of any flavour to JSON Schema 2020-12.
//!
//! What a keyword's value cannot be is left out with a warning: a validator refuses a schema
//! with one bad keyword as a whole. OpenAPI 3.0.4 §4.7.24, 3.1.1 §4.8.24, Swagger 2.0 Schema
//! Object; JSON Schema 2020-12 core and validation.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::compose::{asks_for, find_hidden};
use super::discriminator::Union;
use super::keywords::{Keyword, count, dependent_names, fits_type, keyword, positive, size, types};
use super::values::{move_to_items, read_as_typed};
use super::{Direction, Lifted, Reading, Schemas, Target};
use crate::dialect::Dialect;
use crate::document::{Document, Fault, Flavour, Pointer, Warnings, reference, text};
use crate::flag::{self, flag};

/// How many definitions may stand within one another instead of being named.
const MOST_INLINED: usize = 8;

/// Lifts the schema in a place.
pub(super) fn lift(
    schemas: &mut Schemas<'_>,
    at: &Pointer,
    schema: &Value,
    direction: Direction,
    bound: usize,
    warnings: &mut Warnings,
) -> Result<Lifted, Fault> {
    let mut lift = Lift::new(schemas, direction, bound, warnings);
    let context = Context { in_place: true, ..Context::default() };
    let at = lift.entered(at);
    let schema = lift.schema(&at, schema, context)?;
    Ok(lift.finish(schema))
}

/// Lifts a definition.
pub(super) fn define(
    schemas: &mut Schemas<'_>,
    target: &Target,
    schema: &Value,
    direction: Direction,
    warnings: &mut Warnings,
) -> Result<Lifted, Fault> {
    let family = if target.reading.alone { None } else { schemas.family(&target.place, warnings) };
    let mut lift = Lift::new(schemas, direction, usize::MAX, warnings);
    let schema = match family {
        Some(family) if lift.is_sent(&target.place, schema, &family) => {
            lift.family(schema, &family, target.reading)
        }
        _ => {
            let context = Context { in_place: true, hidden: None, reading: target.reading };
            let at = lift.entered(&target.place);
            lift.schema(&at, schema, context)?
        }
    };
    Ok(lift.finish(schema))
}

struct Lift<'s, 'd, 'w> {
    schemas: &'s mut Schemas<'d>,
    document: &'d Document,
    direction: Direction,
    warnings: &'w mut Warnings,
    references: Vec<Target>,
    in_place: Vec<Target>,
    nodes: usize,
    /// Where it is too large to go on.
    bound: usize,
    inlined: usize,
}

/// What a schema is to the one around it.
#[derive(Clone, Copy, Default)]
struct Context<'h> {
    /// It applies to the same value as the schema that is lifted.
    in_place: bool,
    /// The members that the surrounding `allOf` leaves out in this direction.
    hidden: Option<&'h HashSet<String>>,
    /// How it is read, or what it refers to.
    reading: Reading,
}

impl<'s, 'd, 'w> Lift<'s, 'd, 'w> {
    fn new(
        schemas: &'s mut Schemas<'d>,
        direction: Direction,
        bound: usize,
        warnings: &'w mut Warnings,
    ) -> Self {
        let document = schemas.document;
        let (references, in_place) = (Vec::new(), Vec::new());
        let (nodes, inlined) = (0, 0);
        Self { schemas, document, direction, warnings, references, in_place, nodes, bound, inlined }
    }

    fn finish(self, schema: Value) -> Lifted {
        let Self { references, in_place, nodes, .. } = self;
        Lifted { schema, references, in_place, nodes }
    }

    /// What the schema in a place is written in. Before 3.1 there is one dialect for all.
    fn dialect(&self, at: &Pointer) -> Dialect {
        match self.document.flavour {
            Flavour::OpenApi31 => self.document.library.dialect(at),
            Flavour::Swagger2 | Flavour::OpenApi30 => Dialect::default(),
        }
    }

    /// A place with what its own resource adds to the scope.
    fn entered(&self, at: &Pointer) -> Pointer {
        self.document.library.enter(at.scope(), at)
    }

    fn schema(
        &mut self,
        at: &Pointer,
        schema: &Value,
        context: Context<'_>,
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
            Value::String(_) if flag(Some(schema)).is_some() => {
                let flag = flag(Some(schema)).unwrap_or_default();
                self.warnings.add(at, format!("expected a schema; read as {flag}"));
                return Ok(Value::Bool(flag));
            }
            _ => {
                self.warnings
                    .add(at, "expected a schema (an object); read as one that takes anything");
                return Ok(json!({}));
            }
        };
        let entered = object.contains_key("$id").then(|| self.entered(at));
        let at = entered.as_ref().unwrap_or(at);
        let mut out = Map::with_capacity(object.len());
        if let Some(place) = self.referred(at, object)? {
            if let Some(inline) = self.inline(&place, object, context)? {
                return Ok(inline);
            }
            let reading = self.schemas.reading_of(&place, context.reading, self.warnings);
            self.refer(Target { place, reading }, context.in_place, &mut out);
        }
        // Beside a reference, 3.0 and 2.0 ignore everything (OpenAPI 3.0.4 §4.7.23), and so do
        // older dialects; what only describes does no harm, and authors mean it.
        let stands_alone = self.document.flavour != Flavour::OpenApi31
            || self.dialect(at).reference_stands_alone();
        if reference(schema).is_some() && stands_alone {
            if let Some(Value::String(description)) = object.get("description") {
                out.insert("description".to_owned(), Value::String(text(description)));
            }
        } else {
            self.keywords(at, object, context, &mut out)?;
        }
        self.nodes += out.len();
        Ok(if is_nullable(object) { with_null(out) } else { Value::Object(out) })
    }

    /// What the schema refers to.
    fn referred(
        &mut self,
        at: &Pointer,
        object: &Map<String, Value>,
    ) -> Result<Option<Pointer>, Fault> {
        let word = |name: &str| object.get(name).and_then(Value::as_str);
        let dynamic = match self.dialect(at) {
            Dialect::Draft2020 => word("$dynamicRef"),
            Dialect::Draft2019 => word("$recursiveRef"),
            _ => None,
        };
        match (word("$ref"), dynamic) {
            (Some(name), _) => self.schemas.place_of(at, name, self.warnings).map(Some),
            (None, Some(name)) => self.schemas.dynamic_place_of(at, name).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn refer(&mut self, target: Target, in_place: bool, out: &mut Map<String, Value>) {
        let name = self.schemas.name(&target);
        out.insert("$ref".to_owned(), Value::String(format!("#/$defs/{name}")));
        if in_place {
            self.in_place.push(target.clone());
        }
        self.references.push(target);
    }

    /// A part of an `allOf` that requires what another part hides: its definition would
    /// require it for ever.
    fn inline(
        &mut self,
        place: &Pointer,
        object: &Map<String, Value>,
        context: Context<'_>,
    ) -> Result<Option<Value>, Fault> {
        let Some(hidden) = context.hidden else { return Ok(None) };
        let document = self.document;
        let Some(target) = document.at(place) else { return Ok(None) };
        let fits = self.inlined < MOST_INLINED
            && object.keys().all(|name| name == "$ref" || name == "description");
        if !fits || !asks_for(document, place, target, hidden, &mut 0) {
            return Ok(None);
        }
        self.inlined += 1;
        let schema = self.schema(place, target, context)?;
        self.inlined -= 1;
        Ok(Some(schema))
    }

    /// Whether the member that decides a union goes in this direction.
    fn is_sent(&self, at: &Pointer, schema: &Value, union: &Union) -> bool {
        let targets = union.variants.iter().filter_map(|variant| variant.target.as_ref());
        let schemas = targets
            .filter_map(|target| Some((&target.place, self.document.at(&target.place)?)))
            .chain([(at, schema)]);
        let mut hidden = HashSet::new();
        for (at, schema) in schemas {
            if let Value::Object(object) = schema {
                find_hidden(self.document, self.direction, at, object, &mut hidden, &mut 0);
            }
        }
        !hidden.contains(&union.property)
    }

    /// The base of a family, as any of its members.
    fn family(&mut self, base: &Value, family: &Union, reading: Reading) -> Value {
        let mut out = Map::new();
        for keyword in ["title", "description"] {
            if let Some(Value::String(said)) = base.get(keyword) {
                out.insert(keyword.to_owned(), Value::String(text(said)));
            }
        }
        let mut variants = Vec::new();
        for variant in &family.variants {
            let Some(Target { place, reading: own }) = variant.target.clone() else { continue };
            let wanted = Reading { alone: own.alone, unclosed: reading.unclosed };
            let reading = self.schemas.reading_of(&place, wanted, self.warnings);
            let mut schema = Map::new();
            self.refer(Target { place, reading }, true, &mut schema);
            variant.tag(&family.property, &mut schema);
            self.nodes += 5;
            variants.push(Value::Object(schema));
        }
        out.insert("oneOf".to_owned(), Value::Array(variants));
        if base.as_object().is_some_and(is_nullable) { with_null(out) } else { Value::Object(out) }
    }

    fn keywords(
        &mut self,
        at: &Pointer,
        object: &Map<String, Value>,
        context: Context<'_>,
        out: &mut Map<String, Value>,
    ) -> Result<(), Fault> {
        const FLAGS: [&str; 6] =
            ["nullable", "x-nullable", "readOnly", "writeOnly", "uniqueItems", "deprecated"];
        flag::tell(at, object, &FLAGS, self.warnings);
        let dialect = self.dialect(at);
        let mut hidden = context.hidden.cloned().unwrap_or_default();
        find_hidden(self.document, self.direction, at, object, &mut hidden, &mut 0);
        let ends_late = object.contains_key("allOf")
            && self.schemas.compose(at, object, &hidden, self.warnings);
        let unclosed = context.reading.unclosed || ends_late;
        let branch = Context {
            in_place: context.in_place,
            hidden: Some(&hidden),
            reading: Reading::default(),
        };
        let inner = Context::default();
        for (name, value) in object {
            let here = at.child(name);
            if unclosed && *value == Value::Bool(false) && ends_members(name) {
                continue;
            }
            if name == "dependencies" && dialect.has_dependencies() {
                self.dependencies(&here, value, branch, out)?;
                continue;
            }
            if dialect.lacks(name) {
                let message = format!("`{name}` is later than {}; left out", dialect.name());
                self.warnings.add(&here, message);
                continue;
            }
            let kept = match keyword(name) {
                Keyword::Schema => Some(self.schema(&here, value, inner)?),
                Keyword::SchemaInPlace => {
                    let context = Context { in_place: context.in_place, ..inner };
                    Some(self.schema(&here, value, context)?)
                }
                Keyword::Branch => Some(self.schema(&here, value, branch)?),
                Keyword::SchemaMap => self.map(&here, value, inner)?,
                Keyword::BranchMap => self.map(&here, value, branch)?,
                Keyword::SchemaList => self.list(&here, value, inner)?,
                Keyword::BranchList if name == "allOf" => self.parts(
                    at,
                    value,
                    Context { reading: Reading { alone: false, unclosed }, ..branch },
                )?,
                Keyword::BranchList => {
                    if context.reading.alone && self.schemas.lists_children(at, object) {
                        continue;
                    }
                    self.alternatives(at, object, name, branch)?
                }
                Keyword::Text => value.as_str().map(|raw| {
                    self.nodes += raw.len() / 128;
                    Value::String(text(raw))
                }),
                Keyword::Name => value.is_string().then(|| value.clone()),
                Keyword::Count => count(value).map(Value::Number),
                Keyword::Number => positive(value).then(|| value.clone()),
                Keyword::Flag => flag(Some(value)).map(Value::Bool),
                Keyword::Any if name == "default" && !fits_type(value, object) => {
                    self.warnings
                        .add(&here, "the default is of another type than its schema; left out");
                    continue;
                }
                Keyword::Any if name == "const" => Some(self.listed(&here, value, object)),
                Keyword::Any => Some(self.data(value)),
                Keyword::List => value.as_array().filter(|list| !list.is_empty()).map(|list| {
                    let values = list.iter().enumerate();
                    let values =
                        values.map(|(index, one)| self.listed(&here.item(index), one, object));
                    Value::Array(values.collect())
                }),
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
        if move_to_items(out) {
            self.warnings
                .add(&at.child("enum"), "none of the values is a list; read as those of its items");
        }
        if ends_late && !context.reading.unclosed {
            out.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
        }
        Ok(())
    }

    /// The parts of an `allOf`. A child means its base itself, not any of the base's family.
    fn parts(
        &mut self,
        owner: &Pointer,
        value: &Value,
        context: Context<'_>,
    ) -> Result<Option<Value>, Fault> {
        let Some(parts) = value.as_array().filter(|parts| !parts.is_empty()) else {
            return Ok(None);
        };
        let list = owner.child("allOf");
        let mut kept = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let at = list.item(index);
            let alone = match reference(part) {
                Some(name) => {
                    let base = self.schemas.place_of(&at, name, self.warnings)?;
                    self.schemas.is_child(owner, &base)
                }
                None => false,
            };
            let reading = Reading { alone, ..context.reading };
            kept.push(self.schema(&at, part, Context { reading, ..context })?);
        }
        Ok(Some(Value::Array(kept)))
    }

    /// The branches of `oneOf` and `anyOf`, told apart where a discriminator does.
    fn alternatives(
        &mut self,
        at: &Pointer,
        object: &Map<String, Value>,
        keyword: &str,
        context: Context<'_>,
    ) -> Result<Option<Value>, Fault> {
        let Some(branches) = object.get(keyword).and_then(Value::as_array) else {
            return Ok(None);
        };
        if branches.is_empty() {
            return Ok(None);
        }
        let union = self.schemas.union(at, object, keyword, self.warnings);
        let union = union.filter(|union| self.is_sent(at, &Value::Null, union));
        let list = at.child(keyword);
        let mut kept = Vec::with_capacity(branches.len());
        for (index, schema) in branches.iter().enumerate() {
            let variant = union.as_ref().and_then(|union| union.variants.get(index));
            let target = variant.and_then(|variant| variant.target.as_ref());
            let reading = target.map_or(context.reading, |target| target.reading);
            let mut branch =
                self.schema(&list.item(index), schema, Context { reading, ..context })?;
            if let (Some(union), Some(variant), Value::Object(branch)) =
                (&union, variant, &mut branch)
            {
                variant.tag(&union.property, branch);
                self.nodes += 5;
            }
            kept.push(branch);
        }
        Ok(Some(Value::Array(kept)))
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
                    let mut kept = Map::with_capacity(properties.len());
                    for (property, schema) in properties {
                        if !hidden.contains(property) {
                            let place = here.child(property);
                            let schema = self.schema(&place, schema, Context::default())?;
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
                if let Some(list) = self.list(&here, value, Context::default())? {
                    out.insert("prefixItems".to_owned(), list);
                }
                if let Some(rest) = object.get("additionalItems") {
                    let place = at.child("additionalItems");
                    let rest = self.schema(&place, rest, Context::default())?;
                    out.insert("items".to_owned(), rest);
                }
            }
            "items" => {
                let schema = self.schema(&here, value, Context::default())?;
                out.insert(name.to_owned(), schema);
            }
            "minimum" | "maximum" => {
                let exclusive =
                    if name == "minimum" { "exclusiveMinimum" } else { "exclusiveMaximum" };
                let is_exclusive = flag(object.get(exclusive)) == Some(true);
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
                } else if flag(Some(value)).is_none() {
                    self.warnings.add(&here, "expected a number; left out");
                }
            }
            "examples" if value.is_array() => {
                out.insert(name.to_owned(), self.data(value));
            }
            "example" if !object.get("examples").is_some_and(Value::is_array) => {
                out.insert("examples".to_owned(), Value::Array(vec![self.data(value)]));
            }
            "dependentRequired" => {
                if let Some(names) = dependent_names(value, hidden) {
                    out.insert(name.to_owned(), names);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn map(
        &mut self,
        at: &Pointer,
        value: &Value,
        context: Context<'_>,
    ) -> Result<Option<Value>, Fault> {
        let Some(members) = value.as_object() else { return Ok(None) };
        let mut kept = Map::with_capacity(members.len());
        for (name, schema) in members {
            let schema = self.schema(&at.child(name), schema, context)?;
            kept.insert(name.clone(), schema);
        }
        Ok(Some(Value::Object(kept)))
    }

    fn list(
        &mut self,
        at: &Pointer,
        value: &Value,
        context: Context<'_>,
    ) -> Result<Option<Value>, Fault> {
        let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
            return Ok(None);
        };
        let mut kept = Vec::with_capacity(items.len());
        for (index, schema) in items.iter().enumerate() {
            kept.push(self.schema(&at.item(index), schema, context)?);
        }
        Ok(Some(Value::Array(kept)))
    }

    /// What comes with a name, before 2019-09: other names, or a schema (draft-07 validation
    /// §6.5.7).
    fn dependencies(
        &mut self,
        at: &Pointer,
        value: &Value,
        context: Context<'_>,
        out: &mut Map<String, Value>,
    ) -> Result<(), Fault> {
        let Some(members) = value.as_object() else {
            self.warnings.add(at, "expected an object; left out");
            return Ok(());
        };
        let (mut names, mut schemas) = (Map::new(), Map::new());
        for (name, needed) in members {
            if needed.is_array() {
                names.insert(name.clone(), needed.clone());
            } else {
                let schema = self.schema(&at.child(name), needed, context)?;
                schemas.insert(name.clone(), schema);
            }
        }
        let none = HashSet::new();
        match dependent_names(&Value::Object(names), context.hidden.unwrap_or(&none)) {
            Some(Value::Object(names)) if !names.is_empty() => {
                out.insert("dependentRequired".to_owned(), Value::Object(names));
            }
            Some(_) => {}
            None => self.warnings.add(at, "expected lists of names; left out"),
        }
        if !schemas.is_empty() {
            out.insert("dependentSchemas".to_owned(), Value::Object(schemas));
        }
        Ok(())
    }

    /// A value that the schema lists, as what its type says.
    fn listed(&mut self, at: &Pointer, value: &Value, schema: &Map<String, Value>) -> Value {
        let Some(read) = read_as_typed(value, schema) else { return self.data(value) };
        let message = format!("it is of another type than its schema; read as {read}");
        self.warnings.add(at, message);
        self.data(&read)
    }

    /// A value that is no schema, counted.
    fn data(&mut self, value: &Value) -> Value {
        self.nodes += size(value);
        value.clone()
    }
}

/// Whether null is a value too: `nullable` of OpenAPI 3.0, `x-nullable` in 2.0.
fn is_nullable(object: &Map<String, Value>) -> bool {
    ["nullable", "x-nullable"].iter().any(|name| flag(object.get(*name)) == Some(true))
}

/// The keywords that end the list of members where they are false.
fn ends_members(keyword: &str) -> bool {
    matches!(keyword, "additionalProperties" | "unevaluatedProperties")
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
