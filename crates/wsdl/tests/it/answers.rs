//! Answers: read by the schema, and forgiving of it.

use serde_json::{Map, Value, json};
use tollbridge_operation::{Answer, Operation, Payload};

use super::support::*;

fn stock() -> Operation {
    operation(&echo(
        r#"<xs:element name="article" type="xs:string"/>
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
        </xs:element>"#,
        "",
    ))
}

fn read(children: &str) -> (Value, Vec<String>) {
    read_back(&stock(), &format!("<article>a</article>{children}"))
}

#[test]
fn an_answer_is_an_object_whose_lists_are_lists_and_whose_long_numbers_are_strings() {
    let (value, drift) = read(
        "<amount> 10.50 </amount><count>7</count><big>12345678901234567890</big>\
         <ratio>1.50E3</ratio><exact>1</exact><line><sku>x</sku><qty>1</qty></line>",
    );
    assert_eq!(drift, Vec::<String>::new());
    let expected: Value = serde_json::from_str(
        r#"{"article": "a", "amount": "10.50", "count": 7, "big": "12345678901234567890",
            "ratio": 1.50E3, "exact": true, "line": [{"sku": "x", "qty": 1}]}"#,
    )
    .unwrap();
    assert_eq!(value, expected);
}

#[test]
fn nil_is_null_and_absent_is_absent() {
    let (value, drift) = read("<count xsi:nil='true'/><line xsi:nil='1'/>");
    assert_eq!(value, json!({"article": "a", "count": null, "line": [null]}));
    assert_eq!(drift, Vec::<String>::new());
    let (value, drift) = read("<exact xsi:nil='true'/>");
    assert_eq!(value, json!({"article": "a", "exact": null}));
    assert_eq!(drift, ["/exact: expected a value, and nil came"]);
}

#[test]
fn what_leaves_the_schema_is_kept_and_noted() {
    let (value, drift) = read(
        "<count>many</count><exact>yes</exact><new><a>1</a><a>2</a></new>\
         <amount>1</amount><amount>2</amount><line><x/></line><ratio><y/></ratio>",
    );
    assert_eq!(
        value,
        json!({
            "article": "a", "count": "many", "exact": "yes", "new": {"a": ["1", "2"]},
            "amount": ["1", "2"], "line": [{"x": ""}], "ratio": {"y": ""},
        })
    );
    assert_eq!(
        drift,
        [
            "/count: expected a whole number",
            "/exact: expected true or false",
            "/new: nothing is known of this element",
            "/amount: it came in another place than expected",
            "/amount/1: expected one, and several came",
            "/line/0/x: nothing is known of this element",
            "/ratio: it came in another place than expected",
            "/ratio: expected a simple value, and elements came",
        ]
    );
    let (value, drift) = read_back(&stock(), "");
    assert_eq!((value, drift), (json!({}), vec!["/article: expected, and absent".to_owned()]));
}

#[test]
fn what_is_unknown_keeps_its_attributes_and_its_order() {
    let body = "<t:OpResponse version='3'><t:article>a</t:article>\
         <t:extra id='1' t:kind='k' xsi:type='t:Special'><b/></t:extra>\
         <t:note>see <b>this</b> now</t:note><t:price currency='EUR'>5</t:price></t:OpResponse>";
    let (value, _) = success(answer(&stock(), 200, soap(Version::V1_1, body)));
    assert_eq!(
        value,
        json!({
            "article": "a",
            "extra": {"@id": "1", "@{urn:t}kind": "k", "@type": "Special", "b": ""},
            "note": {"#content": ["see ", {"b": "this"}, " now"]},
            "price": {"@currency": "EUR", "#text": "5"},
            "@version": "3",
        })
    );
}

#[test]
fn another_version_namespace_or_name_is_read_all_the_same() {
    let body = "<Other><article>a</article></Other>";
    let (value, drift) = success(answer(&stock(), 200, soap(Version::V1_2, body)));
    assert_eq!(value, json!({"article": "a"}));
    assert_eq!(
        drift,
        [
            ": the body's element has another name than expected",
            "/article: it came in another namespace than expected",
        ]
    );
}

#[test]
fn a_prefix_that_nothing_declares_costs_no_more_than_its_namespace() {
    let body = "<q:OpResponse><q:article xsi:type='q:string'>a</q:article></q:OpResponse>";
    let xml = soap(Version::V1_1, body).replace(&format!(" xmlns:xsi='{XSI}'"), "");
    assert!(!xml.contains("xmlns:xsi"));
    let (value, drift) = success(answer(&stock(), 200, xml));
    assert_eq!(value, json!({"article": "a"}));
    assert_eq!(drift.len(), 2, "{drift:?}");
}

#[test]
fn an_operation_without_an_output_is_done_by_an_empty_answer() {
    let one_way = echo(r#"<xs:element name="a" type="xs:int"/>"#, "")
        .replace(r#"<output message="t:Out"/>"#, "");
    let operation = operation(&one_way);
    assert!(operation.output.is_none());
    let done = Answer::Success { payload: Payload::Empty, drift: vec![], headers: Map::new() };
    assert_eq!(answer(&operation, 202, ""), done);
    // An answer that nobody promised is read as it is.
    let (value, _) = success(answer(&operation, 200, soap(Version::V1_1, "<R><a>1</a></R>")));
    assert_eq!(value, json!({"a": "1"}));
}

#[test]
fn an_empty_body_is_empty_and_drift_where_more_was_promised() {
    for body in ["", " \r\n"] {
        for status in [200, 202, 204] {
            let Answer::Success { payload: Payload::Empty, drift, .. } =
                answer(&stock(), status, body)
            else {
                panic!("no empty success")
            };
            let told: Vec<_> = drift.iter().map(|drift| drift.message.as_str()).collect();
            assert_eq!(told, ["expected an answer, and an empty one came"], "{status}");
        }
        let failed = Answer::Failure { payload: Payload::Empty, fault: None };
        assert_eq!(answer(&stock(), 500, body), failed);
    }
}

#[test]
fn a_byte_order_mark_a_declaration_and_comments_are_passed_over() {
    let body = "<t:OpResponse><t:article>a<!-- b -->b<![CDATA[<c>&amp;]]>&#100;&lt;</t:article>\
                </t:OpResponse>";
    let xml = format!(
        "\u{FEFF}<?xml version='1.0' encoding='utf-8'?><!-- a --><?b c?>{}<!-- d -->\n",
        soap(Version::V1_1, body)
    );
    assert_eq!(success(answer(&stock(), 200, xml)).0, json!({"article": "ab<c>&amp;d<"}));
}

#[test]
fn an_error_page_is_a_failure_and_under_200_it_is_unreadable() {
    let page = "<html><body>Bad gateway<br></body></html>";
    let failure = Answer::Failure { payload: Payload::Value(page.into()), fault: None };
    assert_eq!(answer(&stock(), 502, page), failure);
    let Answer::Unreadable { reason } = answer(&stock(), 200, page) else { panic!("it was read") };
    assert!(!reason.contains("gateway"), "{reason}");
    assert!(matches!(answer(&stock(), 200, "<html/>"), Answer::Unreadable { .. }));
    assert!(matches!(answer(&stock(), 200, "{\"a\": 1}"), Answer::Unreadable { .. }));
    let Answer::Failure { payload: Payload::Bytes { media_type, .. }, .. } =
        answer(&stock(), 500, &b"\xff\xfe"[..])
    else {
        panic!("no bytes")
    };
    assert_eq!(media_type, "application/octet-stream");
}
