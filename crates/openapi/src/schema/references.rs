//! What a `$ref` or `$dynamicRef` of a schema names: a place of the document, by pointer, by
//! `$anchor` or by `$id` (JSON Schema 2020-12 core §8.2).
//!
//! Anchors and ids are looked up when a reference asks for one; most documents have none.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Schemas;
use crate::document::{Fault, Pointer, Warnings, reference};

/// The schemas that have names of their own, wherever they stand.
#[derive(Debug)]
pub(super) struct Anchors {
    named: HashMap<String, Vec<Pointer>>,
    dynamic: HashMap<String, Vec<Pointer>>,
    ids: HashMap<String, Pointer>,
}

impl Anchors {
    fn of(root: &Value) -> Self {
        let mut found =
            Self { named: HashMap::new(), dynamic: HashMap::new(), ids: HashMap::new() };
        let mut stack = vec![(Pointer::root(), root)];
        while let Some((at, value)) = stack.pop() {
            match value {
                Value::Object(object) => {
                    let word = |name: &str| object.get(name).and_then(Value::as_str);
                    if let Some(name) = word("$anchor") {
                        found.named.entry(name.to_owned()).or_default().push(at.clone());
                    }
                    if let Some(name) = word("$dynamicAnchor") {
                        found.named.entry(name.to_owned()).or_default().push(at.clone());
                        found.dynamic.entry(name.to_owned()).or_default().push(at.clone());
                    }
                    if let Some(id) = word("$id") {
                        let id = id.strip_suffix('#').unwrap_or(id);
                        found.ids.entry(id.to_owned()).or_insert_with(|| at.clone());
                    }
                    let inner = object.iter().filter(|(_, v)| v.is_object() || v.is_array());
                    stack.extend(inner.map(|(name, value)| (at.child(name), value)));
                }
                Value::Array(list) => {
                    stack.extend(list.iter().enumerate().map(|(i, value)| (at.item(i), value)));
                }
                _ => {}
            }
        }
        found
    }

    /// The anchor that is nearest to a place: of those in the same schema the deepest around it.
    fn nearest<'a>(places: &'a [Pointer], at: &Pointer) -> Option<&'a Pointer> {
        let shared =
            |place: &Pointer| place.tokens().zip(at.tokens()).take_while(|(a, b)| a == b).count();
        places.iter().max_by_key(|place| shared(place))
    }
}

impl<'d> Schemas<'d> {
    /// The place that a reference names; where that is only a reference, what that one names.
    pub(super) fn place_of(
        &mut self,
        at: &Pointer,
        reference_text: &str,
        warnings: &mut Warnings,
    ) -> Result<Pointer, Fault> {
        let (mut place, mut value) = self.named(at, reference_text, warnings)?;
        let mut passed = HashSet::from([place.clone()]);
        while let Some(next) = reference(value).filter(|_| is_pure(value)) {
            (place, value) = self.named(&place, next, warnings)?;
            if !passed.insert(place.clone()) {
                return Err(Fault::new(
                    at,
                    "the reference leads back to itself; let it point to a definition",
                ));
            }
        }
        Ok(place)
    }

    /// What a `$dynamicRef` names. Which schema that is can depend on the way that led there;
    /// where there are several, `None`: whatever it would be is let through.
    pub(super) fn dynamic_place_of(
        &mut self,
        at: &Pointer,
        reference_text: &str,
        warnings: &mut Warnings,
    ) -> Result<Option<Pointer>, Fault> {
        let name = reference_text.rsplit('#').next().unwrap_or_default();
        if self.anchors().dynamic.get(name).is_some_and(|places| places.len() > 1) {
            warnings.add(
                &at.child("$dynamicRef"),
                "what it names depends on where it is used; read as any value",
            );
            return Ok(None);
        }
        self.place_of(at, reference_text, warnings).map(Some)
    }

    fn named(
        &mut self,
        at: &Pointer,
        reference_text: &str,
        warnings: &mut Warnings,
    ) -> Result<(Pointer, &'d Value), Fault> {
        let document = self.document;
        let fault = match document.target(at, reference_text) {
            Ok(found) => return Ok(found),
            Err(fault) => fault,
        };
        if let Some(found) = self.enclosing(at, reference_text) {
            warnings.add(
                &at.child("$ref"),
                "it leads nowhere from the document's root; read within the schema around it",
            );
            return Ok(found);
        }
        self.anchored(at, reference_text).ok_or(fault)
    }

    /// What a `#/$defs/NAME` means that leads nowhere from the document's root: generators
    /// copy whole schemas into a description, and their own definitions come with them.
    fn enclosing(&self, at: &Pointer, reference_text: &str) -> Option<(Pointer, &'d Value)> {
        let inside = Pointer::of_reference(reference_text)?;
        let kind = inside.tokens().next()?;
        if kind != "$defs" && kind != "definitions" {
            return None;
        }
        let document = self.document;
        at.ancestors().find_map(|ancestor| {
            let place = ancestor.join(&inside);
            document.at(&place).map(|value| (place, value))
        })
    }

    fn anchored(&mut self, at: &Pointer, reference_text: &str) -> Option<(Pointer, &'d Value)> {
        let (id, fragment) = reference_text.split_once('#').unwrap_or((reference_text, ""));
        let anchors = self.anchors();
        let resource = match id {
            "" => None,
            id => {
                let ends = format!("/{id}");
                let mut by_end = anchors.ids.iter().filter(|(known, _)| known.ends_with(&ends));
                Some(anchors.ids.get(id).or_else(|| {
                    let only = by_end.next()?;
                    by_end.next().is_none().then_some(only.1)
                })?)
            }
        };
        let place = match (resource, fragment) {
            (Some(resource), "") => resource.clone(),
            (Some(resource), pointer) if pointer.starts_with('/') => {
                resource.join(&Pointer::of_reference(&format!("#{pointer}"))?)
            }
            (resource, name) => {
                Anchors::nearest(anchors.named.get(name)?, resource.unwrap_or(at))?.clone()
            }
        };
        let document = self.document;
        document.at(&place).map(|value| (place, value))
    }

    fn anchors(&mut self) -> &Anchors {
        let root = &self.document.root;
        self.anchors.get_or_insert_with(|| Anchors::of(root))
    }
}

/// Whether a schema is a reference and nothing else.
fn is_pure(schema: &Value) -> bool {
    schema.as_object().is_some_and(|object| object.len() == 1 && object.contains_key("$ref"))
}
