//! Descriptions of several documents: imports, includes, chameleons, redefinitions, circles.

use serde_json::json;

use super::support::*;

const X: &str = r#"<xs:element name="x" type="t:T"/>"#;

fn xsd(target: &str, inside: &str) -> String {
    format!(
        r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" {target} elementFormDefault="qualified">{inside}</xs:schema>"#
    )
}

const OWN: &str = r#"targetNamespace="urn:t" xmlns:t="urn:t""#;

#[test]
fn includes_in_a_circle_are_one_schema() {
    let a = xsd(
        OWN,
        r#"<xs:include schemaLocation="b.xsd"/>
        <xs:complexType name="T"><xs:sequence><xs:element name="u" type="t:U"/></xs:sequence></xs:complexType>"#,
    );
    let b = xsd(
        OWN,
        r#"<xs:include schemaLocation="a.xsd"/>
        <xs:complexType name="U"><xs:sequence><xs:element name="t" type="t:T" minOccurs="0"/></xs:sequence></xs:complexType>"#,
    );
    let wsdl = echo(X, "").replacen(
        "<xs:element",
        r#"<xs:include schemaLocation="a.xsd"/><xs:element"#,
        1,
    );
    let operation = only(description_with(&wsdl, &[("a.xsd", &a), ("b.xsd", &b)]));
    survives(&operation, &json!({"x": {"u": {"t": {"u": {}}}}}));
}

#[test]
fn a_chameleon_takes_the_namespace_of_its_includer() {
    let a = xsd(
        "",
        r#"<xs:complexType name="T"><xs:sequence><xs:element name="a" type="U"/></xs:sequence></xs:complexType>
        <xs:simpleType name="U"><xs:restriction base="xs:int"/></xs:simpleType>"#,
    );
    let wsdl = echo(X, "").replacen(
        "<xs:element",
        r#"<xs:include schemaLocation="a.xsd"/><xs:element"#,
        1,
    );
    let operation = only(description_with(&wsdl, &[("a.xsd", &a)]));
    let xml = sent(&operation, json!({"x": {"a": 1}}));
    assert_eq!(xml, "<n1:Op><n1:x><n1:a>1</n1:a></n1:x></n1:Op>");
}

#[test]
fn a_redefinition_stands_before_what_it_redefines() {
    let a = xsd(
        OWN,
        r#"<xs:complexType name="T"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:complexType>"#,
    );
    let redefine = r#"<xs:redefine schemaLocation="a.xsd"><xs:complexType name="T"><xs:complexContent>
        <xs:extension base="t:T"><xs:sequence><xs:element name="b" type="xs:int"/></xs:sequence></xs:extension>
        </xs:complexContent></xs:complexType></xs:redefine><xs:element"#;
    let wsdl = echo(X, "").replacen("<xs:element", redefine, 1);
    let operation = only(description_with(&wsdl, &[("a.xsd", &a)]));
    let xml = sent(&operation, json!({"x": {"a": 1, "b": 2}}));
    assert!(xml.contains("<n1:a>1</n1:a><n1:b>2</n1:b>"), "{xml}");
}

#[test]
fn imported_elements_have_their_own_namespace_and_form() {
    let a = xsd(
        r#"targetNamespace="urn:a""#,
        r#"<xs:complexType name="T"><xs:sequence>
            <xs:element name="q" type="xs:int"/><xs:element name="u" type="xs:int" form="unqualified"/>
          </xs:sequence><xs:attribute name="l" type="xs:int"/><xs:attribute name="g" type="xs:int" form="qualified"/></xs:complexType>"#,
    );
    let wsdl = echo(r#"<xs:element name="x" xmlns:a="urn:a" type="a:T"/>"#, "").replacen(
        "<xs:element",
        r#"<xs:import namespace="urn:a" schemaLocation="a.xsd"/><xs:element"#,
        1,
    );
    let operation = only(description_with(&wsdl, &[("a.xsd", &a)]));
    let value = json!({"x": {"q": 1, "u": 2, "@l": 3, "@g": 4}});
    survives(&operation, &value);
    let xml = sent(&operation, value);
    assert!(xml.contains("<n2:q>1</n2:q><u>2</u>"), "{xml}");
    assert!(xml.contains(r#"l="3" n2:g="4""#), "{xml}");
}

#[test]
fn a_wsdl_that_imports_another_is_read_with_it() {
    let whole = echo(r#"<xs:element name="a" type="xs:int"/>"#, "");
    let (head, service) = whole.split_at(whole.find("<service").unwrap());
    let abstract_part = format!("{head}</definitions>");
    let open = &head[..head.find("<types>").unwrap()];
    let main = format!(r#"{open}<import namespace="urn:t" location="sub/b.wsdl"/>{service}"#);
    let operation = only(description_with(&main, &[("sub/b.wsdl", &abstract_part)]));
    survives(&operation, &json!({"a": 1}));
}

#[test]
fn a_document_that_is_not_to_be_had_costs_what_needs_it() {
    let wsdl = echo(r#"<xs:element name="x" xmlns:a="urn:a" type="a:T"/>"#, "").replacen(
        "<xs:element",
        r#"<xs:import namespace="urn:a" schemaLocation="a.xsd"/><xs:element"#,
        1,
    );
    let description = description_with(&wsdl, &[]);
    let reason = &description.skipped[0].reason;
    assert!(reason.contains("a.xsd could not be read: it is not on the shelf"), "{reason}");
    let unneeded = wsdl.replace("a:T", "xs:int");
    let description = description_with(&unneeded, &[]);
    assert_eq!((description.operations.len(), description.warnings.len()), (1, 1));
}

#[test]
fn a_wrong_namespace_is_understood_where_only_one_thing_can_be_meant() {
    let wsdl = echo(
        r#"<xs:element name="x" type="xs:int"/><xs:element name="y" xmlns:w="urn:wrong" type="w:T"/>"#,
        r#"<xs:simpleType name="T"><xs:restriction base="xs:int"/></xs:simpleType>"#,
    );
    let description = description(&wsdl);
    assert_eq!(description.operations.len(), 1);
    assert!(description.warnings[0].message.contains("is taken for it"));
}

#[test]
fn groups_may_be_redefined_by_themselves_and_more() {
    let a = xsd(
        OWN,
        r#"<xs:group name="G"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:group>
           <xs:attributeGroup name="A"><xs:attribute name="p" type="xs:int"/></xs:attributeGroup>
           <xs:complexType name="T"><xs:sequence><xs:group ref="t:G"/></xs:sequence><xs:attributeGroup ref="t:A"/></xs:complexType>"#,
    );
    let redefine = r#"<xs:redefine schemaLocation="a.xsd">
        <xs:group name="G"><xs:sequence><xs:group ref="t:G"/><xs:element name="b" type="xs:int"/></xs:sequence></xs:group>
        <xs:attributeGroup name="A"><xs:attributeGroup ref="t:A"/><xs:attribute name="q" type="xs:int"/></xs:attributeGroup>
      </xs:redefine><xs:element"#;
    let wsdl = echo(X, "").replacen("<xs:element", redefine, 1);
    let operation = only(description_with(&wsdl, &[("a.xsd", &a)]));
    survives(&operation, &json!({"x": {"@p": 1, "@q": 2, "a": 3, "b": 4}}));
}

#[test]
fn an_override_replaces_also_what_was_read_before_it() {
    let a = xsd(OWN, r#"<xs:simpleType name="T"><xs:restriction base="xs:int"/></xs:simpleType>"#);
    let b = xsd(
        OWN,
        r#"<xs:override schemaLocation="a.xsd"><xs:simpleType name="T"><xs:restriction base="xs:boolean"/></xs:simpleType></xs:override>"#,
    );
    for order in [["a.xsd", "b.xsd"], ["b.xsd", "a.xsd"]] {
        let [one, other] = order.map(|name| format!(r#"<xs:include schemaLocation="{name}"/>"#));
        let wsdl = echo(X, "").replacen("<xs:element", &format!("{one}{other}<xs:element"), 1);
        let operation = only(description_with(&wsdl, &[("a.xsd", &a), ("b.xsd", &b)]));
        survives(&operation, &json!({"x": true}));
    }
}

#[test]
fn well_known_schemas_need_no_document() {
    let sequence = r#"<xs:element xmlns:d="http://www.w3.org/2000/09/xmldsig#" ref="d:KeyInfo"/>
        <xs:element xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing" ref="w:To"/>
        <xs:element name="k" type="t:K"/>"#;
    let k = r#"<xs:complexType name="K"><xs:attribute ref="xml:lang"/>
        <xs:attribute xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" ref="e:actor"/>
        <xs:attributeGroup xmlns:n="http://schemas.xmlsoap.org/soap/encoding/" ref="n:commonAttributes"/>
      </xs:complexType>"#;
    let imports = [
        "http://www.w3.org/2000/09/xmldsig#",
        "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    ]
    .map(|uri| {
        format!(r#"<xs:import namespace="{uri}" schemaLocation="http://nowhere.example/x.xsd"/>"#)
    });
    let wsdl =
        echo(sequence, k).replacen("<xs:element", &format!("{}<xs:element", imports.concat()), 1);
    let operation = only(description_with(&wsdl, &[]));
    survives(
        &operation,
        &json!({
            "KeyInfo": {"#content": [{"KeyName": "a"}]},
            "To": {"#text": "http://there.example"},
            "k": {"@{http://www.w3.org/XML/1998/namespace}lang": "de", "@id": "i"},
        }),
    );
}
