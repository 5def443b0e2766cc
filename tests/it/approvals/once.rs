//! Whatever is done in whatever order: nothing goes out but what was approved, as it was approved,
//! once, for whom it was approved, in time, and under the rules that were asked about.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;
use tollbridge::gateway::{self, Answer, Asking, CallRequest};
use tollbridge::store::system_clock;

use super::super::support::{Draft, Upstream, code, failure, request};
use super::{asking, with_answer, yes};

const WHO: [&str; 2] = ["bot", "eve"];
const EXPIRES: i64 = 600;

#[derive(Debug, Clone)]
enum Step {
    /// Somebody calls, by a client that can ask or not, naming a hold or answering a question that
    /// was handed out before, whosever it was.
    Call { who: usize, amount: u8, asks: bool, hands: Option<(usize, Hands)> },
    /// An operator decides on a hold.
    Decide { hold: usize, yes: bool },
    /// Time passes.
    Pass(i64),
    /// The configuration changes in something else.
    Reload,
}

#[derive(Debug, Clone, Copy)]
enum Hands {
    Name,
    Yes,
    No,
}

fn step() -> impl Strategy<Value = Step> {
    let hands = (
        0..6_usize,
        prop_oneof![Just(Hands::Name), Just(Hands::Yes), Just(Hands::Yes), Just(Hands::No)],
    );
    prop_oneof![
        8 => (0..2_usize, 0..2_u8, any::<bool>(), proptest::option::of(hands))
            .prop_map(|(who, amount, asks, hands)| Step::Call { who, amount, asks, hands }),
        3 => (0..6_usize, prop::bool::weighted(0.8))
            .prop_map(|(hold, yes)| Step::Decide { hold, yes }),
        1 => prop_oneof![Just(1), Just(EXPIRES - 1), Just(EXPIRES + 1)].prop_map(Step::Pass),
        1 => Just(Step::Reload),
    ]
}

/// What was handed out: of whom, for what, until when, under which configuration.
#[derive(Debug, Clone)]
struct Handed {
    hold: String,
    state: Option<String>,
    who: usize,
    amount: u8,
    until: i64,
    config: u32,
}

static LATER: AtomicI64 = AtomicI64::new(0);

fn clock() -> i64 {
    system_clock() + LATER.load(Ordering::Relaxed) * 1_000_000
}

async fn play(steps: Vec<Step>) {
    LATER.store(0, Ordering::Relaxed);
    let mut now = 0;
    let upstream = Upstream::willing().await;
    let keys = "name = \"refund\"\nhold = { ask = [\"client\", \"operator\"] }";
    let draft = |config: u32| {
        let timeout = format!("timeout = \"{}s\"", 20 + config);
        Draft::to(&upstream.url()).api(&timeout).tool("createRefund", keys)
    };
    let bridge = draft(0).open_at(clock).await;
    let mut config = 0;
    let mut handed: Vec<Handed> = Vec::new();
    // Holds that somebody who may said yes to: for whom and what, and until when.
    let mut open: BTreeMap<String, (usize, u8, i64)> = BTreeMap::new();
    let mut through = 0;
    for step in steps {
        match step {
            Step::Pass(seconds) => {
                now += seconds;
                LATER.store(now, Ordering::Relaxed);
            }
            Step::Reload => {
                config += 1;
                bridge.reload(draft(config)).await;
            }
            Step::Decide { hold, yes } => {
                let Some(one) = handed.get(hold) else { continue };
                let store = bridge.gateway.store();
                if yes {
                    let done = gateway::approve(store, &one.hold, "operator:ann", None).await;
                    if done.is_ok() {
                        assert!(now < one.until, "approved after its time");
                        open.insert(one.hold.clone(), (one.who, one.amount, one.until));
                    }
                } else {
                    let _ = gateway::reject(store, &one.hold, "operator:ann", None).await;
                }
            }
            Step::Call { who, amount, asks, hands } => {
                let arguments = format!(r#"{{"body": {{"amount": {amount}}}}}"#);
                let with = hands.and_then(|(at, hands)| Some((handed.get(at)?.clone(), hands)));
                let request = match &with {
                    None => request("refund", &arguments),
                    Some((one, Hands::Name)) => CallRequest {
                        approval: Some(one.hold.clone()),
                        ..request("refund", &arguments)
                    },
                    Some((one, hands)) => {
                        let Some(state) = &one.state else { continue };
                        let answer = match hands {
                            Hands::Yes => yes(),
                            _ => Answer::No { reason: None },
                        };
                        with_answer(&arguments, state, Some(answer))
                    }
                };
                let way = if asks { Asking::Round } else { Asking::Never };
                let reply = asking(&bridge, WHO[who], request, way).await;
                // What this answer approves, where it may.
                if let Some((one, Hands::Yes)) = &with
                    && (one.who, one.amount, one.config) == (who, amount, config)
                    && now < one.until
                {
                    open.entry(one.hold.clone()).or_insert((who, amount, one.until));
                }
                match code(&reply) {
                    "succeeded" => {
                        let fits = open.iter().find(|(_, approved)| {
                            (approved.0, approved.1) == (who, amount) && now < approved.2
                        });
                        let hold = fits.expect("somebody approved exactly this").0.clone();
                        let record = bridge.record(&reply).await;
                        let rules = record.decision.expect("a decision").rules;
                        let used = rules[1].strip_prefix("refund.hold=").expect("the hold");
                        let approved =
                            open.remove(used).unwrap_or_else(|| panic!("{used}, not {hold}"));
                        assert_eq!((approved.0, approved.1), (who, amount));
                        assert!(now < approved.2);
                        through += 1;
                        let seen = upstream.seen();
                        assert_eq!(seen.len(), through);
                        assert_eq!(seen[through - 1].body, format!(r#"{{"amount":{amount}}}"#));
                    }
                    "held" => {
                        let notice = failure(&reply).hold.as_ref().expect("a hold");
                        let state = notice.question.as_ref().and_then(|asked| asked.state.clone());
                        let known = handed.iter().find(|one| one.hold == notice.id);
                        let until = known.map_or(now + EXPIRES, |one| one.until);
                        let hold = notice.id.clone();
                        handed.push(Handed { hold, state, who, amount, until, config });
                    }
                    "denied" => {}
                    other => panic!("{other}: {reply:?}"),
                }
            }
        }
    }
    assert_eq!(upstream.count(), through);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_goes_out_was_approved_so_once_and_in_time(steps in prop::collection::vec(step(), 4..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
