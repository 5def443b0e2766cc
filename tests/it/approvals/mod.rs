//! Who decides on held calls, and how: with other arguments, with four eyes, while the call waits,
//! and at the caller's own client.

mod client;
mod crash;
mod edits;
mod once;
mod words;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use tollbridge::gateway::{
    Answer, Answered, Asker, Asking, CallRequest, CallWatch, Question, Reply,
};

use super::support::{Bridge, Draft, Upstream, caller, code, failure, request};

const FIVE: &str = r#"{"body": {"amount": 5}}"#;

/// A bridge whose refunds are held by this rule.
async fn held_by(upstream: &Upstream, hold: &str) -> Bridge {
    let keys = format!("name = \"refund\"\nhold = {hold}");
    Draft::to(&upstream.url()).tool("createRefund", &keys).open().await
}

fn hold_of(reply: &Reply) -> String {
    assert_eq!(code(reply), "held", "{reply:?}");
    failure(reply).hold.as_ref().expect("a hold").id.clone()
}

/// A call by a client that can be asked this way.
async fn asking(bridge: &Bridge, who: &str, request: CallRequest, asking: Asking) -> Reply {
    let watch = CallWatch { asking, ..CallWatch::default() };
    bridge.gateway.call(caller(who), request, watch).await.expect("a reply")
}

fn yes() -> Answer {
    Answer::Yes { reason: None }
}

/// A client whose person gives this answer, and the questions that they were asked.
fn person(answer: Option<Answer>) -> (Asking, Arc<Mutex<Vec<Question>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let asker = Asker::new(move |question, within| {
        seen.lock().expect("unpoisoned").push(question);
        let answer = answer.clone();
        async move {
            match answer {
                Some(answer) => answer,
                None => {
                    tokio::time::sleep(within).await;
                    Answer::None
                }
            }
        }
        .boxed()
    });
    (Asking::Live(asker), asked)
}

/// The question with which a call by a client of the newest revision ended.
fn question(reply: &Reply) -> Question {
    assert_eq!(code(reply), "held", "{reply:?}");
    let hold = failure(reply).hold.as_ref().expect("a hold");
    *hold.question.clone().expect("a question")
}

fn with_answer(arguments: &str, state: &str, answer: Option<Answer>) -> CallRequest {
    let answered = Some(Answered { state: state.to_owned(), answer });
    CallRequest { answered, ..request("refund", arguments) }
}

/// Waits for it to hold.
async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("it comes to hold");
}
