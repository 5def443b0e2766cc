//! No bytes make the reader panic or hang, and the same bytes are read the same way.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tollbridge_openapi::{ReadOptions, read};
use tollbridge_operation::ApiName;

fuzz_target!(|data: &[u8]| {
    let api = ApiName::new("api").expect("a name");
    let options = ReadOptions { api: &api, source: None };
    if let Ok(description) = read(data, &options) {
        let again = read(data, &options).expect("what was read once");
        let ids = |operations: &[tollbridge_operation::Operation]| {
            operations.iter().map(|one| one.id.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&description.operations), ids(&again.operations));
    }
});
