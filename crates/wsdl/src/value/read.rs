//! Reading: an element as a JSON value, by a plan or as it is.

use serde_json::{Map, Value};
use tollbridge_operation::Drift;
use tollbridge_xml::{Attribute, Element, Node, chars};

use super::{XSI, lexical};
use crate::plan::{FieldPlan, Kind, SoapVersion};

/// Places of drift that are told. An answer that is all wrong needs no longer list.
const MAX_DRIFT: usize = 100;

/// One answer being read: where in it we are, and what was noted on the way.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    path: Vec<String>,
    drift: Vec<Drift>,
}

impl Reading {
    /// What was noted.
    pub(crate) fn into_drift(self) -> Vec<Drift> {
        self.drift
    }

    /// Notes something about the place where we are.
    pub(crate) fn note(&mut self, message: impl Into<String>) {
        if self.drift.len() < MAX_DRIFT {
            let pointer = self.path.iter().fold(String::new(), |base, s| super::pointer(&base, s));
            self.drift.push(Drift { pointer, message: message.into() });
        }
    }

    /// Reads the element that wraps a message: its attributes stand beside its children.
    pub(crate) fn wrapper(&mut self, element: &Element, plan: &[FieldPlan]) -> Value {
        let mut value = self.object(element, plan);
        if let Value::Object(object) = &mut value {
            let named: Vec<_> = object.keys().filter(|k| k.starts_with('@')).cloned().collect();
            for key in named {
                let Some(attribute) = object.shift_remove(&key) else { continue };
                let mut name = format!("{}_attr", &key[1..]);
                while object.contains_key(&name) {
                    name.push('_');
                }
                object.insert(name, attribute);
            }
        }
        value
    }

    fn object(&mut self, element: &Element, plan: &[FieldPlan]) -> Value {
        if is_nil(element) {
            return Value::Null;
        }
        let text = element.text();
        let has_text = !text.chars().all(chars::is_space);
        if has_text {
            self.note("expected elements alone, and text came");
            if element.elements().next().is_none() {
                return free(element);
            }
        }
        let mut object = attributes(element);
        if has_text {
            object.insert("#text".into(), Value::String(text));
        }
        for child in element.elements() {
            let field = plan.iter().find(|field| field.name == child.name);
            self.path.push(child.name.clone());
            let repeated = field.is_some_and(|field| field.repeated);
            let index = match object.get(&child.name) {
                Some(Value::Array(items)) => Some(items.len()),
                Some(_) => Some(1),
                None if repeated => Some(0),
                None => None,
            };
            if let Some(index) = index {
                self.path.push(index.to_string());
            }
            let value = if let Some(field) = field {
                if index.is_some() && !repeated {
                    self.note("expected one, and several came");
                }
                if field.namespace != child.namespace {
                    self.note("it came in another namespace than expected");
                }
                self.planned(child, &field.kind)
            } else {
                self.note("nothing is known of this element");
                free(child)
            };
            put(&mut object, &child.name, value, repeated);
            self.path.truncate(self.path.len() - 1 - usize::from(index.is_some()));
        }
        for field in plan {
            if !field.optional && !field.repeated && !object.contains_key(&field.name) {
                self.path.push(field.name.clone());
                self.note("expected, and absent");
                self.path.pop();
            }
        }
        Value::Object(object)
    }

    fn planned(&mut self, element: &Element, kind: &Kind) -> Value {
        if let Kind::Object(plan) = kind {
            return self.object(element, plan);
        }
        if is_nil(element) {
            return Value::Null;
        }
        if element.elements().next().is_some() {
            self.note("expected a simple value, and elements came");
            return free(element);
        }
        if element.attributes.iter().any(|a| a.namespace.is_none()) {
            self.note("expected a simple value, and attributes came with it; they are left out");
        }
        let text = element.text();
        let trimmed = text.trim_matches(chars::is_space);
        let (value, expected) = match kind {
            Kind::Text | Kind::Object(_) => return Value::String(text),
            Kind::Bool => (lexical::boolean(trimmed).map(Value::Bool), "true or false"),
            Kind::Int => (lexical::int(trimmed).map(Value::Number), "a number of 32 bits"),
            Kind::Double if lexical::is_special(trimmed) => {
                (Some(trimmed.trim_start_matches('+').into()), "")
            }
            Kind::Double => (lexical::double(trimmed).map(Value::Number), "a number"),
            Kind::Integer => {
                (lexical::is_integer(trimmed).then(|| trimmed.into()), "a whole number")
            }
            Kind::Decimal => (lexical::is_decimal(trimmed).then(|| trimmed.into()), "a decimal"),
        };
        value.unwrap_or_else(|| {
            self.note(format!("expected {expected}"));
            Value::String(text)
        })
    }
}

/// Reads an element of which nothing is known: text alone is a string, children stand by
/// their local names, as a list where one comes again, and mixed content keeps its order.
pub(crate) fn free(element: &Element) -> Value {
    if is_nil(element) {
        return Value::Null;
    }
    let simple = element.elements().next().is_none();
    let text = element.text();
    if simple && attributes(element).keys().all(|name| name == "@type") {
        return Value::String(text);
    }
    let mut object = attributes(element);
    let has_text = !text.chars().all(chars::is_space);
    if simple {
        if has_text {
            object.insert("#text".into(), Value::String(text));
        }
    } else if has_text {
        let content = element.children.iter().map(|node| match node {
            Node::Text(text) => Value::String(text.clone()),
            Node::Element(child) => {
                Value::Object(Map::from_iter([(child.name.clone(), free(child))]))
            }
        });
        object.insert("#content".into(), content.collect());
    } else {
        for child in element.elements() {
            put(&mut object, &child.name, free(child), false);
        }
    }
    Value::Object(object)
}

/// Adds a child. No child's value is a list itself, so a list here is one of children.
fn put(object: &mut Map<String, Value>, name: &str, value: Value, repeated: bool) {
    match object.get_mut(name) {
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None if repeated => {
            object.insert(name.to_owned(), Value::Array(vec![value]));
        }
        None => {
            object.insert(name.to_owned(), value);
        }
    }
}

/// An element's attributes under their names in JSON. What is the envelope's own or XML
/// Schema's is not the value's, but for the type.
fn attributes(element: &Element) -> Map<String, Value> {
    let mut found = Map::new();
    for Attribute { name, namespace, value } in &element.attributes {
        let name = match namespace.as_deref() {
            None => format!("@{name}"),
            Some(uri) if is_soap(uri) || uri == XSI => continue,
            Some(uri) => format!("@{{{uri}}}{name}"),
        };
        found.insert(name, Value::String(value.clone()));
    }
    if let Some(derived) = element.attribute(Some(XSI), "type")
        && !found.contains_key("@type")
    {
        found.insert("@type".into(), local(derived).into());
    }
    found
}

/// A qualified name without its prefix.
pub(crate) fn local(name: &str) -> &str {
    let name = name.trim_matches(chars::is_space);
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

fn is_soap(uri: &str) -> bool {
    [SoapVersion::V1_1, SoapVersion::V1_2].iter().any(|version| version.namespace() == uri)
}

fn is_nil(element: &Element) -> bool {
    matches!(element.attribute(Some(XSI), "nil").map(str::trim), Some("true" | "1"))
}
