//! XML by schema: the examples of the specifications (3.1.1 §4.8.26.2, 3.2.0 §4.26.5), and
//! what hostile or careless services send.

use proptest::prelude::*;
use serde_json::{Value, json};
use tollbridge_operation::{Answer, Operation, Payload};

use crate::support::{answer, body, only, try_encode};

/// An operation that takes and answers XML of this schema, with these components.
fn operation(version: &str, schema: &Value, components: &Value) -> Operation {
    let content = json!({"application/xml": {"schema": schema}});
    only(
        &json!({"openapi": version, "info": {}, "components": {"schemas": components}, "paths": {"/": {"post": {
            "requestBody": {"content": content}, "responses": {"200": {"content": content}}}}}})
        .to_string(),
    )
}

fn read(operation: &Operation, xml: &str) -> Value {
    match answer(operation, 200, Some("application/xml"), xml.as_bytes()) {
        Answer::Success { payload: Payload::Value(value), .. } => value,
        other => panic!("a value, not {other:?}"),
    }
}

fn animals(own: &Value, items: &Value) -> Value {
    let mut list = json!({"type": "array", "items": {"type": "string"}});
    for (name, value) in own.as_object().unwrap() {
        list[name] = value.clone();
    }
    for (name, value) in items.as_object().unwrap() {
        list["items"][name] = value.clone();
    }
    json!({"type": "object", "xml": {"name": "document"}, "properties": {"animals": list}})
}

#[test]
fn the_specifications_lists_are_written_and_read_back() {
    for (own, items, around, each) in [
        (json!({}), json!({}), "", "animals"),
        (json!({}), json!({"xml": {"name": "animal"}}), "", "animal"),
        (json!({"xml": {"name": "aliens"}}), json!({"xml": {"name": "animal"}}), "", "animal"),
        (json!({"xml": {"wrapped": true}}), json!({}), "animals", "animals"),
        (
            json!({"xml": {"wrapped": true}}),
            json!({"xml": {"name": "animal"}}),
            "animals",
            "animal",
        ),
        (
            json!({"xml": {"name": "aliens", "wrapped": true}}),
            json!({"xml": {"name": "animal"}}),
            "aliens",
            "animal",
        ),
        (json!({"xml": {"name": "aliens", "wrapped": true}}), json!({}), "aliens", "aliens"),
        (
            json!({"xml": {"nodeType": "element"}}),
            json!({"xml": {"name": "animal"}}),
            "animals",
            "animal",
        ),
    ] {
        let operation = operation("3.2.0", &animals(&own, &items), &json!({}));
        let value = json!({"animals": ["dog", "cat"]});
        let (begin, end) = match around {
            "" => (String::new(), String::new()),
            name => (format!("<{name}>"), format!("</{name}>")),
        };
        let expected =
            format!("<document>{begin}<{each}>dog</{each}><{each}>cat</{each}>{end}</document>");
        assert_eq!(body(&operation, &json!({"body": value})).1, expected);
        assert_eq!(read(&operation, &expected), value, "{expected}");
    }
}

#[test]
fn the_specifications_documents_are_written_and_read_back() {
    let person = json!({"type": "object", "properties": {
        "id": {"type": "integer", "format": "int32", "xml": {"attribute": true}},
        "name": {"type": "string", "xml": {"namespace": "https://example.com/schema/sample", "prefix": "sample"}}
    }});
    let documentation = json!({"type": "object", "properties": {"content": {"type": "string", "xml": {"nodeType": "cdata"}}}});
    let bare = json!({"xml": {"nodeType": "none"}, "type": "object", "properties": {"content": {"type": "string", "xml": {"nodeType": "cdata"}}}});
    let product = json!({"xml": {"name": "product"}, "type": "object", "properties": {
        "count": {"type": ["number", "null"], "xml": {"nodeType": "attribute"}},
        "description": {"type": "string"},
        "related": {"type": ["object", "null"]}
    }});
    for (schema, components, value, expected) in [
        (
            json!({"$ref": "#/components/schemas/Person"}),
            json!({"Person": person}),
            json!({"id": 123, "name": "example"}),
            "<Person id=\"123\"><sample:name xmlns:sample=\"https://example.com/schema/sample\">example</sample:name></Person>",
        ),
        (
            json!({"type": "array", "xml": {"nodeType": "element", "name": "animals"}, "items": {
                "xml": {"name": "animal"}, "properties": {
                    "kind": {"type": "string", "xml": {"nodeType": "attribute"}},
                    "name": {"type": "string", "xml": {"nodeType": "text"}}}}}),
            json!({}),
            json!([{"kind": "Cat", "name": "Fluffy"}, {"kind": "Dog", "name": "Fido"}]),
            "<animals><animal kind=\"Cat\">Fluffy</animal><animal kind=\"Dog\">Fido</animal></animals>",
        ),
        (
            json!({"$ref": "#/components/schemas/Documentation"}),
            json!({"Documentation": documentation}),
            json!({"content": "<html></html>"}),
            "<Documentation><![CDATA[<html></html>]]></Documentation>",
        ),
        (
            json!({"xml": {"nodeType": "element", "name": "StoredDocument"}, "$ref": "#/components/schemas/Documentation"}),
            json!({"Documentation": bare}),
            json!({"content": "<html></html>"}),
            "<StoredDocument><![CDATA[<html></html>]]></StoredDocument>",
        ),
        (
            json!({"xml": {"nodeType": "element", "name": "OneTwoThree"}, "type": "array", "prefixItems": [
                {"xml": {"name": "One"}, "type": "string"},
                {"xml": {"name": "Two"}, "type": "object", "properties": {
                    "unit": {"type": "string", "xml": {"nodeType": "attribute"}},
                    "value": {"type": "number", "xml": {"nodeType": "text"}}}},
                {"xml": {"name": "Three"}, "type": ["boolean", "null"]}]}),
            json!({}),
            json!(["Some text", {"unit": "cubits", "value": 42}, null]),
            "<OneTwoThree><One>Some text</One><Two unit=\"cubits\">42</Two>\
             <Three xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/></OneTwoThree>",
        ),
        (
            json!({"xml": {"nodeType": "element", "name": "Report"}, "type": "array", "prefixItems": [
                {"xml": {"nodeType": "text"}, "type": "string"},
                {"xml": {"name": "data"}, "type": "number"},
                {"xml": {"nodeType": "text"}, "type": "string"}]}),
            json!({}),
            json!(["Some preamble text.", 42, "Some postamble text."]),
            "<Report>Some preamble text.<data>42</data>Some postamble text.</Report>",
        ),
        (
            product.clone(),
            json!({}),
            json!({"count": null, "description": "Thing", "related": null}),
            "<product><description>Thing</description>\
             <related xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/></product>",
        ),
    ] {
        let operation = operation("3.2.0", &schema, &components);
        assert_eq!(body(&operation, &json!({"body": value})).1, expected);
        assert_eq!(read(&operation, expected), value, "{expected}");
    }
}

#[test]
fn names_come_from_the_schema_the_component_or_the_property() {
    let tag = json!({"type": "object", "properties": {"id": {"type": "integer"}}});
    let named = json!({"type": "object", "xml": {"name": "t", "namespace": "urn:t"}, "properties": {"id": {"type": "integer"}}});
    let pet = json!({"type": "object", "properties": {
        "tag": {"$ref": "#/components/schemas/Tag"}, "named": {"$ref": "#/components/schemas/Named"}}});
    let components = json!({"Tag": tag, "Named": named, "Pet": pet});
    let reference = json!({"$ref": "#/components/schemas/Pet"});
    let value = json!({"body": {"tag": {"id": 1}, "named": {"id": 2}}});
    for (version, expected) in [
        ("3.0.4", "<Pet><tag><id>1</id></tag><t xmlns=\"urn:t\"><id>2</id></t></Pet>"),
        // 3.2.0 §4.26.3: a component's name is that of its schema.
        ("3.2.0", "<Pet><Tag><id>1</id></Tag><t xmlns=\"urn:t\"><id>2</id></t></Pet>"),
    ] {
        let operation = operation(version, &reference, &components);
        assert_eq!(body(&operation, &value).1, expected);
        assert_eq!(read(&operation, expected), value["body"], "{version}");
    }
}

#[test]
fn what_the_schema_does_not_know_is_kept() {
    let schema = json!({"type": "object", "xml": {"name": "a"}, "properties": {
        "n": {"type": "integer"}, "ok": {"type": "boolean"}, "list": {"type": "array", "items": {"type": "number"}}}});
    let operation = operation("3.1.0", &schema, &json!({}));
    assert_eq!(
        read(
            &operation,
            "<a v='1'>x<n> 007 </n><ok>1</ok><list>0.10</list><b><c d='e'>f</c></b><b/></a>"
        ),
        json!({"n": " 007 ", "ok": true, "list": [serde_json::from_str::<Value>("0.10").unwrap()],
               "@v": "1", "b": [{"c": {"@d": "e", "#text": "f"}}, ""], "#text": "x"})
    );
    let value = json!({"body": {"n": 1, "@v": "a\"\n<", "b": [{"#text": "t", "@w": 2}, "x"]}});
    assert_eq!(
        body(&operation, &value).1,
        "<a v=\"a&quot;&#10;&lt;\"><n>1</n><b w=\"2\">t</b><b>x</b></a>"
    );
    for (bad, at) in [
        (json!({"a b": 1}), "/body/a b"),
        (json!({"n": "\u{0}"}), "/body/n"),
        (json!({"@xmlns": "urn:x"}), "/body/@xmlns"),
        (json!({"@x/><y": "1"}), "/body/@x~1><y"),
    ] {
        assert_eq!(try_encode(&operation, &json!({"body": bad})).unwrap_err().pointer, at);
    }
}

#[test]
fn recursion_stays_recursion_and_hostile_documents_are_refused() {
    let tree = json!({"type": "object", "xml": {"name": "tree"}, "properties": {
        "name": {"type": "string"}, "tree": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}}});
    let loops =
        json!({"$ref": "#/components/schemas/Loop", "xml": {"nodeType": "element", "name": "l"}});
    let operation = operation(
        "3.1.0",
        &json!({"$ref": "#/components/schemas/Tree"}),
        &json!({"Tree": tree, "Loop": loops}),
    );
    let value = json!({"name": "a", "tree": [{"name": "b", "tree": []}]});
    let xml = "<tree><name>a</name><tree><name>b</name></tree></tree>";
    assert_eq!(body(&operation, &json!({"body": value})).1, xml);
    assert_eq!(read(&operation, xml), value);
    for hostile in [
        "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><tree>&e;</tree>".to_owned(),
        "<tree>".repeat(100) + &"</tree>".repeat(100),
        "<tree>".to_owned(),
        "no xml".to_owned(),
    ] {
        let answer = answer(&operation, 200, Some("application/xml"), hostile.as_bytes());
        assert!(matches!(answer, Answer::Unreadable { .. }), "{answer:?}");
    }
    // Without a type, or in another charset, it is read all the same.
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><tree><name>\xfc</name></tree>";
    for content_type in [None, Some("text/xml")] {
        let Answer::Success { payload: Payload::Value(value), .. } =
            answer(&operation, 200, content_type, latin)
        else {
            panic!("a value");
        };
        assert_eq!(value["name"], "ü");
    }
}

#[test]
fn a_schema_that_names_no_root_leaves_the_document_to_the_agent() {
    for schema in
        [json!({"type": "object", "properties": {"a": {}}}), json!({"type": "string"}), json!({})]
    {
        let operation = operation("3.1.0", &schema, &json!({}));
        assert_eq!(operation.input.properties().unwrap()["body"]["type"], "string");
        assert_eq!(body(&operation, &json!({"body": "<a/>"})).1, "<a/>");
    }
}

proptest! {
    #[test]
    fn any_text_comes_back_as_itself(text in any::<String>(), attribute in any::<String>(), list in proptest::collection::vec(any::<String>(), 0..4)) {
        let schema = json!({"type": "object", "xml": {"name": "a"}, "properties": {
            "t": {"type": "string"}, "v": {"type": "string", "xml": {"attribute": true}},
            "l": {"type": "array", "items": {"type": "string"}}}});
        let operation = operation("3.0.4", &schema, &json!({}));
        let value = json!({"t": text, "v": attribute, "l": list});
        if let Ok(request) = try_encode(&operation, &json!({"body": value})) {
            let xml = String::from_utf8(request.body.unwrap().bytes.to_vec()).unwrap();
            prop_assert_eq!(read(&operation, &xml), value);
        } else {
            let held = |text: &str| text.chars().all(tollbridge_xml_char);
            prop_assert!(!(held(&text) && held(&attribute) && list.iter().all(|item| held(item))));
        }
    }
}

/// XML 1.0 §2.2, `Char`.
fn tollbridge_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
