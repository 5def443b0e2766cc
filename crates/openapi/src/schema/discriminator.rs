//! Unions that can be decided: which variant a value is, by the value of one member.
//!
//! A discriminator names the member (OpenAPI 3.0.4 §4.7.25, 3.1.1 §4.8.25, 3.2.0 §4.25;
//! Swagger 2.0 Schema Object). It stands beside `oneOf` or `anyOf`, or in a base schema whose
//! children name it in their `allOf`; there the base stands for any of its family. Either way
//! each variant is given its values of the member, so that a validator can tell the variants
//! apart, and a model which one it writes.
//!
//! Which values those are is said by the mapping, else by the schema's name. What the variant
//! itself says of the member (`const`, `enum`) counts for more: it would refuse anything else.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::{Reading, Schemas, Target};
use crate::document::{Pointer, Warnings, reference, scalar_text, text_line};

/// Schemas may share parts, and lead back: looking at more than this is no design.
const MOST_VISITS: usize = 200;

/// A union whose variants differ in the values of one member.
#[derive(Debug)]
pub(super) struct Union {
    pub(super) property: String,
    pub(super) variants: Vec<Variant>,
}

#[derive(Debug)]
pub(super) struct Variant {
    /// The definition; `None` for one that stands where it is used.
    pub(super) target: Option<Target>,
    tag: Tag,
}

/// The values of the member by which a variant is known.
#[derive(Debug)]
enum Tag {
    Values(Vec<Value>),
    /// Any other value than those, and none at all (3.2, `defaultMapping`).
    Other(Vec<Value>),
    /// The branch is no object.
    Untagged,
}

impl Variant {
    /// Adds the tag to the variant's schema.
    pub(super) fn tag(&self, property: &str, schema: &mut Map<String, Value>) {
        let member = match &self.tag {
            Tag::Values(values) => match values.as_slice() {
                [only] => json!({"const": only}),
                several => json!({"enum": several}),
            },
            Tag::Other(values) => json!({"not": {"enum": values}}),
            Tag::Untagged => return,
        };
        let properties = schema.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            match properties.get_mut(property) {
                Some(Value::Object(known)) => {
                    if !known.contains_key("const") {
                        known.shift_remove("enum");
                        known.extend(member.as_object().cloned().unwrap_or_default());
                    }
                }
                _ => {
                    properties.insert(property.to_owned(), member);
                }
            }
        }
        if matches!(self.tag, Tag::Values(_)) {
            let required = schema.entry("required").or_insert_with(|| json!([]));
            if let Value::Array(required) = required
                && !required.iter().any(|name| name == property)
            {
                required.push(json!(property));
            }
        }
    }
}

/// The families of a document, as far as they were asked for.
#[derive(Debug, Default)]
pub(super) struct Families {
    /// The schemas that name another one in their `allOf`.
    children: Option<HashMap<Pointer, Vec<Pointer>>>,
    known: HashMap<Pointer, Option<Rc<Union>>>,
}

/// A discriminator, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Discriminator {
    at: Pointer,
    property: String,
    mapping: Vec<(String, Pointer)>,
    fallback: Option<Pointer>,
}

impl Schemas<'_> {
    /// The union that `oneOf` or `anyOf` makes with a discriminator beside it, or with the one
    /// that all branches inherit. `at` is the place of the schema, `keyword` that of the list.
    pub(super) fn union(
        &mut self,
        at: &Pointer,
        object: &Map<String, Value>,
        keyword: &str,
        warnings: &mut Warnings,
    ) -> Option<Union> {
        let branches = object.get(keyword)?.as_array()?;
        let list = at.child(keyword);
        let mut places: Vec<Option<Pointer>> = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            let place = match reference(branch) {
                Some(name) => Some(self.place_of(&list.item(index), name, warnings).ok()?),
                None => None,
            };
            places.push(place);
        }
        let discriminator = match self.discriminator(at, object, warnings) {
            Some(discriminator) => discriminator,
            None => self.shared(&places)?,
        };
        let Discriminator { property, .. } = &discriminator;
        let listed: HashSet<&Pointer> = places.iter().flatten().collect();
        let mut variants = Vec::new();
        for (index, (branch, place)) in branches.iter().zip(&places).enumerate() {
            if is_no_object(branch) {
                variants.push(Variant { target: None, tag: Tag::Untagged });
                continue;
            }
            let Some(place) = place else {
                let own = self.own_values(&list.item(index), branch, property, &mut 0);
                variants.push(Variant { target: None, tag: Tag::Values(own.unwrap_or_default()) });
                continue;
            };
            // A branch that is the base of others in the list is itself alone.
            let family = self.family(place, warnings).filter(|family| family.property == *property);
            let inner: Vec<Pointer> = family
                .iter()
                .flat_map(|family| &family.variants)
                .filter_map(|variant| variant.target.as_ref())
                .map(|target| target.place.clone())
                .collect();
            let alone = inner.iter().any(|inner| inner != place && listed.contains(inner));
            let values = match family {
                Some(family) if !alone => family.values(),
                _ => {
                    let name = reference(branch).map(name_of).unwrap_or_default();
                    self.values(&discriminator, place, &name, warnings)
                }
            };
            let reading = Reading { alone, unclosed: false };
            let target = Some(Target { place: place.clone(), reading });
            variants.push(Variant { target, tag: Tag::Values(values) });
        }
        decided(&discriminator, variants, warnings)
    }

    /// The family of a base schema: what a value may be where the base is asked for.
    pub(super) fn family(&mut self, base: &Pointer, warnings: &mut Warnings) -> Option<Rc<Union>> {
        if let Some(known) = self.families.known.get(base) {
            return known.clone();
        }
        // Whoever asks again while this is being found out has met a circle.
        self.families.known.insert(base.clone(), None);
        let family = self.find_family(base, warnings).map(Rc::new);
        self.families.known.insert(base.clone(), family.clone());
        family
    }

    fn find_family(&mut self, base: &Pointer, warnings: &mut Warnings) -> Option<Union> {
        let document = self.document;
        let object = document.at(base)?.as_object()?;
        if object.contains_key("oneOf") || object.contains_key("anyOf") {
            return None;
        }
        let has_children = self.children().contains_key(base);
        if !has_children && !object.contains_key("discriminator") {
            return None;
        }
        let discriminator = self.inherited(base, &mut 0)?;
        let mut members = self.descendants(base, &discriminator);
        for (_, place) in &discriminator.mapping {
            if discriminator.at == *base && !members.contains(place) && place != base {
                members.push(place.clone());
            }
        }
        if members.is_empty() {
            return None;
        }
        // Where the mapping names others and not the base, the base is abstract.
        let mapped = |place| discriminator.mapping.iter().any(|(_, mapped)| mapped == place);
        if discriminator.mapping.is_empty() || mapped(base) {
            members.push(base.clone());
        }
        let mut variants = Vec::new();
        for place in members {
            let name = place.tokens().last().unwrap_or_default();
            let values = self.values(&discriminator, &place, &name, warnings);
            if place == *base && values.is_empty() {
                continue;
            }
            let alone = place == *base
                || self
                    .inherited(&place, &mut 0)
                    .is_none_or(|own| own.property == discriminator.property);
            let target = Some(Target { place, reading: Reading { alone, unclosed: false } });
            variants.push(Variant { target, tag: Tag::Values(values) });
        }
        decided(&discriminator, variants, warnings)
    }

    /// Whether a schema names another one as its base.
    pub(super) fn is_child(&mut self, child: &Pointer, base: &Pointer) -> bool {
        self.children().get(base).is_some_and(|children| children.contains(child))
    }

    /// Whether one of the branches of a list descends from the schema that has the list.
    pub(super) fn lists_children(&mut self, base: &Pointer, object: &Map<String, Value>) -> bool {
        let document = self.document;
        ["oneOf", "anyOf"].iter().any(|keyword| {
            let list = object.get(*keyword).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(reference).any(|name| {
                let resolved = document.target(base, name).ok().map(|(place, _)| place);
                resolved.is_some_and(|child| self.is_child(&child, base))
            })
        })
    }

    fn descendants(&mut self, base: &Pointer, discriminator: &Discriminator) -> Vec<Pointer> {
        let mut found: Vec<Pointer> = Vec::new();
        let mut seen = HashSet::from([base.clone()]);
        let mut queue: Vec<Pointer> = vec![base.clone()];
        while let Some(next) = queue.pop() {
            let children = self.children().get(&next).cloned().unwrap_or_default();
            for child in children {
                if !seen.insert(child.clone()) {
                    continue;
                }
                found.push(child.clone());
                // Below one with a discriminator of its own is that one's family.
                let own = self.inherited(&child, &mut 0);
                if own.is_none_or(|own| own.property == discriminator.property) {
                    queue.push(child);
                }
            }
        }
        found
    }

    fn children(&mut self) -> &HashMap<Pointer, Vec<Pointer>> {
        let document = self.document;
        self.families.children.get_or_insert_with(|| {
            let mut children: HashMap<Pointer, Vec<Pointer>> = HashMap::new();
            for folder in [
                Pointer::root().child("components").child("schemas"),
                Pointer::root().child("definitions"),
            ] {
                let schemas = document.at(&folder).and_then(Value::as_object);
                for (name, schema) in schemas.into_iter().flatten() {
                    let place = folder.child(name);
                    let all_of = schema.get("allOf").and_then(Value::as_array);
                    for member in all_of.into_iter().flatten() {
                        if reference(member).is_none() {
                            continue;
                        }
                        if let Ok((base, _)) = document.resolve(place.clone(), member) {
                            let known = children.entry(base).or_default();
                            if !known.contains(&place) {
                                known.push(place.clone());
                            }
                        }
                    }
                }
            }
            children
        })
    }

    /// The discriminator of an object, with its mapping read.
    fn discriminator(
        &mut self,
        at: &Pointer,
        object: &Map<String, Value>,
        warnings: &mut Warnings,
    ) -> Option<Discriminator> {
        let said = object.get("discriminator")?;
        let here = at.child("discriminator");
        // Swagger 2.0 has the name alone.
        let property = match said {
            Value::String(name) => name.as_str(),
            said => said.get("propertyName").and_then(Value::as_str).unwrap_or_default(),
        };
        if property.is_empty() {
            warnings.add(&here, "expected `propertyName`; the alternatives are not told apart");
            return None;
        }
        let mut mapping = Vec::new();
        for (value, name) in said.get("mapping").and_then(Value::as_object).into_iter().flatten() {
            let place = here.child("mapping").child(value);
            match name.as_str().and_then(|name| self.mapped(&place, name, warnings)) {
                Some(target) => mapping.push((value.clone(), target)),
                None => warnings.add(&place, "it names no schema; left out"),
            }
        }
        let fallback = match said.get("defaultMapping").and_then(Value::as_str) {
            Some(name) => {
                let place = here.child("defaultMapping");
                let found = self.mapped(&place, name, warnings);
                if found.is_none() {
                    warnings.add(&place, "it names no schema; left out");
                }
                found
            }
            None => None,
        };
        Some(Discriminator { at: at.clone(), property: property.to_owned(), mapping, fallback })
    }

    /// What a value of the mapping means: the name of a schema, or a reference.
    fn mapped(&mut self, at: &Pointer, name: &str, warnings: &mut Warnings) -> Option<Pointer> {
        let document = self.document;
        let components = Pointer::root().child("components").child("schemas");
        for folder in [components, Pointer::root().child("definitions")] {
            let place = folder.child(name);
            if let Some(schema) = document.at(&place) {
                return Some(document.resolve(place, schema).ok()?.0);
            }
        }
        self.place_of(at, name, warnings).ok()
    }

    /// The discriminator of a schema, or of one that it has in its `allOf`.
    fn inherited(&mut self, place: &Pointer, visits: &mut usize) -> Option<Discriminator> {
        *visits += 1;
        if *visits > MOST_VISITS {
            return None;
        }
        let document = self.document;
        let (place, schema) = document.resolve(place.clone(), document.at(place)?).ok()?;
        let object = schema.as_object()?;
        if let Some(own) = self.discriminator(&place, object, &mut Warnings::default()) {
            return Some(own);
        }
        let count = object.get("allOf").and_then(Value::as_array).map_or(0, Vec::len);
        let list = place.child("allOf");
        (0..count).find_map(|index| self.inherited(&list.item(index), visits))
    }

    /// The discriminator that all places inherit.
    fn shared(&mut self, places: &[Option<Pointer>]) -> Option<Discriminator> {
        let mut shared: Option<Discriminator> = None;
        for place in places {
            let one = self.inherited(place.as_ref()?, &mut 0)?;
            match &shared {
                Some(known) if *known != one => return None,
                Some(_) => {}
                None => shared = Some(one),
            }
        }
        shared
    }

    /// The values by which a variant is known.
    fn values(
        &mut self,
        discriminator: &Discriminator,
        place: &Pointer,
        name: &str,
        warnings: &mut Warnings,
    ) -> Vec<Value> {
        let document = self.document;
        let schema = document.at(place).unwrap_or(&Value::Null);
        let mapping = discriminator.mapping.iter();
        let mut said: Vec<String> =
            mapping.filter(|(_, mapped)| mapped == place).map(|(value, _)| value.clone()).collect();
        if said.is_empty() {
            // Azure's descriptions say it where they have no mapping.
            let vendor = schema.get("x-ms-discriminator-value").and_then(Value::as_str);
            said.push(vendor.unwrap_or(name).to_owned());
        }
        let property = &discriminator.property;
        let Some(own) = self.own_values(place, schema, property, &mut 0) else {
            return said.into_iter().map(Value::String).collect();
        };
        let mut chosen: Vec<Value> = Vec::new();
        for exact in [true, false] {
            let is = |a: &str, b: &str| if exact { a == b } else { a.eq_ignore_ascii_case(b) };
            chosen = own
                .iter()
                .filter(|v| scalar_text(v).is_some_and(|v| said.iter().any(|s| is(s, &v))))
                .cloned()
                .collect();
            if !chosen.is_empty() {
                if exact {
                    return chosen;
                }
                break;
            }
        }
        if chosen.is_empty() {
            chosen = own;
        }
        if discriminator.at != *place {
            let shown: Vec<String> =
                chosen.iter().take(5).map(|v| text_line(&v.to_string())).collect();
            warnings.add(
                place,
                format!(
                    "as a variant it would be known by `{property}` = \"{}\", which it does not take; read as {}",
                    text_line(&said.join("\", \"")),
                    shown.join(", ")
                ),
            );
        } else if chosen.len() > 1 {
            // A base that takes the values of its children is none of them.
            chosen.clear();
        }
        chosen
    }

    /// What a schema itself says of the values of a member.
    fn own_values(
        &mut self,
        at: &Pointer,
        schema: &Value,
        property: &str,
        visits: &mut usize,
    ) -> Option<Vec<Value>> {
        *visits += 1;
        if *visits > MOST_VISITS {
            return None;
        }
        let document = self.document;
        let (at, schema) = match reference(schema) {
            Some(_) => document.resolve(at.clone(), schema).ok()?,
            None => (at.clone(), schema),
        };
        let mut values: Option<Vec<Value>> = None;
        let mut narrow = |found: Vec<Value>| {
            values = Some(match values.take() {
                Some(known) => known.into_iter().filter(|v| found.contains(v)).collect(),
                None => found,
            });
        };
        if let Some(member) = schema.get("properties").and_then(|all| all.get(property))
            && let Some(found) = listed_values(document, &at, member, visits)
        {
            narrow(found);
        }
        for (index, member) in array(schema, "allOf").iter().enumerate() {
            let place = at.child("allOf").item(index);
            if let Some(found) = self.own_values(&place, member, property, visits) {
                narrow(found);
            }
        }
        for keyword in ["oneOf", "anyOf"] {
            let branches = array(schema, keyword);
            let mut all: Vec<Value> = Vec::new();
            let mut known = !branches.is_empty();
            for (index, branch) in branches.iter().enumerate() {
                let place = at.child(keyword).item(index);
                match self.own_values(&place, branch, property, visits) {
                    Some(found) => all.extend(found),
                    None => known = false,
                }
            }
            if known {
                narrow(all);
            }
        }
        values
    }
}

impl Union {
    fn values(&self) -> Vec<Value> {
        let tags = self.variants.iter().map(|variant| &variant.tag);
        tags.filter_map(|tag| match tag {
            Tag::Values(values) => Some(values.clone()),
            Tag::Other(_) | Tag::Untagged => None,
        })
        .flatten()
        .collect()
    }
}

fn array<'v>(schema: &'v Value, keyword: &str) -> &'v [Value] {
    schema.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The values that a member's schema lists, also through a reference.
fn listed_values(
    document: &crate::document::Document,
    at: &Pointer,
    schema: &Value,
    visits: &mut usize,
) -> Option<Vec<Value>> {
    *visits += 1;
    if *visits > MOST_VISITS {
        return None;
    }
    let (at, schema) = match reference(schema) {
        Some(_) => document.resolve(at.clone(), schema).ok()?,
        None => (at.clone(), schema),
    };
    if let Some(value) = schema.get("const") {
        return Some(vec![value.clone()]);
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        return Some(values.iter().filter(|value| !value.is_null()).cloned().collect());
    }
    array(schema, "allOf").iter().find_map(|member| listed_values(document, &at, member, visits))
}

/// Whether a branch is for values that are no objects: null, usually.
fn is_no_object(branch: &Value) -> bool {
    match branch.get("type") {
        Some(Value::String(name)) => name != "object",
        Some(Value::Array(names)) => names.iter().all(|name| name != "object"),
        _ => false,
    }
}

/// The name of the schema that a reference is to.
fn name_of(reference: &str) -> String {
    let pointer = Pointer::of_reference(reference);
    pointer.and_then(|pointer| pointer.tokens().last()).unwrap_or_default()
}

/// The union, where no value is that of two variants.
fn decided(
    discriminator: &Discriminator,
    mut variants: Vec<Variant>,
    warnings: &mut Warnings,
) -> Option<Union> {
    if let Some(fallback) = &discriminator.fallback {
        let is_fallback =
            |variant: &Variant| variant.target.as_ref().is_some_and(|t| t.place == *fallback);
        let mut others = Vec::new();
        for variant in variants.iter().filter(|variant| !is_fallback(variant)) {
            if let Tag::Values(values) = &variant.tag {
                others.extend(values.iter().cloned());
            }
        }
        for variant in variants.iter_mut().filter(|variant| is_fallback(variant)) {
            variant.tag = Tag::Other(others.clone());
        }
    }
    let mut seen: HashSet<String> = HashSet::new();
    for variant in &variants {
        let Tag::Values(values) = &variant.tag else { continue };
        let mut own = HashSet::new();
        let texts = values.iter().map(|value| scalar_text(value).unwrap_or_default());
        let told_apart = !values.is_empty()
            && texts.filter(|text| own.insert(text.clone())).all(|text| seen.insert(text));
        if !told_apart {
            warnings.add(
                &discriminator.at.child("discriminator"),
                format!(
                    "the values of `{}` do not tell the alternatives apart; all of them are tried",
                    text_line(&discriminator.property)
                ),
            );
            return None;
        }
    }
    Some(Union { property: discriminator.property.clone(), variants })
}
