//! What a `$ref` or `$dynamicRef` of a schema names: a definition of this document or another.

use std::collections::HashSet;

use serde_json::Value;

use super::Schemas;
use crate::document::{Fault, Pointer, Warnings, reference};

impl<'d> Schemas<'d> {
    /// The place that a reference names; where that is only a reference, what that one names.
    pub(super) fn place_of(
        &mut self,
        at: &Pointer,
        reference_text: &str,
        warnings: &mut Warnings,
    ) -> Result<Pointer, Fault> {
        let library = &self.document.library;
        let (mut place, mut value) = match self.document.target(at, reference_text) {
            Ok(found) => found,
            Err(fault) => self.enclosing(at, reference_text, warnings).ok_or(fault)?,
        };
        place = library.enter(at.scope(), &place);
        let mut passed = HashSet::from([place.clone()]);
        while let Some(next) = reference(value).filter(|_| is_pure(value)) {
            let scope = place.scope().cloned();
            (place, value) = self.document.target(&place, next)?;
            place = library.enter(scope.as_ref(), &place);
            if !passed.insert(place.clone()) {
                return Err(Fault::new(
                    at,
                    "the reference leads back to itself; let it point to a definition",
                ));
            }
        }
        Ok(place)
    }

    /// The same for a `$dynamicRef`.
    pub(super) fn dynamic_place_of(&self, at: &Pointer, text: &str) -> Result<Pointer, Fault> {
        let library = &self.document.library;
        let (found, _) = self.document.target(at, text)?;
        let place = library.dynamic(at, text, found);
        Ok(library.enter(at.scope(), &place))
    }

    /// What a `#/$defs/NAME` means that leads nowhere from the document's root: generators
    /// copy whole schemas into a description, and their own definitions come with them.
    fn enclosing(
        &self,
        at: &Pointer,
        reference_text: &str,
        warnings: &mut Warnings,
    ) -> Option<(Pointer, &'d Value)> {
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
        warnings.add(
            &at.child("$ref"),
            "it leads nowhere from the document's root; read within the schema around it",
        );
        Some(found)
    }
}

/// Whether a schema is a reference and nothing else.
fn is_pure(schema: &Value) -> bool {
    schema.as_object().is_some_and(|object| object.len() == 1 && object.contains_key("$ref"))
}
