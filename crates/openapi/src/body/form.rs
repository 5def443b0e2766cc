//! Forms: an object whose members are fields or parts.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::Planner;
use super::part::By;
use crate::binding::{Field, FieldForm, Part, Style, Styled};
use crate::document::{Fault, Flavour, Pointer, reference};
use crate::flag::{flag, is_true};
use crate::schema::Lifted;

impl Planner<'_, '_> {
    /// The object of a form: its members known by name, so that files and styles are.
    pub(super) fn form(
        &mut self,
        at: &Pointer,
        schema_at: &Pointer,
        schema: &Value,
        entry: &Value,
        kind: FormKind,
    ) -> Result<(Value, Vec<Lifted>, Vec<Field>), Fault> {
        let types = self.root_types(schema_at, schema);
        if types.is_some_and(|types| types.iter().all(|kind| kind != "object")) {
            return Err(Fault::new(schema_at, "expected an object: a form has members"));
        }
        let root = self.lift(schema_at, schema)?;
        let mut members = Members::default();
        self.members(schema_at, schema, &mut members)?;
        let encoding = entry.get("encoding").and_then(Value::as_object);
        let encoding_at = at.child("encoding");
        // Parts have had styles since 3.1, and only those of a form.
        let is_styled = match kind {
            FormKind::UrlEncoded => true,
            FormKind::Multipart => self.document.flavour != Flavour::OpenApi30,
            FormKind::Parts => false,
        };
        let mut fields = Vec::new();
        let mut rebuilt = Map::new();
        let mut lifted = Vec::new();
        for (name, (place, member)) in &members.properties {
            let encoding = encoding.and_then(|all| all.get(name));
            if let Some(styled) = encoding.filter(|_| is_styled).and_then(styled) {
                fields.push(Field { name: name.clone(), form: FieldForm::Styled(styled) });
                continue;
            }
            let part_at = encoding_at.child(name);
            let (form, property) = match kind {
                FormKind::Multipart | FormKind::Parts => {
                    self.part(place, member, &part_at, encoding, By::Name, &mut lifted)?
                }
                FormKind::UrlEncoded => {
                    let (part, _) = self.part_of(place, member, &part_at, encoding);
                    let property = self.xml_text(&part, place, member);
                    (FieldForm::ByValue(Part { headers: Vec::new(), ..part }), property)
                }
            };
            if let Some(property) = property {
                rebuilt.insert(name.clone(), property);
            }
            fields.push(Field { name: name.clone(), form });
        }
        if rebuilt.is_empty() {
            lifted.push(root.clone());
            let mut property = root.schema;
            // A form is an object, also where its schema does not say so.
            if reference(&property).is_none()
                && let Value::Object(property) = &mut property
                && !property.contains_key("type")
                && !["allOf", "anyOf", "oneOf"].iter().any(|word| property.contains_key(*word))
            {
                property.insert("type".to_owned(), json!("object"));
            }
            return Ok((property, lifted, fields));
        }
        // Files are objects for the agent, and so are parts with headers: the schema is
        // rebuilt with them.
        let mut properties = Map::new();
        for (name, (place, member)) in &members.properties {
            if let Some(part) = rebuilt.remove(name) {
                properties.insert(name.clone(), part);
            } else {
                let one = self.lift(place, member)?;
                properties.insert(name.clone(), one.schema.clone());
                lifted.push(one);
            }
        }
        let hidden = |name: &str| {
            members.properties.get(name).is_some_and(|(_, member)| is_true(member, "readOnly"))
        };
        properties.retain(|name, _| !hidden(name));
        let mut required = members.required.clone();
        let mut seen = HashSet::new();
        required.retain(|name| !hidden(name) && seen.insert(name.clone()));
        let mut property = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            property["required"] = json!(required);
        }
        if members.is_closed {
            property["additionalProperties"] = Value::Bool(false);
        }
        if members.is_open_ended {
            self.warnings
                .add(at, "alternatives beside the members of a multipart body are not checked");
        }
        Ok((property, lifted, fields))
    }

    /// Gathers the members of an object schema through references and `allOf`.
    pub(super) fn members(
        &self,
        at: &Pointer,
        schema: &Value,
        members: &mut Members,
    ) -> Result<(), Fault> {
        // Branches may share branches, and lead back: more than this is no design.
        members.visited += 1;
        if members.visited > 200 {
            return Ok(());
        }
        let (at, schema) = self.document.resolve(at.clone(), schema)?;
        for (name, member) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let place = at.child("properties").child(name);
            members.properties.insert(name.clone(), (place, member.clone()));
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = name.as_str() {
                members.required.push(name.to_owned());
            }
        }
        members.is_closed |= schema.get("additionalProperties") == Some(&Value::Bool(false));
        members.is_open_ended |= schema.get("anyOf").is_some() || schema.get("oneOf").is_some();
        let all_of = schema.get("allOf").and_then(Value::as_array);
        for (index, branch) in all_of.into_iter().flatten().enumerate() {
            self.members(&at.child("allOf").item(index), branch, members)?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FormKind {
    UrlEncoded,
    /// `multipart/form-data`.
    Multipart,
    /// Any other multipart type.
    Parts,
}

/// The members of an object, through references and `allOf`.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) properties: indexed::Members,
    required: Vec<String>,
    is_closed: bool,
    is_open_ended: bool,
    visited: usize,
}

/// Members in the order in which they were found.
pub(super) mod indexed {
    use std::collections::HashMap;

    use super::{Pointer, Value};

    #[derive(Debug, Default)]
    pub(in crate::body) struct Members {
        list: Vec<(String, (Pointer, Value))>,
        places: HashMap<String, usize>,
    }

    impl Members {
        pub(super) fn insert(&mut self, name: String, member: (Pointer, Value)) {
            if let Some(&place) = self.places.get(&name) {
                self.list[place].1 = member;
            } else {
                self.places.insert(name.clone(), self.list.len());
                self.list.push((name, member));
            }
        }

        pub(in crate::body) fn is_empty(&self) -> bool {
            self.list.is_empty()
        }

        pub(super) fn get(&self, name: &str) -> Option<&(Pointer, Value)> {
            self.places.get(name).map(|&place| &self.list[place].1)
        }
    }

    impl<'a> IntoIterator for &'a Members {
        type Item = &'a (String, (Pointer, Value));
        type IntoIter = std::slice::Iter<'a, (String, (Pointer, Value))>;

        fn into_iter(self) -> Self::IntoIter {
            self.list.iter()
        }
    }
}

/// Style and its kin, where the encoding names any of them, rule over the content type
/// (OpenAPI 3.1.1 §4.8.15.1.2).
fn styled(encoding: &Value) -> Option<Styled> {
    if ["style", "explode", "allowReserved"].iter().all(|name| encoding.get(name).is_none()) {
        return None;
    }
    let style = match encoding.get("style").and_then(Value::as_str) {
        Some("spaceDelimited") => Style::Delimited(' '),
        Some("pipeDelimited") => Style::Delimited('|'),
        Some("tabDelimited") => Style::Delimited('\t'),
        Some("deepObject") => Style::Deep,
        _ => Style::Form,
    };
    let flag = |name: &str| flag(encoding.get(name));
    let explode = flag("explode").unwrap_or(matches!(style, Style::Form | Style::Deep));
    Some(Styled { style, explode, allow_reserved: flag("allowReserved").unwrap_or(false) })
}
