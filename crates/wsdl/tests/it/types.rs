//! XML Schema's types: how each of their forms looks in JSON and on the wire.

use serde_json::{Value, json};
use tollbridge_operation::Operation;

use super::support::*;

#[test]
fn attributes_stand_beside_elements_and_text() {
    let complex = r#"<xs:complexType name="T">
        <xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence>
        <xs:attribute name="id" type="xs:int" use="required"/><xs:attribute name="lang" type="xs:language"/>
      </xs:complexType>"#;
    let value = json!({"a": 1, "@id": 7, "@lang": "de"});
    of_type(complex, value, r#"<x id="7" lang="de"><a>1</a></x>"#);
    refused_at(complex, json!({"a": 1}), "/x/@id");
    refused_at(complex, json!({"a": 1, "@id": 7, "@b": 1}), "/x/@b");
    let simple = r#"<xs:complexType name="T"><xs:simpleContent><xs:extension base="xs:decimal">
        <xs:attribute name="currency" type="xs:string"/>
      </xs:extension></xs:simpleContent></xs:complexType>"#;
    of_type(simple, json!({"#text": "5.10", "@currency": "EUR"}), r#"<x currency="EUR">5.10</x>"#);
}

#[test]
fn fixed_values_are_sent_and_default_ones_are_told() {
    let components = r#"<xs:complexType name="T">
        <xs:sequence>
          <xs:element name="v" type="xs:string" fixed="2"/>
          <xs:element name="d" type="xs:int" default="5" minOccurs="0"/>
        </xs:sequence>
        <xs:attribute name="f" type="xs:string" fixed="1" use="required"/>
        <xs:attribute name="e" type="xs:int" default="9"/>
      </xs:complexType>"#;
    let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, components));
    assert!(accepts(&operation, &json!({"x": {}})));
    let xml = sent(&operation, json!({"x": {}}));
    assert!(xml.contains(r#"<n1:x f="1"><n1:v>2</n1:v></n1:x>"#), "{xml}");
    assert_eq!(refused(&operation, json!({"x": {"v": "3"}})).0, "/x/v");
    assert_eq!(refused(&operation, json!({"x": {"@f": "3"}})).0, "/x/@f");
    let (value, _) = read_back(&operation, "<x f='1'><v>2</v><d/></x>");
    assert_eq!(value, json!({"x": {"v": "2", "d": 5, "@f": "1", "@e": 9}}));
}

const SHAPES: &str = r#"
    <xs:complexType name="T" abstract="true"><xs:sequence>
      <xs:element name="name" type="xs:string"/></xs:sequence></xs:complexType>
    <xs:complexType name="Circle"><xs:complexContent><xs:extension base="t:T"><xs:sequence>
      <xs:element name="radius" type="xs:int"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
    <xs:complexType name="Square"><xs:complexContent><xs:extension base="t:T"><xs:sequence>
      <xs:element name="side" type="xs:int"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>"#;

#[test]
fn derived_types_are_picked_by_type_and_abstract_ones_are_refused() {
    let value = json!({"@type": "Circle", "name": "a", "radius": 2});
    of_type(SHAPES, value, r#"<x xsi:type="Circle"><name>a</name><radius>2</radius></x>"#);
    refused_at(SHAPES, json!({"name": "a"}), "/x/@type");
    refused_at(SHAPES, json!({"@type": "Other", "name": "a"}), "/x/@type");
    refused_at(SHAPES, json!({"@type": "Circle", "name": "a", "side": 2}), "/x/side");
    let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, SHAPES));
    assert!(!accepts(&operation, &json!({"x": {"name": "a"}})));
    let (value, drift) =
        read_back(&operation, "<x xsi:type='t:Square'><name>a</name><side>3</side></x>");
    assert_eq!(value, json!({"x": {"@type": "Square", "name": "a", "side": 3}}));
    assert!(drift.is_empty());
}

#[test]
fn what_is_blocked_does_not_stand_in_the_place_of_its_base() {
    let types = |block: &str| {
        format!(
            r#"<xs:complexType name="T" {block}><xs:sequence><xs:element name="a" type="xs:int" minOccurs="0"/></xs:sequence></xs:complexType>
            <xs:complexType name="E"><xs:complexContent><xs:extension base="t:T"/></xs:complexContent></xs:complexType>
            <xs:complexType name="R"><xs:complexContent><xs:restriction base="t:T"/></xs:complexContent></xs:complexType>
            <xs:complexType name="RE"><xs:complexContent><xs:extension base="t:R"/></xs:complexContent></xs:complexType>"#
        )
    };
    for (block, stand) in [
        ("", vec!["E", "R", "RE"]),
        (r#"block="extension""#, vec!["R"]),
        (r#"block="restriction""#, vec!["E"]),
        (r##"block="#all""##, vec![]),
    ] {
        let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, &types(block)));
        for name in ["E", "R", "RE"] {
            let arguments = json!({"x": {"@type": name}});
            let fits = stand.contains(&name);
            assert_eq!(accepts(&operation, &arguments), fits, "{block} {name}");
            assert_eq!(encode(&operation, arguments).is_ok(), fits, "{block} {name}");
        }
    }
    let elements = |block: &str| {
        operation(&echo(
            r#"<xs:element ref="t:head"/>"#,
            &format!(
                r#"<xs:element name="head" type="xs:int" {block}/><xs:element name="other" type="xs:int" substitutionGroup="t:head"/>"#
            ),
        ))
    };
    let arguments = json!({"head": {"@type": "other", "#text": 1}});
    assert!(encode(&elements(""), arguments.clone()).is_ok());
    for block in [r#"block="substitution""#, r##"block="#all""##] {
        assert!(encode(&elements(block), arguments.clone()).is_err(), "{block}");
    }
}

#[test]
fn derived_types_of_simple_content_are_objects_with_their_text() {
    let components = r#"
      <xs:complexType name="T" abstract="true"><xs:simpleContent>
        <xs:extension base="xs:string"/></xs:simpleContent></xs:complexType>
      <xs:complexType name="Code"><xs:simpleContent><xs:restriction base="t:T">
        <xs:enumeration value="A"/><xs:enumeration value="B"/></xs:restriction></xs:simpleContent></xs:complexType>"#;
    of_type(components, json!({"@type": "Code", "#text": "A"}), r#"<x xsi:type="Code">A</x>"#);
    refused_at(components, json!({"@type": "Code", "#text": "C"}), "/x/#text");
}

#[test]
fn a_restriction_says_elements_anew_and_keeps_attributes_but_prohibited_ones() {
    let components = r#"
      <xs:complexType name="B"><xs:sequence><xs:element name="a" type="xs:int" minOccurs="0"/>
        <xs:element name="b" type="xs:int" minOccurs="0"/></xs:sequence>
        <xs:attribute name="p" type="xs:int"/><xs:attribute name="q" type="xs:int"/></xs:complexType>
      <xs:complexType name="T"><xs:complexContent><xs:restriction base="t:B"><xs:sequence>
        <xs:element name="a" type="xs:int"/></xs:sequence>
        <xs:attribute name="q" use="prohibited"/></xs:restriction></xs:complexContent></xs:complexType>"#;
    of_type(components, json!({"a": 1, "@p": 2}), r#"<x p="2"><a>1</a></x>"#);
    refused_at(components, json!({}), "/x/a");
    refused_at(components, json!({"a": 1, "b": 2}), "/x/b");
    refused_at(components, json!({"a": 1, "@q": 2}), "/x/@q");
}

#[test]
fn elements_of_a_substitution_group_stand_for_their_head() {
    let components = r#"
      <xs:element name="pay" abstract="true" type="t:Pay"/>
      <xs:complexType name="Pay"/>
      <xs:element name="card" substitutionGroup="t:pay" type="t:Card"/>
      <xs:complexType name="Card"><xs:complexContent><xs:extension base="t:Pay"><xs:sequence>
        <xs:element name="number" type="xs:string"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>"#;
    let operation = operation(&echo(r#"<xs:element ref="t:pay"/>"#, components));
    let value = json!({"pay": {"@type": "card", "number": "1"}});
    survives(&operation, &value);
    let xml = sent(&operation, value);
    assert_eq!(xml, "<n1:Op><n1:card><n1:number>1</n1:number></n1:card></n1:Op>");
    assert_eq!(refused(&operation, json!({"pay": {}})).0, "/pay");
}

#[test]
fn a_choice_is_the_branch_that_is_there() {
    let components = r#"<xs:complexType name="T"><xs:choice>
        <xs:element name="a" type="xs:int"/>
        <xs:sequence><xs:element name="b" type="xs:int"/><xs:element name="c" type="xs:int"/></xs:sequence>
      </xs:choice></xs:complexType>"#;
    of_type(components, json!({"a": 1}), "<x><a>1</a></x>");
    of_type(components, json!({"b": 1, "c": 2}), "<x><b>1</b><c>2</c></x>");
    refused_at(components, json!({}), "/x");
    refused_at(components, json!({"a": 1, "b": 2, "c": 3}), "/x");
    refused_at(components, json!({"b": 1}), "/x/c");
}

#[test]
fn groups_that_repeat_and_mixed_content_keep_their_order() {
    let pairs = r#"<xs:complexType name="T"><xs:sequence maxOccurs="unbounded">
        <xs:element name="k" type="xs:string"/><xs:element name="v" type="xs:int" minOccurs="0"/>
      </xs:sequence></xs:complexType>"#;
    let value = json!({"#content": [{"k": "a"}, {"k": "b"}, {"v": 1}]});
    of_type(pairs, value, "<x><k>a</k><k>b</k><v>1</v></x>");
    refused_at(pairs, json!({"#content": [{"v": 1}]}), "/x/#content/0");
    refused_at(pairs, json!({"#content": [{"k": "a"}, "text"]}), "/x/#content/1");
    let mixed = r#"<xs:complexType name="T" mixed="true"><xs:choice minOccurs="0" maxOccurs="unbounded">
        <xs:element name="b" type="xs:string"/><xs:element name="i" type="xs:string"/>
      </xs:choice></xs:complexType>"#;
    let value = json!({"#content": ["see ", {"b": "this"}, " and ", {"i": "that"}, "."]});
    of_type(mixed, value, "<x>see <b>this</b> and <i>that</i>.</x>");
}

#[test]
fn lists_unions_and_facets_are_checked_before_they_are_sent() {
    let list = r#"<xs:simpleType name="T"><xs:list itemType="xs:int"/></xs:simpleType>"#;
    of_type(list, json!([1, 2, 3]), "<x>1 2 3</x>");
    refused_at(list, json!([1, "a b"]), "/x");
    let union = r#"<xs:simpleType name="T"><xs:union memberTypes="xs:int t:All"/></xs:simpleType>
      <xs:simpleType name="All"><xs:restriction base="xs:string"><xs:enumeration value="all"/></xs:restriction></xs:simpleType>"#;
    of_type(union, json!("all"), "<x>all</x>");
    of_type(union, json!(5), "<x>5</x>");
    refused_at(union, json!("none"), "/x");
    for (base, facets, good, bad) in [
        (
            "string",
            r#"<xs:enumeration value="a"/><xs:enumeration value="b"/>"#,
            json!("b"),
            json!("c"),
        ),
        ("string", r#"<xs:pattern value="[A-Z]{2}\d+"/>"#, json!("AB12"), json!("ab12")),
        (
            "string",
            r#"<xs:minLength value="2"/><xs:maxLength value="3"/>"#,
            json!("äöü"),
            json!("a"),
        ),
        ("string", r#"<xs:length value="2"/>"#, json!("ab"), json!("abc")),
        (
            "decimal",
            r#"<xs:maxInclusive value="500"/>"#,
            json!("500"),
            json!("500.0000000000000000001"),
        ),
        ("decimal", r#"<xs:fractionDigits value="2"/>"#, json!("1.25"), json!("1.255")),
        ("decimal", r#"<xs:totalDigits value="3"/>"#, json!("1.25"), json!("12.25")),
        ("int", r#"<xs:minExclusive value="0"/>"#, json!(1), json!(0)),
        ("base64Binary", r#"<xs:maxLength value="3"/>"#, json!("AAEC"), json!("AAECAw==")),
    ] {
        let simple = format!(
            r#"<xs:simpleType name="T"><xs:restriction base="xs:{base}">{facets}</xs:restriction></xs:simpleType>"#
        );
        let wire = format!("<x>{}</x>", good.to_string().trim_matches('"'));
        of_type(&simple, good, &wire);
        refused_at(&simple, bad, "/x");
    }
}

#[test]
fn infinities_and_nan_are_held_to_bounds() {
    let half_open = r#"<xs:simpleType name="T"><xs:restriction base="xs:double">
        <xs:minExclusive value="0"/></xs:restriction></xs:simpleType>"#;
    of_type(half_open, json!("INF"), "<x>INF</x>");
    for beyond in ["-INF", "NaN"] {
        refused_at(half_open, json!(beyond), "/x");
        let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, half_open));
        assert!(!accepts(&operation, &json!({"x": beyond})), "{beyond} is published");
    }
    let to_infinity = r#"<xs:simpleType name="T"><xs:restriction base="xs:double">
        <xs:maxInclusive value="INF"/></xs:restriction></xs:simpleType>"#;
    of_type(to_infinity, json!("INF"), "<x>INF</x>");
    refused_at(to_infinity, json!("NaN"), "/x");
}

#[test]
fn what_is_fixed_is_published_as_the_only_value() {
    let components = r#"<xs:complexType name="T">
        <xs:sequence>
          <xs:element name="v" type="xs:int" fixed="02"/><xs:element name="b" type="xs:boolean" fixed="1"/>
        </xs:sequence>
        <xs:attribute name="f" type="xs:boolean" fixed="1"/>
      </xs:complexType>"#;
    let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, components));
    let same = json!({"x": {"v": 2, "b": true, "@f": true}});
    assert!(accepts(&operation, &same));
    assert!(sent(&operation, same).contains(r#"<n1:x f="true"><n1:v>2</n1:v><n1:b>true</n1:b>"#));
    assert!(sent(&operation, json!({"x": {}})).contains("<n1:x><n1:v>2</n1:v><n1:b>true</n1:b>"));
    assert!(!accepts(&operation, &json!({"x": {"v": 3}})));
    assert!(!accepts(&operation, &json!({"x": {"@f": false}})));
}

#[test]
fn null_has_what_its_type_demands_or_is_refused() {
    let components = r#"<xs:complexType name="Base" abstract="true"><xs:sequence/></xs:complexType>
      <xs:complexType name="Asked"><xs:complexContent><xs:extension base="t:Base">
        <xs:attribute name="a" use="required"/></xs:extension></xs:complexContent></xs:complexType>
      <xs:complexType name="Free"><xs:complexContent><xs:extension base="t:Base">
        <xs:attribute name="f" fixed="1" use="required"/></xs:extension></xs:complexContent></xs:complexType>"#;
    let element = |ty: &str| format!(r#"<xs:element name="x" type="t:{ty}" nillable="true"/>"#);
    let with = |ty: &str| operation(&echo(&element(ty), components));
    let null = json!({"x": null});
    assert_eq!(refused(&with("Asked"), null.clone()).0, "/x");
    assert!(!accepts(&with("Asked"), &null));
    for (ty, wire) in [
        ("Free", r#"<n1:x xsi:nil="true" f="1"/>"#),
        ("Base", r#"<n1:x xsi:type="n1:Free" xsi:nil="true" f="1"/>"#),
    ] {
        survives(&with(ty), &null);
        let xml = sent(&with(ty), null.clone());
        assert!(xml.contains(wire), "{xml}");
    }
}

#[test]
fn a_length_that_is_not_that_of_the_text_is_told_in_words() {
    for (base, words) in
        [("token", "text, a length of 4"), ("base64Binary", "bytes in base64, a length of 4")]
    {
        let simple = format!(
            r#"<xs:simpleType name="T"><xs:restriction base="xs:{base}"><xs:length value="4"/></xs:restriction></xs:simpleType>"#
        );
        let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, &simple));
        let schema = &operation.input.to_value()["properties"]["x"];
        assert_eq!(schema["description"], format!("Expected: {words}."));
        assert_eq!(schema.get("minLength"), None);
    }
}

#[test]
fn qualified_names_are_sent_with_a_prefix_and_read_without() {
    let operation = operation(&echo(r#"<xs:element name="x" type="xs:QName"/>"#, ""));
    let value = json!({"x": "{urn:other}name"});
    survives(&operation, &value);
    let envelope = envelope_of(&encode(&operation, value).unwrap());
    assert!(envelope.contains(r#"xmlns:n2="urn:other""#) && envelope.contains(">n2:name<"));
    assert_eq!(echoed(&operation, &json!({"x": "bare"})), json!({"x": "bare"}));
}

#[test]
fn recursive_types_are_as_deep_as_their_values() {
    let components = r#"<xs:complexType name="T"><xs:sequence>
        <xs:element name="name" type="xs:string"/>
        <xs:element name="child" type="t:T" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType>"#;
    let value =
        json!({"name": "a", "child": [{"name": "b", "child": [{"name": "c"}]}, {"name": "d"}]});
    of_type(
        components,
        value,
        "<x><name>a</name><child><name>b</name><child><name>c</name></child></child>\
         <child><name>d</name></child></x>",
    );
}

#[test]
fn anything_is_text_or_elements_by_name() {
    let operation = operation(&echo(r#"<xs:element name="x" type="xs:anyType"/>"#, ""));
    for value in [json!("text"), json!({"a": "1", "b": {"@k": "v", "#text": "2"}})] {
        assert_eq!(echoed(&operation, &one("x", value.clone())), one("x", value));
    }
    let (value, _) = read_back(&operation, "<x xsi:type='xs:int'>5</x>");
    assert_eq!(value, json!({"x": 5}));
}

/// `x` of a simple type `T`, with other types beside it.
fn simple(ty: &str) -> Operation {
    operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, ty))
}

fn schema_of(operation: &Operation) -> &Value {
    &operation.input.properties().expect("arguments")["x"]
}

#[test]
fn facets_of_lists_hold_the_whole_list() {
    let list = simple(
        r#"<xs:simpleType name="L"><xs:list itemType="xs:int"/></xs:simpleType>
           <xs:simpleType name="T"><xs:restriction base="t:L"><xs:maxLength value="2"/>
             <xs:enumeration value="1 2"/><xs:enumeration value="3"/><xs:pattern value="[0-9 ]+"/></xs:restriction></xs:simpleType>"#,
    );
    for good in [json!([1, 2]), json!([3])] {
        survives(&list, &json!({"x": good}));
    }
    for bad in [json!([2, 1]), json!([1, 2, 3]), json!([])] {
        assert!(!accepts(&list, &json!({"x": bad})));
        assert_eq!(refused(&list, json!({"x": bad})).0, "/x");
    }
    let (value, drift) = read_back(&list, "<x>2 1</x>");
    assert_eq!((value, drift.len()), (json!({"x": "2 1"}), 1));
}

#[test]
fn values_of_unions_are_those_that_are_listed() {
    let union = simple(
        r#"<xs:simpleType name="U"><xs:union memberTypes="xs:int xs:token"/></xs:simpleType>
           <xs:simpleType name="T"><xs:restriction base="t:U">
             <xs:enumeration value="1"/><xs:enumeration value="many"/></xs:restriction></xs:simpleType>"#,
    );
    assert_eq!(schema_of(&union), &json!({"enum": [1, "many"]}));
    survives(&union, &json!({"x": 1}));
    survives(&union, &json!({"x": "many"}));
    assert_eq!(refused(&union, json!({"x": 2})).0, "/x");
    assert_eq!(read_back(&union, "<x>few</x>").1.len(), 1);
}

#[test]
fn all_steps_of_patterns_must_match_and_of_one_step_any() {
    let token = simple(
        r#"<xs:simpleType name="A"><xs:restriction base="xs:token"><xs:pattern value="[A-Z]+"/><xs:pattern value="[0-9]+"/></xs:restriction></xs:simpleType>
           <xs:simpleType name="T"><xs:restriction base="t:A"><xs:pattern value=".{3}"/></xs:restriction></xs:simpleType>"#,
    );
    assert_eq!(
        schema_of(&token)["allOf"],
        json!([{"pattern": "^(?:[A-Z]+)$|^(?:[0-9]+)$"}, {"pattern": r"^(?:[^\n\r]{3})$"}])
    );
    for good in ["ABC", "123"] {
        survives(&token, &json!({"x": good}));
    }
    for bad in ["AB1", "AB", "abc"] {
        assert!(!accepts(&token, &json!({"x": bad})));
        assert_eq!(refused(&token, json!({"x": bad})).0, "/x");
    }
}

#[test]
fn bounds_of_dates_are_told_and_held() {
    let date = simple(
        r#"<xs:simpleType name="T"><xs:restriction base="xs:date">
             <xs:minInclusive value="2026-01-01"/><xs:maxExclusive value="2027-01-01"/></xs:restriction></xs:simpleType>"#,
    );
    let words = schema_of(&date)["description"].as_str().expect("words");
    assert!(words.ends_with("not before 2026-01-01, before 2027-01-01."), "{words}");
    survives(&date, &json!({"x": "2026-12-31"}));
    for (bad, expected) in [
        ("2025-12-31", "a value not before 2026-01-01"),
        ("2027-01-01", "a value before 2027-01-01"),
    ] {
        assert_eq!(refused(&date, json!({"x": bad})), ("/x".to_owned(), expected.to_owned()));
    }
}

#[test]
fn digits_and_listed_values_of_decimals_are_told() {
    let money = simple(
        r#"<xs:simpleType name="T"><xs:restriction base="xs:decimal">
             <xs:totalDigits value="6"/><xs:fractionDigits value="2"/></xs:restriction></xs:simpleType>"#,
    );
    let words = schema_of(&money)["anyOf"][0]["description"].as_str().expect("words");
    assert!(words.ends_with("of at most 6 digits, at most 2 of them behind the point."), "{words}");
    survives(&money, &json!({"x": "1234.56"}));
    assert_eq!(refused(&money, json!({"x": "1.234"})).0, "/x");
    let rates = simple(
        r#"<xs:simpleType name="T"><xs:restriction base="xs:decimal">
             <xs:enumeration value="0.07"/><xs:enumeration value="0.19"/></xs:restriction></xs:simpleType>"#,
    );
    for good in [json!("0.07"), json!(0.19)] {
        assert!(accepts(&rates, &json!({"x": good})));
        sent(&rates, json!({"x": good}));
    }
    assert!(!accepts(&rates, &json!({"x": 0.2})));
}

#[test]
fn the_default_of_an_attribute_is_told_and_that_of_an_absent_element_is_none() {
    let operation = operation(&echo(
        r#"<xs:element name="x"><xs:complexType><xs:sequence>
             <xs:element name="e" type="xs:int" default="5" minOccurs="0"/></xs:sequence>
             <xs:attribute name="a" type="xs:int" default="7"/></xs:complexType></xs:element>"#,
        "",
    ));
    let schema = operation.input.to_value().to_string();
    assert!(schema.contains(r#""default":7"#) && !schema.contains(r#""default":5"#), "{schema}");
    assert_eq!(read_back(&operation, "<x><e/></x>").0, json!({"x": {"e": 5, "@a": 7}}));
    assert_eq!(read_back(&operation, "<x/>").0, json!({"x": {"@a": 7}}));
}
