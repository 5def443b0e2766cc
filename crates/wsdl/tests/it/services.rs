//! Services: which operations there are, under which ids, and what is set aside and why.

use serde_json::json;
use tollbridge_operation::OperationKey;

use super::support::*;

#[test]
fn an_operation_has_its_id_words_and_servers() {
    let wsdl = echo(r#"<xs:element name="a" type="xs:int"/>"#, "").replace(
        r#"<operation name="Op">
              <input"#,
        r#"<operation name="Op"><documentation>Does it. And more.</documentation>
              <input"#,
    );
    let operation = operation(&wsdl);
    assert_eq!(operation.id.key.as_str(), "S.P.Op");
    assert_eq!(operation.endpoint, None);
    assert_eq!(operation.summary.as_deref(), Some("Does it."));
    assert_eq!(operation.description.as_deref(), Some("Does it. And more."));
    assert_eq!(operation.servers, ["http://service.example/soap"]);
    assert_eq!(operation.twin_of, None);
}

#[test]
fn other_ports_of_a_port_type_are_twins_of_the_first() {
    let wsdl = echo("", "").replace(
        "</service>",
        r#"<port name="P2" binding="t:B"><s:address location="http://service.example/b"/></port>
           <port name="Other" binding="t:Missing"/></service>"#,
    );
    let description = description(&wsdl);
    let twins: Vec<_> = description
        .operations
        .iter()
        .map(|o| (o.id.key.as_str(), o.twin_of.as_ref().map(OperationKey::as_str)))
        .collect();
    assert_eq!(twins, [("S.P.Op", None), ("S.P2.Op", Some("S.P.Op"))]);
    assert_eq!(description.skipped[0].key, "S.Other");
    assert!(description.skipped[0].reason.contains("`t:Missing` is not defined"));
}

#[test]
fn what_cannot_be_bridged_is_set_aside_with_its_reason() {
    for (from, to, reason) in [
        ("http://schemas.xmlsoap.org/soap/http", "urn:jms", "only HTTP is bridged"),
        (r#"<input message="t:In"/>"#, "", "notifications are not bridged"),
        (
            r#"<s:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>"#,
            r#"<x:binding xmlns:x="urn:own"/>"#,
            "`urn:own`; SOAP and HTTP are bridged",
        ),
        (
            r#"<input message="t:In"/><output message="t:Out"/>"#,
            r#"<output message="t:Out"/><input message="t:In"/>"#,
            "solicit-response",
        ),
        (
            r#"<input><s:body use="literal"/>"#,
            r#"<input><s:body use="encoded"/>"#,
            "document/encoded",
        ),
        (r#"element="t:Op"/>"#, r#"element="t:Missing"/>"#, "is not defined"),
        (r#"element="t:Op"/>"#, r#"element="zz:Op"/>"#, "prefix of `zz:Op` is not declared"),
    ] {
        let wsdl = echo("", "");
        assert!(wsdl.contains(from), "{from}");
        let description = description(&wsdl.replace(from, to));
        assert!(description.operations.is_empty(), "{reason}");
        let said = &description.skipped[0].reason;
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn overloaded_operations_carry_the_name_of_their_input() {
    let wsdl = echo("", "")
        .replace(
            r#"<operation name="Op">
              <input message="t:In"/>"#,
            r#"<operation name="Op"><input name="one" message="t:In"/></operation>
               <operation name="Op"><input name="two" message="t:Out"/>"#,
        )
        .replace(
            r#"<operation name="Op"><s:operation soapAction="urn:t#Op"/>
                <input>"#,
            r#"<operation name="Op"><input name="one"><s:body use="literal"/></input></operation>
               <operation name="Op"><input name="two">"#,
        );
    let keys: Vec<_> =
        description(&wsdl).operations.iter().map(|o| o.id.key.as_str().to_owned()).collect();
    assert_eq!(keys, ["S.P.Op#one", "S.P.Op#two"]);
}

#[test]
fn bare_elements_and_wrappers_attributes_have_their_places() {
    let bare = echo("", r#"<xs:element name="Query" type="xs:string"/>"#)
        .replace(r#"element="t:Op"/>"#, r#"element="t:Query"/>"#);
    let operation_ = operation(&bare);
    assert_eq!(sent(&operation_, json!({"Query": "q"})), "<n1:Query>q</n1:Query>");
    let attribute = document(
        Version::V1_1,
        &schema(
            r#"<xs:element name="Op"><xs:complexType><xs:sequence>
                 <xs:element name="headers" type="xs:int"/></xs:sequence>
                 <xs:attribute name="version" type="xs:int"/></xs:complexType></xs:element>
               <xs:element name="OpResponse"><xs:complexType/></xs:element>"#,
        ),
    );
    let operation = operation(&attribute);
    let arguments = json!({"version_attr": 3, "headers": 1});
    assert!(accepts(&operation, &arguments));
    assert_eq!(
        sent(&operation, arguments),
        r#"<n1:Op version="3"><n1:headers>1</n1:headers></n1:Op>"#
    );
    assert_eq!(refused(&operation, json!({"headers": 1, "version_attr": "x"})).0, "/version_attr");
}

#[test]
fn overloaded_operations_without_names_are_told_apart_by_their_places() {
    let wsdl = echo("", "")
        .replace(
            r#"<operation name="Op">
              <input message="t:In"/>"#,
            r#"<operation name="Op"><input message="t:In"/></operation>
               <operation name="Op"><input message="t:Out"/>"#,
        )
        .replace(
            r#"<operation name="Op"><s:operation soapAction="urn:t#Op"/>
                <input>"#,
            r#"<operation name="Op"><input><s:body use="literal"/></input></operation>
               <operation name="Op"><input>"#,
        );
    let description = description(&wsdl);
    let keys: Vec<_> = description.operations.iter().map(|o| o.id.key.as_str()).collect();
    assert_eq!(keys, ["S.P.Op#Op", "S.P.Op#OpRequest"]);
    let [one, two] = description.operations.as_slice() else { panic!("two") };
    assert_eq!(sent(one, json!({})), "<n1:Op></n1:Op>");
    assert_eq!(sent(two, json!({"OpResponse": {}})), "<n1:OpResponse></n1:OpResponse>");
}

#[test]
fn the_address_of_a_service_is_kept_to_its_last_character() {
    let wsdl = echo("", "").replace("http://service.example/soap", "http://service.example/soap/");
    assert_eq!(operation(&wsdl).servers, ["http://service.example/soap/"]);
}

#[test]
fn what_is_undefined_beside_the_body_is_left_out_with_a_warning() {
    let header = r#"<input><s:header message="t:In" part="missing" use="literal"/><s:body"#;
    let wsdl = echo("", "").replace("<input><s:body", header);
    let description_ = description(&wsdl);
    assert_eq!(description_.operations.len(), 1);
    assert!(description_.warnings[0].message.contains("`missing` is not defined"));

    let typed = echo("", "")
        .replace(r#"element="t:Op"/>"#, r#"element="xs:int"/>"#)
        .replace(r#"style="document""#, r#"style="rpc""#);
    let description = description(&typed);
    assert!(description.warnings[0].message.contains("which is a type"));
    let body = sent(&description.operations[0], json!({"parameters": 1}));
    assert_eq!(body, "<n1:Op><parameters>1</parameters></n1:Op>");
}

#[test]
fn a_part_with_a_type_in_document_style_is_understood_with_a_warning() {
    let wsdl = echo("", "")
        .replace(r#"name="parameters" element="t:Op"/>"#, r#"name="a" type="xs:int"/>"#);
    let description = description(&wsdl);
    assert_eq!(description.warnings.len(), 1);
    assert_eq!(sent(&description.operations[0], json!({"a": 1})), "<a>1</a>");
}

#[test]
fn a_policy_that_wants_a_username_token_is_told() {
    let wsdl = echo("", "").replace(
        r#"<binding name="B" type="t:PT">"#,
        r##"<p:Policy xmlns:p="http://www.w3.org/ns/ws-policy" xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
             u:Id="A"><p:ExactlyOne><p:All><q:SupportingTokens xmlns:q="urn:q"><p:Policy><q:UsernameToken/></p:Policy></q:SupportingTokens></p:All></p:ExactlyOne></p:Policy>
           <binding name="B" type="t:PT"><p:PolicyReference xmlns:p="http://www.w3.org/ns/ws-policy" URI="#A"/>"##,
    );
    let security = operation(&wsdl).security;
    assert_eq!(security[0].all_of[0].name, "UsernameToken");
}

#[test]
fn a_body_of_parts_that_do_not_exist_has_those_that_do() {
    let wsdl = echo(r#"<xs:element name="a" type="xs:string"/>"#, "").replacen(
        r#"<s:body use="literal"/>"#,
        r#"<s:body use="literal" parts="in"/>"#,
        1,
    );
    let description = description(&wsdl);
    assert!(description.warnings[0].message.contains("no part `in`"), "{:?}", description.warnings);
    let [operation] = description.operations.as_slice() else { panic!("no operation") };
    assert!(sent(operation, json!({"a": "b"})).contains("<n1:a>b</n1:a>"));
}
