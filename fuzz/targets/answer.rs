//! No answer makes the decoders panic or hang, whatever it calls itself.

#![no_main]

mod common;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use tollbridge_operation::Response;

const TYPES: &[&str] = &[
    "application/json",
    "application/xml",
    "text/plain; charset=utf-16",
    "text/event-stream",
    "application/x-ndjson",
    "application/json-seq",
    "application/x-www-form-urlencoded",
    "multipart/mixed; boundary=b",
    "application/octet-stream",
];

fuzz_target!(|data: &[u8]| {
    let Some((operation, rest)) = common::chosen(data) else { return };
    let Some((kind, body)) = rest.split_first() else { return };
    let mut headers = HeaderMap::new();
    if let Some(name) = TYPES.get(usize::from(*kind) % (TYPES.len() + 1)) {
        headers.insert("content-type", HeaderValue::from_static(name));
    }
    let status = if kind & 0x80 == 0 { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let body = Bytes::copy_from_slice(body);
    let _ = operation.binding.decode(&Response { status, headers, body });
});
