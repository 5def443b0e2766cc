//! An outcome as the store keeps it, for the same call made again.
//!
//! Values are put together and read member by member: serde's tagged enums do not know numbers
//! that keep their digits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tollbridge_operation::{Attachment, Drift, Payload};

use super::reply::{ErrorCode, Failure, Success};
use crate::tools::answer::Cut;

/// Longer outcomes are not kept; that they are there is.
const MOST: usize = 1 << 20;

/// What is kept of a call.
pub(super) enum Kept {
    Success(Box<Success>),
    Failure(Box<Failure>),
    /// It succeeded, and its answer was too long to be kept.
    TooLong,
    /// It was erased; the code of the failure that it was, where it was one.
    Erased(Option<ErrorCode>),
}

/// The outcome as text.
pub(super) fn written(result: &Result<Success, Failure>) -> String {
    let text = match result {
        Ok(success) => json!({
            "payload": payload(&success.payload),
            "drift": success.drift.iter().map(|drift| json!([drift.pointer, drift.message])).collect::<Vec<_>>(),
            "headers": success.headers,
            "cuts": success.cuts.iter().map(|cut| json!([cut.pointer, cut.unit, cut.kept, cut.total])).collect::<Vec<_>>(),
        }),
        Err(failure) => json!({ "failure": failure }),
    };
    let text = text.to_string();
    if text.len() > MOST { json!({ "too_long": true }).to_string() } else { text }
}

/// An outcome read back; `None` for what this version does not know.
pub(super) fn read(text: &str) -> Option<Kept> {
    let Value::Object(mut members) = serde_json::from_str(text).ok()? else { return None };
    if members.contains_key("too_long") {
        return Some(Kept::TooLong);
    }
    if let Some(ended) = members.remove("erased") {
        return Some(Kept::Erased(serde_json::from_value(ended).ok()));
    }
    if let Some(failure) = members.remove("failure") {
        return Some(Kept::Failure(Box::new(serde_json::from_value(failure).ok()?)));
    }
    let drift = list(members.remove("drift")).into_iter().filter_map(|drift| {
        Some(Drift { pointer: text_at(&drift, 0)?, message: text_at(&drift, 1)? })
    });
    let cuts = list(members.remove("cuts")).into_iter().filter_map(|cut| {
        let number = |at: usize| usize::try_from(cut.get(at)?.as_u64()?).ok();
        Some(Cut {
            pointer: text_at(&cut, 0)?,
            unit: ["rows", "members"]
                .into_iter()
                .find(|unit| cut[1] == **unit)
                .unwrap_or("characters"),
            kept: number(2)?,
            total: number(3)?,
        })
    });
    let (drift, cuts) = (drift.collect(), cuts.collect());
    let headers = match members.remove("headers") {
        Some(Value::Object(headers)) => headers,
        _ => Map::new(),
    };
    let payload = payload_of(members.remove("payload")?)?;
    Some(Kept::Success(Box::new(Success {
        payload,
        drift,
        headers,
        cuts,
        pages: None,
        next: Vec::new(),
        note: None,
    })))
}

fn payload(payload: &Payload) -> Value {
    let bytes = |media_type: &str, data: &[u8]| json!([media_type, STANDARD.encode(data)]);
    match payload {
        Payload::Empty => json!({}),
        Payload::Value(value) => json!({ "value": value }),
        Payload::Bytes { media_type, data } => json!({ "bytes": bytes(media_type, data) }),
        Payload::Parts { value, attached } => {
            let attached: Vec<Value> =
                attached.iter().map(|one| bytes(&one.media_type, &one.data)).collect();
            json!({ "value": value, "attached": attached })
        }
    }
}

fn payload_of(kept: Value) -> Option<Payload> {
    let Value::Object(mut members) = kept else { return None };
    if let Some(bytes) = members.remove("bytes") {
        let Attachment { media_type, data } = attachment(&bytes)?;
        return Some(Payload::Bytes { media_type, data });
    }
    let Some(value) = members.remove("value") else { return Some(Payload::Empty) };
    let Some(attached) = members.remove("attached") else { return Some(Payload::Value(value)) };
    let attached: Option<Vec<Attachment>> = list(Some(attached)).iter().map(attachment).collect();
    Some(Payload::Parts { value, attached: attached? })
}

fn attachment(kept: &Value) -> Option<Attachment> {
    let data = STANDARD.decode(kept.get(1)?.as_str()?).ok()?;
    Some(Attachment { media_type: text_at(kept, 0)?, data: data.into() })
}

fn list(kept: Option<Value>) -> Vec<Value> {
    match kept {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

fn text_at(kept: &Value, at: usize) -> Option<String> {
    Some(kept.get(at)?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn success(payload: Payload) -> Success {
        Success {
            payload,
            drift: vec![Drift { pointer: "/a".to_owned(), message: "is wrong".to_owned() }],
            headers: Map::from_iter([("location".to_owned(), json!("/orders/1"))]),
            cuts: vec![Cut { pointer: "/rows".to_owned(), unit: "rows", kept: 1, total: 2 }],
            pages: None,
            next: Vec::new(),
            note: None,
        }
    }

    #[test]
    fn a_success_is_read_back_as_it_was_its_digits_and_bytes_too() {
        let number: Value = serde_json::from_str("12345678901234567890.0123456789").expect("JSON");
        for payload in [
            Payload::Empty,
            Payload::Value(json!({ "n": number })),
            Payload::Value(Value::Null),
            Payload::Bytes { media_type: "image/png".to_owned(), data: vec![0, 255].into() },
            Payload::Parts {
                value: json!([1]),
                attached: vec![Attachment { media_type: "a/b".to_owned(), data: vec![1].into() }],
            },
        ] {
            let given = success(payload);
            let Some(Kept::Success(back)) = read(&written(&Ok(success(given.payload.clone()))))
            else {
                panic!("{:?} is not read back", given.payload)
            };
            assert_eq!(back.payload, given.payload);
            assert_eq!(
                (back.drift, back.headers, back.cuts),
                (given.drift, given.headers, given.cuts)
            );
        }
    }

    #[test]
    fn a_failure_is_read_back_with_what_the_upstream_said() {
        let mut failure = Failure::new(ErrorCode::UpstreamError, "it says no");
        failure.upstream = Some(crate::gateway::reply::UpstreamAnswer {
            status: Some(409),
            body: json!({"why": "taken"}),
            fault: None,
        });
        let Some(Kept::Failure(back)) = read(&written(&Err(failure.clone()))) else {
            panic!("it is not read back")
        };
        assert_eq!(*back, failure);
    }

    #[test]
    fn what_is_too_long_is_not_kept_but_that_it_is_there_is() {
        let long = success(Payload::Value(Value::String("a".repeat(MOST))));
        assert!(matches!(read(&written(&Ok(long))), Some(Kept::TooLong)));
        assert!(read("{}").is_none() && read("no").is_none());
    }
}
