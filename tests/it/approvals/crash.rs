//! A process that ends between a decision and what it lets through. The two are commits of their
//! own: after the first the approval is there for whoever repeats the call, and the second spends
//! it and records what is about to be sent, both or neither.

use super::super::support::Act;
use super::*;

/// Breaks the commit that spends an approval, and mends it.
const BREAK: &str = "CREATE TRIGGER broken BEFORE UPDATE ON holds WHEN NEW.state = 'spent' \
                     BEGIN SELECT RAISE(ABORT, 'broken'); END";
const MEND: &str = "DROP TRIGGER broken";

#[tokio::test]
async fn what_was_decided_and_not_spent_lets_one_repeat_through_in_another_process() {
    let upstream = Upstream::willing().await;
    let bridge = held_by(&upstream, "{ ask = [\"client\"] }").await;
    let asked = question(&asking(&bridge, "bot", request("refund", FIVE), Asking::Round).await);
    let state = asked.state.expect("a state");
    bridge.sql(BREAK).await;
    let round = || with_answer(FIVE, &state, Some(yes()));
    let broken = asking(&bridge, "bot", round(), Asking::Round).await;
    assert_eq!((code(&broken), upstream.count()), ("audit_unavailable", 0));
    bridge.sql(MEND).await;
    // The yes is on record; it is of use to its own call alone, and once.
    let beside = bridge.beside().await;
    let watch = || CallWatch { asking: Asking::Round, ..CallWatch::default() };
    let other = beside.call(caller("eve"), round(), watch()).await.expect("a reply");
    assert_eq!((code(&other), upstream.count()), ("denied", 0));
    let replies = futures::future::join_all((0..5).map(|_| {
        let beside = beside.clone();
        let (round, watch) = (round(), watch());
        async move { beside.call(caller("bot"), round, watch).await.expect("a reply") }
    }))
    .await;
    let through = replies.iter().filter(|reply| code(reply) == "succeeded").count();
    assert_eq!((through, upstream.count()), (1, 1));
}

#[tokio::test]
async fn what_was_spent_by_a_process_that_is_gone_lets_nothing_through_again() {
    let upstream = Upstream::new([Act::Hang]).await;
    let bridge = held_by(&upstream, "true").await;
    let hold = hold_of(&bridge.call("refund", FIVE).await);
    bridge.approve(&hold).await;
    let named = || CallRequest { approval: Some(hold.clone()), ..request("refund", FIVE) };
    let gateway = bridge.gateway.clone();
    let first = named();
    let killed = tokio::spawn(async move {
        gateway.call(caller("bot"), first, CallWatch::default()).await.is_ok()
    });
    upstream.until_seen(1).await;
    let beside = bridge.beside().await;
    let again = beside.call(caller("bot"), named(), CallWatch::default()).await.expect("a reply");
    assert_eq!((code(&again), upstream.count()), ("denied", 1));
    // And without the handle it is a new call, which a person decides on.
    let anew = beside.call(caller("bot"), request("refund", FIVE), CallWatch::default()).await;
    assert_ne!(hold_of(&anew.expect("a reply")), hold);
    assert_eq!(upstream.count(), 1);
    killed.abort();
}
