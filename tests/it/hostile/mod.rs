//! A description that has, in each version of OpenAPI, what other bridges get wrong, through
//! the whole bridge to an upstream that keeps what reached it, byte for byte.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use tollbridge::gateway::{self, CallWatch, Secrets};
use tollbridge::store::{Durability, Store};
use tollbridge_operation::Payload;

use super::support::{Answer, Bridge, Folder, Upstream, caller, code, failure, request, value};

const DOCUMENT_3: &str = include_str!("hostile-3.yaml");
const ONLY_3_2: &str = include_str!("hostile-3.2.yaml");
const DOCUMENT_2: &str = include_str!("hostile-2.yaml");

/// Every version, and the document in it.
fn documents() -> [(&'static str, String); 4] {
    let old = "{type: integer, nullable: true}";
    let new = "{type: [integer, \"null\"]}";
    let three = |version: &str, nullable: &str| {
        DOCUMENT_3.replace("VERSION", version).replace("NULLABLE_INTEGER", nullable)
    };
    [
        ("2.0", DOCUMENT_2.to_owned()),
        ("3.0", three("3.0.4", old)),
        ("3.1", three("3.1.1", new)),
        ("3.2", three("3.2.0", new) + ONLY_3_2),
    ]
}

/// The operation ids of a document.
fn operations(document: &str) -> Vec<String> {
    document
        .split("operationId: ")
        .skip(1)
        .filter_map(|rest| rest.split([',', '\n', '}']).next())
        .map(|id| id.trim().to_owned())
        .collect()
}

/// A bridge to every operation of a document.
async fn bridge(upstream: &Upstream, document: &str) -> Bridge {
    let folder = Folder::new();
    folder.write("hostile.yaml", document);
    let mut config = format!(
        "[audit]\ndurability = \"process\"\n[api.hostile]\nspec = \"hostile.yaml\"\nbase_url = \"{}/base\"\n",
        upstream.url()
    );
    for operation in operations(document) {
        write!(
            config,
            "[[tool]]\napi = \"hostile\"\noperation = \"{operation}\"\nname = \"{operation}\"\n"
        )
        .unwrap();
    }
    let path = folder.write("tools.toml", &config);
    let loaded = gateway::load(&path, Secrets::Resolve)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(tollbridge::config::Style::Plain)));
    let store = Store::open(&folder.store_url(), Durability::Process).await.unwrap();
    Bridge::of(folder, loaded.toolbox, store)
}

/// What is to arrive.
struct Row {
    operation: &'static str,
    arguments: Value,
    line: &'static str,
    /// A header that is to be there, `-` before one that is not.
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
}

fn row(operation: &'static str, arguments: Value, line: &'static str) -> Row {
    Row { operation, arguments, line, headers: &[], body: "" }
}

fn with_body(
    operation: &'static str,
    body: impl Into<Value>,
    line: &'static str,
    headers: &'static [(&'static str, &'static str)],
    sent: &'static str,
) -> Row {
    Row { operation, arguments: json!({"body": body.into()}), line, headers, body: sent }
}

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[allow(clippy::vec_init_then_push, reason = "a table with its sections")]
fn rows() -> Vec<Row> {
    let mut rows = vec![
        // Names that collide.
        row(
            "collide_query",
            json!({"id": "p/1", "id_query": "q&1"}),
            "GET /base/items/p%2F1?id=q%261",
        ),
        Row {
            operation: "collide_body",
            arguments: json!({"id": "P", "body": {"id": "B"}}),
            line: "PUT /base/items/P",
            headers: JSON,
            body: r#"{"id":"B"}"#,
        },
        // Styles.
        row(
            "deep",
            json!({"f": {"a": {"b": 1}, "l": ["x", "y"]}}),
            "GET /base/deep?f%5Ba%5D%5Bb%5D=1&f%5Bl%5D%5B0%5D=x&f%5Bl%5D%5B1%5D=y",
        ),
        row("pipes", json!({"p": ["a b", "c"]}), "GET /base/pipes?p=a%20b%7Cc"),
        row("spaces", json!({"s": ["a", "b"]}), "GET /base/spaces?s=a%20b"),
        row("form_list", json!({"a": ["x,y", "z"]}), "GET /base/form-list?a=x%2Cy,z"),
        row("form_lists", json!({"a": ["x&a=y", "z"]}), "GET /base/form-lists?a=x%26a%3Dy&a=z"),
        row("form_object", json!({"o": {"k": "v", "l": 1}}), "GET /base/form-object?o=k,v,l,1"),
        row("form_objects", json!({"o": {"k": "v", "l": 1}}), "GET /base/form-objects?k=v&l=1"),
        row("label", json!({"v": ["a", "b"]}), "GET /base/label/.a,b"),
        row("label_exploded", json!({"v": ["a", "b"]}), "GET /base/label-x/.a.b"),
        row("matrix", json!({"v": ["a;v=c", "b"]}), "GET /base/matrix/;v=a%3Bv%3Dc;v=b"),
        row("simple", json!({"v": ["a,b", "../c"]}), "GET /base/simple/a%2Cb,..%2Fc"),
        row("mixed_segment", json!({"a": "x", "b": "y", "c": "1/2"}), "GET /base/mixed/x.y/v1%2F2"),
        Row {
            headers: &[("x-ids", "1,2,3"), ("x-trace", "t")],
            ..row("header_list", json!({"X-Ids": [1, 2, 3], "X-Trace": "t"}), "GET /base/header")
        },
        Row {
            headers: &[("cookie", "session%20id=a%3Bb; theme=d%C3%A9")],
            ..row("cookie", json!({"session_id": "a;b", "theme": "dé"}), "GET /base/cookie")
        },
        row(
            "odd_names",
            json!({"filter_name": "x", "a.b": "y", "top": 3, "with_space": "z"}),
            "GET /base/odd?filter%5Bname%5D=x&a.b=y&%24top=3&with%20space=z",
        ),
        row(
            "content_parameter",
            json!({"q": {"a": [1, "b"]}}),
            "GET /base/content?q=%7B%22a%22%3A%5B1%2C%22b%22%5D%7D",
        ),
        row(
            "reserved",
            json!({"u": "http://h/p?q=1#f&g"}),
            "GET /base/reserved?u=http://h/p?q=1%23f%26g",
        ),
        row(
            "undeclared_path",
            json!({"id": "%2e%2e/x?y#z"}),
            "GET /base/undeclared/%252e%252e%2Fx%3Fy%23z",
        ),
        row("limits", json!({"n": 5, "e": "a"}), "GET /base/limits?n=5&e=a"),
    ];
    // Bodies.
    rows.extend([
        with_body("form_body", json!({"a": ["1", "2 3"], "o": {"k": {"l": 1}}, "s": "a&b=c"}), "POST /base/form", &[("content-type", "application/x-www-form-urlencoded")], "a=1&a=2+3&o%5Bk%5D%5Bl%5D=1&s=a%26b%3Dc"),
        with_body("swagger_form", json!({"a": ["1", "2 3"], "s": "a&b=c"}), "POST /base/form", &[("content-type", "application/x-www-form-urlencoded")], "a=1&a=2%203&s=a%26b%3Dc"),
        with_body("upload", json!({"file": {"data": "aGk=", "filename": "a.png"}, "files": [{"text": "one"}, {"text": "two"}], "note": "n", "meta": {"k": 1}}), "POST /base/upload", &[("content-type", "multipart/form-data; boundary=tollbridge-00000000")],
            "--tollbridge-00000000\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\nhi\r\n\
             --tollbridge-00000000\r\nContent-Disposition: form-data; name=\"files\"; filename=\"files\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\none\r\n\
             --tollbridge-00000000\r\nContent-Disposition: form-data; name=\"files\"; filename=\"files\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ntwo\r\n\
             --tollbridge-00000000\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nn\r\n\
             --tollbridge-00000000\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"k\":1}\r\n--tollbridge-00000000--\r\n"),
        with_body("swagger_upload", json!({"file": {"data": "aGk=", "filename": "a.txt"}, "note": "n"}), "POST /base/upload", &[],
            "--tollbridge-00000000\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: application/octet-stream\r\n\r\nhi\r\n\
             --tollbridge-00000000\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nn\r\n--tollbridge-00000000--\r\n"),
        with_body("xml_body", json!({"notes": ["n"], "id": 7, "name": "a<b", "tags": ["x", "y"]}), "POST /base/xml", &[("content-type", "application/xml")],
            "<pet xmlns=\"urn:pets\" id=\"7\"><name>a&lt;b</name><tags><tag>x</tag><tag>y</tag></tags><note>n</note></pet>"),
        with_body("octets", json!({"data": "AGhpIQ=="}), "PUT /base/octets", &[("content-type", "application/octet-stream")], "\0hi!"),
        with_body("text_body", json!("grüße"), "PUT /base/text", &[("content-type", "text/plain; charset=utf-8")], "grüße"),
        with_body("lines", json!([{"a": 1}, {"b": 2}]), "POST /base/lines", &[("content-type", "application/x-ndjson")], "{\"a\":1}\n{\"b\":2}\n"),
        with_body("merge_patch", json!({"x": 1, "y": null}), "PATCH /base/patch", &[("content-type", "application/merge-patch+json")], r#"{"x":1,"y":null}"#),
        with_body("choice", json!({"a": 1}), "POST /base/choice", JSON, r#"{"a":1}"#),
        Row { headers: &[("content-type", "text/plain; charset=utf-8")], body: "plain", ..row("choice", json!({"body": "plain", "content_type": "text/plain"}), "POST /base/choice") },
        Row { headers: &[("-content-type", "")], ..row("choice", json!({}), "POST /base/choice") },
        with_body("tree", json!({"name": "a", "children": [{"name": "b", "children": []}]}), "POST /base/tree", JSON, r#"{"name":"a","children":[{"name":"b","children":[]}]}"#),
        with_body("discriminated", json!({"kind": "dog", "bark": true}), "POST /base/pets", JSON, r#"{"kind":"dog","bark":true}"#),
        with_body("swagger_pet", json!({"kind": "Dog", "bark": true}), "POST /base/pets", JSON, r#"{"kind":"Dog","bark":true}"#),
        with_body("nullable", json!({"n": null}), "PATCH /base/nullable", JSON, r#"{"n":null}"#),
        with_body("array_body", json!([1, 2]), "POST /base/array", JSON, "[1,2]"),
        with_body("map_body", json!({"a": 1, "b c": 2}), "POST /base/map", JSON, r#"{"a":1,"b c":2}"#),
        with_body("digits", serde_json::from_str::<Value>(r#"{"n":12345678901234567890.10}"#).unwrap(), "POST /base/digits", JSON, r#"{"n":12345678901234567890.10}"#),
    ]);
    // 3.2 alone.
    rows.extend([
        with_body("query_method", json!({"q": 1}), "QUERY /base/query-method", JSON, r#"{"q":1}"#),
        row("copy_method", json!({}), "COPY /base/copy"),
        row("whole_query", json!({"q": {"foo": "a + b", "bar": true}}), "GET /base/whole-query?foo=a+%2B+b&bar=true"),
        Row { headers: &[("cookie", "c=a%20; c=b")], ..row("bare_cookie", json!({"c": ["a%20", "b"]}), "GET /base/bare-cookie") },
        with_body("sequence", json!([{"a": 1}, {"b": 2}]), "POST /base/sequence", &[("content-type", "application/json-seq")], "\u{1e}{\"a\":1}\n\u{1e}{\"b\":2}\n"),
        with_body("parts", json!([{"a": 1}]), "POST /base/parts", &[("content-type", "multipart/mixed; boundary=tollbridge-00000000")],
            "--tollbridge-00000000\r\nContent-Type: application/json\r\n\r\n{\"a\":1}\r\n--tollbridge-00000000--\r\n"),
    ]);
    rows
}

/// What is refused before anything is sent.
fn refused() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("collide_query", json!({}), "/id"),
        ("collide_query", json!({"id": ".."}), "/id"),
        ("collide_query", json!({"id": ""}), "/id"),
        ("collide_query", json!({"id": "x", "nope": 1}), "/nope"),
        ("simple", json!({"v": []}), "/v"),
        ("header_list", json!({"X-Trace": "a\r\nX-Other: b"}), "/X-Trace"),
        ("pipes", json!({"p": ["a|b", "c"]}), "/p"),
        ("limits", json!({"n": 6}), "/n"),
        ("limits", json!({"n": "5"}), "/n"),
        ("limits", json!({"e": "c"}), "/e"),
        ("array_body", json!({"body": ["x"]}), "/body/0"),
        ("map_body", json!({"body": {"a": "x"}}), "/body/a"),
        ("undeclared_path", json!({}), "/id"),
        ("upload", json!({"body": {"file": {"data": "not base64!"}}}), "/body/file/data"),
        ("xml_body", json!({"body": {"name": "\u{1}"}}), "/body/name"),
        ("tree", json!({"body": {"children": [{"name": 1}]}}), "/body/children/0/name"),
        ("discriminated", json!({"body": {"kind": "bird"}}), "/body/kind"),
        ("discriminated", json!({"body": {"kind": "dog", "bark": "x"}}), "/body/bark"),
        ("swagger_pet", json!({"body": {"kind": "Bird"}}), "/body/kind"),
        ("swagger_pet", json!({"body": {"kind": "Dog", "bark": "x"}}), "/body/bark"),
    ]
}

#[tokio::test]
async fn every_request_is_the_one_that_the_description_describes() {
    let mut unused: HashSet<&str> = rows().iter().map(|row| row.operation).collect();
    for (version, document) in documents() {
        let upstream = Upstream::willing().await;
        let bridge = bridge(&upstream, &document).await;
        let known: HashSet<String> = operations(&document).into_iter().collect();
        let mut tried: HashSet<&str> = HashSet::new();
        for row in rows().iter().filter(|row| known.contains(row.operation)) {
            let before = upstream.count();
            let reply = bridge.call(row.operation, &row.arguments.to_string()).await;
            let at = format!("{version} {}", row.operation);
            assert_eq!(upstream.count(), before + 1, "{at}: {reply:?}");
            let seen = &upstream.seen()[before];
            assert_eq!(seen.line, row.line, "{at}");
            for (name, value) in row.headers {
                match name.strip_prefix('-') {
                    Some(name) => assert_eq!(seen.header(name), None, "{at}"),
                    None => assert_eq!(seen.header(name), Some(*value), "{at}: {name}"),
                }
            }
            assert_eq!(seen.body, row.body, "{at}");
            tried.insert(row.operation);
            unused.remove(row.operation);
        }
        for (operation, arguments, pointer) in refused() {
            if known.contains(operation) {
                let before = upstream.count();
                let reply = bridge.call(operation, &arguments.to_string()).await;
                assert_eq!(code(&reply), "invalid_arguments", "{version} {operation} {arguments}");
                let places: Vec<&str> =
                    failure(&reply).violations.iter().map(|one| one.pointer.as_str()).collect();
                assert!(
                    places.contains(&pointer),
                    "{version} {operation}: {pointer} in {places:?}"
                );
                assert_eq!(upstream.count(), before, "nothing was sent");
            }
        }
        let missed: Vec<&String> = known.iter().filter(|id| !tried.contains(id.as_str())).collect();
        assert!(missed.is_empty(), "{version}: {missed:?} have no row");
    }
    assert!(unused.is_empty(), "{unused:?} are in no document");
}

#[tokio::test]
async fn xml_answers_are_values_in_every_version() {
    let xml = "<p:pet xmlns:p='urn:pets' id='7'><p:name>a&lt;b</p:name><p:tags><p:tag>x</p:tag></p:tags><p:note>n</p:note></p:pet>";
    for (version, document) in documents() {
        let upstream = Upstream::new([Answer::new(200, "application/xml", xml)]).await;
        let bridge = bridge(&upstream, &document).await;
        let reply = bridge.call("xml_body", r#"{"body": {"id": 1}}"#).await;
        let Ok(success) = &reply.result else { panic!("{version}: {reply:?}") };
        let expected = json!({"id": 7, "name": "a<b", "tags": ["x"], "notes": ["n"]});
        assert_eq!(success.payload, Payload::Value(expected), "{version}");
        assert_eq!(success.drift, [], "{version}");
    }
}

#[tokio::test]
async fn headers_of_an_answer_are_kept_where_they_say_something() {
    let answer = Answer::json(201, r#"{"id":1}"#)
        .header("location", "/orders/1")
        .header("link", "</orders?page=2>; rel=next")
        .header("x-total", "12")
        .header("x-internal", "no business of the agent's");
    let upstream = Upstream::new([answer]).await;
    let document = "openapi: 3.1.0\ninfo: {}\npaths: {/o: {post: {operationId: make, responses: \
                    {'201': {headers: {X-Total: {schema: {type: integer}}}}}}}}\n";
    let reply = bridge(&upstream, document).await.call("make", "{}").await;
    let Ok(success) = &reply.result else { panic!("{reply:?}") };
    let headers: Vec<(&str, &str)> = success
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    assert_eq!(
        headers,
        [("location", "/orders/1"), ("link", "</orders?page=2>; rel=next"), ("x-total", "12")]
    );
}

#[tokio::test]
async fn a_stream_is_a_list_and_tells_how_far_it_has_come() {
    let events = "data: {\"n\":1}\n\ndata: {\"n\":2}\n\n";
    let upstream = Upstream::new([Answer::new(200, "text/event-stream", events)]).await;
    let document = "openapi: 3.1.0\ninfo: {}\npaths: {/o: {get: {operationId: watch, responses: \
                    {'200': {content: {text/event-stream: {schema: {type: object}}}}}}}}\n";
    let bridge = bridge(&upstream, document).await;
    let (sender, mut steps) = tokio::sync::mpsc::channel(64);
    let watch = CallWatch { progress: Some(sender), ..CallWatch::default() };
    let reply = bridge.gateway.call(caller("bot"), request("watch", "{}"), watch).await.unwrap();
    assert_eq!(value(&reply), &json!([{"n": 1}, {"n": 2}]));
    let mut said = Vec::new();
    while let Ok(step) = steps.try_recv() {
        said.push(step.message);
    }
    assert!(said.iter().any(|message| message.ends_with("bytes of the stream")), "{said:?}");
}

#[tokio::test]
async fn each_operation_goes_to_its_own_server_where_no_base_url_stands_for_all() {
    let servers = [Upstream::willing().await, Upstream::willing().await, Upstream::willing().await];
    let urls = servers.each_ref().map(Upstream::url);
    let [document, item, operation] = &urls;
    let folder = Folder::new();
    folder.write(
        "servers.yaml",
        &format!(
            "openapi: 3.1.0\ninfo: {{}}\nservers: [{{url: '{document}/d'}}]\npaths:\n  \
             /a: {{get: {{operationId: a}}}}\n  \
             /b: {{servers: [{{url: '{item}/{{v}}', variables: {{v: {{default: v1, enum: [v1, v2]}}}}}}], get: {{operationId: b}},\n    \
             post: {{operationId: c, servers: [{{url: '{operation}'}}]}}}}\n"
        ),
    );
    let hosts: Vec<String> =
        urls.iter().map(|url| format!("\"{}\"", url.trim_start_matches("http://"))).collect();
    let mut config = format!(
        "[audit]\ndurability = \"process\"\n[api.shop]\nspec = \"servers.yaml\"\nhosts = [{}]\nvariables = {{ v = \"v2\" }}\n",
        hosts.join(", ")
    );
    for operation in ["a", "b", "c"] {
        write!(config, "[[tool]]\napi = \"shop\"\noperation = \"{operation}\"\n").unwrap();
    }
    let path = folder.write("tools.toml", &config);
    let loaded = gateway::load(&path, Secrets::Resolve)
        .unwrap_or_else(|wrong| panic!("{}", wrong.render(tollbridge::config::Style::Plain)));
    let store = Store::open(&folder.store_url(), Durability::Process).await.unwrap();
    let bridge = Bridge::of(folder, loaded.toolbox, store);
    for operation in ["a", "b", "c"] {
        bridge.call(operation, "{}").await;
    }
    let lines: Vec<String> = servers.iter().map(|server| server.seen()[0].line.clone()).collect();
    assert_eq!(lines, ["GET /d/a", "GET /v2/b", "POST /b"]);
}
