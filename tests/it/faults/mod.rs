//! The fault matrix: what the agent gets, what the upstream sees and what the trail says, for
//! every fault of `docs/failure-modes.md`, whose table is written from the one here.

mod matrix;
mod names;
mod page;
mod row;
mod rows;
mod stage;

use serde_json::json;
use tollbridge::demo::faults::{Door, FaultUpstream, Script};

use crate::support::value;

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_given_to_nobody() {
    let upstream = FaultUpstream::start(Script::built_in(), &[Door::Plain], 0).await.unwrap();
    let row = row::fault(row::done(), row::done());
    let bridge = stage::bridge("answers_twice", &row, &upstream, None).await;
    for answer in [1, 2, 2] {
        let reply = bridge.call("read", "{}").await;
        assert_eq!(value(&reply), &json!({"answer": answer}));
    }
}
