//! Writes the trail.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use tollbridge::audit::{Considerations, Digests, Event, Verdict, WentBy};
use tollbridge::secret::Redactor;
use tollbridge::store::{Batch, EventRow, Store};
use tollbridge_operation::CallId;

/// What there is little of, by name.
pub(crate) const RARE_TOOL: &str = "close_account";
pub(crate) const RARE_IDENTITY: &str = "visitor";
pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
pub(crate) const DAYS: i64 = 400;

/// Calls that go down together.
const TOGETHER: i64 = 250;

const DAY: i64 = 86_400_000_000;

/// Every so many calls one is rare.
const RARELY: i64 = 300_000;

/// Writes calls until there are so many events; the last call is of now.
pub(crate) async fn fill(store: &Store, events: i64) {
    let mut written = store.last_seq().await.unwrap();
    if written >= events {
        return;
    }
    let began = Instant::now();
    let (first, now) = (written, Timestamp::now().as_microsecond());
    let mut calls = Calls { dice: Dice(7), n: 0, redactor: Redactor::default() };
    let mut said = 0;
    while written < events {
        let mut rows = Vec::new();
        for _ in 0..TOGETHER {
            let at = now
                - (events - written - i64::try_from(rows.len()).unwrap()) * (DAYS * DAY / events);
            calls.call(at, &mut rows);
        }
        written += i64::try_from(rows.len()).unwrap();
        let batch = Batch { events: rows.into(), ..Batch::default() };
        let _down = store.commit(batch).await.unwrap();
        if written / 1_000_000 > said {
            said = written / 1_000_000;
            eprintln!("{said} million after {} s", began.elapsed().as_secs());
        }
    }
    let rate = f64::from(u32::try_from(written - first).unwrap()) / began.elapsed().as_secs_f64();
    println!("written at {rate:.0} events a second");
}

struct Calls {
    dice: Dice,
    n: i64,
    redactor: Redactor,
}

impl Calls {
    /// The events of one call that came in at that time.
    fn call(&mut self, at: i64, rows: &mut Vec<EventRow>) {
        self.n += 1;
        let rare = self.n % RARELY == 1;
        let millis = Duration::from_micros(at.unsigned_abs()).as_millis().try_into().unwrap();
        let id = u128::from(self.dice.roll()) << 64 | u128::from(self.dice.roll());
        let id = CallId::new(ulid::Ulid::from_parts(millis, id).to_string());
        let dice = self.dice.fraction();
        let (denied, failed) = (dice < 0.03, !rare && dice > 0.99);
        let took = 3 + self.dice.roll() % 900;
        let row = |event: &Event, after: u64| {
            event.row(Some(&id), at + i64::try_from(after * 1000).unwrap(), &self.redactor)
        };
        let tool = if rare { RARE_TOOL.to_owned() } else { format!("tool_{}", skewed(dice, 60)) };
        let other = self.dice.fraction();
        let identity =
            if rare { RARE_IDENTITY.to_owned() } else { format!("agent-{}", skewed(other, 200)) };
        let order = self.dice.roll() % 1_000_000;
        rows.push(row(&received(identity, tool, order, rare), 0));
        let effect = if denied { Verdict::Deny } else { Verdict::Allow };
        let rules = vec!["policies/agents.cedar#office_hours".to_owned()];
        let considered = Considerations::default();
        rows.push(row(&Event::Decided { effect, rules, reason: None, considered }, 0));
        let outcome = match (denied, failed, rare) {
            (true, ..) => "denied",
            (_, true, _) => "upstream_failed",
            (.., true) => "outcome_unknown",
            _ => "succeeded",
        };
        if !denied {
            let windows = vec![format!("tool_{order}.calls/day").into()];
            rows.push(row(&Event::Reserved { windows, budgets: Vec::new() }, 0));
            for n in 1..=if failed { 3 } else { 1 } {
                rows.push(row(&started(n, order), u64::from(n)));
                rows.push(row(&finished(n, failed, took), took));
            }
        }
        rows.push(row(&replied(outcome, took), took));
    }
}

/// Numbers without a pattern, the same every time (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.roll() >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

/// Of so many one, the first ones much more often.
fn skewed(dice: f64, of: u32) -> u32 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1")]
    let one = (dice.powi(3) * f64::from(of)) as u32;
    one
}

static WENT_BY: LazyLock<WentBy> = LazyLock::new(|| {
    WentBy::new(Digests {
        tools: "sha256:5f9c2b17".to_owned(),
        config: "sha256:0b1f0f6e".to_owned(),
        policy: Some("sha256:77aa01c2".to_owned()),
        spec: Some("sha256:c0ffee00".to_owned()),
    })
});

fn received(identity: String, tool: String, order: u64, traced: bool) -> Event {
    Event::Received {
        identity: identity.into(),
        tool: tool.into(),
        api: Some("orders".into()),
        operation: Some("getOrder".into()),
        arguments: json!({"path": {"order_id": format!("ord_{order}")}, "body": {"amount": order, "currency": "EUR"}}),
        reason: Some("the customer asked where the parcel is".to_owned()),
        transport: "http".to_owned(),
        client: Some("agent/1.0".to_owned()),
        traceparent: traced.then(|| format!("00-{TRACE}-00f067aa0ba902b7-01")),
        tracestate: None,
        went_by: WentBy::clone(&WENT_BY),
        process: Some("01K9A3B4C5D6E7F8G9H0JKMNPQ".to_owned()),
        by: None,
    }
}

fn started(n: u32, order: u64) -> Event {
    Event::AttemptStarted {
        n,
        url: format!("https://orders.example/v2/orders/ord_{order}?expand=lines"),
        method: "GET".to_owned(),
        wait_ms: 0,
        why: (n > 1).then(|| "the API answered 503".to_owned()),
        idempotency_key: None,
        span: Some("00f067aa0ba902b7".to_owned()),
    }
}

fn finished(n: u32, failed: bool, duration_ms: u64) -> Event {
    Event::AttemptFinished {
        n,
        status: Some(if failed { 503 } else { 200 }),
        error: None,
        queued_ms: 0,
        duration_ms,
        bytes: 1834,
        headers: [("x-request-id".to_owned(), format!("req-{duration_ms}-{n}"))].into(),
    }
}

fn replied(outcome: &str, duration_ms: u64) -> Event {
    Event::Replied {
        outcome: outcome.to_owned(),
        message: None,
        attempts: 1,
        status: Some(200),
        served_by: Some("https://orders.example/v2".to_owned()),
        upstream_ms: duration_ms,
        bytes: 1834,
        cost: None,
        duration_ms,
    }
}
