//! Writing: a JSON object as child elements.

use serde_json::{Map, Value};
use tollbridge_operation::EncodeError;
use tollbridge_xml::XmlWriter;

use super::{lexical, pointer};
use crate::plan::{FieldPlan, Kind};

/// The prefixes of a message's namespaces.
#[derive(Debug)]
pub(crate) struct Names(Vec<(String, String)>);

impl Names {
    /// Gives each namespace a prefix.
    pub(crate) fn new(namespaces: Vec<String>) -> Self {
        let prefixed = namespaces.into_iter().enumerate();
        Self(prefixed.map(|(index, namespace)| (format!("n{}", index + 1), namespace)).collect())
    }

    /// Prefixes with their namespaces, for declaring them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.0.iter()
    }

    /// The name as it is written. Nothing binds the default namespace, so a name without a
    /// prefix is in none.
    pub(crate) fn qualified(&self, namespace: Option<&str>, name: &str) -> String {
        match self.0.iter().find(|(_, uri)| Some(uri.as_str()) == namespace) {
            Some((prefix, _)) => format!("{prefix}:{name}"),
            None => name.to_owned(),
        }
    }
}

/// Writes the members of `object` in the order of `plan`. Members named in `besides` are
/// someone else's.
pub(crate) fn fields(
    out: &mut XmlWriter,
    names: &Names,
    plan: &[FieldPlan],
    object: &Map<String, Value>,
    base: &str,
    besides: &[&str],
) -> Result<(), EncodeError> {
    let known = |name: &str| besides.contains(&name) || plan.iter().any(|f| f.name == name);
    if let Some(stranger) = object.keys().find(|name| !known(name)) {
        let names: Vec<&str> = plan.iter().map(|f| f.name.as_str()).take(20).collect();
        return Err(EncodeError {
            pointer: pointer(base, stranger),
            expected: format!("no such member; there are: {}", names.join(", ")),
        });
    }
    for field in plan {
        let pointer = pointer(base, &field.name);
        match object.get(&field.name) {
            None if field.optional => {}
            None => return Err(EncodeError { pointer, expected: "a value".into() }),
            Some(Value::Array(items)) if field.repeated => {
                for (index, item) in items.iter().enumerate() {
                    element(out, names, field, item, &format!("{pointer}/{index}"))?;
                }
            }
            Some(_) if field.repeated => {
                return Err(EncodeError { pointer, expected: "a list".into() });
            }
            Some(value) => element(out, names, field, value, &pointer)?,
        }
    }
    Ok(())
}

fn element(
    out: &mut XmlWriter,
    names: &Names,
    field: &FieldPlan,
    value: &Value,
    pointer: &str,
) -> Result<(), EncodeError> {
    let name = names.qualified(field.namespace.as_deref(), &field.name);
    let refused =
        |expected: &str| EncodeError { pointer: pointer.to_owned(), expected: expected.to_owned() };
    if value.is_null() {
        out.empty(&name, &[("xsi:nil", "true")]);
        return Ok(());
    }
    if let Kind::Object(plan) = &field.kind {
        let object = value.as_object().ok_or_else(|| refused("an object"))?;
        out.start(&name, &[]);
        fields(out, names, plan, object, pointer, &[])?;
        out.end(&name);
        return Ok(());
    }
    let text = simple(&field.kind, value).map_err(refused)?;
    out.start(&name, &[]);
    out.text(&text).map_err(|_| refused("text without control characters: XML has none"))?;
    out.end(&name);
    Ok(())
}

/// The lexical form of a simple value, or what was expected.
fn simple(kind: &Kind, value: &Value) -> Result<String, &'static str> {
    let text = match value {
        Value::String(text) => Some(text.clone()),
        // With `arbitrary_precision` these are the digits as they were written.
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let is_bool = value.is_boolean();
    let (fits, expected): (fn(&str) -> bool, _) = match kind {
        Kind::Text => return text.ok_or("text"),
        Kind::Bool => return text.filter(|_| is_bool).ok_or("true or false"),
        Kind::Int => (|t| lexical::int(t).is_some(), "a whole number of at most 32 bits"),
        Kind::Integer => (lexical::is_integer, "a whole number, as a number or its digits"),
        Kind::Decimal => {
            (lexical::is_decimal, "a number without an exponent, as a number or its digits")
        }
        Kind::Double => (
            |t| lexical::is_double(t) || lexical::is_special(t),
            "a number, or \"INF\", \"-INF\" or \"NaN\"",
        ),
        Kind::Object(_) => return Err("an object"),
    };
    text.filter(|text| !is_bool && fits(text)).ok_or(expected)
}
