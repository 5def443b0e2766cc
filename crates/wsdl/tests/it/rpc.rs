//! rpc/literal and rpc/encoded: parts, arrays, values told by reference.

use serde_json::json;
use tollbridge_operation::Operation;

use super::support::*;

fn rpc(encoded: bool, parts: &str, out: &str, components: &str) -> Operation {
    let body = if encoded {
        r#"<s:body use="encoded" namespace="urn:call" encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"/>"#
    } else {
        r#"<s:body use="literal" namespace="urn:call"/>"#
    };
    operation(&definitions(
        Version::V1_1,
        &format!(
            r#"<types>{}</types>
            <message name="In">{parts}</message><message name="Out">{out}</message>
            <portType name="PT"><operation name="Op">
              <input message="t:In"/><output message="t:Out"/></operation></portType>
            <binding name="B" type="t:PT">
              <s:binding transport="http://schemas.xmlsoap.org/soap/http" style="rpc"/>
              <operation name="Op"><s:operation soapAction=""/>
                <input>{body}</input><output>{body}</output></operation></binding>
            <service name="S"><port name="P" binding="t:B"><s:address location="http://h/"/></port></service>"#,
            schema(components)
        ),
    ))
}

const ORDER: &str = r#"<xs:complexType name="Order"><xs:sequence>
    <xs:element name="sku" type="xs:string"/><xs:element name="qty" type="xs:int"/></xs:sequence></xs:complexType>
  <xs:complexType name="Orders"><xs:complexContent><xs:restriction base="enc:Array">
    <xs:attribute ref="enc:arrayType" wsdl:arrayType="t:Order[]"/></xs:restriction></xs:complexContent></xs:complexType>"#;

fn answered(operation: &Operation, body: &str) -> (serde_json::Value, Vec<String>) {
    success(answer(operation, 200, soap(Version::V1_1, body)))
}

#[test]
fn parts_are_properties_and_stand_unqualified_in_the_wrapper() {
    let operation = rpc(
        false,
        r#"<part name="a" type="xs:string"/><part name="order" type="t:Order"/>"#,
        r#"<part name="n" type="xs:int"/><part name="m" type="xs:string"/>"#,
        ORDER,
    );
    let arguments = json!({"order": {"qty": 1, "sku": "x"}, "a": "b"});
    assert!(accepts(&operation, &arguments));
    assert_eq!(
        sent(&operation, arguments),
        "<n1:Op><a>b</a><order><n2:sku>x</n2:sku><n2:qty>1</n2:qty></order></n1:Op>"
    );
    assert_eq!(refused(&operation, json!({"a": "b"})).0, "/order");
    assert_eq!(
        refused(&operation, json!({"a": "b", "order": {"sku": "", "qty": 1}, "z": 1})).0,
        "/z"
    );
    let (value, drift) =
        answered(&operation, "<c:OpResponse xmlns:c='urn:call'><n>1</n><m>x</m></c:OpResponse>");
    assert_eq!((value, drift), (json!({"n": 1, "m": "x"}), vec![]));
}

#[test]
fn encoded_values_say_their_types_and_arrays_how_many_they_hold() {
    let operation = rpc(
        true,
        r#"<part name="orders" type="t:Orders"/><part name="n" type="xs:int"/>"#,
        r#"<part name="orders" type="t:Orders"/>"#,
        ORDER,
    );
    let arguments = json!({"n": 5, "orders": [{"sku": "x", "qty": 1}, null]});
    let request = encode(&operation, arguments).unwrap();
    insta::assert_snapshot!(lines(&envelope_of(&request)));
}

#[test]
fn values_told_by_reference_are_put_in_their_places() {
    let operation = rpc(
        true,
        r#"<part name="n" type="xs:int"/>"#,
        r#"<part name="orders" type="t:Orders"/><part name="total" type="xs:decimal"/>"#,
        ORDER,
    );
    let (value, drift) = answered(
        &operation,
        "<c:OpResponse xmlns:c='urn:call'><orders href='#o'/><total xsi:type='xs:decimal'>1.5</total>\
         </c:OpResponse><multiRef id='o'><item href='#a'/><item href='#a'/></multiRef>\
         <multiRef id='a' xsi:type='t:Order'><sku>x</sku><qty href='#n'/></multiRef>\
         <multiRef id='n' xsi:type='xs:int'>3</multiRef>",
    );
    let order = json!({"sku": "x", "qty": 3});
    assert_eq!(value, json!({"orders": [order, order], "total": "1.5"}));
    // Encoded elements are in no namespace, whatever the schema's form; that is no drift.
    assert_eq!(drift, Vec::<String>::new());
}

#[test]
fn what_is_referred_to_in_its_own_place_loses_its_id() {
    let operation = rpc(true, "", r#"<part name="orders" type="t:Orders"/>"#, ORDER);
    let (value, drift) = answered(
        &operation,
        "<c:OpResponse xmlns:c='urn:call'><orders><item id='r1' xsi:type='t:Order'><sku>x</sku>\
         <qty>1</qty></item><item href='#r1'/></orders></c:OpResponse>",
    );
    let order = json!({"sku": "x", "qty": 1});
    assert_eq!((value, drift), (json!([order, order]), vec![]));
}

#[test]
fn what_names_the_result_in_soap_1_2_is_no_part() {
    let operation = rpc(false, "", r#"<part name="sum" type="xs:int"/>"#, "");
    let (value, drift) = answered(
        &operation,
        "<c:OpResponse xmlns:c='urn:call'><r:result xmlns:r='http://www.w3.org/2003/05/soap-rpc'>\
         sum</r:result><sum>4</sum></c:OpResponse>",
    );
    assert_eq!((value, drift), (json!(4), vec![]));
}

#[test]
fn a_lone_simple_part_is_the_answer_itself() {
    let operation =
        rpc(false, r#"<part name="a" type="xs:int"/>"#, r#"<part name="r" type="xs:int"/>"#, "");
    let (value, _) =
        answered(&operation, "<c:OpResponse xmlns:c='urn:call'><r>4</r></c:OpResponse>");
    assert_eq!(value, json!(4));
    let (value, _) = answered(&operation, "<OpResponse><return>4</return></OpResponse>");
    assert_eq!(value, json!(4), "many services call it as they like");
}

#[test]
fn items_of_sparse_arrays_stand_in_their_places() {
    let numbers = r#"<xs:complexType name="Numbers"><xs:complexContent><xs:restriction base="enc:Array">
        <xs:attribute ref="enc:arrayType" wsdl:arrayType="xs:int[]"/></xs:restriction></xs:complexContent></xs:complexType>"#;
    let operation = rpc(true, "", r#"<part name="n" type="t:Numbers"/>"#, numbers);
    let numbers = |said: &str, items: &str| {
        answered(
            &operation,
            &format!(
                "<c:OpResponse xmlns:c='urn:call' xmlns:e='http://schemas.xmlsoap.org/soap/encoding/'>\
                 <n e:arrayType='x:int[{}]' {said}>{items}</n></c:OpResponse>",
                if said.is_empty() { "2,2" } else { "9" }
            ),
        )
    };
    let (value, drift) = numbers("e:offset='[2]'", "<i>1</i><i>2</i>");
    assert_eq!((value, drift), (json!([null, null, 1, 2]), vec![]));
    let (value, drift) = numbers("a='b'", "<i e:position='[1]'>1</i><i e:position=' [3] '>2</i>");
    assert_eq!((value, drift), (json!([null, 1, null, 2]), vec![]));
    let (value, drift) = numbers("a='b'", "<i e:position='[1]'>1</i><i e:position='[0]'>2</i>");
    assert_eq!((value, drift.len()), (json!([null, 1, 2]), 1));
    let (value, drift) = numbers("e:offset='[4000000000]'", "<i>1</i>");
    assert_eq!((value, drift.len()), (json!([1]), 1));
    let (value, drift) = numbers("", "<i>1</i><i>2</i><i>3</i><i>4</i>");
    assert_eq!((value, drift.len()), (json!([1, 2, 3, 4]), 1));
}
