//! What is kept back by API and by tool, and members of answers that nobody is shown.

use std::path::Path;

use serde_json::{Value, json};
use tollbridge::agent;
use tollbridge::config::Style;
use tollbridge::gateway::{self, CallWatch, Reply, Secrets};

use crate::stage::{Act, Folder, House, Upstream, json_answer, request, tool};

const CUSTOMERS: &str = r##"
openapi: 3.1.0
info: { title: Shop, version: "1" }
paths:
  /customers:
    get:
      operationId: listCustomers
      responses:
        "200":
          description: them
          content: { application/json: { schema: { type: array, items: { $ref: "#/components/schemas/Customer" } } } }
  /customers/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
    get:
      operationId: getCustomer
      responses:
        "200":
          description: it
          content: { application/json: { schema: { $ref: "#/components/schemas/Customer" } } }
          links:
            mail: { operationId: findMail, parameters: { address: "$response.body#/contact/email" } }
            again: { operationId: getCustomer, parameters: { id: "$response.body#/id" } }
    put:
      operationId: putCustomer
      requestBody: { content: { application/json: { schema: { type: object, properties: { note: { type: string } } } } } }
      responses: { "200": { description: done } }
  /mail:
    parameters: [{ name: address, in: query, schema: { type: string } }]
    get: { operationId: findMail, responses: { "200": { description: them } } }
components:
  schemas:
    Customer:
      type: object
      properties:
        id: { type: string }
        born: { type: integer }
        contact: { type: object, properties: { email: { type: string }, phone: { type: string } } }
        cards: { type: array, items: { type: object, properties: { number: { type: string } } } }
"##;

const MAIL: &str = "ann@shop.example";
const PHONE: &str = "0555-0199";

fn customer() -> Value {
    json!({
        "id": "c1", "born": 1980,
        "contact": { "email": MAIL, "phone": PHONE },
        "cards": [{ "number": "n-1" }, { "number": "n-2" }],
    })
}

async fn house(top: &str, tools: &str) -> House {
    House::of(CUSTOMERS, top, tools).await
}

/// What comes of a call that is answered so.
async fn reply(house: &House, name: &str, answer: Act) -> Reply {
    house.upstream.will([answer]);
    house.call_as("alice", name, json!({"id": "c1"})).await.expect("a known tool")
}

/// What the agent reads of it, whole.
async fn reads(house: &House, name: &str, answer: Act) -> Value {
    agent::result::to_json(reply(house, name, answer).await, None, "shop")
}

/// What the trail has of calls.
async fn on_record(house: &House) -> String {
    let events = house.gateway.store().events_after(0).await.expect("the trail");
    events.into_iter().flat_map(|event| [Some(event.body), event.payload]).flatten().collect()
}

fn answer(redact: &str) -> String {
    tool("getCustomer", &format!("name = \"get\"\nredact = {redact}"))
}

#[tokio::test]
async fn detectors_are_those_of_the_tool_else_of_the_api_else_of_all() {
    let puts = |name: &str, more: &str| tool("putCustomer", &format!("name = \"{name}\"\n{more}"));
    let tools = [
        puts("usual", ""),
        puts("none", "redact = { detect = [] }"),
        puts("cards", "redact = { detect = [\"cards\"] }"),
        puts("places", "redact = [\"id\"]"),
    ];
    let card = "4111 1111 1111 1111";
    let said = format!("{MAIL} {card}");
    for (api, usual) in [("", [false, true]), ("redact = { detect = [\"cards\"] }", [true, false])]
    {
        let top = "[redact]\ndetect = [\"emails\"]";
        // The keys of the API stand before its tools.
        let house = house(top, &format!("{api}\n{}", tools.concat())).await;
        for (name, [mail, card_number]) in
            [("usual", usual), ("none", [true, true]), ("cards", [true, false]), ("places", usual)]
        {
            let arguments = json!({"id": "c1", "body": {"note": said}});
            house.call_as("alice", name, arguments).await.expect("a known tool");
            let kept = house.last().await.arguments.expect("arguments").to_string();
            assert_eq!(
                [kept.contains(MAIL), kept.contains(card)],
                [mail, card_number],
                "{name}: {kept}"
            );
            assert_eq!(kept.contains("c1"), name != "places", "{name}: {kept}");
        }
    }
}

#[tokio::test]
async fn what_is_told_by_its_form_is_left_in_the_answers_of_the_tool_that_must_pass_it() {
    let top = "[redact]\ndetect = [\"emails\"]\nanswers = true";
    let tools = [
        tool("getCustomer", "name = \"usual\""),
        tool("getCustomer", "name = \"whole\"\nredact = { detect = [] }"),
        tool("getCustomer", "name = \"trail_alone\"\nredact = { answers = false }"),
    ];
    let house = house(top, &tools.concat()).await;
    for (name, shown) in [("usual", "[redacted]"), ("whole", MAIL), ("trail_alone", MAIL)] {
        let read = reads(&house, name, json_answer(200, &customer())).await;
        assert_eq!(read["structuredContent"]["contact"]["email"], shown, "{name}");
        // Where it came from has the arguments in it.
        let asked =
            house.call_as("alice", name, json!({ "id": MAIL })).await.expect("a known tool");
        let place = asked.meta.served_by.expect("it was asked for");
        assert_eq!(!place.contains("[redacted]"), shown == MAIL, "{name}: {place}");
    }
}

#[tokio::test]
async fn members_of_an_answer_are_shown_to_nobody() {
    let fields = "{ answer_fields = [\"born\", \"/contact/email\", \"/cards/*/number\"] }";
    let house = house("", &(answer(fields) + &tool("findMail", "name = \"mail\""))).await;
    let read = reads(&house, "get", json_answer(200, &customer())).await;
    assert_eq!(
        read["structuredContent"],
        json!({
            "id": "c1", "born": "[redacted]",
            "contact": { "email": "[redacted]", "phone": PHONE },
            "cards": [{ "number": "[redacted]" }, { "number": "[redacted]" }],
        })
    );
    assert!(read["_meta"].get("tollbridge/drift").is_none(), "the API's answer did fit: {read}");
    let links = read["_meta"]["tollbridge/links"].as_array().expect("links");
    let next: Vec<_> = links.iter().map(|next| json!([next["tool"], next["arguments"]])).collect();
    assert_eq!(next, [json!(["mail", {}]), json!(["get", {"id": "c1"}])], "no mask is an argument");
    assert!(!on_record(&house).await.contains(MAIL));
}

#[tokio::test]
async fn what_is_named_for_all_for_an_api_and_for_a_tool_adds_up() {
    let top = "[redact]\nanswer_fields = [\"/contact/email\"]";
    let tools = format!(
        "redact = {{ answer_fields = [\"/contact/phone\"] }}\n{}",
        answer("{ answer_fields = [\"born\"] }")
    );
    let house = house(top, &tools).await;
    let read = reads(&house, "get", json_answer(200, &customer())).await;
    let read = read["structuredContent"].to_string();
    assert!(![MAIL, PHONE, "1980"].iter().any(|text| read.contains(text)), "{read}");
}

#[tokio::test]
async fn a_selection_sees_nothing_of_what_is_kept_back() {
    let keys = "{ answer_fields = [\"/contact/email\"] }\nshape = { select = \"{a: contact.email, b: to_string(@)}\" }";
    let house = house("", &answer(keys)).await;
    let read = reads(&house, "get", json_answer(200, &customer())).await;
    assert_eq!(read["structuredContent"]["a"], "[redacted]");
    assert!(!read.to_string().contains(MAIL), "{read}");
}

#[tokio::test]
async fn an_error_keeps_back_the_same_members_and_what_they_said() {
    let house = house("", &answer("{ answer_fields = [\"email\"] }")).await;
    let read =
        reads(&house, "get", json_answer(409, &json!({"email": MAIL, "why": "taken"}))).await;
    let error = &read["structuredContent"]["error"];
    assert_eq!(error["upstream"]["body"], json!({"email": "[redacted]", "why": "taken"}));
    // Where an error is too long for its members to be told apart, none of it is shown.
    let long = json!({"email": MAIL, "why": "x".repeat(3_000)});
    let read = reads(&house, "get", json_answer(409, &long)).await;
    assert_eq!(read["structuredContent"]["error"]["upstream"]["body"], "[redacted]");
    let text =
        Act::Answer(409, "Content-Type: text/plain\r\n".to_owned(), "no such one".to_owned());
    let read = reads(&house, "get", text).await;
    assert_eq!(read["structuredContent"]["error"]["upstream"]["body"], "no such one");
    assert!(!on_record(&house).await.contains(MAIL));
}

#[tokio::test]
async fn a_call_that_its_api_is_not_done_with_tells_nothing_of_what_is_kept_back() {
    let poll = "poll = { status = \"/status\", every = \"100ms\" }";
    let puts = |name: &str, fields: &str| {
        let redact = format!("redact = {{ answer_fields = [{fields}] }}");
        tool("putCustomer", &format!("name = \"{name}\"\n{redact}\n{poll}"))
    };
    let tools = [puts("mail", "\"/mail\""), puts("state", "\"/status\""), puts("usual", "\"/x\"")];
    let house = house("", &tools.concat()).await;
    let took = |status: &str| {
        let headers = format!(
            "Content-Type: application/json\r\nLocation: /jobs/{MAIL}\r\nRetry-After: 60\r\n"
        );
        Act::Answer(202, headers, json!({"status": status, "mail": MAIL}).to_string())
    };
    let asks = format!("asks {MAIL}");
    for (name, status, at, state) in [
        ("mail", asks.as_str(), "/jobs/[redacted]", "asks [redacted]"),
        // A word that is too short to be looked for is kept back where it is the state.
        ("state", "on", &format!("/jobs/{MAIL}"), "[redacted]"),
        ("usual", "on", &format!("/jobs/{MAIL}"), "on"),
    ] {
        let reply = reply(&house, name, took(status)).await;
        let failure = reply.result.expect_err("it is not done");
        let pending = failure.pending.as_ref().expect("what is pending");
        assert!(pending.url.ends_with(at), "{name}: {}", pending.url);
        assert_eq!(pending.state, state, "{name}");
        assert!(failure.message.ends_with(&format!("is not done with it: {state}")), "{failure:?}");
    }
}

#[tokio::test]
async fn what_is_kept_back_is_not_in_the_headers_beside_the_answer_either() {
    let house = house("", &answer("{ answer_fields = [\"/contact/email\"] }")).await;
    let headers = format!("Content-Type: application/json\r\nLocation: /mail/{MAIL}\r\n");
    let reply = reply(&house, "get", Act::Answer(200, headers, customer().to_string())).await;
    let success = reply.result.expect("a success");
    assert_eq!(success.headers["location"], "/mail/[redacted]");
}

#[tokio::test]
async fn members_of_an_answer_are_hashed_where_a_tool_says_so() {
    let fields = "{ answer_fields = [\"/contact/email\"], how = \"hash\" }";
    let tools = answer(fields)
        + &tool(
            "listCustomers",
            "name = \"list\"\nredact = { answer_fields = [\"/*/contact/email\"] }",
        );
    let house = house("[redact]\nkey = \"file:key\"", &tools).await;
    let one = reads(&house, "get", json_answer(200, &customer())).await;
    let two = reads(&house, "get", json_answer(200, &customer())).await;
    let hash = &one["structuredContent"]["contact"]["email"];
    assert!(hash.as_str().is_some_and(|hash| hash.starts_with("[hash:")), "{hash}");
    assert_eq!(hash, &two["structuredContent"]["contact"]["email"]);
    house.upstream.will([json_answer(200, &json!([customer(), customer()]))]);
    let list = house.ok("list", json!({})).await;
    let mails: Vec<_> =
        list.as_array().expect("a list").iter().map(|one| &one["contact"]["email"]).collect();
    assert_eq!(mails, ["[redacted]", "[redacted]"], "the others are masked");
}

#[tokio::test]
async fn an_answer_that_stands_in_keeps_back_what_its_own_api_does() {
    // What is selected of it has the member in another place.
    let fallback = "fallback = [{ operation = \"findMail\", result = \"contact\" }]";
    let list = tool("listCustomers", &format!("name = \"list\"\n{fallback}"));
    let tools = format!("redact = {{ answer_fields = [\"/contact/email\"] }}\n{list}");
    let house = house("", &tools).await;
    house.upstream.will((0..4).map(|_| json_answer(503, &json!({}))));
    house.upstream.will([json_answer(200, &customer())]);
    let shown = house.ok("list", json!({})).await;
    assert_eq!(shown, json!({"email": "[redacted]", "phone": PHONE}));
}

#[tokio::test]
async fn an_answer_in_text_keeps_back_its_members_too() {
    let fields = "name = \"get\"\nredact = { answer_fields = [\"/contact/email\"] }";
    // Nothing describes the answers of one of them: what it is sent as text stays a text.
    let house = house(
        "",
        &(answer("{ answer_fields = [\"/contact/email\"] }")
            + &tool("findMail", &fields.replace("get", "mail"))),
    )
    .await;
    let whole = customer().to_string();
    let bodies = [
        (whole.clone(), true),
        (format!("\u{feff} {whole}"), true),
        (json!(whole).to_string(), true),
        (whole[..whole.len() - 1].to_owned(), false),
        (format!("<contact><email>{MAIL}</email></contact>"), false),
    ];
    for (body, is_read) in bodies {
        for kind in ["text/plain", "application/json"] {
            for (name, arguments) in [("get", json!({"id": "c1"})), ("mail", json!({}))] {
                let headers = format!("Content-Type: {kind}\r\n");
                house.upstream.will([Act::Answer(200, headers, body.clone())]);
                let reply = house.call_as("alice", name, arguments).await.expect("a known tool");
                let read = agent::result::to_json(reply, None, "shop").to_string();
                assert!(!read.contains(MAIL), "{kind} {body}: {read}");
                assert_eq!(read.contains(PHONE), is_read, "{kind} {body}: {read}");
            }
        }
    }
    let text = Act::Answer(200, "Content-Type: text/plain\r\n".to_owned(), "all well".to_owned());
    assert_eq!(reads(&house, "get", text).await["structuredContent"]["result"], "all well");
}

#[tokio::test]
async fn an_error_of_what_stood_in_keeps_back_what_its_own_api_does() {
    let other = Upstream::start().await;
    let fallback =
        "fallback = [{ operation = \"putCustomer\", api = \"other\", map = { id = \"id\" } }]";
    let tools = format!(
        "{}\n[api.other]\nspec = \"shop.yaml\"\nbase_url = \"{}\"\n\
         redact = {{ answer_fields = [\"email\"] }}\n",
        tool("putCustomer", &format!("name = \"put\"\n{fallback}")),
        other.url
    );
    let house = house("", &tools).await;
    // The first did nothing for certain; what the other one did nobody knows, and that is the end.
    house.upstream.will((0..8).map(|_| json_answer(429, &json!({}))));
    other.will((0..8).map(|_| json_answer(500, &json!({"email": MAIL, "why": "broken"}))));
    let reply = house.call_as("alice", "put", json!({"id": "c1", "body": {}})).await;
    let read = agent::result::to_json(reply.expect("a known tool"), None, "shop");
    assert_eq!(
        read["structuredContent"]["error"]["upstream"]["body"],
        json!({"email": "[redacted]", "why": "broken"}),
        "{read}"
    );
    assert!(!read.to_string().contains(MAIL), "{read}");
}

#[tokio::test]
async fn the_outcome_that_is_kept_for_a_repeat_is_without_it_too() {
    let tools = tool("putCustomer", "name = \"put\"\nredact = { answer_fields = [\"email\"] }");
    let house = house("", &tools).await;
    house.upstream.will([json_answer(200, &json!({"email": MAIL}))]);
    for _ in 0..2 {
        let mut put = request("put", json!({"id": "c1", "body": {}}));
        put.idempotency_key = Some("k-1".to_owned());
        let reply = house.call_with("alice", put, CallWatch::default()).await.expect("a reply");
        let read = agent::result::to_json(reply, None, "shop");
        assert_eq!(read["structuredContent"]["email"], "[redacted]");
    }
    assert_eq!(house.upstream.seen().len(), 1);
    assert!(!String::from_utf8_lossy(&house.folder.bytes()).contains(MAIL));
}

/// What `check` says of it.
fn checked(top: &str, tools: &str) -> String {
    let folder = Folder::new("http://127.0.0.1:9", top, tools);
    folder.write("shop.yaml", CUSTOMERS);
    let file = folder.path("tools.toml");
    let said = match gateway::load(&file, Secrets::Resolve) {
        Ok(loaded) => loaded.warnings.render(Style::Plain),
        Err(wrong) => wrong.render(Style::Plain),
    };
    said.replace(Path::new(&file).to_str().expect("a path"), "tools.toml")
}

#[test]
fn a_place_that_is_none_is_reported_where_it_stands() {
    insta::assert_snapshot!(
        "tool",
        checked("", &answer("{ fields = [\"idd\", \"/id/~2\"], answer_fields = [\"/a/~3\"] }"))
    );
    insta::assert_snapshot!("argument", checked("", &answer("[\"idd\"]")));
    insta::assert_snapshot!(
        "answer",
        checked(
            "",
            &answer("{ answer_fields = [\"/contact/emial\", \"/cards/*/number\", \"/id/x\"] }")
        )
    );
    let api = format!(
        "redact = {{ fields = [\"idd\", \"id\"], answer_fields = [\"/contact/emial\", \"born\"] }}\n{}",
        answer("[\"id\"]")
    );
    insta::assert_snapshot!("api", checked("[redact]\nfields = [\"/body/nothing\"]", &api));
    // An answer that nothing describes may have anything.
    let api = "redact = { answer_fields = [\"/contact/emial\"] }\n";
    let mail = tool("findMail", "redact = { answer_fields = [\"any\"] }");
    assert_eq!(checked("", &format!("{api}{mail}")), "");
    assert!(checked("", &format!("{api}{mail}{}", answer("[]"))).contains("no answer that is"));
    insta::assert_snapshot!("detector", checked("", &answer("{ detect = [\"email\"] }")));
    insta::assert_snapshot!("key", checked("", &answer("{ how = \"hash\" }")));
    insta::assert_snapshot!("unknown", checked("", &answer("{ answer_field = [\"born\"] }")));
}

#[tokio::test]
async fn an_answer_without_the_member_is_shown_as_it_is() {
    let house =
        house("", &answer("{ answer_fields = [\"/contact/email\", \"/cards/*/number\"] }")).await;
    for body in [json!({"id": "c1"}), json!({"contact": null, "cards": {}}), json!([1]), json!(2)] {
        let read = reads(&house, "get", json_answer(200, &body)).await;
        let shown = &read["structuredContent"];
        assert!(*shown == body || shown["result"] == body, "{read}");
    }
}

#[test]
fn a_key_of_hashes_that_cannot_be_had_is_an_error() {
    let said = checked("[redact]\nhow = \"hash\"\nkey = \"file:nothing\"", &answer("[\"id\"]"));
    assert!(said.contains("error[TB0309]") && said.contains("tools.toml:3:7"), "{said}");
}

#[tokio::test]
async fn an_argument_is_told_by_its_form_in_the_url_that_it_is_part_of() {
    let house =
        house("[redact]\ndetect = [\"emails\"]", &tool("findMail", "name = \"mail\"")).await;
    let arguments = json!({"address": MAIL});
    house.call_as("alice", "mail", arguments).await.expect("a known tool");
    assert!(house.upstream.seen()[0].contains("ann%40shop.example"), "as it was sent");
    let record = on_record(&house).await;
    assert!(!record.contains("shop.example"), "{record}");
}
