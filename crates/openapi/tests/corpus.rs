//! Real documents, where a folder of them is at hand: every one is read without a panic, and
//! next to nothing of them is lost.

use std::path::{Path, PathBuf};
use std::time::Instant;

use tollbridge_openapi::{ReadOptions, read};
use tollbridge_operation::ApiName;

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("TOLLBRIDGE_CORPUS").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/openapi");
    named.or(Some(usual)).filter(|folder| folder.is_dir())
}

#[test]
fn real_documents_are_read_nearly_whole() {
    let Some(folder) = folder() else {
        eprintln!("skipped: there is no corpus; TOLLBRIDGE_CORPUS names its folder");
        return;
    };
    let api = ApiName::new("corpus").expect("a name");
    let options = ReadOptions { api: &api, source: None };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder can be read")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension().is_some_and(|end| end == "json" || end == "yaml" || end == "yml")
        })
        .collect();
    files.sort();
    let (mut callable, mut all) = (0, 0);
    for file in files {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        let bytes = std::fs::read(&file).expect("the file can be read");
        let start = Instant::now();
        let description =
            read(&bytes, &options).unwrap_or_else(|error| panic!("{name:?}: {error}"));
        let took = start.elapsed().as_millis();
        callable += description.operations.len();
        all += description.operations.len() + description.skipped.len();
        let size: usize = description
            .operations
            .iter()
            .map(|operation| {
                let output = operation.output.as_ref();
                operation.input.to_value().to_string().len()
                    + output.map_or(0, |output| output.to_value().to_string().len())
            })
            .sum();
        println!(
            "{:36} {:5} operations, {:5} callable, {:4} warnings, {took:5} ms, {:6} KiB of schemas{}",
            name.unwrap_or_default(),
            description.operations.len() + description.skipped.len(),
            description.operations.len(),
            description.warnings.len(),
            size / 1024,
            description
                .skipped
                .first()
                .map(|first| format!(", {} {}: {}", first.key, first.pointer, first.reason))
                .unwrap_or_default()
        );
        if std::env::var_os("TOLLBRIDGE_CORPUS_WARNINGS").is_some() {
            for warning in description.warnings.iter().take(12) {
                println!("    {}: {}", warning.pointer, warning.message);
            }
        }
        for operation in &description.operations {
            assert_self_contained(&operation.input.to_value());
            if let Some(output) = &operation.output {
                assert_self_contained(&output.to_value());
            }
        }
    }
    println!("{callable} of {all} operations are callable");
    assert!(callable * 100 >= all * 99, "{callable} of {all} operations are callable");
}

/// Every reference leads into the schema's own definitions.
fn assert_self_contained(root: &serde_json::Value) {
    let mut stack = vec![root];
    while let Some(value) = stack.pop() {
        match value {
            serde_json::Value::Object(object) => {
                if let Some(serde_json::Value::String(reference)) = object.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a local reference");
                    assert!(root.pointer(pointer).is_some(), "{reference} leads nowhere");
                }
                stack.extend(
                    object
                        .iter()
                        .filter(|(name, _)| {
                            !matches!(name.as_str(), "examples" | "default" | "enum" | "const")
                        })
                        .map(|(_, value)| value),
                );
            }
            serde_json::Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
}
