//! The schema of a tool's arguments as every client takes it.
//!
//! Clients and the model APIs behind them refuse, or silently drop, tools whose schema has a
//! combinator at its root, boolean subschemas, lists of types or remote references. What is
//! made here says the same in the part of JSON Schema that all of them read, and where that
//! part cannot say it, says less: a call that the full schema accepts is accepted by the
//! portable one, always. The full schema goes on judging calls.
//!
//! Keywords that bind more when a subschema says less (`not`, `if`, `oneOf`, …) are
//! therefore left out or widened, and nothing else needs care.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tollbridge_operation::Schema;

use super::judge::is_ecma;
use super::known::{Known, Written};
use super::lint;
use super::merge::conjoin;
use super::published::{Part, Piece, Published};
use super::schema::{Whole, members};
use super::text;

/// The longest description that is shown, in characters.
pub(super) const LONGEST_DESCRIPTION: usize = 1_024;

/// How many subschemas may be written with references replaced by what they point to;
/// beyond that, every one is kept.
const INLINE_NODES: usize = 1_500;

/// How deep references are replaced.
const INLINE_DEPTH: usize = 32;

/// How deep a schema is written at all.
const DEEPEST: usize = 64;

/// The longest list of examples that is shown, as JSON.
const LONGEST_EXAMPLES: usize = 400;

/// The longest values that are listed, as JSON.
const LONGEST_VALUES: usize = 4_000;

/// The schema in the portable part of JSON Schema 2020-12.
pub(super) fn portable(full: &Schema) -> Map<String, Value> {
    let Portable { head, definitions, .. } = write(full, &mut Known::default());
    Published::with_definitions(head, definitions).to_map()
}

/// A schema that was written.
pub(super) struct Portable {
    /// All but the definitions.
    pub(super) head: Map<String, Value>,
    /// The definitions; those that are written alike for many schemas are shared.
    pub(super) definitions: Arc<[Part]>,
    /// Whether it is known that clients take all of the definitions.
    pub(super) clean: bool,
}

impl Portable {
    fn alone(head: Map<String, Value>) -> Self {
        Self { head, definitions: Arc::default(), clean: true }
    }
}

/// The same; what is known of its definitions is used, and added to.
pub(super) fn write(full: &Schema, known: &mut Known) -> Portable {
    let whole = Whole::of(full);
    let flat = flatten_root(&whole);
    let recursive = recursive_references(&whole, &flat, full, known);
    for keep in [Keep::Some(&recursive), Keep::All] {
        if matches!(keep, Keep::Some(_)) && !Count::fits(&whole, &recursive, &flat) {
            continue;
        }
        let mut writer = Writer::new(&whole, keep);
        let head = writer.schema(&flat, 0);
        let (definitions, clean) = writer.definitions(full, known);
        if !writer.exhausted {
            return Portable { head: finish(head), definitions: definitions.into(), clean };
        }
    }
    Portable::alone(names_only(&flat))
}

/// A schema nested beyond what can be written: names only.
fn names_only(flat: &Value) -> Map<String, Value> {
    let names = flat.get("properties").and_then(Value::as_object).into_iter().flatten();
    let properties: Map<String, Value> = names.map(|(name, _)| (name.clone(), json!({}))).collect();
    Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Value::Object(properties)),
    ])
}

fn finish(mut written: Map<String, Value>) -> Map<String, Value> {
    let mut root = Map::new();
    root.insert("type".to_owned(), json!("object"));
    for keyword in ["description", "properties", "required", "additionalProperties"] {
        if let Some(value) = written.remove(keyword) {
            root.insert(keyword.to_owned(), value);
        }
    }
    root
}

// === The root ===

#[derive(Default)]
struct Flat {
    properties: Vec<(String, Value)>,
    required: BTreeSet<String>,
    closed: bool,
}

/// The root as a plain object, whose combinators are dissolved into its properties.
fn flatten_root(whole: &Whole<'_>) -> Value {
    let flat = flatten(whole, whole.root, 0);
    let mut out = Map::new();
    if let Some(description) = whole.root.get("description") {
        out.insert("description".to_owned(), description.clone());
    }
    out.insert("type".to_owned(), json!("object"));
    let names: BTreeSet<&String> = flat.properties.iter().map(|(name, _)| name).collect();
    let required: Vec<&String> = flat.required.iter().filter(|name| names.contains(name)).collect();
    // The order in which the description has them.
    let required: Vec<&String> =
        flat.properties.iter().map(|(name, _)| name).filter(|n| required.contains(n)).collect();
    let required = json!(required);
    out.insert("properties".to_owned(), Value::Object(flat.properties.into_iter().collect()));
    if required.as_array().is_some_and(|list| !list.is_empty()) {
        out.insert("required".to_owned(), required);
    }
    if flat.closed {
        out.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    Value::Object(out)
}

fn flatten(whole: &Whole<'_>, schema: &Value, depth: usize) -> Flat {
    let Value::Object(object) = schema else { return Flat::default() };
    if depth > 8 {
        return Flat::default();
    }
    let mut flat = Flat::default();
    if let Some(Value::Object(properties)) = object.get("properties") {
        flat.properties = properties.iter().map(|(n, s)| (n.clone(), s.clone())).collect();
    }
    flat.required =
        members(object, "required").filter_map(Value::as_str).map(str::to_owned).collect();
    flat.closed = object.get("additionalProperties") == Some(&Value::Bool(false))
        && !object.contains_key("patternProperties");
    let target = object.get("$ref").and_then(Value::as_str).and_then(|r| whole.resolve(r));
    for member in target.into_iter().chain(members(object, "allOf")) {
        flat = both(flat, flatten(whole, member, depth + 1));
    }
    for keyword in ["anyOf", "oneOf"] {
        let branches: Vec<Flat> =
            members(object, keyword).take(64).map(|b| flatten(whole, b, depth + 1)).collect();
        if !branches.is_empty() && members(object, keyword).count() <= 64 {
            flat = both(flat, either(&branches));
        }
    }
    flat
}

/// What holds where both hold, or more.
fn both(mut left: Flat, right: Flat) -> Flat {
    for (name, schema) in right.properties {
        match left.properties.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if *known != schema => {
                *known = json!({"allOf": [std::mem::take(known), schema]});
            }
            Some(_) => {}
            None => left.properties.push((name, schema)),
        }
    }
    left.required.extend(right.required);
    left.closed |= right.closed;
    left
}

/// What holds where one of them holds, or more.
fn either(branches: &[Flat]) -> Flat {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in branches.iter().flat_map(|branch| &branch.properties) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let properties = names
        .into_iter()
        .map(|name| {
            let mut alternatives: Vec<Value> = Vec::new();
            let mut anything = false;
            for branch in branches {
                match branch.properties.iter().find(|(known, _)| *known == name) {
                    Some((_, schema)) if !alternatives.contains(schema) => {
                        alternatives.push(schema.clone());
                    }
                    Some(_) => {}
                    // An open branch takes anything under a name that it does not know.
                    None => anything |= !branch.closed,
                }
            }
            let schema = if anything {
                let annotations = ["title", "description"].into_iter().filter_map(|keyword| {
                    let value = alternatives.first()?.get(keyword)?;
                    Some((keyword.to_owned(), value.clone()))
                });
                Value::Object(annotations.collect())
            } else if alternatives.len() == 1 {
                alternatives.swap_remove(0)
            } else {
                json!({"anyOf": alternatives})
            };
            (name, schema)
        })
        .collect();
    let mut required = branches.first().map(|b| b.required.clone()).unwrap_or_default();
    for branch in branches {
        required.retain(|name| branch.required.contains(name));
    }
    Flat { properties, required, closed: branches.iter().all(|branch| branch.closed) }
}

// === References ===

/// The references that close a circle: every circle has one of them.
fn recursive_references(
    whole: &Whole<'_>,
    start: &Value,
    full: &Schema,
    known: &mut Known,
) -> BTreeSet<String> {
    let apart: HashMap<&str, &Arc<Value>> =
        full.definitions().iter().map(|one| (&*one.name, &one.schema)).collect();
    let mut next_of = |reference: &str| match whole.resolve(reference) {
        None => Arc::default(),
        Some(target) => {
            let one = reference.strip_prefix("#/$defs/").and_then(|name| apart.get(name));
            match one.filter(|one| std::ptr::eq(one.as_ref(), target)) {
                Some(one) => known.references(one, references),
                None => references(target).into(),
            }
        }
    };
    let mut kept = BTreeSet::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut open: BTreeSet<String> = BTreeSet::new();
    // Depth first, with a stack of our own: chains of references may be long.
    let first: Arc<[String]> = references(start).into();
    let left = first.len();
    let mut stack: Vec<(Option<String>, Arc<[String]>, usize)> = vec![(None, first, left)];
    while let Some((_, all, left)) = stack.last_mut() {
        if *left == 0 {
            if let Some((Some(name), ..)) = stack.pop() {
                open.remove(&name);
                done.insert(name);
            }
            continue;
        }
        *left -= 1;
        let reference = &all[*left];
        if open.contains(reference) {
            kept.insert(reference.clone());
        } else if !done.contains(reference) {
            let reference = reference.clone();
            let next = next_of(&reference);
            open.insert(reference.clone());
            let left = next.len();
            stack.push((Some(reference), next, left));
        }
    }
    kept
}

/// What a schema refers to, in order.
fn references(schema: &Value) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut stack = vec![schema];
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    found.insert(reference.clone());
                }
                stack.extend(object.iter().filter(|(k, _)| *k != "$defs").map(|(_, v)| v));
            }
            Value::Array(list) => stack.extend(list),
            _ => {}
        }
    }
    found.into_iter().collect()
}

#[derive(Clone, Copy)]
enum Keep<'k> {
    /// These references stay, the others are replaced by what they point to.
    Some(&'k BTreeSet<String>),
    /// Every reference stays.
    All,
}

/// Counts what would be written with references replaced, as [`Writer::schema`] goes, to see
/// whether it is worth beginning: schemas that refer to each other unfold without end.
struct Count<'a> {
    whole: &'a Whole<'a>,
    kept: &'a BTreeSet<String>,
    met: BTreeSet<&'a str>,
    pending: Vec<&'a Value>,
    nodes: usize,
    fits: bool,
}

impl<'a> Count<'a> {
    fn fits(whole: &'a Whole<'a>, kept: &'a BTreeSet<String>, flat: &'a Value) -> bool {
        let (met, pending) = (BTreeSet::new(), vec![flat]);
        let mut count = Self { whole, kept, met, pending, nodes: 0, fits: true };
        while let Some(schema) = count.pending.pop().filter(|_| count.fits) {
            count.schema(schema, 0);
        }
        count.fits
    }

    fn schema(&mut self, schema: &'a Value, depth: usize) {
        self.nodes += 1;
        self.fits &= depth <= INLINE_DEPTH && self.nodes <= INLINE_NODES;
        let Value::Object(object) = schema else { return };
        for (keyword, value) in object {
            if !self.fits {
                return;
            }
            match (keyword.as_str(), value) {
                ("properties" | "patternProperties", Value::Object(properties)) => {
                    for schema in properties.values().filter(|one| **one != Value::Bool(false)) {
                        self.schema(schema, depth + 1);
                    }
                }
                ("additionalProperties" | "items", Value::Object(_)) => {
                    self.schema(value, depth + 1);
                }
                ("prefixItems" | "allOf", Value::Array(list)) => {
                    for schema in list {
                        self.schema(schema, depth + 1);
                    }
                }
                ("anyOf" | "oneOf", Value::Array(branches)) => {
                    for schema in branches.iter().filter(|one| **one != Value::Bool(false)) {
                        self.schema(schema, depth + 1);
                    }
                }
                ("$ref", Value::String(reference)) => {
                    let Some(target) = self.whole.resolve(reference) else { continue };
                    if !self.kept.contains(reference) {
                        self.schema(target, depth + 1);
                    } else if self.met.insert(reference) {
                        self.pending.push(target);
                    }
                }
                _ => {}
            }
        }
    }
}

// === Writing ===

struct Writer<'a> {
    whole: &'a Whole<'a>,
    keep: Keep<'a>,
    /// The references that stay, and their names in `$defs`.
    names: BTreeMap<String, String>,
    /// Those of them whose definition is not yet written.
    pending: Vec<String>,
    /// The references that were met, where somebody wants to know.
    met: Option<Vec<String>>,
    nodes: usize,
    exhausted: bool,
}

impl<'a> Writer<'a> {
    fn new(whole: &'a Whole<'a>, keep: Keep<'a>) -> Self {
        Self {
            whole,
            keep,
            names: BTreeMap::new(),
            pending: Vec::new(),
            met: None,
            nodes: 0,
            exhausted: false,
        }
    }

    /// Writes what references lead to; whether clients are known to take all of it.
    fn definitions(&mut self, full: &Schema, known: &mut Known) -> (Vec<Part>, bool) {
        let mut written = Vec::new();
        let mut clean = true;
        while let Some(reference) = self.pending.pop() {
            let shared = self.shared(full, &reference, known);
            let name: Arc<str> = self.names[&reference].as_str().into();
            let piece = match shared {
                Some(shared) => {
                    clean &= shared.clean;
                    shared.piece
                }
                None => {
                    clean = false;
                    let target = self.whole.resolve(&reference);
                    let schema = target.map(|target| self.schema(target, 0)).unwrap_or_default();
                    Arc::new(Piece::new(Value::Object(schema)))
                }
            };
            written.push(Part { name, piece });
            if self.exhausted {
                break;
            }
        }
        (written, clean)
    }

    /// A definition that is written the same for all who refer to it: in it every reference
    /// stays, and each has the name in `$defs` that it has in the full schema.
    fn shared(&mut self, full: &Schema, reference: &str, known: &mut Known) -> Option<Written> {
        let plain = |reference: &str| reference.strip_prefix("#/$defs/").map(str::to_owned);
        if !matches!(self.keep, Keep::All) || plain(reference)? != self.names[reference] {
            return None;
        }
        let one = full
            .definitions()
            .iter()
            .find(|one| Some(&*one.name) == plain(reference).as_deref())?;
        if let Some(written) = known.written(&one.schema).cloned() {
            for reference in written.references.iter() {
                let name = self.name(reference);
                if plain(reference)? != name {
                    return None;
                }
            }
            return Some(written);
        }
        self.met = Some(Vec::new());
        let schema = self.schema(&one.schema, 0);
        let met = self.met.take().unwrap_or_default();
        if self.exhausted || met.iter().any(|one| plain(one).as_ref() != self.names.get(one)) {
            return None;
        }
        let clean = lint::is_clean(&schema);
        let written = Written::new(&one.schema, Value::Object(schema), met, clean);
        known.keep_written(written.clone());
        Some(written)
    }

    /// Writes one schema. `true` is the empty one.
    fn schema(&mut self, schema: &Value, depth: usize) -> Map<String, Value> {
        self.nodes += 1;
        let deepest = match self.keep {
            Keep::Some(_) => INLINE_DEPTH,
            Keep::All => DEEPEST,
        };
        if depth > deepest || matches!(self.keep, Keep::Some(_)) && self.nodes > INLINE_NODES {
            self.exhausted = true;
        }
        let object = match schema {
            Value::Object(object) if !self.exhausted => object,
            Value::Bool(false) => {
                let mut nothing = Map::new();
                nothing.insert("not".to_owned(), json!({}));
                return nothing;
            }
            _ => return Map::new(),
        };
        let mut out = Map::with_capacity(object.len());
        let mut all_of: Vec<Map<String, Value>> = Vec::new();
        for (keyword, value) in object {
            match (keyword.as_str(), value) {
                ("description" | "title", Value::String(said)) => {
                    let said = text::cut(&text::said(said), LONGEST_DESCRIPTION);
                    if !said.is_empty() {
                        out.insert(keyword.clone(), Value::String(said));
                    }
                }
                ("examples", value) if value.to_string().len() <= LONGEST_EXAMPLES => {
                    out.insert(keyword.clone(), value.clone());
                }
                ("properties" | "patternProperties", Value::Object(properties)) => {
                    let written = self.properties(properties, depth);
                    out.insert(keyword.clone(), Value::Object(written));
                }
                ("additionalProperties", Value::Bool(false)) => {
                    out.insert(keyword.clone(), Value::Bool(false));
                }
                ("additionalProperties" | "items", Value::Object(_)) => {
                    let written = self.schema(value, depth + 1);
                    // An object is open where nothing is said. Lists are another matter: there
                    // are clients that refuse one without `items`.
                    if keyword == "items" || !written.is_empty() {
                        out.insert(keyword.clone(), Value::Object(written));
                    }
                }
                ("prefixItems", Value::Array(list)) => {
                    let list = self.list(list, depth);
                    out.insert(keyword.clone(), Value::Array(list));
                }
                ("anyOf" | "oneOf", Value::Array(branches)) => {
                    let possible: Vec<Value> =
                        branches.iter().filter(|b| **b != Value::Bool(false)).cloned().collect();
                    // Without a branch nothing is valid: nothing to widen, and nothing to say.
                    if !possible.is_empty() {
                        let mut any_of = Map::new();
                        let list = self.list(&possible, depth);
                        any_of.insert("anyOf".to_owned(), Value::Array(list));
                        all_of.push(any_of);
                    }
                }
                ("allOf", Value::Array(list)) => {
                    for member in list {
                        all_of.push(self.schema(member, depth + 1));
                    }
                }
                ("$ref", Value::String(reference)) => all_of.push(self.reference(reference, depth)),
                // A client that compiles it would drop the tool.
                ("pattern", Value::String(pattern)) if !is_ecma(pattern) => {}
                ("enum" | "const" | "default", value)
                    if value.to_string().len() > LONGEST_VALUES => {}
                (keyword, value) if PLAIN.contains(&keyword) => {
                    out.insert(keyword.to_owned(), value.clone());
                }
                _ => {}
            }
        }
        conjoin(&mut out, all_of);
        split_types(out)
    }

    fn properties(&mut self, properties: &Map<String, Value>, depth: usize) -> Map<String, Value> {
        // A property that may not be there is not shown.
        let possible = properties.iter().filter(|(_, schema)| **schema != Value::Bool(false));
        possible
            .map(|(name, schema)| (name.clone(), Value::Object(self.schema(schema, depth + 1))))
            .collect()
    }

    fn list(&mut self, list: &[Value], depth: usize) -> Vec<Value> {
        list.iter().map(|schema| Value::Object(self.schema(schema, depth + 1))).collect()
    }

    fn reference(&mut self, reference: &str, depth: usize) -> Map<String, Value> {
        let keeps = match self.keep {
            Keep::Some(kept) => kept.contains(reference),
            Keep::All => true,
        };
        let Some(target) = self.whole.resolve(reference) else { return Map::new() };
        if !keeps {
            return self.schema(target, depth + 1);
        }
        if let Some(met) = &mut self.met {
            met.push(reference.to_owned());
        }
        let name = self.name(reference);
        let mut out = Map::new();
        out.insert("$ref".to_owned(), Value::String(format!("#/$defs/{name}")));
        out
    }

    /// The name in `$defs` of a reference that stays.
    fn name(&mut self, reference: &str) -> String {
        if let Some(name) = self.names.get(reference) {
            return name.clone();
        }
        let name = self.definition_name(reference);
        self.names.insert(reference.to_owned(), name.clone());
        self.pending.push(reference.to_owned());
        name
    }

    fn definition_name(&self, reference: &str) -> String {
        let last = reference.rsplit('/').next().unwrap_or_default();
        let word: String = last
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' })
            .take(64)
            .collect();
        let word = if last == "#" || word.is_empty() { "Root".to_owned() } else { word };
        let mut name = word.clone();
        let mut number = 2_u64;
        while self.names.values().any(|known| *known == name) {
            name = format!("{word}_{number}");
            number += 1;
        }
        name
    }
}

/// Keywords without subschemas that every client reads or leaves alone.
const PLAIN: [&str; 20] = [
    "type",
    "enum",
    "const",
    "format",
    "default",
    "deprecated",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "required",
];

/// A list of types as `anyOf`, each with the keywords that are about it.
fn split_types(mut schema: Map<String, Value>) -> Map<String, Value> {
    let Some(Value::Array(types)) = schema.get("type") else { return schema };
    let mut types: Vec<Value> = types.iter().filter(|t| t.is_string()).cloned().collect();
    types.dedup();
    if types.len() <= 1 {
        match types.pop() {
            Some(only) => schema.insert("type".to_owned(), only),
            None => schema.remove("type"),
        };
        return schema;
    }
    schema.remove("type");
    let mut branches: Vec<Map<String, Value>> = types
        .into_iter()
        .map(|t| std::iter::once(("type".to_owned(), t)).collect::<Map<_, _>>())
        .collect();
    let mut out = Map::new();
    for (keyword, value) in schema {
        let Some(about) = about(&keyword) else {
            out.insert(keyword, value);
            continue;
        };
        for branch in &mut branches {
            if branch["type"].as_str().is_some_and(|name| about.contains(&name)) {
                branch.insert(keyword.clone(), value.clone());
            }
        }
    }
    let mut any_of = Map::new();
    let branches = branches.into_iter().map(Value::Object).collect();
    any_of.insert("anyOf".to_owned(), Value::Array(branches));
    let rest = out.remove("allOf");
    let mut all = vec![any_of];
    if let Some(Value::Array(list)) = rest {
        all.extend(list.into_iter().filter_map(|v| v.as_object().cloned()));
    }
    conjoin(&mut out, all);
    out
}

/// The types that a keyword says something about; `None` where it is about any.
fn about(keyword: &str) -> Option<&'static [&'static str]> {
    Some(match keyword {
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            &["number", "integer"]
        }
        "minLength" | "maxLength" | "pattern" => &["string"],
        "items" | "prefixItems" | "minItems" | "maxItems" | "uniqueItems" => &["array"],
        "properties"
        | "patternProperties"
        | "additionalProperties"
        | "required"
        | "minProperties"
        | "maxProperties" => &["object"],
        _ => return None,
    })
}

#[cfg(test)]
#[path = "portable_tests.rs"]
pub(super) mod tests;
