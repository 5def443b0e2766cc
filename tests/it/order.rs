//! The layers together, in process: what goes on, what is refused, and what the trail says.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollbridge::gateway::{self, CallWatch, ErrorCode, Refused};
use tollbridge::store::{Durability, StopScope, Store};

use crate::stage::{Act, House, json_answer, request, tool};

const PRICED: &str = "[settlement]\nfacilitator = \"FACILITATOR\"\npay_to = \"0x0000000000000000000000000000000000000001\"\n\
                      network = \"eip155:84532\"\nassets = { USDC = \"0x036CbD53842c5426634e7929541eC2318f3dCF7e\" }\n";

fn pay(amount: &str) -> Value {
    let amount: serde_json::Number = serde_json::from_str(amount).expect("a number");
    json!({"body": {"amount": amount}})
}

fn retry_after(status: u16, seconds: &str) -> Act {
    Act::Answer(status, format!("Retry-After: {seconds}\r\n"), String::new())
}

#[tokio::test]
async fn wrong_arguments_are_refused_before_anything_else_and_recorded() {
    let house = House::new("", &tool("getItem", "hold = true")).await;
    let failure = house.fails("get_item", json!({"id": "1", "colour": "red"})).await;
    assert_eq!(failure.code, ErrorCode::InvalidArguments);
    assert_eq!(failure.violations[0].pointer, "/colour");
    let failure = house.fails("get_item", json!({"id": ".."})).await;
    assert_eq!(failure.code, ErrorCode::InvalidArguments);
    assert!(house.upstream.seen().is_empty());
    let call = house.last().await;
    assert_eq!(call.outcome.as_deref(), Some("invalid_arguments"));
    assert!(call.decision.is_none());
}

#[tokio::test]
async fn a_limit_is_compared_exactly_and_comes_before_a_hold() {
    let rules = "hold = true\n[tool.args.\"/body/amount\"]\nmax = 500";
    let house = House::new("", &tool("pay", rules)).await;
    let failure = house.fails("pay", pay("500.0000000000000000001")).await;
    assert_eq!(failure.code, ErrorCode::Denied, "{failure:?}");
    assert!(failure.next_step.contains("the limits in the tool's schema"), "{failure:?}");
    let decision = house.last().await.decision.expect("a decision");
    assert_eq!(decision.rules, ["pay.args./body/amount.max=500"]);
    for amount in ["500", "500.0", "5e2"] {
        assert_eq!(house.fails("pay", pay(amount)).await.code, ErrorCode::Held, "{amount}");
    }
    assert!(house.upstream.seen().is_empty());
}

#[tokio::test]
async fn the_digits_of_a_number_reach_the_wire() {
    let house = House::new("", &tool("pay", "")).await;
    house.ok("pay", pay("120.50")).await;
    assert!(house.upstream.seen()[0].ends_with(r#"{"amount":120.50}"#));
}

#[tokio::test]
async fn a_tool_that_an_identity_may_not_see_does_not_exist_for_it() {
    let tools = [
        tool("getItem", "name = \"a\"\nallow = [\"group:staff\"]\ndeny = [\"mallory\"]"),
        tool("getItem", "name = \"b\"\nallow = [\"bob\"]\n[tool.args.id]\nenum = [\"1\"]"),
    ];
    let server = "[groups]\nstaff = [\"alice\", \"mallory\"]";
    let house = House::new(server, &tools.concat()).await;
    for (who, sees) in [("alice", vec!["a"]), ("mallory", vec![]), ("bob", vec!["b"])] {
        let offer = house.gateway.offer(&crate::stage::caller(who));
        let listed: Vec<&str> = offer.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(listed, sees, "{who}");
        for name in ["a", "b", "c"] {
            let answer = house.call_as(who, name, json!({"id": "1"})).await;
            match answer {
                Ok(_) => assert!(sees.contains(&name), "{who} called {name}"),
                Err(Refused::UnknownTool { tool, .. }) => {
                    assert_eq!(tool, name);
                    assert!(!sees.contains(&name), "{who} could not call {name}");
                    assert_eq!(house.last().await.outcome.as_deref(), Some("unknown_tool"));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[tokio::test]
async fn a_window_lets_exactly_its_limit_through_however_many_come_at_once() {
    let calls = "calls = { limit = 10, per = \"1m\", by = \"tool\" }";
    let house = House::new("", &tool("getItem", calls)).await;
    let all = (0..40).map(|n| house.call_as("alice", "get_item", json!({"id": n.to_string()})));
    let replies = futures::future::join_all(all).await;
    let done = replies.iter().filter(|r| r.as_ref().is_ok_and(|r| r.result.is_ok())).count();
    assert_eq!((done, house.upstream.seen().len()), (10, 10));
    let failure = house.fails("get_item", json!({"id": "1"})).await;
    assert_eq!(failure.code, ErrorCode::RateLimited);
    assert!(failure.retryable && failure.retry_after_s.is_some_and(|s| (1..=60).contains(&s)));
    let call = house.last().await;
    assert_eq!(call.decision.expect("a decision").rules, ["get_item.calls"]);
}

#[tokio::test]
async fn an_approval_lets_one_of_many_repeats_through() {
    let house = House::new("", &tool("deleteItem", "hold = true")).await;
    let first = house.fails("delete_item", json!({"id": "1"})).await.hold.expect("a hold").id;
    let again = house.fails("delete_item", json!({"id": "1"})).await.hold.expect("a hold").id;
    assert_eq!(first, again);
    gateway::approve(house.gateway.store(), &first, "operator:test", None).await.expect("approved");
    // Bound to the caller and to the arguments.
    let other = house.call_as("bob", "delete_item", json!({"id": "1"})).await.expect("known");
    assert_eq!(other.result.expect_err("held").code, ErrorCode::Held);
    assert_eq!(house.fails("delete_item", json!({"id": "2"})).await.code, ErrorCode::Held);
    let mut named = request("delete_item", json!({"id": "2"}));
    named.approval = Some(first.clone());
    let stolen = house.call_with("alice", named, CallWatch::default()).await.expect("known");
    assert_eq!(stolen.result.expect_err("denied").code, ErrorCode::Denied);
    let repeats = (0..20).map(|_| house.call_as("alice", "delete_item", json!({"id": "1"})));
    let replies = futures::future::join_all(repeats).await;
    let done = replies.iter().filter(|r| r.as_ref().is_ok_and(|r| r.result.is_ok())).count();
    assert_eq!((done, house.upstream.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_rejected_hold_denies_and_ends_the_held_call_as_denied() {
    let house = House::new("", &tool("deleteItem", "hold = true")).await;
    let hold = house.fails("delete_item", json!({"id": "1"})).await.hold.expect("a hold").id;
    let reason = Some("not today".to_owned());
    gateway::reject(house.gateway.store(), &hold, "operator:test", reason).await.expect("rejected");
    assert_eq!(house.last().await.outcome.as_deref(), Some("denied"));
    let failure = house.fails("delete_item", json!({"id": "1"})).await;
    assert_eq!(failure.code, ErrorCode::Denied);
    assert!(failure.message.contains("not today"));
    assert!(gateway::approve(house.gateway.store(), &hold, "x", None).await.is_err());
}

#[tokio::test]
async fn a_hold_that_ran_out_can_neither_be_approved_nor_used() {
    let rules = "hold = { expires = \"300ms\" }";
    let house = House::new("", &tool("deleteItem", rules)).await;
    let hold = house.fails("delete_item", json!({"id": "1"})).await.hold.expect("a hold").id;
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert!(gateway::approve(house.gateway.store(), &hold, "x", None).await.is_err());
    assert_eq!(house.last().await.outcome.as_deref(), Some("denied"));
    let mut named = request("delete_item", json!({"id": "1"}));
    named.approval = Some(hold.clone());
    let reply = house.call_with("alice", named, CallWatch::default()).await.expect("known");
    let failure = reply.result.expect_err("denied");
    assert_eq!((failure.code, failure.retryable), (ErrorCode::Denied, true));
    assert!(failure.next_step.contains("without naming an approval"), "{failure:?}");
    let anew = house.fails("delete_item", json!({"id": "1"})).await.hold.expect("a hold").id;
    assert_ne!(hold, anew);
}

#[tokio::test]
async fn the_kill_switch_stops_the_next_call_whoever_turns_it() {
    let tools = tool("getItem", "") + &tool("deleteItem", "hold = true");
    let house = House::new("", &tools).await;
    let url = format!("sqlite:{}", house.folder.path("tollbridge.db").display());
    let outside = Store::open(&url, Durability::Full).await.expect("the same store");
    for scope in [
        StopScope::All,
        StopScope::Api("shop".into()),
        StopScope::Tool("get_item".into()),
        StopScope::Identity("alice".into()),
    ] {
        gateway::stop(&outside, scope.clone(), "operator:test").await.expect("stopped");
        let failure = house.fails("get_item", json!({"id": "1"})).await;
        assert_eq!(failure.code, ErrorCode::Stopped, "{scope:?}");
        gateway::resume(&outside, scope, "operator:test").await.expect("resumed");
    }
    gateway::stop(&outside, StopScope::All, "operator:test").await.expect("stopped");
    // A call that would be held is stopped too, and leaves no hold behind.
    assert_eq!(house.fails("delete_item", json!({"id": "1"})).await.code, ErrorCode::Stopped);
    assert!(gateway::held(&outside).await.expect("holds").is_empty());
    assert_eq!(house.last().await.decision.expect("a decision").rules, ["stop:all"]);
    assert!(house.upstream.seen().is_empty());
}

#[tokio::test]
async fn no_attempt_starts_after_the_switch_was_turned() {
    let house = House::new("", &tool("getItem", "")).await;
    house.upstream.will([retry_after(503, "1")]);
    let call = house.fails("get_item", json!({"id": "1"}));
    let stop = async {
        while house.upstream.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        gateway::stop(house.gateway.store(), StopScope::All, "operator:test").await
    };
    let (failure, stopped) = tokio::join!(call, stop);
    stopped.expect("stopped");
    assert_eq!(failure.code, ErrorCode::Stopped);
    assert_eq!(house.upstream.seen().len(), 1);
}

#[tokio::test]
async fn the_intent_is_on_record_while_the_upstream_works() {
    let house = House::new("", &tool("pay", "")).await;
    house.upstream.will([Act::Silence]);
    let watch = CallWatch::default();
    let cancel = watch.cancel.clone();
    let call = house.call_with("alice", request("pay", pay("1")), watch);
    let look = async {
        while house.upstream.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let url = format!("sqlite:{}", house.folder.path("tollbridge.db").display());
        let outside = Store::open_read_only(&url).await.expect("the same store");
        let every = tollbridge::audit::Filter::default();
        let calls = tollbridge::audit::calls(&outside, &every).await;
        let call = calls.expect("the trail").pop().expect("the call");
        assert_eq!((call.outcome, call.attempts.len()), (None, 1));
        assert!(call.attempts[0].url.ends_with("/payments"));
        cancel.cancel();
    };
    let (reply, ()) = tokio::join!(call, look);
    assert_eq!(reply.expect("known").result.expect_err("cancelled").code, ErrorCode::Cancelled);
    assert_eq!(house.last().await.outcome.as_deref(), Some("cancelled"));
}

#[tokio::test]
async fn a_caller_that_vanishes_closes_the_upstream_s_socket_and_the_end_is_recorded() {
    let house = House::new("", &tool("getItem", "")).await;
    house.upstream.will([Act::Silence]);
    let call = house.call_as("alice", "get_item", json!({"id": "1"}));
    let gone = tokio::time::timeout(Duration::from_millis(300), call).await;
    assert!(gone.is_err(), "the call was to be dropped in flight");
    let patience = Instant::now();
    while house.last().await.outcome.is_none() {
        assert!(patience.elapsed() < Duration::from_secs(5), "its end was not recorded");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(house.last().await.outcome.as_deref(), Some("cancelled"));
    assert_eq!(house.upstream.gone(), 1);
}

#[tokio::test]
async fn nothing_is_done_that_cannot_be_recorded() {
    let house = House::new("", &(tool("getItem", "") + &tool("pay", ""))).await;
    house.ok("get_item", json!({"id": "1"})).await;
    std::fs::rename(house.folder.path("tollbridge.db"), house.folder.path("away")).expect("moved");
    for (name, arguments) in [("get_item", json!({"id": "2"})), ("pay", pay("1"))] {
        let failure = house.fails(name, arguments).await;
        assert_eq!(failure.code, ErrorCode::AuditUnavailable, "{name}");
    }
    assert!(house.gateway.probe().await.is_err());
    assert_eq!(house.upstream.seen().len(), 1);
    std::fs::rename(house.folder.path("away"), house.folder.path("tollbridge.db")).expect("back");
    house.ok("get_item", json!({"id": "3"})).await;
}

#[tokio::test]
async fn reads_go_on_without_a_trail_only_where_the_configuration_says_so() {
    let tools = tool("getItem", "")
        + &tool("getItem", "name = \"held\"\nhold = true")
        + &tool("getItem", "name = \"counted\"\ncalls = { limit = 9, per = \"1m\" }")
        + &tool("pay", "");
    let house = House::new("[audit]\nreads_when_down = \"allow\"", &tools).await;
    let _db = full_disk(&house).await;
    house.ok("get_item", json!({"id": "1"})).await;
    for (name, arguments) in
        [("held", json!({"id": "1"})), ("counted", json!({"id": "1"})), ("pay", pay("1"))]
    {
        let failure = house.fails(name, arguments).await;
        assert_eq!(failure.code, ErrorCode::AuditUnavailable, "{name}");
    }
    assert_eq!(house.upstream.seen().len(), 1);
}

/// Makes the trail refuse every event, and leaves it readable: a full disk as the store sees it.
async fn full_disk(house: &House) -> sqlx::SqliteConnection {
    use sqlx::Connection as _;
    let url = format!("sqlite:{}", house.folder.path("tollbridge.db").display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.expect("the same file");
    sqlx::query(
        "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    .execute(&mut db)
    .await
    .expect("a trigger");
    db
}

#[tokio::test]
async fn a_price_asks_for_payment_and_a_facilitator_that_is_down_refuses() {
    let tools = tool("getItem", "price = \"0.01 USDC\"") + &tool("pay", "");
    // One that answers, one that refuses, one that hangs.
    let there = crate::stage::Upstream::start().await;
    let house = House::new(&PRICED.replace("FACILITATOR", &there.url), &tools).await;
    let failure = house.fails("get_item", json!({"id": "1"})).await;
    assert_eq!(failure.code, ErrorCode::PaymentRequired);
    let required = failure.payment_required.expect("x402");
    assert_eq!(required["x402Version"], json!(2));
    assert_eq!(required["accepts"][0]["amount"], json!("10000"));
    assert!(there.seen()[0].starts_with("GET /supported "));
    let mut paying = request("get_item", json!({"id": "1"}));
    paying.payment = Some(json!({"x402Version": 2, "payload": {}}));
    let reply = house.call_with("alice", paying, CallWatch::default()).await.expect("known");
    assert_eq!(reply.result.expect_err("unavailable").code, ErrorCode::SettlementUnavailable);

    let nobody = "http://127.0.0.1:9";
    let hanging = crate::stage::Upstream::start().await;
    hanging.will([Act::Silence, Act::Silence]);
    for facilitator in [nobody, &hanging.url] {
        let house = House::new(&PRICED.replace("FACILITATOR", facilitator), &tools).await;
        let asked = Instant::now();
        let failure = house.fails("get_item", json!({"id": "1"})).await;
        assert_eq!(failure.code, ErrorCode::SettlementUnavailable, "{facilitator}");
        assert!(asked.elapsed() < Duration::from_secs(4), "{facilitator}");
        house.ok("pay", pay("1")).await;
        assert_eq!(house.upstream.seen().len(), 1, "only the free call went out");
    }
    assert!(house.upstream.seen().is_empty());
}

#[tokio::test]
async fn a_read_is_repeated_and_every_attempt_is_in_the_trail() {
    let house = House::new("", &tool("getItem", "")).await;
    house.upstream.will([retry_after(503, "0"), Act::HangUp]);
    house.ok("get_item", json!({"id": "1"})).await;
    let call = house.last().await;
    let statuses: Vec<_> = call.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), None, Some(200)]);
    assert!(call.served_by.is_some_and(|url| url.ends_with("/items/1")));
}

#[tokio::test]
async fn a_write_is_repeated_after_429_and_after_nothing_else_that_may_have_had_an_effect() {
    let house = House::new("", &tool("pay", "")).await;
    house.upstream.will([retry_after(429, "0")]);
    house.ok("pay", pay("1")).await;
    assert_eq!(house.upstream.seen().len(), 2);
    for (act, code) in [
        (retry_after(503, "0"), ErrorCode::UpstreamUnavailable),
        (Act::HangUp, ErrorCode::OutcomeUnknown),
        (Act::Silence, ErrorCode::OutcomeUnknown),
    ] {
        let before = house.upstream.seen().len();
        house.upstream.will([act.clone()]);
        let failure = house.fails("pay", pay("1")).await;
        assert_eq!((failure.code, failure.retryable), (code, false), "{act:?}");
        assert_eq!(house.upstream.seen().len(), before + 1, "{act:?}");
    }
}

#[tokio::test]
async fn a_wait_that_the_deadline_does_not_leave_is_not_begun() {
    let house = House::new("", &tool("getItem", "")).await;
    house.upstream.will([retry_after(429, "60")]);
    let asked = Instant::now();
    let failure = house.fails("get_item", json!({"id": "1"})).await;
    assert_eq!(failure.code, ErrorCode::RateLimited);
    assert_eq!(failure.retry_after_s, Some(60));
    assert!(asked.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn no_call_outlives_its_time() {
    let house = House::new("", &tool("getItem", "timeout = \"900ms\"")).await;
    house.upstream.will([Act::Silence, Act::Silence, Act::Silence, Act::Silence]);
    let asked = Instant::now();
    let failure = house.fails("get_item", json!({"id": "1"})).await;
    assert_eq!(failure.code, ErrorCode::UpstreamTimeout);
    assert!(asked.elapsed() < Duration::from_millis(1_500), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_said_to_be_unavailable() {
    let house = House::new("", &tool("getItem", "")).await;
    house.folder.configure("http://127.0.0.1:9", "", &tool("getItem", "timeout = \"1s\""));
    let loaded = gateway::load(&house.folder.path("tools.toml"), gateway::Secrets::Resolve);
    house.gateway.swap(loaded.expect("a configuration").toolbox).await;
    let failure = house.fails("get_item", json!({"id": "1"})).await;
    assert_eq!(failure.code, ErrorCode::UpstreamUnavailable);
    assert!(failure.retryable);
}

#[tokio::test]
async fn an_answer_that_breaks_its_schema_is_delivered_and_marked() {
    let house = House::new("", &tool("getItem", "")).await;
    house.upstream.will([json_answer(200, &json!({"count": "many"}))]);
    let reply = house.call_as("alice", "get_item", json!({"id": "1"})).await.expect("known");
    let success = reply.result.expect("a success");
    assert_eq!(success.drift[0].pointer, "/count");
}

#[tokio::test]
async fn a_secret_that_the_upstream_echoes_leaves_nowhere() {
    use base64::Engine as _;
    let secret = crate::stage::SECRET;
    let spellings = [
        secret.to_owned(),
        "s3cr3t%2Fkey%2Bof%3Dthe%20shop".to_owned(),
        "s3cr3t%2fkey%2bof%3dthe+shop".to_owned(),
        base64::engine::general_purpose::STANDARD.encode(secret),
        base64::engine::general_purpose::STANDARD.encode(format!("x{secret}y")),
        hex::encode(secret),
    ];
    let house = House::new("", &tool("getItem", "")).await;
    for spelled in &spellings {
        house.upstream.will([
            json_answer(200, &json!({"echo": spelled, spelled.as_str(): 1})),
            json_answer(400, &json!({"error": {"debug": format!("key was <{spelled}>")}})),
        ]);
        let mut said = String::new();
        for _ in 0..2 {
            let reply = house.call_as("alice", "get_item", json!({"id": "1"})).await;
            let _ = write!(said, "{:?}", reply.expect("known"));
        }
        assert!(said.contains("[redacted]"), "{said}");
        assert!(!said.contains(spelled.as_str()), "{spelled} was shown");
    }
    let bytes = house.folder.bytes();
    for spelled in &spellings {
        let found = bytes.windows(spelled.len()).any(|window| window == spelled.as_bytes());
        assert!(!found, "{spelled} was kept");
    }
    assert!(house.upstream.seen()[0].to_lowercase().contains(&format!("x-key: {secret}")));
}

#[tokio::test]
async fn a_call_in_flight_ends_on_the_tools_that_it_began_with() {
    let house = House::new("", &tool("getItem", "")).await;
    house.upstream.will([retry_after(503, "1")]);
    let call = house.call_as("alice", "get_item", json!({"id": "1"}));
    let swap = async {
        while house.upstream.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        house.folder.configure(&house.upstream.url, "", &tool("pay", ""));
        let loaded = gateway::load(&house.folder.path("tools.toml"), gateway::Secrets::Resolve);
        house.gateway.swap(loaded.expect("a configuration").toolbox).await;
    };
    let (reply, ()) = tokio::join!(call, swap);
    assert!(reply.expect("known").result.is_ok());
    let refused = house.call_as("alice", "get_item", json!({"id": "1"})).await;
    assert!(matches!(refused, Err(Refused::UnknownTool { .. })));
}

#[tokio::test]
async fn identical_calls_at_once_are_held_as_one() {
    let house = House::new("", &tool("deleteItem", "hold = true")).await;
    let all = (0..20).map(|_| house.fails("delete_item", json!({"id": "1"})));
    let failures = futures::future::join_all(all).await;
    let ids: std::collections::HashSet<String> =
        failures.into_iter().map(|failure| failure.hold.expect("a hold").id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(gateway::held(house.gateway.store()).await.expect("holds").len(), 1);
}

#[tokio::test]
async fn an_approval_does_not_outlive_a_change_of_what_the_tool_does() {
    let house = House::new("", &tool("deleteItem", "name = \"t\"\nhold = true")).await;
    let hold = house.fails("t", json!({"id": "1"})).await.hold.expect("a hold").id;
    gateway::approve(house.gateway.store(), &hold, "operator:test", None).await.expect("approved");
    house.folder.configure(&house.upstream.url, "", &tool("getItem", "name = \"t\"\nhold = true"));
    let loaded = gateway::load(&house.folder.path("tools.toml"), gateway::Secrets::Resolve);
    house.gateway.swap(loaded.expect("a configuration").toolbox).await;
    let again = house.fails("t", json!({"id": "1"})).await;
    assert_eq!(again.code, ErrorCode::Held);
    assert_ne!(again.hold.expect("a hold").id, hold);
    assert!(house.upstream.seen().is_empty());
}

#[tokio::test]
async fn one_identity_cannot_flood_the_people_who_decide() {
    let house = House::new("", &tool("deleteItem", "hold = true")).await;
    for id in 0..100 {
        let failure = house.fails("delete_item", json!({"id": id.to_string()})).await;
        assert_eq!(failure.code, ErrorCode::Held);
    }
    let failure = house.fails("delete_item", json!({"id": "one more"})).await;
    assert_eq!(failure.code, ErrorCode::Overloaded);
    let other = house.call_as("bob", "delete_item", json!({"id": "1"})).await.expect("known");
    assert_eq!(other.result.expect_err("held").code, ErrorCode::Held);
}

#[tokio::test]
async fn calls_are_counted_by_tool_and_outcome() {
    let house = House::new("", &tool("getItem", "")).await;
    house.ok("get_item", json!({"id": "1"})).await;
    let _ = house.call_as("alice", "no_such_tool", json!({})).await;
    let text = house.gateway.metrics().encode();
    for line in [
        "tollbridge_calls_total{tool=\"get_item\",outcome=\"succeeded\"} 1",
        "tollbridge_calls_total{tool=\"unknown\",outcome=\"unknown_tool\"} 1",
        "tollbridge_attempts_total{api=\"shop\",status=\"2xx\"} 1",
        "tollbridge_calls_in_flight 0",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_call_for_which_there_is_no_room_is_refused_at_once_and_recorded() {
    let house = House::new("[server]\nmax_calls = 1", &tool("getItem", "")).await;
    let small = &house.gateway;
    house.upstream.will([Act::Silence]);
    let ask = || {
        let request = request("get_item", json!({"id": "1"}));
        small.call(crate::stage::caller("alice"), request, CallWatch::default())
    };
    let first = ask();
    let second = async {
        while house.upstream.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        ask().await.expect("known").result.expect_err("refused")
    };
    tokio::select! {
        _ = first => panic!("the upstream keeps silent"),
        failure = second => {
            assert_eq!(failure.code, ErrorCode::Overloaded);
            assert!(failure.retryable && failure.retry_after_s.is_some());
        }
    }
    let outcomes: Vec<_> = house.trail().await.into_iter().map(|call| call.outcome).collect();
    assert!(outcomes.contains(&Some("overloaded".to_owned())), "{outcomes:?}");
}

#[tokio::test]
async fn an_answer_whose_end_cannot_be_recorded_is_still_given() {
    let house = House::new("", &tool("pay", "")).await;
    full_disk_after_the_intent(&house).await;
    house.ok("pay", pay("1")).await;
    let call = house.last().await;
    assert_eq!((call.outcome, call.attempts.len()), (None, 1), "the intent, without an end");
}

/// Lets an intent go down, and refuses what ends a call.
async fn full_disk_after_the_intent(house: &House) {
    use sqlx::Connection as _;
    let url = format!("sqlite:{}", house.folder.path("tollbridge.db").display());
    let mut db = sqlx::SqliteConnection::connect(&url).await.expect("the same file");
    sqlx::query(
        "CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.kind = 'replied' \
         BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    )
    .execute(&mut db)
    .await
    .expect("a trigger");
}

#[tokio::test]
async fn a_facilitator_that_answers_with_an_error_settles_nothing() {
    let facilitator = crate::stage::Upstream::start().await;
    facilitator.will([Act::Answer(500, String::new(), String::new())]);
    let server = PRICED.replace("FACILITATOR", &facilitator.url);
    let house = House::new(&server, &tool("getItem", "price = \"0.01 USDC\"")).await;
    for _ in 0..2 {
        let failure = house.fails("get_item", json!({"id": "1"})).await;
        assert_eq!(failure.code, ErrorCode::SettlementUnavailable);
    }
    assert_eq!(facilitator.seen().len(), 1, "what was found stands for the next call");
    assert!(house.upstream.seen().is_empty());
}
