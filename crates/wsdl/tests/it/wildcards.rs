//! Wildcards: what may stand for them, and how far it is looked into.

use serde_json::json;
use tollbridge_operation::Operation;

use super::support::*;

#[test]
fn wildcards_are_xml_and_foreign_attributes_have_their_namespace() {
    let components = r###"<xs:complexType name="T"><xs:sequence>
        <xs:element name="a" type="xs:int"/>
        <xs:any namespace="##other" processContents="lax" minOccurs="0" maxOccurs="unbounded"/>
      </xs:sequence><xs:anyAttribute namespace="##other"/></xs:complexType>"###;
    let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, components));
    let value = json!({"x": {
        "a": 1, "#any": ["<m:e xmlns:m=\"urn:m\" k=\"v\"><m:f>1</m:f></m:e>"], "@{urn:m}k": "w",
    }});
    assert!(accepts(&operation, &value));
    let xml = sent(&operation, value);
    assert!(xml.contains(r#"<e xmlns="urn:m" k="v"><f>1</f></e>"#), "{xml}");
    assert!(xml.contains(r#"n2:k="w""#), "{xml}");
    let other = json!({"x": {"a": 1, "#any": ["<e xmlns=\"urn:t\"/>"]}});
    assert_eq!(refused(&operation, other).0, "/x/#any/0");
    let broken = json!({"x": {"a": 1, "#any": ["<e"]}});
    assert_eq!(refused(&operation, broken).0, "/x/#any/0");
}

#[test]
fn what_comes_for_a_wildcard_is_xml_as_it_was_sent() {
    let components = r###"<xs:complexType name="T"><xs:sequence>
        <xs:any namespace="##other" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType>"###;
    let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, components));
    let (value, drift) = read_back(&operation, "<x><m:e xmlns:m='urn:m' k='v'>a<m:f/></m:e></x>");
    assert_eq!(drift, Vec::<String>::new());
    let any = value["x"]["#any"][0].as_str().unwrap();
    let again = json!({"x": {"#any": [any]}});
    assert_eq!(echoed(&operation, &again), again);
    assert!(any.contains("urn:m") && any.contains("k=\"v\""), "{any}");
}

#[test]
fn foreign_attributes_are_those_that_the_wildcard_allows() {
    let of = |any: &str| {
        operation(&echo(
            r#"<xs:element name="x" type="t:T"/>"#,
            &format!(
                r#"<xs:complexType name="T"><xs:attribute name="a" type="xs:int"/><xs:anyAttribute {any}/></xs:complexType>"#
            ),
        ))
    };
    let free = of("");
    survives(&free, &json!({"x": {"@a": 1, "@b": "2", "@{urn:o}c": "3"}}));
    let other = of(r###"namespace="##other""###);
    survives(&other, &json!({"x": {"@a": 1, "@{urn:o}c": "3"}}));
    assert_eq!(refused(&other, json!({"x": {"@b": "2"}})).0, "/x/@b");
    assert_eq!(refused(&other, json!({"x": {"@{urn:t}c": "3"}})).0, "/x/@{urn:t}c");
    let not = of(r#"notNamespace="urn:o""#);
    survives(&not, &json!({"x": {"@{urn:p}c": "3"}}));
    assert_eq!(refused(&not, json!({"x": {"@{urn:o}c": "3"}})).0, "/x/@{urn:o}c");
}

/// `x` with one wildcard, beside elements and attributes that the schema has.
fn known(any: &str) -> Operation {
    operation(&echo(
        r#"<xs:element name="x" type="t:T"/>"#,
        &format!(
            r#"<xs:complexType name="T"><xs:sequence>{any}</xs:sequence></xs:complexType>
            <xs:element name="item"><xs:complexType><xs:sequence>
              <xs:element name="n" type="xs:int"/><xs:element name="o" type="xs:int" minOccurs="0"/>
            </xs:sequence><xs:attribute name="a" type="xs:int" use="required"/></xs:complexType></xs:element>
            <xs:element name="shape" abstract="true"/>"#
        ),
    ))
}

const ITEM: &str = r#"<item xmlns="urn:t" a="1"><n>1</n></item>"#;

#[test]
fn what_is_known_is_held_to_its_declaration_unless_it_is_skipped() {
    let broken = [
        r#"<item xmlns="urn:t" a="1"><n>one</n></item>"#,
        r#"<item xmlns="urn:t" a="1"><o>1</o><n>1</n></item>"#,
        r#"<item xmlns="urn:t" a="1"/>"#,
        r#"<item xmlns="urn:t"><n>1</n></item>"#,
        r#"<item xmlns="urn:t" a="1" b="2"><n>1</n></item>"#,
        r#"<item xmlns="urn:t" a="1"><n>1</n><m/></item>"#,
        r#"<shape xmlns="urn:t"/>"#,
        r#"<e xmlns="urn:m"><item xmlns="urn:t"/></e>"#,
    ];
    // What has no declaration goes through under `strict` too: the service may know it.
    let unknown = [r#"<e xmlns="urn:m"/>"#, r#"<stranger xmlns="urn:t"><n>one</n></stranger>"#];
    for (process, looks) in [("strict", true), ("lax", true), ("skip", false)] {
        let any = format!(r#"<xs:any processContents="{process}" maxOccurs="9"/>"#);
        let operation = known(&any);
        for xml in broken {
            let arguments = json!({"x": {"#any": [ITEM, xml]}});
            assert_eq!(encode(&operation, arguments).is_err(), looks, "{process}: {xml}");
            let (_, drift) = read_back(&operation, &format!("<x>{ITEM}{xml}</x>"));
            assert_eq!(drift.len(), usize::from(looks), "{process}: {xml}: {drift:?}");
        }
        for xml in unknown {
            sent(&operation, json!({"x": {"#any": [xml, ITEM]}}));
            let (_, drift) = read_back(&operation, &format!("<x>{xml}{ITEM}</x>"));
            assert_eq!(drift, Vec::<String>::new(), "{process}: {xml}");
        }
    }
    let operation = known("<xs:any/>");
    let (at, expected) = refused(&operation, json!({"x": {"#any": [broken[0]]}}));
    assert_eq!(at, "/x/#any/0");
    assert_eq!(expected, "{urn:t}item as its schema has it: /n: expected a whole number");
}

#[test]
fn attributes_of_a_wildcard_are_held_to_their_declarations() {
    let of = |process: &str| {
        operation(&echo(
            r#"<xs:element name="x" type="t:T"/>"#,
            &format!(
                r#"<xs:complexType name="T"><xs:anyAttribute processContents="{process}"/></xs:complexType>
                <xs:attribute name="level" type="xs:int"/>"#
            ),
        ))
    };
    let bad = json!({"x": {"@{urn:t}level": "high"}});
    for process in ["strict", "lax"] {
        let operation = of(process);
        survives(&operation, &json!({"x": {"@{urn:t}level": "1", "@{urn:o}level": "high"}}));
        assert_eq!(refused(&operation, bad.clone()).0, "/x/@{urn:t}level", "{process}");
        let (_, drift) = read_back(&operation, "<x t:level='high'/>");
        assert_eq!(drift, ["/x/@{urn:t}level: expected a whole number"], "{process}");
    }
    survives(&of("skip"), &bad);
}

#[test]
fn values_in_a_wildcard_keep_the_prefixes_that_they_use() {
    let operation = known(r###"<xs:any namespace="##other"/>"###);
    for xml in [
        r#"<m:e xmlns:m="urn:m" xmlns:n1="urn:n" k="n1:v">m:w</m:e>"#,
        r#"<e xmlns="urn:m" xmlns:q="urn:q" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="q:T"><f>a q:b</f></e>"#,
        r#"<e xmlns="urn:m" xmlns:q="urn:q" path="/q:a[q:b]/c"/>"#,
    ] {
        let request = encode(&operation, json!({"x": {"#any": [xml]}})).unwrap();
        let root = tollbridge_xml::parse(envelope_of(&request).as_bytes()).unwrap();
        let placed = root.child("Body").and_then(|body| body.child("Op")?.child("x"));
        let placed = placed.and_then(|x| x.elements().next()).unwrap();
        let alone = tollbridge_xml::parse(xml.as_bytes()).unwrap();
        assert_eq!(placed.namespace.as_deref(), Some("urn:m"), "{xml}");
        let named = ["n1", "q"].into_iter().filter_map(|prefix| {
            let namespace = alone.scope.namespace(prefix)?;
            Some((prefix, namespace))
        });
        for (prefix, namespace) in named {
            assert_eq!(placed.scope.namespace(prefix), Some(namespace), "{xml}");
        }
    }
}

#[test]
fn a_wildcard_may_leave_names_and_namespaces_out() {
    let operation = known(
        r#"<xs:any notNamespace="urn:o ##local" notQName="t:item" processContents="skip" maxOccurs="9"/>"#,
    );
    let with = |xml: &str| encode(&operation, json!({"x": {"#any": [xml]}}));
    assert!(with(r#"<e xmlns="urn:m"/>"#).is_ok() && with(r#"<other xmlns="urn:t"/>"#).is_ok());
    assert!(with(r#"<e xmlns="urn:o"/>"#).is_err() && with("<e/>").is_err());
    assert!(with(ITEM).is_err());
    let defined = known(r###"<xs:any notQName="##defined" maxOccurs="9"/>"###);
    assert!(encode(&defined, json!({"x": {"#any": [ITEM]}})).is_err());
    assert!(encode(&defined, json!({"x": {"#any": [r#"<stranger xmlns="urn:t"/>"#]}})).is_ok());
}

#[test]
fn a_type_and_its_base_allow_what_either_does_and_groups_what_all_do() {
    let any = |namespace: &str| format!(r#"<xs:anyAttribute namespace="{namespace}"/>"#);
    let extended = |base: &str, own: &str| {
        operation(&echo(
            r#"<xs:element name="x" type="t:T"/>"#,
            &format!(
                r#"<xs:complexType name="B">{}</xs:complexType>
                <xs:complexType name="T"><xs:complexContent><xs:extension base="t:B">{}</xs:extension></xs:complexContent></xs:complexType>"#,
                any(base),
                any(own)
            ),
        ))
    };
    let grouped = |one: &str, other: &str| {
        operation(&echo(
            r#"<xs:element name="x" type="t:T"/>"#,
            &format!(
                r#"<xs:attributeGroup name="G">{}</xs:attributeGroup>
                <xs:complexType name="T"><xs:attributeGroup ref="t:G"/>{}</xs:complexType>"#,
                any(one),
                any(other)
            ),
        ))
    };
    let allows = |operation: &Operation, namespace: &str| {
        encode(operation, json!({"x": {format!("@{{{namespace}}}a"): "1"}})).is_ok()
    };
    for (one, other, either, both) in [
        ("urn:a", "urn:b", "urn:a urn:b", ""),
        ("##any", "urn:b", "urn:a urn:b urn:t", "urn:b"),
        ("##other", "urn:a", "urn:a urn:b", "urn:a"),
        ("##other", "##targetNamespace", "urn:a urn:b urn:t", ""),
        ("##other", "##any", "urn:a urn:b urn:t", "urn:a urn:b"),
    ] {
        for namespace in ["urn:a", "urn:b", "urn:t"] {
            let is_in = |list: &str| list.split(' ').any(|listed| listed == namespace);
            let (one_type, group) = (extended(one, other), grouped(one, other));
            assert_eq!(allows(&one_type, namespace), is_in(either), "{one} {other} {namespace}");
            assert_eq!(allows(&group, namespace), is_in(both), "{one} {other} {namespace}");
        }
    }
}
