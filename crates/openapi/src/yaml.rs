//! YAML text into a JSON value.
//!
//! YAML 1.2.2 with its core schema (§10.3): `no`, `on` and dates stay text, numbers keep
//! their digits, keys are the text that was written (`200:` is `"200"`). Merge keys (`<<`)
//! are understood because authors use them. Refused, with line and column: a key that stands
//! twice in a mapping, keys that are no scalars, aliases that lead into themselves or unfold
//! to too much, and nesting that a later recursion could not bear.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

use crate::ReadError;

/// As deep as the JSON parser goes.
const MAX_DEPTH: usize = 128;
/// How many nodes may come from anchors and aliases, together.
const MAX_UNFOLDED: usize = 2_000_000;

/// Parses the one document of a YAML stream. An empty stream is null.
pub(crate) fn parse(text: &str) -> Result<Value, ReadError> {
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder::default();
    let mut documents = 0;
    while let Some(next) = parser.next_event() {
        let (event, span) =
            next.map_err(|error| syntax(error.marker(), capitalised_off(error.info())))?;
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(syntax(&span.start, "expected one document, found a second"));
                }
            }
            Event::StreamEnd => break,
            event => builder.take(event, &span.start)?,
        }
    }
    Ok(builder.root.unwrap_or(Value::Null))
}

fn syntax(at: &Marker, message: impl Into<String>) -> ReadError {
    ReadError::Syntax { line: at.line(), column: at.col() + 1, message: message.into() }
}

fn capitalised_off(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// A finished node with what it costs to copy it.
#[derive(Clone)]
struct Node {
    value: Value,
    nodes: usize,
    depth: usize,
}

impl Node {
    fn leaf(value: Value) -> Self {
        Self { value, nodes: 1, depth: 0 }
    }
}

enum Open {
    Sequence { items: Vec<Value> },
    Mapping { members: Map<String, Value>, key: Option<Key>, merged: Vec<Map<String, Value>> },
}

enum Key {
    Name(String),
    Merge,
}

struct Frame {
    open: Open,
    anchor: usize,
    nodes: usize,
    depth: usize,
}

#[derive(Default)]
struct Builder {
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    unfolded: usize,
    root: Option<Value>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: &Marker) -> Result<(), ReadError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(frame) = self.stack.last_mut()
                    && let Open::Mapping { members, key: key @ None, .. } = &mut frame.open
                {
                    *key = Some(if text == "<<" && style == ScalarStyle::Plain && tag.is_none() {
                        Key::Merge
                    } else if members.contains_key(text.as_ref()) {
                        let shown: String = text.chars().take(80).collect();
                        return Err(syntax(
                            at,
                            format!("the key `{shown}` stands twice in this mapping; keep one"),
                        ));
                    } else {
                        Key::Name(text.clone().into_owned())
                    });
                    if anchor > 0 {
                        self.anchors.insert(anchor, Node::leaf(Value::String(text.into_owned())));
                    }
                    return Ok(());
                }
                self.finish(Node::leaf(scalar(&text, style, tag.as_deref())), anchor, at)
            }
            Event::SequenceStart(anchor, _) => {
                self.open(Open::Sequence { items: Vec::new() }, anchor, at)
            }
            Event::MappingStart(anchor, _) => self.open(
                Open::Mapping { members: Map::new(), key: None, merged: Vec::new() },
                anchor,
                at,
            ),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else { return Ok(()) };
                let value = match frame.open {
                    Open::Sequence { items } => Value::Array(items),
                    Open::Mapping { mut members, merged, .. } => {
                        for (name, value) in merged.into_iter().flatten() {
                            members.entry(name).or_insert(value);
                        }
                        Value::Object(members)
                    }
                };
                let node = Node { value, nodes: frame.nodes + 1, depth: frame.depth + 1 };
                self.finish(node, frame.anchor, at)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(syntax(at, "the alias leads into itself; use $ref for recursion"));
                };
                let (nodes, depth) = (node.nodes, node.depth);
                if self.stack.len() + depth > MAX_DEPTH {
                    return Err(too_deep(at));
                }
                self.unfold(nodes, at)?;
                let node = self.anchors[&anchor].clone();
                if let Some(frame) = self.stack.last_mut()
                    && let Open::Mapping { members, key: key @ None, .. } = &mut frame.open
                {
                    let Value::String(text) = node.value else {
                        return Err(syntax(at, "expected a scalar as key"));
                    };
                    if members.contains_key(&text) {
                        return Err(syntax(at, "the key stands twice in this mapping; keep one"));
                    }
                    *key = Some(Key::Name(text));
                    return Ok(());
                }
                self.finish(node, 0, at)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open, anchor: usize, at: &Marker) -> Result<(), ReadError> {
        if let Some(Frame { open: Open::Mapping { key: None, .. }, .. }) = self.stack.last() {
            return Err(syntax(at, "expected a scalar as key, found a collection"));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(at));
        }
        self.stack.push(Frame { open, anchor, nodes: 0, depth: 0 });
        Ok(())
    }

    /// Puts a finished node into the collection that is open.
    fn finish(&mut self, node: Node, anchor: usize, at: &Marker) -> Result<(), ReadError> {
        if anchor > 0 {
            self.unfold(node.nodes, at)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node.value);
            return Ok(());
        };
        frame.nodes += node.nodes;
        frame.depth = frame.depth.max(node.depth);
        match &mut frame.open {
            Open::Sequence { items } => items.push(node.value),
            Open::Mapping { members, key, merged } => match key.take() {
                Some(Key::Name(name)) => {
                    members.insert(name, node.value);
                }
                Some(Key::Merge) => merge(node.value, merged).map_err(|()| {
                    syntax(at, "expected a mapping, or a list of them, after `<<`")
                })?,
                None => return Err(syntax(at, "expected a scalar as key")),
            },
        }
        Ok(())
    }

    fn unfold(&mut self, nodes: usize, at: &Marker) -> Result<(), ReadError> {
        self.unfolded = self.unfolded.saturating_add(nodes);
        if self.unfolded > MAX_UNFOLDED {
            return Err(ReadError::TooManyNodes {
                line: at.line(),
                column: at.col() + 1,
                limit: MAX_UNFOLDED,
            });
        }
        Ok(())
    }
}

fn too_deep(at: &Marker) -> ReadError {
    ReadError::TooDeep { line: at.line(), column: at.col() + 1, limit: MAX_DEPTH }
}

fn merge(value: Value, merged: &mut Vec<Map<String, Value>>) -> Result<(), ()> {
    match value {
        Value::Object(members) => merged.push(members),
        Value::Array(items) => {
            for item in items {
                let Value::Object(members) = item else { return Err(()) };
                merged.push(members);
            }
        }
        _ => return Err(()),
    }
    Ok(())
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    match (core, style) {
        (Some("int" | "float" | "bool" | "null"), _) | (None, ScalarStyle::Plain) => plain(text),
        _ => Value::String(text.to_owned()),
    }
}

/// The core schema's tag resolution (YAML 1.2.2 §10.3.2).
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

/// A number with its digits, spelled as JSON spells it. `.inf` and `.nan` have no JSON
/// spelling and stay text.
fn number(text: &str) -> Option<Number> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let valid = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
            let value = valid.then(|| u128::from_str_radix(digits, radix).ok()).flatten()?;
            return value.to_string().parse().ok();
        }
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    if !exponent.is_empty() {
        let power = exponent[1..].strip_prefix(['+', '-']).unwrap_or(&exponent[1..]);
        if power.is_empty() || !digits(power) {
            return None;
        }
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}{exponent}").parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn yaml(text: &str) -> Value {
        parse(text).expect("YAML")
    }

    fn error(text: &str) -> String {
        parse(text).expect_err("no YAML").to_string()
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        for (text, value) in [
            ("no", json!("no")),
            ("yes", json!("yes")),
            ("on", json!("on")),
            ("true", json!(true)),
            ("False", json!(false)),
            ("~", json!(null)),
            ("'null'", json!("null")),
            ("\"1\"", json!("1")),
            ("2026-11-24", json!("2026-11-24")),
            ("2026-11-24T10:00:00Z", json!("2026-11-24T10:00:00Z")),
            ("12:30:45", json!("12:30:45")),
            ("1_000", json!("1_000")),
            ("0x1F", json!(31)),
            ("0o17", json!(15)),
            ("012", json!(12)),
            ("+7", json!(7)),
            (".inf", json!(".inf")),
            (".nan", json!(".nan")),
            ("1.2.3", json!("1.2.3")),
            ("-", json!([null])),
            ("1e", json!("1e")),
            ("!!str 5", json!("5")),
            ("!!int \"5\"", json!(5)),
        ] {
            assert_eq!(yaml(text), value, "{text}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        for (text, digits) in [
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("500.0000000000000000001", "500.0000000000000000001"),
            ("1.10", "1.10"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("6.", "6"),
            ("1e400", "1e+400"),
        ] {
            let value = yaml(text);
            assert!(value.is_number(), "{text}");
            assert_eq!(
                value.as_number().map(ToString::to_string).as_deref(),
                Some(digits),
                "{text}"
            );
        }
    }

    #[test]
    fn keys_are_the_text_that_was_written() {
        assert_eq!(
            yaml("200: a\nyes: b\n1.10: c\nnull: d"),
            json!({"200": "a", "yes": "b", "1.10": "c", "null": "d"})
        );
    }

    #[test]
    fn a_merge_key_yields_to_what_is_written() {
        assert_eq!(
            yaml("base: &b {x: 1, y: 2}\nother: &o {z: 3}\nit:\n  <<: [*b, *o]\n  y: 9"),
            json!({"base": {"x": 1, "y": 2}, "other": {"z": 3}, "it": {"y": 9, "x": 1, "z": 3}})
        );
        assert_eq!(yaml("'<<': 1"), json!({"<<": 1}));
        assert!(error("a: {<<: 1}").contains("expected a mapping"));
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_with_its_place() {
        assert_eq!(
            error("a: 1\nb:\n  c: 1\n  c: 2\n"),
            "line 4, column 3: the key `c` stands twice in this mapping; keep one"
        );
    }

    #[test]
    fn aliases_cannot_unfold_without_bound() {
        let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..12 {
            let line = vec![format!("*a{}", n - 1); 10].join(",");
            text.extend([format!("a{n}: &a{n} [{line}]\n")]);
        }
        assert!(matches!(parse(&text), Err(ReadError::TooManyNodes { .. })));
    }

    #[test]
    fn an_alias_cannot_lead_into_itself() {
        assert!(error("a: &a [*a]").contains("into itself"));
    }

    #[test]
    fn depth_is_bounded_also_through_aliases() {
        let deep = format!("a: {}x{}", "[".repeat(200), "]".repeat(200));
        assert!(matches!(parse(&deep), Err(ReadError::TooDeep { .. })));
        let mut text = format!("a0: &a0 {}x{}\n", "[".repeat(60), "]".repeat(60));
        text.extend([
            format!("a1: &a1 {}*a0{}\n", "[".repeat(60), "]".repeat(60)),
            format!("a2: {}*a1{}\n", "[".repeat(60), "]".repeat(60)),
        ]);
        assert!(matches!(parse(&text), Err(ReadError::TooDeep { .. })));
    }

    #[test]
    fn errors_have_line_and_column() {
        assert!(error("a: b\n c: [").starts_with("line "), "{}", error("a: b\n c: ["));
        assert!(error("? [a]\n: b").contains("expected a scalar as key"));
        assert!(error("a: 1\n---\nb: 2").contains("a second"));
    }
}
