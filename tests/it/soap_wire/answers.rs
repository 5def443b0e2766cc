//! What SOAP services answer: faults of both versions, nothing, pages, other charsets, parts.

use serde_json::json;

use super::*;
use crate::support::{code, failure, value};

/// The warehouse in SOAP 1.1, whose operation may answer the fault `Unknown`.
fn older() -> String {
    with_fault(&wsdl().replace("/wsdl/soap12/", "/wsdl/soap/"))
}

fn with_fault(wsdl: &str) -> String {
    wsdl.replace(
        "<xs:element name=\"GetStock\">",
        "<xs:element name=\"Unknown\"><xs:complexType><xs:sequence>\
           <xs:element name=\"article\" type=\"xs:string\"/>\
           <xs:element name=\"left\" type=\"xs:int\"/>\
         </xs:sequence></xs:complexType></xs:element><xs:element name=\"GetStock\">",
    )
    .replace(
        "<portType",
        "<message name=\"Unknown\"><part name=\"detail\" element=\"w:Unknown\"/></message><portType",
    )
    .replace(
        "<output message=\"w:Response\"/>",
        "<output message=\"w:Response\"/><fault name=\"Unknown\" message=\"w:Unknown\"/>",
    )
}

const DETAIL: &str = "<w:Unknown><w:article>A-1</w:article><w:left>3</w:left></w:Unknown>";

fn fault_1_1(code: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:w=\"urn:warehouse\"><s:Body><s:Fault><faultcode>s:{code}</faultcode>\
         <faultstring>no such article</faultstring><detail>{DETAIL}</detail></s:Fault></s:Body>\
         </s:Envelope>"
    )
}

fn fault_1_2(code: &str) -> String {
    envelope(&format!(
        "<s:Fault><s:Code><s:Value>s:{code}</s:Value><s:Subcode><s:Value>w:Gone</s:Value>\
         </s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"de\">weg</s:Text>\
         <s:Text xml:lang=\"en\">no such article</s:Text></s:Reason><s:Detail>{DETAIL}</s:Detail>\
         </s:Fault>"
    ))
}

#[tokio::test]
async fn a_fault_of_either_version_has_its_detail_by_its_type() {
    for (wsdl, body, blamed, subcodes) in [
        (older(), fault_1_1("Client"), "Client", json!([])),
        (with_fault(&wsdl()), fault_1_2("Sender"), "Sender", json!(["Gone"])),
    ] {
        for status in [500, 400, 200] {
            let upstream = Upstream::new([Answer::new(status, "text/xml", body.clone())]).await;
            let bridge = bridge(&upstream, &wsdl, "").await;
            let reply = bridge.call("get_stock", ARTICLE).await;
            assert_eq!(code(&reply), "upstream_error", "{status}");
            let told = failure(&reply);
            assert!(!told.retryable);
            assert_eq!(
                told.upstream.as_ref().unwrap().fault,
                Some(json!({
                    "code": blamed,
                    "subcodes": subcodes,
                    "reason": "no such article",
                    "detail": {"Unknown": {"article": "A-1", "left": 3}},
                }))
            );
            assert_eq!(upstream.count(), 1, "what blames the request is not repeated");
        }
    }
}

#[tokio::test]
async fn a_fault_that_blames_the_server_is_repeated_where_that_is_safe() {
    for (wsdl, body) in
        [(older(), fault_1_1("Server")), (with_fault(&wsdl()), fault_1_2("Receiver"))]
    {
        for status in [500, 200] {
            let faulty = || Answer::new(status, "text/xml", body.clone());
            let upstream = Upstream::new([faulty(), seven()]).await;
            let reads = bridge(&upstream, &wsdl, "").await;
            assert_eq!(value(&reads.call("get_stock", ARTICLE).await), &json!({"quantity": 7}));
            assert_eq!(upstream.count(), 2);

            let upstream = Upstream::new([faulty()]).await;
            let keys = "[[tool]]\napi = \"warehouse\"\noperation = \"Warehouse.Port.GetStock\"\n\
                        name = \"writes\"\neffect = \"write\"\n";
            let writes = bridge(&upstream, &wsdl, keys).await;
            let reply = writes.call("writes", ARTICLE).await;
            assert_eq!((code(&reply), failure(&reply).retryable), ("upstream_error", false));
            assert_eq!(upstream.count(), 1);
        }
    }
}

#[tokio::test]
async fn a_service_that_does_not_understand_a_header_is_not_asked_again() {
    for (wsdl, body) in
        [(older(), fault_1_1("MustUnderstand")), (with_fault(&wsdl()), fault_1_2("MustUnderstand"))]
    {
        let upstream = Upstream::new([Answer::new(500, "text/xml", body)]).await;
        let bridge = bridge(&upstream, &wsdl, "").await;
        let reply = bridge.call("get_stock", ARTICLE).await;
        assert!(!failure(&reply).retryable);
        assert_eq!(upstream.count(), 1);
    }
}

#[tokio::test]
async fn an_operation_that_answers_nothing_is_done_by_an_empty_answer() {
    let one_way = wsdl()
        .replace("<output message=\"w:Response\"/>", "")
        .replace("<output><s:body use=\"literal\"/></output>", "");
    assert!(!one_way.contains("<output"), "{one_way}");
    for answer in [
        Answer::new(202, "text/xml", ""),
        Answer::new(204, "text/xml", ""),
        Answer::new(200, "text/xml", ""),
    ] {
        let upstream = Upstream::new([answer]).await;
        let bridge = bridge(&upstream, &one_way, "").await;
        let reply = bridge.call("get_stock", ARTICLE).await;
        assert_eq!(code(&reply), "succeeded", "{reply:?}");
        assert!(reply.result.as_ref().unwrap().drift.is_empty());
    }
}

fn answer_in(text: &str) -> String {
    let remark = format!(
        "<w:GetStockResponse><w:quantity>7</w:quantity><w:remark>{text}</w:remark>\
         </w:GetStockResponse>"
    );
    envelope(&remark)
}

#[tokio::test]
async fn answers_are_read_in_their_charset() {
    let utf_16 = |text: &str, mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xFEFF);
        mark.into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let latin_1 = |text: &str| -> Vec<u8> {
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
    };
    let xml = answer_in("Müller");
    let declared = format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{xml}");
    for (media_type, body) in [
        ("text/xml; charset=utf-16", utf_16(&xml, true)),
        ("text/xml", utf_16(&xml, true)),
        ("application/soap+xml; charset=\"UTF-16LE\"", utf_16(&xml, false)),
        ("text/xml; charset=ISO-8859-1", latin_1(&xml)),
        ("text/xml", latin_1(&declared)),
        ("text/xml", format!("\u{FEFF}{xml}").into_bytes()),
        ("text/xml; charset=utf-8", format!("\u{FEFF}<?xml version=\"1.0\"?>{xml}").into_bytes()),
    ] {
        let upstream = Upstream::new([Answer::new(200, media_type, body)]).await;
        let bridge = bridge(&upstream, &wsdl(), "").await;
        let reply = bridge.call("get_stock", ARTICLE).await;
        assert_eq!(value(&reply), &json!({"quantity": 7, "remark": "Müller"}), "{media_type}");
    }
}

/// The bytes as one stored block of a gzip stream (RFC 1951 §3.2.4, RFC 1952 §2.3).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let mut gzip = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    gzip.extend([length.to_le_bytes(), (!length).to_le_bytes()].concat());
    gzip.extend(bytes);
    gzip.extend(crc32fast::hash(bytes).to_le_bytes());
    gzip.extend(u32::from(length).to_le_bytes());
    gzip
}

#[tokio::test]
async fn a_compressed_answer_is_read_in_the_charset_of_what_it_was() {
    let xml = answer_in("Müller");
    let declared = format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?>{xml}");
    let utf_16: Vec<u8> =
        format!("\u{FEFF}{declared}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    for body in [xml.as_bytes(), &utf_16] {
        let answer = Answer::new(200, "text/xml", gzip(body)).header("content-encoding", "gzip");
        let upstream = Upstream::new([answer]).await;
        let bridge = bridge(&upstream, &wsdl(), "").await;
        let reply = bridge.call("get_stock", ARTICLE).await;
        assert_eq!(value(&reply), &json!({"quantity": 7, "remark": "Müller"}));
        let seen = upstream.seen().pop().unwrap();
        assert!(seen.header("accept-encoding").unwrap().contains("gzip"), "it was asked for");
    }
}

#[tokio::test]
async fn an_answer_in_parts_is_one_value() {
    let wsdl = wsdl()
        .replace("name=\"remark\" type=\"xs:string\"", "name=\"remark\" type=\"xs:base64Binary\"");
    let root = answer_in(
        "<x:Include xmlns:x=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:p@w\"/>",
    );
    let mut body = format!(
        "--b\r\nContent-Type: application/xop+xml; type=\"application/soap+xml\"\r\n\r\n{root}\r\n\
         --b\r\nContent-ID: <p@w>\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(b"\0\xFF\x01\r\n--b--");
    let answer =
        Answer::new(200, "multipart/related; boundary=b; type=\"application/xop+xml\"", body);
    let upstream = Upstream::new([answer]).await;
    let bridge = bridge(&upstream, &wsdl, "").await;
    let reply = bridge.call("get_stock", ARTICLE).await;
    assert_eq!(value(&reply), &json!({"quantity": 7, "remark": "AP8B"}));
}

#[tokio::test]
async fn a_request_is_addressed_and_in_parts_where_the_configuration_says_so() {
    let wsdl = wsdl().replace(
        "name=\"article\" type=\"xs:string\"",
        "name=\"article\" type=\"xs:base64Binary\"",
    );
    let upstream = Upstream::new([soap(503, ""), seven()]).await;
    let bridge = bridge(&upstream, &wsdl, "addressing = true\nmtom = true").await;
    value(&bridge.call("get_stock", r#"{"article": "Zm9v"}"#).await);
    let seen = upstream.seen();
    let [first, second] = seen.as_slice() else { panic!("{seen:?}") };
    let id = |body: &str| body.split_once(":MessageID>").unwrap().1[..45].to_owned();
    assert_ne!(id(&first.body), id(&second.body), "each attempt is a message of its own");
    assert!(second.body.contains(":Action>urn:warehouse:GetStock<"), "{}", second.body);
    assert!(second.body.contains(&format!(":To>{}/soap<", upstream.url())), "{}", second.body);
    assert!(second.body.contains("Include href=\"cid:1@tollbridge\""), "{}", second.body);
    assert!(second.body.contains("\r\n\r\nfoo\r\n--"), "{}", second.body);
    let said = second.header("content-type").unwrap();
    let boundary = said.split_once("boundary=\"").unwrap().1.split('"').next().unwrap();
    assert!(second.body.contains(&format!("--{boundary}--")), "{said}");
}

#[test]
fn forms_of_soap_messages_are_for_soap_services_alone() {
    for key in ["addressing = true", "mtom = false", "soap_headers = { A = 1 }"] {
        let folder = Folder::with_shop(&format!(
            "[api.shop]\nspec = \"shop.json\"\nbase_url = \"http://127.0.0.1:9\"\n{key}\n\n\
             [[tool]]\napi = \"shop\"\noperation = \"getItem\"\n"
        ));
        let wrong = gateway::load(&folder.file("tools.toml"), Secrets::Resolve).unwrap_err();
        let wrong = wrong.render(Style::Plain);
        assert!(wrong.contains("TB0311") && wrong.contains("a SOAP service"), "{wrong}");
    }
}
