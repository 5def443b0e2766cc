//! What XML Schema 1.1 adds to 1.0: what is understood, and what is told to be not.

use serde_json::json;

use super::support::*;

const X: &str = r#"<xs:element name="x" type="t:T"/>"#;

/// The operation of a description, and what its reader said about it.
fn told(components: &str) -> (tollbridge_operation::Operation, Vec<String>) {
    let mut description = description(&echo(X, components));
    assert_eq!(description.skipped, []);
    let warnings = description.warnings.into_iter().map(|warning| warning.message).collect();
    (description.operations.remove(0), warnings)
}

#[test]
fn an_open_content_takes_elements_beside_those_that_are_named() {
    let of = |open: &str, any: &str| {
        format!(
            r#"<xs:complexType name="T"><xs:openContent {open}><xs:any namespace="{any}" processContents="skip"/></xs:openContent>
            <xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:complexType>"#
        )
    };
    let value = json!({"x": {"a": 1, "#any": [r#"<e xmlns="urn:m">1</e>"#]}});
    for mode in ["", r#"mode="interleave""#, r#"mode="suffix""#] {
        let (operation, warnings) = told(&of(mode, "##other"));
        assert_eq!(warnings, Vec::<String>::new());
        survives(&operation, &value);
        survives(&operation, &json!({"x": {"a": 1}}));
        let own = json!({"x": {"a": 1, "#any": [r#"<e xmlns="urn:t"/>"#]}});
        assert_eq!(refused(&operation, own).0, "/x/#any/0");
    }
    let (operation, _) = told(&of("", "##any"));
    let (read, drift) = read_back(&operation, "<x><e xmlns='urn:m'>1</e><a>1</a></x>");
    assert_eq!((read, drift), (value, vec![]));
}

#[test]
fn open_content_is_inherited_and_has_a_default() {
    let any =
        |namespace: &str| format!(r#"<xs:any namespace="{namespace}" processContents="skip"/>"#);
    let extended = format!(
        r#"<xs:complexType name="B"><xs:openContent>{}</xs:openContent><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:complexType>
        <xs:complexType name="T"><xs:complexContent><xs:extension base="t:B"><xs:openContent>{}</xs:openContent>
          <xs:sequence><xs:element name="b" type="xs:int"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>"#,
        any("urn:m"),
        any("urn:n")
    );
    let (operation, _) = told(&extended);
    let both =
        json!({"x": {"a": 1, "b": 2, "#any": [r#"<e xmlns="urn:m"/>"#, r#"<e xmlns="urn:n"/>"#]}});
    survives(&operation, &both);
    let default = |own: &str, applies: &str, content: &str| {
        format!(
            r#"<xs:defaultOpenContent {applies}>{}</xs:defaultOpenContent><xs:complexType name="T">{own}{content}</xs:complexType>"#,
            any("##other")
        )
    };
    let content =
        r#"<xs:sequence><xs:element name="a" type="xs:int" minOccurs="0"/></xs:sequence>"#;
    let with = json!({"x": {"#any": [r#"<e xmlns="urn:m"/>"#]}});
    for (schema, takes) in [
        (default("", "", content), true),
        (default(r#"<xs:openContent mode="none"/>"#, "", content), false),
        (default("", "", ""), false),
        (default("", r#"appliesToEmpty="true""#, ""), true),
    ] {
        let (operation, _) = told(&schema);
        assert_eq!(encode(&operation, with.clone()).is_ok(), takes, "{schema}");
    }
}

#[test]
fn an_all_may_have_wildcards_groups_and_more_than_one() {
    let components = r###"<xs:group name="G"><xs:all><xs:element name="c" type="xs:int"/></xs:all></xs:group>
      <xs:complexType name="T"><xs:all>
        <xs:element name="a" type="xs:int" maxOccurs="unbounded"/>
        <xs:any namespace="##other" processContents="skip" minOccurs="0"/><xs:group ref="t:G"/>
      </xs:all></xs:complexType>"###;
    let (operation, warnings) = told(components);
    assert_eq!(warnings, Vec::<String>::new());
    let value = json!({"x": {"a": [1, 2], "#any": [r#"<e xmlns="urn:m"/>"#], "c": 3}});
    survives(&operation, &value);
    let mixed = "<x><c>3</c><a>1</a><e xmlns='urn:m'/><a>2</a></x>";
    assert_eq!(read_back(&operation, mixed), (value, vec![]));
}

#[test]
fn attributes_of_a_schema_are_those_of_its_types() {
    let components = r#"<xs:attributeGroup name="Common"><xs:attribute name="lang" type="xs:language"/></xs:attributeGroup>
      <xs:complexType name="T"><xs:sequence><xs:element name="own" type="t:Own"/></xs:sequence></xs:complexType>
      <xs:complexType name="Own" defaultAttributesApply="false"/>"#;
    let wsdl = echo(X, components).replace(
        r#"elementFormDefault="qualified""#,
        r#"elementFormDefault="qualified" defaultAttributes="t:Common""#,
    );
    let operation = operation(&wsdl);
    survives(&operation, &json!({"x": {"own": {}, "@lang": "de"}}));
    assert_eq!(refused(&operation, json!({"x": {"own": {"@lang": "de"}}})).0, "/x/own/@lang");
}

#[test]
fn a_zone_is_asked_for_or_not_to_be_there() {
    for (value, good, bad) in [
        ("required", "2026-11-25Z", "2026-11-25"),
        ("prohibited", "2026-11-25", "2026-11-25+01:00"),
    ] {
        let (operation, _) = told(&format!(
            r#"<xs:simpleType name="T"><xs:restriction base="xs:date"><xs:explicitTimezone value="{value}"/></xs:restriction></xs:simpleType>"#
        ));
        survives(&operation, &json!({"x": good}));
        assert_eq!(refused(&operation, json!({"x": bad})).0, "/x", "{value}");
        assert_eq!(read_back(&operation, &format!("<x>{bad}</x>")).1.len(), 1);
        let words = operation.input.to_value()["properties"]["x"]["description"].to_string();
        assert!(words.contains("zone"), "{words}");
    }
}

#[test]
fn assertions_and_alternatives_are_told_to_be_unchecked() {
    let (operation, warnings) = told(
        r#"<xs:complexType name="T"><xs:sequence><xs:element name="a" type="t:Even"/></xs:sequence>
             <xs:attribute name="b" type="xs:int"/><xs:assert test="a le @b"/></xs:complexType>
           <xs:simpleType name="Even"><xs:restriction base="xs:int"><xs:assertion test="$value mod 2 = 0"/></xs:restriction></xs:simpleType>"#,
    );
    assert!(warnings.iter().any(|w| w == "the assertion `a le @b` is not checked"), "{warnings:?}");
    assert!(warnings.iter().any(|w| w.contains("$value mod 2 = 0")), "{warnings:?}");
    let schema = operation.input.to_value().to_string();
    for words in ["Must hold (XPath): a le @b", "Must hold (XPath): $value mod 2 = 0"] {
        assert!(schema.contains(words), "{schema}");
    }
    survives(&operation, &json!({"x": {"a": 3, "@b": 1}}));

    let alternative = r#"<xs:element name="y" type="t:T"><xs:alternative test="@k='a'" type="t:A"/></xs:element>
        <xs:complexType name="T"><xs:attribute name="k" type="xs:string"/></xs:complexType>
        <xs:complexType name="A"><xs:complexContent><xs:extension base="t:T"/></xs:complexContent></xs:complexType>"#;
    let description = description(&echo(r#"<xs:element ref="t:y"/>"#, alternative));
    assert!(description.warnings[0].message.contains("conditions (xs:alternative)"));
    survives(&description.operations[0], &json!({"y": {"@k": "a"}}));
}

#[test]
fn what_is_for_other_versions_is_left_out() {
    let components = r#"<xs:simpleType name="T" vc:maxVersion="1.1"><xs:restriction base="xs:int"/></xs:simpleType>
        <xs:simpleType name="T" vc:minVersion="1.1"><xs:restriction base="xs:boolean"/></xs:simpleType>
        <xs:simpleType name="T" vc:minVersion="3.2"><xs:restriction base="xs:date"/></xs:simpleType>"#
        .replace("vc:", "v:");
    let wsdl = echo(X, &components).replace(
        "<definitions",
        r#"<definitions xmlns:v="http://www.w3.org/2007/XMLSchema-versioning""#,
    );
    survives(&operation(&wsdl), &json!({"x": true}));
}
