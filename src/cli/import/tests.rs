#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;

use super::source::Spec;
use super::*;
use crate::gateway;

const ORDERS: &str = r##"{
  "openapi": "3.1.0",
  "info": {"title": "Orders\nAPI", "version": "2"},
  "servers": [{"url": "https://api.example.com/v1"}],
  "components": {"securitySchemes": {"Key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
  "security": [{"Key": []}],
  "paths": {
    "/orders": {
      "get": {"operationId": "listOrders", "tags": ["Orders"], "summary": "All \"orders\"", "responses": {"200": {"description": "ok"}}},
      "post": {"operationId": "createOrder", "tags": ["orders"], "responses": {"201": {"description": "ok"}}}
    },
    "/orders/{id}": {
      "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
      "get": {"responses": {"200": {"description": "ok"}}},
      "delete": {"operationId": "deleteOrder", "responses": {"204": {"description": "gone"}}}
    },
    "/broken/{id}": {
      "get": {"operationId": "broken", "parameters": [{"$ref": "#/components/parameters/none"}], "responses": {}}
    }
  }
}"##;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(words: &[&str]) -> Args {
    Line::try_parse_from([&["import"], words].concat()).unwrap().args
}

async fn run_in(folder: &Path, words: &[&str]) -> Result<Imported, ImportError> {
    import(&args(words), &folder.join("tools.toml")).await
}

/// A folder with the orders' description in it.
fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("orders.json");
    std::fs::write(&spec, ORDERS).unwrap();
    (folder, spec.display().to_string())
}

fn written(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("tools.toml")).unwrap()
}

/// `id status tool` of each operation of a report.
fn statuses(report: &Value) -> Vec<String> {
    report["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| {
            let text = |key: &str| operation[key].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", text("id"), text("status"), text("tool"))
        })
        .collect()
}

/// Serves the answers one after the other, and returns the requests it got.
fn serve(answers: Vec<String>) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        answers
            .into_iter()
            .map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                    request.push(byte[0]);
                }
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8(request).unwrap()
            })
            .collect()
    });
    (url, served)
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn empty(status: &str, header: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n{header}\r\n")
}

#[tokio::test]
async fn a_selection_becomes_tools_and_destructive_ones_are_held() {
    let (folder, spec) = folder();
    let done = run_in(folder.path(), &[&spec, "--select", "list*", "--select", "DELETE /orders/*"])
        .await
        .unwrap();
    insta::assert_snapshot!(written(&folder));
    insta::assert_snapshot!("the_report_of_a_selection", format!("{:#}", done.report));
}

#[tokio::test]
async fn each_way_to_select_selects_what_it_says() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["--all"], &["list_orders", "create_order", "get_orders_by_id", "delete_order"]),
        (&["--tag", "ORDERS"], &["list_orders", "create_order"]),
        (&["--read-only"], &["list_orders", "get_orders_by_id"]),
        (&[], &["list_orders", "get_orders_by_id"]),
        (&["--method", "post"], &["create_order"]),
        (&["--path", "/orders/*", "--effect", "read"], &["get_orders_by_id"]),
        (&["--tag", "orders", "--method", "GET"], &["list_orders"]),
        (
            &["--all", "--effect", "write", "--effect", "read", "--path", "/orders"],
            &["list_orders", "create_order"],
        ),
    ];
    for (words, tools) in cases {
        let (folder, spec) = folder();
        let done = run_in(folder.path(), &[&[spec.as_str()], *words].concat()).await.unwrap();
        let made: Vec<_> = done.report["operations"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|operation| operation["tool"].as_str())
            .collect();
        assert_eq!(&made, tools, "{words:?}");
        assert!(!written(&folder).contains("hold"), "{words:?}");
        config::load(&folder.path().join("tools.toml")).unwrap();
    }
}

#[tokio::test]
async fn what_is_left_out_says_which_word_left_it_out() {
    let (folder, spec) = folder();
    let words = [spec.as_str(), "--json", "--path", "/orders", "--effect", "read"];
    let report = run_in(folder.path(), &words).await.unwrap().report;
    let reasons: Vec<_> = report["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["reason"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(reasons[..2], ["-", "its effect is none of those that were asked for"]);
    assert_eq!(reasons[2], "its path is none of those that were asked for");
    let wrong = run_in(folder.path(), &[&spec, "--method", "PATCH"]).await;
    assert!(wrong.unwrap_err().to_string().starts_with("--method PATCH: no operation"));
}

#[tokio::test]
async fn the_cost_of_each_tool_and_of_all_is_counted_where_it_is_asked_for() {
    let (folder, spec) = folder();
    let report =
        run_in(folder.path(), &[&spec, "--json", "--all", "--tokens"]).await.unwrap().report;
    let each: Vec<u64> = report["operations"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|o| o["tokens"].as_u64())
        .collect();
    assert_eq!(each.len(), 4);
    assert_eq!(report["tokens"].as_u64(), Some(each.iter().sum()));
    let without = run_in(folder.path(), &[&spec, "--json", "--all"]).await.unwrap().report;
    assert_eq!(
        (&without["tokens"], &without["operations"][0]["tokens"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn importing_again_adds_what_is_new_and_nothing_twice() {
    let (folder, spec) = folder();
    run_in(folder.path(), &[&spec, "--select", "listOrders"]).await.unwrap();
    let file = folder.path().join("tools.toml");
    let first = format!("# mine\n{}", written(&folder).replace("list_orders", "mine"));
    std::fs::write(&file, &first).unwrap();

    let again = run_in(folder.path(), &[&spec, "--read-only"]).await.unwrap();
    let text = written(&folder);
    assert!(text.starts_with(&first), "{text}");
    assert_eq!(text.matches("[api.orders]").count(), 1);
    assert_eq!(
        statuses(&again.report),
        [
            "orders/listOrders tool mine",
            "orders/createOrder available -",
            "orders/GET /orders/{id} tool get_orders_by_id",
            "orders/deleteOrder available -",
            "orders/broken skipped -",
        ]
    );
    run_in(folder.path(), &[&spec, "--read-only"]).await.unwrap();
    assert_eq!(written(&folder), text);
}

#[tokio::test]
async fn a_changed_description_is_accepted_where_no_tool_depends_on_it_and_reported_elsewhere() {
    let (folder, spec) = folder();
    let digest =
        |text: &str| text.lines().find(|line| line.starts_with("digest")).unwrap().to_owned();
    let accepted = folder.path().join("specs/accepted/orders.json");
    run_in(folder.path(), &[&spec, "--select", "deleteOrder"]).await.unwrap();
    let before = written(&folder);
    assert_eq!(std::fs::read_to_string(&accepted).unwrap(), ORDERS);
    std::fs::write(&spec, ORDERS.replace("\"2\"", "\"3\"")).unwrap();
    run_in(folder.path(), &[&spec, "--select", "deleteOrder"]).await.unwrap();
    assert_eq!(written(&folder), before, "a person accepts it");
    assert_eq!(std::fs::read_to_string(&accepted).unwrap(), ORDERS);

    let toolless = before.split("\n[[tool]]").next().unwrap().to_owned();
    std::fs::write(folder.path().join("tools.toml"), &toolless).unwrap();
    run_in(folder.path(), &[&spec, "--select", "deleteOrder"]).await.unwrap();
    let after = written(&folder);
    assert_ne!(digest(&before), digest(&after));
    assert_eq!(before.replace(&digest(&before), &digest(&after)), after);
    assert_ne!(std::fs::read_to_string(&accepted).unwrap(), ORDERS);
}

#[tokio::test]
async fn names_and_apis_never_clash() {
    let (folder, spec) = folder();
    run_in(folder.path(), &[&spec, "--select", "listOrders"]).await.unwrap();
    let other = folder.path().join("b").join("orders.json");
    std::fs::create_dir(other.parent().unwrap()).unwrap();
    std::fs::write(&other, ORDERS).unwrap();
    let other = other.display().to_string();
    let done = run_in(folder.path(), &[&other, "--select", "listOrders"]).await.unwrap();
    assert_eq!(statuses(&done.report)[0], "orders_2/listOrders tool list_orders_2");
    assert!(written(&folder).contains("spec     = \"b/orders.json\""));
    let taken = run_in(folder.path(), &[&other, "--name", "orders"]).await.unwrap_err();
    assert!(matches!(taken, ImportError::Usage(_)), "{taken}");
}

#[tokio::test]
async fn json_alone_writes_nothing() {
    let (folder, spec) = folder();
    let done = run_in(folder.path(), &[&spec, "--json"]).await.unwrap();
    assert_eq!(done.report["operations"].as_array().unwrap().len(), 5);
    assert!(!folder.path().join("tools.toml").exists());
    let out = folder.path().join("out.toml").display().to_string();
    run_in(folder.path(), &[&spec, "--json", "--out", &out]).await.unwrap();
    assert!(Path::new(&out).exists());
}

#[tokio::test]
async fn a_url_is_fetched_with_its_header_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("key");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let spec = ORDERS.replace("https://api.example.com/v1", "/v1");
    let (url, served) = serve(vec![empty("302 Found", "location: /real\r\n"), ok(&spec)]);
    let header = format!("X-Key: file:{}", secret.display());
    run_in(
        folder.path(),
        &[&format!("{url}/orders.json?a=b"), "--header", &header, "--name", "shop"],
    )
    .await
    .unwrap();
    let requests = served.join().unwrap();
    assert!(requests[0].starts_with("GET /orders.json?a=b "), "{}", requests[0]);
    for request in &requests {
        assert!(request.contains("x-key: s3cret\r\n"), "{request}");
    }
    let text = written(&folder);
    assert!(text.contains("spec     = \"specs/shop.json\""), "{text}");
    assert!(text.contains(&format!("base_url = \"{url}/v1\"")), "{text}");
    assert!(!text.contains("s3cret"));
    assert_eq!(std::fs::read_to_string(folder.path().join("specs/shop.json")).unwrap(), spec);

    // The same again extends it; another description under that name is not overwritten.
    let (url, served) = serve(vec![ok(&spec)]);
    run_in(folder.path(), &[&url, "--name", "shop", "--all"]).await.unwrap();
    served.join().unwrap();
    assert_eq!(written(&folder).matches("[api.shop]").count(), 1);
}

#[tokio::test]
async fn no_redirect_leads_a_header_to_another_host() {
    let folder = tempfile::tempdir().unwrap();
    let (other, _never_asked) = (TcpListener::bind("127.0.0.1:0").unwrap(), ());
    let target = format!("location: http://{}/x\r\n", other.local_addr().unwrap());
    let (url, served) = serve(vec![empty("302 Found", &target)]);
    let error = run_in(folder.path(), &[&url]).await.unwrap_err();
    assert!(error.to_string().contains("redirects to"), "{error}");
    served.join().unwrap();
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_err());
}

#[tokio::test]
async fn what_cannot_be_fetched_or_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (url, served) = serve(vec![empty("401 Unauthorized", "")]);
    let error = run_in(folder.path(), &[&format!("{url}/api?key=s3cret")]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{url}/api answers 401: it may need --header 'NAME: env:VARIABLE'")
    );
    served.join().unwrap();
    for (content, part) in [("<html>", "XML"), ("a: [", "line"), ("{}", "no OpenAPI document")] {
        let spec = folder.path().join("spec.json");
        std::fs::write(&spec, content).unwrap();
        let error = run_in(folder.path(), &[&spec.display().to_string()]).await.unwrap_err();
        assert!(matches!(error, ImportError::Failed(_)), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = run_in(folder.path(), &["no/such.json"]).await.unwrap_err();
    assert!(error.to_string().starts_with("no/such.json: "), "{error}");
    assert!(!folder.path().join("tools.toml").exists());
}

#[tokio::test]
async fn a_misspelled_selector_is_refused() {
    let (folder, spec) = folder();
    for words in [["--select", "listOrder"], ["--tag", "order"]] {
        let error =
            run_in(folder.path(), &[&[spec.as_str()], &words[..]].concat()).await.unwrap_err();
        assert!(matches!(error, ImportError::Usage(_)), "{error}");
    }
    // One that means an operation that cannot be called is answered by the report.
    let done = run_in(folder.path(), &[&spec, "--select", "broken"]).await.unwrap();
    assert_eq!(statuses(&done.report)[4], "orders/broken skipped -");
}

#[tokio::test]
async fn a_wrong_configuration_is_not_extended() {
    let (folder, spec) = folder();
    let file = folder.path().join("tools.toml");
    for (text, configuration) in [("[srver]\n", true), ("api = {}\n", false)] {
        std::fs::write(&file, text).unwrap();
        let error = run_in(folder.path(), &[&spec]).await.unwrap_err();
        assert_eq!(matches!(error, ImportError::Configuration(_)), configuration, "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}

#[tokio::test]
async fn servers_become_base_url_and_hosts() {
    let operation = |servers: &str| {
        format!(
            "{{\"get\": {{\"servers\": [{servers}], \"responses\": {{\"200\": {{\"description\": \"ok\"}}}}}}}}"
        )
    };
    let spec = |first: &str, second: &str| {
        format!(
            "{{\"openapi\": \"3.0.0\", \"info\": {{\"title\": \"t\", \"version\": \"1\"}}, \"paths\": {{\"/a\": {}, \"/b\": {}}}}}",
            operation(first),
            operation(second)
        )
    };
    let server = |url: &str| format!("{{\"url\": \"{url}\"}}");
    let (api, files) =
        (server("https://api.example.com"), server("https://files.example.com:8443/f"));
    let local = server("http://10.0.0.1");
    let cases: [(String, &[&str], &[&str]); 4] = [
        (
            spec(&format!("{api},{files}"), &api),
            &[],
            &["base_url = \"https://api.example.com\"", "hosts    = [\"files.example.com:8443\"]"],
        ),
        (
            spec(&api, &files),
            &[],
            &["hosts    = [\"api.example.com\", \"files.example.com:8443\"]"],
        ),
        (
            spec(&api, &local),
            &["--base-url", "http://127.0.0.1:1/x"],
            &[
                "base_url = \"http://127.0.0.1:1/x\"",
                "hosts    = [\"api.example.com\", \"10.0.0.1\"]",
            ],
        ),
        (
            spec(&server("relative"), &server("https://u:p@h.example")),
            &[],
            &["hosts    = [\"h.example\"]"],
        ),
    ];
    for (document, words, lines) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        std::fs::write(&file, &document).unwrap();
        run_in(folder.path(), &[&[file.to_str().unwrap()], words].concat()).await.unwrap();
        let text = written(&folder);
        let found: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("base_url ") || line.starts_with("hosts"))
            .collect();
        assert_eq!(found, lines, "{document}");
    }
}

#[tokio::test]
async fn a_description_from_afar_opens_no_private_host() {
    let name = ApiName::new("a").unwrap();
    let document = ORDERS.replace("https://api.example.com/v1", "http://169.254.169.254");
    let spec = Spec {
        label: String::new(),
        suggestion: "a".to_owned(),
        file: None,
        url: None,
        trusted_with_private_hosts: false,
        bytes: document.into_bytes(),
    };
    let mut proposal = Proposal::new(None, Selection::new(&args(&["x", "--all"])).unwrap(), false);
    let fetching = Fetching::new(&[]).unwrap();
    proposal.add(spec, Some(&name), None, Path::new("/nowhere"), &fetching).await.unwrap();
    let text = proposal.text();
    assert!(!text.contains("169.254"), "{text}");
    assert!(proposal.apis()[0].notes.iter().any(|note| note.contains("169.254.169.254")));
}

#[tokio::test]
async fn a_folder_is_all_its_descriptions() {
    let (folder, spec) = folder();
    let specs = folder.path().join("in");
    std::fs::create_dir(&specs).unwrap();
    std::fs::create_dir_all(specs.join("sub/.git")).unwrap();
    std::fs::create_dir(specs.join("b.json.documents")).unwrap();
    std::fs::copy(&spec, specs.join("sub/b.json")).unwrap();
    std::fs::copy(&spec, specs.join("sub/.git/c.json")).unwrap();
    std::fs::copy(&spec, specs.join("b.json.documents/d.json")).unwrap();
    std::fs::copy(&spec, specs.join("a.json")).unwrap();
    std::fs::write(specs.join("package.json"), "{}").unwrap();
    std::fs::write(specs.join("notes.txt"), "x").unwrap();
    let specs = specs.display().to_string();
    let done = run_in(folder.path(), &[&specs, "--select", "listOrders"]).await.unwrap();
    let tools: Vec<_> =
        statuses(&done.report).into_iter().filter(|s| s.contains(" tool ")).collect();
    assert_eq!(tools, ["a/listOrders tool list_orders", "b/listOrders tool list_orders_2"]);
    for option in [["--name", "x"], ["--base-url", "https://x.example"]] {
        let error =
            run_in(folder.path(), &[&[specs.as_str()], &option[..]].concat()).await.unwrap_err();
        assert!(matches!(error, ImportError::Usage(_)), "{error}");
    }
}

#[test]
fn what_excludes_each_other_is_refused_by_the_command_line() {
    for words in [&["a", "--all", "--read-only"][..], &["a", "--select", "x", "--tag", "y"], &[]] {
        assert!(Line::try_parse_from([&["import"], words].concat()).is_err(), "{words:?}");
    }
}

#[tokio::test]
async fn a_strangers_text_stays_in_its_string_and_its_comment() {
    let document = ORDERS
        .replace("All \\\"orders\\\"", "x\\n[server]\\r\\nidentity = 'evil' \\u0085 \\u2028")
        .replace("\"deleteOrder\"", "\"a\\\"]\\n[server]\\nname = \\\"evil\\\\\"")
        .replace("Orders\\nAPI", "T\\n[server]");
    let name = ApiName::new("a").unwrap();
    let spec = Spec {
        label: String::new(),
        suggestion: "a".to_owned(),
        file: None,
        url: None,
        trusted_with_private_hosts: true,
        bytes: document.into_bytes(),
    };
    let mut proposal = Proposal::new(None, Selection::new(&args(&["x", "--all"])).unwrap(), false);
    let fetching = Fetching::new(&[]).unwrap();
    proposal.add(spec, Some(&name), None, Path::new("/nowhere"), &fetching).await.unwrap();
    let (config, _) = config::parse(Path::new("tools.toml"), proposal.text()).unwrap();
    assert_eq!(config.server.name, "tollbridge");
    assert!(config.tools.iter().any(|tool| tool.operation.contains("evil")));
}

/// Serves each path's answer as often as it is asked for, until the process ends.
fn serve_paths(answers: Vec<(&'static str, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                request.push(byte[0]);
            }
            let request = String::from_utf8(request).unwrap();
            let path = request.split(' ').nth(1).unwrap();
            let answer = answers.iter().find(|(known, _)| *known == path);
            let answer = answer.map_or_else(|| empty("404 Not Found", ""), |(_, body)| ok(body));
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

#[tokio::test]
async fn a_description_of_several_documents_is_fetched_whole_and_read_offline() {
    let root = r#"{"openapi": "3.1.0", "info": {"title": "t", "version": "1"},
        "servers": [{"url": "../v1"}],
        "paths": {
            "/a": {"$ref": "paths/a.yaml"},
            "/b": {"get": {"operationId": "b", "parameters": [{"$ref": "../private/secret.yaml#/p"}]}}
        }}"#;
    let a = "get:\n  operationId: a\n  parameters: [{$ref: '../common.yaml#/q'}]\n";
    let common = "q: {name: q, in: query, schema: {type: integer}}\n";
    let url = serve_paths(vec![
        ("/specs/shop.json", root.to_owned()),
        ("/specs/paths/a.yaml", a.to_owned()),
        ("/specs/common.yaml", common.to_owned()),
        ("/private/secret.yaml", "p: {name: p, in: query, schema: {}}".to_owned()),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let spec = format!("{url}/specs/shop.json");
    let done = run_in(folder.path(), &[&spec, "--all"]).await.unwrap();
    assert_eq!(statuses(&done.report), ["shop/a tool a", "shop/b skipped -"]);
    let reason = done.report["operations"][1]["reason"].as_str().unwrap();
    assert!(reason.contains("references"), "{reason}");
    let text = written(&folder);
    assert!(text.contains(&format!("source   = \"{spec}\"")), "{text}");
    assert!(text.contains(&format!("base_url = \"{url}/v1\"")), "{text}");

    // From here on nothing is fetched: what was kept is read.
    let read = || {
        let (config, _) = config::load(&folder.path().join("tools.toml")).unwrap();
        let api = config.apis.get(&ApiName::new("shop").unwrap()).unwrap().clone();
        let digest = api.digest.as_ref().unwrap().0.clone();
        (digest, gateway::origin(&config, &api).read(&ApiName::new("shop").unwrap()).unwrap())
    };
    let (digest, reading) = read();
    assert_eq!(reading.description.operations.len(), 1);
    assert_eq!(reading.description.skipped.len(), 1);
    assert_eq!(reading.digest, digest);
    assert_eq!(reading.files.len(), 3, "{:?}", reading.files);
    let kept = reading.files.iter().find(|file| file.ends_with("common.yaml")).unwrap();
    std::fs::write(kept, common.replace("integer", "string")).unwrap();
    assert_ne!(read().1.digest, digest);
    std::fs::remove_file(kept).unwrap();
    let (_, reading) = read();
    assert!(reading.description.operations.is_empty());
    assert!(reading.description.skipped[0].reason.contains("import the description again"));

    // What the configuration allows is fetched by the next import.
    let text = text.replace("source ", &format!("references = [\"{url}/private\"]\nsource "));
    std::fs::write(folder.path().join("tools.toml"), text).unwrap();
    let done = run_in(folder.path(), &[&spec, "--all"]).await.unwrap();
    assert_eq!(statuses(&done.report), ["shop/a tool a", "shop/b tool b"]);
    // The digest stays the accepted one until somebody accepts the change.
    let (accepted, reading) = read();
    assert_eq!((reading.description.operations.len(), accepted), (2, digest));
}

#[tokio::test]
async fn a_file_may_refer_to_what_lies_in_its_folder_and_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, text) in [
        ("api/schemas/item.yaml", "type: string"),
        ("common/item.yaml", "type: string"),
        ("outside.yaml", "type: string"),
        ("api/secret.env", "type: string"),
    ] {
        std::fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        std::fs::write(at(name), text).unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(at("outside.yaml"), at("api/link.yaml")).unwrap();
    let body = |target: &str| serde_json::json!({"post": {"requestBody": {"content": {"application/json": {"schema": {"$ref": target}}}}}});
    let document = serde_json::json!({"openapi": "3.1.0", "info": {}, "paths": {
        "/in": body("schemas/item.yaml"), "/common": body("../common/item.yaml"),
        "/out": body("../outside.yaml"), "/link": body("link.yaml"), "/env": body("secret.env"),
        "/etc": body("file:///etc/hostname.yaml"), "/gone": body("gone.yaml"),
        "/url": body("https://schemas.example.com/x.json"), "/odd": body("urn:x"),
    }});
    std::fs::write(at("api/openapi.json"), document.to_string()).unwrap();
    let mut origin = crate::catalog::Origin { file: at("api/openapi.json"), ..Default::default() };
    let name = ApiName::new("a").unwrap();
    let callable = |origin: &crate::catalog::Origin| {
        let read = origin.read(&name).unwrap().description;
        let paths: Vec<String> =
            read.operations.iter().map(|o| o.endpoint.clone().unwrap().path).collect();
        (paths, read.skipped)
    };
    let (paths, skipped) = callable(&origin);
    assert_eq!(paths, ["/in"]);
    assert!(skipped.iter().all(|skipped| skipped.reason.contains("another document: ")));
    origin.references = vec![crate::catalog::Allowed::Path(at("common"))];
    assert_eq!(callable(&origin).0, ["/in", "/common"]);
}

const STOCK: &str = r#"<definitions name="Stock" targetNamespace="urn:stock" xmlns="http://schemas.xmlsoap.org/wsdl/"
    xmlns:t="urn:stock" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <types><xs:schema><xs:import namespace="urn:stock" schemaLocation="stock.xsd"/></xs:schema></types>
  <message name="M"><part name="parameters" element="t:Any"/></message>
  <portType name="PT">
    <operation name="GetStock"><input message="t:M"/></operation>
    <operation name="Book"><input message="t:M"/></operation>
  </portType>
  <binding name="B" type="t:PT"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="GetStock"><input><s:body use="literal"/></input></operation>
    <operation name="Book"><input><s:body use="literal"/></input></operation>
  </binding>
  <binding name="Queue" type="t:PT"><s:binding transport="urn:queue"/></binding>
  <service name="Stock">
    <port name="Port" binding="t:B"><s:address location="https://stock.example.com/soap/"/></port>
    <port name="Second" binding="t:B"><s:address location="https://stock.example.com/soap/"/></port>
    <port name="Third" binding="t:Queue"/>
  </service>
</definitions>"#;

#[tokio::test]
async fn a_wsdl_becomes_tools_of_its_first_port_with_the_documents_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let xsd = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:stock">
        <xs:element name="Any" type="xs:string"/></xs:schema>"#;
    std::fs::write(folder.path().join("stock.xsd"), xsd).unwrap();
    std::fs::write(folder.path().join("stock.wsdl"), STOCK).unwrap();
    let place = folder.path().display().to_string();
    let out = folder.path().join("tools.toml").display().to_string();
    let done = run_in(folder.path(), &[&place, "--json", "--out", &out]).await.unwrap();
    assert_eq!(
        statuses(&done.report),
        [
            "stock/Stock.Port.GetStock tool get_stock",
            "stock/Stock.Port.Book available -",
            "stock/Stock.Second.GetStock available -",
            "stock/Stock.Second.Book available -",
            "stock/Stock.Third skipped -",
        ]
    );
    let first = &done.report["operations"][0];
    assert_eq!((&first["method"], &first["path"]), (&Value::Null, &Value::Null));
    let text = written(&folder);
    assert!(text.contains("base_url = \"https://stock.example.com/soap/\""), "{text}");
    assert!(text.contains("# effect  = \"read\""), "a person confirms it: {text}");
    std::fs::remove_file(folder.path().join("stock.xsd")).unwrap();
    let report = run_in(folder.path(), &[&place, "--json"]).await.unwrap().report;
    let reason = report["operations"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("stock.xsd could not be read"), "{reason}");
}

#[tokio::test]
async fn the_credentials_that_a_wsdls_policy_demands_are_written_as_they_are_given() {
    for (assertion, lines) in [
        (
            "<sp:UsernameToken/>",
            "# auth   = { kind = \"wsse\", username = \"…\", password = \"env:STOCK_PASSWORD\" }\n",
        ),
        (
            "<sp:HttpDigestAuthentication/>",
            "# auth   = { kind = \"digest\", username = \"…\", password = \"env:STOCK_PASSWORD\" }\n",
        ),
        (
            "<sp:RequireClientCertificate/>",
            "# \"ClientCertificate\" is a client's certificate: set `tls` of [api.stock]\n",
        ),
    ] {
        let policy = format!(
            "<binding name=\"B\" type=\"t:PT\"><p:Policy \
             xmlns:p=\"http://www.w3.org/ns/ws-policy\" \
             xmlns:sp=\"http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702\">{assertion}\
             </p:Policy>"
        );
        let wsdl = STOCK.replacen("<binding name=\"B\" type=\"t:PT\">", &policy, 1);
        assert_ne!(wsdl, STOCK);
        let folder = tempfile::tempdir().unwrap();
        let xsd = "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
                   targetNamespace=\"urn:stock\"><xs:element name=\"Any\" type=\"xs:string\"/></xs:schema>";
        std::fs::write(folder.path().join("stock.xsd"), xsd).unwrap();
        std::fs::write(folder.path().join("stock.wsdl"), wsdl).unwrap();
        let place = folder.path().display().to_string();
        let out = folder.path().join("tools.toml").display().to_string();
        run_in(folder.path(), &[&place, "--out", &out]).await.unwrap();
        let text = written(&folder);
        assert!(text.contains(lines), "{assertion}: {text}");
    }
}

#[tokio::test]
async fn a_client_that_gets_tokens_for_itself_is_proposed_as_such() {
    let description = serde_json::json!({
        "openapi": "3.1.0", "info": { "title": "T", "version": "1" },
        "servers": [{ "url": "https://api.example.com" }],
        "components": { "securitySchemes": { "login": { "type": "oauth2", "flows": {
            "clientCredentials": { "tokenUrl": "https://id.example.com/token", "scopes": {} },
        } } } },
        "security": [{ "login": [] }],
        "paths": { "/items": { "get": { "operationId": "list", "responses": { "200": { "description": "ok" } } } } },
    });
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("shop.json");
    std::fs::write(&place, description.to_string()).unwrap();
    let out = folder.path().join("tools.toml").display().to_string();
    run_in(folder.path(), &[&place.display().to_string(), "--out", &out]).await.unwrap();
    let text = written(&folder);
    let line = "auth   = { kind = \"oauth2\", token_url = \"https://id.example.com/token\", \
                client_id = \"…\", client_secret = \"env:SHOP_CLIENT_SECRET\" }";
    assert!(text.contains(line), "{text}");
}
