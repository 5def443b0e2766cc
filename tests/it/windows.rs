//! Limits on how often a tool may be called.

use std::sync::atomic::{AtomicI64, Ordering};

use futures::future::join_all;
use tollbridge::store::system_clock;

use super::support::{Bridge, Draft, Upstream, code, failure};

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
    let other = Bridge {
        gateway: tollbridge::gateway::Gateway::new(
            bridge.other_store().await,
            tollbridge::gateway::load(
                &bridge.folder.file("tools.toml"),
                tollbridge::gateway::Secrets::Resolve,
            )
            .unwrap()
            .toolbox,
            std::sync::Arc::default(),
        ),
        folder: super::support::Folder::new(),
    };
    // Half of them come through another process's store.
    let calls = (0..50).map(|n| {
        let bridge = if n % 2 == 0 { &bridge } else { &other };
        async move { bridge.call_as(&format!("bot-{n}"), "refund", GOOD).await }
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
