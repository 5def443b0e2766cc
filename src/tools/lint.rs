//! What clients are known to refuse, or to drop without a word, checked on a tool as it is
//! listed. What is compiled here passes; the lint says so, and guards what users write.

use serde_json::{Map, Value};

use super::portable::LONGEST_DESCRIPTION;
use super::profile::Profile;
use super::schema::escape;

/// Beyond this many tools some clients choose badly among them.
pub const MANY_TOOLS: usize = 40;

/// Beyond this many tools some clients send none of them.
pub const TOO_MANY_TOOLS: usize = 128;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Some clients, or the models behind them, do worse.
    Warning,
    /// Some client drops the tool, or all tools.
    Error,
}

/// Something that a client is known to refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintFinding {
    /// How bad it is.
    pub severity: Severity,
    /// The rule, as a stable word: `root-combinator`, `boolean-schema`, …
    pub rule: &'static str,
    /// A JSON pointer into the tool as it is listed.
    pub pointer: String,
    /// What is wrong, and who minds.
    pub message: String,
}

/// A tool as it is listed, as far as clients have limits for it.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// The name.
    pub name: &'a str,
    /// The description.
    pub description: &'a str,
    /// The input schema.
    pub input: &'a Map<String, Value>,
    /// The output schema.
    pub output: Option<&'a Map<String, Value>>,
    /// What its clients are known to read.
    pub profile: Profile,
}

/// Checks one tool.
pub fn lint(tool: &Listed<'_>) -> Vec<LintFinding> {
    let mut found = words(tool.name, tool.description);
    found.extend(input(tool.input, tool.profile));
    found.extend(tool.output.map(output).unwrap_or_default());
    found
}

/// Checks a tool's name and description.
pub(super) fn words(name: &str, description: &str) -> Vec<LintFinding> {
    let mut found = Vec::new();
    let name_fits = (1..=48).contains(&name.len())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if !name_fits {
        let message = "a name has 1 to 48 of a-z, 0-9 and `_`: clients put the server's name \
                       before it and drop what is then longer than 60";
        found.push(error("name", "/name", message));
    }
    if description.chars().count() > LONGEST_DESCRIPTION {
        let message = format!("a description has at most {LONGEST_DESCRIPTION} characters");
        found.push(error("description", "/description", &message));
    }
    if description.trim().is_empty() {
        let message = "without a description a model can only guess from the name";
        found.push(LintFinding {
            severity: Severity::Warning,
            ..error("no-description", "/description", message)
        });
    }
    found
}

/// Checks an input schema.
pub(super) fn input(input: &Map<String, Value>, profile: Profile) -> Vec<LintFinding> {
    let mut found = Vec::new();
    // Who publishes all of JSON Schema knows clients that read it.
    if profile != Profile::Full {
        root(input, "/inputSchema", &mut found);
    }
    if let Some(Value::Object(properties)) = input.get("properties") {
        for name in properties.keys().filter(|name| !is_portable_key(name)) {
            let message = "an argument's name has 1 to 64 of a-z, A-Z, 0-9, `_`, `.` and `-`: \
                           others are dropped or refused by model APIs";
            let pointer = format!("/inputSchema/properties/{}", escape(name));
            found.push(error("property-key", &pointer, message));
        }
    }
    found
}

/// Checks an output schema.
pub(super) fn output(output: &Map<String, Value>) -> Vec<LintFinding> {
    let mut found = Vec::new();
    root(output, "/outputSchema", &mut found);
    binding(output, &mut found);
    found
}

/// Whether there is nothing in a definition that clients refuse.
pub(super) fn is_clean(definition: &Map<String, Value>) -> bool {
    let mut found = Vec::new();
    object(definition, &At::Root(""), &mut found);
    found.is_empty()
}

/// Checks how many tools there are.
pub fn lint_count(tools: usize) -> Option<LintFinding> {
    if tools > TOO_MANY_TOOLS {
        let message = format!("{tools} tools: some clients send at most {TOO_MANY_TOOLS}");
        Some(error("too-many-tools", "", &message))
    } else if tools > MANY_TOOLS {
        let message = format!("{tools} tools: models choose worse among more than {MANY_TOOLS}");
        Some(LintFinding { severity: Severity::Warning, ..error("many-tools", "", &message) })
    } else {
        None
    }
}

/// Whether model APIs take the name of an argument.
pub(super) fn is_portable_key(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

fn error(rule: &'static str, pointer: &str, message: &str) -> LintFinding {
    LintFinding {
        severity: Severity::Error,
        rule,
        pointer: pointer.to_owned(),
        message: message.to_owned(),
    }
}

fn root(schema: &Map<String, Value>, at: &str, found: &mut Vec<LintFinding>) {
    if schema.get("type") != Some(&Value::String("object".to_owned())) {
        found.push(error("root-type", at, "the root says `type: object`, or lists break"));
    }
    for keyword in ["oneOf", "anyOf", "allOf", "not", "if", "enum", "const", "$ref"] {
        if schema.contains_key(keyword) {
            let message = format!("`{keyword}` at the root is refused by model APIs");
            found.push(error("root-combinator", &format!("{at}/{keyword}"), &message));
        }
    }
    object(schema, &At::Root(at), found);
}

/// Where a walk is, put together only where there is something to say.
enum At<'a> {
    Root(&'a str),
    Member(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl At<'_> {
    fn pointer(&self) -> String {
        match self {
            Self::Root(at) => (*at).to_owned(),
            Self::Member(parent, name) => format!("{}/{}", parent.pointer(), escape(name)),
            Self::Item(parent, index) => format!("{}/{index}", parent.pointer()),
        }
    }
}

/// Every schema of the tree: what no client takes anywhere in it.
fn walk(schema: &Value, at: &At<'_>, found: &mut Vec<LintFinding>) {
    if found.len() >= 50 {
        return;
    }
    let Value::Object(schema) = schema else {
        let message = "a schema is an object, never true or false";
        found.push(error("boolean-schema", &at.pointer(), message));
        return;
    };
    object(schema, at, found);
}

fn object(object: &Map<String, Value>, at: &At<'_>, found: &mut Vec<LintFinding>) {
    if object.get("type").is_some_and(Value::is_array) {
        let message = "a list of types is `anyOf` for clients";
        found.push(error("type-list", &at.pointer(), message));
    }
    if let Some(reference) = object.get("$ref") {
        let local = reference.as_str().is_some_and(|r| r == "#" || r.starts_with("#/"));
        if !local {
            let message = "a reference stays within the schema";
            found.push(error("remote-reference", &at.pointer(), message));
        }
        if object.len() > 1 {
            let message = "clients drop what stands beside a reference";
            found.push(error("reference-siblings", &at.pointer(), message));
        }
    }
    if let Some(Value::String(said)) = object.get("description")
        && said.chars().count() > LONGEST_DESCRIPTION
    {
        let message = "a description is longer than models are shown";
        found.push(error("description", &at.pointer(), message));
    }
    for (keyword, value) in object {
        let at = At::Member(at, keyword);
        match (keyword.as_str(), value) {
            ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                for (name, schema) in schemas {
                    walk(schema, &At::Member(&at, name), found);
                }
            }
            ("additionalProperties", Value::Bool(_)) => {}
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(list)) => {
                for (i, schema) in list.iter().enumerate() {
                    walk(schema, &At::Item(&at, i), found);
                }
            }
            (
                "items"
                | "additionalProperties"
                | "not"
                | "contains"
                | "propertyNames"
                | "if"
                | "then"
                | "else"
                | "unevaluatedItems"
                | "unevaluatedProperties",
                schema,
            ) => walk(schema, &at, found),
            _ => {}
        }
    }
}

/// A published output schema that an answer could break makes clients throw the answer away.
fn binding(output: &Map<String, Value>, found: &mut Vec<LintFinding>) {
    let mut stack: Vec<(String, &Map<String, Value>)> = vec![("/outputSchema".to_owned(), output)];
    while let Some((at, schema)) = stack.pop() {
        for (keyword, value) in schema {
            match (keyword.as_str(), value) {
                ("description" | "title", _) => {}
                ("type", _) if at == "/outputSchema" => {}
                ("properties", Value::Object(properties)) => {
                    for (name, schema) in properties {
                        if let Value::Object(schema) = schema {
                            let name = escape(name);
                            stack.push((format!("{at}/properties/{name}"), schema));
                        }
                    }
                }
                ("items", Value::Object(items)) => stack.push((format!("{at}/items"), items)),
                (keyword, _) => {
                    let message = format!("`{keyword}` can be broken by an answer or an error");
                    found.push(error("binding-output", &format!("{at}/{keyword}"), &message));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(name: &str, description: &str, input: &Value, output: &Value) -> Vec<&'static str> {
        let listed = Listed {
            name,
            description,
            input: input.as_object().expect("an object"),
            output: output.as_object(),
            profile: Profile::Portable,
        };
        lint(&listed).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn each_rule_has_its_bad_case() {
        let property = |schema: Value| json!({"type": "object", "properties": {"a": schema}});
        for (input, rule) in [
            (json!({}), "root-type"),
            (json!({"type": "object", "oneOf": []}), "root-combinator"),
            (property(json!(true)), "boolean-schema"),
            (property(json!({"items": false})), "boolean-schema"),
            (property(json!({"type": ["string", "null"]})), "type-list"),
            (property(json!({"$ref": "https://example.com/a"})), "remote-reference"),
            (property(json!({"$ref": "#/$defs/A", "title": "x"})), "reference-siblings"),
            (property(json!({"description": "x".repeat(1_025)})), "description"),
            (json!({"type": "object", "properties": {"a b": {}}}), "property-key"),
        ] {
            assert_eq!(rules("a", "b", &input, &Value::Null), [rule], "{input}");
        }
        let fine = json!({"type": "object"});
        assert_eq!(rules("Bad-Name", "b", &fine, &Value::Null), ["name"]);
        assert_eq!(rules("a", "", &fine, &Value::Null), ["no-description"]);
        assert_eq!(rules("a", &"x".repeat(1_025), &fine, &Value::Null), ["description"]);
        let output = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        assert_eq!(rules("a", "b", &fine, &output), ["binding-output"]);
        assert_eq!(rules("a", "b", &fine, &fine), [""; 0]);
    }

    #[test]
    fn many_tools_are_a_warning_and_too_many_an_error() {
        assert_eq!(lint_count(40), None);
        assert_eq!(lint_count(41).map(|f| f.severity), Some(Severity::Warning));
        assert_eq!(lint_count(129).map(|f| f.severity), Some(Severity::Error));
    }
}
