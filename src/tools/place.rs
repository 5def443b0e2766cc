//! Places in a schema: what is described at an argument pointer, and rewriting it there.
//!
//! A place may be described in several schemas: behind a reference, in the branches of a
//! combinator. Looking finds all of them. Rewriting replaces references along its way by
//! copies, so that what is rewritten for one argument stays as it was for every other.

use serde_json::{Map, Value};

use super::pointer::Step;
use super::schema::{Walk, members};

/// How many references one rewriting replaces by copies.
const COPIES: usize = 256;

/// How deep a rewriting goes: a schema that refers to itself has no end, and a stack has one.
const DEPTH: usize = 64;

/// How many schemas may describe one place.
const SCHEMAS: usize = 256;

/// The schema that says nothing.
const ANYTHING: &Value = &Value::Bool(true);

/// The pointer leaves the schema.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// How many of the steps could be made.
    pub(super) made: usize,
    /// The names that would have been possible next.
    pub(super) known: Vec<String>,
}

/// The schemas that describe what is at the steps.
pub(super) fn find<'v>(walk: &Walk<'v>, steps: &[Step]) -> Result<Vec<&'v Value>, Missing> {
    find_from(walk, walk.root, steps)
}

/// The schemas that describe what is at the steps from a value with the schema `start`,
/// whose references are those of the walk's root.
pub(super) fn find_from<'v>(
    walk: &Walk<'v>,
    start: &'v Value,
    steps: &[Step],
) -> Result<Vec<&'v Value>, Missing> {
    let mut here = vec![start];
    for (made, step) in steps.iter().enumerate() {
        let mut all = Vec::new();
        for schema in here {
            expand(walk, schema, 0, &mut all);
        }
        let mut next: Vec<&'v Value> = Vec::new();
        let mut known: Vec<String> = Vec::new();
        for object in &all {
            if let Some(Value::Object(properties)) = object.get("properties") {
                known.extend(properties.keys().take(1_000).cloned());
            }
            children(object, step, &mut next);
        }
        // Where nothing is said of members, any may be there.
        if next.is_empty() && all.iter().all(|object| says_nothing(object)) {
            next.push(ANYTHING);
        }
        next.truncate(SCHEMAS);
        if next.is_empty() {
            known.dedup();
            return Err(Missing { made, known });
        }
        here = next;
    }
    Ok(here)
}

/// Whether the operation needs the member at the steps wherever what is above it is given.
pub(super) fn is_required(walk: &Walk<'_>, steps: &[Step]) -> bool {
    let Some((Step::Name(name), above)) = steps.split_last() else { return false };
    let Ok(parents) = find(walk, above) else { return false };
    parents.iter().any(|parent| {
        let mut all = Vec::new();
        expand(walk, parent, 0, &mut all);
        all.iter().any(|object| members(object, "required").any(|r| r.as_str() == Some(name)))
    })
}

/// The names of the members that are described at the steps, in their order.
pub(super) fn names(walk: &Walk<'_>, steps: &[Step]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for schema in find(walk, steps).unwrap_or_default() {
        let mut all = Vec::new();
        expand(walk, schema, 0, &mut all);
        for object in all {
            let properties = object.get("properties").and_then(Value::as_object);
            for name in properties.into_iter().flat_map(Map::keys) {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
    }
    names
}

/// The schema and all that hold, or may hold, for the same value.
fn expand<'v>(
    walk: &Walk<'v>,
    schema: &'v Value,
    depth: u32,
    found: &mut Vec<&'v Map<String, Value>>,
) {
    let Value::Object(object) = schema else { return };
    if !walk.spend(depth) || found.len() >= SCHEMAS {
        return;
    }
    found.push(object);
    if let Some(target) = walk.target(object) {
        expand(walk, target, depth + 1, found);
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for member in members(object, keyword) {
            expand(walk, member, depth + 1, found);
        }
    }
}

fn children<'v>(object: &'v Map<String, Value>, step: &Step, found: &mut Vec<&'v Value>) {
    let map = object.get("additionalProperties").filter(|schema| schema.is_object());
    match step {
        Step::Name(name) => {
            let properties = object.get("properties").and_then(Value::as_object);
            if let Some(schema) = properties.and_then(|properties| properties.get(name)) {
                found.push(schema);
            } else if let Some(Value::Object(patterns)) = object.get("patternProperties") {
                found.extend(patterns.values());
            } else if let Some(schema) = map {
                found.push(schema);
            }
            if let Ok(index) = name.parse::<usize>() {
                found.extend(members(object, "prefixItems").nth(index).or(object.get("items")));
            }
        }
        Step::Items => {
            found.extend(object.get("items").filter(|items| **items != Value::Bool(false)));
            found.extend(members(object, "prefixItems"));
            found.extend(map);
            if let Some(Value::Object(patterns)) = object.get("patternProperties") {
                found.extend(patterns.values());
            }
        }
    }
}

/// Whether a schema is silent about members and items, and does not exclude them.
fn says_nothing(object: &Map<String, Value>) -> bool {
    let said = ["properties", "patternProperties", "items", "prefixItems", "enum", "const"];
    let scalar = match object.get("type") {
        Some(Value::String(name)) => !matches!(name.as_str(), "object" | "array"),
        Some(Value::Array(names)) => {
            !names.iter().any(|name| matches!(name.as_str(), Some("object" | "array")))
        }
        _ => false,
    };
    let closed = object.get("additionalProperties").is_some_and(|v| *v != Value::Bool(true));
    !scalar && !closed && !said.iter().any(|keyword| object.contains_key(*keyword))
}

/// The rewriting would copy more than it may.
#[derive(Debug)]
pub(super) struct TooComplex;

/// Rewrites the schemas at a place of `schema`, whose references are those of `origin`.
pub(super) fn rewrite(
    origin: &Value,
    schema: &mut Value,
    steps: &[Step],
    change: &mut impl FnMut(&mut Map<String, Value>),
) -> Result<(), TooComplex> {
    reach(origin, schema, steps, &mut Spent::default(), change)
}

/// Rewrites every schema that describes the members of the object at a place.
pub(super) fn rewrite_members(
    origin: &Value,
    schema: &mut Value,
    above: &[Step],
    change: &mut impl FnMut(&mut Map<String, Value>, Branch),
) -> Result<(), TooComplex> {
    let mut inner = Spent::default();
    let mut fits = true;
    reach(origin, schema, above, &mut Spent::default(), &mut |object| {
        fits &= spread(origin, object, Branch::Always, &mut inner, change).is_ok();
    })?;
    if fits { Ok(()) } else { Err(TooComplex) }
}

/// Whether a schema always holds, or is one of several that may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    Always,
    Maybe,
}

/// What a rewriting has taken.
#[derive(Debug, Default)]
struct Spent {
    copies: usize,
    depth: usize,
}

impl Spent {
    /// Goes one deeper for so long.
    fn deeper(
        &mut self,
        rewrite: impl FnOnce(&mut Self) -> Result<(), TooComplex>,
    ) -> Result<(), TooComplex> {
        if self.depth == DEPTH {
            return Err(TooComplex);
        }
        self.depth += 1;
        let done = rewrite(self);
        self.depth -= 1;
        done
    }
}

fn reach(
    origin: &Value,
    schema: &mut Value,
    steps: &[Step],
    spent: &mut Spent,
    change: &mut impl FnMut(&mut Map<String, Value>),
) -> Result<(), TooComplex> {
    if *schema == Value::Bool(true) {
        *schema = Value::Object(Map::new());
    }
    let Value::Object(object) = schema else { return Ok(()) };
    dereference(origin, object, spent)?;
    let Some((step, rest)) = steps.split_first() else {
        change(object);
        return Ok(());
    };
    match step {
        Step::Name(name) => {
            let properties = object.get_mut("properties").and_then(Value::as_object_mut);
            if let Some(member) = properties.and_then(|properties| properties.get_mut(name)) {
                spent.deeper(|spent| reach(origin, member, rest, spent, change))?;
            }
        }
        Step::Items => {
            for keyword in ["items", "additionalProperties"] {
                if let Some(items @ Value::Object(_)) = object.get_mut(keyword) {
                    spent.deeper(|spent| reach(origin, items, rest, spent, change))?;
                }
            }
            let first = object.get_mut("prefixItems").and_then(Value::as_array_mut);
            for item in first.into_iter().flatten() {
                spent.deeper(|spent| reach(origin, item, rest, spent, change))?;
            }
        }
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for member in object.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten() {
            spent.deeper(|spent| reach(origin, member, steps, spent, change))?;
        }
    }
    Ok(())
}

fn spread(
    origin: &Value,
    object: &mut Map<String, Value>,
    branch: Branch,
    spent: &mut Spent,
    change: &mut impl FnMut(&mut Map<String, Value>, Branch),
) -> Result<(), TooComplex> {
    dereference(origin, object, spent)?;
    change(object, branch);
    for (keyword, branch) in [("allOf", branch), ("anyOf", Branch::Maybe), ("oneOf", Branch::Maybe)]
    {
        for member in object.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::Object(member) = member {
                spent.deeper(|spent| spread(origin, member, branch, spent, change))?;
            }
        }
    }
    Ok(())
}

/// Puts a copy of what `$ref` points to in its place.
fn dereference(
    origin: &Value,
    object: &mut Map<String, Value>,
    spent: &mut Spent,
) -> Result<(), TooComplex> {
    while let Some(Value::String(reference)) = object.get("$ref") {
        spent.copies += 1;
        if spent.copies > COPIES {
            return Err(TooComplex);
        }
        let target = super::schema::resolve(origin, reference).cloned();
        object.remove("$ref");
        let Some(Value::Object(mut target)) = target else {
            // `true` and what dangles say nothing; `false` is rare and stays true to itself.
            if target == Some(Value::Bool(false)) {
                object.insert("not".to_owned(), Value::Object(Map::new()));
            }
            return Ok(());
        };
        // Definitions stay where references find them, at the root.
        target.remove("$defs");
        let annotations = ["title", "description", "default", "examples", "deprecated"];
        if object.keys().all(|keyword| annotations.contains(&keyword.as_str())) {
            for (keyword, value) in std::mem::take(object) {
                target.insert(keyword, value);
            }
            *object = target;
        } else {
            match object.entry("allOf").or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(all) => all.push(Value::Object(target)),
                _ => return Err(TooComplex),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools::pointer::ArgumentPointer;

    fn steps(text: &str) -> Vec<Step> {
        ArgumentPointer::parse(text).expect("a pointer").steps().to_vec()
    }

    fn root() -> Value {
        json!({
            "type": "object",
            "properties": {
                "body": {"$ref": "#/$defs/Body"},
                "other": {"$ref": "#/$defs/Item"},
                "free": {"type": "object"},
            },
            "$defs": {
                "Body": {"allOf": [
                    {"properties": {"items": {"type": "array", "items": {"$ref": "#/$defs/Item"}}}},
                    {"oneOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "integer"}}}]},
                ]},
                "Item": {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]},
            },
        })
    }

    #[test]
    fn a_place_is_found_behind_references_and_branches() {
        let root = root();
        let walk = Walk::new(&root);
        assert_eq!(
            find(&walk, &steps("/body/items/*/price")),
            Ok(vec![&json!({"type": "number"})])
        );
        assert_eq!(find(&walk, &steps("/body/a")).map(|found| found.len()), Ok(2));
        assert_eq!(find(&walk, &steps("/free/anything/at/all")), Ok(vec![ANYTHING]));
        assert!(is_required(&walk, &steps("/body/items/*/price")));
        assert!(!is_required(&walk, &steps("/body/items")));
    }

    #[test]
    fn a_step_aside_names_what_there_is() {
        let root = root();
        let missing = find(&Walk::new(&root), &steps("/body/items/*/prize"));
        assert_eq!(missing, Err(Missing { made: 3, known: vec!["price".to_owned()] }));
    }

    #[test]
    fn rewriting_one_place_leaves_the_others() {
        let origin = root();
        let mut schema = origin.clone();
        rewrite(&origin, &mut schema, &steps("/body/items/*/price"), &mut |leaf| {
            leaf.insert("maximum".to_owned(), json!(5));
        })
        .expect("simple");
        let walk = Walk::new(&schema);
        let changed = json!({"type": "number", "maximum": 5});
        assert_eq!(find(&walk, &steps("/body/items/*/price")), Ok(vec![&changed]));
        assert_eq!(find(&walk, &steps("/other/price")), Ok(vec![&json!({"type": "number"})]));
    }

    #[test]
    fn circles_of_references_end() {
        let origin = json!({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}});
        let mut schema = origin.clone();
        assert!(rewrite(&origin, &mut schema, &steps("/a/b"), &mut |_| ()).is_err());
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_not_written_out_for_long() {
        let mut schema = json!({
            "properties": {"a": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"allOf": [{"$ref": "#/$defs/A"}], "type": "object"}},
        });
        let origin = schema.clone();
        let done = rewrite(&origin, &mut schema, &steps("/a/b"), &mut |_| {});
        assert!(done.is_err());
        let deep = schema.to_string().matches("allOf").count();
        assert!(deep <= DEPTH + 2, "{deep}");
    }
}
