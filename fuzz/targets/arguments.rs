//! No arguments make the encoders panic, leave the path's segments, or write a second line
//! into a header.

#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;
use tollbridge_operation::Arguments;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let Some((operation, rest)) = common::chosen(data) else { return };
    let Ok(serde_json::Value::Object(arguments)) = serde_json::from_slice(rest) else { return };
    let Ok(request) = operation.binding.encode(&Arguments(arguments)) else { return };
    let query = request.query.map(|query| format!("?{query}")).unwrap_or_default();
    let url = Url::parse(&format!("http://host.example{}{query}", request.path)).expect("a URL");
    assert_eq!(url.host_str(), Some("host.example"));
    assert_eq!(url.fragment(), None);
    let template = operation.endpoint.as_ref().expect("an endpoint").path.matches('/').count();
    assert_eq!(url.path_segments().expect("segments").count(), template, "{url}");
    for (_, value) in &request.headers {
        assert!(!value.as_bytes().iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
    }
    for cookie in &request.cookies {
        assert!(!cookie.contains([';', '\r', '\n', ' ']), "{cookie}");
    }
});
