//! The operations of the hostile description in each version.

use std::sync::LazyLock;

use tollbridge_openapi::{ReadOptions, read};
use tollbridge_operation::{ApiName, Operation};

const OLD: &str = include_str!("../../tests/it/hostile/hostile-2.yaml");
const NEW: &str = include_str!("../../tests/it/hostile/hostile-3.yaml");
const NEWEST: &str = include_str!("../../tests/it/hostile/hostile-3.2.yaml");

/// All of them, in an order that stays.
pub static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let api = ApiName::new("api").expect("a name");
    let newest = NEW.replace("VERSION", "3.2.0").replace("NULLABLE_INTEGER", "{}") + NEWEST;
    let older = NEW.replace("VERSION", "3.0.4").replace("NULLABLE_INTEGER", "{}");
    [OLD, &older, &newest]
        .iter()
        .flat_map(|document| {
            let options = ReadOptions { api: &api, source: None };
            read(document.as_bytes(), &options).expect("a description").operations
        })
        .collect()
});

/// The operation that the first byte names, and the rest.
pub fn chosen(data: &[u8]) -> Option<(&'static Operation, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((&OPERATIONS[usize::from(*first) % OPERATIONS.len()], rest))
}
