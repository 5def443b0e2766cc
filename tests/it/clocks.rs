//! The wall clock jumps: what goes by it, and what does not.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use tollbridge::store::system_clock;

use super::support::{Draft, Upstream, code, failure};

const FIVE: &str = r#"{"body": {"amount": 5}}"#;

/// Limits, circuits, the budget of repetitions, waits and deadlines are counted by a clock that only
/// goes forward.
#[test]
fn what_is_waited_for_goes_by_no_wall_clock() {
    let bridge = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bridge");
    let places = [
        "breaker.rs",
        "budget.rs",
        "engine",
        "exchange.rs",
        "gate.rs",
        "limiter",
        "poll.rs",
        "retry.rs",
        "traffic.rs",
    ];
    for place in places {
        let path = bridge.join(place);
        let files = match std::fs::read_dir(&path) {
            Ok(folder) => folder.map(|entry| entry.expect("an entry").path()).collect(),
            Err(_) => vec![path],
        };
        for file in files {
            let text = std::fs::read_to_string(&file).expect("a source");
            for read in ["SystemTime::now", "Timestamp::now", "Utc::now", "system_clock"] {
                assert!(!text.contains(read), "{} reads the wall clock", file.display());
            }
        }
    }
}

#[tokio::test]
async fn a_window_counts_on_when_the_clock_goes_back_and_lets_nothing_more_through() {
    static LATER: AtomicI64 = AtomicI64::new(0);
    fn clock() -> i64 {
        system_clock() + LATER.load(Ordering::Relaxed) * 1_000_000
    }
    let upstream = Upstream::willing().await;
    let rules = "name = \"list\"\ncalls = { limit = 2, per = \"1m\" }";
    let bridge = Draft::to(&upstream.url()).tool("listItems", rules).open_at(clock).await;
    assert_eq!(code(&bridge.call("list", "{}").await), "succeeded");
    LATER.store(-3_600, Ordering::Relaxed);
    assert_eq!(code(&bridge.call("list", "{}").await), "succeeded");
    let full = bridge.call("list", "{}").await;
    assert_eq!((code(&full), upstream.count()), ("rate_limited", 2));
    // It says how long that really is by the clock as it is now.
    let wait = failure(&full).retry_after_s.expect("a time");
    assert!((3_600..=3_660).contains(&wait), "{wait}");
    // Set right again, it goes on as if nothing had been.
    LATER.store(61, Ordering::Relaxed);
    assert_eq!(code(&bridge.call("list", "{}").await), "succeeded");
}

#[tokio::test]
async fn an_approval_outlives_no_jump_forward() {
    static LATER: AtomicI64 = AtomicI64::new(0);
    fn clock() -> i64 {
        system_clock() + LATER.load(Ordering::Relaxed) * 1_000_000
    }
    let upstream = Upstream::willing().await;
    let rules = "hold = { expires = \"1h\" }";
    let bridge = Draft::to(&upstream.url()).tool("createRefund", rules).open_at(clock).await;
    let held = bridge.call("create_refund", FIVE).await;
    bridge.approve(&failure(&held).hold.as_ref().expect("a hold").id).await;
    LATER.store(7_200, Ordering::Relaxed);
    assert_eq!(code(&bridge.call("create_refund", FIVE).await), "held");
    // Set right again, the approval is what it was; it lets one call through.
    LATER.store(0, Ordering::Relaxed);
    assert_eq!(upstream.count(), 0);
}
