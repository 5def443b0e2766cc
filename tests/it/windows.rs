//! Limits on how often a tool may be called.

use std::sync::atomic::{AtomicI64, Ordering};

use futures::future::join_all;
use tollbridge::gateway::CallWatch;
use tollbridge::store::system_clock;

use super::support::{Bridge, Draft, Upstream, caller, code, failure, request};

async fn limited(upstream: &Upstream, limit: u32, by: &str) -> Bridge {
    let rules = format!(
        "name = \"refund\"\ncalls = {{ limit = {limit}, per = \"1h\", by = \"{by}\" }}\n\
         [tool.args.\"/body/amount\"]\nmax = 500"
    );
    Draft::to(&upstream.url()).tool("createRefund", &rules).open().await
}

const GOOD: &str = r#"{"body": {"amount": 5}}"#;

#[tokio::test]
async fn a_window_counts_only_what_was_allowed_to_go_out() {
    let upstream = Upstream::willing().await;
    let bridge = limited(&upstream, 2, "identity").await;
    for _ in 0..3 {
        let denied = bridge.call("refund", r#"{"body": {"amount": 501}}"#).await;
        assert_eq!(code(&denied), "denied");
        assert_eq!(code(&bridge.call("refund", "{}").await), "invalid_arguments");
    }
    assert_eq!(code(&bridge.call("refund", GOOD).await), "succeeded");
    assert_eq!(code(&bridge.call("refund", GOOD).await), "succeeded");
    let full = bridge.call("refund", GOOD).await;
    assert_eq!(code(&full), "rate_limited");
    let wait = failure(&full).retry_after_s.expect("a time");
    assert!((3_500..=3_600).contains(&wait), "{wait}");
    assert!(failure(&full).retryable);
    let record = bridge.record(&full).await;
    assert_eq!(record.decision.unwrap().rules, ["refund.calls"]);
    assert!(record.attempts.is_empty());
    assert_eq!(upstream.count(), 2);
}

#[tokio::test]
async fn of_fifty_calls_at_once_a_limit_of_ten_lets_ten_out() {
    let upstream = Upstream::willing().await;
    let bridge = limited(&upstream, 10, "tool").await;
    // Half of them come in by another process.
    let other = bridge.beside().await;
    let calls =
        (0..50).map(|n| {
            let gateway = if n % 2 == 0 { &bridge.gateway } else { &other };
            let caller = caller(&format!("bot-{n}"));
            async move {
                gateway.call(caller, request("refund", GOOD), CallWatch::default()).await.unwrap()
            }
        });
    let replies = join_all(calls).await;
    let ended = |word: &str| replies.iter().filter(|reply| code(reply) == word).count();
    assert_eq!((ended("succeeded"), ended("rate_limited")), (10, 40));
    assert_eq!(upstream.count(), 10);
    assert_eq!(bridge.trail().await.len(), 50);
}

#[tokio::test]
async fn a_window_is_each_identitys_own_or_the_tools() {
    for (by, second) in [("identity", "succeeded"), ("tool", "rate_limited")] {
        let upstream = Upstream::willing().await;
        let bridge = limited(&upstream, 1, by).await;
        assert_eq!(code(&bridge.call_as("ann", "refund", GOOD).await), "succeeded", "{by}");
        assert_eq!(code(&bridge.call_as("bob", "refund", GOOD).await), second, "{by}");
        assert_eq!(code(&bridge.call_as("ann", "refund", GOOD).await), "rate_limited", "{by}");
    }
}

#[tokio::test]
async fn a_window_slides() {
    static LATER: AtomicI64 = AtomicI64::new(0);
    fn clock() -> i64 {
        system_clock() + LATER.load(Ordering::Relaxed) * 1_000_000
    }
    let upstream = Upstream::willing().await;
    let rules = "name = \"list\"\ncalls = { limit = 1, per = \"1m\" }";
    let bridge = Draft::to(&upstream.url()).tool("listItems", rules).open_at(clock).await;
    assert_eq!(code(&bridge.call("list", "{}").await), "succeeded");
    LATER.store(50, Ordering::Relaxed);
    let full = bridge.call("list", "{}").await;
    let wait = failure(&full).retry_after_s.expect("a time");
    assert!((5..=10).contains(&wait), "{wait}");
    LATER.store(61, Ordering::Relaxed);
    assert_eq!(code(&bridge.call("list", "{}").await), "succeeded");
}

#[tokio::test]
async fn a_full_window_uses_up_no_approval_and_a_hold_no_window() {
    static LATER: AtomicI64 = AtomicI64::new(0);
    fn clock() -> i64 {
        system_clock() + LATER.load(Ordering::Relaxed) * 1_000_000
    }
    let upstream = Upstream::willing().await;
    let rules = "name = \"list\"\nhold = { identities = [\"bot\"], expires = \"1h\" }\n\
                 calls = { limit = 1, per = \"1m\", by = \"tool\" }";
    let bridge = Draft::to(&upstream.url()).tool("listItems", rules).open_at(clock).await;
    let held = bridge.call("list", "{}").await;
    assert_eq!(code(&bridge.call("list", "{}").await), "held");
    assert_eq!(code(&bridge.call_as("ann", "list", "{}").await), "succeeded");
    bridge.approve(&failure(&held).hold.as_ref().expect("a hold").id).await;
    assert_eq!(code(&bridge.call("list", "{}").await), "rate_limited");
    LATER.store(61, Ordering::Relaxed);
    assert_eq!(code(&bridge.call("list", "{}").await), "succeeded");
    assert_eq!(upstream.count(), 2);
}
