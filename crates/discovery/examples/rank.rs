//! Ranks the operations of an OpenAPI document for each query on standard input, one a line.
//!
//! ```text
//! rank DOCUMENT < queries      one JSON list of `METHOD /path` a query
//! rank DOCUMENT --texts        the text of each operation, for other rankers to read
//! ```
//!
//! `benches/discovery/run.py` compares with it.

use std::io::BufRead;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use tollbridge_discovery::Corpus;
use tollbridge_openapi::{ReadOptions, read};
use tollbridge_operation::{ApiName, Operation};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = arguments.first() else {
        eprintln!("usage: rank DOCUMENT [--texts]");
        return ExitCode::from(2);
    };
    let api = ApiName::new("api").expect("a name");
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            eprintln!("{path}: {error}");
            return ExitCode::from(2);
        }
    };
    let description = match read(&bytes, &ReadOptions { api: &api, source: None }) {
        Ok(description) => description,
        Err(error) => {
            eprintln!("{path}: {error}");
            return ExitCode::from(2);
        }
    };
    let operations: Vec<Arc<Operation>> =
        description.operations.into_iter().map(Arc::new).collect();
    if arguments.iter().any(|one| one == "--texts") {
        for operation in &operations {
            println!("{}", json!({"place": place(operation), "text": text(operation)}));
        }
        return ExitCode::SUCCESS;
    }
    let corpus = Corpus::new([(&api, &*description.title, &operations)]);
    let index = corpus.index(|_| true);
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let found = index.search(&line, 20);
        let places: Vec<String> = found.hits.iter().map(|hit| place(&hit.operation)).collect();
        println!("{}", json!(places));
    }
    ExitCode::SUCCESS
}

fn place(operation: &Operation) -> String {
    match &operation.endpoint {
        Some(endpoint) => format!("{} {}", endpoint.method, endpoint.path),
        None => operation.id.key.to_string(),
    }
}

/// All that the index reads, as one text.
fn text(operation: &Operation) -> String {
    let mut text = vec![operation.id.key.to_string(), place(operation)];
    text.extend(operation.summary.clone());
    text.extend(operation.description.clone());
    text.extend(operation.tags.iter().cloned());
    names(&operation.input.to_value(), &mut text);
    if let Some(output) = &operation.output {
        names(&output.to_value(), &mut text);
    }
    text.join("\n")
}

fn names(schema: &Value, into: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                for (name, property) in properties {
                    into.push(name.clone());
                    let said = property.get("description").and_then(Value::as_str);
                    into.extend(said.map(str::to_owned));
                }
            }
            members.values().for_each(|member| names(member, into));
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, into)),
        _ => {}
    }
}
