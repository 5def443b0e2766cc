//! Header blocks: fixed by the configuration, declared or not, and those of answers.

use std::time::Duration;

use serde_json::{Value, json};
use tollbridge_operation::{Answer, Arguments, Enclosure, HeaderBlock, Moment, Operation};

use super::support::*;

const SESSION: &str = r#"<xs:element name="Session"><xs:complexType><xs:sequence>
      <xs:element name="token" type="xs:string"/>
      <xs:element name="ttl" type="xs:int" minOccurs="0"/>
    </xs:sequence></xs:complexType></xs:element>"#;

/// `Op` with the header `Session` in its request, and in its answer.
fn with_session() -> Operation {
    let header = r#"<s:header message="t:Head" part="h" use="literal"/>"#;
    let wsdl = echo("", SESSION)
        .replace(r#"<s:body use="literal"/>"#, &format!(r#"<s:body use="literal"/>{header}"#))
        .replace(
            "<portType",
            r#"<message name="Head"><part name="h" element="t:Session"/></message><portType"#,
        );
    operation(&wsdl)
}

fn block(name: &str, value: Value) -> HeaderBlock {
    HeaderBlock { name: name.to_owned(), shown: value.clone(), value }
}

fn enclosing(blocks: impl IntoIterator<Item = (&'static str, Value)>) -> Enclosure {
    let blocks = blocks.into_iter().map(|(name, value)| block(name, value)).collect();
    Enclosure { blocks, ..Enclosure::default() }
}

fn header_of(operation: &Operation, arguments: &Value, enclosure: &Enclosure) -> String {
    let moment = Moment { now: Duration::ZERO, random: [7; 32], to: "http://s.example/" };
    let arguments = Arguments(arguments.as_object().unwrap().clone());
    let request = operation.binding.enclose(&arguments, enclosure, &moment).unwrap();
    let envelope = envelope_of(&request);
    let header = envelope.split_once("<soap:Header>").map(|(_, rest)| rest.to_owned());
    header
        .and_then(|rest| Some(rest.split_once("</soap:Header>")?.0.to_owned()))
        .unwrap_or_default()
}

#[test]
fn a_fixed_header_is_written_by_its_schema_and_no_argument_has_a_say_over_it() {
    let operation = with_session();
    let fixed = enclosing([("Session", json!({"ttl": 5, "token": "fixed"}))]);
    assert_eq!(operation.binding.check(&fixed), Ok(()));
    let given = json!({"headers": {"Session": {"token": "an agent's"}}});
    let expected = "<n1:Session><n1:token>fixed</n1:token><n1:ttl>5</n1:ttl></n1:Session>";
    assert_eq!(header_of(&operation, &given, &fixed), expected);
    assert_eq!(header_of(&operation, &json!({}), &fixed), expected);
    let by_name = enclosing([("{urn:t}Session", json!({"token": "fixed", "ttl": 5}))]);
    assert_eq!(header_of(&operation, &json!({}), &by_name), expected);
}

#[test]
fn a_fixed_header_that_breaks_its_schema_is_found_before_any_call() {
    let operation = with_session();
    for (name, value, pointer) in [
        ("Session", json!({"ttl": 5}), "/headers/Session/token"),
        ("Session", json!({"token": "t", "ttl": "soon"}), "/headers/Session/ttl"),
        ("Session", json!({"token": "t", "else": 1}), "/headers/Session/else"),
        ("{urn:x}Auth", json!({"a b": 1}), "/headers/{urn:x}Auth/{urn:x}a b"),
        ("{urn:x}Auth", json!({"#mustUnderstand": 1}), "/headers/{urn:x}Auth/#mustUnderstand"),
        ("{urn:x", json!(1), "/headers/{urn:x"),
        ("{urn:x}a:b", json!(1), "/headers/{urn:x}a:b"),
    ] {
        let error = operation.binding.check(&enclosing([(name, value)])).unwrap_err();
        assert_eq!(error.pointer, pointer, "{error}");
    }
}

#[test]
fn a_header_that_the_wsdl_does_not_mention_is_written_from_its_value() {
    let operation = operation(&echo("", ""));
    let header = enclosing([(
        "{urn:legacy}AuthHeader",
        json!({
            "#mustUnderstand": true,
            "#actor": "urn:gate",
            "@version": "2",
            "@{urn:other}kind": "k",
            "Username": "acme",
            "Password": "p<&>",
            "{}Plain": true,
            "{urn:other}Scope": ["a", "b"],
            "Client": {"Id": 7},
        }),
    )]);
    assert_eq!(operation.binding.check(&header), Ok(()));
    insta::assert_snapshot!(lines(&header_of(&operation, &json!({}), &header)), @r#"
    <n2:AuthHeader version="2" n1:kind="k" soap:mustUnderstand="1" soap:actor="urn:gate">
    <n2:Username>acme</n2:Username>
    <n2:Password>p&lt;&amp;&gt;</n2:Password>
    <Plain>true</Plain>
    <n1:Scope>a</n1:Scope>
    <n1:Scope>b</n1:Scope>
    <n2:Client>
    <n2:Id>7</n2:Id>
    </n2:Client>
    </n2:AuthHeader>
    "#);
    let simple = enclosing([("{urn:legacy}Key", json!("k"))]);
    assert_eq!(header_of(&operation, &json!({}), &simple), "<n1:Key>k</n1:Key>");
    let marked = enclosing([("{urn:legacy}Key", json!({"#text": "k", "#mustUnderstand": true}))]);
    assert_eq!(
        header_of(&operation, &json!({}), &marked),
        "<n1:Key soap:mustUnderstand=\"1\">k</n1:Key>"
    );
}

#[test]
fn a_header_of_other_operations_is_left_out_where_it_is_not_declared() {
    let operation = operation(&echo("", ""));
    assert!(
        !operation.binding.has_header("Session") && with_session().binding.has_header("Session")
    );
    let fixed = enclosing([("Session", json!({"token": "t"}))]);
    assert_eq!(header_of(&operation, &json!({}), &fixed), "");
}

#[test]
fn soap_1_2_has_a_role_where_1_1_has_an_actor() {
    let wsdl = echo("", "").replace("/wsdl/soap/", "/wsdl/soap12/");
    let header = enclosing([("{urn:x}H", json!({"#actor": "urn:gate", "#mustUnderstand": false}))]);
    assert_eq!(
        header_of(&operation(&wsdl), &json!({}), &header),
        "<n1:H soap:role=\"urn:gate\"></n1:H>"
    );
}

fn answered(header: &str) -> (Value, Vec<String>) {
    let envelope = format!(
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' xmlns:t='urn:t'>\
         <s:Header>{header}</s:Header><s:Body><t:OpResponse/></s:Body></s:Envelope>"
    );
    match answer(&with_session(), 200, envelope) {
        Answer::Success { drift, headers, .. } => {
            (Value::Object(headers), drift.into_iter().map(|drift| drift.message).collect())
        }
        other => panic!("no success: {other:?}"),
    }
}

#[test]
fn headers_of_an_answer_are_values_by_their_local_names() {
    let (headers, drift) = answered(
        "<t:Session><t:token>t</t:token><t:ttl>7</t:ttl></t:Session>\
         <x:Quota xmlns:x='urn:x' left='3'>9</x:Quota><x:N xmlns:x='urn:x'>1</x:N>\
         <x:N xmlns:x='urn:x'>2</x:N>",
    );
    assert_eq!(
        headers,
        json!({
            "Session": {"token": "t", "ttl": 7},
            "Quota": {"@left": "3", "#text": "9"},
            "N": ["1", "2"],
        })
    );
    assert!(drift.is_empty(), "{drift:?}");
}

#[test]
fn a_mandatory_header_that_nothing_is_known_of_is_drift() {
    let (headers, drift) = answered("<x:Terms xmlns:x='urn:x' s:mustUnderstand='1'>no</x:Terms>");
    assert_eq!(headers, json!({"Terms": "no"}));
    assert!(drift[0].contains("`Terms` must be understood"), "{drift:?}");
    let (_, drift) = answered("<t:Session s:mustUnderstand='1'><t:token>t</t:token></t:Session>");
    assert!(drift.is_empty(), "{drift:?}");
    let (_, drift) = answered("<t:Session><t:ttl>late</t:ttl></t:Session>");
    assert!(drift.iter().any(|message| message.contains("in the header `Session`")), "{drift:?}");
}

#[test]
fn what_belongs_to_the_exchange_is_no_header_of_the_answer() {
    let (headers, drift) = answered(
        "<a:Action xmlns:a='http://www.w3.org/2005/08/addressing' s:mustUnderstand='1'>u</a:Action>\
         <o:Security s:mustUnderstand='1' xmlns:o='http://docs.oasis-open.org/wss/2004/01/\
         oasis-200401-wss-wssecurity-secext-1.0.xsd'/>",
    );
    assert_eq!((headers, drift), (json!({}), Vec::new()));
}
