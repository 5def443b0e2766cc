//! The binding as its users see it: requests that go out, answers that come in.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tollbridge_operation::{Answer, Arguments, Binding, Payload, Request, Response};

use crate::{ElementPlan, FieldPlan, Kind, OperationPlan, PlanError, SoapBinding, SoapVersion};

const STOCK: &str = "urn:example:stock";

fn field(name: &str, kind: Kind) -> FieldPlan {
    FieldPlan {
        name: name.into(),
        namespace: Some(STOCK.into()),
        kind,
        repeated: false,
        optional: true,
    }
}

fn required(name: &str, kind: Kind) -> FieldPlan {
    FieldPlan { optional: false, ..field(name, kind) }
}

fn repeated(name: &str, kind: Kind) -> FieldPlan {
    FieldPlan { repeated: true, ..field(name, kind) }
}

fn wrapper(name: &str, fields: Vec<FieldPlan>) -> ElementPlan {
    ElementPlan { name: name.into(), namespace: Some(STOCK.into()), fields }
}

fn plan(version: SoapVersion) -> OperationPlan {
    OperationPlan {
        version,
        action: Some("urn:example:stock#GetStock".into()),
        headers: Vec::new(),
        input: wrapper(
            "GetStock",
            vec![
                required("article", Kind::Text),
                field("amount", Kind::Decimal),
                field("count", Kind::Int),
                field("big", Kind::Integer),
                field("ratio", Kind::Double),
                field("exact", Kind::Bool),
                repeated(
                    "line",
                    Kind::Object(vec![field("sku", Kind::Text), field("qty", Kind::Int)]),
                ),
            ],
        ),
        output: Some(wrapper(
            "GetStockResponse",
            vec![
                required("article", Kind::Text),
                field("amount", Kind::Decimal),
                field("count", Kind::Int),
                field("big", Kind::Integer),
                field("ratio", Kind::Double),
                field("exact", Kind::Bool),
                repeated(
                    "line",
                    Kind::Object(vec![field("sku", Kind::Text), field("qty", Kind::Int)]),
                ),
            ],
        )),
    }
}

fn binding(version: SoapVersion) -> SoapBinding {
    SoapBinding::new(plan(version)).unwrap()
}

fn encode(binding: &SoapBinding, arguments: Value) -> Request {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    binding.encode(&Arguments(arguments)).unwrap()
}

fn refused(arguments: Value) -> (String, String) {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let error = binding(SoapVersion::V1_1).encode(&Arguments(arguments)).unwrap_err();
    (error.pointer, error.expected)
}

fn envelope_of(request: &Request) -> String {
    String::from_utf8(request.body.as_ref().unwrap().bytes.to_vec()).unwrap()
}

fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    binding(SoapVersion::V1_1).decode(&Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
    })
}

fn soap(version: SoapVersion, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='{}' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'>\
         <s:Header/><s:Body>{body}</s:Body></s:Envelope>",
        version.namespace()
    )
}

fn response(children: &str) -> String {
    let body = format!("<GetStockResponse xmlns='{STOCK}'>{children}</GetStockResponse>");
    soap(SoapVersion::V1_1, &body)
}

/// The value of a success, and what was noted about it.
fn success(answer: Answer) -> (Value, Vec<String>) {
    match answer {
        Answer::Success { payload: Payload::Value(value), drift } => {
            let drift = drift.into_iter().map(|d| format!("{}: {}", d.pointer, d.message));
            (value, drift.collect())
        }
        other => panic!("no success with a value: {other:?}"),
    }
}

fn read(children: &str) -> (Value, Vec<String>) {
    success(answer(200, response(&format!("<article>a</article>{children}"))))
}

#[test]
fn a_request_of_soap_1_1_has_its_action_in_a_header() {
    let request = encode(&binding(SoapVersion::V1_1), json!({"article": "a"}));
    assert_eq!(request.method, http::Method::POST);
    assert_eq!((request.path.as_str(), &request.query), ("", &None));
    let headers: Vec<_> =
        request.headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
    assert_eq!(headers, [("accept", "text/xml"), ("soapaction", "\"urn:example:stock#GetStock\"")]);
    assert_eq!(request.body.unwrap().content_type, "text/xml; charset=utf-8");
}

#[test]
fn a_request_of_soap_1_2_has_its_action_in_the_media_type() {
    let request = encode(&binding(SoapVersion::V1_2), json!({"article": "a"}));
    assert!(request.headers.iter().all(|(name, _)| name != "soapaction"));
    assert_eq!(
        request.body.unwrap().content_type,
        "application/soap+xml; charset=utf-8; action=\"urn:example:stock#GetStock\""
    );
}

#[test]
fn without_an_action_soap_1_1_says_an_empty_one_and_1_2_none() {
    let of = |version| {
        let plan = OperationPlan { action: None, ..plan(version) };
        encode(&SoapBinding::new(plan).unwrap(), json!({"article": "a"}))
    };
    let old = of(SoapVersion::V1_1);
    assert!(old.headers.iter().any(|(n, v)| n == "soapaction" && v == "\"\""));
    let new = of(SoapVersion::V1_2).body.unwrap().content_type;
    assert_eq!(new, "application/soap+xml; charset=utf-8");
}

#[test]
fn children_stand_in_the_plans_order_whatever_order_they_came_in() {
    let request = encode(
        &binding(SoapVersion::V1_1),
        json!({
            "line": [{"qty": 2, "sku": "x"}, null, {}],
            "exact": true,
            "ratio": "-INF",
            "count": null,
            "amount": "500.0000000000000000001",
            "article": "a",
        }),
    );
    insta::assert_snapshot!(envelope_of(&request).replace("><", ">\n<"));
}

#[test]
fn header_blocks_come_from_the_argument_headers() {
    let token = FieldPlan {
        name: "Session".into(),
        namespace: Some("urn:example:session".into()),
        kind: Kind::Object(vec![FieldPlan { namespace: None, ..required("token", Kind::Text) }]),
        repeated: false,
        optional: true,
    };
    let plan = OperationPlan {
        headers: vec![token],
        input: wrapper("Ping", vec![]),
        ..plan(SoapVersion::V1_2)
    };
    let binding = SoapBinding::new(plan).unwrap();
    let with = encode(&binding, json!({"headers": {"Session": {"token": "t"}}}));
    insta::assert_snapshot!(envelope_of(&with).replace("><", ">\n<"));
    assert!(!envelope_of(&encode(&binding, json!({}))).contains("Header"));
}

#[test]
fn numbers_go_out_with_their_own_digits() {
    let arguments: Value = serde_json::from_str(
        r#"{"article": "a", "amount": 0.10000000000000000000001, "big": 12345678901234567890123,
            "ratio": 1.50e+400}"#,
    )
    .unwrap();
    let xml = envelope_of(&encode(&binding(SoapVersion::V1_1), arguments));
    for digits in ["0.10000000000000000000001", "12345678901234567890123", "1.50e+400"] {
        assert!(xml.contains(&format!(">{digits}<")), "{digits} in {xml}");
    }
}

#[test]
fn what_the_plan_does_not_know_or_xml_cannot_hold_is_refused() {
    let with = |name: &str, value: Value| {
        let mut arguments = json!({"article": "a"});
        arguments[name] = value;
        refused(arguments)
    };
    for (name, value, pointer) in [
        ("a/b", json!(1), "/a~1b"),
        ("article", json!({}), "/article"),
        ("article", json!("a\u{0}b"), "/article"),
        ("article", json!("\u{FFFE}"), "/article"),
        ("amount", json!("1e3"), "/amount"),
        ("amount", json!("12 EUR"), "/amount"),
        ("amount", json!(true), "/amount"),
        ("count", json!(1.5), "/count"),
        ("count", json!(4_294_967_296_u64), "/count"),
        ("big", json!("<x/>"), "/big"),
        ("ratio", json!("Infinity"), "/ratio"),
        ("exact", json!("true"), "/exact"),
        ("line", json!({"sku": "x"}), "/line"),
        ("line", json!([{}, {"stranger": 1}]), "/line/1/stranger"),
        ("line", json!([{}, "text"]), "/line/1"),
    ] {
        let (at, expected) = with(name, value.clone());
        assert_eq!(at, pointer, "{value}");
        assert!(!expected.is_empty());
    }
    assert_eq!(refused(json!({})).0, "/article");
}

#[test]
fn a_plan_that_no_message_can_be_made_by_is_refused() {
    let with = |field: FieldPlan| {
        let plan = OperationPlan { input: wrapper("Op", vec![field]), ..plan(SoapVersion::V1_1) };
        SoapBinding::new(plan).unwrap_err()
    };
    for name in ["", "a b", "a:b", "1a", "a><b", "-a", "a\n"] {
        assert_eq!(with(field(name, Kind::Text)), PlanError::Name(name.into()));
    }
    for uri in ["", "urn:\u{1}", "http://www.w3.org/2000/xmlns/"] {
        let field = FieldPlan { namespace: Some(uri.into()), ..field("a", Kind::Text) };
        assert_eq!(with(field), PlanError::Namespace(uri.into()));
    }
    let twice = Kind::Object(vec![field("a", Kind::Text), field("a", Kind::Text)]);
    assert_eq!(with(field("x", twice)), PlanError::Twice("a".into()));
    let deep =
        (0..60).fold(field("a", Kind::Text), |below, _| field("a", Kind::Object(vec![below])));
    assert_eq!(with(deep), PlanError::Depth);
    let action = "urn:a\r\nX: y";
    let plan = OperationPlan { action: Some(action.into()), ..plan(SoapVersion::V1_1) };
    assert_eq!(SoapBinding::new(plan).unwrap_err(), PlanError::Action(action.into()));
}

#[test]
fn an_answer_is_an_object_whose_lists_are_lists_and_whose_long_numbers_are_strings() {
    let (value, drift) = read(
        "<amount> 10.50 </amount><count>7</count><big>12345678901234567890</big>\
         <ratio>1.50E3</ratio><exact>1</exact><line><sku>x</sku><qty>1</qty></line>",
    );
    assert_eq!(drift, Vec::<String>::new());
    let expected: Value = serde_json::from_str(
        r#"{"article": "a", "amount": "10.50", "count": 7, "big": "12345678901234567890",
            "ratio": 1.50E3, "exact": true, "line": [{"sku": "x", "qty": 1}]}"#,
    )
    .unwrap();
    assert_eq!(value, expected);
}

#[test]
fn nil_is_null_and_absent_is_absent() {
    let (value, drift) = read("<count xsi:nil='true'/><line xsi:nil='1'/>");
    assert_eq!(value, json!({"article": "a", "count": null, "line": [null]}));
    assert_eq!(drift, Vec::<String>::new());
}

#[test]
fn what_leaves_the_plan_is_kept_and_noted() {
    let (value, drift) = read(
        "<count>many</count><exact>yes</exact><new><a>1</a><a>2</a></new>\
         <amount>1</amount><amount>2</amount><line><x/></line><ratio><y/></ratio>",
    );
    assert_eq!(
        value,
        json!({
            "article": "a", "count": "many", "exact": "yes", "new": {"a": ["1", "2"]},
            "amount": ["1", "2"], "line": [{"x": ""}], "ratio": {"y": ""},
        })
    );
    assert_eq!(
        drift,
        [
            "/count: expected a number of 32 bits",
            "/exact: expected true or false",
            "/new: nothing is known of this element",
            "/amount/1: expected one, and several came",
            "/line/0/x: nothing is known of this element",
            "/ratio: expected a simple value, and elements came",
        ]
    );
    let (value, drift) = success(answer(200, response("")));
    assert_eq!((value, drift), (json!({}), vec!["/article: expected, and absent".to_owned()]));
}

#[test]
fn attributes_and_mixed_content_have_their_names() {
    let body = format!(
        "<r:GetStockResponse xmlns:r='{STOCK}' version='3'><r:article>a</r:article>\
         <r:extra id='1' r:kind='k' xsi:type='r:Special'><b/></r:extra>\
         <r:note>see <b>this</b> now</r:note><r:price currency='EUR'>5</r:price>\
         </r:GetStockResponse>"
    );
    let (value, _) = success(answer(200, soap(SoapVersion::V1_1, &body)));
    assert_eq!(
        value,
        json!({
            "article": "a",
            "extra": {"@id": "1", "@{urn:example:stock}kind": "k", "@type": "Special", "b": ""},
            "note": {"#content": ["see ", {"b": "this"}, " now"]},
            "price": {"@currency": "EUR", "#text": "5"},
            "version_attr": "3",
        })
    );
}

#[test]
fn another_version_namespace_or_name_is_read_all_the_same() {
    let body = "<Other><article>a</article></Other>";
    let (value, drift) = success(answer(200, soap(SoapVersion::V1_2, body)));
    assert_eq!(value, json!({"article": "a"}));
    assert_eq!(
        drift,
        [
            ": the body's element has another name than expected",
            "/article: it came in another namespace than expected",
        ]
    );
}

#[test]
fn an_answer_without_a_plan_is_read_as_it_is() {
    let plan = OperationPlan { output: None, ..plan(SoapVersion::V1_1) };
    let answer = SoapBinding::new(plan).unwrap().decode(&Response {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: soap(SoapVersion::V1_1, "<R><a>1</a></R>").into(),
    });
    assert_eq!(success(answer), (json!({"a": "1"}), vec![]));
}

#[test]
fn a_fault_of_soap_1_1_is_a_failure_also_under_200() {
    let body = soap(
        SoapVersion::V1_1,
        "<s:Fault><faultcode>s:Client.Article</faultcode><faultstring> No such article \
         </faultstring><faultactor>urn:x</faultactor><detail><d:Unknown xmlns:d='urn:d'>\
         <d:article>a</d:article></d:Unknown></detail></s:Fault>",
    );
    for status in [200, 500] {
        let Answer::Failure { payload, fault: Some(fault) } = answer(status, body.clone()) else {
            panic!("no fault under {status}")
        };
        assert_eq!(payload, Payload::Empty);
        assert_eq!(fault.code, "Client.Article");
        assert_eq!(fault.subcodes, Vec::<String>::new());
        assert_eq!(fault.reason, "No such article");
        assert_eq!(fault.detail, Some(json!({"Unknown": {"article": "a"}})));
    }
}

#[test]
fn a_fault_of_soap_1_2_has_its_subcodes_from_the_outside_in() {
    let body = soap(
        SoapVersion::V1_2,
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>m:A</s:Value>\
         <s:Subcode><s:Value>m:B</s:Value></s:Subcode></s:Subcode></s:Code><s:Reason>\
         <s:Text xml:lang='de'>Nein</s:Text><s:Text xml:lang='en-GB'>No</s:Text></s:Reason>\
         <s:Detail><x>1</x></s:Detail></s:Fault>",
    );
    let Answer::Failure { fault: Some(fault), .. } = answer(400, body) else { panic!("no fault") };
    assert_eq!(fault.code, "Sender");
    assert_eq!(fault.subcodes, ["A", "B"]);
    assert_eq!(fault.reason, "No");
    assert_eq!(fault.detail, Some(json!({"x": "1"})));
}

#[test]
fn a_fault_without_anything_in_it_is_still_a_fault() {
    for version in [SoapVersion::V1_1, SoapVersion::V1_2] {
        let answer = answer(200, soap(version, "<s:Fault/>"));
        let Answer::Failure { fault: Some(fault), .. } = answer else { panic!("no fault") };
        assert_eq!((fault.code.as_str(), fault.reason.as_str(), fault.detail), ("", "", None));
    }
}

#[test]
fn an_error_page_is_a_failure_and_under_200_it_is_unreadable() {
    let page = "<html><body>Bad gateway<br></body></html>";
    let failure = Answer::Failure { payload: Payload::Value(page.into()), fault: None };
    assert_eq!(answer(502, page), failure);
    let Answer::Unreadable { reason } = answer(200, page) else { panic!("it was read") };
    assert!(!reason.contains("gateway"), "{reason}");
    assert!(matches!(answer(200, "<html/>"), Answer::Unreadable { .. }));
    assert!(matches!(answer(200, "{\"a\": 1}"), Answer::Unreadable { .. }));
    let Answer::Failure { payload: Payload::Bytes { media_type, .. }, .. } =
        answer(500, &b"\xff\xfe"[..])
    else {
        panic!("no bytes")
    };
    assert_eq!(media_type, "application/octet-stream");
}

#[test]
fn an_empty_body_is_empty() {
    for body in ["", " \r\n"] {
        let done = Answer::Success { payload: Payload::Empty, drift: vec![] };
        assert_eq!(answer(202, body), done);
        let failed = Answer::Failure { payload: Payload::Empty, fault: None };
        assert_eq!(answer(500, body), failed);
    }
}

#[test]
fn a_byte_order_mark_a_declaration_and_comments_are_passed_over() {
    let xml = format!(
        "\u{FEFF}<?xml version='1.0' encoding='utf-8'?><!-- a --><?b c?>{}<!-- d -->\n",
        response("<article>a<!-- b -->b<![CDATA[<c>&amp;]]>&#100;&lt;</article>")
    );
    assert_eq!(success(answer(200, xml)).0, json!({"article": "ab<c>&amp;d<"}));
}

#[test]
fn hostile_xml_is_refused() {
    let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
    let attributes: Vec<String> = (0..200).map(|n| format!("a{n}='1'")).collect();
    let namespaces: Vec<String> = (0..300).map(|n| format!("xmlns:a{n}='u:{n}'")).collect();
    let many = format!("<x>{}</x>", "<a/>".repeat(500_001));
    for (xml, why) in [
        (
            "<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;&b;'>]><a>&d;</a>".to_owned(),
            "document type",
        ),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>".into(), "document type"),
        ("<a>&lol;</a>".into(), "entity"),
        ("<a b='&lol;'/>".into(), "entity"),
        ("<a>&#0;</a>".into(), "well-formed"),
        ("<a>&#1;</a>".into(), "character"),
        ("<a>\u{1}</a>".into(), "character"),
        ("<a b='&#xFFFF;'/>".into(), "character"),
        (deep, "more than 64 elements within"),
        (format!("<a {}/>", attributes.join(" ")), "more than 128 attributes"),
        (format!("<a {}/>", namespaces.join(" ")), "well-formed"),
        (many, "more than 500000 elements"),
        ("<p:a/>".into(), "prefix"),
        ("<a p:b='1'/>".into(), "prefix"),
        ("<a b='1' b='2'/>".into(), "well-formed"),
        ("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>".into(), "well-formed"),
        ("<a><b></a></b>".into(), "well-formed"),
        ("<a>".into(), "well-formed"),
        ("<a/><b/>".into(), "well-formed"),
        ("<a/>text".into(), "well-formed"),
        ("text<a/>".into(), "well-formed"),
        ("<a>]]></a>".into(), "well-formed"),
        ("<a b='<'/>".into(), "well-formed"),
        ("<1a/>".into(), "well-formed"),
        ("<a><?xml version='1.0'?></a>".into(), "well-formed"),
        ("\u{FEFF}".into(), "well-formed"),
    ] {
        let short: String = xml.chars().take(60).collect();
        match answer(200, xml) {
            Answer::Unreadable { reason } => assert!(reason.contains(why), "{short}: {reason}"),
            other => panic!("{short}: {other:?}"),
        }
    }
    let latin = [&b"<a>"[..], &[0xE4], &b"</a>"[..]].concat();
    let Answer::Unreadable { reason } = answer(200, latin) else { panic!("it was read") };
    assert!(reason.contains("UTF-8"), "{reason}");
}

/// What our own encoding of `arguments` reads as when it comes back as an answer.
fn echoed(arguments: Value) -> Value {
    let binding = binding(SoapVersion::V1_2);
    let request = encode(&binding, arguments);
    let echo = envelope_of(&request).replace("n1:GetStock>", "n1:GetStockResponse>");
    let (value, drift) = success(binding.decode(&Response {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: echo.into(),
    }));
    assert_eq!(drift, Vec::<String>::new());
    value
}

proptest! {
    #[test]
    fn any_text_survives_the_wire_or_is_refused(text in any::<String>()) {
        let arguments = json!({"article": text, "line": [{"sku": text}]});
        if text.chars().all(tollbridge_xml::chars::is_xml) {
            prop_assert_eq!(echoed(arguments.clone()), arguments);
        } else {
            prop_assert_eq!(refused(arguments).0, "/article");
        }
    }

    #[test]
    fn any_markup_survives_the_wire(text in "[<>&'\"\\]\\[!a;#\r\n\t -]{0,40}") {
        let arguments = json!({"article": text});
        prop_assert_eq!(echoed(arguments.clone()), arguments);
    }

    #[test]
    fn any_number_survives_the_wire(int in any::<i32>(), whole in any::<i128>(), part in any::<u64>()) {
        let decimal = format!("{whole}.{part}");
        let arguments = json!({
            "article": "", "amount": decimal, "count": int, "big": whole.to_string(),
        });
        prop_assert_eq!(echoed(arguments.clone()), arguments);
    }

    #[test]
    fn no_answer_makes_it_panic(status in 200_u16..600, body in any::<Vec<u8>>()) {
        let _ = answer(status, body);
    }

    #[test]
    fn no_tags_make_it_panic(body in "(<[/?!]?(s:|a:)?[a-c]( b='&[a-z#0-9]{0,4};')?/?>|&lt;|]]>|x){0,20}") {
        let _ = answer(200, soap(SoapVersion::V1_1, &body));
    }
}
