//! Messages of several parts: MTOM both ways, and SOAP with attachments.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tollbridge_operation::{
    Answer, Arguments, Body, Enclosure, Fault, Moment, Operation, Response,
};

use super::support::*;

const FILE: &str = r#"
    <xs:element name="name" type="xs:string" minOccurs="0"/>
    <xs:element name="data" type="xs:base64Binary" minOccurs="0" maxOccurs="unbounded"/>
    <xs:element name="typed" minOccurs="0"><xs:complexType><xs:simpleContent>
      <xs:extension base="xs:base64Binary"><xs:attribute name="kind" type="xs:string"/></xs:extension>
    </xs:simpleContent></xs:complexType></xs:element>"#;

fn of(version: Version) -> Operation {
    let wsdl = echo(FILE, "");
    operation(&match version {
        Version::V1_1 => wsdl,
        Version::V1_2 => wsdl.replace("/wsdl/soap/", "/wsdl/soap12/"),
    })
}

fn in_parts(operation: &Operation, arguments: &Value) -> Body {
    let moment = Moment { now: Duration::ZERO, random: [0; 32], to: "http://s.example/" };
    let enclosure = Enclosure { mtom: Some(true), ..Enclosure::default() };
    assert_eq!(operation.binding.check(&enclosure), Ok(()));
    let arguments = Arguments(arguments.as_object().unwrap().clone());
    operation.binding.enclose(&arguments, &enclosure, &moment).unwrap().body.unwrap()
}

fn answered(operation: &Operation, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let content_type = HeaderValue::from_str(content_type).unwrap();
    operation.binding.decode(&Response {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
        body: body.into(),
    })
}

#[test]
fn bytes_of_a_request_travel_beside_the_envelope() {
    let arguments =
        json!({"name": "n", "data": ["YmFy", ""], "typed": {"#text": "Zm9v", "@kind": "k"}});
    let body = in_parts(&of(Version::V1_1), &arguments);
    let text = String::from_utf8_lossy(&body.bytes).replace("\r\n", "\n");
    insta::assert_snapshot!(lines(&text));
    insta::assert_snapshot!(body.content_type.to_str().unwrap());
}

#[test]
fn soap_1_2_says_its_action_beside_the_parts() {
    let body = in_parts(&of(Version::V1_2), &json!({}));
    let said = body.content_type.to_str().unwrap().to_owned();
    assert!(said.contains("start-info=\"application/soap+xml\""), "{said}");
    assert!(said.ends_with("; action=\"urn:t#Op\""), "{said}");
}

#[test]
fn a_policy_that_wants_parts_gets_them() {
    let wsdl = echo(FILE, "").replace(
        r#"<binding name="B" type="t:PT">"#,
        r#"<binding name="B" type="t:PT"><p:Policy xmlns:p="http://www.w3.org/ns/ws-policy">
           <m:OptimizedMimeSerialization xmlns:m="http://schemas.xmlsoap.org/ws/2004/09/policy/optimizedmimeserialization"/>
           </p:Policy>"#,
    );
    let operation = operation(&wsdl);
    let body = encode(&operation, json!({"data": ["AAEC"]})).unwrap().body.unwrap();
    assert!(body.content_type.to_str().unwrap().starts_with("multipart/related"));
}

proptest! {
    #[test]
    fn what_goes_out_in_parts_comes_back_the_same(
        all in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..5)
    ) {
        use base64::Engine;
        let data: Vec<String> =
            all.iter().map(|one| base64::engine::general_purpose::STANDARD.encode(one)).collect();
        let arguments =
            if data.is_empty() { json!({"name": "n"}) } else { json!({"name": "n", "data": data}) };
        let operation = of(Version::V1_1);
        let body = in_parts(&operation, &arguments);
        // The envelope's two elements are alike, and differ in their names alone.
        let mut bytes = Vec::new();
        let mut rest: &[u8] = &body.bytes;
        while let Some(at) = rest.windows(4).position(|four| four == b":Op>") {
            bytes.extend_from_slice(&rest[..at]);
            bytes.extend_from_slice(b":OpResponse>");
            rest = &rest[at + 4..];
        }
        bytes.extend_from_slice(rest);
        prop_assume!(!all.iter().any(|one| one.windows(4).any(|four| four == b":Op>")));
        let (value, drift) =
            success(answered(&operation, body.content_type.to_str().unwrap(), bytes));
        prop_assert_eq!(drift, Vec::<String>::new());
        prop_assert_eq!(value, arguments);
    }
}

fn parts(root: &str, others: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body =
        format!("--b\r\nContent-Type: application/xop+xml\r\n\r\n{root}\r\n").into_bytes();
    for (id, other) in others {
        body.extend_from_slice(format!("--b\r\nContent-ID: <{id}>\r\n\r\n").as_bytes());
        body.extend_from_slice(other);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--");
    body
}

fn response(children: &str) -> String {
    soap(Version::V1_1, &format!("<OpResponse xmlns='urn:t'>{children}</OpResponse>"))
}

const RELATED: &str = "multipart/related; boundary=b; type=\"application/xop+xml\"";

fn include(href: &str) -> String {
    format!(
        "<data><x:Include xmlns:x='http://www.w3.org/2004/08/xop/include' href='{href}'/></data>"
    )
}

#[test]
fn parts_of_an_answer_are_put_back_where_they_belong() {
    let body = format!("{}<data href='cid:b'/>", include("cid:a%40x"));
    let bytes = parts(&response(&body), &[("a@x", b"\0\xFF"), ("b", b"foo")]);
    let (value, drift) = success(answered(&of(Version::V1_1), RELATED, bytes));
    assert_eq!(value, json!({"data": ["AP8=", "Zm9v"]}));
    assert!(drift.is_empty(), "{drift:?}");
}

#[test]
fn the_part_that_it_begins_with_need_not_be_the_first_and_may_be_in_another_charset() {
    let mut root = Vec::from(
        &b"--b\r\nContent-ID: <other>\r\n\r\nfoo\r\n--b\r\nContent-ID: <r>\r\n\
        Content-Type: text/xml; charset=ISO-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"[..],
    );
    root.extend_from_slice(
        response(&format!("<name>M@</name>{}", include("cid:other")))
            .replace('@', "\u{0}")
            .as_bytes(),
    );
    let at = root.iter().position(|byte| *byte == 0).unwrap();
    root[at] = 0xFC;
    root.extend_from_slice(b"\r\n--b--");
    let content_type = "Multipart/Related; start=\"<r>\"; boundary=\"b\"";
    let (value, _) = success(answered(&of(Version::V1_1), content_type, root));
    assert_eq!(value, json!({"name": "Mü", "data": ["Zm9v"]}));
}

#[test]
fn a_fault_in_parts_is_a_fault() {
    let fault = soap(
        Version::V1_1,
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring></s:Fault>",
    );
    let Answer::Failure { fault: Some(Fault { code, .. }), .. } =
        answered(&of(Version::V1_1), RELATED, parts(&fault, &[]))
    else {
        panic!("a fault");
    };
    assert_eq!(code, "Client");
}

#[test]
fn a_part_that_did_not_come_is_told() {
    let bytes = parts(&response(&include("cid:none")), &[]);
    let (_, drift) = success(answered(&of(Version::V1_1), RELATED, bytes));
    assert!(drift.iter().any(|told| told.contains("a part that did not come")), "{drift:?}");
    // A reference that leads elsewhere is never followed.
    for href in ["http://127.0.0.1:9/x", "file:///etc/passwd", "#x"] {
        let bytes = parts(&response(&include(href)), &[]);
        let (_, drift) = success(answered(&of(Version::V1_1), RELATED, bytes));
        assert!(!drift.is_empty());
    }
}

#[test]
fn a_part_that_is_referred_to_without_end_is_not_put_in_without_end() {
    let big = vec![b'x'; 100_000];
    let body = include("cid:a").repeat(1_000);
    let bytes = parts(&response(&body), &[("a", &big)]);
    let (value, drift) = success(answered(&of(Version::V1_1), RELATED, bytes));
    assert!(drift.iter().any(|told| told.contains("more often than is read")), "{drift:?}");
    assert!(value.to_string().len() < 600_000);
}

#[test]
fn hostile_parts_are_refused_with_a_reason() {
    let root = response("");
    for (content_type, body) in [
        ("multipart/related", parts(&root, &[])),
        ("multipart/related; boundary=\"\"", parts(&root, &[])),
        ("multipart/related; boundary=c", parts(&root, &[])),
        ("multipart/related; boundary=b; start=\"<gone>\"", parts(&root, &[])),
        (RELATED, format!("--b\r\n\r\n{root}").into_bytes()),
        (RELATED, b"--b\r\n\r\nno xml\r\n--b--".to_vec()),
        (RELATED, "--b\r\n".repeat(200_000).into_bytes()),
        (RELATED, parts("<!DOCTYPE x><x/>", &[])),
    ] {
        match answered(&of(Version::V1_1), content_type, body) {
            Answer::Unreadable { reason } => assert!(!reason.is_empty()),
            other => panic!("{content_type}: {other:?}"),
        }
    }
}

const WSI: &str = "http://ws-i.org/profiles/basic/1.1/xsd";

#[test]
fn what_is_swa_ref_is_bytes_that_go_and_come_beside_the_envelope() {
    let operation = operation(&echo(
        &format!(
            r#"<xs:element name="photo" xmlns:w="{WSI}" type="w:swaRef" minOccurs="0" maxOccurs="unbounded"/>
               <xs:element name="note" xmlns:w="{WSI}" minOccurs="0"><xs:complexType><xs:attribute name="file" type="w:swaRef"/></xs:complexType></xs:element>"#
        ),
        "",
    ));
    let arguments = json!({"photo": ["YmFy", ""], "note": {"@file": "Zm9v"}});
    assert!(accepts(&operation, &arguments));
    let body = encode(&operation, arguments.clone()).unwrap().body.unwrap();
    insta::assert_snapshot!(body.content_type.to_str().unwrap());
    let text = String::from_utf8_lossy(&body.bytes).replace("\r\n", "\n");
    insta::assert_snapshot!(lines(&text));
    let bytes = String::from_utf8_lossy(&body.bytes).replace(":Op>", ":OpResponse>");
    let content_type = body.content_type.to_str().unwrap();
    let (value, drift) = success(answered(&operation, content_type, bytes));
    assert_eq!((value, drift), (arguments, vec![]));
    assert_eq!(refused(&operation, json!({"photo": ["http://x.example/"]})).0, "/photo/0");

    let bytes = parts(&response("<photo>cid:gone</photo>"), &[("a", b"foo")]);
    let (value, drift) = success(answered(&operation, RELATED, bytes));
    assert_eq!(value, json!({"photo": ["cid:gone"]}));
    assert_eq!(drift, ["/photo/0: expected a reference to a part that came"]);
    let often = "<photo>cid:a</photo>".repeat(1_000);
    let bytes = parts(&response(&often), &[("a", &[b'x'; 1_000])]);
    let (value, drift) = success(answered(&operation, RELATED, bytes));
    assert!(drift[0].ends_with("parts are referred to more often than is read"), "{drift:?}");
    assert!(value.to_string().len() < 40_000);
}

/// `Op` with parts beside the envelope in both directions.
fn attached() -> Operation {
    let more =
        r#"<part name="photo" type="xs:base64Binary"/><part name="my note" type="xs:string"/>"#;
    let beside = |body: &str| {
        format!(
            r#"<mime:multipartRelated xmlns:mime="http://schemas.xmlsoap.org/wsdl/mime/"><mime:part>{body}</mime:part>
               <mime:part><mime:content part="photo" type="image/jpeg"/><mime:content part="photo" type="image/gif"/></mime:part>
               <mime:part><mime:content part="my note" type="text/*"/></mime:part></mime:multipartRelated>"#
        )
    };
    let body = r#"<s:body use="literal"/>"#;
    operation(
        &echo(r#"<xs:element name="photo" type="xs:int" minOccurs="0"/>"#, "")
            .replace(r#"element="t:Op"/>"#, &format!(r#"element="t:Op"/>{more}"#))
            .replace(r#"element="t:OpResponse"/>"#, &format!(r#"element="t:OpResponse"/>{more}"#))
            .replace(body, &beside(body)),
    )
}

#[test]
fn parts_that_the_wsdl_has_beside_the_envelope_are_arguments() {
    let operation = attached();
    let arguments = json!({"photo": 1, "photo_2": "AP8=", "my_note": "für dich"});
    assert!(accepts(&operation, &arguments), "{}", operation.input.to_value());
    let body = encode(&operation, arguments.clone()).unwrap().body.unwrap();
    let text = String::from_utf8_lossy(&body.bytes).replace("\r\n", "\n");
    insta::assert_snapshot!(lines(&text));
    for (missing, pointer) in [("photo_2", "/photo_2"), ("my_note", "/my_note")] {
        let mut less = arguments.clone();
        less.as_object_mut().unwrap().remove(missing);
        assert!(!accepts(&operation, &less));
        assert_eq!(refused(&operation, less).0, pointer);
    }
    let bad = json!({"photo_2": "no base64", "my_note": ""});
    assert_eq!(refused(&operation, bad).0, "/photo_2");
}

#[test]
fn parts_of_an_answer_are_told_apart_by_name_or_by_order_and_kind() {
    let operation = attached();
    let of = |others: &str| {
        let root = response("<photo>1</photo>");
        let bytes = format!("--b\r\nContent-Type: text/xml\r\n\r\n{root}\r\n{others}--b--");
        success(answered(&operation, "multipart/related; boundary=b; type=\"text/xml\"", bytes))
    };
    let part = |id: &str, kind: &str, text: &str| {
        format!("--b\r\nContent-ID: <{id}>\r\nContent-Type: {kind}\r\n\r\n{text}\r\n")
    };
    let whole = json!({"photo": 1, "photo_2": "Zm9v", "my_note": "bar"});
    for others in [
        // By name, whatever their order and kinds (Attachments Profile 1.0, R2933).
        part("my%20note=7@x", "image/gif", "bar") + &part("photo=7@x", "text/plain", "foo"),
        // By kind, where they have none.
        part("1@x", "text/plain; charset=utf-8", "bar") + &part("2@x", "Image/GIF", "foo"),
    ] {
        assert_eq!(of(&others), (whole.clone(), vec![]), "{others}");
    }
    let (value, drift) = of(&part("1@x", "text/html", "bar"));
    assert_eq!(value, json!({"photo": 1, "my_note": "bar"}));
    assert_eq!(drift, ["/photo_2: expected a part beside the envelope, and none came"]);
}
