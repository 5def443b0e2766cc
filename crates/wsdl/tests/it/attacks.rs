//! The classic attacks on readers of XML, each against an answer as the bridge reads it. None is
//! timed: what bounds them is counted (depth, elements, attributes, namespaces, text, parts), or
//! nothing is there that could run away (no DTD, no entity, nothing outside the document).

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tollbridge_operation::{Answer, Operation, Payload, Response};

use super::support::*;

/// `Op`, which answers a text, a number and what may be of a derived type.
fn stock() -> Operation {
    let types = r#"
        <xs:complexType name="Item"><xs:sequence><xs:element name="sku" type="xs:string"/></xs:sequence></xs:complexType>
        <xs:complexType name="Big"><xs:complexContent><xs:extension base="t:Item"><xs:sequence>
          <xs:element name="size" type="xs:int"/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>"#;
    let members = r#"
        <xs:element name="article" type="xs:string" minOccurs="0"/>
        <xs:element name="count" type="xs:int" minOccurs="0"/>
        <xs:element name="item" type="t:Item" minOccurs="0"/>"#;
    operation(&echo(members, types))
}

fn answered(content_type: &str, body: impl Into<Bytes>) -> Answer {
    let content_type = HeaderValue::from_str(content_type).unwrap();
    stock().binding.decode(&Response {
        status: StatusCode::OK,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
        body: body.into(),
    })
}

fn refusal(attack: &str, answer: Answer) -> String {
    match answer {
        Answer::Unreadable { reason } => reason,
        other => panic!("{attack} was read: {other:?}"),
    }
}

/// An envelope whose `OpResponse` has these children.
fn message(children: &str) -> String {
    soap(Version::V1_1, &format!("<OpResponse xmlns='urn:t'>{children}</OpResponse>"))
}

fn read(children: &str) -> (Value, Vec<String>) {
    success(answered("text/xml", message(children)))
}

/// The envelope behind a prolog, with a reference to an entity in it.
fn with_dtd(dtd: &str) -> String {
    format!("{dtd}{}", message("<article>&e;</article>"))
}

#[test]
fn a_document_type_is_refused_unread_in_every_disguise() {
    let laughs: String = (0..9)
        .map(|n| format!("<!ENTITY l{} '{}'>", n + 1, format!("&l{n};").repeat(10)))
        .collect();
    let utf_16 = |text: &str, big: bool, mark: bool| {
        let mark = mark.then_some(0xFEFF);
        let units = mark.into_iter().chain(text.encode_utf16());
        let bytes: Vec<u8> = units
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect();
        bytes
    };
    let plain = with_dtd("<!DOCTYPE a [<!ENTITY e 'x'>]>");
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("billion laughs", with_dtd(&format!("<!DOCTYPE a [<!ENTITY l0 'ha'>{laughs}<!ENTITY e '&l9;'>]>")).into()),
        ("quadratic blow-up", with_dtd(&format!("<!DOCTYPE a [<!ENTITY e '{}'>]>", "x".repeat(50_000))).into()),
        ("an external entity in a file", with_dtd("<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>").into()),
        ("an external entity over http", with_dtd("<!DOCTYPE a [<!ENTITY e SYSTEM 'http://127.0.0.1:9/x'>]>").into()),
        ("a parameter entity that sends away what another read", with_dtd(
            "<!DOCTYPE a [<!ENTITY % f SYSTEM 'file:///etc/passwd'><!ENTITY % d SYSTEM 'http://127.0.0.1:9/d'>%d;]>").into()),
        ("an external subset", with_dtd("<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/a.dtd'>").into()),
        ("a public subset", with_dtd("<!DOCTYPE a PUBLIC '-//A//B' 'http://127.0.0.1:9/a.dtd'>").into()),
        ("a document type behind comments", with_dtd("<!-- a --><?b c?>\n<!DOCTYPE a [<!ENTITY e 'x'>]>").into()),
        ("a document type in UTF-16, little end first", utf_16(&plain, false, true)),
        ("a document type in UTF-16, big end first", utf_16(&plain, true, true)),
        ("a document type in UTF-16 without a mark", utf_16(&plain, false, false)),
        ("a document type behind a mark of UTF-8", format!("\u{FEFF}{plain}").into()),
        ("a document type in EBCDIC's name only", plain.replacen('<', "<?xml version='1.0' encoding='utf-16'?><", 1).into()),
        ("a document type after the root", format!("{}<!DOCTYPE a>", message("")).into()),
        ("attributes by a document type", with_dtd("<!DOCTYPE a [<!ATTLIST a b CDATA 'x'>]>").into()),
    ];
    for (attack, bytes) in attacks {
        let reason = refusal(attack, answered("text/xml", bytes));
        assert!(reason.contains("document type"), "{attack}: {reason}");
    }
    // Not even as a word: XML's are in upper case.
    refusal("a document type in lower case", answered("text/xml", with_dtd("<!doctype a>")));
}

#[test]
fn what_has_no_end_is_bounded_by_counts() {
    let nested = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    let attributes: String = (0..129).map(|n| format!(" a{n}=''")).collect();
    let declared = |from: usize| -> String {
        (from..from + 100).map(|n| format!(" xmlns:p{n}='urn:{n}'")).collect()
    };
    let scopes = format!("<a{}><a{}><a{}/></a></a>", declared(0), declared(100), declared(200));
    for (attack, children) in [
        ("elements within elements", nested(100)),
        ("a hundred thousand elements within each other", "<a>".repeat(100_000)),
        ("attributes without end", format!("<a{attributes}/>")),
        (
            "namespaces without end on one element",
            format!("<a{}/>", (0..300).map(|n| format!(" xmlns:p{n}='u'")).collect::<String>()),
        ),
        ("namespaces that add up", scopes),
        ("elements without end", "<a/>".repeat(500_001)),
        ("text without end", "x".repeat(16 * 1024 * 1024 + 1)),
        ("text without end in sections", "<![CDATA[xxxxxxxxxxxxxxxx]]>".repeat(1024 * 1024 + 1)),
    ] {
        refusal(attack, answered("text/xml", message(&children)));
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for (attack, children) in [
        ("an attribute twice", "<a b='1' b='2'/>"),
        ("an attribute twice by its namespace", "<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>"),
        ("a control character", "<article>\u{1}</article>"),
        ("a control character by reference", "<article>&#1;</article>"),
        ("NUL by reference", "<article>&#0;</article>"),
        ("a surrogate by reference", "<article>&#xD800;</article>"),
        ("a character beyond Unicode", "<article>&#x110000;</article>"),
        ("an entity that nobody defined", "<article>&xxe;</article>"),
        ("an entity in an attribute", "<a b='&xxe;'/>"),
        ("a tag in an attribute", "<a b='<c/>'/>"),
        ("the end of a section that was never begun", "<article>]]></article>"),
        ("a comment with two hyphens", "<!-- a -- b -->"),
        ("tags that overlap", "<a><b></a></b>"),
        ("a declaration inside", "<?xml version='1.0'?>"),
        ("the prefix xml bound to another namespace", "<a xmlns:xml='urn:x'/>"),
        ("the prefix xmlns bound", "<a xmlns:xmlns='urn:x'/>"),
    ] {
        refusal(attack, answered("text/xml", message(children)));
    }
    refusal("two roots", answered("text/xml", format!("{0}{0}", message(""))));
    refusal("a truncated message", answered("text/xml", message("")[..80].to_owned()));
}

#[test]
fn an_encoding_that_hides_markup_is_not_guessed() {
    let utf_7 = "<?xml version='1.0' encoding='UTF-7'?>+ADw-a/+AD4-";
    refusal("UTF-7 by its declaration", answered("text/xml", utf_7));
    refusal("UTF-7 by the transport", answered("text/xml; charset=utf-7", message("")));
    refusal(
        "UTF-32",
        answered(
            "text/xml",
            message("").chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<u8>>(),
        ),
    );
    refusal("EBCDIC", answered("text/xml", &b"\x4C\x6F\xA7\x94\x93\x40"[..]));
    refusal("HZ", answered("text/xml; charset=hz-gb-2312", message("")));
    refusal("overlong UTF-8", answered("text/xml", [b"<a>", &b"\xC0\xBC"[..], b"</a>"].concat()));
    refusal("half of UTF-16", answered("text/xml; charset=utf-16", "<"));
}

#[test]
fn nothing_outside_of_the_message_is_looked_at() {
    // The binding has no way out: what refers elsewhere is a value like any other.
    let (value, drift) = read(
        "<article>a</article><xi:include xmlns:xi='http://www.w3.org/2001/XInclude' \
         href='file:///etc/passwd' parse='text'/>",
    );
    assert_eq!(value["include"], json!({"@href": "file:///etc/passwd", "@parse": "text"}));
    assert!(!drift.is_empty());
    for children in [
        "<article xsi:schemaLocation='urn:t http://127.0.0.1:9/t.xsd'>a</article>",
        "<article xsi:noNamespaceSchemaLocation='file:///etc/passwd'>a</article>",
        "<?xml-stylesheet href='http://127.0.0.1:9/x.xsl'?><article>a</article>",
        "<article xml:base='http://127.0.0.1:9/'>a</article>",
    ] {
        assert_eq!(read(children).0, json!({"article": "a"}), "{children}");
    }
}

#[test]
fn text_is_whole_and_markup_in_it_is_text() {
    for (children, text) in [
        // A reader that takes the first text node alone would see another article.
        ("<article>A<!-- b -->-1</article>", "A-1"),
        ("<article>A<?b c?>-1</article>", "A-1"),
        ("<article><![CDATA[A]]>-<![CDATA[1]]></article>", "A-1"),
        ("<article><![CDATA[<count>7</count>]]></article>", "<count>7</count>"),
        ("<article>&lt;count&gt;7&lt;/count&gt;</article>", "<count>7</count>"),
        ("<article>&amp;lt;</article>", "&lt;"),
        ("<article><![CDATA[]]]]><![CDATA[>]]></article>", "]]>"),
    ] {
        assert_eq!(read(children), (json!({"article": text}), vec![]), "{children}");
    }
}

#[test]
fn a_type_that_does_not_belong_there_is_read_as_the_one_that_does() {
    for (children, value) in [
        (
            "<item xsi:type='t:Big'><sku>x</sku><size>7</size></item>",
            json!({"@type": "Big", "sku": "x", "size": 7}),
        ),
        ("<item xsi:type='xs:string'><sku>x</sku></item>", json!({"sku": "x"})),
        ("<item xsi:type='t:OpResponse'><sku>x</sku></item>", json!({"sku": "x"})),
        ("<item xsi:type='nobody:Knows'><sku>x</sku></item>", json!({"sku": "x"})),
    ] {
        let (read, _) = read(children);
        assert_eq!(read["item"]["sku"], value["sku"], "{children}: {read}");
    }
    assert_eq!(read("<count xsi:type='xs:string'>7</count>").0, json!({"count": 7}));
}

#[test]
fn of_two_that_say_they_are_the_same_neither_replaces_the_other() {
    // What wraps signatures: a second body, or the signed one somewhere else.
    let two = "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><a>1</a>\
               </s:Body><s:Body><a>2</a></s:Body></s:Envelope>";
    assert!(refusal("two bodies", answered("text/xml", two)).contains("one body"));
    let hidden = message("<article>real</article>").replace(
        "<s:Header/>",
        "<s:Header><w:Wrapper xmlns:w='urn:w'><s:Body><OpResponse xmlns='urn:t'>\
         <article>forged</article></OpResponse></s:Body></w:Wrapper><s:Fault>\
         <faultcode>s:Server</faultcode></s:Fault></s:Header>",
    );
    assert_eq!(success(answered("text/xml", hidden)).0, json!({"article": "real"}));
    // The first of two targets with one id is the one, whatever comes later.
    let twice = "<OpResponse xmlns='urn:t'><article href='#a'/></OpResponse>\
                 <x id='a'>first</x><x id='a'>second</x>";
    let (value, _) = success(answered("text/xml", soap(Version::V1_1, twice)));
    assert_eq!(value, json!({"article": "first"}));
}

#[test]
fn references_that_run_in_circles_or_double_end() {
    let mut doubling = "<OpResponse xmlns='urn:t'><article href='#m0'/></OpResponse>".to_owned();
    for n in 0..60 {
        let next = format!("<y href='#m{}'/>", n + 1).repeat(2);
        doubling += &format!("<x id='m{n}'>{next}</x>");
    }
    for body in [
        "<OpResponse xmlns='urn:t'><article id='a' href='#a'/></OpResponse>".to_owned(),
        "<OpResponse xmlns='urn:t'><article href='#a'/></OpResponse><x id='a' href='#b'/><x id='b' href='#a'/>".to_owned(),
        doubling,
    ] {
        assert!(matches!(answered("text/xml", soap(Version::V1_1, &body)), Answer::Success { .. }));
    }
}

#[test]
fn names_that_are_chosen_to_collide_or_to_be_long_cost_what_they_weigh() {
    let many: String = (0..100_000).map(|n| format!("<n{n}/>")).collect();
    let (value, _) = read(&many);
    assert_eq!(value.as_object().unwrap().len(), 100_000);
    let long = "n".repeat(1_000_000);
    let (value, _) = read(&format!("<{long}/>"));
    assert!(value.get(long.as_str()).is_some());
}

#[test]
fn a_message_of_nothing_but_space_is_empty_however_long() {
    let answer = answered("text/xml", " \n".repeat(100_000));
    assert!(matches!(answer, Answer::Success { payload: Payload::Empty, .. }));
}
