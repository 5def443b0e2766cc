//! Arguments made up from a JSON Schema as this crate writes them.

use serde_json::{Map, Value, json};

/// Objects within objects that are still filled with what is optional.
const DEEP: usize = 4;

/// How much of what is optional is filled in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// What must be there.
    Required,
    /// One of everything.
    Everything,
}

/// A value that the schema accepts, or why none was found.
pub(crate) fn value(root: &Value, fill: Fill) -> Result<Value, String> {
    Generator { root, fill, n: 0, id: None }.value(root, 0)
}

struct Generator<'s> {
    root: &'s Value,
    fill: Fill,
    n: usize,
    /// The last ID that was given.
    id: Option<String>,
}

impl Generator<'_> {
    fn value(&mut self, schema: &Value, depth: usize) -> Result<Value, String> {
        if depth > 24 {
            return Err("it demands values without an end".to_owned());
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').ok_or("a foreign reference")?;
            let root = self.root;
            let target = root.pointer(pointer).ok_or("a dangling reference")?;
            let mut value = self.value(target, depth + 1)?;
            // A derived type must say its name, which its definition has as a constant.
            if schema.get("required").is_some()
                && let Some(tag) = target.pointer("/properties/@type/const")
                && let Value::Object(object) = &mut value
            {
                object.insert("@type".to_owned(), tag.clone());
            }
            return Ok(value);
        }
        if let Some(constant) = schema.get("const") {
            return Ok(constant.clone());
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            self.n += 1;
            return values.get(self.n % values.len().max(1)).cloned().ok_or("no value".to_owned());
        }
        if let Some(branches) = schema.get("anyOf").and_then(Value::as_array) {
            let mut last = "no branch".to_owned();
            for branch in branches {
                match self.value(branch, depth + 1) {
                    Ok(value) => return Ok(value),
                    Err(reason) => last = reason,
                }
            }
            return Err(last);
        }
        if schema.get("not").is_some() {
            return Err("nothing is allowed".to_owned());
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("object") => self.object(schema, depth),
            Some("array") => self.array(schema, depth),
            Some("string") => self.text(schema),
            Some("boolean") => Ok(json!(true)),
            Some("null") => Ok(Value::Null),
            Some("integer" | "number") => Ok(number(schema)),
            _ => Ok(json!("anything")),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Result<Value, String> {
        let mut object = Map::new();
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map(|names| names.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let one = schema.get("maxProperties") == Some(&json!(1));
        let says = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let choice = says.contains("Exactly one of") || says.contains("At most one of");
        for (name, schema) in properties {
            let is_required = required.contains(&name.as_str());
            let wanted = is_required
                || (one && object.is_empty())
                || (self.fill == Fill::Everything
                    && depth < DEEP
                    && !one
                    && !choice
                    && name != "@type"
                    && name != "headers");
            if !wanted {
                continue;
            }
            match self.value(schema, depth + 1) {
                Ok(value) => {
                    object.insert(name.clone(), value);
                }
                Err(reason) if is_required => return Err(format!("{name}: {reason}")),
                Err(_) => {}
            }
        }
        if let Some(rest) = says.split("Exactly one of: ").nth(1) {
            self.choose(rest, properties, depth, &mut object)?;
        }
        Ok(Value::Object(object))
    }

    /// What a choice demands is said in words: the first of its branches is taken.
    fn choose(
        &mut self,
        words: &str,
        properties: &Map<String, Value>,
        depth: usize,
        object: &mut Map<String, Value>,
    ) -> Result<(), String> {
        let branches = words.split('.').next().unwrap_or_default();
        let first = branches.split(';').next().unwrap_or_default();
        for name in first.split(',').map(str::trim) {
            if let Some(schema) = properties.get(name) {
                object.insert(name.to_owned(), self.value(schema, depth + 1)?);
            }
        }
        Ok(())
    }

    fn array(&mut self, schema: &Value, depth: usize) -> Result<Value, String> {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).max(1);
        let Some(items) = schema.get("items") else { return Ok(json!([])) };
        let says = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        if let Some((_, model)) = says.split_once("in this order: ") {
            return self.ordered(items, model, depth);
        }
        if says.contains("as XML") {
            return Ok(json!(["<m:made-up xmlns:m=\"urn:made-up\">1</m:made-up>"]));
        }
        let mut list = Vec::new();
        for _ in 0..least.min(8) {
            match self.value(items, depth + 1) {
                Ok(value) => list.push(value),
                Err(_) if schema.get("minItems").is_none() => break,
                Err(reason) => return Err(reason),
            }
        }
        Ok(Value::Array(list))
    }

    /// Items in the order of a content model: the first branch of each choice, one of all else.
    fn ordered(&mut self, items: &Value, model: &str, depth: usize) -> Result<Value, String> {
        let properties = items.get("properties").or_else(|| items.pointer("/anyOf/0/properties"));
        let properties = properties.and_then(Value::as_object).ok_or("no properties")?;
        let mut list = Vec::new();
        let mut level = 0_usize;
        let mut skipping: Option<usize> = None;
        for word in model.split_inclusive(['(', ')', ',', '|', '&', ' ']) {
            let name = word.trim_end_matches(['(', ')', ',', '|', '&', ' ']);
            let name = name.trim_end_matches(['?', '*', '+', '.']);
            if let Some(schema) = properties.get(name).filter(|_| skipping.is_none()) {
                list.push(json!({name: self.value(schema, depth + 1)?}));
            }
            match word.chars().last() {
                Some('(') => level += 1,
                Some(')') => {
                    level = level.saturating_sub(1);
                    skipping = skipping.filter(|&from| level >= from);
                }
                Some('|') if skipping.is_none() => skipping = Some(level),
                _ => {}
            }
        }
        Ok(Value::Array(list))
    }

    fn text(&mut self, schema: &Value) -> Result<Value, String> {
        self.n += 1;
        let says = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        if says.contains("as XML") {
            return Ok(json!("<m:made-up xmlns:m=\"urn:made-up\">1</m:made-up>"));
        }
        if says.contains("XML Schema pattern") {
            return Err("its pattern is said in words only".to_owned());
        }
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            return if pattern.starts_with(r"^\s*[+-]?") {
                Ok(json!(self.n.to_string()))
            } else {
                Err("it has a pattern".to_owned())
            };
        }
        if schema.get("contentEncoding").is_some() {
            return Ok(json!("AAEC"));
        }
        if says.contains("{namespace}local") {
            return Ok(json!("{urn:made-up}name"));
        }
        if says.contains("hexadecimal") {
            return Ok(json!("0A1B"));
        }
        if let Some((_, example)) = says.split_once("such as ") {
            let end = example.find([' ', ',']).unwrap_or(example.len());
            return Ok(json!(example[..end].trim_end_matches('.')));
        }
        let mut text = format!("text{}", self.n);
        if says.contains("stands once in the message") {
            self.id = Some(text.clone());
        } else if says.contains("is an ID in the message") {
            return Ok(json!(self.id.clone().unwrap_or(text)));
        }
        if let Some(least) = schema.get("minLength").and_then(Value::as_u64) {
            while (text.len() as u64) < least {
                text.push('x');
            }
        }
        if let Some(most) = schema.get("maxLength").and_then(Value::as_u64) {
            text.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
        Ok(json!(text))
    }
}

fn number(schema: &Value) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most - 1.0));
    let mut value = 7.0_f64;
    if let Some(most) = most {
        value = value.min(most);
    }
    if let Some(least) = least {
        value = value.max(least);
    }
    if value.fract() == 0.0 {
        // Whole and within 32 bits, as all of these are.
        format!("{value:.0}").parse::<i64>().map_or(json!(value), |whole| json!(whole))
    } else {
        json!(value)
    }
}
