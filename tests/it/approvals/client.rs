//! The person at the caller's own client.

use std::sync::atomic::{AtomicI64, Ordering};

use futures::FutureExt as _;
use serde_json::json;
use tollbridge::gateway::{self, Answer, Asker, Asking, Reply};
use tollbridge::store::system_clock;

use super::super::support::{Draft, Folder, Upstream, code, failure, request};
use super::{FIVE, asking, held_by, hold_of, person, question, with_answer, yes};

const CLIENT: &str = "{ ask = [\"client\", \"operator\"] }";
const CLIENT_ALONE: &str = "{ ask = [\"client\"], wait = \"300ms\" }";

#[tokio::test]
async fn who_is_asked_while_the_call_stays_open_decides() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, CLIENT).await;
    let (client, asked) = person(Some(yes()));
    let reply = asking(&bridge, "bot", request("refund", FIVE), client).await;
    assert_eq!(code(&reply), "succeeded", "{reply:?}");
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].arguments, json!({"body": {"amount": 5}}));
    assert_eq!(asked[0].target, format!("POST {}/refunds", upstream.url()));
    assert_eq!((asked[0].tool.as_str(), asked[0].rule.as_str()), ("refund", "refund.hold"));
    let record = bridge.record(&reply).await;
    let approved = record.events.iter().find(|event| event.body["kind"] == "approved").unwrap();
    assert_eq!(approved.body["by"], "client:bot");

    let reason = Some("too much".to_owned());
    let (client, _) = person(Some(Answer::No { reason }));
    let reply = asking(&bridge, "bot", request("refund", FIVE), client).await;
    assert_eq!(code(&reply), "denied");
    assert!(failure(&reply).message.contains("too much"), "{reply:?}");
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn who_does_not_decide_leaves_it_to_an_operator_where_one_may() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, CLIENT).await;
    let (client, _) = person(Some(Answer::None));
    let hold = hold_of(&asking(&bridge, "bot", request("refund", FIVE), client).await);
    bridge.approve(&hold).await;
    assert_eq!(code(&bridge.call("refund", FIVE).await), "succeeded");
}

#[tokio::test]
async fn where_the_client_alone_may_decide_no_answer_is_a_no() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, CLIENT_ALONE).await;
    let (client, _) = person(None);
    let reply = asking(&bridge, "bot", request("refund", FIVE), client).await;
    assert_eq!(code(&reply), "denied");
    assert!(failure(&reply).message.contains("nobody answered"), "{reply:?}");
    let other = r#"{"body": {"amount": 6}}"#;
    let reply = bridge.call("refund", other).await;
    assert_eq!(code(&reply), "denied", "a client that cannot ask");
    assert!(failure(&reply).message.contains("elicitation"), "{reply:?}");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn an_operator_may_not_decide_for_the_client_nor_a_client_where_it_is_not_asked() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, CLIENT_ALONE).await;
    let reply = asking(&bridge, "bot", request("refund", FIVE), Asking::Round).await;
    let hold = question(&reply).hold;
    let told = gateway::approve(bridge.gateway.store(), &hold, "operator:ann", None).await;
    assert!(told.unwrap_err().to_string().contains("person at the client"));

    let bridge = held_by(&upstream, "true").await;
    let (client, asked) = person(Some(yes()));
    hold_of(&asking(&bridge, "bot", request("refund", FIVE), client).await);
    let reply = asking(&bridge, "bot", request("refund", FIVE), Asking::Round).await;
    hold_of(&reply);
    assert!(failure(&reply).hold.as_ref().unwrap().question.is_none());
    assert!(asked.lock().unwrap().is_empty());
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn an_answer_is_bound_to_the_policy_files_too() {
    let upstream = Upstream::willing().await;
    let draft = || {
        Draft::to(&upstream.url())
            .audit("\n[safety]\npolicies = [\"shop.cedar\"]")
            .tool("createRefund", &format!("name = \"refund\"\nhold = {CLIENT}"))
    };
    let folder = Folder::new();
    folder.write("shop.cedar", "");
    let bridge = draft().open_in(folder).await;
    let asked = question(&asking(&bridge, "bot", request("refund", FIVE), Asking::Round).await);
    bridge.folder.write("shop.cedar", "forbid(principal == Identity::\"eve\", action, resource);");
    bridge.reload(draft()).await;
    let reply = round(&bridge, &asked.state.expect("a state"), Some(yes())).await;
    assert_eq!((code(&reply), upstream.count()), ("denied", 0));
    assert!(failure(&reply).message.contains("rules were changed"), "{reply:?}");
}

#[tokio::test]
async fn a_hold_of_a_policy_may_say_who_is_asked_and_for_how_long() {
    let upstream = Upstream::willing().await;
    let policy = "@hold @ask(\"client\") @wait(\"1s\")
        forbid(principal, action in Action::\"call\", resource);";
    let draft = |keys: &str| {
        Draft::to(&upstream.url())
            .audit("\n[safety]\npolicies = [\"shop.cedar\"]")
            .tool("createRefund", &format!("name = \"refund\"\n{keys}"))
    };
    let folder = Folder::new();
    folder.write("shop.cedar", policy);
    let bridge = draft("").open_in(folder).await;
    assert!(
        bridge
            .gateway
            .toolbox()
            .exposed()
            .iter()
            .all(|tool| { bridge.gateway.toolbox().asks_client(tool) })
    );
    let (client, asked) = person(Some(yes()));
    let reply = asking(&bridge, "bot", request("refund", FIVE), client).await;
    assert_eq!(code(&reply), "succeeded", "{reply:?}");
    assert_eq!(asked.lock().unwrap()[0].rule, "shop.1");
    let (mute, _) = person(None);
    let reply = asking(&bridge, "bot", request("refund", FIVE), mute).await;
    assert_eq!(code(&reply), "denied");
    assert!(failure(&reply).message.contains("nobody answered"), "{reply:?}");
    // Where the tool's own hold asks operators alone, nobody else decides.
    bridge.reload(draft("hold = true")).await;
    let (client, asked) = person(Some(yes()));
    let other = request("refund", r#"{"body": {"amount": 6}}"#);
    hold_of(&asking(&bridge, "bot", other, client).await);
    assert!(asked.lock().unwrap().is_empty());
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn who_is_asked_hears_why_the_agent_makes_the_call() {
    let upstream = Upstream::willing().await;
    let keys = format!("name = \"refund\"\nreason = \"optional\"\nhold = {CLIENT}");
    let bridge = Draft::to(&upstream.url()).tool("createRefund", &keys).open().await;
    let (client, asked) = person(Some(yes()));
    let call = request("refund", r#"{"body": {"amount": 5}, "reason": "the parcel was lost"}"#);
    assert_eq!(code(&asking(&bridge, "bot", call, client).await), "succeeded");
    assert_eq!(asked.lock().unwrap()[0].stated.as_deref(), Some("the parcel was lost"));
}

async fn round(bridge: &super::Bridge, state: &str, answer: Option<Answer>) -> Reply {
    asking(bridge, "bot", with_answer(FIVE, state, answer), Asking::Round).await
}

#[tokio::test]
async fn a_call_that_ended_with_a_question_goes_on_with_the_answer_once() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, CLIENT).await;
    let asked = question(&asking(&bridge, "bot", request("refund", FIVE), Asking::Round).await);
    let state = asked.state.expect("a state");
    let again = question(&round(&bridge, &state, None).await);
    assert_eq!(again.hold, asked.hold, "without an answer it is asked again");
    assert_eq!(upstream.count(), 0);
    assert_eq!(code(&round(&bridge, &state, Some(yes())).await), "succeeded");
    for answer in [Some(yes()), None] {
        let replayed = round(&bridge, &state, answer).await;
        assert_eq!(code(&replayed), "denied");
        assert!(failure(&replayed).message.contains("was used"), "{replayed:?}");
    }
    assert_eq!(upstream.count(), 1);
}

#[tokio::test]
async fn twenty_replays_at_once_do_it_once() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, CLIENT).await;
    let asked = question(&asking(&bridge, "bot", request("refund", FIVE), Asking::Round).await);
    let state = asked.state.expect("a state");
    let calls = (0..20).map(|_| round(&bridge, &state, Some(yes())));
    let replies = futures::future::join_all(calls).await;
    let through = replies.iter().filter(|reply| code(reply) == "succeeded").count();
    assert_eq!((through, upstream.count()), (1, 1));
}

#[tokio::test]
async fn a_no_is_a_no_and_whoever_does_not_decide_leaves_it_open() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, CLIENT).await;
    let asked = question(&asking(&bridge, "bot", request("refund", FIVE), Asking::Round).await);
    let state = asked.state.expect("a state");
    let dismissed = round(&bridge, &state, Some(Answer::None)).await;
    assert_eq!(hold_of(&dismissed), asked.hold);
    assert!(failure(&dismissed).hold.as_ref().unwrap().question.is_none(), "not asked on and on");
    let reason = Some("no".to_owned());
    assert_eq!(code(&round(&bridge, &state, Some(Answer::No { reason })).await), "denied");
    assert_eq!(code(&round(&bridge, &state, Some(yes())).await), "denied", "a no stands");
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn who_says_no_does_not_see_the_call_made_because_an_operator_was_quicker() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, CLIENT).await;
    let asked = question(&asking(&bridge, "bot", request("refund", FIVE), Asking::Round).await);
    bridge.approve(&asked.hold).await;
    let no = Answer::No { reason: None };
    let reply = round(&bridge, &asked.state.expect("a state"), Some(no.clone())).await;
    assert_eq!((code(&reply), upstream.count()), ("denied", 0));
    assert!(failure(&reply).message.contains("said no"), "{reply:?}");
    // The same where the call stays open: the operator decides while the person is asked.
    let other = bridge.other_store().await;
    let client = Asker::new(move |question, _| {
        let (other, no) = (other.clone(), no.clone());
        async move {
            gateway::approve(&other, &question.hold, "operator:ann", None).await.unwrap();
            no
        }
        .boxed()
    });
    let six = request("refund", r#"{"body": {"amount": 6}}"#);
    let reply = asking(&bridge, "bot", six, Asking::Live(client)).await;
    assert_eq!((code(&reply), upstream.count()), ("denied", 0));
    // What the operator decided stays decided.
    assert_eq!(code(&bridge.call("refund", FIVE).await), "succeeded");
}

#[tokio::test]
async fn an_answer_is_bound_to_its_question() {
    static LATER: AtomicI64 = AtomicI64::new(0);
    fn clock() -> i64 {
        system_clock() + LATER.load(Ordering::Relaxed) * 1_000_000
    }
    let upstream = Upstream::willing().await;
    let keys = format!("name = \"refund\"\nhold = {CLIENT}");
    let draft = || {
        Draft::to(&upstream.url())
            .tool("createRefund", &keys)
            .tool("createRefund", &keys.replace("\"refund\"", "\"payout\""))
    };
    let bridge = draft().open_at(clock).await;
    let first = asking(&bridge, "bot", request("refund", FIVE), Asking::Round).await;
    let state = question(&first).state.expect("a state");

    let refused = async |who: &str, request, word: &str| {
        let reply = asking(&bridge, who, request, Asking::Round).await;
        assert_eq!(code(&reply), "denied", "{word}");
        let failure = failure(&reply);
        assert!(failure.message.contains(word), "{word}: {}", failure.message);
        assert!(failure.next_step.contains("without requestState"), "{}", failure.next_step);
    };
    let of = |arguments: &str, state: &str| with_answer(arguments, state, Some(yes()));
    refused("eve", of(FIVE, &state), "not made for you").await;
    let tampered = format!("{}A", &state[..state.len() - 1]);
    let tampered =
        if tampered == state { format!("{}B", &state[..state.len() - 1]) } else { tampered };
    refused("bot", of(FIVE, &tampered), "was changed").await;
    refused("bot", of(FIVE, "made up"), "was changed").await;
    refused("bot", of(r#"{"body": {"amount": 500}}"#, &state), "other arguments").await;
    let mut payout = of(FIVE, &state);
    payout.tool = "payout".to_owned();
    refused("bot", payout, "not known").await;
    bridge.reload(draft().api("timeout = \"20s\"")).await;
    refused("bot", of(FIVE, &state), "rules were changed").await;
    let anew = asking(&bridge, "bot", request("refund", FIVE), Asking::Round).await;
    let anew = question(&anew);
    assert_eq!(anew.hold, question(&first).hold);
    let state = anew.state.expect("a state");
    LATER.store(601, Ordering::Relaxed);
    refused("bot", of(FIVE, &state), "run out").await;
    assert_eq!(upstream.count(), 0);
}
