//! Real documents, where a folder of them is at hand: every operation becomes a tool that
//! clients take, and what its full schema takes no published one forbids.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tollbridge::tools::{Profile, Severity, Tool, ToolSpec};
use tollbridge_openapi::{ReadOptions, read};
use tollbridge_operation::{ApiName, Operation, ToolName};

pub(crate) fn documents() -> Vec<PathBuf> {
    let named = std::env::var_os("TOLLBRIDGE_CORPUS").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/openapi");
    let Ok(folder) = std::fs::read_dir(named.unwrap_or(usual)) else {
        eprintln!("skipped: there is no corpus; TOLLBRIDGE_CORPUS names its folder");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = folder.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}

fn tool(operation: &Arc<Operation>, profile: Profile) -> Tool {
    let spec = ToolSpec {
        name: ToolName::new("a_tool").unwrap(),
        title: None,
        description: None,
        effect: None,
        idempotent: None,
        rules: &[],
        examples: &[],
        reason: None,
        profile,
        operation: Arc::clone(operation),
    };
    let compiled = Tool::compile(spec);
    compiled.unwrap_or_else(|errors| panic!("{}: {errors:?}", operation.id)).0
}

/// A value that probably fits a schema; `turn` chooses among alternatives.
fn value(root: &Value, schema: &Value, turn: usize, depth: usize) -> Value {
    let Value::Object(object) = schema else { return json!("x") };
    if depth > 12 {
        return json!({});
    }
    let mut made = Value::Null;
    let mut add = |more: Value| match (&mut made, more) {
        (Value::Object(known), Value::Object(more)) => known.extend(more),
        (known @ Value::Null, more) => *known = more,
        _ => {}
    };
    if let Some(target) = object.get("$ref").and_then(Value::as_str) {
        add(value(root, root.pointer(&target[1..]).unwrap(), turn, depth + 1));
    }
    for part in object.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        add(value(root, part, turn, depth + 1));
    }
    for keyword in ["oneOf", "anyOf"] {
        if let Some(branches) = object.get(keyword).and_then(Value::as_array) {
            add(value(root, &branches[turn % branches.len()], turn, depth + 1));
        }
    }
    if let Some(value) = object.get("const") {
        return value.clone();
    }
    if let Some(values) = object.get("enum").and_then(Value::as_array) {
        return values[turn % values.len()].clone();
    }
    let kind = match object.get("type") {
        Some(Value::Array(kinds)) => kinds[turn % kinds.len()].as_str(),
        kind => kind.and_then(Value::as_str),
    };
    match kind {
        Some("string") => {
            let least = object.get("minLength").and_then(Value::as_u64).unwrap_or(1);
            add(json!("a".repeat(usize::try_from(least.max(1)).unwrap().min(500))));
        }
        Some("integer" | "number") => add(object.get("minimum").cloned().unwrap_or(json!(1))),
        Some("boolean") => add(json!(true)),
        Some("array") => {
            let none = json!({});
            let item = value(root, object.get("items").unwrap_or(&none), turn, depth + 1);
            add(json!([item]));
        }
        _ => {}
    }
    if kind == Some("object") || object.contains_key("properties") {
        let required: Vec<&str> = object
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let properties = object.get("properties").and_then(Value::as_object);
        let members: Map<String, Value> = properties
            .into_iter()
            .flatten()
            .filter(|(name, _)| required.contains(&name.as_str()) || (depth < 5 && turn > 0))
            .map(|(name, schema)| (name.clone(), value(root, schema, turn, depth + 1)))
            .collect();
        add(Value::Object(members));
    }
    made
}

/// `nullable` of Gemini's subset, as JSON Schema says it.
fn with_null(schema: &Value) -> Value {
    match schema {
        Value::Object(object) => {
            let mut out: Map<String, Value> =
                object.iter().map(|(name, value)| (name.clone(), with_null(value))).collect();
            match out.get("nullable") {
                Some(Value::Bool(true)) => {
                    out.remove("nullable");
                    json!({"anyOf": [out, {"type": "null"}]})
                }
                _ => Value::Object(out),
            }
        }
        Value::Array(list) => Value::Array(list.iter().map(with_null).collect()),
        other => other.clone(),
    }
}

#[test]
fn every_operation_of_real_documents_is_a_tool_that_clients_take() {
    let api = ApiName::new("corpus").unwrap();
    let options = ReadOptions { api: &api, source: None };
    let mut fitting = 0;
    let mut tried = 0;
    for file in documents() {
        let bytes = std::fs::read(&file).unwrap();
        let Ok(description) = read(&bytes, &options) else { continue };
        for (index, operation) in description.operations.into_iter().enumerate() {
            let operation = Arc::new(operation);
            let portable = tool(&operation, Profile::Portable);
            let errors = portable.lint().into_iter().filter(|f| f.severity == Severity::Error);
            let errors: Vec<_> = errors.collect();
            assert!(errors.is_empty(), "{} of {}: {errors:?}", operation.id, file.display());
            let published = Value::Object(portable.input.to_map());
            assert!(published.to_string().len() < 200_000, "{}", operation.id);
            // The rest costs a validator each: a part of all is enough.
            if index % 8 != 0 {
                continue;
            }
            let gemini = tool(&operation, Profile::Gemini);
            let subset = with_null(&Value::Object(gemini.input.to_map()));
            let judges =
                [&published, &subset].map(|schema| jsonschema::validator_for(schema).unwrap());
            let full = operation.input.to_value();
            for turn in 0..3 {
                let Value::Object(arguments) = value(&full, &full, turn, 0) else { continue };
                tried += 1;
                if portable.arguments(&arguments).is_err() {
                    continue;
                }
                fitting += 1;
                for judge in &judges {
                    let arguments = Value::Object(arguments.clone());
                    let error = judge.validate(&arguments).err().map(|error| error.to_string());
                    assert_eq!(error, None, "{} {arguments}", operation.id);
                }
            }
        }
    }
    println!("{fitting} of {tried} generated calls fit their full schemas");
    assert!(2 * fitting >= tried, "{fitting} of {tried}");
}
