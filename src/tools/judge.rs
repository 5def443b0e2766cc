//! Compiling JSON Schemas and patterns, one way for all: draft 2020-12, no reference ever
//! fetched, and patterns that give up after a bounded search.

use std::fmt;

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::{Value, json};

use super::{circle, text};

/// How many steps back a pattern may take on one text. A search that is given up is no match.
const BACKTRACKS: usize = 100_000;

/// A compiled schema.
pub(super) struct Judge(Validator);

impl Judge {
    /// Compiles a schema; the error is the reason, bounded.
    pub(super) fn new(schema: &Value) -> Result<Self, String> {
        if circle::is_endless(schema) {
            return Err("it refers to itself in place, beside `unevaluatedProperties` or \
                        `unevaluatedItems`: judging by it would not end"
                .to_owned());
        }
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(BACKTRACKS))
            .build(schema)
            .map(Self)
            .map_err(|error| {
                let reason = text::clean_line(&error.to_string());
                let at = error.instance_path().as_str();
                if at.is_empty() {
                    text::cut(&reason, 300)
                } else {
                    format!("{} (at {})", text::cut(&reason, 300), text::cut(at, 200))
                }
            })
    }

    /// Compiles a pattern of ECMA-262, unanchored.
    pub(super) fn pattern(pattern: &str) -> Result<Self, String> {
        Self::new(&json!({"type": "string", "pattern": pattern}))
    }

    /// Whether the value fits.
    pub(super) fn accepts(&self, value: &Value) -> bool {
        self.0.is_valid(value)
    }

    /// Where the value does not fit, one after the other.
    pub(super) fn errors<'v>(
        &'v self,
        value: &'v Value,
    ) -> impl Iterator<Item = ValidationError<'v>> {
        self.0.iter_errors(value)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

/// Whether a pattern is one of ECMA-262 as clients compile it: authors write what the engine
/// of their own language takes (`(?i)`, `\\A`, `a++`).
pub(super) fn is_ecma(pattern: &str) -> bool {
    let mut depth = 0_usize;
    let mut in_class = false;
    let mut quantified = false;
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        let was_quantified = std::mem::take(&mut quantified);
        match c {
            '\\' => match rest.next() {
                None | Some('A' | 'Z' | 'z' | 'G' | 'h' | 'H' | 'R' | 'K' | 'Q' | 'E' | 'X') => {
                    return false;
                }
                Some(_) => {}
            },
            '[' if in_class && rest.peek() == Some(&':') => return false,
            ']' if in_class => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '(' => {
                depth += 1;
                if rest.next_if_eq(&'?').is_some() {
                    match rest.next() {
                        Some(':' | '=' | '!') => {}
                        Some('<') => match rest.peek() {
                            Some(c) if matches!(c, '=' | '!' | '_' | '$') || c.is_alphabetic() => {}
                            _ => return false,
                        },
                        _ => return false,
                    }
                }
            }
            ')' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            '+' | '*' if was_quantified => return false,
            '?' if was_quantified => {}
            '+' | '*' | '?' | '}' => quantified = true,
            _ => {}
        }
    }
    depth == 0 && !in_class
}

/// Removes the patterns that cannot be compiled, which many descriptions have (they are
/// written for another engine), so that the rest of the schema can. Says which those were.
pub(super) fn without_bad_patterns(schema: &mut Value) -> Vec<String> {
    let mut bad = Vec::new();
    strip(schema, false, &mut bad);
    bad
}

fn strip(schema: &mut Value, names: bool, bad: &mut Vec<String>) {
    match schema {
        // Of an object of names, such as `properties`, every member is a schema.
        Value::Object(members) if names => {
            for member in members.values_mut() {
                strip(member, false, bad);
            }
        }
        Value::Object(object) => {
            if let Some(Value::String(pattern)) = object.get("pattern")
                && Judge::pattern(pattern).is_err()
            {
                bad.push(text::cut(pattern, 80));
                object.shift_remove("pattern");
            }
            if let Some(Value::Object(patterns)) = object.get_mut("patternProperties") {
                let before = patterns.len();
                patterns.retain(|pattern, _| {
                    let good = Judge::pattern(pattern).is_ok();
                    if !good {
                        bad.push(text::cut(pattern, 80));
                    }
                    good
                });
                // Names that the pattern allowed must not become unknown.
                if patterns.len() < before {
                    object.shift_remove("additionalProperties");
                }
            }
            for (keyword, value) in object.iter_mut() {
                match keyword.as_str() {
                    "properties" | "patternProperties" | "$defs" | "dependentSchemas" => {
                        strip(value, true, bad);
                    }
                    "enum" | "const" | "default" | "examples" | "required" => {}
                    _ => strip(value, false, bad),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|member| strip(member, false, bad)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_other_engines_are_told_from_ecma_262() {
        for pattern in
            ["^[a-z]+$", "(?:a|b)*?", "(?<year>\\d{4})", "(?<!x)a", "[(+*]", "a{2,}?", ""]
        {
            assert!(is_ecma(pattern), "{pattern}");
        }
        for pattern in
            ["(?i)a", "\\Aa\\z", "a++", "(?P<x>a)", "[[:alpha:]]", "(?>a)", "(a", "a)", "[a", "\\"]
        {
            assert!(!is_ecma(pattern), "{pattern}");
        }
    }

    #[test]
    fn no_reference_is_fetched() {
        for reference in ["http://127.0.0.1:9/a", "file:///etc/hostname", "other.json"] {
            assert!(Judge::new(&json!({"$ref": reference})).is_err(), "{reference}");
        }
    }

    #[test]
    fn a_pattern_that_would_search_for_ever_is_no_match() {
        let judge = Judge::pattern("^(?=a)((a|a)+)\\1+$").expect("a pattern");
        assert!(!judge.accepts(&json!("a".repeat(5_000) + "b")));
    }

    #[test]
    fn patterns_of_other_engines_are_left_out_and_named() {
        let mut schema = json!({
            "properties": {"pattern": {"type": "string", "pattern": "(?<x"}},
            "patternProperties": {"[": {"type": "string"}},
            "additionalProperties": false,
        });
        assert_eq!(without_bad_patterns(&mut schema), ["[", "(?<x"]);
        assert_eq!(
            schema,
            json!({"properties": {"pattern": {"type": "string"}}, "patternProperties": {}})
        );
        assert!(Judge::new(&schema).is_ok());
    }
}
