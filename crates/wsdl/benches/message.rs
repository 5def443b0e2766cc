//! How long one SOAP message takes: arguments into an envelope, an envelope into a value.
//!
//! `cargo bench -p tollbridge-wsdl --bench message -- WSDL OPERATION RESPONSE` measures the
//! operation, which echoes: what is read from the response is what it is sent. It prints one
//! JSON object; `benches/soap/run.py` does so beside other implementations. Without files there
//! is nothing to do.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tollbridge_operation::{Answer, ApiName, Arguments, Payload, Response};
use tollbridge_wsdl::{ReadOptions, Source};
use url::Url;

/// How long each direction is repeated; the best time counts, since noise only adds.
const TIME: Duration = Duration::from_secs(2);

/// The WSDL stands alone.
struct NoDocuments;

impl Source for NoDocuments {
    fn read(&self, url: &Url) -> Result<bytes::Bytes, String> {
        Err(format!("{url} is not read here"))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let [wsdl, operation, response] = files.as_slice() else {
        eprintln!("nothing to measure: benches/soap/run.py names the files");
        return Ok(());
    };
    let api = ApiName::new("bench")?;
    let options = ReadOptions { api: &api, source: None, documents: &NoDocuments };
    let description = tollbridge_wsdl::read(&std::fs::read(wsdl)?, &options)?;
    let known = |key: &str| key == operation || key.ends_with(&format!(".{operation}"));
    let operation = description
        .operations
        .iter()
        .find(|one| known(one.id.key.as_str()))
        .ok_or("the WSDL has no such operation")?;
    let type_ = HeaderValue::from_static("text/xml; charset=utf-8");
    let response = Response {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, type_)]),
        body: std::fs::read(response)?.into(),
    };
    let Answer::Success { payload: Payload::Value(answer), drift, .. } =
        operation.binding.decode(&response)
    else {
        return Err("the response was not read as a success".into());
    };
    if let Some(drift) = drift.first() {
        return Err(format!("{}: {}", drift.pointer, drift.message).into());
    }
    let Value::Object(arguments) = answer else { return Err("the answer is no object".into()) };
    let rows = arguments.values().filter_map(Value::as_array).map(Vec::len).max();
    let arguments = Arguments(arguments);
    let envelope = operation.binding.encode(&arguments)?.body.ok_or("no body")?;
    let encode = best(|| drop(black_box(operation.binding.encode(black_box(&arguments)))));
    let decode = best(|| drop(black_box(operation.binding.decode(black_box(&response)))));
    println!(
        "{}",
        json!({
            "encode_ms": encode.as_secs_f64() * 1e3,
            "decode_ms": decode.as_secs_f64() * 1e3,
            "bytes": envelope.bytes.len(),
            "rows": rows,
        })
    );
    Ok(())
}

fn best(mut run: impl FnMut()) -> Duration {
    let began = Instant::now();
    let mut best = Duration::MAX;
    while began.elapsed() < TIME {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best
}
