//! Two schemas of the same value, compared.
//!
//! A schema is seen as the keywords that hold together: its own, those behind `$ref`, and
//! those in `allOf`. So moving a schema into `components`, or splitting it, breaks nobody.
//! Every pair of schemas is compared once, and their number is bounded: where the bound is
//! met, that is a change of its own, since what was not compared may have changed.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};
use tollbridge_operation::Decimal;

use super::{Change, Impact};
use crate::tools::schema::{Types, Walk, escape, members, resolve};
use crate::tools::text;

/// How many pairs of schemas are compared.
const PAIRS: usize = 20_000;

/// How many changes are told of one schema.
const TOLD: usize = 100;

/// How deep a value is compared.
const DEPTH: usize = 64;

/// How many schemas may hold together for one value.
const LAYERS: usize = 64;

/// Who meets the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// A caller gives it: what was taken must still be taken.
    Arguments,
    /// A reader gets it: what was there must still be there.
    Answer,
}

/// Adds what differs.
pub(super) fn compare(direction: Direction, old: &Value, new: &Value, found: &mut Vec<Change>) {
    let start = match direction {
        Direction::Arguments => "/arguments",
        Direction::Answer => "/answer",
    };
    let mut compare = Compare {
        direction,
        old_root: old,
        new_root: new,
        seen: HashSet::new(),
        found: Vec::new(),
        cut: false,
    };
    compare.pair(old, new, start, 0);
    if compare.cut {
        let message = "there is more than is compared, so it counts as changed".to_owned();
        compare.found.push(Change { impact: Impact::Breaking, pointer: start.to_owned(), message });
    }
    found.append(&mut compare.found);
}

struct Compare<'o, 'n> {
    direction: Direction,
    old_root: &'o Value,
    new_root: &'n Value,
    seen: HashSet<(*const Value, *const Value)>,
    found: Vec<Change>,
    cut: bool,
}

/// Keywords that hold together for one value.
struct Layers<'v>(Vec<&'v Map<String, Value>>);

impl<'v> Layers<'v> {
    fn of(root: &'v Value, schema: &'v Value) -> Self {
        let mut layers = Self(Vec::new());
        layers.add(root, schema);
        layers
    }

    fn add(&mut self, root: &'v Value, schema: &'v Value) {
        let Value::Object(object) = schema else { return };
        // A layer that is there already is a circle, or says nothing new.
        if self.0.len() >= LAYERS || self.0.iter().any(|known| std::ptr::eq(*known, object)) {
            return;
        }
        self.0.push(object);
        let target = object.get("$ref").and_then(Value::as_str);
        if let Some(target) = target.and_then(|reference| resolve(root, reference)) {
            self.add(root, target);
        }
        for member in members(object, "allOf") {
            self.add(root, member);
        }
    }

    fn all(&self, keyword: &str) -> impl Iterator<Item = &'v Value> {
        self.0.iter().filter_map(move |layer| layer.get(keyword))
    }

    fn first(&self, keyword: &str) -> Option<&'v Value> {
        self.all(keyword).next()
    }

    /// What stands in a keyword that holds a list of schemas.
    fn listed(&self, keyword: &str) -> Vec<&'v Value> {
        self.all(keyword).filter_map(Value::as_array).flatten().collect()
    }

    fn texts(&self, keyword: &str) -> BTreeSet<String> {
        self.all(keyword).map(Value::to_string).collect()
    }

    fn required(&self) -> BTreeSet<&'v str> {
        self.0
            .iter()
            .flat_map(|layer| members(layer, "required"))
            .filter_map(Value::as_str)
            .collect()
    }

    fn properties(&self) -> Vec<(&'v str, &'v Value)> {
        let mut found: Vec<(&str, &Value)> = Vec::new();
        let mut known: HashSet<&str> = HashSet::new();
        for properties in self.all("properties").filter_map(Value::as_object) {
            for (name, schema) in properties {
                if known.insert(name) {
                    found.push((name, schema));
                }
            }
        }
        found
    }

    /// Whether members that are not named are refused.
    fn closed(&self) -> bool {
        self.all("additionalProperties").any(|more| *more == Value::Bool(false))
    }

    /// The only values, as JSON; `None` where any will do.
    fn values(&self) -> Option<BTreeSet<String>> {
        let one = self.all("const").map(|value| BTreeSet::from([value.to_string()]));
        let several = self
            .all("enum")
            .filter_map(Value::as_array)
            .map(|values| values.iter().map(Value::to_string).collect::<BTreeSet<_>>());
        one.chain(several).reduce(|all, more| all.intersection(&more).cloned().collect())
    }

    /// The narrowest of a bound.
    fn bound(&self, keyword: &str, lower: bool) -> Option<(Decimal, String)> {
        let bounds = self.all(keyword).filter_map(|value| {
            let text = value.as_number()?.to_string();
            Some((Decimal::parse(&text)?, text))
        });
        if lower {
            bounds.max_by(|a, b| a.0.cmp(&b.0))
        } else {
            bounds.min_by(|a, b| a.0.cmp(&b.0))
        }
    }
}

/// Bounds, and whether they are lower ones.
const BOUNDS: &[(&str, bool)] = &[
    ("minimum", true),
    ("exclusiveMinimum", true),
    ("minLength", true),
    ("minItems", true),
    ("minProperties", true),
    ("minContains", true),
    ("maximum", false),
    ("exclusiveMaximum", false),
    ("maxLength", false),
    ("maxItems", false),
    ("maxProperties", false),
    ("maxContains", false),
];

/// Other keywords by which a value may be refused, compared as they are written.
const DEMANDS: &[&str] = &[
    "pattern",
    "format",
    "multipleOf",
    "uniqueItems",
    "not",
    "if",
    "then",
    "else",
    "propertyNames",
    "patternProperties",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "unevaluatedItems",
    "contains",
    "contentEncoding",
    "contentMediaType",
];

/// What is read about a value, and binds nothing.
const DOCS: &[&str] = &["title", "description", "examples", "deprecated"];

impl Compare<'_, '_> {
    fn tell(&mut self, impact: Impact, at: &str, message: String) {
        if self.found.len() >= TOLD {
            self.cut = true;
            return;
        }
        let pointer = text::cut(&text::clean_line(at), 300);
        self.found.push(Change { impact, pointer, message });
    }

    /// What narrows breaks callers; what widens breaks readers only where they rely on it.
    fn narrower(&self) -> Impact {
        match self.direction {
            Direction::Arguments => Impact::Breaking,
            Direction::Answer => Impact::Compatible,
        }
    }

    fn pair(&mut self, old: &Value, new: &Value, at: &str, depth: usize) {
        if self.seen.len() >= PAIRS || depth > DEPTH {
            self.cut = true;
            return;
        }
        if !self.seen.insert((std::ptr::from_ref(old), std::ptr::from_ref(new))) {
            return;
        }
        match (old, new) {
            (Value::Bool(old), Value::Bool(new)) if old == new => return,
            (_, Value::Bool(false)) => {
                return self.tell(Impact::Breaking, at, "nothing is possible there now".to_owned());
            }
            (Value::Bool(false), _) => {
                return self.tell(Impact::Compatible, at, "it is possible now".to_owned());
            }
            _ => {}
        }
        let (old_root, new_root) = (self.old_root, self.new_root);
        let (old_layers, new_layers) = (Layers::of(old_root, old), Layers::of(new_root, new));
        if old_layers.0.len() >= LAYERS || new_layers.0.len() >= LAYERS {
            self.cut = true;
        }
        self.types(old, new, at);
        self.values(&old_layers, &new_layers, at);
        self.bounds(&old_layers, &new_layers, at);
        self.demands(&old_layers, &new_layers, at);
        self.docs(&old_layers, &new_layers, at);
        self.members(&old_layers, &new_layers, at, depth);
        self.items(&old_layers, &new_layers, at, depth);
        for keyword in ["anyOf", "oneOf"] {
            self.branches(&old_layers, &new_layers, keyword, at, depth);
        }
    }

    fn types(&mut self, old: &Value, new: &Value, at: &str) {
        let old = Walk::new(self.old_root).types(old, 0);
        let new = Walk::new(self.new_root).types(new, 0);
        if old == new {
            return;
        }
        let lost = !new.holds(old);
        let gained = !old.holds(new);
        let impact = match self.direction {
            Direction::Arguments if lost => Impact::Breaking,
            Direction::Answer if gained => Impact::Breaking,
            _ => Impact::Compatible,
        };
        self.tell(impact, at, format!("it is {} now, not {}", new.words(), old.words()));
    }

    fn values(&mut self, old: &Layers<'_>, new: &Layers<'_>, at: &str) {
        let said = |values: &BTreeSet<String>| {
            let shown: Vec<String> =
                values.iter().take(5).map(|v| text::cut(&text::clean_line(v), 40)).collect();
            let more = values.len() - shown.len();
            if more > 0 {
                format!("{} and {more} more", shown.join(", "))
            } else {
                shown.join(", ")
            }
        };
        match (old.values(), new.values()) {
            (None, None) => {}
            (None, Some(new)) => {
                self.tell(self.narrower(), at, format!("it is only {} now", said(&new)));
            }
            (Some(_), None) => {
                self.tell(Impact::Compatible, at, "it may be any value of its type now".to_owned());
            }
            (Some(old), Some(new)) => {
                let lost: BTreeSet<String> = old.difference(&new).cloned().collect();
                let gained: BTreeSet<String> = new.difference(&old).cloned().collect();
                if !lost.is_empty() {
                    let message = format!("it may no longer be {}", said(&lost));
                    self.tell(self.narrower(), at, message);
                }
                if !gained.is_empty() {
                    let message = format!("it may also be {} now", said(&gained));
                    self.tell(Impact::Compatible, at, message);
                }
            }
        }
    }

    fn bounds(&mut self, old: &Layers<'_>, new: &Layers<'_>, at: &str) {
        for (keyword, lower) in BOUNDS {
            let (was, is) = (old.bound(keyword, *lower), new.bound(keyword, *lower));
            let (narrower, message) = match (&was, &is) {
                (None, None) => continue,
                (Some(was), Some(is)) if was.0 == is.0 => continue,
                (Some(was), Some(is)) => {
                    ((is.0 > was.0) == *lower, format!("{keyword} is {} now, not {}", is.1, was.1))
                }
                (None, Some(is)) => (true, format!("{keyword} is {} now", is.1)),
                (Some(was), None) => (false, format!("{keyword} was {}, and is gone", was.1)),
            };
            let impact = if narrower { self.narrower() } else { Impact::Compatible };
            self.tell(impact, at, text::cut(&message, 160));
        }
    }

    fn demands(&mut self, old: &Layers<'_>, new: &Layers<'_>, at: &str) {
        for keyword in DEMANDS {
            let (was, is) = (old.texts(keyword), new.texts(keyword));
            if was == is {
                continue;
            }
            let (impact, message) = if is.is_subset(&was) {
                (Impact::Compatible, format!("its {keyword} is gone"))
            } else {
                (self.narrower(), format!("its {keyword} is another"))
            };
            self.tell(impact, at, message);
        }
    }

    fn docs(&mut self, old: &Layers<'_>, new: &Layers<'_>, at: &str) {
        let (was, is) = (old.texts("default"), new.texts("default"));
        if was != is {
            let message = match is.first() {
                Some(is) => {
                    format!("its default is {} now", text::cut(&text::clean_line(is), 60))
                }
                None => "its default is gone".to_owned(),
            };
            self.tell(Impact::Compatible, at, message);
        }
        // An annotation of a schema that another refers to may be overridden there: the
        // first is the one that is read.
        if DOCS.iter().any(|keyword| old.first(keyword) != new.first(keyword)) {
            self.tell(Impact::DocsOnly, at, "what is read about it changed".to_owned());
        }
    }

    fn members(&mut self, old: &Layers<'_>, new: &Layers<'_>, at: &str, depth: usize) {
        let (was, is) = (old.properties(), new.properties());
        let (old_required, new_required) = (old.required(), new.required());
        let inside = |name: &str| format!("{at}/{}", text::cut(&escape(name), 80));
        let new_names: HashSet<&str> = is.iter().map(|(name, _)| *name).collect();
        for (name, old_schema) in &was {
            if let Some((_, new_schema)) = is.iter().find(|(other, _)| other == name) {
                self.pair(old_schema, new_schema, &inside(name), depth + 1);
            }
        }
        for (name, _) in was.iter().filter(|(name, _)| !new_names.contains(name)) {
            let impact = match self.direction {
                Direction::Arguments if !new.closed() => Impact::Compatible,
                _ => Impact::Breaking,
            };
            self.tell(impact, &inside(name), "it is gone".to_owned());
        }
        let old_names: HashSet<&str> = was.iter().map(|(name, _)| *name).collect();
        for (name, _) in is.iter().filter(|(name, _)| !old_names.contains(name)) {
            let needed = self.direction == Direction::Arguments && new_required.contains(name);
            let (impact, message) = if needed {
                (Impact::Breaking, "it is new, and must be given")
            } else {
                (Impact::Compatible, "it is new")
            };
            self.tell(impact, &inside(name), message.to_owned());
        }
        for name in new_required.difference(&old_required) {
            // What is new was told above.
            if old_names.contains(name) || !new_names.contains(name) {
                let message = match self.direction {
                    Direction::Arguments => "it must be given now",
                    Direction::Answer => "it is always there now",
                };
                self.tell(self.narrower(), &inside(name), message.to_owned());
            }
        }
        for name in old_required.difference(&new_required).filter(|name| new_names.contains(*name))
        {
            let (impact, message) = match self.direction {
                Direction::Arguments => (Impact::Compatible, "it may be left out now"),
                Direction::Answer => (Impact::Breaking, "it may be absent now"),
            };
            self.tell(impact, &inside(name), message.to_owned());
        }
        match (old.closed(), new.closed()) {
            (false, true) => {
                self.tell(self.narrower(), at, "no other members are taken now".to_owned());
            }
            (true, false) => {
                self.tell(Impact::Compatible, at, "other members are taken now".to_owned());
            }
            _ => {
                let more = "additionalProperties";
                self.inner(old.first(more), new.first(more), at, depth);
            }
        }
    }

    fn items(&mut self, old: &Layers<'_>, new: &Layers<'_>, at: &str, depth: usize) {
        self.inner(old.first("items"), new.first("items"), at, depth);
        let (was, is) = (old.listed("prefixItems"), new.listed("prefixItems"));
        if was.len() != is.len() {
            return self.tell(Impact::Breaking, at, "it has other items".to_owned());
        }
        for (index, (was, is)) in was.into_iter().zip(is).enumerate() {
            self.pair(was, is, &format!("{at}/{index}"), depth + 1);
        }
    }

    /// The schema of every item, or of every member that has no name.
    fn inner(&mut self, old: Option<&Value>, new: Option<&Value>, at: &str, depth: usize) {
        const ANYTHING: &Value = &Value::Bool(true);
        if old.is_some() || new.is_some() {
            let (old, new) = (old.unwrap_or(ANYTHING), new.unwrap_or(ANYTHING));
            self.pair(old, new, &format!("{at}/*"), depth + 1);
        }
    }

    /// Alternatives: those that are written alike belong together, then those that refer
    /// to the same name or stand at the same place.
    fn branches(
        &mut self,
        old: &Layers<'_>,
        new: &Layers<'_>,
        keyword: &str,
        at: &str,
        depth: usize,
    ) {
        let (was, mut is) = (old.listed(keyword), new.listed(keyword));
        if was.is_empty() && is.is_empty() {
            return;
        }
        let key = |schema: &Value| schema.get("$ref").or(schema.get("title")).map(Value::to_string);
        let mut left: Vec<&Value> = Vec::new();
        for old_branch in was {
            let same = is.iter().position(|new_branch| match key(old_branch) {
                Some(name) => key(new_branch) == Some(name),
                None => *new_branch == old_branch,
            });
            match same {
                Some(index) => {
                    let new_branch = is.remove(index);
                    self.pair(old_branch, new_branch, at, depth + 1);
                }
                None => left.push(old_branch),
            }
        }
        let shared = left.len().min(is.len());
        for (old_branch, new_branch) in left.iter().zip(&is).take(shared) {
            self.pair(old_branch, new_branch, at, depth + 1);
        }
        let (old_more, new_more) = (left.len() - shared, is.len() - shared);
        if old_more > 0 {
            self.tell(self.narrower(), at, format!("{old_more} of its alternatives are gone"));
        }
        if new_more > 0 {
            let impact = match self.direction {
                Direction::Arguments => Impact::Compatible,
                Direction::Answer => Impact::Breaking,
            };
            self.tell(impact, at, format!("it has {new_more} more alternatives"));
        }
    }
}

impl Types {
    /// Whether every type of the other is among these.
    fn holds(self, other: Self) -> bool {
        self.or(other) == self
    }
}
