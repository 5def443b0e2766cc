//! Ports over plain HTTP: where the parts go, and how answers are read.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use tollbridge_operation::{Answer, Effect, Operation, Payload, Request, Response};

use super::support::*;

const HTTP: &str = "http://schemas.xmlsoap.org/wsdl/http/";

/// One operation `Op` of parts `a` (a text) and `n` (a number), over plain HTTP.
fn service(verb: &str, location: &str, input: &str, output: &str) -> String {
    definitions(
        Version::V1_1,
        &format!(
            r#"<types>{}</types>
            <message name="In"><part name="a" type="xs:string"/><part name="n" type="xs:long"/></message>
            <message name="Out"><part name="Body" element="t:Found"/></message>
            <portType name="PT"><operation name="Op">
              <input message="t:In"/><output message="t:Out"/></operation></portType>
            <binding name="B" type="t:PT" xmlns:h="{HTTP}" xmlns:m="http://schemas.xmlsoap.org/wsdl/mime/">
              <h:binding verb="{verb}"/>
              <operation name="Op"><h:operation location="{location}"/>
                <input>{input}</input><output>{output}</output></operation>
            </binding>
            <service name="S"><port name="P" binding="t:B">
              <h:address xmlns:h="{HTTP}" location="http://service.example/svc.asmx"/>
            </port></service>"#,
            schema(
                r#"<xs:element name="Found"><xs:complexType><xs:sequence>
                  <xs:element name="x" type="xs:int" maxOccurs="2"/></xs:sequence></xs:complexType></xs:element>
                  <xs:element name="Ask"><xs:complexType><xs:sequence>
                  <xs:element name="x" type="xs:int"/></xs:sequence></xs:complexType></xs:element>"#
            )
        ),
    )
}

fn get(location: &str, input: &str) -> Operation {
    operation(&service("GET", location, input, "<m:mimeXml part='Body'/>"))
}

fn requested(operation: &Operation, arguments: Value) -> Request {
    encode(operation, arguments).expect("it can be sent")
}

fn body(request: &Request) -> (&str, &str) {
    let body = request.body.as_ref().expect("a body");
    (body.content_type.to_str().unwrap(), std::str::from_utf8(&body.bytes).unwrap())
}

fn answered(operation: &Operation, status: u16, media_type: &'static str, body: &str) -> Answer {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
    operation.binding.decode(&Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
    })
}

#[test]
fn url_encoded_parts_are_the_query() {
    let operation = get("/Op", "<h:urlEncoded/>");
    let endpoint = operation.endpoint.as_ref().expect("it has one");
    assert_eq!((endpoint.method.as_str(), endpoint.path.as_str()), ("GET", "/Op"));
    assert_eq!((operation.effect, operation.idempotent), (Effect::Read, true));
    assert_eq!(operation.servers, ["http://service.example/svc.asmx"]);
    let arguments = json!({"n": 9_007_199_254_740_993_i64, "a": "x &=ü"});
    assert!(accepts(&operation, &arguments));
    let request = requested(&operation, arguments);
    assert_eq!((request.method.clone(), request.path.as_str()), (Method::GET, "/Op"));
    assert_eq!(request.query.as_deref(), Some("a=x+%26%3D%C3%BC&n=9007199254740993"));
    assert_eq!(request.body, None);
    assert_eq!(refused(&operation, json!({"a": "x"})).0, "/n");
    assert_eq!(refused(&operation, json!({"a": "x", "n": 1, "b": 1})).0, "/b");
    assert_eq!(refused(&operation, json!({"a": "x", "n": "one"})).0, "/n");
}

#[test]
fn a_query_in_the_location_stays_before_the_parts() {
    let request = requested(&get("op?v=1", "<h:urlEncoded/>"), json!({"a": "x", "n": 1}));
    assert_eq!((request.path.as_str(), request.query.as_deref()), ("/op", Some("v=1&a=x&n=1")));
}

#[test]
fn replaced_parts_stand_in_the_path() {
    let operation = get("o/A(a)B(n)/c", "<h:urlReplacement/>");
    assert_eq!(operation.endpoint.as_ref().expect("it has one").path, "/o/A{a}B{n}/c");
    let request = requested(&operation, json!({"a": "x/y", "n": 1}));
    assert_eq!((request.path.as_str(), request.query), ("/o/Ax%2FyB1/c", None));
    let segment = get("(a)/(n)", "<h:urlReplacement/>");
    for bad in ["", ".", ".."] {
        assert_eq!(refused(&segment, json!({"a": bad, "n": 1})).0, "/a");
    }
}

#[test]
fn a_form_holds_the_parts_and_xml_is_the_only_one() {
    let form = r#"<m:content type="application/x-www-form-urlencoded"/>"#;
    let posted = operation(&service("POST", "/Op", form, "<m:mimeXml/>"));
    assert_eq!(posted.effect, Effect::Write);
    let request = requested(&posted, json!({"a": "x y", "n": 1}));
    assert_eq!(body(&request), ("application/x-www-form-urlencoded", "a=x+y&n=1"));

    let parts = r#"<part name="a" type="xs:string"/><part name="n" type="xs:long"/>"#;
    let xml = service("POST", "/Op", "<m:mimeXml part='q'/>", "<m:mimeXml/>")
        .replace(parts, r#"<part name="q" element="t:Ask"/>"#);
    let request = requested(&operation(&xml), json!({"Ask": {"x": 1}}));
    let (media_type, text) = body(&request);
    assert_eq!(media_type, "text/xml; charset=utf-8");
    let root = tollbridge_xml::parse(text.as_bytes()).expect("XML");
    assert_eq!((root.namespace.as_deref(), root.name.as_str()), (Some("urn:t"), "Ask"));
    assert_eq!(root.child("x").map(tollbridge_xml::Element::text).as_deref(), Some("1"));

    let bytes = service("POST", "/Op", r#"<m:content type="image/png"/>"#, "<m:mimeXml/>")
        .replace(parts, r#"<part name="image" type="xs:hexBinary"/>"#);
    let request = requested(&operation(&bytes), json!({"image": "414243"}));
    assert_eq!(body(&request), ("image/png", "ABC"));
}

#[test]
fn an_answer_is_read_by_what_it_is() {
    let operation = get("/Op", "<h:urlEncoded/>");
    let of = |status, media_type, body| answered(&operation, status, media_type, body);
    let done = |value: Value| Answer::Success {
        payload: Payload::Value(value),
        drift: Vec::new(),
        headers: Map::new(),
    };
    assert_eq!(
        of(200, "text/xml", "<Found xmlns='urn:t'><x>1</x></Found>"),
        done(json!({"Found": {"x": [1]}}))
    );
    let Answer::Success { drift, .. } = of(200, "text/xml", "<found/>") else { panic!() };
    assert!(!drift.is_empty());
    assert_eq!(of(200, "text/plain", "free"), done(json!("free")));
    assert!(matches!(of(200, "text/xml", "<a"), Answer::Unreadable { .. }));
    assert!(matches!(
        of(200, "image/gif", "GIF"),
        Answer::Success { payload: Payload::Bytes { .. }, .. }
    ));
    let Answer::Failure { payload, fault: None } = of(500, "text/html", "<h1>no</h1>") else {
        panic!()
    };
    assert_eq!(payload, Payload::Value(json!("<h1>no</h1>")));
    assert_eq!(
        of(204, "text/xml", ""),
        Answer::Success { payload: Payload::Empty, drift: Vec::new(), headers: Map::new() }
    );
}

#[test]
fn what_has_no_place_over_plain_http_is_set_aside() {
    let parts = r#"<part name="a" type="xs:string"/>"#;
    let nested = r#"<part name="a" element="t:Ask"/>"#;
    for (wsdl, reason) in [
        (service("GET", "/(a)", "<h:urlReplacement/>", ""), "no place for the part `n`"),
        (service("GET", "/a b", "<h:urlEncoded/>", ""), "characters that a URL cannot have"),
        (service("GET", "/../a", "<h:urlEncoded/>", ""), "characters that a URL cannot have"),
        (service("POST", "/a", "", ""), "nothing says how its parts are sent"),
        (service("POST", "/a", "<m:content type='text/xml'/>", ""), "2 parts for one body"),
        (service("POST", "/a", "<m:multipartRelated/>", ""), "several MIME parts"),
        (service("TRACE", "/a", "<h:urlEncoded/>", ""), "the verb `TRACE`"),
        (service("GET", "/a", "<h:urlEncoded/>", "").replace(parts, nested), "elements in it"),
    ] {
        let description = description(&wsdl);
        assert!(description.operations.is_empty(), "{reason}");
        let said = &description.skipped[0].reason;
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn an_operation_that_soap_has_as_well_is_a_twin_of_that() {
    let soap = echo("", "");
    let (port, binding) = (
        r#"<port name="Get" binding="t:H"><h:address xmlns:h="http://schemas.xmlsoap.org/wsdl/http/" location="http://service.example/b"/></port></service>"#,
        r#"<message name="None"/><portType name="G"><operation name="Op"><input message="t:None"/></operation></portType>
           <binding name="H" type="t:G" xmlns:h="http://schemas.xmlsoap.org/wsdl/http/"><h:binding verb="GET"/>
             <operation name="Op"><h:operation location="/Op"/></operation></binding><service name="S"><port name="P" "#,
    );
    let wsdl =
        soap.replace("</service>", port).replace(r#"<service name="S"><port name="P" "#, binding);
    let twins: Vec<_> = description(&wsdl)
        .operations
        .iter()
        .map(|o| (o.id.key.to_string(), o.twin_of.as_ref().map(ToString::to_string)))
        .collect();
    assert_eq!(
        twins,
        [("S.P.Op".to_owned(), None), ("S.Get.Op".to_owned(), Some("S.P.Op".to_owned()))]
    );
}
