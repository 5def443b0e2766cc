//! Types as JSON Schema (2020-12): what an agent may say, and what it is told.
//!
//! Complex types stand in `$defs` once each, so a schema is as large as what it reaches.
//! Names, order, requirement and values are the schema's; which branch of a choice, and in
//! which order `#content` stands, are said in words and held by the encoder.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::words;
use super::{Body, Complex, Content, Element, Particle, Term, TypeId, Types, UNBOUNDED, Variant};
use crate::xsd::simple::{Direction, Simple};
use tollbridge_xml::Scope;

/// More derived types than this are not spelled out: `@type` then lists their names alone.
const MAX_VARIANTS: usize = 24;

/// One schema in the making.
pub(crate) struct SchemaWriter<'t> {
    types: &'t Types,
    direction: Direction,
    definitions: Map<String, Value>,
    names: HashMap<TypeId, String>,
    taken: HashSet<String>,
}

/// Members of an object: their schemas, and which must stand.
#[derive(Default)]
pub(crate) struct Members {
    pub(crate) properties: Map<String, Value>,
    pub(crate) required: Vec<String>,
    notes: Vec<String>,
    /// Which attributes may stand beside those that are known: a pattern of their keys.
    open: Option<&'static str>,
}

/// Where a particle stands.
#[derive(Clone, Copy)]
struct Place {
    /// Whatever it demands must be there.
    needed: bool,
    /// It is one of a list of one-key objects, and stands alone in each.
    single: bool,
    mixed: bool,
}

impl Members {
    /// The object with these members and no others.
    pub(crate) fn into_object(self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("type".into(), "object".into());
        if !self.notes.is_empty() {
            object.insert("description".into(), self.notes.join(" ").into());
        }
        if !self.properties.is_empty() {
            object.insert("properties".into(), Value::Object(self.properties));
        }
        if !self.required.is_empty() {
            object.insert("required".into(), self.required.into());
        }
        if let Some(pattern) = self.open {
            // What the pattern says holds for the members above as well, where it matches them.
            let known = object.get("properties").and_then(Value::as_object);
            let prefix = pattern.trim_start_matches('^').replace('\\', "");
            let meets = known.is_some_and(|known| known.keys().any(|key| key.starts_with(&prefix)));
            let value = if meets { json!({}) } else { json!({"type": "string"}) };
            object.insert("patternProperties".into(), json!({pattern: value}));
        }
        object.insert("additionalProperties".into(), false.into());
        object
    }
}

impl<'t> SchemaWriter<'t> {
    pub(crate) fn new(types: &'t Types, direction: Direction) -> Self {
        Self {
            types,
            direction,
            definitions: Map::new(),
            names: HashMap::new(),
            taken: HashSet::new(),
        }
    }

    /// What the schemas refer to by `$ref`.
    pub(crate) fn definitions(self) -> Map<String, Value> {
        self.definitions
    }

    /// The schema of one value of an element, or of a list of them where it may repeat.
    pub(crate) fn element(&mut self, element: &Element, repeats: bool) -> Value {
        let mut schema = self.value(element);
        let is_null = self.types.nil(element).is_some()
            || (element.nillable && self.direction == Direction::Output);
        let null = is_null.then(|| json!({"type": "null"}));
        let nils: Vec<Value> = null.into_iter().chain(self.nil_with_attributes(element)).collect();
        if !nils.is_empty() {
            schema = match schema {
                Value::Object(mut one) if one.contains_key("anyOf") && one.len() == 1 => {
                    if let Some(Value::Array(branches)) = one.get_mut("anyOf") {
                        branches.extend(nils);
                    }
                    Value::Object(one)
                }
                one => json!({"anyOf": std::iter::once(one).chain(nils).collect::<Vec<_>>()}),
            };
        }
        if let (Some(fixed), Body::Simple(simple)) =
            (&element.fixed, &self.types.get(element.ty).body)
        {
            fix(&mut schema, simple, fixed);
        }
        if repeats {
            schema = json!({"type": "array", "items": schema});
        }
        if let Some(text) = &element.documentation {
            describe(&mut schema, text);
        }
        schema
    }

    /// A nil element that has attributes: `#nil` beside them. A derived type's are not told.
    fn nil_with_attributes(&self, element: &Element) -> Option<Value> {
        let Body::Complex(complex) = &self.types.get(element.ty).body else { return None };
        if !element.nillable || complex.is_abstract || complex.attributes.is_empty() {
            return None;
        }
        let mut members = Members::default();
        members.properties.insert("#nil".into(), json!({"const": true}));
        members.required.push("#nil".into());
        self.attributes(complex, &mut members);
        Some(Value::Object(members.into_object()))
    }

    fn value(&mut self, element: &Element) -> Value {
        let mut branches = Vec::new();
        if !element.is_abstract {
            branches.push(self.typed(element.ty, element.key(), &[]));
        }
        for variant in element.substitutes.iter().take(MAX_VARIANTS) {
            branches.push(self.tagged(variant));
        }
        match branches.len() {
            // An abstract element without substitutes: nothing can stand for it.
            0 => json!({"not": {}}),
            1 => branches.swap_remove(0),
            _ => json!({"anyOf": branches}),
        }
    }

    /// The value of a substituting element: `@type` beside what its type says.
    fn tagged(&mut self, variant: &Variant) -> Value {
        let tag = json!({"const": variant.label});
        match &self.types.get(variant.ty).body {
            Body::Complex(complex) => {
                let mut members = Members::default();
                members.properties.insert("@type".into(), tag);
                members.required.push("@type".into());
                self.complex(complex, &mut members);
                Value::Object(members.into_object())
            }
            _ => {
                let text = self.typed(variant.ty, &variant.label, &[]);
                json!({
                    "type": "object",
                    "properties": {"@type": tag, "#text": text},
                    "required": ["@type", "#text"],
                    "additionalProperties": false,
                })
            }
        }
    }

    /// The schema of a type's values, its derived types among them.
    fn typed(&mut self, id: TypeId, key: &str, skip: &[TypeId]) -> Value {
        let types = self.types;
        match &types.get(id).body {
            Body::Anything => json!({
                "description": "Any value: text, or an object of elements by name, attributes as @name."
            }),
            Body::Simple(simple) => simple.schema(self.direction),
            Body::Array(array) => {
                let items = self.element(&array.item, false);
                json!({"type": "array", "items": items})
            }
            Body::Broken(_) => json!({}),
            Body::Complex(complex) => {
                let variants: Vec<&Variant> =
                    complex.variants.iter().filter(|v| !skip.contains(&v.ty)).collect();
                if variants.is_empty() {
                    return self.reference(id, key, complex);
                }
                if variants.len() > MAX_VARIANTS {
                    let mut labels: Vec<&str> = variants.iter().map(|v| v.label.as_str()).collect();
                    labels.sort_unstable();
                    return json!({
                        "type": "object",
                        "properties": {"@type": {"type": "string", "enum": labels}},
                        "description": "An object of the type that @type names.",
                    });
                }
                let mut branches = Vec::new();
                if !complex.is_abstract {
                    branches.push(self.reference(id, key, complex));
                }
                for variant in variants {
                    if let Body::Complex(derived) = &types.get(variant.ty).body {
                        let mut branch = self.reference(variant.ty, &variant.label, derived);
                        branch["required"] = json!(["@type"]);
                        branches.push(branch);
                    }
                }
                match branches.len() {
                    1 => branches.swap_remove(0),
                    _ => json!({"anyOf": branches}),
                }
            }
        }
    }

    fn reference(&mut self, id: TypeId, key: &str, complex: &Complex) -> Value {
        if let Some(name) = self.names.get(&id) {
            return json!({"$ref": format!("#/$defs/{name}")});
        }
        let base = self.types.get(id).name.as_ref().map_or(key, |name| &name.local);
        let base: String = base
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' })
            .take(60)
            .collect();
        let mut name = base.clone();
        let mut n = 1;
        while !self.taken.insert(name.clone()) {
            n += 1;
            name = format!("{base}_{n}");
        }
        self.names.insert(id, name.clone());
        // The place is taken first, so that definitions stand in the order of their use.
        self.definitions.insert(name.clone(), Value::Null);
        let mut members = Members::default();
        if complex.is_polymorphic {
            let label = self.types.get(id).name.as_ref().map(|name| name.local.to_string());
            members.properties.insert("@type".into(), json!({"const": label}));
        }
        let schema = self.complex_value(id, complex, members);
        self.definitions.insert(name.clone(), schema);
        json!({"$ref": format!("#/$defs/{name}")})
    }

    fn complex_value(&mut self, id: TypeId, complex: &Complex, mut members: Members) -> Value {
        let bare = complex.attributes.is_empty() && complex.any_attribute.is_none();
        if let (Content::Simple(simple), true, false) =
            (&complex.content, bare, complex.is_polymorphic)
        {
            return simple.schema(self.direction);
        }
        self.complex(complex, &mut members);
        let mut schema = Value::Object(members.into_object());
        if let Some(text) = &self.types.get(id).documentation {
            describe(&mut schema, text);
        }
        schema
    }

    /// Adds the members of a complex type's values.
    pub(crate) fn complex(&mut self, complex: &Complex, members: &mut Members) {
        match &complex.content {
            Content::Empty => {}
            Content::Simple(simple) => {
                members.properties.insert("#text".into(), simple.schema(self.direction));
                if simple.read("", &Scope::default()).is_err() {
                    members.required.push("#text".into());
                }
            }
            Content::Elements { particle, mixed, .. } => {
                self.particle(
                    particle,
                    Place { needed: true, single: false, mixed: *mixed },
                    members,
                );
            }
        }
        self.attributes(complex, members);
    }

    fn attributes(&self, complex: &Complex, members: &mut Members) {
        for attribute in &complex.attributes {
            let mut schema = attribute.simple.schema(self.direction);
            if let Some(fixed) = &attribute.fixed {
                fix(&mut schema, &attribute.simple, fixed);
            }
            // An attribute that is absent has it; an element only where it is empty (part 1
            // §3.3.4.3), which no argument is.
            if let Some(default) = &attribute.default
                && let Ok(value) = attribute.simple.read(default, &Scope::default())
            {
                schema["default"] = value;
            }
            if let Some(text) = &attribute.documentation {
                describe(&mut schema, text);
            }
            if attribute.required && attribute.fixed.is_none() {
                members.required.push(attribute.key.clone());
            }
            members.properties.insert(attribute.key.clone(), schema);
        }
        if let Some(wildcard) = &complex.any_attribute {
            members.open = Some(if wildcard.allows(None) { "^@" } else { r"^@\{" });
        }
    }

    fn particle(&mut self, particle: &Particle, place: Place, members: &mut Members) {
        let needed = place.needed && particle.least > 0;
        let within = Place { needed, ..place };
        match &particle.term {
            Term::Element(element) => {
                let key = element.key().to_owned();
                if needed && element.fixed.is_none() && !members.required.contains(&key) {
                    members.required.push(key.clone());
                }
                let repeats = particle.most > 1 && !place.single;
                let mut schema = self.element(element, repeats);
                if repeats && particle.least > 0 {
                    schema["minItems"] = particle.least.into();
                }
                if repeats && particle.most != UNBOUNDED {
                    schema["maxItems"] = particle.most.into();
                }
                match members.properties.get_mut(&key) {
                    // The same name in another branch of a choice.
                    Some(other) if *other != schema => {
                        let first = other.take();
                        *other = json!({"anyOf": [first, schema]});
                    }
                    Some(_) => {}
                    None => {
                        members.properties.insert(key, schema);
                    }
                }
            }
            Term::Sequence(parts) | Term::All(parts) => {
                for part in parts {
                    self.particle(part, within, members);
                }
            }
            Term::Choice(parts) => {
                let branches: Vec<String> = parts.iter().filter_map(words::branch).collect();
                if branches.len() > 1 {
                    let word =
                        if needed && !particle.is_emptiable() { "Exactly" } else { "At most" };
                    members.notes.push(format!("{word} one of: {}.", branches.join("; ")));
                }
                for part in parts {
                    self.particle(part, Place { needed: false, ..place }, members);
                }
            }
            Term::Any(_) => {
                if needed {
                    members.required.push("#any".into());
                }
                let schema = if place.single {
                    json!({"type": "string", "description": "An element of another schema, as XML."})
                } else {
                    json!({
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Elements of other schemas, each as XML.",
                    })
                };
                members.properties.insert("#any".into(), schema);
            }
            Term::Ordered(inner) => {
                let mut inside = Members::default();
                let place_inside = Place { needed: false, single: true, ..place };
                self.particle(inner, place_inside, &mut inside);
                let item = json!({
                    "type": "object",
                    "properties": inside.properties,
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1,
                });
                let items =
                    if place.mixed { json!({"anyOf": [item, {"type": "string"}]}) } else { item };
                let text = if place.mixed { ", and strings of text between them" } else { "" };
                let order = words::model(inner)
                    .map_or_else(String::new, |model| format!(", in this order: {model}"));
                if needed && !inner.is_emptiable() {
                    members.required.push("#content".into());
                }
                members.properties.insert(
                    "#content".into(),
                    json!({
                        "type": "array",
                        "items": items,
                        "description": format!("Objects of one member each{text}{order}."),
                    }),
                );
            }
        }
    }
}

/// Allows only what is fixed, where its type has one form in JSON.
fn fix(schema: &mut Value, simple: &Simple, fixed: &str) {
    let has_one_form = matches!(schema["type"].as_str(), Some("string" | "integer" | "boolean"));
    if let (true, Ok(value)) = (has_one_form, simple.read(fixed, &Scope::default())) {
        schema["const"] = value;
    }
}

fn describe(schema: &mut Value, text: &str) {
    if let Value::Object(object) = schema {
        match object.get_mut("description") {
            Some(Value::String(said)) => *said = format!("{text} {said}"),
            _ => {
                object.insert("description".into(), text.into());
            }
        }
    }
}
