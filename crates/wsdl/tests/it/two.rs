//! WSDL 2.0: interfaces, bindings, endpoints, and what an operation says of itself.

use serde_json::json;
use tollbridge_operation::{Effect, EffectSource};

use super::support::*;

/// A service of two interfaces, one of which extends the other.
fn stock() -> String {
    r##"<description xmlns="http://www.w3.org/ns/wsdl" targetNamespace="urn:t" xmlns:t="urn:t"
        xmlns:s="http://www.w3.org/ns/wsdl/soap" xmlns:x="http://www.w3.org/ns/wsdl-extensions"
        xmlns:xs="http://www.w3.org/2001/XMLSchema">
      <types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">
        <xs:element name="ask"><xs:complexType><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:complexType></xs:element>
        <xs:element name="told" type="xs:string"/>
        <xs:element name="wrong" type="xs:int"/>
        <xs:element name="Session" type="xs:string"/>
      </xs:schema></types>
      <interface name="Base">
        <fault name="bad" element="t:wrong"/>
        <operation name="ask" pattern="http://www.w3.org/ns/wsdl/in-out" x:safe="true">
          <documentation>Asks. At length.</documentation>
          <input messageLabel="In" element="t:ask"/><output messageLabel="Out" element="t:told"/>
          <outfault ref="t:bad" messageLabel="Out"/>
        </operation>
      </interface>
      <interface name="Whole" extends="t:Base">
        <operation name="drop" pattern="http://www.w3.org/ns/wsdl/in-only"><input element="t:told"/></operation>
        <operation name="ping"><input element="#none"/><output element="#any"/></operation>
        <operation name="tell" pattern="http://www.w3.org/ns/wsdl/out-only"><output element="t:told"/></operation>
        <operation name="free"><input element="#any"/></operation>
      </interface>
      <binding name="Soap" interface="t:Whole" type="http://www.w3.org/ns/wsdl/soap"
          s:protocol="http://www.w3.org/2003/05/soap/bindings/HTTP/">
        <operation ref="t:ask" s:action="urn:t#ask"><input><s:header element="t:Session"/></input></operation>
      </binding>
      <binding name="Plain" type="http://www.w3.org/ns/wsdl/http"/>
      <service name="S" interface="t:Whole">
        <endpoint name="P" binding="t:Soap" address="http://service.example/soap/"/>
        <endpoint name="H" binding="t:Plain" address="http://service.example/http"/>
      </service>
    </description>"##
        .to_owned()
}

#[test]
fn the_operations_of_an_interface_and_of_those_it_extends_are_operations() {
    let description = description(&stock());
    assert_eq!(description.format, "WSDL 2.0");
    assert_eq!(description.title, "S");
    assert_eq!(description.warnings, []);
    let keys: Vec<_> = description.operations.iter().map(|o| o.id.key.as_str()).collect();
    assert_eq!(keys, ["S.P.drop", "S.P.ping", "S.P.ask"]);
    let reasons: Vec<_> =
        description.skipped.iter().map(|s| (s.key.as_str(), s.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (
                "S.P.tell",
                "its pattern is `http://www.w3.org/ns/wsdl/out-only`, which is no call and answer"
            ),
            ("S.P.free", "its input may be any element, which no schema says"),
            ("S.H", "its binding is to plain HTTP, which is bridged for WSDL 1.1 alone"),
        ]
    );
}

#[test]
fn an_operation_is_asked_in_soap_1_2_with_its_action_and_headers() {
    let mut operations = description(&stock()).operations;
    let ask = operations.pop().expect("three");
    assert_eq!(
        (ask.effect, ask.effect_source, ask.idempotent),
        (Effect::Read, EffectSource::Declared, true)
    );
    assert_eq!(ask.summary.as_deref(), Some("Asks."));
    assert_eq!(ask.servers, ["http://service.example/soap/"]);
    let arguments = json!({"a": 1, "headers": {"Session": "s"}});
    assert!(accepts(&ask, &arguments));
    let request = encode(&ask, arguments).expect("it can be sent");
    let media_type = request.body.as_ref().expect("a body").content_type.to_str().unwrap();
    assert_eq!(media_type, r#"application/soap+xml; charset=utf-8; action="urn:t#ask""#);
    let envelope = envelope_of(&request);
    assert!(envelope.contains("<n1:ask><n1:a>1</n1:a></n1:ask>"), "{envelope}");
    let (value, drift) = success(answer(&ask, 200, soap(Version::V1_2, "<t:told>x</t:told>")));
    assert_eq!((value, drift), (json!("x"), Vec::new()));

    let ping = operations.pop().expect("two");
    assert_eq!((ping.effect, ping.effect_source), (Effect::Write, EffectSource::Inferred));
    assert_eq!(sent(&ping, json!({})), "");
    assert_eq!(sent(&operations[0], json!({"told": "x"})), "<n1:told>x</n1:told>");
}

#[test]
fn a_binding_says_its_version_and_what_is_no_envelope_over_http_is_set_aside() {
    let older = stock().replace("s:protocol=", r#"s:version="1.1" s:protocol="#);
    let ask = description(&older).operations.pop().expect("three");
    let request = encode(&ask, json!({"a": 1})).expect("it can be sent");
    assert!(
        request
            .headers
            .iter()
            .any(|(name, value)| name == "soapaction" && value == "\"urn:t#ask\"")
    );

    let queue = stock().replace("http://www.w3.org/2003/05/soap/bindings/HTTP/", "urn:queue");
    assert!(description(&queue).skipped[0].reason.contains("only HTTP is bridged"));
    let get = stock().replace(
        "s:protocol=",
        r#"s:mepDefault="http://www.w3.org/2003/05/soap/mep/soap-response/" s:protocol="#,
    );
    assert!(
        description(&get).skipped.iter().any(|s| s.reason.contains("a GET without an envelope"))
    );
}

#[test]
fn interfaces_that_extend_each_other_are_read_once_or_not_forever() {
    let circle = stock()
        .replace(r#"<interface name="Base">"#, r#"<interface name="Base" extends="t:Whole">"#);
    assert!(!description(&circle).operations.is_empty());
}

#[test]
fn policies_are_found_wherever_they_are_attached() {
    let policy = r#"<p:Policy xmlns:p="http://www.w3.org/ns/ws-policy"><sp:AsymmetricBinding xmlns:sp="urn:sp"/></p:Policy>"#;
    for (from, to) in [
        (r#"<interface name="Base">"#, ""),
        (r#"interface="t:Whole" type="http://www.w3.org/ns/wsdl/soap""#, ">"),
        (r#"x:safe="true">"#, ""),
        (r#"s:action="urn:t#ask">"#, ""),
        (r#"s:action="urn:t#ask"><input>"#, ""),
        (r#"<service name="S" interface="t:Whole">"#, ""),
    ] {
        let wsdl = stock();
        let at = wsdl.find(from).unwrap_or_else(|| panic!("{from}")) + from.len();
        let at = if to.is_empty() { at } else { at + wsdl[at..].find(to).unwrap() + to.len() };
        let wsdl = format!("{}{policy}{}", &wsdl[..at], &wsdl[at..]);
        let told = description(&wsdl).warnings;
        assert!(
            told.iter().any(|one| one.message.contains("AsymmetricBinding")),
            "{from}: {told:?}"
        );
    }
}
