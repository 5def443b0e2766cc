//! Parameter styles: one value to the text of its place.
//!
//! OpenAPI 3.0.4 §4.7.12.3 and 3.1.1 §4.8.12.6, which are RFC 6570 but for `deepObject` and
//! the delimited ones. Null members are undefined there and left out. What a style cannot
//! write without loss (lists in lists, a delimiter inside a value that is not encoded) is
//! refused: it would arrive as another value.

use serde_json::Value;
use tollbridge_operation::EncodeError;

use super::{At, Style, percent};

/// A `name=value` pair of a query, a form or a cookie.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// The name before encoding.
    pub(super) name: String,
    /// The pair, encoded.
    pub(super) text: String,
}

impl Pair {
    fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), text: format!("{}={value}", percent::data(name)) }
    }
}

/// A value that is plain, or has plain members.
enum Flat {
    One(String),
    List(Vec<String>),
    Object(Vec<(String, String)>),
}

/// A plain value as text, a number with its own digits; nothing for null and for what has
/// members.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn flat(value: &Value, at: At<'_>) -> Result<Flat, EncodeError> {
    let member =
        |value: &Value, at: At<'_>| match value {
            Value::Array(_) | Value::Object(_) => Err(at
                .expected("a plain value: lists and objects inside others cannot be written here")),
            plain_value => Ok(plain(plain_value)),
        };
    match value {
        Value::Array(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                list.extend(member(item, At::Item(&at, index))?);
            }
            Ok(Flat::List(list))
        }
        Value::Object(members) => {
            let mut object = Vec::with_capacity(members.len());
            for (name, value) in members {
                if let Some(text) = member(value, At::Member(&at, name))? {
                    object.push((name.clone(), text));
                }
            }
            Ok(Flat::Object(object))
        }
        value => match member(value, at)? {
            Some(text) => Ok(Flat::One(text)),
            None => Err(at.expected("a value other than null")),
        },
    }
}

/// Names and values in turn, as the styles write objects that are not exploded.
fn in_turn(object: Vec<(String, String)>) -> Vec<String> {
    object.into_iter().flat_map(|(name, value)| [name, value]).collect()
}

/// A value in its path segment.
pub(super) fn path(
    name: &str,
    value: &Value,
    style: Style,
    explode: bool,
    at: At<'_>,
) -> Result<String, EncodeError> {
    let flat = flat(value, at)?;
    let name = percent::data(name);
    let pairs = |object: Vec<(String, String)>, separator: &str| {
        let pair = |(name, value): (String, String)| {
            format!("{}={}", percent::data(&name), percent::data(&value))
        };
        object.into_iter().map(pair).collect::<Vec<_>>().join(separator)
    };
    let joined = |list: Vec<String>, separator: &str| {
        list.iter().map(|item| percent::data(item)).collect::<Vec<_>>().join(separator)
    };
    Ok(match (style, flat) {
        (Style::Label, flat) => {
            let text = match flat {
                Flat::One(text) => percent::data(&text),
                Flat::List(list) => joined(list, if explode { "." } else { "," }),
                Flat::Object(object) if explode => pairs(object, "."),
                Flat::Object(object) => joined(in_turn(object), ","),
            };
            format!(".{text}")
        }
        // RFC 6570 §3.2.7: an empty value has no `=`.
        (Style::Matrix, Flat::One(text)) => matrix(&name, &percent::data(&text)),
        (Style::Matrix, Flat::List(list)) if explode => {
            list.iter().map(|item| matrix(&name, &percent::data(item))).collect()
        }
        (Style::Matrix, Flat::List(list)) => matrix(&name, &joined(list, ",")),
        (Style::Matrix, Flat::Object(object)) if explode => object
            .iter()
            .map(|(name, value)| matrix(&percent::data(name), &percent::data(value)))
            .collect(),
        (Style::Matrix, Flat::Object(object)) => matrix(&name, &joined(in_turn(object), ",")),
        (_, Flat::One(text)) => percent::data(&text),
        (Style::Delimited(delimiter), flat) => {
            let list = match flat {
                Flat::List(list) => list,
                Flat::Object(object) => in_turn(object),
                Flat::One(text) => vec![text],
            };
            delimited(&list, delimiter, at)?
        }
        (_, Flat::List(list)) => joined(list, ","),
        (_, Flat::Object(object)) if explode => pairs(object, ","),
        (_, Flat::Object(object)) => joined(in_turn(object), ","),
    })
}

fn matrix(name: &str, value: &str) -> String {
    if value.is_empty() { format!(";{name}") } else { format!(";{name}={value}") }
}

/// Items between delimiters that are themselves encoded: none may contain one.
fn delimited(list: &[String], delimiter: char, at: At<'_>) -> Result<String, EncodeError> {
    if list.iter().any(|item| item.contains(delimiter)) {
        return Err(
            at.expected(format!("values without {delimiter:?}, which stands between them here"))
        );
    }
    Ok(percent::data(&list.join(&delimiter.to_string())))
}

/// A value in the query, or in a form.
pub(super) fn query(
    name: &str,
    value: &Value,
    style: Style,
    explode: bool,
    allow_reserved: bool,
    at: At<'_>,
) -> Result<Vec<Pair>, EncodeError> {
    if style == Style::Deep {
        let mut pairs = Vec::new();
        deep(name, value, &mut pairs, at)?;
        return Ok(pairs);
    }
    let text = |raw: &str| if allow_reserved { percent::reserved(raw) } else { percent::data(raw) };
    // The comma is the delimiter: inside of a value it is always encoded.
    let joined = |list: &[String]| {
        list.iter().map(|item| text(item).replace(',', "%2C")).collect::<Vec<_>>().join(",")
    };
    Ok(match (flat(value, at)?, style) {
        (Flat::One(value), _) => vec![Pair::new(name, &text(&value))],
        // RFC 6570 §3.2.1: an empty list is undefined.
        (Flat::List(list), _) if list.is_empty() => Vec::new(),
        (Flat::Object(object), _) if object.is_empty() => Vec::new(),
        (Flat::List(list), _) if explode => {
            list.iter().map(|item| Pair::new(name, &text(item))).collect()
        }
        (Flat::Object(object), _) if explode => {
            object.iter().map(|(name, value)| Pair::new(name, &text(value))).collect()
        }
        (Flat::List(list), Style::Delimited(delimiter)) => {
            vec![Pair::new(name, &delimited(&list, delimiter, at)?)]
        }
        (Flat::Object(object), Style::Delimited(delimiter)) => {
            vec![Pair::new(name, &delimited(&in_turn(object), delimiter, at)?)]
        }
        (Flat::List(list), _) => vec![Pair::new(name, &joined(&list))],
        (Flat::Object(object), _) => vec![Pair::new(name, &joined(&in_turn(object)))],
    })
}

/// `name[member][member]=value`. Lists are outside of the specification; they are written
/// with indexes, which is what the servers that read such names understand.
fn deep(name: &str, value: &Value, pairs: &mut Vec<Pair>, at: At<'_>) -> Result<(), EncodeError> {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let here = At::Member(&at, member);
                if member.is_empty() || member.contains(['[', ']']) {
                    return Err(
                        here.expected("a member's name that is not empty and has no `[` or `]`")
                    );
                }
                deep(&format!("{name}[{member}]"), value, pairs, here)?;
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                deep(&format!("{name}[{index}]"), value, pairs, At::Item(&at, index))?;
            }
        }
        value => {
            if let Some(text) = plain(value) {
                pairs.push(Pair::new(name, &percent::data(&text)));
            }
        }
    }
    Ok(())
}

/// A value in a header: as it is, since headers know no percent-encoding (OpenAPI 3.1.1
/// §4.8.12.6). Whoever calls checks it for what a header cannot hold.
pub(super) fn header(
    value: &Value,
    style: Style,
    explode: bool,
    at: At<'_>,
) -> Result<String, EncodeError> {
    let delimiter = match style {
        Style::Delimited(delimiter) => delimiter,
        _ => ',',
    };
    let items = match flat(value, at)? {
        Flat::One(text) => return Ok(text),
        Flat::List(list) => list,
        Flat::Object(object) if explode => {
            let mut items = Vec::with_capacity(object.len());
            for (name, value) in object {
                if name.contains('=') {
                    return Err(At::Member(&at, &name).expected("a member's name without `=`"));
                }
                items.push(format!("{name}={value}"));
            }
            items
        }
        Flat::Object(object) => in_turn(object),
    };
    if items.iter().any(|item| item.contains(delimiter)) {
        return Err(
            at.expected(format!("values without {delimiter:?}, which stands between them here"))
        );
    }
    Ok(items.join(&delimiter.to_string()))
}
