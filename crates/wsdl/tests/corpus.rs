//! WSDL documents of the world: what of them is read, and what comes back of what is sent.
//!
//! The documents are others' and not part of this repository. Where they are absent, this
//! test says so and ends.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use http::{HeaderMap, StatusCode};
use tollbridge_operation::{Arguments, Response};

use support::folder::{load, wsdls};
use support::generate::{self, Fill};

/// What zeep 4.3 loads of the same 135 documents.
const ZEEP: usize = 112;

fn folder() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/wsdl");
    path.canonicalize().ok()
}

#[test]
fn wsdls_of_the_world_become_operations_or_say_why_not() {
    let Some(folder) = folder() else {
        println!("skipped: there is no corpus of WSDL documents beside this repository");
        return;
    };
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let (mut whole, mut loaded, mut operations, mut skipped, mut sent, mut unmade) =
        (0, 0, 0, 0, 0, 0);
    let all = wsdls(&folder);
    for path in &all {
        let shown = path.strip_prefix(&folder).expect("it is in there").display();
        let description = match load(&folder, path) {
            Ok(description) => description,
            Err(error) => {
                println!("{shown}: not read: {error}");
                continue;
            }
        };
        for one in &description.skipped {
            assert!(!one.reason.is_empty(), "{shown}: {} has no reason", one.key);
            println!("{shown}: skipped {}: {}: {}", one.key, one.pointer, one.reason);
            *reasons.entry(one.reason.chars().take(60).collect()).or_default() += 1;
        }
        whole += usize::from(description.skipped.iter().all(|one| is_elsewhere(&one.reason)));
        if description.operations.is_empty() {
            let words: Vec<_> = description.warnings.iter().map(|w| w.message.as_str()).collect();
            println!("{shown}: no operation; {}", words.join("; "));
            assert!(
                !description.skipped.is_empty() || !words.is_empty(),
                "{shown} has no operation, and nothing says why"
            );
        } else {
            loaded += 1;
        }
        operations += description.operations.len();
        skipped += description.skipped.len();
        for operation in &description.operations {
            for fill in [Fill::Required, Fill::Everything] {
                let arguments = match generate::value(&operation.input.to_value(), fill) {
                    Ok(arguments) => arguments,
                    Err(reason) => {
                        println!("{shown}: {}: nothing made up: {reason}", operation.id);
                        unmade += 1;
                        continue;
                    }
                };
                let arguments = Arguments(arguments.as_object().expect("an object").clone());
                match operation.binding.encode(&arguments) {
                    Ok(request) => {
                        sent += 1;
                        // Whatever comes, reading it must not panic: here our own request.
                        let _ = operation.binding.decode(&Response {
                            status: StatusCode::OK,
                            headers: HeaderMap::new(),
                            body: request.body.map(|body| body.bytes).unwrap_or_default(),
                        });
                    }
                    Err(error) => {
                        println!("{shown}: {}: refused {arguments:?}: {error}", operation.id);
                        unmade += 1;
                    }
                }
            }
        }
    }
    println!(
        "{} documents: {whole} read whole, {loaded} with operations, {operations} operations, \
         {skipped} skipped; {sent} requests written, {unmade} not made up",
        all.len()
    );
    for (reason, count) in reasons {
        println!("{count:5} {reason}");
    }
    assert!(whole > ZEEP, "{whole} of {} documents are read whole", all.len());
}

/// Whether what was skipped does not go over HTTP, or not as WSDL says how.
fn is_elsewhere(reason: &str) -> bool {
    ["only HTTP is bridged", "SOAP and HTTP are bridged", "expected a binding to SOAP"]
        .iter()
        .any(|words| reason.contains(words))
}
