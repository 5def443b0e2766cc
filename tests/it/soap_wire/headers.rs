//! Header blocks: arguments, fixed ones with secrets, and those of answers.

use serde_json::json;

use super::*;
use crate::support::{caller, code, request, value};

/// The warehouse with the headers `Session` and `Trace` in its request, and `Quota` in its
/// answer.
fn with_headers() -> String {
    let header =
        |part: &str| format!("<s:header message=\"w:Headers\" part=\"{part}\" use=\"literal\"/>");
    wsdl()
        .replace(
            "<xs:element name=\"GetStock\">",
            "<xs:element name=\"Session\"><xs:complexType><xs:sequence>\
               <xs:element name=\"token\" type=\"xs:string\"/></xs:sequence></xs:complexType>\
             </xs:element><xs:element name=\"Trace\" type=\"xs:string\"/>\
             <xs:element name=\"Quota\" type=\"xs:int\"/><xs:element name=\"GetStock\">",
        )
        .replace(
            "<portType",
            "<message name=\"Headers\"><part name=\"session\" element=\"w:Session\"/>\
             <part name=\"trace\" element=\"w:Trace\"/><part name=\"quota\" element=\"w:Quota\"/>\
             </message><portType",
        )
        .replace(
            "<input><s:body use=\"literal\"/>",
            &format!("<input><s:body use=\"literal\"/>{}{}", header("session"), header("trace")),
        )
        .replace(
            "<output><s:body use=\"literal\"/>",
            &format!("<output><s:body use=\"literal\"/>{}", header("quota")),
        )
}

const FIXED: &str = "soap_headers = { Session = { token = \"file:session\" } }";
const SESSION: &str = "<n1:Session><n1:token>w4rehouse-k3y&lt;&amp;&gt;</n1:token></n1:Session>";

#[tokio::test]
async fn headers_are_arguments_and_a_fixed_one_is_none() {
    let upstream = Upstream::new([seven()]).await;
    let open = bridge(&upstream, &with_headers(), "").await;
    let shown = |bridge: &Bridge| {
        let toolbox = bridge.gateway.toolbox();
        toolbox.exposed()[0].tool.input.to_map()["properties"]["headers"].to_string()
    };
    assert!(shown(&open).contains("Session") && shown(&open).contains("Trace"));
    let given = r#"{"article": "A-1", "headers": {"Session": {"token": "t"}, "Trace": "x"}}"#;
    value(&open.call("get_stock", given).await);
    let seen = upstream.seen().pop().unwrap().body;
    assert!(
        seen.contains("<n1:Session><n1:token>t</n1:token></n1:Session><n1:Trace>x</n1:Trace>"),
        "{seen}"
    );

    let fixed = bridge(&upstream, &with_headers(), FIXED).await;
    assert!(!shown(&fixed).contains("Session") && shown(&fixed).contains("Trace"));
    assert_eq!(code(&fixed.call("get_stock", given).await), "invalid_arguments");
    let given = r#"{"article": "A-1", "headers": {"Trace": "x"}}"#;
    value(&fixed.call("get_stock", given).await);
    let seen = upstream.seen().pop().unwrap().body;
    assert!(seen.contains(&format!("{SESSION}<n1:Trace>x</n1:Trace>")), "{seen}");
}

#[tokio::test]
async fn a_header_that_the_description_does_not_mention_is_sent() {
    let upstream = Upstream::new([seven()]).await;
    let keys = "[api.warehouse.soap_headers.\"{urn:legacy}Auth\"]\nuser = \"acme\"\n\
                password = \"file:session\"\n\"#mustUnderstand\" = true";
    let bridge = bridge(&upstream, &wsdl(), keys).await;
    value(&bridge.call("get_stock", ARTICLE).await);
    let seen = upstream.seen().pop().unwrap().body;
    assert!(
        seen.contains(
            "<soap:Header><n1:Auth soap:mustUnderstand=\"1\"><n1:user>acme</n1:user>\
             <n1:password>w4rehouse-k3y&lt;&amp;&gt;</n1:password></n1:Auth></soap:Header>"
        ),
        "{seen}"
    );
}

#[tokio::test]
async fn a_secret_in_a_header_is_nowhere_but_on_the_wire() {
    let echo = envelope(
        "<w:GetStockResponse><w:quantity>1</w:quantity>\
         <w:remark>w4rehouse-k3y&lt;&amp;&gt;</w:remark></w:GetStockResponse>",
    )
    .replace(
        "<s:Body>",
        "<s:Header><w:Echo>w4rehouse-k3y&lt;&amp;&gt;</w:Echo></s:Header><s:Body>",
    );
    let upstream = Upstream::new([soap(200, &echo)]).await;
    let bridge = bridge(&upstream, &with_headers(), FIXED).await;
    let reply = bridge.call("get_stock", ARTICLE).await;
    assert!(upstream.seen().pop().unwrap().body.contains(SESSION));
    let headers = &reply.result.as_ref().unwrap().headers;
    assert_eq!(headers["Echo"], json!("[redacted]"));
    let rehearsed = bridge.gateway.dry_run(&caller("bot"), &request("get_stock", ARTICLE)).await;
    let told = format!("{reply:?} {rehearsed:?} {:?}", bridge.gateway.toolbox());
    assert!(told.contains("<n1:token>[redacted]</n1:token>"), "{told}");
    assert!(!told.contains("w4rehouse"), "{told}");
    let kept = String::from_utf8_lossy(&bridge.folder.store_bytes()).into_owned();
    assert!(!kept.contains("w4rehouse"));
}

#[tokio::test]
async fn headers_of_the_answer_stand_beside_it() {
    let quota = envelope("<w:GetStockResponse><w:quantity>7</w:quantity></w:GetStockResponse>")
        .replace("<s:Body>", "<s:Header><w:Quota>41</w:Quota></s:Header><s:Body>");
    let upstream = Upstream::new([soap(200, &quota)]).await;
    let bridge = bridge(&upstream, &with_headers(), "").await;
    let reply = bridge.call("get_stock", ARTICLE).await;
    assert_eq!(value(&reply), &json!({"quantity": 7}));
    assert_eq!(reply.result.as_ref().unwrap().headers["Quota"], json!(41));
    assert!(reply.result.as_ref().unwrap().drift.is_empty());
}

#[tokio::test]
async fn a_header_may_be_made_required() {
    let upstream = Upstream::new([seven()]).await;
    let keys = "[[tool]]\napi = \"warehouse\"\noperation = \"Warehouse.Port.GetStock\"\n\
                name = \"traced\"\neffect = \"read\"\n\
                [tool.args.\"/headers/Trace\"]\nrequired = true\n\
                [tool.args.\"/headers\"]\nrequired = true\n";
    let bridge = bridge(&upstream, &with_headers(), keys).await;
    assert_eq!(code(&bridge.call("traced", ARTICLE).await), "invalid_arguments");
    let given = r#"{"article": "A-1", "headers": {"Trace": "x"}}"#;
    value(&bridge.call("traced", given).await);
}

#[test]
fn what_is_wrong_with_fixed_headers_is_told_at_their_place() {
    let wsdl = with_headers();
    for (keys, code, told) in [
        (
            "soap_headers = { Sesion = { token = \"file:session\" } }",
            "TB0209",
            "{urn:example}Sesion",
        ),
        ("soap_headers = { Session = { tokn = \"x\" } }", "TB0209", "/headers/Session/tokn"),
        ("soap_headers = { Session = { token = \"s3cr3t\" } }", "TB0106", "literal secret"),
        ("soap_headers = { Session = { token = \"env:\" } }", "TB0105", "must be followed"),
        ("soap_headers = { Session = { token = \"env:NOT_SET_9\" } }", "TB0309", "NOT_SET_9"),
        ("soap_headers = { \"{urn:x\" = { a = 1 } }", "TB0209", "is no header"),
        ("soap_headers = { \"{urn:x}a:b\" = { a = 1 } }", "TB0209", "is no header"),
        ("soap_headers = { \"{urn:x}A\" = { \"b c\" = 1 } }", "TB0209", "the name of an element"),
    ] {
        let found = refused(&wsdl, keys);
        assert!(found.contains(code) && found.contains(told), "{keys}: {found}");
        assert!(found.contains("tools.toml:7"), "{keys}: {found}");
        assert!(!found.contains("s3cr3t"), "{found}");
    }
}
