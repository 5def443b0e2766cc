//! Element content: occurrence, `all`, groups, attribute groups, forms and white space.

use serde_json::{Value, json};

use super::support::*;

#[test]
fn what_stands_so_many_times_is_a_list_of_so_many() {
    for (least, most, good, bad) in [
        ("0", "1", vec![0, 1], vec![]),
        ("0", "unbounded", vec![0, 1, 3], vec![]),
        ("1", "2", vec![1, 2], vec![0, 3]),
        ("2", "3", vec![2, 3], vec![0, 1, 4]),
        ("2", "unbounded", vec![2, 9], vec![0, 1]),
    ] {
        let sequence = format!(
            r#"<xs:element name="x" type="xs:int" minOccurs="{least}" maxOccurs="{most}"/>"#
        );
        let operation = operation(&echo(&sequence, ""));
        let times = |n: i32| match (n, most) {
            (0, _) => json!({}),
            (n, "1") => json!({"x": n}),
            (n, _) => json!({"x": (0..n).collect::<Vec<_>>()}),
        };
        for n in good {
            survives(&operation, &times(n));
        }
        for n in bad {
            let arguments = times(n);
            assert!(!accepts(&operation, &arguments), "{least} {most} {n}");
            assert_eq!(refused(&operation, arguments).0, "/x", "{least} {most} {n}");
            let children: String = (0..n).map(|i| format!("<x>{i}</x>")).collect();
            let (_, drift) = read_back(&operation, &children);
            assert_eq!(drift.len(), 1, "{least} {most} {n}: {drift:?}");
        }
    }
    let none =
        operation(&echo(r#"<xs:element name="x" type="xs:int" maxOccurs="0" minOccurs="0"/>"#, ""));
    assert_eq!(refused(&none, json!({"x": 1})).0, "/x");
}

const ALL: &str = r#"<xs:complexType name="T"><xs:all>
    <xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int" minOccurs="0"/>
    <xs:element name="c" type="xs:int"/></xs:all></xs:complexType>"#;

#[test]
fn members_of_all_stand_in_any_order() {
    of_type(ALL, json!({"c": 3, "a": 1}), "<x><a>1</a><c>3</c></x>");
    refused_at(ALL, json!({"a": 1}), "/x/c");
    let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, ALL));
    for (children, value) in [
        ("<a>1</a><b>2</b><c>3</c>", json!({"a": 1, "b": 2, "c": 3})),
        ("<c>3</c><b>2</b><a>1</a>", json!({"a": 1, "b": 2, "c": 3})),
        ("<c>3</c><a>1</a>", json!({"a": 1, "c": 3})),
    ] {
        let read = read_back(&operation, &format!("<x>{children}</x>"));
        assert_eq!(read, (json!({"x": value}), vec![]), "{children}");
    }
    let (_, drift) = read_back(&operation, "<x><a>1</a><c>3</c><a>1</a></x>");
    assert_eq!(drift, ["/x/a/1: expected one, and several came"]);
}

#[test]
fn groups_stand_for_what_is_in_them() {
    let components = r#"
      <xs:group name="G"><xs:sequence><xs:element name="b" type="xs:int"/><xs:group ref="t:H"/></xs:sequence></xs:group>
      <xs:group name="H"><xs:choice><xs:element name="c" type="xs:int"/><xs:element name="d" type="xs:int"/></xs:choice></xs:group>
      <xs:complexType name="T"><xs:sequence>
        <xs:element name="a" type="xs:int"/><xs:group ref="t:G" minOccurs="0"/>
      </xs:sequence></xs:complexType>"#;
    of_type(components, json!({"a": 1}), "<x><a>1</a></x>");
    of_type(components, json!({"d": 3, "b": 2, "a": 1}), "<x><a>1</a><b>2</b><d>3</d></x>");
    refused_at(components, json!({"a": 1, "b": 2}), "/x");
    refused_at(components, json!({"a": 1, "c": 2}), "/x/b");
    let repeated = components.replace(r#"minOccurs="0""#, r#"minOccurs="0" maxOccurs="2""#);
    let value = json!({"a": 1, "#content": [{"b": 2}, {"c": 3}, {"b": 4}, {"d": 5}]});
    of_type(&repeated, value, "<x><a>1</a><b>2</b><c>3</c><b>4</b><d>5</d></x>");
}

#[test]
fn attribute_groups_stand_for_what_is_in_them() {
    let components = r#"
      <xs:attribute name="global" type="xs:int"/>
      <xs:attributeGroup name="G"><xs:attribute name="a" type="xs:int"/><xs:attributeGroup ref="t:H"/></xs:attributeGroup>
      <xs:attributeGroup name="H"><xs:attribute name="b" type="xs:int" use="required"/>
        <xs:attribute ref="t:global" use="required"/></xs:attributeGroup>
      <xs:complexType name="T"><xs:attributeGroup ref="t:G"/></xs:complexType>"#;
    let all = json!({"@a": 1, "@b": 2, "@{urn:t}global": 3});
    of_type(components, all, r#"<x a="1" b="2" global="3"></x>"#);
    refused_at(components, json!({"@a": 1, "@{urn:t}global": 3}), "/x/@b");
    refused_at(components, json!({"@b": 1}), "/x/@{urn:t}global");
}

#[test]
fn white_space_is_what_the_facet_says() {
    for (space, wire) in [("preserve", " a \n b "), ("replace", " a   b "), ("collapse", "a b")] {
        let ty = format!(
            r#"<xs:simpleType name="T"><xs:restriction base="xs:string"><xs:whiteSpace value="{space}"/></xs:restriction></xs:simpleType>"#
        );
        let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, &ty));
        let xml = sent(&operation, json!({"x": " a \n b "}));
        assert_eq!(xml, format!("<n1:Op><n1:x>{wire}</n1:x></n1:Op>"), "{space}");
        let read = read_back(&operation, "<x> a \n b </x>");
        assert_eq!(read, (json!({"x": wire}), vec![]), "{space}");
    }
}

#[test]
fn every_bound_of_a_number_is_held_to_its_last_digit() {
    for (facet, at_bound) in [
        ("minInclusive", true),
        ("minExclusive", false),
        ("maxInclusive", true),
        ("maxExclusive", false),
    ] {
        let ty = format!(
            r#"<xs:simpleType name="T"><xs:restriction base="xs:decimal"><xs:{facet} value="5.00"/></xs:restriction></xs:simpleType>"#
        );
        let (within, beyond) = if facet.starts_with("min") {
            ("5.0000000000000000000001", "4.9999999999999999999999")
        } else {
            ("4.9999999999999999999999", "5.0000000000000000000001")
        };
        of_type(&ty, json!(within), &format!("<x>{within}</x>"));
        refused_at(&ty, json!(beyond), "/x");
        if at_bound {
            of_type(&ty, json!("5"), "<x>5</x>");
        } else {
            refused_at(&ty, json!("5"), "/x");
        }
    }
}

#[test]
fn forms_are_the_schemas_or_the_elements_own() {
    let component = |form: &str| {
        format!(
            r#"<xs:complexType name="T"><xs:sequence><xs:element name="a" type="xs:int" {form}/></xs:sequence>
            <xs:attribute name="b" type="xs:int" {form}/></xs:complexType>"#
        )
    };
    let value = json!({"x": {"a": 1, "@b": 2}});
    for (form, defaults, wire) in [
        ("", "", r#"<x b="2"><a>1</a></x>"#),
        (
            "",
            r#"elementFormDefault="qualified" attributeFormDefault="qualified""#,
            r#"<n1:x n1:b="2"><n1:a>1</n1:a></n1:x>"#,
        ),
        (
            r#"form="unqualified""#,
            r#"elementFormDefault="qualified" attributeFormDefault="qualified""#,
            r#"<n1:x b="2"><a>1</a></n1:x>"#,
        ),
        (r#"form="qualified""#, "", r#"<x n1:b="2"><n1:a>1</n1:a></x>"#),
    ] {
        let wsdl = echo(r#"<xs:element name="x" type="t:T"/>"#, &component(form))
            .replace(r#"elementFormDefault="qualified""#, defaults);
        let operation = operation(&wsdl);
        assert_eq!(sent(&operation, value.clone()), format!("<n1:Op>{wire}</n1:Op>"));
        survives(&operation, &value);
    }
}

#[test]
fn nil_keeps_the_attributes_that_it_has() {
    let operation = operation(&echo(
        r#"<xs:element name="x" type="t:T" nillable="true" minOccurs="0"/>
           <xs:element name="y" type="xs:anyType" minOccurs="0"/>"#,
        r#"<xs:complexType name="T"><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence>
           <xs:attribute name="why" type="xs:string" use="required"/><xs:attribute name="n" type="xs:int"/></xs:complexType>"#,
    ));
    let value = json!({"x": {"#nil": true, "@why": "gone", "@n": 1}});
    assert_eq!(
        sent(&operation, value.clone()),
        r#"<n1:Op><n1:x xsi:nil="true" why="gone" n="1"></n1:x></n1:Op>"#
    );
    survives(&operation, &value);
    for (bad, pointer) in [
        (json!(null), "/x"),
        (json!({"#nil": true}), "/x/@why"),
        (json!({"#nil": true, "@why": "gone", "a": 1}), "/x/a"),
        (json!({"#nil": true, "@why": "gone", "@n": "one"}), "/x/@n"),
    ] {
        assert!(!accepts(&operation, &json!({"x": bad})), "{bad}");
        assert_eq!(refused(&operation, json!({"x": bad})).0, pointer, "{bad}");
    }
    let (value, _) = read_back(&operation, "<y xsi:nil='1' b='2'/>");
    assert_eq!(value, json!({"y": {"#nil": true, "@b": "2"}}));
    let written = sent(&operation, value);
    assert!(written.contains(r#"<n1:y xsi:nil="true" b="2">"#), "{written}");
    let null: (Value, Vec<String>) = read_back(&operation, "<y xsi:nil='1'/>");
    assert_eq!(null.0, json!({"y": null}));
}
