//! Budgets: what calls may use up in a time.

use std::sync::atomic::{AtomicI64, Ordering};

use futures::future::join_all;
use serde_json::json;
use tollbridge::gateway::{self, CallRequest, CallWatch, Reply};
use tollbridge::safety::edit::Edit;
use tollbridge::store::system_clock;

use super::support::{
    Act, Answer, Bridge, Draft, Folder, Upstream, caller, code, events, failure, request, value,
};

async fn refunds(upstream: &Upstream, budget: &str) -> Bridge {
    let rules = format!("name = \"refund\"\nbudget = [{budget}]");
    Draft::to(&upstream.url()).tool("createRefund", &rules).open().await
}

const SUM: &str = "{ sum = \"/body/amount\", limit = 1000, per = \"1d\" }";

fn of(amount: &str) -> String {
    format!(r#"{{"body": {{"amount": {amount}}}}}"#)
}

#[tokio::test]
async fn a_sum_is_exact_and_refuses_what_would_pass_it() {
    let upstream = Upstream::willing().await;
    let bridge = refunds(&upstream, SUM).await;
    for amount in ["999.9999999999999", "0.0000000000001"] {
        assert_eq!(code(&bridge.call("refund", &of(amount)).await), "succeeded", "{amount}");
    }
    let over = bridge.call("refund", &of("0.000000000000000001")).await;
    assert_eq!(code(&over), "budget_exceeded");
    let wait = failure(&over).retry_after_s.expect("a time");
    assert!((86_000..=86_400).contains(&wait), "{wait}");
    let message = &failure(&over).message;
    assert_eq!(
        message,
        "the budget `refund.budget[0]` allows 1000 in 1d for each caller; 0 are left, and this \
         call takes 0.000000000000000001"
    );
    let record = bridge.record(&over).await;
    assert_eq!(record.decision.unwrap().rules, ["refund.budget[0]"]);
    assert!(record.attempts.is_empty());
    assert_eq!(code(&bridge.call("refund", &of("0")).await), "succeeded");
    assert_eq!(upstream.count(), 3);
    // What no window could ever hold is not worth waiting for.
    let absurd = bridge.call_as("ann", "refund", &of("1001")).await;
    assert_eq!((failure(&absurd).retryable, failure(&absurd).retry_after_s), (false, None));
}

#[tokio::test]
async fn what_cannot_be_added_up_is_denied() {
    let upstream = Upstream::willing().await;
    let currency = "{ sum = \"/body/amount\", currency = { at = \"/body/note\", is = \"EUR\" }, \
                    limit = 1000, per = \"1d\" }";
    let bridge = refunds(&upstream, currency).await;
    for (arguments, wrong) in [
        (r#"{"body": {"amount": 5, "note": "USD"}}"#, "/body/note"),
        (r#"{"body": {"amount": 5}}"#, "/body/note"),
        (r#"{"body": {"amount": -5, "note": "EUR"}}"#, "/body/amount"),
        (r#"{"body": {"amount": 1e-19, "note": "EUR"}}"#, "/body/amount"),
        (r#"{"body": {"amount": 1e40, "note": "EUR"}}"#, "/body/amount"),
    ] {
        let reply = bridge.call("refund", arguments).await;
        assert_eq!(code(&reply), "denied", "{arguments}");
        assert!(failure(&reply).message.starts_with(wrong), "{}", failure(&reply).message);
        assert_eq!(bridge.record(&reply).await.decision.unwrap().rules, ["refund.budget[0]"]);
    }
    let good = bridge.call("refund", r#"{"body": {"amount": 5, "note": "EUR"}}"#).await;
    assert_eq!(code(&good), "succeeded");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn of_a_hundred_callers_at_once_none_passes_the_budget() {
    let upstream = Upstream::willing().await;
    let budget = "{ sum = \"/body/amount\", limit = 1000, per = \"1d\", by = \"all\" }";
    let bridge = refunds(&upstream, budget).await;
    // Half of them come in by another process.
    let other = bridge.beside().await;
    let calls = (0..100).map(|n| {
        let gateway = if n % 2 == 0 { &bridge.gateway } else { &other };
        let caller = caller(&format!("bot-{n}"));
        let arguments = of("33.3");
        async move {
            gateway.call(caller, request("refund", &arguments), CallWatch::default()).await.unwrap()
        }
    });
    let replies = join_all(calls).await;
    let ended = |word: &str| replies.iter().filter(|reply| code(reply) == word).count();
    assert_eq!((ended("succeeded"), ended("budget_exceeded")), (30, 70));
    assert_eq!(upstream.count(), 30);
}

#[tokio::test]
async fn what_was_certainly_not_done_is_given_back_and_nothing_else() {
    for (status, given_back) in
        [(422, true), (404, true), (409, false), (500, false), (503, false), (200, false)]
    {
        let upstream = Upstream::new([Answer::json(status, "{}"), Answer::json(200, "{}")]).await;
        let budget = "{ count = true, limit = 1, per = \"1h\" }";
        let bridge = refunds(&upstream, budget).await;
        let first = bridge.call("refund", &of("1")).await;
        let second = code(&bridge.call("refund", &of("2")).await);
        let expected = if given_back { "succeeded" } else { "budget_exceeded" };
        assert_eq!(second, expected, "{status}");
        let events = bridge.record(&first).await.events;
        let released = events
            .iter()
            .any(|event| event.body.get("kind").is_some_and(|kind| kind == "released"));
        assert_eq!(released, given_back, "{status}");
    }
    // Nothing was sent: nobody listens there.
    let bridge = Draft::to("http://127.0.0.1:1")
        .tool(
            "createRefund",
            "name = \"refund\"\nbudget = [{ count = true, limit = 1, per = \"1h\" }]",
        )
        .open()
        .await;
    for _ in 0..2 {
        assert_eq!(code(&bridge.call("refund", &of("1")).await), "upstream_unavailable");
    }
}

#[tokio::test]
async fn a_part_that_is_given_back_is_there_again_whatever_came_after_it() {
    let upstream = Upstream::new([
        Answer::json(200, "{}"),
        Answer::json(422, "{}"),
        Answer::json(200, "{}"),
        Answer::json(200, "{}"),
    ])
    .await;
    let bridge = refunds(&upstream, SUM).await;
    for (amount, ends) in [
        ("300", "succeeded"),
        ("500", "upstream_error"),
        ("600", "succeeded"),
        ("101", "budget_exceeded"),
        ("100", "succeeded"),
    ] {
        assert_eq!(code(&bridge.call("refund", &of(amount)).await), ends, "{amount}");
    }
}

#[tokio::test]
async fn a_budget_slides_and_says_when_it_leaves_enough() {
    static LATER: AtomicI64 = AtomicI64::new(0);
    fn clock() -> i64 {
        system_clock() + LATER.load(Ordering::Relaxed) * 1_000_000
    }
    let upstream = Upstream::willing().await;
    let rules = "name = \"refund\"\n\
                 budget = [{ sum = \"/body/amount\", limit = 10, per = \"1h\" }]";
    let bridge = Draft::to(&upstream.url()).tool("createRefund", rules).open_at(clock).await;
    assert_eq!(code(&bridge.call("refund", &of("4")).await), "succeeded");
    LATER.store(1_800, Ordering::Relaxed);
    assert_eq!(code(&bridge.call("refund", &of("6")).await), "succeeded");
    let full = bridge.call("refund", &of("4")).await;
    assert_eq!(code(&full), "budget_exceeded");
    let wait = failure(&full).retry_after_s.expect("a time");
    assert!((1_700..=1_800).contains(&wait), "{wait}");
    let wait = failure(&bridge.call("refund", &of("5")).await).retry_after_s.expect("a time");
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    LATER.store(3_601, Ordering::Relaxed);
    assert_eq!(code(&bridge.call("refund", &of("4")).await), "succeeded");
}

#[tokio::test]
async fn a_budget_counts_for_identities_groups_tools_or_all() {
    let groups = "[groups]\nops = [\"ann\", \"bob\"]\n";
    for (by, bob, eve, other_tool) in [
        ("identity", "succeeded", "succeeded", "budget_exceeded"),
        ("group", "budget_exceeded", "succeeded", "budget_exceeded"),
        ("tool", "budget_exceeded", "budget_exceeded", "succeeded"),
        ("all", "budget_exceeded", "budget_exceeded", "budget_exceeded"),
    ] {
        let upstream = Upstream::willing().await;
        let budget = format!(
            "{groups}[[budget]]\neffect = \"write\"\ncount = true\nlimit = 1\nper = \"1h\"\n\
             by = \"{by}\"\n"
        );
        let bridge = Draft::to(&upstream.url())
            .top(&format!("[audit]\ndurability = \"process\"\n{budget}"))
            .tool("createRefund", "name = \"refund\"")
            .tool("createRefund", "name = \"payout\"")
            .tool("listItems", "name = \"list\"")
            .open()
            .await;
        assert_eq!(code(&bridge.call_as("ann", "refund", &of("1")).await), "succeeded", "{by}");
        assert_eq!(code(&bridge.call_as("bob", "refund", &of("1")).await), bob, "{by}");
        assert_eq!(code(&bridge.call_as("eve", "refund", &of("1")).await), eve, "{by}");
        assert_eq!(code(&bridge.call_as("ann", "payout", &of("1")).await), other_tool, "{by}");
        // Reads are no writes.
        assert_eq!(code(&bridge.call_as("ann", "list", "{}").await), "succeeded", "{by}");
    }
}

#[tokio::test]
async fn a_dry_run_takes_nothing_and_says_what_the_budget_leaves() {
    let upstream = Upstream::willing().await;
    let bridge = refunds(&upstream, "{ count = true, limit = 1, per = \"1h\" }").await;
    for _ in 0..2 {
        let run =
            bridge.gateway.dry_run(&caller("bot"), &request("refund", &of("1"))).await.unwrap();
        assert_eq!(run.decision.effect, "allow");
    }
    assert_eq!(code(&bridge.call("refund", &of("1")).await), "succeeded");
    let run = bridge.gateway.dry_run(&caller("bot"), &request("refund", &of("1"))).await.unwrap();
    assert_eq!(
        (run.decision.effect, run.decision.rules),
        ("deny", vec!["refund.budget[0]".into()])
    );
}

#[tokio::test]
async fn a_call_that_is_made_again_under_its_key_takes_once() {
    let upstream = Upstream::new([Answer::json(200, "{}")]).await;
    let bridge = refunds(&upstream, "{ count = true, limit = 1, per = \"1h\" }").await;
    let named = |key: &str| CallRequest {
        idempotency_key: Some(key.to_owned()),
        ..request("refund", &of("5"))
    };
    let first = bridge.ask("bot", named("a")).await.unwrap();
    let again = bridge.ask("bot", named("a")).await.unwrap();
    assert_eq!((code(&first), code(&again), upstream.count()), ("succeeded", "succeeded", 1));
    let other = bridge.ask("bot", named("b")).await.unwrap();
    assert_eq!(code(&other), "budget_exceeded");
    // What was refused did not take the key up.
    assert_eq!(code(&bridge.ask("bot", named("b")).await.unwrap()), "budget_exceeded");
}

#[tokio::test]
async fn what_is_held_takes_when_it_runs_and_what_it_then_is() {
    let upstream = Upstream::willing().await;
    let rules = format!("name = \"refund\"\nhold = true\nbudget = [{SUM}]");
    let bridge = Draft::to(&upstream.url()).tool("createRefund", &rules).open().await;
    let hold_of = |reply: &Reply| failure(reply).hold.as_ref().expect("held").id.clone();
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    let edited = async |hold: &str, amount: u32| {
        let edits = [Edit { at: "/body/amount".into(), value: Some(amount.into()) }];
        gateway::edit(store, &toolbox, hold, &edits, "operator:ann", None).await
    };
    let first = hold_of(&bridge.call("refund", &of("1")).await);
    // No window of the budget could hold that, so who wants it hears of it.
    let told = edited(&first, 1001).await.unwrap_err().to_string();
    let why =
        "the budget `refund.budget[0]` allows 1000 in 1d for each caller, and this takes 1001";
    assert!(told.contains(why), "{told}");
    edited(&first, 900).await.unwrap();
    let second = hold_of(&bridge.call("refund", &of("2")).await);
    bridge.approve(&second).await;
    let third = hold_of(&bridge.call("refund", &of("3")).await);
    edited(&third, 101).await.unwrap();
    assert_eq!(code(&bridge.call("refund", &of("1")).await), "succeeded");
    // What was changed takes what it was changed to; an approval outlives a budget that is used up.
    for _ in 0..2 {
        assert_eq!(code(&bridge.call("refund", &of("3")).await), "budget_exceeded");
    }
    assert_eq!(code(&bridge.call("refund", &of("2")).await), "succeeded");
    assert_eq!(code(&bridge.call("refund", &of("3")).await), "budget_exceeded");
    assert_eq!(store.hold(&third).await.unwrap().unwrap().state.as_str(), "approved");
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn a_reload_in_the_middle_of_a_call_changes_what_is_left_and_not_what_is_taken() {
    let refused = Answer::json(422, "{}");
    let upstream = Upstream::new([Act::Gate(refused), Act::from(Answer::json(200, "{}"))]).await;
    let draft = |budget: &str| {
        let rules = format!("name = \"refund\"\nbudget = [{budget}]");
        Draft::to(&upstream.url()).tool("createRefund", &rules)
    };
    let bridge = draft(SUM).open().await;
    let most = of("600");
    let (first, ()) = tokio::join!(bridge.call("refund", &most), async {
        upstream.until_seen(1).await;
        bridge.reload(draft(&SUM.replace("1000", "700"))).await;
        let over = bridge.call("refund", &of("101")).await;
        let told = &failure(&over).message;
        assert!(told.contains("allows 700 in 1d") && told.contains("100 are left"), "{told}");
        // A budget that is removed is given back to all the same.
        bridge.reload(draft("")).await;
        upstream.release(1);
    });
    assert_eq!(code(&first), "upstream_error");
    bridge.reload(draft(SUM)).await;
    assert_eq!(code(&bridge.call("refund", &of("1000")).await), "succeeded");
}

#[tokio::test]
async fn an_identity_and_a_group_of_the_same_name_are_two() {
    let upstream = Upstream::willing().await;
    let rules = |by: &str| {
        format!(
            "name = \"by_{by}\"\n\
             budget = [{{ count = true, limit = 1, per = \"1h\", by = \"{by}\" }}]"
        )
    };
    let bridge = Draft::to(&upstream.url())
        .top("[audit]\ndurability = \"process\"\n[groups]\nann = [\"bob\"]\n")
        .tool("createRefund", &rules("group"))
        .tool("createRefund", &rules("identity"))
        .open()
        .await;
    for (who, by_group) in [("ann", "succeeded"), ("bob", "succeeded"), ("eve", "budget_exceeded")]
    {
        // `ann` and `eve` are in no group, and share what such callers have.
        assert_eq!(code(&bridge.call_as(who, "by_group", &of("1")).await), by_group, "{who}");
        assert_eq!(code(&bridge.call_as(who, "by_identity", &of("1")).await), "succeeded", "{who}");
    }
}

/// A tool whose API nobody can reach, another one that stands in for it, and behind that an answer.
async fn stood_in_for(other: &str, budgets: &str, own: &str) -> Bridge {
    let top = format!("{budgets}\n[api.other]\nspec = \"shop.json\"\nbase_url = \"{other}\"\n");
    let rules = format!(
        "name = \"refund\"\nbudget = [{own}]\nfallback = [\n\
         {{ operation = \"createRefund\", api = \"other\", map = {{ body = \"body\" }} }},\n\
         {{ answer = {{ queued = true }} }}]"
    );
    Draft::to(&Upstream::nowhere().await)
        .top(&top)
        .api("timeout = \"900ms\"")
        .tool("createRefund", &rules)
        .open()
        .await
}

#[tokio::test]
async fn what_stands_in_takes_its_part_of_the_budgets_that_are_about_it() {
    let other = Upstream::willing().await;
    let budget = "[[budget]]\nname = \"other\"\napi = \"other\"\nsum = \"/body/amount\"\nlimit = 10\n\
                  per = \"1d\"\nby = \"all\"\n\
                  [[budget]]\nname = \"both\"\ncount = true\nlimit = 100\nper = \"1d\"\n";
    let own = "{ count = true, limit = 3, per = \"1d\", by = \"all\" }";
    let bridge = stood_in_for(&other.url(), budget, own).await;
    let (queued, served) = (json!({"queued": true}), json!({}));
    for (amount, answer, asked) in [
        ("6", &served, 1),
        // It would pass the budget: what comes after it stands in, and nothing of the call is taken.
        ("6", &queued, 1),
        ("4", &served, 2),
        ("0", &served, 3),
    ] {
        let reply = bridge.call("refund", &of(amount)).await;
        assert_eq!((value(&reply), other.count()), (answer, asked), "{amount}");
        let (over, taken) = (
            events(&bridge, &reply, "passed_over").await,
            events(&bridge, &reply, "reserved").await,
        );
        if answer == &queued {
            assert_eq!(over[0]["operation"], "other/createRefund");
            assert_eq!(
                over[0]["why"],
                "the budget `budget.other` allows 10 in 1d; 4 are left, and this call takes 6"
            );
            assert_eq!(taken.len(), 1, "its own");
            let released = events(&bridge, &reply, "released").await;
            let names = json!(["budget.both", "refund.budget[0]"]);
            assert_eq!((released.len(), &released[0]["reservations"]), (1, &names));
        } else {
            assert!(over.is_empty());
            // What is about both counts the call once.
            let parts = |at: usize| taken[at]["budgets"].as_array().map_or(0, Vec::len);
            assert_eq!((parts(0), parts(1), taken.len()), (2, 1, 2), "{taken:?}");
            assert_eq!(taken[1]["budgets"][0]["amount"], amount);
        }
    }
    assert_eq!(code(&bridge.call("refund", &of("0")).await), "budget_exceeded");
}

#[tokio::test]
async fn of_several_that_stand_in_a_budget_counts_the_call_once() {
    let other = Upstream::willing().await;
    let nowhere = Upstream::nowhere().await;
    let top = format!(
        "[[budget]]\neffect = \"destructive\"\ncount = true\nlimit = 1\nper = \"1d\"\n\
         [api.a]\nspec = \"shop.json\"\nbase_url = \"{nowhere}\"\n\
         [api.b]\nspec = \"shop.json\"\nbase_url = \"{}\"\n",
        other.url()
    );
    let rules = "fallback = [\n\
        { operation = \"deleteItem\", api = \"a\", map = { id = \"id\" } },\n\
        { operation = \"deleteItem\", api = \"b\", map = { id = \"id\" } },\n\
        { answer = { queued = true } }]";
    let bridge =
        Draft::to(&nowhere).top(&top).api("timeout = \"2s\"").tool("setStock", rules).open().await;
    let stock = r#"{"id": "7", "body": {"stock": 1}}"#;
    let reply = bridge.call("set_stock", stock).await;
    assert_eq!((value(&reply), other.count()), (&json!({}), 1), "{reply:?}");
    assert_eq!(events(&bridge, &reply, "reserved").await.len(), 1);
    let reply = bridge.call("set_stock", stock).await;
    assert_eq!((value(&reply), other.count()), (&json!({"queued": true}), 1));
    assert_eq!(events(&bridge, &reply, "passed_over").await.len(), 2);
}

#[tokio::test]
async fn what_stands_in_is_not_asked_where_its_part_of_a_budget_cannot_be_reckoned() {
    let other = Upstream::willing().await;
    let budget = "[[budget]]\nname = \"euros\"\napi = \"other\"\nsum = \"/body/amount\"\n\
                  currency = { at = \"/body/note\", is = \"EUR\" }\nlimit = 10\nper = \"1d\"\n";
    let bridge = stood_in_for(&other.url(), budget, "").await;
    let reply = bridge.call("refund", &of("1")).await;
    assert_eq!((value(&reply), other.count()), (&json!({"queued": true}), 0));
    let over = events(&bridge, &reply, "passed_over").await;
    let why = over[0]["why"].as_str().expect("why");
    assert!(why.starts_with("its budget `budget.euros`: /body/note must be"), "{why}");
}

#[tokio::test]
async fn what_was_asked_and_failed_gives_nothing_back_whatever_is_answered_then() {
    let own = "{ count = true, limit = 1, per = \"1d\" }";
    let declared = format!("budget = [{own}]\nfallback = [{{ answer = {{}} }}]");
    let failing = Upstream::new([Answer::json(503, "{}")]).await;
    let bridge = Draft::to(&failing.url())
        .api("timeout = \"900ms\"")
        .tool("getItem", &declared)
        .open()
        .await;
    let item = r#"{"id": "7"}"#;
    assert_eq!(code(&bridge.call("get_item", item).await), "succeeded");
    assert_eq!(code(&bridge.call("get_item", item).await), "budget_exceeded");
    // Nor where what stood in was asked.
    let top = format!("[api.other]\nspec = \"shop.json\"\nbase_url = \"{}\"\n", failing.url());
    let elsewhere = format!(
        "budget = [{own}]\nfallback = [\n\
         {{ operation = \"getItem\", api = \"other\", map = {{ id = \"id\" }} }},\n\
         {{ answer = {{}} }}]"
    );
    for (rules, second) in [(&elsewhere, "budget_exceeded"), (&declared, "succeeded")] {
        let bridge = Draft::to(&Upstream::nowhere().await)
            .top(&top)
            .api("timeout = \"900ms\"")
            .tool("getItem", rules)
            .open()
            .await;
        assert_eq!(code(&bridge.call("get_item", item).await), "succeeded");
        assert_eq!(code(&bridge.call("get_item", item).await), second);
    }
}

#[tokio::test]
async fn what_stands_in_and_was_not_reached_gives_its_part_back() {
    let budget =
        "[[budget]]\nname = \"other\"\napi = \"other\"\ncount = true\nlimit = 1\nper = \"1d\"\n";
    let bridge = stood_in_for(&Upstream::nowhere().await, budget, "").await;
    for _ in 0..2 {
        let reply = bridge.call("refund", &of("1")).await;
        assert_eq!(value(&reply), &json!({"queued": true}));
        assert!(events(&bridge, &reply, "passed_over").await.is_empty());
        let released = events(&bridge, &reply, "released").await;
        assert_eq!(released[0]["reservations"], json!(["budget.other"]));
    }
}

#[test]
fn a_budget_of_what_stands_in_is_about_something_and_its_sum_must_be_there() {
    let told = |budget: &str| {
        let top = format!("[[budget]]\n{budget}\nlimit = 1\nper = \"1h\"\n");
        let fallback = "fallback = [{ operation = \"deleteItem\", map = { id = \"id\" } }]";
        let text = Draft::to("http://127.0.0.1:9").top(&top).tool("setStock", fallback).text();
        let folder = Folder::with_shop(&text);
        let file = folder.write("tools.toml", &text);
        match gateway::load(&file, gateway::Secrets::Verify) {
            Ok(loaded) => loaded.warnings,
            Err(found) => found,
        }
        .render(tollbridge::config::Style::Plain)
    };
    let counted = told("effect = \"destructive\"\ncount = true");
    assert!(!counted.contains("about no tool"), "{counted}");
    let summed = told("effect = \"destructive\"\nsum = \"/body/amount\"");
    let wrong = "the budget cannot be reckoned for `shop/deleteItem`";
    assert!(summed.contains(wrong), "{summed}");
    let unmapped = |map: &str| {
        let top = "[[budget]]\napi = \"other\"\nsum = \"/body/amount\"\nlimit = 1\nper = \"1h\"\n\
                   [api.other]\nspec = \"shop.json\"\nbase_url = \"http://127.0.0.1:9\"\n";
        let fallback = format!(
            "fallback = [{{ operation = \"createRefund\", api = \"other\", map = {map} }}]"
        );
        let text = Draft::to("http://127.0.0.1:9").top(top).tool("createRefund", &fallback).text();
        let folder = Folder::with_shop(&text);
        let file = folder.write("tools.toml", &text);
        let loaded = gateway::load(&file, gateway::Secrets::Verify).expect("it loads");
        loaded.warnings.render(tollbridge::config::Style::Plain)
    };
    let never =
        "`create_refund` never falls back to `other/createRefund`: the budget reads /body/amount";
    assert!(unmapped("{}").contains(never), "{}", unmapped("{}"));
    assert!(!unmapped("{ body = \"body\" }").contains("never falls back"));
}

#[tokio::test]
async fn a_budget_that_cannot_be_counted_lets_nothing_out() {
    let upstream = Upstream::willing().await;
    let bridge = refunds(&upstream, SUM).await;
    let counts = "CREATE TRIGGER full BEFORE INSERT ON budget_uses \
                  BEGIN SELECT RAISE(ABORT, 'full'); END";
    bridge.sql(counts).await;
    let reply = bridge.call("refund", &of("5")).await;
    assert_eq!((code(&reply), upstream.count()), ("audit_unavailable", 0));
    bridge.sql("DROP TRIGGER full").await;
    assert_eq!(code(&bridge.call("refund", &of("1000")).await), "succeeded", "nothing was taken");
    bridge.sql("DROP TABLE budget_uses").await;
    assert_eq!(code(&bridge.call("refund", &of("0")).await), "audit_unavailable");
    assert_eq!(upstream.count(), 1);
}
