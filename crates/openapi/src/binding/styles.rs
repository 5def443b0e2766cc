//! Parameter styles: one value to the text of its place.
//!
//! OpenAPI 3.0.4 §4.7.12.3, 3.1.1 §4.8.12.6 and 3.2.0 §4.12.4, which are RFC 6570 but for
//! `deepObject`, `cookie` and the delimited ones. Null, and a list or an object with nothing
//! in it, is undefined there: it is left out, and where a value is required written as the
//! tables' column for it says. What a style cannot write without loss (lists in lists, a
//! delimiter inside a value that is not encoded) is refused: it would arrive as another value.

use serde_json::Value;
use tollbridge_operation::EncodeError;

use super::{At, Style, Styled, percent};

/// A `name=value` pair of a query, a form or a cookie.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// The name before encoding.
    pub(super) name: String,
    /// The pair, encoded.
    pub(super) text: String,
}

impl Pair {
    pub(super) fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), text: format!("{}={value}", percent::data(name)) }
    }
}

/// A value that is plain, or has plain members.
enum Flat {
    /// RFC 6570 §2.3.
    Undefined,
    One(String),
    List(Vec<String>),
    Object(Vec<(String, String)>),
}

/// A plain value as text, a number with its own digits; nothing for null and for what has
/// members.
pub(crate) fn plain(value: &Value) -> Option<String> {
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
    Ok(match value {
        Value::Array(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                list.extend(member(item, At::Item(&at, index))?);
            }
            if list.is_empty() { Flat::Undefined } else { Flat::List(list) }
        }
        Value::Object(members) => {
            let mut object = Vec::with_capacity(members.len());
            for (name, value) in members {
                if let Some(text) = member(value, At::Member(&at, name))? {
                    object.push((name.clone(), text));
                }
            }
            if object.is_empty() { Flat::Undefined } else { Flat::Object(object) }
        }
        value => plain(value).map_or(Flat::Undefined, Flat::One),
    })
}

/// Names and values in turn, as the styles write objects that are not exploded.
fn in_turn(object: Vec<(String, String)>) -> Vec<String> {
    object.into_iter().flat_map(|(name, value)| [name, value]).collect()
}

/// A value in its path segment, which has to have one.
pub(super) fn path(
    name: &str,
    value: &Value,
    styled: Styled,
    at: At<'_>,
) -> Result<String, EncodeError> {
    let Styled { style, explode, allow_reserved } = styled;
    let flat = flat(value, at)?;
    let name = percent::data(name);
    // What delimits values and names is encoded inside of them, whatever may stay.
    let text = |raw: &str| {
        if !allow_reserved {
            return percent::data(raw);
        }
        let text = percent::reserved_in_path(raw).replace(',', "%2C");
        text.replace(';', "%3B").replace('=', "%3D")
    };
    let pairs = |object: &[(String, String)], separator: &str| {
        let pair = |(name, value): &(String, String)| format!("{}={}", text(name), text(value));
        object.iter().map(pair).collect::<Vec<_>>().join(separator)
    };
    let joined = |list: &[String], separator: &str| {
        list.iter().map(|item| text(item)).collect::<Vec<_>>().join(separator)
    };
    Ok(match (style, flat) {
        (Style::Matrix, Flat::Undefined) => format!(";{name}"),
        (_, Flat::Undefined) => return Err(at.expected("a value, or at least one in the list")),
        (Style::Label, flat) => {
            // No encoding hides a `.`: an exploded value with one would be read as two.
            let whole = |text: &String| {
                if text.contains('.') {
                    return Err(at.expected("values without `.`, which stands between them here"));
                }
                Ok(())
            };
            let text = match flat {
                Flat::Undefined => String::new(),
                Flat::One(one) => text(&one),
                Flat::List(list) if explode => {
                    list.iter().try_for_each(whole)?;
                    joined(&list, ".")
                }
                Flat::List(list) => joined(&list, ","),
                Flat::Object(object) if explode => {
                    object.iter().try_for_each(|(name, value)| whole(name).and(whole(value)))?;
                    pairs(&object, ".")
                }
                Flat::Object(object) => joined(&in_turn(object), ","),
            };
            format!(".{text}")
        }
        // RFC 6570 §3.2.7: an empty value has no `=`.
        (Style::Matrix, Flat::One(one)) => matrix(&name, &text(&one)),
        (Style::Matrix, Flat::List(list)) if explode => {
            list.iter().map(|item| matrix(&name, &text(item))).collect()
        }
        (Style::Matrix, Flat::List(list)) => matrix(&name, &joined(&list, ",")),
        (Style::Matrix, Flat::Object(object)) if explode => {
            object.iter().map(|(name, value)| matrix(&text(name), &text(value))).collect()
        }
        (Style::Matrix, Flat::Object(object)) => matrix(&name, &joined(&in_turn(object), ",")),
        // With `allowReserved` alone a plain value may have what stands between others.
        (_, Flat::One(one)) if allow_reserved => percent::reserved_in_path(&one),
        (_, Flat::One(one)) => percent::data(&one),
        (Style::Delimited(delimiter), Flat::List(list)) => delimited(&list, delimiter, at)?,
        (Style::Delimited(delimiter), Flat::Object(object)) => {
            delimited(&in_turn(object), delimiter, at)?
        }
        (_, Flat::List(list)) => joined(&list, ","),
        (_, Flat::Object(object)) if explode => pairs(&object, ","),
        (_, Flat::Object(object)) => joined(&in_turn(object), ","),
    })
}

fn matrix(name: &str, value: &str) -> String {
    if value.is_empty() { format!(";{name}") } else { format!(";{name}={value}") }
}

/// Items between delimiters that are themselves encoded: none may contain one.
fn delimited(list: &[String], delimiter: char, at: At<'_>) -> Result<String, EncodeError> {
    Ok(percent::data(&undelimited(list, delimiter, at)?))
}

fn undelimited(list: &[String], delimiter: char, at: At<'_>) -> Result<String, EncodeError> {
    if list.iter().any(|item| item.contains(delimiter)) {
        return Err(
            at.expected(format!("values without {delimiter:?}, which stands between them here"))
        );
    }
    Ok(list.join(&delimiter.to_string()))
}

/// A value in the query, or in a form.
pub(super) fn query(
    name: &str,
    value: &Value,
    styled: Styled,
    is_required: bool,
    at: At<'_>,
) -> Result<Vec<Pair>, EncodeError> {
    if styled.style == Style::Deep {
        let mut members = Vec::new();
        deep(name, value, &mut members, at)?;
        if members.is_empty() && is_required {
            return Err(at.expected("at least one member with a value"));
        }
        let pair = |(name, value): &(String, String)| Pair::new(name, &percent::data(value));
        return Ok(members.iter().map(pair).collect());
    }
    let text: fn(&str) -> String =
        if styled.allow_reserved { percent::reserved } else { percent::data };
    pairs(name, value, styled, is_required, text, at)
}

/// A value in the `Cookie` header. Where pairs stand in a query beside each other, here they
/// are cookies of their own (3.2.0 appendix D: `&` is never right).
pub(super) fn cookie(
    name: &str,
    value: &Value,
    styled: Styled,
    is_required: bool,
    at: At<'_>,
) -> Result<Vec<Pair>, EncodeError> {
    if styled.style == Style::Cookie {
        return bare_cookies(name, flat(value, at)?, styled.explode, is_required, at);
    }
    let text: fn(&str) -> String =
        if styled.allow_reserved { percent::reserved_in_cookie } else { percent::data };
    pairs(name, value, styled, is_required, text, at)
}

fn pairs(
    name: &str,
    value: &Value,
    styled: Styled,
    is_required: bool,
    text: impl Fn(&str) -> String,
    at: At<'_>,
) -> Result<Vec<Pair>, EncodeError> {
    // The comma is the delimiter: inside of a value it is always encoded.
    let joined = |list: &[String]| {
        list.iter().map(|item| text(item).replace(',', "%2C")).collect::<Vec<_>>().join(",")
    };
    Ok(match (flat(value, at)?, styled.style) {
        (Flat::Undefined, _) if is_required => vec![Pair::new(name, "")],
        (Flat::Undefined, _) => Vec::new(),
        (Flat::One(value), _) => vec![Pair::new(name, &text(&value))],
        (Flat::List(list), _) if styled.explode => {
            list.iter().map(|item| Pair::new(name, &text(item))).collect()
        }
        (Flat::Object(object), _) if styled.explode => {
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

/// The style `cookie`: nothing is escaped, so what a cookie cannot hold is refused (RFC 6265
/// §4.1.1: `cookie-octet`).
fn bare_cookies(
    name: &str,
    value: Flat,
    explode: bool,
    is_required: bool,
    at: At<'_>,
) -> Result<Vec<Pair>, EncodeError> {
    let is_octet = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '\\');
    let pair = |name: &str, items: &[String]| {
        if name.is_empty() || name.contains('=') || !name.chars().all(is_octet) {
            return Err(at.expected("names that a cookie can have"));
        }
        if !items.iter().all(|item| item.chars().all(is_octet)) {
            return Err(at.expected(
                "values that a cookie can hold as they are: ASCII without spaces, quotes, \
                 commas, semicolons and backslashes",
            ));
        }
        Ok(Pair { name: name.to_owned(), text: format!("{name}={}", items.join(",")) })
    };
    match value {
        Flat::Undefined if is_required => Ok(vec![pair(name, &[])?]),
        Flat::Undefined => Ok(Vec::new()),
        Flat::One(one) => Ok(vec![pair(name, &[one])?]),
        Flat::List(list) if explode => list.into_iter().map(|item| pair(name, &[item])).collect(),
        Flat::Object(object) if explode => {
            object.into_iter().map(|(name, value)| pair(&name, &[value])).collect()
        }
        Flat::List(list) => Ok(vec![pair(name, &list)?]),
        Flat::Object(object) => Ok(vec![pair(name, &in_turn(object))?]),
    }
}

/// `name[member][member]=value`. Lists are outside of the specification; they are written
/// with indexes, which is what the servers that read such names understand.
fn deep(
    name: &str,
    value: &Value,
    pairs: &mut Vec<(String, String)>,
    at: At<'_>,
) -> Result<(), EncodeError> {
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
                pairs.push((name.to_owned(), text));
            }
        }
    }
    Ok(())
}

/// A value in a part of a form that is no query: pairs as in a query, with nothing encoded
/// (3.2.0 §4.15.1: "URI percent-encoding MUST NOT be applied").
pub(super) fn parts(
    name: &str,
    value: &Value,
    styled: Styled,
    at: At<'_>,
) -> Result<Vec<(String, String)>, EncodeError> {
    if styled.style == Style::Deep {
        let mut pairs = Vec::new();
        deep(name, value, &mut pairs, at)?;
        return Ok(pairs);
    }
    let delimiter = match styled.style {
        Style::Delimited(delimiter) => delimiter,
        _ => ',',
    };
    Ok(match flat(value, at)? {
        Flat::Undefined => Vec::new(),
        Flat::One(one) => vec![(name.to_owned(), one)],
        Flat::List(list) if styled.explode => {
            list.into_iter().map(|item| (name.to_owned(), item)).collect()
        }
        Flat::Object(object) if styled.explode => object,
        Flat::List(list) => vec![(name.to_owned(), undelimited(&list, delimiter, at)?)],
        Flat::Object(object) => {
            vec![(name.to_owned(), undelimited(&in_turn(object), delimiter, at)?)]
        }
    })
}

/// A value in a header: as it is, since headers know no percent-encoding, and quoting is the
/// caller's (OpenAPI 3.2.0 §4.12.2 and appendix D). Whoever calls checks it for what a header
/// cannot hold. Nothing where the value is undefined.
pub(super) fn header(
    value: &Value,
    styled: Styled,
    at: At<'_>,
) -> Result<Option<String>, EncodeError> {
    let delimiter = match styled.style {
        Style::Delimited(delimiter) => delimiter,
        _ => ',',
    };
    let items = match flat(value, at)? {
        Flat::Undefined => return Ok(None),
        Flat::One(text) => return Ok(Some(text)),
        Flat::List(list) => list,
        Flat::Object(object) if styled.explode => {
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
    if items.iter().any(|item| item.contains(delimiter) && !is_quoted(item)) {
        return Err(
            at.expected(format!("values without {delimiter:?}, which stands between them here"))
        );
    }
    Ok(Some(items.join(&delimiter.to_string())))
}

/// Whether the text is one `quoted-string` (RFC 9110 §5.6.4), in which a delimiter is data.
fn is_quoted(text: &str) -> bool {
    let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return false;
    };
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        if c == '"' || (c == '\\' && chars.next().is_none()) {
            return false;
        }
    }
    true
}
