#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn request(id: Id, method: &str) -> Envelope {
    Envelope::Request { id, method: method.to_owned() }
}

#[test]
fn what_json_rpc_allows_passes() {
    for (message, envelope) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, request(Id::Number(1), "ping")),
        (
            r#" {"method":"a\u002fb","id":"x","jsonrpc":"2.0","params":{}} "#,
            request(Id::Text("x".into()), "a/b"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":-9223372036854775808,"method":"m"}"#,
            request(Id::Number(i64::MIN), "m"),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/x"}"#,
            Envelope::Notification { method: "notifications/x".into() },
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Envelope::Response),
        (r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":""}}"#, Envelope::Response),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":{"a":1},"b":[{"a":1},{"a":2}]}}"#,
            request(Id::Number(1), "m"),
        ),
    ] {
        assert_eq!(inspect(message.as_bytes()), Ok(envelope), "{message}");
    }
}

#[test]
fn what_is_no_json_has_no_id() {
    for message in [
        "",
        " ",
        "{",
        "}",
        "{\"a\"}",
        "{\"a\":1,}",
        "{,}",
        "[1,]",
        "[,1]",
        "{}{}",
        "{} x",
        "nul",
        "truex",
        "01",
        "-",
        "1.",
        "1e",
        ".5",
        "+1",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"a\nb\"",
        "\"a",
        "{'a':1}",
        "{a:1}",
        "\u{feff}{}",
        "[1}",
        "{\"a\":1]",
    ] {
        let refusal = inspect(message.as_bytes()).unwrap_err();
        assert_eq!((refusal.code, refusal.id), (Code::Parse, None), "{message}");
    }
    assert_eq!(inspect(b"\"\xff\"").unwrap_err().code, Code::Parse);
}

#[test]
fn what_is_no_request_is_refused_under_its_id() {
    let one = Some(Id::Number(1));
    for (message, id, reason) in [
        ("[]", None, "batches"),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"m"}]"#, None, "batches"),
        ("1", None, "JSON object"),
        ("null", None, "JSON object"),
        ("{}", None, "`jsonrpc`"),
        (r#"{"id":1,"method":"m"}"#, one.clone(), "`jsonrpc`"),
        (r#"{"jsonrpc":2.0,"id":1,"method":"m"}"#, one.clone(), "`jsonrpc`"),
        (r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#, one.clone(), "`jsonrpc`"),
        (r#"{"jsonrpc":"2.0","id":1}"#, one.clone(), "`method`"),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, one.clone(), "`method`"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"m","result":{}}"#, one.clone(), "`result`"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, one.clone(), "either"),
        (r#"{"jsonrpc":"2.0","result":{}}"#, None, "usable"),
        (r#"{"jsonrpc":"2.0","id":null,"result":{}}"#, None, "usable"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#, None, "`id`"),
        (r#"{"jsonrpc":"2.0","id":1.0,"method":"m"}"#, None, "`id`"),
        (r#"{"jsonrpc":"2.0","id":1e2,"method":"m"}"#, None, "`id`"),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#, None, "`id`"),
        (r#"{"jsonrpc":"2.0","id":9223372036854775808,"method":"m"}"#, None, "`id`"),
        (r#"{"jsonrpc":"2.0","id":true,"method":"m"}"#, None, "`id`"),
        (r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, None, "`id`"),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"m"}"#, None, "`id`"),
    ] {
        let refusal = inspect(message.as_bytes()).unwrap_err();
        assert_eq!((refusal.code, refusal.id), (Code::Invalid, id), "{message}");
        assert!(refusal.reason.contains(reason), "{message}: {}", refusal.reason);
    }
}

#[test]
fn a_member_named_twice_is_named_wherever_it_is() {
    for (message, id, name) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"m","method":"n"}"#, Some(Id::Number(1)), "method"),
        (r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"m"}"#, None, "id"),
        // The id comes after what is wrong.
        (
            r#"{"jsonrpc":"2.0","method":"m","params":{"a":[{"b":1,"b":2}]},"id":"late"}"#,
            Some(Id::Text("late".into())),
            "b",
        ),
        // The same name, written in two ways.
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"amount":1,"\u0061mount":2}}"#,
            Some(Id::Number(1)),
            "amount",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"😀":1,"\ud83d\ude00":2}}"#,
            Some(Id::Number(1)),
            "😀",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"":1,"":2}}"#, Some(Id::Number(1)), ""),
    ] {
        let refusal = inspect(message.as_bytes()).unwrap_err();
        assert_eq!(refusal.code, Code::Invalid, "{message}");
        assert_eq!(refusal.id, id, "{message}");
        assert_eq!(refusal.reason, format!("member named twice: {name}"), "{message}");
    }
}

#[test]
fn an_object_cannot_pose_as_a_number() {
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":{"$serde_json::private::Number":"1"}}}"#;
    let refusal = inspect(message.as_bytes()).unwrap_err();
    assert!(refusal.reason.starts_with("member with a reserved name"));
}

#[test]
fn depth_is_bounded_where_the_reader_after_us_is() {
    let nested = |levels: usize| {
        let inner = levels - 1;
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{}{}}}"#,
            "[".repeat(inner),
            "]".repeat(inner)
        )
    };
    assert!(inspect(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert!(serde_json::from_str::<Value>(&nested(MAX_DEPTH)).is_ok());
    let refusal = inspect(nested(MAX_DEPTH + 1).as_bytes()).unwrap_err();
    assert_eq!((refusal.code, refusal.id), (Code::Invalid, Some(Id::Number(1))));
    assert!(serde_json::from_str::<Value>(&nested(MAX_DEPTH + 1)).is_err());
    assert_eq!(inspect("[".repeat(MAX_BYTES).as_bytes()).unwrap_err().code, Code::Invalid);
}

#[test]
fn size_is_bounded_before_anything_is_read() {
    assert_eq!(inspect(&vec![b' '; MAX_BYTES + 1]).unwrap_err(), Refusal::too_large());
}

#[test]
fn a_refusal_is_a_json_rpc_error() {
    let refusal = inspect(br#"{"jsonrpc":"2.0","id":"a","method":1}"#).unwrap_err();
    assert_eq!(
        refusal.to_json(),
        json!({"jsonrpc":"2.0","id":"a","error":{"code":-32600,"message":"`method` is missing or no string"}})
    );
    let parse = inspect(b"{").unwrap_err().to_json();
    assert_eq!((&parse["id"], &parse["error"]["code"]), (&Value::Null, &json!(-32700)));
}

proptest! {
    /// Whatever `serde_json` refuses as JSON is refused as JSON here, and the other way round.
    #[test]
    fn we_and_serde_json_agree_on_what_json_is(text in r#"[\[\]{}:,"a0-1.eE\\u\-truefalsn ]{0,24}"#) {
        let ours = !matches!(inspect(text.as_bytes()), Err(Refusal { code: Code::Parse, .. }));
        prop_assert_eq!(ours, serde_json::from_str::<Value>(&text).is_ok());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = inspect(&bytes);
    }
}
