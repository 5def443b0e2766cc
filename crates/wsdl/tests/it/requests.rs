//! Requests: media types, actions, order, headers, numbers, refusals.

use serde_json::{Value, json};

use super::support::*;

const STOCK: &str = r#"
    <xs:element name="article" type="xs:string"/>
    <xs:element name="amount" type="xs:decimal" minOccurs="0"/>
    <xs:element name="count" type="xs:int" minOccurs="0" nillable="true"/>
    <xs:element name="big" type="xs:integer" minOccurs="0"/>
    <xs:element name="ratio" type="xs:double" minOccurs="0"/>
    <xs:element name="exact" type="xs:boolean" minOccurs="0"/>
    <xs:element name="line" minOccurs="0" maxOccurs="unbounded" nillable="true">
      <xs:complexType><xs:sequence>
        <xs:element name="sku" type="xs:string" minOccurs="0"/>
        <xs:element name="qty" type="xs:int" minOccurs="0"/>
      </xs:sequence></xs:complexType>
    </xs:element>"#;

fn of(version: Version) -> tollbridge_operation::Operation {
    let other = echo(STOCK, "");
    operation(&match version {
        Version::V1_1 => other,
        Version::V1_2 => other.replace("/wsdl/soap/", "/wsdl/soap12/"),
    })
}

#[test]
fn a_request_of_soap_1_1_has_its_action_in_a_header() {
    let request = encode(&of(Version::V1_1), json!({"article": "a"})).unwrap();
    assert_eq!(request.method, http::Method::POST);
    assert_eq!((request.path.as_str(), &request.query), ("", &None));
    let headers: Vec<_> =
        request.headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
    assert_eq!(headers, [("accept", "text/xml"), ("soapaction", "\"urn:t#Op\"")]);
    assert_eq!(request.body.unwrap().content_type, "text/xml; charset=utf-8");
}

#[test]
fn a_request_of_soap_1_2_has_its_action_in_the_media_type() {
    let request = encode(&of(Version::V1_2), json!({"article": "a"})).unwrap();
    assert!(request.headers.iter().all(|(name, _)| name != "soapaction"));
    assert!(envelope_of(&request).contains(Version::V1_2.envelope()));
    assert_eq!(
        request.body.unwrap().content_type,
        "application/soap+xml; charset=utf-8; action=\"urn:t#Op\""
    );
}

#[test]
fn without_an_action_soap_1_1_says_an_empty_one_and_1_2_none() {
    let without = echo(STOCK, "").replace(r#"<s:operation soapAction="urn:t#Op"/>"#, "");
    let request = encode(&operation(&without), json!({"article": "a"})).unwrap();
    assert!(request.headers.iter().any(|(n, v)| n == "soapaction" && v == "\"\""));
    let newer = without.replace("/wsdl/soap/", "/wsdl/soap12/");
    let request = encode(&operation(&newer), json!({"article": "a"})).unwrap();
    assert_eq!(request.body.unwrap().content_type, "application/soap+xml; charset=utf-8");
}

#[test]
fn an_action_that_fits_in_no_header_costs_its_operation() {
    let wsdl = echo(STOCK, "").replace("urn:t#Op", "urn:t&#10;X: y");
    let description = description(&wsdl);
    assert!(description.operations.is_empty());
    assert!(description.skipped[0].reason.contains("visible ASCII"), "{:?}", description.skipped);
}

#[test]
fn children_stand_in_the_schemas_order_whatever_order_they_came_in() {
    let request = encode(
        &of(Version::V1_1),
        json!({
            "line": [{"qty": 2, "sku": "x"}, null, {}],
            "exact": true,
            "ratio": "-INF",
            "count": null,
            "amount": "500.0000000000000000001",
            "article": "a",
        }),
    );
    insta::assert_snapshot!(lines(&envelope_of(&request.unwrap())));
}

#[test]
fn numbers_go_out_with_their_own_digits() {
    let arguments: Value = serde_json::from_str(
        r#"{"article": "a", "amount": 0.10000000000000000000001, "big": 12345678901234567890123,
            "ratio": 1.50e+400}"#,
    )
    .unwrap();
    let xml = sent(&of(Version::V1_1), arguments);
    for digits in ["0.10000000000000000000001", "12345678901234567890123", "1.50e+400"] {
        assert!(xml.contains(&format!(">{digits}<")), "{digits} in {xml}");
    }
}

#[test]
fn what_the_schema_does_not_know_or_xml_cannot_hold_is_refused() {
    let operation = of(Version::V1_1);
    for (name, value, pointer) in [
        ("a/b", json!(1), "/a~1b"),
        ("article", json!({}), "/article"),
        ("article", json!(null), "/article"),
        ("article", json!("a\u{0}b"), "/article"),
        ("article", json!("\u{FFFE}"), "/article"),
        ("amount", json!("1e3"), "/amount"),
        ("amount", json!("12 EUR"), "/amount"),
        ("amount", json!(true), "/amount"),
        ("count", json!(1.5), "/count"),
        ("count", json!(4_294_967_296_u64), "/count"),
        ("big", json!("<x/>"), "/big"),
        ("ratio", json!("Infinity"), "/ratio"),
        ("exact", json!("true"), "/exact"),
        ("line", json!({"sku": "x"}), "/line"),
        ("line", json!([{}, {"stranger": 1}]), "/line/1/stranger"),
        ("line", json!([{}, "text"]), "/line/1"),
        ("@a", json!("x"), "/@a"),
    ] {
        let mut arguments = json!({"article": "a"});
        arguments[name] = value.clone();
        let (at, expected) = refused(&operation, arguments);
        assert_eq!(at, pointer, "{value}");
        assert!(!expected.is_empty());
    }
    assert_eq!(refused(&operation, json!({})).0, "/article");
}

#[test]
fn header_blocks_come_from_the_argument_headers() {
    let wsdl = echo(
        "",
        r#"<xs:element name="Session"><xs:complexType><xs:sequence>
             <xs:element name="token" form="unqualified" type="xs:string"/>
           </xs:sequence></xs:complexType></xs:element>"#,
    )
    .replace(
        r#"<input><s:body use="literal"/>"#,
        r#"<input><s:body use="literal"/><s:header message="t:Head" part="h" use="literal"/>"#,
    )
    .replace(
        "<portType",
        r#"<message name="Head"><part name="h" element="t:Session"/></message><portType"#,
    );
    let operation = operation(&wsdl);
    let with = json!({"headers": {"Session": {"token": "t"}}});
    assert!(accepts(&operation, &with) && accepts(&operation, &json!({})));
    insta::assert_snapshot!(lines(&envelope_of(&encode(&operation, with).unwrap())));
    assert!(!envelope_of(&encode(&operation, json!({})).unwrap()).contains("Header"));
    assert_eq!(refused(&operation, json!({"headers": {"Other": 1}})).0, "/headers/Other");
    assert_eq!(refused(&operation, json!({"headers": 1})).0, "/headers");
    let bad = json!({"headers": {"Session": {"token": {}}}});
    assert_eq!(refused(&operation, bad).0, "/headers/Session/token");
}
