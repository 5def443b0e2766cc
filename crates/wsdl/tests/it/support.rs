//! A service around a schema, and what goes in and out of it.

use std::collections::HashMap;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tollbridge_operation::{
    Answer, ApiName, Arguments, Description, EncodeError, Operation, Payload, Request, Response,
};
use tollbridge_wsdl::{ReadOptions, Source, read};
use url::Url;

pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// Which SOAP a service of these tests speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1_1,
    V1_2,
}

impl Version {
    pub(crate) fn envelope(self) -> &'static str {
        match self {
            Self::V1_1 => SOAP_11,
            Self::V1_2 => SOAP_12,
        }
    }

    fn binding(self) -> &'static str {
        match self {
            Self::V1_1 => "http://schemas.xmlsoap.org/wsdl/soap/",
            Self::V1_2 => "http://schemas.xmlsoap.org/wsdl/soap12/",
        }
    }
}

/// The definitions around what is inside; `t` is `urn:t`, `s` the SOAP binding.
pub(crate) fn definitions(version: Version, inside: &str) -> String {
    format!(
        r#"<definitions name="Test" targetNamespace="urn:t"
            xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:t" xmlns:s="{}"
            xmlns:xs="http://www.w3.org/2001/XMLSchema"
            xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/"
            xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/">{inside}</definitions>"#,
        version.binding()
    )
}

/// A schema of `urn:t` with this in it.
pub(crate) fn schema(components: &str) -> String {
    format!(
        r#"<xs:schema targetNamespace="urn:t" elementFormDefault="qualified">{components}</xs:schema>"#
    )
}

/// One operation `Op`, document/literal, whose elements `Op` and `OpResponse` the schemas have.
pub(crate) fn document(version: Version, schemas: &str) -> String {
    definitions(
        version,
        &format!(
            r#"<types>{schemas}</types>
            <message name="In"><part name="parameters" element="t:Op"/></message>
            <message name="Out"><part name="parameters" element="t:OpResponse"/></message>
            <portType name="PT"><operation name="Op">
              <input message="t:In"/><output message="t:Out"/>
            </operation></portType>
            <binding name="B" type="t:PT">
              <s:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>
              <operation name="Op"><s:operation soapAction="urn:t#Op"/>
                <input><s:body use="literal"/></input><output><s:body use="literal"/></output>
              </operation>
            </binding>
            <service name="S"><port name="P" binding="t:B">
              <s:address location="http://service.example/soap"/>
            </port></service>"#
        ),
    )
}

/// `Op` and `OpResponse` with the same sequence in both, and other components.
pub(crate) fn echo(sequence: &str, components: &str) -> String {
    let of = |name: &str| {
        format!(
            r#"<xs:element name="{name}"><xs:complexType><xs:sequence>{sequence}</xs:sequence>
            </xs:complexType></xs:element>"#
        )
    };
    let all = format!("{}{}{components}", of("Op"), of("OpResponse"));
    document(Version::V1_1, &schema(&all))
}

/// Documents by their URLs.
pub(crate) struct Shelf(pub(crate) HashMap<String, String>);

impl Source for Shelf {
    fn read(&self, url: &Url) -> Result<Bytes, String> {
        let found = self.0.get(url.as_str());
        found.cloned().map(Bytes::from).ok_or_else(|| "it is not on the shelf".to_owned())
    }
}

pub(crate) fn description(wsdl: &str) -> Description {
    description_with(wsdl, &[])
}

/// The description at `http://service.example/a.wsdl`, with other documents beside it.
pub(crate) fn description_with(wsdl: &str, documents: &[(&str, &str)]) -> Description {
    let api = ApiName::new("test").unwrap();
    let source = Url::parse("http://service.example/a.wsdl").unwrap();
    let shelf = documents
        .iter()
        .map(|(name, text)| (source.join(name).unwrap().to_string(), (*text).to_owned()));
    let shelf = Shelf(shelf.collect());
    let options = ReadOptions { api: &api, source: Some(&source), documents: &shelf };
    read(wsdl.as_bytes(), &options).unwrap()
}

/// The only operation of a WSDL document in which nothing is wrong.
pub(crate) fn operation(wsdl: &str) -> Operation {
    only(description(wsdl))
}

pub(crate) fn only(mut description: Description) -> Operation {
    assert_eq!((&description.skipped, &description.warnings), (&Vec::new(), &Vec::new()));
    assert_eq!(description.operations.len(), 1);
    description.operations.remove(0)
}

pub(crate) fn encode(operation: &Operation, arguments: Value) -> Result<Request, EncodeError> {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    operation.binding.encode(&Arguments(arguments))
}

/// The envelope of a request.
pub(crate) fn envelope_of(request: &Request) -> String {
    String::from_utf8(request.body.as_ref().unwrap().bytes.to_vec()).unwrap()
}

/// What stands in the body of the request for these arguments.
pub(crate) fn sent(operation: &Operation, arguments: Value) -> String {
    let envelope = envelope_of(&encode(operation, arguments).unwrap());
    let (_, body) = envelope.split_once("<soap:Body>").unwrap();
    body.strip_suffix("</soap:Body></soap:Envelope>").unwrap().to_owned()
}

/// Where and what was expected instead.
pub(crate) fn refused(operation: &Operation, arguments: Value) -> (String, String) {
    let sent = format!("{arguments} was sent");
    let error = encode(operation, arguments).expect_err(&sent);
    (error.pointer, error.expected)
}

pub(crate) fn soap(version: Version, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='{}' xmlns:xsi='{XSI}' xmlns:t='urn:t' \
         xmlns:xs='http://www.w3.org/2001/XMLSchema'><s:Header/><s:Body>{body}</s:Body>\
         </s:Envelope>",
        version.envelope()
    )
}

pub(crate) fn answer(operation: &Operation, status: u16, body: impl Into<Bytes>) -> Answer {
    operation.binding.decode(&Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
    })
}

/// The value of a success, and what was noted about it.
pub(crate) fn success(answer: Answer) -> (Value, Vec<String>) {
    match answer {
        Answer::Success { payload: Payload::Value(value), drift, .. } => {
            let drift = drift.into_iter().map(|d| format!("{}: {}", d.pointer, d.message));
            (value, drift.collect())
        }
        other => panic!("no success with a value: {other:?}"),
    }
}

/// What an answer with these children of `OpResponse` reads as.
pub(crate) fn read_back(operation: &Operation, children: &str) -> (Value, Vec<String>) {
    let body = format!("<OpResponse xmlns='urn:t'>{children}</OpResponse>");
    success(answer(operation, 200, soap(Version::V1_1, &body)))
}

/// What our own request reads as when it comes back: the schema's two elements are alike.
pub(crate) fn echoed(operation: &Operation, arguments: &Value) -> Value {
    let request =
        encode(operation, arguments.clone()).unwrap_or_else(|e| panic!("{arguments}: {e}"));
    let echo = envelope_of(&request)
        .replace(":Op>", ":OpResponse>")
        .replace(":Op ", ":OpResponse ")
        .replace(":Op/>", ":OpResponse/>");
    let (value, drift) = success(answer(operation, 200, echo));
    assert_eq!(drift, Vec::<String>::new(), "{arguments}");
    value
}

/// Whether the input schema accepts the arguments, told by another's validator.
pub(crate) fn accepts(operation: &Operation, arguments: &Value) -> bool {
    jsonschema::validator_for(&operation.input.to_value()).unwrap().is_valid(arguments)
}

/// What goes there and comes back the same, and passes the published schemas on the way.
pub(crate) fn survives(operation: &Operation, arguments: &Value) {
    assert!(accepts(operation, arguments), "{arguments} by {}", operation.input.to_value());
    let back = echoed(operation, arguments);
    assert_eq!(&back, arguments);
    let output = operation.output.as_ref().unwrap().to_value();
    assert!(jsonschema::validator_for(&output).unwrap().is_valid(&back), "{back} by {output}");
}

/// A snapshot's text: one tag a line.
pub(crate) fn lines(xml: &str) -> String {
    xml.replace("><", ">\n<")
}

/// An object with one member.
pub(crate) fn one(key: &str, value: impl Into<Value>) -> Value {
    json!({ key: value.into() })
}

/// A value of the type `T` of these components, there and back, and what it is on the wire.
#[track_caller]
pub(crate) fn of_type(components: &str, value: Value, wire: &str) {
    let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, components));
    let arguments = one("x", value);
    survives(&operation, &arguments);
    let xml = sent(&operation, arguments);
    let inner = xml.replace("<n1:Op>", "").replace("</n1:Op>", "").replace("n1:", "");
    assert_eq!(inner, wire);
}

#[track_caller]
pub(crate) fn refused_at(components: &str, value: Value, pointer: &str) {
    let operation = operation(&echo(r#"<xs:element name="x" type="t:T"/>"#, components));
    assert_eq!(refused(&operation, one("x", value)).0, pointer);
}
