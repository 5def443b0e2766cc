//! Faults of both versions, under whatever status.

use serde_json::json;
use tollbridge_operation::{Answer, Fault, Operation, Payload};

use super::support::*;

fn stock() -> Operation {
    operation(&echo(r#"<xs:element name="article" type="xs:string"/>"#, ""))
}

fn fault(operation: &Operation, status: u16, body: String) -> Fault {
    let Answer::Failure { payload, fault: Some(fault) } = answer(operation, status, body) else {
        panic!("no fault under {status}")
    };
    assert_eq!(payload, Payload::Empty);
    fault
}

#[test]
fn a_fault_of_soap_1_1_is_a_failure_also_under_200() {
    let body = soap(
        Version::V1_1,
        "<s:Fault><faultcode>s:Client.Article</faultcode><faultstring> No such article \
         </faultstring><faultactor>urn:x</faultactor><detail><d:Unknown xmlns:d='urn:d'>\
         <d:article>a</d:article></d:Unknown></detail></s:Fault>",
    );
    for status in [200, 500] {
        let fault = fault(&stock(), status, body.clone());
        assert_eq!(fault.code, "Client.Article");
        assert_eq!(fault.subcodes, Vec::<String>::new());
        assert_eq!(fault.reason, "No such article");
        assert_eq!(fault.detail, Some(json!({"Unknown": {"article": "a"}})));
    }
}

#[test]
fn a_fault_of_soap_1_2_has_its_subcodes_from_the_outside_in() {
    let body = soap(
        Version::V1_2,
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>m:A</s:Value>\
         <s:Subcode><s:Value>m:B</s:Value></s:Subcode></s:Subcode></s:Code><s:Reason>\
         <s:Text xml:lang='de'>Nein</s:Text><s:Text xml:lang='en-GB'>No</s:Text></s:Reason>\
         <s:Detail><x>1</x></s:Detail></s:Fault>",
    );
    let fault = fault(&stock(), 400, body);
    assert_eq!(fault.code, "Sender");
    assert_eq!(fault.subcodes, ["A", "B"]);
    assert_eq!(fault.reason, "No");
    assert_eq!(fault.detail, Some(json!({"x": "1"})));
}

#[test]
fn a_fault_without_anything_in_it_is_still_a_fault() {
    for version in [Version::V1_1, Version::V1_2] {
        let fault = fault(&stock(), 200, soap(version, "<s:Fault/>"));
        assert_eq!((fault.code.as_str(), fault.reason.as_str(), fault.detail), ("", "", None));
    }
}

#[test]
fn the_detail_of_a_declared_fault_is_read_by_its_type() {
    let wsdl = echo(
        "",
        r#"<xs:element name="Short"><xs:complexType><xs:sequence>
             <xs:element name="left" type="xs:int"/>
             <xs:element name="place" type="xs:string" maxOccurs="unbounded"/>
           </xs:sequence></xs:complexType></xs:element>"#,
    )
    .replace(
        "<portType",
        r#"<message name="F"><part name="f" element="t:Short"/></message><portType"#,
    )
    .replace(
        r#"<output message="t:Out"/>"#,
        r#"<output message="t:Out"/><fault name="f" message="t:F"/>"#,
    );
    let body = "<s:Fault><faultcode>s:Server</faultcode><faultstring>short</faultstring><detail>\
                <t:Short><t:left>3</t:left><t:place>A</t:place></t:Short><trace>x</trace></detail>\
                </s:Fault>";
    let fault = fault(&operation(&wsdl), 500, soap(Version::V1_1, body));
    let expected = json!({"Short": {"left": 3, "place": ["A"]}, "trace": "x"});
    assert_eq!(fault.detail, Some(expected));
}

#[test]
fn other_children_of_a_fault_are_kept_beside_its_detail() {
    let others = "<d:asked xmlns:d='urn:d'>X</d:asked><d:near xmlns:d='urn:d'>A</d:near>\
                  <d:near xmlns:d='urn:d'>B</d:near>";
    let code = "<faultcode>s:Client</faultcode><faultstring>No</faultstring>";
    let bare =
        fault(&stock(), 500, soap(Version::V1_1, &format!("<s:Fault>{code}{others}</s:Fault>")));
    assert_eq!(bare.detail, Some(json!({"asked": "X", "near": ["A", "B"]})));
    let beside = format!("<s:Fault>{code}<detail><n>1</n></detail>{others}</s:Fault>");
    let beside = fault(&stock(), 500, soap(Version::V1_1, &beside));
    assert_eq!(beside.detail, Some(json!({"n": "1", "asked": "X", "near": ["A", "B"]})));
}
