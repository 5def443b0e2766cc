//! From the notation to a schema.

use serde_json::{Map, Value, json};

use super::TYPES;
use super::lex::Cursor;

/// How deep types may be nested.
const DEEPEST: usize = 90;

/// A text that is not in the notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: expected {expected}")]
pub struct NotationError {
    /// Where in the text, in bytes.
    pub at: usize,
    /// What was expected there.
    pub expected: String,
}

/// Reads a type and the types that are declared after it as one schema, with these in `$defs`.
pub fn parse(text: &str) -> Result<Value, NotationError> {
    let mut reader = Reader { cursor: Cursor::new(text) };
    let mut schema = reader.alternatives(0)?;
    let mut definitions = Map::new();
    while !reader.cursor.is_at_end() {
        if !reader.cursor.take_word("type") {
            return Err(reader.cursor.error("`type`, or the end"));
        }
        let name = match reader.cursor.take_name() {
            Some(name) => name.to_owned(),
            None => {
                reader.cursor.expect("$")?;
                reader.cursor.string()?
            }
        };
        reader.cursor.expect("=")?;
        definitions.insert(name, Value::Object(reader.alternatives(0)?));
    }
    if !definitions.is_empty() {
        if schema.contains_key("$defs") {
            return Err(reader.cursor.error("one set of definitions"));
        }
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Ok(Value::Object(schema))
}

type Keywords = Map<String, Value>;

struct Reader<'a> {
    cursor: Cursor<'a>,
}

impl Reader<'_> {
    fn alternatives(&mut self, depth: usize) -> Result<Keywords, NotationError> {
        if depth > DEEPEST {
            return Err(self.cursor.error("less depth"));
        }
        let mut parts: Vec<(Keywords, Option<Value>)> = vec![self.all(depth)?];
        while self.cursor.take("|") {
            parts.push(self.all(depth)?);
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0).0);
        }
        let literals: Option<Vec<Value>> =
            parts.iter().map(|(_, literal)| literal.clone()).collect();
        Ok(match literals {
            Some(values) => keyword("enum", values.into()),
            None => keyword("anyOf", list(parts.into_iter().map(|(part, _)| part))),
        })
    }

    /// With the literal that it is, where it is nothing else.
    fn all(&mut self, depth: usize) -> Result<(Keywords, Option<Value>), NotationError> {
        let first = self.sum(depth)?;
        if !self.cursor.is_at("&") {
            return Ok(first);
        }
        let mut parts = vec![first.0];
        while self.cursor.take("&") {
            parts.push(self.sum(depth)?.0);
        }
        Ok((keyword("allOf", list(parts)), None))
    }

    fn sum(&mut self, depth: usize) -> Result<(Keywords, Option<Value>), NotationError> {
        let (mut sum, mut literal) = self.suffixed(depth)?;
        while self.cursor.take("+") {
            literal = None;
            let (more, _) = self.suffixed(depth)?;
            self.merge(&mut sum, more)?;
        }
        Ok((sum, literal))
    }

    fn merge(&self, into: &mut Keywords, more: Keywords) -> Result<(), NotationError> {
        for (name, value) in more {
            match (into.get_mut(&name), value) {
                (None, value) => {
                    into.insert(name, value);
                }
                (Some(Value::Array(known)), Value::Array(more)) if name == "required" => {
                    known.extend(more);
                }
                _ => return Err(self.cursor.error(&format!("`{name}` once"))),
            }
        }
        Ok(())
    }

    fn suffixed(&mut self, depth: usize) -> Result<(Keywords, Option<Value>), NotationError> {
        let bare = self.cursor.take("~");
        let (mut schema, mut literal) = self.primary(depth)?;
        loop {
            // `1..` after a bracket is a range; `[` in an object begins a pattern's member.
            if self.cursor.take("?") {
                let Some(Value::String(one)) = schema.get("type").cloned() else {
                    return Err(self.cursor.error("a type before `?`"));
                };
                schema.insert("type".to_owned(), json!([one, "null"]));
            } else if self.cursor.take("(") {
                self.facets(&mut schema)?;
            } else if self.cursor.take("[") {
                schema = self.list_of(schema)?;
            } else if self.cursor.take("!") {
                let Value::Object(more) = self.cursor.json()? else {
                    return Err(self.cursor.error("an object of keywords"));
                };
                self.merge(&mut schema, more)?;
            } else {
                break;
            }
            literal = None;
        }
        if bare {
            schema.shift_remove("type");
        }
        Ok((schema, literal))
    }

    fn primary(&mut self, depth: usize) -> Result<(Keywords, Option<Value>), NotationError> {
        if self.cursor.take("(") {
            let inside = self.alternatives(depth + 1)?;
            self.cursor.expect(")")?;
            return Ok((inside, None));
        }
        if self.cursor.is_at("{") {
            return Ok((self.object(depth)?, None));
        }
        if self.cursor.take("$") {
            return Ok((reference(&self.cursor.string()?), None));
        }
        let Some(name) = self.cursor.peek_name() else {
            let value = self.cursor.json()?;
            return Ok((keyword("enum", json!([value])), Some(value)));
        };
        match name {
            "true" | "false" => {
                let value = self.cursor.json()?;
                return Ok((keyword("enum", json!([value])), Some(value)));
            }
            "exact" => {
                self.cursor.take_name();
                let mut object = self.object(depth)?;
                self.merge(&mut object, keyword("additionalProperties", json!(false)))?;
                return Ok((object, None));
            }
            "anyOf" | "allOf" | "oneOf" | "prefixItems" | "not" => {
                self.cursor.take_name();
                self.cursor.expect("(")?;
                let mut parts = vec![self.alternatives(depth + 1)?];
                while self.cursor.take(",") {
                    parts.push(self.alternatives(depth + 1)?);
                }
                self.cursor.expect(")")?;
                let value = match name {
                    "not" if parts.len() == 1 => Value::Object(parts.remove(0)),
                    "not" => return Err(self.cursor.error("one type")),
                    _ => list(parts),
                };
                return Ok((keyword(name, value), None));
            }
            _ => {}
        }
        self.cursor.take_name();
        let mut names = vec![name];
        while TYPES.contains(&name) && self.cursor.take("/") {
            let next = self.cursor.take_name().filter(|next| TYPES.contains(next));
            names.push(next.ok_or_else(|| self.cursor.error("a type of JSON"))?);
        }
        Ok(match names.as_slice() {
            ["any"] => (Keywords::new(), None),
            ["never"] => (keyword("not", json!({})), None),
            ["self"] => (keyword("$ref", json!("#")), None),
            // Beside literals it is one.
            ["null"] => (keyword("type", json!("null")), Some(Value::Null)),
            [one] if TYPES.contains(one) => (keyword("type", json!(one)), None),
            [one] => (reference(one), None),
            more => (keyword("type", json!(more)), None),
        })
    }

    fn object(&mut self, depth: usize) -> Result<Keywords, NotationError> {
        self.cursor.expect("{")?;
        self.members("}", depth)
    }

    /// The members of an object up to the sign that ends it.
    fn members(&mut self, end: &str, depth: usize) -> Result<Keywords, NotationError> {
        let mut schema = keyword("type", json!("object"));
        let (mut properties, mut patterns) = (Map::new(), Map::new());
        let mut required: Vec<Value> = Vec::new();
        while !self.cursor.take(end) {
            if self.cursor.take("...") {
                let others = self.alternatives(depth + 1)?;
                schema.insert("additionalProperties".to_owned(), Value::Object(others));
            } else if self.cursor.take("[") {
                let Some(pattern) = self.cursor.pattern()? else {
                    return Err(self.cursor.error("a pattern"));
                };
                self.cursor.expect("]")?;
                self.cursor.expect(":")?;
                patterns.insert(pattern, Value::Object(self.alternatives(depth + 1)?));
            } else {
                let name = match self.cursor.take_name() {
                    Some(name) => name.to_owned(),
                    None => self.cursor.string()?,
                };
                if !self.cursor.take("?") {
                    required.push(json!(name));
                }
                self.cursor.expect(":")?;
                let mut property = self.alternatives(depth + 1)?;
                if self.cursor.take("=") {
                    property.insert("default".to_owned(), self.cursor.json()?);
                }
                properties.insert(name, Value::Object(property));
            }
            if !self.cursor.take(",") && !self.cursor.is_at(end) {
                return Err(self.cursor.error(&format!("`,` or `{end}`")));
            }
        }
        for (name, value) in [("properties", properties), ("patternProperties", patterns)] {
            if !value.is_empty() {
                schema.insert(name.to_owned(), Value::Object(value));
            }
        }
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        Ok(schema)
    }

    fn list_of(&mut self, items: Keywords) -> Result<Keywords, NotationError> {
        let mut schema = keyword("type", json!("array"));
        if !items.is_empty() {
            schema.insert("items".to_owned(), Value::Object(items));
        }
        self.range(&mut schema, "minItems", "maxItems");
        if self.cursor.take_word("unique") {
            schema.insert("uniqueItems".to_owned(), json!(true));
        }
        self.cursor.expect("]")?;
        Ok(schema)
    }

    fn facets(&mut self, schema: &mut Keywords) -> Result<(), NotationError> {
        let kind = match schema.get("type") {
            Some(Value::String(one)) => one.clone(),
            Some(Value::Array(list)) => {
                let one = list.first().and_then(Value::as_str);
                one.unwrap_or_default().to_owned()
            }
            _ => return Err(self.cursor.error("a type before `(`")),
        };
        let (least, most) = match kind.as_str() {
            "string" => ("minLength", "maxLength"),
            "object" => ("minProperties", "maxProperties"),
            _ => ("minimum", "maximum"),
        };
        loop {
            self.facet(schema, least, most)?;
            if !self.cursor.take(",") {
                return self.cursor.expect(")");
            }
        }
    }

    fn facet(
        &mut self,
        schema: &mut Keywords,
        least: &str,
        most: &str,
    ) -> Result<(), NotationError> {
        if self.range(schema, least, most) {
            return Ok(());
        }
        let numbered = if self.cursor.take(">") {
            Some("exclusiveMinimum")
        } else if self.cursor.take("<") {
            Some("exclusiveMaximum")
        } else if self.cursor.take_word("step") {
            Some("multipleOf")
        } else {
            None
        };
        let (name, value) = if let Some(name) = numbered {
            let number = self.cursor.number().ok_or_else(|| self.cursor.error("a number"))?;
            (name, Value::Number(number))
        } else if let Some(pattern) = self.cursor.pattern()? {
            ("pattern", pattern.into())
        } else if self.cursor.take_word("format") {
            ("format", self.cursor.string()?.into())
        } else if let Some(format) = self.cursor.take_name() {
            ("format", format.into())
        } else {
            return Err(self.cursor.error("a range, a pattern or a format"));
        };
        schema.insert(name.to_owned(), value);
        Ok(())
    }

    /// Takes a range if one is next.
    fn range(&mut self, schema: &mut Keywords, least: &str, most: &str) -> bool {
        let lower = self.cursor.number();
        if !self.cursor.take("..") {
            return false;
        }
        let upper = self.cursor.number();
        for (name, number) in [(least, lower), (most, upper)] {
            if let Some(number) = number {
                schema.insert(name.to_owned(), Value::Number(number));
            }
        }
        true
    }
}

fn keyword(name: &str, value: Value) -> Keywords {
    Map::from_iter([(name.to_owned(), value)])
}

fn list(parts: impl IntoIterator<Item = Keywords>) -> Value {
    parts.into_iter().map(Value::Object).collect()
}

fn reference(name: &str) -> Keywords {
    keyword("$ref", json!(format!("#/$defs/{name}")))
}
