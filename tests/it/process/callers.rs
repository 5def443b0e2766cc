//! `serve --http` as an OAuth resource server: who is let in by a token, what a refusal says, and
//! the attacks that MCP's security advice names.

use std::fs;

use serde_json::{Value, json};

use super::house::House;
use super::issuer::{AUDIENCE, ISSUER, Issuer, bearer, now};
use super::mcp::stateless;
use super::patience;
use super::upstream::Upstream;
use super::web::{Answer, Server};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
const METADATA: &str =
    "resource_metadata=\"https://bridge.example.com/.well-known/oauth-protected-resource/mcp\"";

/// A server that takes tokens of an issuer's, and keys.
fn guarded(more: &str) -> (House, Issuer) {
    let (house, issuer) = (House::new(), Issuer::new("k1"));
    Issuer::publish(&house, &[&issuer]);
    house.configure(|text| {
        let text = text.replace("name = \"add_item\"", "name = \"add_item\"\nscopes = [\"items:write\", \"items:price\"]");
        format!(
            "{text}\n[server.auth]\nkeys = true\n{more}\njwt = {{ issuer = \"{ISSUER}\", audience = \"{AUDIENCE}\", \
             jwks = \"file:jwks.json\", algorithms = [\"ES256\"], groups = \"groups\", claims = [\"tenant\"] }}\n"
        )
    });
    (house, issuer)
}

fn challenge(answer: &Answer) -> &str {
    answer.header("www-authenticate").unwrap_or_default()
}

/// A request as the revision 2026-07-28 makes it.
fn ask(server: &Server, method: &str, params: Value, headers: &[&str]) -> Answer {
    let name = params["name"].as_str().map(|name| format!("Mcp-Name: {name}"));
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": stateless(params)});
    let method = format!("Mcp-Method: {method}");
    let mut all = vec!["Mcp-Protocol-Version: 2026-07-28", &method];
    all.extend(name.as_deref());
    all.extend(headers);
    server.post(&all, &body.to_string())
}

fn add_item(server: &Server, headers: &[&str]) -> Answer {
    let arguments = json!({"body": {"name": "pen", "price": 3}});
    ask(server, "tools/call", json!({"name": "add_item", "arguments": arguments}), headers)
}

fn list(server: &Server, headers: &[&str]) -> Answer {
    ask(server, "tools/list", json!({}), headers)
}

#[test]
fn who_has_no_token_is_told_where_to_get_one() {
    let (house, _) = guarded("scopes = [\"mcp\"]");
    let server = Server::start(&house);
    let answer = server.call("a1", &[]);
    assert_eq!(answer.status, 401);
    assert_eq!(challenge(&answer), format!("Bearer {METADATA}, scope=\"mcp\""));
    for path in ["", "/mcp"] {
        let answer = server.get(&format!("/.well-known/oauth-protected-resource{path}"));
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.json(),
            json!({
                "resource": AUDIENCE,
                "authorization_servers": [ISSUER],
                "bearer_methods_supported": ["header"],
                "resource_name": "items",
                "scopes_supported": ["mcp", "items:write", "items:price"],
            })
        );
    }
    assert_eq!(server.get("/.well-known/oauth-protected-resource/other").status, 404);
    assert_eq!(house.upstream.count(), 0);
}

#[test]
fn a_token_calls_as_whom_it_says_and_goes_no_further() {
    let (house, issuer) = guarded("");
    house.configure_more("[[tool]]\napi = \"items\"\noperation = \"getItem\"\nname = \"get_item_of_night\"\nallow = [\"group:night\"]\n");
    let server = Server::start(&house);
    let token = issuer.token(&json!({
        "sub": "alice", "groups": ["night"], "client_id": "desk", "tenant": "north", "secret": "no",
    }));
    let answer = server.call("a1", &[&bearer(&token)]);
    assert_eq!(
        (answer.status, answer.json()["result"]["structuredContent"]["id"].clone()),
        (200, json!("a1"))
    );
    let listed = list(&server, &[&bearer(&token)]);
    assert!(listed.body.contains("get_item_of_night"), "{listed:?}");
    // Neither the upstream, nor the trail, nor the log ever has it, or what it is made of.
    let signature = token.rsplit_once('.').expect("a signature").1;
    let call = house.last_call();
    assert_eq!(call["identity"], "alice");
    let story =
        house.run(&["trace", "show", call["id"].as_str().expect("an id"), "--json"]).exits(0);
    let received = &story.json()["events"][0];
    assert_eq!(
        received["by"],
        json!({"proof": "token", "client_id": "desk", "groups": ["night"], "claims": {"tenant": "north"}})
    );
    for seen in house.upstream.seen() {
        assert!(!format!("{seen:?}").contains(signature), "{seen:?}");
        assert_eq!(seen.header("authorization"), None);
    }
    let (_, said) = server.ends();
    assert!(!said.contains(signature) && !story.stdout.contains(signature));
    for file in fs::read_dir(house.folder()).expect("a folder").flatten() {
        let bytes = fs::read(file.path()).unwrap_or_default();
        let found = bytes.windows(signature.len()).any(|window| window == signature.as_bytes());
        assert!(!found, "{}", file.path().display());
    }
}

#[test]
fn a_token_that_is_not_good_is_refused_with_the_reason() {
    let (house, issuer) = guarded("");
    let mallory = Issuer::new("k1");
    let server = Server::start(&house);
    let sub = |more: Value| {
        let mut claims = more;
        claims["sub"] = json!("alice");
        claims
    };
    let plain = issuer.token(&sub(json!({})));
    let parts: Vec<&str> = plain.split('.').collect();
    let forged = |alg: &str| {
        use base64::Engine as _;
        let header = json!({"alg": alg, "kid": "k1"}).to_string();
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(header);
        format!("{header}.{}.{}", parts[1], parts[2])
    };
    for (token, why) in [
        (issuer.token(&sub(json!({"exp": now() - 60}))), "the token has expired"),
        (
            issuer.token(&sub(json!({"aud": "https://other.example/mcp"}))),
            "the token is not for this server",
        ),
        (
            issuer.token(&sub(json!({"iss": "https://evil.example/"}))),
            "the token is of another issuer",
        ),
        (issuer.token(&sub(json!({"nbf": now() + 600}))), "the token is not valid yet"),
        (issuer.token(&json!({})), "the token does not say who its bearer is"),
        (forged("none"), "the token is signed by an algorithm that does not count"),
        (forged("HS256"), "the token is signed by an algorithm that does not count"),
        (forged("RS256"), "the token is signed by an algorithm that does not count"),
        (mallory.token(&sub(json!({}))), "the token's signature is not the issuer's"),
        ("opaque".to_owned(), "the token is no JWT"),
        ("tb_0000000000_none".to_owned(), "the key is unknown, expired or revoked"),
        ("a".repeat(20_000), "the Authorization header is malformed"),
    ] {
        let answer = server.call("a1", &[&bearer(&token)]);
        assert_eq!(answer.status, 401, "{why}");
        let expected =
            format!("Bearer error=\"invalid_token\", error_description=\"{why}\", {METADATA}");
        assert_eq!(challenge(&answer), expected);
    }
    // In the query it is not looked at, and twice is as good as not at all.
    let line = format!("POST /mcp?access_token={plain} HTTP/1.1");
    assert_eq!(server.send(&[&line, "Content-Type: application/json"], LIST).status, 401);
    assert_eq!(server.call("a1", &[&bearer(&plain), &bearer(&plain)]).status, 401);
    assert_eq!(house.upstream.count(), 0);
    assert_eq!(house.calls().len(), 0);
    assert_eq!(server.call("a1", &[&bearer(&plain)]).status, 200);
}

#[test]
fn a_call_that_needs_more_says_all_that_it_needs_and_is_on_record() {
    let (house, issuer) = guarded("scopes = [\"mcp\"]");
    let server = Server::start(&house);
    let token = |scope: &str| bearer(&issuer.token(&json!({"sub": "alice", "scope": scope})));
    // Whatever is called.
    let answer = server.call("a1", &[&token("items:write")]);
    assert_eq!(answer.status, 403);
    assert!(challenge(&answer).contains("error=\"insufficient_scope\""), "{answer:?}");
    assert!(challenge(&answer).ends_with("scope=\"mcp\""), "{answer:?}");
    let call = house.last_call();
    assert_eq!((&call["tool"], &call["outcome"]), (&json!("get_item"), &json!("denied")));
    assert_eq!(call["decision"]["rules"], json!(["get_item.scopes"]));
    assert_eq!(server.call("a1", &[&token("mcp")]).status, 200);
    // For this tool, with what is asked for whatever is called.
    let answer = add_item(&server, &[&token("items:write items:price")]);
    assert_eq!(answer.status, 403);
    assert!(challenge(&answer).ends_with("scope=\"mcp items:write items:price\""), "{answer:?}");
    assert_eq!(house.last_call()["decision"]["rules"], json!(["add_item.scopes"]));
    // What is no tool of theirs is told no more, and is on record too.
    let unknown = json!({"name": "nothing", "arguments": {}});
    let answer = ask(&server, "tools/call", unknown, &[&token("items:write")]);
    assert!(challenge(&answer).ends_with("scope=\"mcp\""), "{answer:?}");
    let call = house.last_call();
    assert_eq!((&call["identity"], &call["outcome"]), (&json!("alice"), &json!("malformed")));
    // Nor is a listing, which is no call.
    assert_eq!(list(&server, &[&token("items:write")]).status, 403);
    assert_eq!(house.last_call()["id"], call["id"]);
    let answer = add_item(&server, &[&token("mcp items:write")]);
    assert_eq!(answer.status, 403);
    assert!(challenge(&answer).ends_with("scope=\"mcp items:write items:price\""), "{answer:?}");
    assert!(challenge(&answer).contains(METADATA), "{answer:?}");
    let call = house.last_call();
    assert_eq!((&call["tool"], &call["outcome"]), (&json!("add_item"), &json!("denied")));
    assert_eq!(call["decision"]["rules"], json!(["add_item.scopes"]));
    assert_eq!(call["arguments"]["body"]["name"], "pen");
    assert_eq!(house.upstream.count(), 1);
    let answer = add_item(&server, &[&token("mcp items:write items:price")]);
    assert_eq!(answer.json()["result"]["isError"], false, "{answer:?}");
    // It is listed all the same: how else would a client know what to ask for.
    let listed = list(&server, &[&token("mcp")]);
    assert!(listed.body.contains("add_item"), "{listed:?}");
    // A key has no scopes, and is asked for none.
    let key = house.run(&["key", "new", "carol", "--json"]).exits(0).json();
    let key = bearer(key["key"].as_str().expect("a key"));
    assert_eq!(add_item(&server, &[&key]).status, 200);
}

#[test]
fn what_a_token_may_do_can_be_tried_out() {
    let (house, _) = guarded("");
    let dry =
        ["call", "add_item", "body:={\"name\":\"pen\",\"price\":3}", "--dry-run", "--as", "alice"];
    let without = house.run(&[&dry[..], &["--scope", "items:write"]].concat()).exits(3).json();
    assert_eq!(without["decision"]["rules"], json!(["add_item.scopes"]));
    let both = [
        "--scope",
        "items:write",
        "--scope",
        "items:price",
        "--group",
        "ops",
        "--claim",
        "tenant=north",
    ];
    house.run(&[&dry[..], &both[..]].concat()).exits(0);
    house.run(&dry).exits(0);
    let done = house.run(&[&dry[..], &["--claim", "tenant"]].concat()).exits(2);
    assert!(done.stderr.contains("NAME=VALUE"), "{}", done.stderr);
}

#[test]
fn the_issuers_new_key_counts_as_soon_as_it_is_used() {
    let (house, old) = guarded("");
    let new = Issuer::new("k2");
    let server = Server::start(&house);
    let alice = json!({"sub": "alice"});
    assert_eq!(server.call("a1", &[&bearer(&old.token(&alice))]).status, 200);
    Issuer::publish(&house, &[&old, &new]);
    // How often the set may be read is bounded, so that no stranger decides it.
    patience("the new key", || {
        (server.call("a1", &[&bearer(&new.token(&alice))]).status == 200).then_some(())
    });
    assert_eq!(server.call("a1", &[&bearer(&old.token(&alice))]).status, 200);
}

#[test]
fn without_the_issuers_keys_nobody_is_let_in_and_keys_of_ours_are() {
    let (house, issuer) = guarded("");
    fs::remove_file(house.path("jwks.json")).expect("it is there");
    let server = Server::start(&house);
    let answer = server.call("a1", &[&bearer(&issuer.token(&json!({"sub": "alice"})))]);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    let key = house.run(&["key", "new", "carol", "--json"]).exits(0).json();
    assert_eq!(server.call("a1", &[&bearer(key["key"].as_str().expect("a key"))]).status, 200);
}

#[test]
fn a_session_is_good_with_the_token_of_who_opened_it_alone() {
    let (house, issuer) = guarded("");
    let server = Server::start(&house);
    let token = |who: &str| bearer(&issuer.token(&json!({"sub": who, "jti": now().to_string()})));
    let opened = server.post(&[&token("alice")], INITIALIZE);
    let session =
        format!("Mcp-Session-Id: {}", opened.header("mcp-session-id").expect("a session"));
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(server.post(&[&token("alice"), &session], told).status, 202);
    assert_eq!(server.post(&[&session], LIST).status, 401);
    assert_eq!(server.post(&[&token("mallory"), &session], LIST).status, 404);
    for line in ["GET /mcp HTTP/1.1", "DELETE /mcp HTTP/1.1"] {
        let head = [line, "Accept: text/event-stream", &token("mallory"), &session];
        assert_eq!(server.send(&head, "").status, 404, "{line}");
    }
    // A new token of the same caller's goes on with it.
    let again = bearer(&issuer.token(&json!({"sub": "alice", "jti": "another"})));
    assert_eq!(server.post(&[&again, &session], LIST).status, 200);
}

#[test]
fn an_opaque_token_is_asked_about() {
    let authority = Upstream::start();
    let house = House::new();
    house.configure(|text| {
        format!(
            "{text}\n[server.auth.introspection]\nurl = \"{}/introspect\"\nclient_id = \"bridge\"\nclient_secret = \"env:ASK\"\n\
             issuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\n",
            authority.url
        )
    });
    let server = Server::start_with(&house, &[("ASK", "a/sk s3cret")]);
    // What it answers says nothing of a token: then nobody can be let in, and not for good.
    assert_eq!(server.call("a1", &[&bearer("opaque-1")]).status, 503);
    let asked = authority.seen().pop().expect("a question");
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/introspect"));
    assert_eq!(asked.body, "token=opaque-1&token_type_hint=access_token");
    // RFC 6749 §2.3.1: `bridge` and the secret, encoded and joined.
    assert_eq!(asked.header("authorization"), Some("Basic YnJpZGdlOmElMkZzayUyMHMzY3JldA=="));
    assert_eq!(house.upstream.count(), 0);
    let metadata = server.get("/.well-known/oauth-protected-resource").json();
    assert_eq!(metadata["authorization_servers"], json!([ISSUER]));
}
