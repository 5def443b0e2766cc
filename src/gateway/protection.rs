//! What is kept back of a tool's calls: out of the trail, and out of what agents are answered.
//!
//! All of it is worked out when the toolbox is compiled. A call of a tool of which nothing is kept
//! back looks at empty lists. The API gets every call whole, and what decides on a call reads it
//! whole: this is about what is shown and what is kept.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};
use tollbridge_operation::{Drift, Payload};

use super::changed::is_masked;
use super::reply::{Failure, NextCall, Success, UpstreamAnswer};
use crate::bridge::{Failed, Pending};
use crate::secret::{Detectors, Instead, REDACTED, Redactor, Rules, Secret};
use crate::tools::ArgumentPointer;

/// The shortest text that is looked for elsewhere: shorter ones are in any text.
const LEAST_SAID: usize = 4;

/// How many texts of one answer are looked for beside it.
const MOST_SAID: usize = 64;

/// What a text may begin with, and no value does.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What is kept back of one tool's calls.
#[derive(Debug, Clone)]
pub struct Protection {
    /// Arguments that are kept out of the trail.
    pub arguments: Places,
    /// Members of answers that nobody is shown.
    pub answer: Places,
    /// What is taken out of whatever goes on record.
    pub trail: Arc<Redactor>,
    /// What is taken out of answers by its form; `None` where nothing is.
    pub answers: Option<Arc<Redactor>>,
}

/// Places in values, and what stands there instead.
#[derive(Debug, Clone)]
pub struct Places {
    /// Where.
    pub pointers: Vec<ArgumentPointer>,
    /// What then stands there.
    pub instead: Instead,
}

impl Default for Places {
    fn default() -> Self {
        Self { pointers: Vec::new(), instead: Instead::Mask }
    }
}

impl Places {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pointers.is_empty()
    }

    /// Whether what stands at a JSON pointer is taken out, or something above or below it.
    pub(super) fn cover(&self, place: &str) -> bool {
        let path = place.trim_start_matches('/').replace('/', ".");
        let path = path.replace("~1", "/").replace("~0", "~");
        let mut covered = false;
        for pointer in &self.pointers {
            pointer.each_below(&path, &mut Value::Null, &mut |_| covered = true);
        }
        covered
    }

    /// Takes out what stands at the places, and hands over the texts that were there, where they are
    /// long enough to be told from other words.
    pub(super) fn take_out(&self, value: &mut Value) -> Vec<Secret> {
        let mut said = Vec::new();
        for pointer in &self.pointers {
            pointer.each(value, &mut |found| {
                let text = self.put(found);
                if text.len() >= LEAST_SAID {
                    said.push(Secret::new(text));
                }
            });
        }
        said
    }

    /// The same of the body of an answer, which may be the text of a value: one that a media type hides,
    /// or that is cut or malformed. Where the members of the latter are nobody can tell.
    pub(super) fn take_out_of_body(&self, body: &mut Value) -> Vec<Secret> {
        if self.is_empty() {
            return Vec::new();
        }
        let Value::String(text) = body else { return self.take_out(body) };
        let begins = text.trim_start_matches(|c: char| c == BYTE_ORDER_MARK || c.is_whitespace());
        let is_quoted = begins.starts_with('"');
        if !is_quoted && !begins.starts_with(['{', '[', '<']) {
            return self.take_out(body);
        }
        match serde_json::from_str::<Value>(begins) {
            Ok(mut value) => {
                // As often as it was quoted: each time doubles its escapes, so that is not often.
                let said = self.take_out_of_body(&mut value);
                *text = value.to_string();
                said
            }
            // Words that begin with a quotation.
            Err(_) if is_quoted => self.take_out(body),
            Err(_) => {
                REDACTED.clone_into(text);
                Vec::new()
            }
        }
    }

    /// The same of a failure: of the body of what was answered, and of what is told in words.
    pub(super) fn take_out_of_failure(
        &self,
        message: &mut String,
        body: &mut Value,
        fault: Option<&mut Value>,
    ) {
        if self.is_empty() {
            return;
        }
        let mut said = self.take_out_of_body(body);
        said.extend(fault.into_iter().flat_map(|fault| self.take_out(fault)));
        said.truncate(MOST_SAID);
        if !said.is_empty() {
            clean(message, &Redactor::new(&said));
        }
    }

    /// The same in what stands at `path` of the value that the places are in.
    pub(super) fn take_out_below(&self, path: &str, value: &mut Value) {
        for pointer in &self.pointers {
            pointer.each_below(path, value, &mut |found| {
                self.put(found);
            });
        }
    }

    /// Puts something else there; what was there.
    fn put(&self, found: &mut Value) -> String {
        let text = match std::mem::take(found) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        *found = Value::String(self.instead.of(&text));
        text
    }
}

impl Protection {
    /// Nothing of a tool's own: what the trail is kept clear of in any case.
    pub fn only(trail: Arc<Redactor>) -> Self {
        Self { arguments: Places::default(), answer: Places::default(), trail, answers: None }
    }

    /// Whatever can be told by its form, where nobody knows which rules hold.
    pub(super) fn strict() -> Self {
        let detectors = Detectors { secrets: true, cards: true, ibans: true, emails: true };
        let rules = Rules { detectors, instead: Instead::Mask };
        Self::only(Arc::new(Redactor::default().with_rules(rules)))
    }

    /// Takes the members that nobody is shown out of an answer, and what they say out of what is told
    /// beside it. The links that an answer has are to be followed after this, and its selection is to
    /// be made after this: neither can hand on what it does not see.
    pub(super) fn of_answer(
        &self,
        payload: &mut Payload,
        headers: &mut Map<String, Value>,
        drift: &mut [Drift],
    ) {
        if self.answer.is_empty() {
            return;
        }
        let (Payload::Value(value) | Payload::Parts { value, .. }) = payload else { return };
        let mut said = self.answer.take_out_of_body(value);
        said.truncate(MOST_SAID);
        if said.is_empty() || headers.is_empty() && drift.is_empty() {
            return;
        }
        let redactor = Redactor::new(&said);
        clean_members(headers, &redactor);
        clean_drift(drift, &redactor);
    }

    /// The same of a failure that an API's answer is in.
    pub(super) fn of_failure(&self, failure: &mut Failure) {
        if let Failure { message, upstream: Some(UpstreamAnswer { body, fault, .. }), .. } = failure
        {
            self.answer.take_out_of_failure(message, body, fault.as_mut());
        }
    }

    /// The same of a call that its API is not done with: of where it is asked after and of how far it
    /// was, by the answers that said so. What is kept to ask after it is left as it is.
    pub(super) fn of_pending(&self, left: &mut Pending, message: &mut String) {
        let taken = left.answers.iter_mut().map(|answer| self.answer.take_out_of_body(answer));
        let mut said: Vec<Secret> = taken.flatten().collect();
        said.truncate(MOST_SAID);
        if !said.is_empty() {
            let redactor = Redactor::new(&said);
            for text in [&mut left.url, &mut left.state, message] {
                clean(text, &redactor);
            }
        }
        if let Some(redactor) = &self.answers {
            clean(&mut left.url, redactor);
            clean(&mut left.state, redactor);
        }
    }

    /// What is told of a request's failure beside it: its message, without what nobody is shown of
    /// the answer that it is about.
    pub(super) fn told_of(&self, failed: &Failed) -> String {
        let mut message = failed.message.clone();
        if let (Some(said), false) = (&failed.upstream, self.answer.is_empty()) {
            let (mut body, mut fault) = (said.body.clone(), said.fault.clone());
            self.answer.take_out_of_failure(&mut message, &mut body, fault.as_mut());
        }
        message
    }

    /// Takes out of where an answer came from what is told by its form: arguments are in it.
    pub(super) fn of_place(&self, place: &mut String) {
        if let Some(redactor) = &self.answers {
            clean(place, redactor);
        }
    }

    /// Takes out of what an agent is answered whatever is told by its form.
    pub(super) fn of_result(&self, result: &mut Result<Success, Failure>) {
        let Some(redactor) = &self.answers else { return };
        match result {
            Ok(success) => {
                if let Payload::Value(value) | Payload::Parts { value, .. } = &mut success.payload {
                    redactor.value(value);
                }
                clean_members(&mut success.headers, redactor);
                clean_drift(&mut success.drift, redactor);
                if let Some(note) = &mut success.note {
                    clean(note, redactor);
                }
                if let Some(reason) = success.pages.as_mut().and_then(|read| read.reason.as_mut()) {
                    clean(reason, redactor);
                }
                for next in &mut success.next {
                    next.arguments.retain(|_, value| redactor.leaves_json(&value.to_string()));
                }
            }
            Err(failure) => {
                clean(&mut failure.message, redactor);
                if let Some(upstream) = &mut failure.upstream {
                    redactor.value(&mut upstream.body);
                    upstream.fault.iter_mut().for_each(|fault| redactor.value(fault));
                }
            }
        }
    }
}

/// Leaves out of calls that can follow what stands for something that was taken out: it is no
/// argument.
pub(super) fn without_masked(next: &mut [NextCall]) {
    for call in next {
        call.arguments.retain(|_, value| !is_masked(value));
    }
}

fn clean(text: &mut String, redactor: &Redactor) {
    if let Cow::Owned(clean) = redactor.text(text) {
        *text = clean;
    }
}

fn clean_members(members: &mut Map<String, Value>, redactor: &Redactor) {
    members.values_mut().for_each(|value| redactor.value(value));
}

fn clean_drift(drift: &mut [Drift], redactor: &Redactor) {
    for one in drift {
        clean(&mut one.pointer, redactor);
        clean(&mut one.message, redactor);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bridge::{FailureKind, UpstreamReply};

    #[test]
    fn what_is_told_of_a_fault_is_without_what_nobody_is_shown_of_it() {
        let pointer = ArgumentPointer::parse("/reason").expect("a pointer");
        let answer = Places { pointers: vec![pointer], ..Places::default() };
        let protection = Protection { answer, ..Protection::strict() };
        let failed = Failed {
            kind: FailureKind::UpstreamError,
            message: "`shop` answered 500 with the fault Sender: no account of Ann".to_owned(),
            retryable: false,
            retry_after: None,
            untouched: false,
            upstream: Some(UpstreamReply {
                status: 500,
                body: json!("<fault/>"),
                fault: Some(json!({"code": "Sender", "reason": "no account of Ann"})),
            }),
            pending: None,
        };
        let told = protection.told_of(&failed);
        assert_eq!(told, "`shop` answered 500 with the fault Sender: [redacted]");
        assert_eq!(Protection::strict().told_of(&failed), failed.message);
    }
}
