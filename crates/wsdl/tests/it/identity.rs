//! IDs and the references to them: one message, one of each.

use serde_json::{Value, json};
use tollbridge_operation::Operation;

use super::support::*;

const ITEM: &str = r#"<xs:complexType name="Item"><xs:sequence>
      <xs:element name="next" type="xs:IDREF" minOccurs="0"/>
      <xs:element name="more" type="xs:IDREFS" minOccurs="0"/>
      <xs:element name="own" type="t:Own" minOccurs="0"/>
    </xs:sequence><xs:attribute name="id" type="xs:ID"/></xs:complexType>
    <xs:simpleType name="Own"><xs:union memberTypes="xs:int xs:ID"/></xs:simpleType>"#;

fn items() -> Operation {
    operation(&echo(
        r#"<xs:element name="i" type="t:Item" minOccurs="0" maxOccurs="unbounded"/>
           <xs:any namespace="urn:m" minOccurs="0"/>"#,
        ITEM,
    ))
}

#[test]
fn an_id_stands_once_and_a_reference_names_one() {
    let operation = items();
    survives(
        &operation,
        &json!({"i": [
            {"@id": "a", "next": "b", "more": ["c", "a"]}, {"@id": "b"}, {"@id": "d", "own": "c"},
            {"own": 1}, {"own": 1},
        ]}),
    );
    for (value, pointer) in [
        (json!([{"@id": "a"}, {"@id": "a"}]), "/i/1/@id"),
        (json!([{"@id": "a"}, {"own": "a"}]), "/i/1/own"),
        (json!([{"@id": "a", "next": "b"}]), "/i/0/next"),
        (json!([{"@id": "a"}, {"more": ["a", "b"]}]), "/i/1/more"),
    ] {
        let (at, expected) = refused(&operation, json!({"i": value}));
        assert_eq!(at, pointer);
        assert!(expected.contains("ID"), "{expected}");
    }
}

#[test]
fn ids_of_an_answer_that_clash_or_are_not_there_are_drift() {
    let drift = |children: &str| read_back(&items(), children).1;
    assert_eq!(
        drift("<i id='a'><next>b</next></i><i id='a'/><i><more>a c</more></i>"),
        [
            "/i/1/@id: expected an ID other than a, which the message has already",
            "/i/0/next: expected the ID of something in the message",
            "/i/2/more: expected the ID of something in the message",
        ]
    );
    assert_eq!(drift("<i><next>b</next></i><i id='b'/>"), Vec::<String>::new());
}

#[test]
fn where_something_is_not_known_a_reference_may_name_what_is_in_there() {
    let operation = items();
    let arguments = json!({"i": [{"next": "x"}], "any": [r#"<e xmlns="urn:m" id="x"/>"#]});
    survives(&operation, &arguments);
    let (_, drift) = read_back(&operation, "<i><next>x</next></i><e xmlns='urn:m' id='x'/>");
    assert_eq!(drift, Vec::<String>::new());
    // Nor where no ID can stand: the service means its own.
    let elsewhere = self::operation(&echo(r#"<xs:element name="r" type="xs:IDREF"/>"#, ""));
    survives(&elsewhere, &json!({"r": "x"}));
}

#[test]
fn the_header_and_the_body_are_one_message() {
    let wsdl = echo(
        r#"<xs:element name="i" type="t:Item" maxOccurs="unbounded"/>"#,
        &format!(r#"{ITEM}<xs:element name="Head" type="t:Item"/>"#),
    )
    .replace(
        r#"<input><s:body use="literal"/>"#,
        r#"<input><s:body use="literal"/><s:header message="t:H" part="h" use="literal"/>"#,
    )
    .replace(
        "<portType",
        r#"<message name="H"><part name="h" element="t:Head"/></message><portType"#,
    );
    let operation = operation(&wsdl);
    let with = |head: Value, item: Value| json!({"headers": {"Head": head}, "i": [item]});
    sent(&operation, with(json!({"@id": "a", "next": "b"}), json!({"@id": "b", "next": "a"})));
    let twice = with(json!({"@id": "a"}), json!({"@id": "a"}));
    assert_eq!(refused(&operation, twice).0, "/i/0/@id");
    let nowhere = with(json!({"next": "b"}), json!({"@id": "a"}));
    assert_eq!(refused(&operation, nowhere).0, "/headers/Head/next");
}
