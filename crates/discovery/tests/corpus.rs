//! Real documents, where a folder of them is at hand: the notation costs half of their schemas,
//! loses nothing, and ten results stay below six hundred tokens.

use std::path::{Path, PathBuf};

use tollbridge_discovery::{constraints, describe, line, parse, write};
use tollbridge_openapi::{ReadOptions, read};
use tollbridge_operation::{ApiName, Operation, Schema};

const DOCUMENTS: [&str; 7] = [
    "oai_v3.0_petstore-expanded.json",
    "tmdb.json",
    "pdns.json",
    "kinto.json",
    "discord.json",
    "twilio_conversations_v1.yaml",
    "slack_web_v2.json",
];

fn folder() -> PathBuf {
    let named = std::env::var_os("TOLLBRIDGE_CORPUS").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/openapi");
    named.unwrap_or(usual)
}

/// The operations of each document; none where there is no corpus.
fn documents() -> Vec<(&'static str, Vec<Operation>)> {
    let api = ApiName::new("corpus").expect("a name");
    let mut all = Vec::new();
    for name in DOCUMENTS {
        let Ok(bytes) = std::fs::read(folder().join(name)) else {
            eprintln!("skipped: there is no {name}; TOLLBRIDGE_CORPUS names the corpus's folder");
            continue;
        };
        let read = read(&bytes, &ReadOptions { api: &api, source: None });
        all.push((name, read.expect("a description").operations));
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
    for (_, operations) in documents() {
        for operation in &operations {
            survives(&operation.input, operation);
            if let Some(output) = &operation.output {
                survives(output, operation);
            }
        }
    }
}

#[test]
fn a_described_operation_costs_at_most_half_of_its_json_schema() {
    for (name, operations) in documents() {
        let (mut described, mut schemas, mut above) = (0, 0, 0);
        for operation in operations.iter().take(120) {
            let ours = tokens(&describe(operation));
            let mut theirs = tokens(&operation.input.to_value().to_string());
            if let Some(output) = &operation.output {
                theirs += tokens(&output.to_value().to_string());
            }
            described += ours;
            schemas += theirs;
            above += usize::from(ours * 2 > theirs);
        }
        let count = operations.len().min(120);
        println!(
            "{name}: {count} operations, {described} of {schemas} tokens ({}%), {above} above half",
            described * 100 / schemas.max(1)
        );
        // One that takes next to nothing costs its own name and place all the same.
        let small = schemas / count.max(1) < 300;
        assert!(small || described * 2 <= schemas, "{name}");
    }
}

#[test]
fn ten_results_cost_less_than_six_hundred_tokens() {
    for (name, operations) in documents() {
        let mut costs: Vec<usize> = operations.iter().map(|one| tokens(&line(one)) + 1).collect();
        costs.sort_unstable_by(|a, b| b.cmp(a));
        let (dearest, all): (usize, usize) = (costs.iter().take(10).sum(), costs.iter().sum());
        println!("{name}: the dearest ten {dearest}, ten on average {}", all * 10 / costs.len());
        assert!(dearest < 600, "{name}: {dearest}");
    }
}
