//! Real documents, where a folder of them is at hand: the notation costs half of their schemas,
//! loses nothing, and ten results stay below six hundred tokens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tollbridge_discovery::{Found, Hit, constraints, describe, line, parse, results, types, write};
use tollbridge_openapi::{ReadOptions, read};
use tollbridge_operation::{ApiName, Operation, Schema};

/// Each document, and what its types may cost of its schemas, in per cent. Most of Slack's
/// schemas are patterns, which cost the same however they are written.
const DOCUMENTS: [(&str, usize); 7] = [
    ("oai_v3.0_petstore-expanded.json", 50),
    ("tmdb.json", 50),
    ("pdns.json", 50),
    ("kinto.json", 50),
    ("discord.json", 50),
    ("twilio_conversations_v1.yaml", 50),
    ("slack_web_v2.json", 50),
];

fn folder() -> PathBuf {
    let named = std::env::var_os("TOLLBRIDGE_CORPUS").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/openapi");
    named.unwrap_or(usual)
}

/// The operations of each document; none where there is no corpus.
fn documents() -> Vec<(&'static str, usize, Vec<Operation>)> {
    let api = ApiName::new("corpus").expect("a name");
    let mut all = Vec::new();
    for (name, share) in DOCUMENTS {
        let Ok(bytes) = std::fs::read(folder().join(name)) else {
            eprintln!("skipped: there is no {name}; TOLLBRIDGE_CORPUS names the corpus's folder");
            continue;
        };
        let read = read(&bytes, &ReadOptions { api: &api, source: None });
        all.push((name, share, read.expect("a description").operations));
    }
    all
}

fn tokens(text: &str) -> usize {
    bpe_openai::o200k_base().count(text)
}

fn survives(schema: &Schema, of: &Operation) {
    let text = write(schema);
    let back = parse(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", of.id));
    assert_eq!(constraints(&back), constraints(&schema.to_value()), "{}\n{text}", of.id);
}

#[test]
fn every_schema_is_read_back_to_the_same_constraints() {
    for (_, _, operations) in documents() {
        for operation in &operations {
            survives(&operation.input, operation);
            if let Some(output) = &operation.output {
                survives(output, operation);
            }
        }
    }
}

#[test]
fn the_types_of_operations_cost_at_most_half_of_their_json_schemas() {
    for (name, share, operations) in documents() {
        let (mut ours, mut theirs, mut all, mut tools) = (0, 0, 0, 0);
        for operation in operations.iter().take(120) {
            let output = operation.output.as_ref().map(Schema::to_value);
            let schemas = [Some(operation.input.to_value()), output.clone()];
            theirs += schemas.iter().flatten().map(|one| tokens(&one.to_string())).sum::<usize>();
            ours += tokens(&types(operation));
            all += tokens(&describe(operation));
            let said = [&operation.summary, &operation.description];
            let said: Vec<&str> = said.into_iter().flatten().map(String::as_str).collect();
            let tool = json!({
                "name": operation.id.to_string(), "description": said.join("\n"),
                "inputSchema": operation.input.to_value(), "outputSchema": output,
            });
            tools += tokens(&tool.to_string());
        }
        let count = operations.len().min(120);
        println!(
            "{name}: {count} operations, types {ours} of {theirs} tokens ({}%), with texts and \
             example {all} of {tools} ({}%)",
            ours * 100 / theirs,
            all * 100 / tools
        );
        assert!(ours * 100 <= theirs * share, "{name}");
    }
}

#[test]
fn ten_results_cost_less_than_six_hundred_tokens() {
    for (name, _, operations) in documents() {
        let mut lines: Vec<(usize, Operation)> =
            operations.into_iter().map(|one| (tokens(&line(&one)) + 1, one)).collect();
        lines.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        let all: usize = lines.iter().map(|(cost, _)| cost).sum();
        let average = all * 10 / lines.len();
        let dearest = lines.into_iter().take(10);
        let hits = dearest.map(|(_, one)| Hit { operation: Arc::new(one), score: 1.0 }).collect();
        let corrected = vec![("custmoers".to_owned(), "customers".to_owned()); 3];
        let found = Found { hits, matched: 9_999, corrected };
        let list = tokens(&results(&found, |_| "held, 0.01 USDC".to_owned()));
        println!("{name}: the dearest ten in a list, with notes, {list}, ten on average {average}");
        assert!(list < 600, "{name}: {list}");
    }
}
