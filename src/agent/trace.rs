//! The trace that a request is made in, as its client says it (W3C Trace Context).
//!
//! MCP reserves `traceparent` and `tracestate` in `_meta` for it (SEP-414): what stands there comes
//! from whoever made the request, over any transport. The HTTP header of the same name is of the hop
//! before, which may be a proxy or one connection for many requests; so it counts where `_meta` has
//! none that can be read. The two are never mixed: a state belongs to its parent.

use http::HeaderMap;
use serde_json::Value;
use tollbridge_operation::Trace;

/// Reads it where it is. What is malformed is as if it were not there.
pub(super) fn of(
    traceparent: Option<&Value>,
    tracestate: Option<&Value>,
    headers: Option<&HeaderMap>,
) -> Option<Trace> {
    let text = |value: Option<&'_ Value>| value.and_then(Value::as_str).map(str::to_owned);
    text(traceparent)
        .and_then(|parent| Trace::read(&parent, text(tracestate).as_deref()))
        .or_else(|| headers.and_then(of_headers))
}

fn of_headers(headers: &HeaderMap) -> Option<Trace> {
    let mut parents = headers.get_all("traceparent").iter();
    let parent = parents.next()?.to_str().ok()?;
    if parents.next().is_some() {
        return None;
    }
    // Several headers are one list (§3.3, RFC 9110 §5.3).
    let states = headers.get_all("tracestate").iter().map(|value| value.to_str().ok());
    let states: Option<Vec<&str>> = states.collect();
    Trace::read(parent, states.map(|states| states.join(",")).as_deref())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use serde_json::json;

    use super::*;

    const ONE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn headers(all: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_the_message_says_counts_before_the_header_and_with_its_own_state() {
        let sent = headers(&[("traceparent", OTHER), ("tracestate", "hop=1")]);
        let (meta, state) = (json!(ONE), json!("agent=1"));
        for (parent, state, expected) in [
            (Some(&meta), Some(&state), (ONE, Some("agent=1"))),
            (Some(&meta), None, (ONE, None)),
            (None, Some(&state), (OTHER, Some("hop=1"))),
            (Some(&json!("nonsense")), Some(&state), (OTHER, Some("hop=1"))),
            (Some(&json!(7)), None, (OTHER, Some("hop=1"))),
        ] {
            let trace = of(parent, state, Some(&sent)).expect("a trace");
            assert_eq!((&*trace.traceparent(), trace.tracestate()), expected, "{parent:?}");
        }
        assert_eq!(of(None, None, None), None);
    }

    #[test]
    fn two_parents_are_none_and_several_states_are_one() {
        assert_eq!(
            of(None, None, Some(&headers(&[("traceparent", ONE), ("traceparent", ONE)]))),
            None
        );
        let several = [("traceparent", ONE), ("tracestate", "a=1"), ("tracestate", "b=2,c=3")];
        let trace = of(None, None, Some(&headers(&several))).expect("a trace");
        assert_eq!(trace.tracestate(), Some("a=1,b=2,c=3"));
    }
}
