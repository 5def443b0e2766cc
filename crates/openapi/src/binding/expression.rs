//! Runtime expressions: names for values of an exchange that is over (OpenAPI 3.1.1 §4.8.20.4,
//! 3.2.0 §4.20).
//!
//! Parsed when the description is read. An expression without a value makes no text and no
//! null: whoever asks for it goes without.

use http::HeaderName;
use serde_json::Value;
use tollbridge_operation::Exchanged;

use super::encode::BODY;
use super::{Parameter, RestBinding};
use crate::document::scalar_text;
use crate::parameters::Place;

/// The longest text that is put together.
const LONGEST: usize = 2_000;

/// A value, or where to take it from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Template {
    Constant(Value),
    /// One expression: its value keeps its type.
    Whole(Expression),
    /// Text with expressions in braces.
    Text(Vec<Piece>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Literal(String),
    Expression(Expression),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    Url,
    Method,
    StatusCode,
    RequestParameter {
        place: Place,
        name: String,
    },
    /// With a JSON pointer (RFC 6901), empty for all of it.
    RequestBody(String),
    ResponseHeader(HeaderName),
    ResponseBody(String),
}

impl Template {
    /// Reads a value of a link. An error is text that begins as an expression and is none.
    pub(crate) fn parse(value: &Value) -> Result<Self, String> {
        let Value::String(text) = value else { return Ok(Self::Constant(value.clone())) };
        if is_expression(text) {
            return Expression::parse(text).map(Self::Whole).ok_or_else(|| text.clone());
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            literal.push_str(before);
            match after.split_once('}') {
                Some((inner, behind)) if is_expression(inner) => {
                    let expression = Expression::parse(inner).ok_or_else(|| inner.to_owned())?;
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Expression(expression));
                    rest = behind;
                }
                _ => {
                    literal.push('{');
                    rest = after;
                }
            }
        }
        literal.push_str(rest);
        Ok(match pieces.as_slice() {
            [] => Self::Constant(value.clone()),
            [Piece::Expression(only)] if literal.is_empty() => Self::Whole(only.clone()),
            _ => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(literal));
                }
                Self::Text(pieces)
            }
        })
    }

    /// The expressions in it.
    pub(crate) fn expressions(&self) -> Vec<&Expression> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Whole(expression) => vec![expression],
            Self::Text(pieces) => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Literal(_) => None,
                    Piece::Expression(expression) => Some(expression),
                })
                .collect(),
        }
    }

    /// Its value; `None` where an expression in it has none.
    pub(super) fn value(&self, binding: &RestBinding, over: &Exchanged<'_>) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Whole(expression) => expression.value(binding, over),
            Self::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Literal(literal) => text.push_str(literal),
                        // What has members has no text of its own.
                        Piece::Expression(one) => {
                            text.push_str(&scalar_text(&one.value(binding, over)?)?);
                        }
                    }
                    if text.len() > LONGEST {
                        return None;
                    }
                }
                Some(Value::String(text))
            }
        }
    }
}

/// Whether a text is meant as an expression: prices begin with `$`, too.
fn is_expression(text: &str) -> bool {
    ["$url", "$method", "$statusCode"].contains(&text)
        || text.starts_with("$request.")
        || text.starts_with("$response.")
}

impl Expression {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "$url" => return Some(Self::Url),
            "$method" => return Some(Self::Method),
            "$statusCode" => return Some(Self::StatusCode),
            _ => {}
        }
        let (is_request, source) = match text.strip_prefix("$request.") {
            Some(source) => (true, source),
            None => (false, text.strip_prefix("$response.")?),
        };
        if let Some(rest) = source.strip_prefix("body") {
            let pointer = match rest.strip_prefix('#') {
                Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => pointer,
                None if rest.is_empty() => rest,
                _ => return None,
            };
            let pointer = pointer.to_owned();
            return Some(if is_request {
                Self::RequestBody(pointer)
            } else {
                Self::ResponseBody(pointer)
            });
        }
        let (place, name) = source.split_once('.').filter(|(_, name)| !name.is_empty())?;
        let place = match place {
            "header" if !is_request => {
                return HeaderName::from_bytes(name.as_bytes()).ok().map(Self::ResponseHeader);
            }
            "header" => Place::Header,
            "query" if is_request => Place::Query,
            "path" if is_request => Place::Path,
            _ => return None,
        };
        Some(Self::RequestParameter { place, name: name.to_owned() })
    }

    /// Its value. A null is none: nothing can be called with it.
    fn value(&self, binding: &RestBinding, over: &Exchanged<'_>) -> Option<Value> {
        let found = match self {
            Self::Url => Value::String(over.url?.to_owned()),
            Self::Method => Value::String(binding.method.to_string()),
            Self::StatusCode => Value::from(over.status.as_u16()),
            Self::RequestParameter { place, name } => {
                let is_it = |one: &&Parameter| one.place == *place && is_named(one, name);
                let parameter = binding.parameters.iter().find(is_it)?;
                over.arguments.get(&parameter.argument)?.clone()
            }
            Self::RequestBody(pointer) => over.arguments.get(BODY)?.pointer(pointer)?.clone(),
            Self::ResponseHeader(name) => over.headers.get(name.as_str())?.clone(),
            Self::ResponseBody(pointer) => over.body?.pointer(pointer)?.clone(),
        };
        (!found.is_null()).then_some(found)
    }
}

/// Whether a parameter has that name; headers in any case (RFC 9110 §5.1).
pub(super) fn is_named(parameter: &Parameter, name: &str) -> bool {
    match parameter.place {
        Place::Header => parameter.name.eq_ignore_ascii_case(name),
        _ => parameter.name == name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_expressions_as_the_grammar_says() {
        let header = |name| Expression::ResponseHeader(HeaderName::from_static(name));
        let parameter =
            |place, name: &str| Expression::RequestParameter { place, name: name.to_owned() };
        for (text, expected) in [
            ("$url", Expression::Url),
            ("$method", Expression::Method),
            ("$statusCode", Expression::StatusCode),
            ("$request.header.accept", parameter(Place::Header, "accept")),
            ("$request.query.a.b", parameter(Place::Query, "a.b")),
            ("$request.path.id", parameter(Place::Path, "id")),
            ("$request.body", Expression::RequestBody(String::new())),
            ("$request.body#/user/uuid", Expression::RequestBody("/user/uuid".to_owned())),
            ("$response.body#/a~1b/0", Expression::ResponseBody("/a~1b/0".to_owned())),
            ("$response.header.Server", header("server")),
            ("{$response.body#/id}", Expression::ResponseBody("/id".to_owned())),
        ] {
            assert_eq!(Template::parse(&json!(text)), Ok(Template::Whole(expected)), "{text}");
        }
    }

    #[test]
    fn what_begins_as_an_expression_and_is_none_is_an_error() {
        for text in [
            "$response.body.id",
            "$response.body#id",
            "$response.query.a",
            "$response.path.a",
            "$request.cookie.a",
            "$request.query.",
            "$response.header.a b",
            "x/{$response.body.id}",
        ] {
            assert!(Template::parse(&json!(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn everything_else_is_a_constant() {
        for value in [json!("$5.00"), json!("{id}"), json!("a{"), json!(7), json!({"a": "$url"})] {
            assert_eq!(Template::parse(&value), Ok(Template::Constant(value)));
        }
    }

    #[test]
    fn expressions_stand_in_text() {
        let pieces = [
            Piece::Literal("a/{b}/".to_owned()),
            Piece::Expression(Expression::Method),
            Piece::Literal("?".to_owned()),
        ];
        let found = Template::parse(&json!("a/{b}/{$method}?"));
        assert_eq!(found, Ok(Template::Text(pieces.into())));
    }
}
