//! An event of a call in words: what people read of it in `trace show`. Whatever the words do not say
//! stands behind them by its name, so that nothing of the event is left out.

use serde_json::{Map, Value};

/// What is told elsewhere.
const ELSEWHERE: [&str; 3] = ["kind", "arguments", "considered"];

/// What is told of the call as a whole, and stands in its first event.
const OF_THE_CALL: [&str; 7] = ["identity", "tool", "api", "operation", "reason", "config", "spec"];

/// An event's members, each of which is told once.
struct Telling {
    rest: Map<String, Value>,
}

/// An event in words, behind its name.
pub(super) fn event(body: &Map<String, Value>) -> String {
    let kind = body.get("kind").and_then(Value::as_str).unwrap_or_default();
    let mut one = Telling { rest: body.clone() };
    let edited = one.rest.get("arguments").filter(|_| kind == "edited").map(Value::to_string);
    let is_first = kind == "received";
    one.rest.retain(|name, value| {
        let told = ELSEWHERE.contains(&&**name) || is_first && OF_THE_CALL.contains(&&**name);
        !told && !is_empty(value)
    });
    let words = match kind {
        "received" => join([one.of("over ", "transport"), one.of("from ", "client")]),
        "decided" => {
            let by = join([one.of("", "effect"), one.of("by ", "rules")]);
            because(by, one.take("reason"))
        }
        "held" => join([one.of("as ", "hold"), one.of("until ", "expires")]),
        "approved" | "rejected" | "edited" => {
            let who = join([one.of("", "hold"), one.of("by ", "by"), one.of("at ", "decided")]);
            let who = because(who, one.take("reason"));
            match edited {
                Some(arguments) => format!("{who}, to {arguments}"),
                None => who,
            }
        }
        "reserved" => {
            let windows = one.of("a place in ", "windows");
            let taken = one.rest.shift_remove("budgets").map(|all| {
                let one = |taken: &Value| {
                    let text = |name| taken.get(name).map(shown).unwrap_or_default();
                    format!("{} of {}", text("amount"), text("key"))
                };
                all.as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join(", ")
            });
            windows.into_iter().chain(taken).collect::<Vec<_>>().join("; ")
        }
        "attempt_started" => {
            let what = join([one.of("", "method"), one.of("", "url")]);
            let waited = one.time("wait_ms").map(|time| format!("after {time}"));
            because(join([one.number(), Some(what), waited]), one.take("why"))
        }
        "attempt_finished" => {
            let came = one.take("status").unwrap_or_else(|| "no answer".to_owned());
            let time = one.time("duration_ms").map(|time| format!("in {time}"));
            let bytes = one.take("bytes").map(|bytes| format!("with {bytes} bytes"));
            because(join([one.number(), Some(came), time, bytes]), one.take("error"))
        }
        "fell_back" => because(join([one.of("to ", "to")]), one.take("why")),
        "passed_over" => because(join([one.of("", "operation")]), one.take("why")),
        "released" => because(join([one.of("", "reservations")]), one.take("reason")),
        "replied" => {
            let time = one.time("duration_ms").map(|time| format!("in {time}"));
            because(join([one.of("", "outcome"), time]), one.take("message"))
        }
        _ => String::new(),
    };
    let rest = one.rest.iter().map(|(name, value)| format!("{name} {}", shown(value)));
    let all = std::iter::once(words).filter(|words| !words.is_empty()).chain(rest);
    all.collect::<Vec<_>>().join("; ")
}

impl Telling {
    fn take(&mut self, name: &str) -> Option<String> {
        self.rest.shift_remove(name).map(|value| shown(&value))
    }

    /// A member behind a word.
    fn of(&mut self, before: &str, name: &str) -> Option<String> {
        self.take(name).map(|text| format!("{before}{text}"))
    }

    /// Which attempt it is.
    fn number(&mut self) -> Option<String> {
        self.take("n").map(|n| format!("{n}:"))
    }

    /// A time that is more than none.
    fn time(&mut self, name: &str) -> Option<String> {
        self.take(name).filter(|time| time != "0").map(|time| format!("{time} ms"))
    }
}

fn join(parts: impl IntoIterator<Item = Option<String>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn because(what: String, why: Option<String>) -> String {
    match why {
        Some(why) => format!("{what}: {why}"),
        None => what,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let one = |(name, value): (&String, &Value)| format!("{name} {}", shown(value));
            members.iter().map(one).collect::<Vec<_>>().join(" ")
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_event_is_told_in_words_and_whole() {
        let events = [
            json!({"kind": "received", "identity": "bot", "tool": "refund", "arguments": {"a": 1}, "transport": "http", "client": "claude/1.2", "tools": "sha256:aa", "by": {"proof": "key"}, "spec": null}),
            json!({"kind": "files_read", "files": [{"path": "a.pdf", "size": 3, "digest": "sha256:cc"}]}),
            json!({"kind": "decided", "effect": "hold", "rules": ["refund.hold"], "considered": [{"rule": "x"}]}),
            json!({"kind": "held", "hold": "h_1", "expires": "2026-11-29T10:10:00Z"}),
            json!({"kind": "edited", "hold": "h_1", "by": "operator:ann", "arguments": {"a": 2}}),
            json!({"kind": "approved", "hold": "h_1", "by": "operator:ann", "reason": "fine", "decided": "2026-11-29T10:05:00Z", "user": "root"}),
            json!({"kind": "rejected", "hold": "h_1", "by": "operator:ann"}),
            json!({"kind": "decided", "effect": "deny", "rules": ["refund.a.max", "night"], "reason": "/a must be at most 1"}),
            json!({"kind": "quoted", "price": "0.01 USDC", "terms": {"x402Version": 2}}),
            json!({"kind": "reserved", "windows": ["calls:refund:all"], "budgets": [{"key": "budget:tool=refund:calls:1h:all", "amount": "1"}]}),
            json!({"kind": "attempt_started", "n": 1, "url": "https://a.example/refunds", "method": "POST", "wait_ms": 0, "idempotency_key": "k"}),
            json!({"kind": "attempt_finished", "n": 1, "status": 503, "duration_ms": 12, "bytes": 40, "headers": {"retry-after": "1"}}),
            json!({"kind": "attempt_started", "n": 2, "url": "https://b.example/refunds", "method": "POST", "wait_ms": 1000, "why": "503 before"}),
            json!({"kind": "attempt_finished", "n": 2, "status": null, "error": "it did not answer within its time", "queued_ms": 3, "duration_ms": 5000, "bytes": 0}),
            json!({"kind": "suspicious_content", "places": [{"place": "/note", "says": "ignore all"}]}),
            json!({"kind": "fell_back", "to": "cache", "why": "it timed out"}),
            json!({"kind": "passed_over", "operation": "b/refund", "why": "a budget is used up"}),
            json!({"kind": "released", "reservations": ["refund.budget[0]"], "reason": "nothing was done"}),
            json!({"kind": "replied", "outcome": "upstream_timeout", "message": "no answer", "attempts": 2, "status": null, "upstream_ms": 5012, "bytes": 0, "cost": null, "duration_ms": 6020}),
            json!({"kind": "a_later_one", "what": "it says"}),
        ];
        let told: Vec<String> = events
            .iter()
            .map(|body| {
                format!(
                    "{:<18} {}",
                    body["kind"].as_str().expect("a kind"),
                    event(body.as_object().expect("an object"))
                )
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
