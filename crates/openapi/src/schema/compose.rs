//! What the parts of an `allOf` know of one another.
//!
//! All parts are about one object. What does not go in a direction in one part must not be
//! required by another; and a part that ends its list of members (`additionalProperties:
//! false`) refuses those of the others, which is never meant: the end is taken to be that of
//! the whole. Parts that contradict each other stay as they are, with a warning.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::{Direction, Reading, Schemas};
use crate::document::{Document, Pointer, Warnings, member, reference, text_line};
use crate::flag::{flag, is_true};

/// Parts may share parts, and lead back: more than this is no design.
const MOST_PARTS: usize = 200;

/// How many schemas are looked at for the mark of one member.
const MOST_MARKS: usize = 10;

/// Gathers the members that do not go in this direction, also those of `allOf` parts:
/// `required` often stands in another part than the property.
pub(super) fn find_hidden(
    document: &Document,
    direction: Direction,
    at: &Pointer,
    object: &Map<String, Value>,
    hidden: &mut HashSet<String>,
    visited: &mut usize,
) {
    *visited += 1;
    if *visited > MOST_PARTS {
        return;
    }
    if let Some(properties) = object.get("properties").and_then(Value::as_object) {
        for (name, schema) in properties {
            if is_hidden(document, direction, at, schema, &mut 0) {
                hidden.insert(name.clone());
            }
        }
    }
    for part in object.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        if let Ok((at, Value::Object(part))) = document.resolve(at.clone(), part) {
            find_hidden(document, direction, &at, part, hidden, visited);
        }
    }
}

/// Whether a member is marked as not going in this direction, itself or by what it names.
fn is_hidden(
    document: &Document,
    direction: Direction,
    at: &Pointer,
    schema: &Value,
    visited: &mut usize,
) -> bool {
    *visited += 1;
    if *visited > MOST_MARKS {
        return false;
    }
    let flag = match direction {
        Direction::Input => "readOnly",
        Direction::Output => "writeOnly",
    };
    if is_true(schema, flag) {
        return true;
    }
    if reference(schema).is_some() {
        return document
            .resolve(at.clone(), schema)
            .is_ok_and(|(at, target)| is_hidden(document, direction, &at, target, visited));
    }
    let parts = schema.as_object().and_then(|object| member(object, "allOf"));
    let parts = parts.and_then(Value::as_array);
    parts.into_iter().flatten().any(|part| is_hidden(document, direction, at, part, visited))
}

/// Whether a schema asks for one of those members, itself or in its `allOf`, which are not
/// its own: then its definition, which knows nothing of them, cannot stand for it.
pub(super) fn asks_for(
    document: &Document,
    at: &Pointer,
    schema: &Value,
    names: &HashSet<String>,
    visited: &mut usize,
) -> bool {
    *visited += 1;
    if names.is_empty() || *visited > MOST_PARTS {
        return false;
    }
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
    let own = schema.get("properties").and_then(Value::as_object);
    required
        .filter_map(Value::as_str)
        .any(|name| names.contains(name) && own.is_none_or(|own| !own.contains_key(name)))
        || parts.into_iter().any(|part| {
            document
                .resolve(at.clone(), part)
                .is_ok_and(|(at, part)| asks_for(document, &at, part, names, visited))
        })
}

/// One part of a composition.
struct Part<'d> {
    at: Pointer,
    schema: &'d Map<String, Value>,
}

impl Part<'_> {
    fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.schema.get("properties").and_then(Value::as_object).into_iter().flatten()
    }

    fn is_closed(&self) -> bool {
        self.schema.get("additionalProperties") == Some(&Value::Bool(false))
            && !self.schema.contains_key("patternProperties")
    }
}

fn parts<'d>(
    document: &'d Document,
    at: &Pointer,
    schema: &'d Map<String, Value>,
    found: &mut Vec<Part<'d>>,
) {
    let known = found.iter().any(|part| std::ptr::eq(part.schema, schema));
    if known || found.len() >= MOST_PARTS {
        return;
    }
    found.push(Part { at: at.clone(), schema });
    let list = at.child("allOf");
    let all_of = schema.get("allOf").and_then(Value::as_array);
    for (index, part) in all_of.into_iter().flatten().enumerate() {
        if let Ok((at, Value::Object(part))) = document.resolve(list.item(index), part) {
            parts(document, &at, part, found);
        }
    }
}

impl Schemas<'_> {
    /// How a definition is read, where it is to be read in a way: most read the same in any.
    pub(super) fn reading_of(
        &mut self,
        place: &Pointer,
        wanted: Reading,
        warnings: &mut Warnings,
    ) -> Reading {
        let document = self.document;
        let Some(Value::Object(object)) = document.at(place) else { return Reading::default() };
        let alone = wanted.alone
            && (self.family(place, warnings).is_some() || self.lists_children(place, object));
        let mut found = Vec::new();
        if wanted.unclosed {
            parts(document, place, object, &mut found);
        }
        let no = Some(&Value::Bool(false));
        let unclosed = found.iter().any(|part| {
            part.schema.get("additionalProperties") == no
                || part.schema.get("unevaluatedProperties") == no
        });
        Reading { alone, unclosed }
    }

    /// Looks at a schema with `allOf` as a whole. True where the end of the list of members
    /// is that of the whole; what contradicts itself is reported.
    pub(super) fn compose(
        &self,
        at: &Pointer,
        schema: &Map<String, Value>,
        hidden: &HashSet<String>,
        warnings: &mut Warnings,
    ) -> bool {
        let mut found = Vec::new();
        parts(self.document, at, schema, &mut found);
        if found.len() >= MOST_PARTS {
            return false;
        }
        self.contradictions(&found, warnings);
        let mut unclosed = false;
        for (index, part) in found.iter().enumerate().filter(|(_, part)| part.is_closed()) {
            let known: HashSet<&String> = part.properties().map(|(name, _)| name).collect();
            let others = found.iter().enumerate().filter(|(other, _)| *other != index);
            let refused = others
                .flat_map(|(_, other)| other.properties())
                .map(|(name, _)| name)
                .find(|name| !known.contains(name) && !hidden.contains(*name));
            if let Some(name) = refused {
                unclosed = true;
                warnings.add(
                    &part.at.child("additionalProperties"),
                    format!(
                        "it refuses what other parts of the `allOf` have (`{}`); read as the end of all parts together",
                        text_line(name)
                    ),
                );
            }
        }
        unclosed
    }

    /// Reports members, and values as a whole, of which two parts want different things.
    fn contradictions(&self, found: &[Part<'_>], warnings: &mut Warnings) {
        let mut wanted: HashMap<&str, (Wants, &Part<'_>)> = HashMap::new();
        for part in found {
            let members = part.properties().map(|(name, schema)| (name.as_str(), schema));
            for (name, schema) in members {
                let wants = Wants::of(self.document, &part.at, schema);
                let Some((known, other)) = wanted.get(name) else {
                    wanted.insert(name, (wants, part));
                    continue;
                };
                if known.contradicts(&wants) {
                    warnings.add(
                        &part.at.child("properties").child(name),
                        format!(
                            "another part of the `allOf`, at {}, wants something else of this member; no value fits both",
                            text_line(other.at.as_str())
                        ),
                    );
                }
            }
        }
        let mut whole: Option<Wants> = None;
        for part in found {
            let wants = Wants::own(part.schema);
            if whole.as_ref().is_some_and(|known| known.contradicts(&wants)) {
                let message =
                    "another part of the `allOf` wants a value of another type; no value fits both";
                warnings.add(&part.at, message);
            }
            if whole.is_none() || !wants.types.is_empty() {
                whole = Some(wants);
            }
        }
    }
}

/// What a schema wants of a value, as far as two of them can be seen to exclude each other.
struct Wants {
    /// The types; none where it does not say.
    types: Vec<String>,
    /// The values, likewise.
    values: Option<Vec<Value>>,
}

impl Wants {
    fn of(document: &Document, at: &Pointer, schema: &Value) -> Self {
        match document.resolve(at.clone(), schema) {
            Ok((_, Value::Object(object))) => Self::own(object),
            _ => Self { types: Vec::new(), values: None },
        }
    }

    fn own(object: &Map<String, Value>) -> Self {
        let mut types: Vec<String> = match object.get("type") {
            Some(Value::String(name)) => vec![name.clone()],
            Some(Value::Array(names)) => {
                names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let is_set = |name: &str| flag(object.get(name)) == Some(true);
        if !types.is_empty() && (is_set("nullable") || is_set("x-nullable")) {
            types.push("null".to_owned());
        }
        let values = match (object.get("const"), object.get("enum")) {
            (Some(value), _) => Some(vec![value.clone()]),
            (None, Some(Value::Array(values))) => Some(values.clone()),
            _ => None,
        };
        Self { types, values }
    }

    fn contradicts(&self, other: &Self) -> bool {
        let same = |a: &str, b: &str| {
            a == b || matches!((a, b), ("number", "integer") | ("integer", "number"))
        };
        let types = !self.types.is_empty()
            && !other.types.is_empty()
            && !self.types.iter().any(|a| other.types.iter().any(|b| same(a, b)));
        let values = match (&self.values, &other.values) {
            // Numbers may be one value in two spellings.
            (Some(a), Some(b)) => {
                !a.iter().chain(b).any(Value::is_number) && !a.iter().any(|value| b.contains(value))
            }
            _ => false,
        };
        types || values
    }
}
