//! Whatever is sent comes back as it was, or is refused; whatever comes is borne.

use proptest::prelude::*;
use serde_json::json;
use tollbridge_operation::Operation;

use super::support::*;

fn stock() -> Operation {
    operation(&echo(
        r#"<xs:element name="article" type="xs:string"/>
        <xs:element name="amount" type="xs:decimal" minOccurs="0"/>
        <xs:element name="count" type="xs:int" minOccurs="0"/>
        <xs:element name="big" type="xs:integer" minOccurs="0"/>
        <xs:element name="note" minOccurs="0" maxOccurs="unbounded"><xs:complexType mixed="true">
          <xs:sequence><xs:element name="b" type="xs:string" minOccurs="0"/></xs:sequence>
          <xs:attribute name="kind" type="xs:string"/>
        </xs:complexType></xs:element>"#,
        "",
    ))
}

proptest! {
    #[test]
    fn any_text_survives_the_wire_or_is_refused(text in any::<String>()) {
        let operation = stock();
        let arguments = json!({"article": text, "note": [{"#content": [{"b": text}], "@kind": text}]});
        if text.chars().all(tollbridge_xml::chars::is_xml) {
            prop_assert_eq!(echoed(&operation, &arguments), arguments);
        } else {
            prop_assert_eq!(refused(&operation, arguments).0, "/article");
        }
    }

    #[test]
    fn any_markup_survives_the_wire(text in "[<>&'\"\\]\\[!a;#\r\n\t -]{0,40}") {
        let arguments = json!({"article": text, "note": [{"@kind": text}]});
        prop_assert_eq!(echoed(&stock(), &arguments), arguments);
    }

    #[test]
    fn any_number_survives_the_wire(int in any::<i32>(), whole in any::<i128>(), part in any::<u64>()) {
        let decimal = format!("{whole}.{part}");
        let arguments = json!({
            "article": "", "amount": decimal, "count": int, "big": whole.to_string(),
        });
        prop_assert_eq!(echoed(&stock(), &arguments), arguments);
    }

    #[test]
    fn no_answer_makes_it_panic(status in 200_u16..600, body in any::<Vec<u8>>()) {
        let _ = answer(&stock(), status, body);
    }

    #[test]
    fn no_tags_make_it_panic(body in "(<[/?!]?(s:|t:)?[a-c]( b='&[a-z#0-9]{0,4};')?/?>|&lt;|]]>|x){0,20}") {
        let _ = answer(&stock(), 200, soap(Version::V1_1, &body));
    }

    #[test]
    fn no_schema_makes_it_panic(body in "(<xs:(element|sequence|choice|any|group|attribute|simpleType|restriction|list|union|extension|complexType|complexContent)( (name|ref|type|base|itemType)='(t:)?[ab]')?( maxOccurs='(0|2|unbounded|x)')?/?>|</xs:(element|sequence|choice|complexType)>){0,12}") {
        let wsdl = document(Version::V1_1, &schema(&body));
        let api = tollbridge_operation::ApiName::new("test").unwrap();
        let options = tollbridge_wsdl::ReadOptions { api: &api, source: None, documents: &() };
        let _ = tollbridge_wsdl::read(wsdl.as_bytes(), &options);
    }
}
