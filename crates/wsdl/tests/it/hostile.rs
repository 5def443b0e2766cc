//! XML of strangers, in answers and in descriptions.

use serde_json::json;
use tollbridge_operation::{Answer, ApiName, Operation};
use tollbridge_wsdl::{ReadError, ReadOptions, is_xml, read};

use super::support::*;

fn stock() -> Operation {
    operation(&echo(r#"<xs:element name="article" type="xs:string"/>"#, ""))
}

#[test]
fn hostile_xml_is_refused() {
    let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
    let attributes: Vec<String> = (0..200).map(|n| format!("a{n}='1'")).collect();
    let namespaces: Vec<String> = (0..300).map(|n| format!("xmlns:a{n}='u:{n}'")).collect();
    let many = format!("<x>{}</x>", "<a/>".repeat(500_001));
    for (xml, why) in [
        (
            "<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;&b;'>]><a>&d;</a>".to_owned(),
            "document type",
        ),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>".into(), "document type"),
        ("<a>&lol;</a>".into(), "entity"),
        ("<a b='&lol;'/>".into(), "entity"),
        ("<a>&#0;</a>".into(), "well-formed"),
        ("<a>&#1;</a>".into(), "character"),
        ("<a>\u{1}</a>".into(), "character"),
        ("<a b='&#xFFFF;'/>".into(), "character"),
        (deep, "more than 64 elements within"),
        (format!("<a {}/>", attributes.join(" ")), "more than 128 attributes"),
        (format!("<a {}/>", namespaces.join(" ")), "well-formed"),
        (many, "more than 500000 elements"),
        ("<a b='1' b='2'/>".into(), "well-formed"),
        ("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>".into(), "well-formed"),
        ("<a><b></a></b>".into(), "well-formed"),
        ("<a>".into(), "well-formed"),
        ("<a/><b/>".into(), "well-formed"),
        ("<a/>text".into(), "well-formed"),
        ("text<a/>".into(), "well-formed"),
        ("<a>]]></a>".into(), "well-formed"),
        ("<a b='<'/>".into(), "well-formed"),
        ("<1a/>".into(), "well-formed"),
        ("<a><?xml version='1.0'?></a>".into(), "well-formed"),
        ("\u{FEFF}".into(), "well-formed"),
    ] {
        let short: String = xml.chars().take(60).collect();
        match answer(&stock(), 200, xml) {
            Answer::Unreadable { reason } => assert!(reason.contains(why), "{short}: {reason}"),
            other => panic!("{short}: {other:?}"),
        }
    }
    let latin = [&b"<a>"[..], &[0xE4], &b"</a>"[..]].concat();
    let Answer::Unreadable { reason } = answer(&stock(), 200, latin) else { panic!("it was read") };
    assert!(reason.contains("UTF-8"), "{reason}");
}

#[test]
fn references_in_a_circle_or_many_to_one_end() {
    let rings =
        ["<t:OpResponse><t:article href='#a'/></t:OpResponse><x id='a' href='#a'/>".to_owned(), {
            let mut xml = "<t:OpResponse><t:article href='#m0'/></t:OpResponse>".to_owned();
            for n in 0..40 {
                let next = n + 1;
                let links = format!("<y href='#m{next}'/>").repeat(2);
                xml.extend([format!("<x id='m{n}'>"), links, "</x>".to_owned()]);
            }
            xml
        }];
    for ring in rings {
        let _ = answer(&stock(), 200, soap(Version::V1_1, &ring));
    }
}

#[test]
fn a_description_that_is_none_says_what_it_is() {
    let api = ApiName::new("test").unwrap();
    let read = |text: &str| {
        read(text.as_bytes(), &ReadOptions { api: &api, source: None, documents: &() })
    };
    assert!(matches!(read("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), Err(ReadError::Xml(_))));
    assert_eq!(read("<html/>").unwrap_err(), ReadError::Root("html".into()));
    let empty = read("<description xmlns='http://www.w3.org/ns/wsdl'/>").expect("a description");
    assert!(empty.operations.is_empty() && empty.warnings[0].message.contains("nothing to call"));
    assert!(is_xml(b"\xEF\xBB\xBF\n <a/>") && is_xml(b"\xFF\xFE<\0a\0") && !is_xml(b"{}"));
}

#[test]
fn schemas_in_circles_end_and_cost_their_operations_alone() {
    for components in [
        r#"<xs:complexType name="T"><xs:complexContent><xs:extension base="t:T"/></xs:complexContent></xs:complexType>"#,
        r#"<xs:complexType name="T"><xs:complexContent><xs:extension base="t:U"/></xs:complexContent></xs:complexType>
           <xs:complexType name="U"><xs:complexContent><xs:extension base="t:T"/></xs:complexContent></xs:complexType>"#,
        r#"<xs:simpleType name="T"><xs:restriction base="t:T"/></xs:simpleType>"#,
        r#"<xs:simpleType name="T"><xs:union memberTypes="t:U t:T"/></xs:simpleType>
           <xs:simpleType name="U"><xs:list itemType="t:T"/></xs:simpleType>"#,
        r#"<xs:complexType name="T"><xs:group ref="t:G"/></xs:complexType>
           <xs:group name="G"><xs:sequence><xs:group ref="t:G"/></xs:sequence></xs:group>"#,
        r#"<xs:complexType name="T"><xs:attributeGroup ref="t:A"/></xs:complexType>
           <xs:attributeGroup name="A"><xs:attributeGroup ref="t:B"/></xs:attributeGroup>
           <xs:attributeGroup name="B"><xs:attributeGroup ref="t:A"/></xs:attributeGroup>"#,
        r#"<xs:complexType name="Other"/>"#,
    ] {
        let wsdl = echo(r#"<xs:element name="x" type="t:T"/>"#, components);
        let description = description(&wsdl);
        assert!(description.operations.is_empty(), "{components}");
        assert!(!description.skipped[0].reason.is_empty());
    }
    // Elements that stand for each other are odd, and harmless.
    let wsdl = echo(
        r#"<xs:element ref="t:a"/>"#,
        r#"<xs:element name="a" substitutionGroup="t:b"/><xs:element name="b" substitutionGroup="t:a"/>"#,
    );
    let _ = description(&wsdl);
}

#[test]
fn a_recursive_type_that_demands_itself_can_be_read_and_never_sent() {
    let wsdl = echo(
        r#"<xs:element name="x" type="t:T"/>"#,
        r#"<xs:complexType name="T"><xs:sequence><xs:element name="x" type="t:T"/></xs:sequence></xs:complexType>"#,
    );
    assert_eq!(refused(&operation(&wsdl), json!({"x": {"x": {}}})).0, "/x/x/x");
}
