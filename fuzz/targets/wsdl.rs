//! No documents make the reader of WSDL and XML Schema panic or hang; what it made of them can
//! be called, and no answer breaks what reads it.
//!
//! The bytes are one document, and after a NUL byte the one that every reference of it leads to.

#![no_main]

#[path = "../../crates/wsdl/tests/support/generate.rs"]
mod generate;

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use libfuzzer_sys::fuzz_target;
use tollbridge_operation::{ApiName, Arguments, Operation, Response};
use tollbridge_wsdl::{ReadOptions, Source, read};
use url::Url;

use generate::Fill;

const WAREHOUSE: &str = include_str!("../../specs/warehouse.wsdl");
const TYPES: &str = include_str!("../../specs/warehouse.xsd");

/// Operations of one document that are called.
const CALLED: usize = 6;

/// One document at every URL.
struct Only<'d>(Option<&'d [u8]>);

impl Source for Only<'_> {
    fn read(&self, _: &Url) -> Result<Bytes, String> {
        self.0.map(Bytes::copy_from_slice).ok_or_else(|| "there is no other".to_owned())
    }
}

/// Operations of a document that is well.
static OPERATIONS: LazyLock<Vec<Operation>> =
    LazyLock::new(|| operations(WAREHOUSE.as_bytes(), Some(TYPES.as_bytes())).expect("a WSDL"));

fn operations(wsdl: &[u8], other: Option<&[u8]>) -> Option<Vec<Operation>> {
    let api = ApiName::new("api").expect("a name");
    let url = Url::parse("http://service.example/a.wsdl").expect("a URL");
    let options = ReadOptions { api: &api, source: Some(&url), documents: &Only(other) };
    Some(read(wsdl, &options).ok()?.operations)
}

fn answer(operation: &Operation, status: StatusCode, body: &[u8]) {
    let body = Bytes::copy_from_slice(body);
    let _ = operation.binding.decode(&Response { status, headers: HeaderMap::new(), body });
}

fuzz_target!(|data: &[u8]| {
    let mut halves = data.splitn(2, |byte| *byte == 0);
    let (wsdl, other) = (halves.next().unwrap_or_default(), halves.next());
    let Some(read) = operations(wsdl, other) else {
        // No description: then it is an answer.
        for operation in OPERATIONS.iter() {
            answer(operation, StatusCode::OK, data);
        }
        return;
    };
    let again = operations(wsdl, other).expect("what was read once");
    let ids = |all: &[Operation]| all.iter().map(|one| one.id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&read), ids(&again));
    for operation in read.iter().take(CALLED) {
        for fill in [Fill::Required, Fill::Everything] {
            let Ok(value) = generate::value(&operation.input.to_value(), fill) else { continue };
            let Some(arguments) = value.as_object() else { continue };
            let Ok(request) = operation.binding.encode(&Arguments(arguments.clone())) else {
                continue;
            };
            if let Some(body) = request.body {
                answer(operation, StatusCode::OK, &body.bytes);
                answer(operation, StatusCode::INTERNAL_SERVER_ERROR, &body.bytes);
            }
        }
    }
});
