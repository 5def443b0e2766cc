//! What people who decide write is kept by the rules that an agent's words are kept by.

use serde_json::{Value, json};
use tollbridge::gateway::{self, Answer, Approver, Edit};

use super::super::support::{Bridge, Draft, Upstream, code, failure, request};
use super::{FIVE, asking, hold_of, person};

const MAIL: &str = "ann@shop.example";
const CARD: &str = "4111 1111 1111 1111";

/// A bridge on which nobody writes e-mail addresses, and refunds say for whom they are in a note.
async fn bridge(upstream: &Upstream) -> Bridge {
    let keys = "name = \"refund\"\nhold = { ask = [\"client\", \"operator\"] }\n\
                redact = [\"/body/note\"]";
    Draft::to(&upstream.url())
        .audit("\n[redact]\ndetect = [\"emails\"]")
        .tool("createRefund", keys)
        .open()
        .await
}

/// All that the trail says, and what is kept of the held call.
async fn on_record(bridge: &Bridge, hold: &str) -> (String, Option<String>) {
    let store = bridge.gateway.store();
    let events = store.events_after(0).await.unwrap().into_iter();
    let said = events.flat_map(|event| [Some(event.body), event.payload]).flatten().collect();
    (said, store.hold(hold).await.unwrap().unwrap().reason)
}

#[tokio::test]
async fn a_reason_is_kept_by_the_rules_of_the_tool() {
    let upstream = Upstream::willing().await;
    let reason = || Some(format!("{MAIL} called, {CARD}"));
    for approves in [true, false] {
        let bridge = bridge(&upstream).await;
        let hold = hold_of(&bridge.call("refund", FIVE).await);
        let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
        let by = Approver::from("operator:ann").under(&toolbox);
        let decided = if approves {
            gateway::approve(store, &hold, by, reason()).await
        } else {
            gateway::reject(store, &hold, by, reason()).await
        };
        decided.unwrap();
        let (said, kept) = on_record(&bridge, &hold).await;
        assert_eq!(kept, Some(format!("[redacted] called, {CARD}")));
        assert!(said.contains(CARD) && !said.contains(MAIL), "{said}");
        let reply = bridge.call("refund", FIVE).await;
        assert_eq!(code(&reply), if approves { "succeeded" } else { "denied" });
        assert!(!format!("{reply:?}").contains(MAIL), "{reply:?}");
    }
}

#[tokio::test]
async fn where_nobody_knows_the_rules_nothing_is_kept_that_any_detector_finds() {
    let bridge = bridge(&Upstream::willing().await).await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    let reason = Some(format!("{MAIL} {CARD}"));
    gateway::reject(bridge.gateway.store(), &hold, "operator:ann", reason).await.unwrap();
    let (said, kept) = on_record(&bridge, &hold).await;
    assert_eq!(kept.as_deref(), Some("[redacted] [redacted]"));
    assert!(!said.contains(MAIL) && !said.contains(CARD), "{said}");
}

#[tokio::test]
async fn what_a_person_at_the_client_writes_is_kept_so_too() {
    let bridge = bridge(&Upstream::willing().await).await;
    let (client, _) = person(Some(Answer::No { reason: Some(format!("ask {MAIL}")) }));
    let reply = asking(&bridge, "bot", request("refund", FIVE), client).await;
    assert!(failure(&reply).message.contains("ask [redacted]"), "{reply:?}");
    let hold = bridge.gateway.store().holds(None).await.unwrap().remove(0).id;
    let (said, kept) = on_record(&bridge, &hold).await;
    assert_eq!(kept.as_deref(), Some("ask [redacted]"));
    assert!(!said.contains(MAIL), "{said}");
}

#[tokio::test]
async fn an_argument_that_is_kept_out_is_so_where_a_person_wrote_it() {
    let upstream = Upstream::willing().await;
    let bridge = bridge(&upstream).await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    let (store, toolbox) = (bridge.gateway.store(), bridge.gateway.toolbox());
    let edits = [Edit { at: "/body/note".into(), value: Some(json!("for patient-78")) }];
    let reason = Some("because of for patient-78".to_owned());
    gateway::edit(store, &toolbox, &hold, &edits, "operator:ann", reason).await.unwrap();
    let (said, kept) = on_record(&bridge, &hold).await;
    assert!(!said.contains("patient-78"), "{said}");
    assert_eq!(kept.as_deref(), Some("because of [redacted]"));
    assert_eq!(code(&bridge.call("refund", FIVE).await), "succeeded");
    let sent: Value = serde_json::from_str(&upstream.seen()[0].body).unwrap();
    assert_eq!(sent, json!({"amount": 5, "note": "for patient-78"}), "the API gets it whole");
    assert!(!on_record(&bridge, &hold).await.0.contains("patient-78"));
}
