//! Messages of OTLP in the binary form of Protocol Buffers, made of their JSON mapping.
//!
//! The messages are made once, as JSON; here is a table of the fields that we use of them, with their
//! numbers and types (opentelemetry-proto 1.10.0), and the few ways in which a value is written
//! (protobuf.dev, "Encoding"). What the table does not have is not written, so a test holds that it has
//! all that is made.

use serde_json::{Map, Value};

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    name: &'static str,
    number: u32,
    kind: Kind,
}

/// How the value of a field is written; of an array each one, or together where numbers are packed.
#[derive(Debug)]
enum Kind {
    /// `string`.
    Text,
    /// `bytes` that the JSON mapping of OTLP has in hex: ids.
    Hex,
    /// `int64`, `bool`, or an enumeration.
    Varint,
    /// `fixed64` or `sfixed64`.
    Fixed64,
    /// `fixed32`.
    Fixed32,
    /// `double`.
    Double,
    /// Another message.
    Message(&'static [Field]),
}

const fn field(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind }
}

/// `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest`.
pub(super) static METRICS: &[Field] =
    &[field("resourceMetrics", 1, Kind::Message(RESOURCE_METRICS))];

/// `opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest`.
pub(super) static TRACES: &[Field] = &[field("resourceSpans", 1, Kind::Message(RESOURCE_SPANS))];

const RESOURCE_METRICS: &[Field] = &[
    field("resource", 1, Kind::Message(RESOURCE)),
    field("scopeMetrics", 2, Kind::Message(SCOPE_METRICS)),
];
const SCOPE_METRICS: &[Field] =
    &[field("scope", 1, Kind::Message(SCOPE)), field("metrics", 2, Kind::Message(METRIC))];
const METRIC: &[Field] = &[
    field("name", 1, Kind::Text),
    field("description", 2, Kind::Text),
    field("unit", 3, Kind::Text),
    field("gauge", 5, Kind::Message(GAUGE)),
    field("sum", 7, Kind::Message(SUM)),
    field("histogram", 9, Kind::Message(HISTOGRAM)),
];
const GAUGE: &[Field] = &[field("dataPoints", 1, Kind::Message(NUMBER_POINT))];
const SUM: &[Field] = &[
    field("dataPoints", 1, Kind::Message(NUMBER_POINT)),
    field("aggregationTemporality", 2, Kind::Varint),
    field("isMonotonic", 3, Kind::Varint),
];
const HISTOGRAM: &[Field] = &[
    field("dataPoints", 1, Kind::Message(HISTOGRAM_POINT)),
    field("aggregationTemporality", 2, Kind::Varint),
];
const NUMBER_POINT: &[Field] = &[
    field("startTimeUnixNano", 2, Kind::Fixed64),
    field("timeUnixNano", 3, Kind::Fixed64),
    field("asDouble", 4, Kind::Double),
    field("asInt", 6, Kind::Fixed64),
    field("attributes", 7, Kind::Message(ATTRIBUTE)),
];
const HISTOGRAM_POINT: &[Field] = &[
    field("startTimeUnixNano", 2, Kind::Fixed64),
    field("timeUnixNano", 3, Kind::Fixed64),
    field("count", 4, Kind::Fixed64),
    field("sum", 5, Kind::Double),
    field("bucketCounts", 6, Kind::Fixed64),
    field("explicitBounds", 7, Kind::Double),
    field("attributes", 9, Kind::Message(ATTRIBUTE)),
];
const RESOURCE_SPANS: &[Field] = &[
    field("resource", 1, Kind::Message(RESOURCE)),
    field("scopeSpans", 2, Kind::Message(SCOPE_SPANS)),
];
const SCOPE_SPANS: &[Field] =
    &[field("scope", 1, Kind::Message(SCOPE)), field("spans", 2, Kind::Message(SPAN))];
const SPAN: &[Field] = &[
    field("traceId", 1, Kind::Hex),
    field("spanId", 2, Kind::Hex),
    field("traceState", 3, Kind::Text),
    field("parentSpanId", 4, Kind::Hex),
    field("name", 5, Kind::Text),
    field("kind", 6, Kind::Varint),
    field("startTimeUnixNano", 7, Kind::Fixed64),
    field("endTimeUnixNano", 8, Kind::Fixed64),
    field("attributes", 9, Kind::Message(ATTRIBUTE)),
    field("status", 15, Kind::Message(STATUS)),
    field("flags", 16, Kind::Fixed32),
];
const STATUS: &[Field] = &[field("code", 3, Kind::Varint)];
const RESOURCE: &[Field] = &[field("attributes", 1, Kind::Message(ATTRIBUTE))];
const SCOPE: &[Field] = &[field("name", 1, Kind::Text), field("version", 2, Kind::Text)];
const ATTRIBUTE: &[Field] = &[field("key", 1, Kind::Text), field("value", 2, Kind::Message(ANY))];
const ANY: &[Field] = &[field("stringValue", 1, Kind::Text), field("intValue", 3, Kind::Varint)];

/// Wire types ("Message Structure").
const VARINT: u32 = 0;
const I64: u32 = 1;
const LEN: u32 = 2;
const I32: u32 = 5;

/// A message as bytes.
pub(super) fn encode(message: &Value, fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Value::Object(members) = message {
        write(members, fields, &mut bytes);
    }
    bytes
}

/// What stands in the message is written, whether or not it is a default: of some fields it matters
/// that they are there.
fn write(message: &Map<String, Value>, fields: &[Field], out: &mut Vec<u8>) {
    for Field { name, number, kind } in fields {
        match (message.get(*name), kind) {
            (None, _) => {}
            (Some(Value::Array(numbers)), Kind::Fixed64 | Kind::Double) => {
                let mut packed = Vec::with_capacity(8 * numbers.len());
                for number in numbers {
                    packed.extend_from_slice(&eight(number, kind));
                }
                delimited(*number, &packed, out);
            }
            (Some(Value::Array(values)), _) => {
                for value in values {
                    one(*number, kind, value, out);
                }
            }
            (Some(value), _) => one(*number, kind, value, out),
        }
    }
}

fn one(number: u32, kind: &Kind, value: &Value, out: &mut Vec<u8>) {
    match kind {
        Kind::Text => delimited(number, value.as_str().unwrap_or_default().as_bytes(), out),
        Kind::Hex => {
            let id = hex::decode(value.as_str().unwrap_or_default()).unwrap_or_default();
            delimited(number, &id, out);
        }
        Kind::Message(fields) => delimited(number, &encode(value, fields), out),
        Kind::Varint => {
            tag(number, VARINT, out);
            varint(integer(value), out);
        }
        Kind::Fixed64 | Kind::Double => {
            tag(number, I64, out);
            out.extend_from_slice(&eight(value, kind));
        }
        Kind::Fixed32 => {
            tag(number, I32, out);
            let small = u32::try_from(integer(value)).unwrap_or_default();
            out.extend_from_slice(&small.to_le_bytes());
        }
    }
}

fn eight(value: &Value, kind: &Kind) -> [u8; 8] {
    match kind {
        Kind::Double => value.as_f64().unwrap_or_default().to_le_bytes(),
        _ => integer(value).to_le_bytes(),
    }
}

/// A whole number: those of 64 bits are texts in the JSON mapping. Negative ones are written in two's
/// complement.
fn integer(value: &Value) -> u64 {
    match value {
        Value::Bool(yes) => u64::from(*yes),
        Value::String(text) => text
            .parse()
            .ok()
            .or_else(|| text.parse::<i64>().ok().map(i64::cast_unsigned))
            .unwrap_or_default(),
        number => number.as_u64().unwrap_or_default(),
    }
}

fn delimited(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    tag(number, LEN, out);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn tag(number: u32, wire: u32, out: &mut Vec<u8>) {
    varint(u64::from(number << 3 | wire), out);
}

fn varint(mut left: u64, out: &mut Vec<u8>) {
    while left >= 0x80 {
        out.push(left.to_le_bytes()[0] | 0x80);
        left >>= 7;
    }
    out.push(left.to_le_bytes()[0]);
}

/// What an answer says was not taken: how much, and why (`Export…ServiceResponse`, whose first field is
/// the partial success, whose first two these are). What cannot be read says nothing.
pub(super) fn partial(answer: &[u8]) -> (u64, String) {
    let mut said = (0, String::new());
    for (number, value) in read(answer) {
        let (1, Read::Bytes(inside)) = (number, value) else { continue };
        for (number, value) in read(inside) {
            match (number, value) {
                (1, Read::Varint(rejected)) => said.0 = rejected,
                (2, Read::Bytes(text)) => said.1 = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
    }
    said
}

enum Read<'b> {
    Varint(u64),
    Bytes(&'b [u8]),
    Other,
}

/// The fields of a message, up to what is none.
fn read(mut bytes: &[u8]) -> Vec<(u64, Read<'_>)> {
    let mut fields = Vec::new();
    while let Some(tag) = read_varint(&mut bytes) {
        let value = match u32::try_from(tag & 7).unwrap_or(u32::MAX) {
            VARINT => read_varint(&mut bytes).map(Read::Varint),
            LEN => read_varint(&mut bytes)
                .and_then(|length| bytes.split_off(..usize::try_from(length).ok()?))
                .map(Read::Bytes),
            I64 => bytes.split_off(..8).map(|_| Read::Other),
            I32 => bytes.split_off(..4).map(|_| Read::Other),
            _ => None,
        };
        let Some(value) = value else { break };
        fields.push((tag >> 3, value));
    }
    fields
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The members of a message that the table does not have.
#[cfg(test)]
pub(super) fn unknown(message: &Value, fields: &[Field]) -> Vec<String> {
    let all: Vec<&Value> = match message {
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    };
    let mut found = Vec::new();
    for (name, value) in all.into_iter().filter_map(Value::as_object).flatten() {
        match fields.iter().find(|field| field.name == name) {
            None => found.push(name.clone()),
            Some(Field { kind: Kind::Message(fields), .. }) => found.extend(unknown(value, fields)),
            Some(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_protobuf_has_them() {
        for (kind, value, expected) in [
            (Kind::Text, json!("testing"), "120774657374696e67"),
            (Kind::Hex, json!("00ff"), "120200ff"),
            (Kind::Varint, json!(150), "109601"),
            (Kind::Varint, json!("443"), "10bb03"),
            (Kind::Varint, json!("-1"), "10ffffffffffffffffff01"),
            (Kind::Varint, json!(true), "1001"),
            (Kind::Fixed64, json!("258"), "110201000000000000"),
            (Kind::Fixed64, json!(["1", "2"]), "121001000000000000000200000000000000"),
            (Kind::Fixed32, json!(769), "1501030000"),
            (Kind::Double, json!(1.5), "11000000000000f83f"),
            (Kind::Double, json!([1.5]), "1208000000000000f83f"),
            (Kind::Message(ANY), json!({"stringValue": ""}), "12020a00"),
            (Kind::Message(ANY), json!([{"intValue": "0"}, {}]), "120218001200"),
        ] {
            let bytes = encode(&json!({ "it": value }), &[field("it", 2, kind)]);
            assert_eq!(hex::encode(bytes), expected, "{value}");
        }
        let far = encode(&json!({"flags": 1}), &[field("flags", 16, Kind::Fixed32)]);
        assert_eq!(hex::encode(far), "850101000000");
    }

    #[test]
    fn an_answer_says_what_was_not_taken() {
        // A field of each other type stands between.
        for (answer, expected) in [
            ("", (0, "")),
            ("0a00", (0, "")),
            ("0a0b08031207746f6f206f6c64", (3, "too old")),
            ("10011a010121000000000000000025000000000a0308ac02", (300, "")),
            ("0a0508", (0, "")),
            ("ffff", (0, "")),
        ] {
            let (rejected, why) = partial(&hex::decode(answer).expect("hex"));
            assert_eq!((rejected, &*why), expected, "{answer}");
        }
    }

    proptest! {
        #[test]
        fn whatever_answers_is_read(answer: Vec<u8>) {
            partial(&answer);
        }
    }
}
