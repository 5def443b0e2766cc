//! Against a collector of our own: good, refusing, busy, slow and gone.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use flate2::read::GzDecoder;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use tollbridge_operation::{CallId, Trace, trace};

use super::post::{Post, Sent, Signal};
use super::*;
use crate::observe::spans::{MOST_OTHERS, MOST_SPANS};
use crate::observe::{
    CALL, Channel, HttpRequest, McpRequest, Message, Metrics, OperationEnd, Origin,
};

/// What a collector was sent, head and body; of one that is no JSON, nothing.
type Seen = Arc<Mutex<Vec<(String, Value)>>>;

const GOOD: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
const BUSY: &str =
    "HTTP/1.1 503 No\r\nconnection: close\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
const REFUSES: &str = "HTTP/1.1 401 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const PARTIAL: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
                       {\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":\"too old\"}}";

/// A collector that gives its requests these answers, the last one again and again; without any it
/// gives none.
async fn collector(answers: &'static [&'static str]) -> (Collector, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let (head, body) = loop {
                stream.read_buf(&mut bytes).await.expect("read");
                let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                    continue;
                };
                let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.map_or(0, |text| text.parse().expect("a length"));
                if bytes.len() >= end + 4 + length {
                    let mut body = bytes.split_off(end + 4);
                    if head.contains("\r\ncontent-encoding: gzip\r\n") {
                        let packed = std::mem::take(&mut body);
                        let mut unpacked = GzDecoder::new(&packed[..]);
                        unpacked.read_to_end(&mut body).expect("gzip");
                    }
                    break (head, serde_json::from_slice(&body).unwrap_or_default());
                }
            };
            let n = {
                let mut kept = kept.lock().expect("a lock");
                kept.push((head, body));
                kept.len()
            };
            match answers.get(n - 1).or(answers.last()) {
                // One request a connection.
                Some(answer) => stream.write_all(answer.as_bytes()).await.expect("written"),
                None => open.push(stream),
            }
        }
    });
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static("authorization"),
        HeaderValue::from_static("Bearer t0ken"),
    )]);
    let endpoint = Url::parse(&format!("http://{address}")).expect("a URL");
    let resource = vec![("service.name".to_owned(), "shop".to_owned())];
    let interval = Duration::from_millis(20);
    let (protocol, compression) = (Protocol::Json, Compression::None);
    (Collector { endpoint, protocol, compression, headers, interval, resource }, seen)
}

fn client() -> reqwest::Client {
    crate::bridge::http_client().expect("a client")
}

/// The same collector at a port where nobody listens.
async fn gone(mut collector: Collector) -> Collector {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = gone.local_addr().expect("an address").port();
    collector.endpoint.set_port(Some(port)).expect("a port");
    collector
}

fn post(collector: &Collector, signal: Signal) -> Post {
    Post::new(client(), collector, signal)
}

async fn sent(answer: &'static [&'static str]) -> Sent {
    let (collector, _) = collector(answer).await;
    post(&collector, Signal::Metrics).send(&Value::default()).await
}

#[tokio::test]
async fn answers_are_understood_as_otlp_has_them() {
    const POINTS: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
         {\"partialSuccess\":{\"rejectedDataPoints\":\"3\",\"errorMessage\":\"too old\"}}";
    let seven = Some(Duration::from_secs(7));
    for (answer, expected) in [
        (&[GOOD], Sent::Taken),
        (&["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"], Sent::Taken),
        (&[POINTS], Sent::Partial(3, "too old".into())),
        (
            &["HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n"],
            Sent::Later("HTTP status 429".into(), seven),
        ),
        (
            &["HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"],
            Sent::Later("HTTP status 503".into(), None),
        ),
        (&[REFUSES], Sent::Refused("HTTP status 401".into())),
        (
            &["HTTP/1.1 307 Away\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"],
            Sent::Refused("HTTP status 307".into()),
        ),
    ] {
        assert_eq!(sent(answer).await, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn in_protocol_buffers_the_answer_is_in_them_too() {
    const THREE: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\n\x0b\x08\x03\x12\x07too old";
    let (mut collector, seen) = collector(&[THREE]).await;
    collector.protocol = Protocol::Protobuf;
    let message = serde_json::json!({"resourceSpans": [{}]});
    let sent = post(&collector, Signal::Traces).send(&message).await;
    assert_eq!(sent, Sent::Partial(3, "too old".into()));
    let head = seen.lock().expect("a lock")[0].0.clone();
    for line in ["content-type: application/x-protobuf", "content-length: 2"] {
        assert!(head.contains(line), "{head}");
    }
}

#[tokio::test]
async fn each_signal_has_its_path_below_the_collectors_url() {
    let (mut collector, _) = collector(&[]).await;
    for (endpoint, expected) in [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        ("https://backend.example/otlp/", "https://backend.example/otlp/v1/traces"),
    ] {
        collector.endpoint = Url::parse(endpoint).expect("a URL");
        assert_eq!(post(&collector, Signal::Traces).url.as_str(), expected);
    }
}

#[tokio::test]
async fn a_collector_that_is_gone_may_be_there_the_next_time() {
    let gone = gone(collector(&[]).await.0).await;
    let sent = post(&gone, Signal::Metrics).send(&Value::default()).await;
    assert!(matches!(&sent, Sent::Later(why, None) if !why.contains("v1/metrics")), "{sent:?}");
}

#[tokio::test]
async fn the_end_tells_what_was_counted_last() {
    let (mut collector, seen) = collector(&[GOOD]).await;
    collector.interval = Duration::from_hours(1);
    let metrics = Arc::new(Metrics::new());
    let read = Arc::clone(&metrics);
    let exporter =
        Exporter::start(&collector, client(), move || read.encode(), Arc::clone(&metrics));
    metrics.attempt("orders", Some(200));
    exporter.stop().await;
    let seen = seen.lock().expect("a lock");
    let (head, body) = &seen[0];
    assert!(head.starts_with("post /v1/metrics http/1.1\r\n"), "{head}");
    for line in ["authorization: bearer t0ken", "content-type: application/json"] {
        assert!(head.contains(line), "{head}");
    }
    assert!(body.to_string().contains("tollbridge.attempts"), "{body}");
    assert!(has(&metrics, r#"tollbridge_otlp_exports_total{signal="metrics",result="taken"} 1"#));
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_the_end_for_no_longer_than_its_time() {
    let (collector, seen) = collector(&[]).await;
    let exporter = Exporter::start(&collector, client(), String::new, Arc::default());
    let begun = Instant::now();
    while seen.lock().expect("a lock").is_empty() {
        sleep(Duration::from_millis(5)).await;
        assert!(begun.elapsed() < Duration::from_mins(1), "nothing was sent");
    }
    let task = exporter.task.abort_handle();
    exporter.stop().await;
    sleep(Duration::from_millis(20)).await;
    assert!(task.is_finished());
    assert_eq!(seen.lock().expect("a lock").len(), 1);
}

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn has(metrics: &Metrics, line: &str) -> bool {
    metrics.encode().lines().any(|found| found == line)
}

fn exporter(collector: &Collector, metrics: &Arc<Metrics>) -> TraceExporter {
    let times = (Duration::from_millis(5), Duration::from_millis(5));
    TraceExporter::paced(collector, client(), Arc::clone(metrics), times)
}

fn to_orders(status: Option<u16>, error: Option<&'static str>) -> HttpRequest {
    HttpRequest { address: "orders.example".into(), port: 443, method: "GET", status, error }
}

/// A call that ends at once.
fn call(exporter: &TraceExporter, name: &str) -> Result<(), usize> {
    let spans = exporter.tracer().begin(&CallId::new(name), Origin::default(), Channel::Pipe);
    spans.expect("it is sampled").end(Some("get_stock"), OperationEnd::Good, "succeeded")
}

#[tokio::test]
async fn a_calls_requests_are_its_children_and_ids_are_those_of_the_trail() {
    let (collector, seen) = collector(&[GOOD]).await;
    let metrics = Arc::new(Metrics::new());
    let exporter = exporter(&collector, &metrics);
    let id = CallId::new("01K4X9ZZZZZZZZZZZZZZZZZZZZ");
    let brought = Trace::read(SENT, Some("vendor=1")).map(Arc::new);
    let message = Message {
        protocol: Some("2026-07-28".into()),
        request: Some("7".into()),
        session: Some("s1".into()),
        client: Some(([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0207], 52000).into()),
        http: Some("1.1"),
    };
    let origin = Origin { trace: brought, message: Some(message.into()) };
    let spans = exporter.tracer().begin(&id, origin, Channel::Http);
    let spans = spans.expect("it is sampled");
    for (n, status) in [(1, 503), (2, 200)] {
        spans.asked(n, "https://orders.example/stock/7?key=[redacted]");
        if n > 1 {
            spans.resent(n);
        }
        spans.exchanged(n, to_orders(Some(status), None), Duration::from_millis(1));
    }
    spans.end(Some("get_stock"), OperationEnd::ToolError, "outcome_unknown").expect("room");
    exporter.stop().await;
    assert!(has(&metrics, r#"tollbridge_otlp_spans_total{result="taken"} 3"#));
    let seen = seen.lock().expect("a lock");
    let (head, body) = &seen[0];
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert_eq!(protobuf::unknown(body, protobuf::TRACES), [""; 0]);
    let resource = &body["resourceSpans"][0]["resource"]["attributes"];
    assert_eq!(resource[1], otlp_text("service.name", "shop"));
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans");
    let parent = trace::span(&id, 0);
    for (n, span) in (0..).zip(spans) {
        assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(span["spanId"], trace::span(&id, n));
        assert_eq!(span["parentSpanId"], if n == 0 { "b7ad6b7169203331" } else { &*parent });
        let nanos = |of: &str| span[of].as_str().and_then(|text| text.parse().ok());
        let (start, end): (Option<u128>, Option<u128>) =
            (nanos("startTimeUnixNano"), nanos("endTimeUnixNano"));
        assert!(start.is_some() && start <= end, "{span}");
    }
    insta::assert_snapshot!(spans.iter().map(shown).collect::<Vec<_>>().join("\n"));
}

/// A request that is no call.
fn ping() -> McpRequest<'static> {
    let (channel, end) = (Channel::Http, OperationEnd::Good);
    McpRequest { method: "ping", tool: None, prompt: None, revision: None, channel, end }
}

#[tokio::test]
async fn requests_that_are_no_calls_have_spans_of_their_own_and_none_of_the_trails_attributes() {
    let (collector, seen) = collector(&[GOOD]).await;
    let exporter = exporter(&collector, &Arc::default());
    let tracer = exporter.tracer();
    let message = Message { request: Some("8".into()), ..Message::default() };
    let within = Origin {
        trace: Trace::read(SENT, Some("vendor=1")).map(Arc::new),
        message: Some(message.into()),
    };
    let prompt = McpRequest { method: "prompts/get", prompt: Some("do_task"), ..ping() };
    let end = OperationEnd::Rpc(-32602);
    let malformed = McpRequest { method: CALL, end, ..ping() };
    let read = McpRequest { method: "resources/read", ..ping() };
    let uri = format!("tollbridge://apis/{}", "s".repeat(3000));
    let none = Origin::default;
    for (request, resource, origin) in [
        (ping(), None, within),
        (prompt, None, none()),
        (malformed, None, none()),
        (read, Some(uri), none()),
    ] {
        tracer.answered(request, resource, origin, Duration::from_millis(3)).expect("room");
    }
    exporter.stop().await;
    let seen = seen.lock().expect("a lock");
    let body = &seen[0].1;
    assert_eq!(protobuf::unknown(body, protobuf::TRACES), [""; 0]);
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().expect("spans");
    let ids: BTreeSet<_> = spans.iter().map(|span| span["spanId"].as_str()).collect();
    let traces: BTreeSet<_> = spans.iter().map(|span| span["traceId"].as_str()).collect();
    assert_eq!((ids.len(), traces.len()), (4, 4), "{spans:?}");
    assert_eq!(spans[0]["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(spans[0]["parentSpanId"], "b7ad6b7169203331");
    for span in spans {
        let nanos = |of: &str| span[of].as_str().and_then(|text| text.parse::<u128>().ok());
        let took = nanos("endTimeUnixNano").zip(nanos("startTimeUnixNano")).map(|(e, s)| e - s);
        assert_eq!(took, Some(3_000_000), "{span}");
    }
    let shown = spans.iter().map(shown).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(shown.replace(&"s".repeat(2048 - 18), "s…"));
}

/// A span but for its ids and times, a line a member.
fn shown(span: &Value) -> String {
    let mut lines = String::new();
    for member in ["name", "kind", "flags", "traceState", "status"] {
        writeln!(lines, "{member}: {}", span[member]).expect("a string takes it");
    }
    for one in span["attributes"].as_array().expect("attributes") {
        let key = one["key"].as_str().expect("a key");
        writeln!(lines, "  {key} = {}", one["value"]).expect("a string takes it");
    }
    lines
}

#[tokio::test]
async fn what_is_sent_is_compressed_where_that_is_asked_for_also_when_it_is_sent_again() {
    let message = json!({"resourceMetrics": ["m".repeat(10_000)]});
    for (compression, is_small) in [(Compression::None, false), (Compression::Gzip, true)] {
        let (collector, seen) = collector(&[BUSY, GOOD]).await;
        let post = post(&Collector { compression, ..collector }, Signal::Metrics);
        assert!(matches!(post.send(&message).await, Sent::Later(..)));
        assert_eq!(post.send(&message).await, Sent::Taken);
        for (head, body) in &*seen.lock().expect("a lock") {
            assert_eq!(*body, message);
            assert_eq!(head.contains("content-encoding: gzip"), is_small, "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("a length").parse().expect("a number");
            assert_eq!(length < 1000, is_small, "{length}");
        }
        assert_eq!(seen.lock().expect("a lock").len(), 2);
    }
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_has_no_spans_and_one_that_a_call_begins_is_sampled() {
    let (collector, seen) = collector(&[GOOD]).await;
    let exporter = exporter(&collector, &Arc::default());
    let id = CallId::new("01K4X9ZZZZZZZZZZZZZZZZZZZZ");
    let brought = Trace::read(NOT_SAMPLED, None).map(Arc::new);
    let tracer = exporter.tracer();
    let not_sampled = || Origin { trace: brought.clone(), message: None };
    assert!(tracer.begin(&id, not_sampled(), Channel::Http).is_none());
    tracer.answered(ping(), None, not_sampled(), Duration::ZERO).expect("nothing is kept");
    let spans = tracer.begin(&id, Origin::default(), Channel::Http).expect("it is sampled");
    spans.end(None, OperationEnd::Rpc(-32602), "unknown_tool").expect("room");
    exporter.stop().await;
    let seen = seen.lock().expect("a lock");
    let spans = &seen[0].1["resourceSpans"][0]["scopeSpans"][0]["spans"];
    assert_eq!(spans.as_array().map(Vec::len), Some(1), "{spans}");
    let span = &spans[0];
    assert_eq!((&span["traceId"], &span["name"]), (&trace::own_trace(&id).into(), &CALL.into()));
    assert_eq!((&span["parentSpanId"], &span["flags"]), (&Value::Null, &1.into()));
}

#[tokio::test]
async fn a_collector_that_is_busy_is_asked_again_and_what_it_takes_is_counted_once() {
    let (collector, seen) = collector(&[BUSY, BUSY, GOOD]).await;
    let metrics = Arc::new(Metrics::new());
    let exporter = exporter(&collector, &metrics);
    call(&exporter, "01K4X9ZZZZZZZZZZZZZZZZZZZZ").expect("room");
    let begun = Instant::now();
    while !has(&metrics, r#"tollbridge_otlp_spans_total{result="taken"} 1"#) {
        sleep(Duration::from_millis(5)).await;
        assert!(begun.elapsed() < Duration::from_mins(1), "{}", metrics.encode());
    }
    exporter.stop().await;
    let seen = seen.lock().expect("a lock");
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|(_, body)| *body == seen[0].1), "the same is sent again");
    assert!(has(&metrics, r#"tollbridge_otlp_exports_total{signal="traces",result="later"} 2"#));
}

#[tokio::test]
async fn what_a_collector_does_not_take_is_counted_and_not_sent_again() {
    for (answer, taken, rejected, requests) in
        [(&[REFUSES], None, Some(2), 1), (&[PARTIAL], Some(1), Some(1), 1)]
    {
        let (collector, seen) = collector(answer).await;
        let metrics = Arc::new(Metrics::new());
        let exporter = exporter(&collector, &metrics);
        let id = CallId::new("01K4X9ZZZZZZZZZZZZZZZZZZZZ");
        let begun = exporter.tracer().begin(&id, Origin::default(), Channel::Pipe);
        let spans = begun.expect("it is sampled");
        spans.exchanged(1, to_orders(None, Some("timeout")), Duration::ZERO);
        spans.end(None, OperationEnd::Good, "succeeded").expect("room");
        exporter.stop().await;
        for (result, count) in [("taken", taken), ("rejected", rejected), ("dropped", None)] {
            let start = format!("tollbridge_otlp_spans_total{{result=\"{result}\"}} ");
            let expected = count.map(|count| format!("{start}{count}"));
            let text = metrics.encode();
            let found = text.lines().find(|found| found.starts_with(&start));
            assert_eq!(found, expected.as_deref(), "{answer:?}");
        }
        assert_eq!(seen.lock().expect("a lock").len(), requests);
    }
}

#[tokio::test]
async fn a_collector_that_never_answers_costs_calls_nothing_and_spans_are_bounded_and_counted() {
    let (collector, _) = collector(&[]).await;
    let metrics = Arc::new(Metrics::new());
    let exporter = exporter(&collector, &metrics);
    let all = MOST_SPANS + 100;
    let mut dropped = 0;
    for n in 0..all {
        dropped += call(&exporter, &format!("call{n}")).err().unwrap_or_default();
        if n == 10 {
            // Some are under way by then: they count as waiting all the same.
            sleep(Duration::from_millis(50)).await;
        }
    }
    assert_eq!(dropped, 100);
    exporter.stop().await;
    let left = format!("tollbridge_otlp_spans_total{{result=\"dropped\"}} {MOST_SPANS}");
    assert!(has(&metrics, &left), "{}", metrics.encode());
}

#[tokio::test]
async fn requests_that_are_no_calls_leave_calls_their_room_and_have_it_again_once_they_are_sent() {
    let (slow, _) = collector(&[]).await;
    let metrics = Arc::new(Metrics::new());
    let exporter_of_slow = exporter(&slow, &metrics);
    let other = |exporter: &TraceExporter| {
        exporter.tracer().answered(ping(), None, Origin::default(), Duration::ZERO)
    };
    let dropped: usize = (0..MOST_SPANS).filter_map(|_| other(&exporter_of_slow).err()).sum();
    assert_eq!(dropped, MOST_SPANS - MOST_OTHERS);
    for n in 0..MOST_SPANS - MOST_OTHERS {
        call(&exporter_of_slow, &format!("call{n}")).expect("a call's room");
    }
    call(&exporter_of_slow, "one more").expect_err("no room for more than there is");
    exporter_of_slow.stop().await;

    let (good, _) = collector(&[GOOD]).await;
    let exporter = exporter(&good, &metrics);
    for n in 1..=3 {
        for _ in 0..MOST_OTHERS {
            other(&exporter).expect("room");
        }
        let taken = format!("tollbridge_otlp_spans_total{{result=\"taken\"}} {}", n * MOST_OTHERS);
        let begun = Instant::now();
        while !has(&metrics, &taken) || exporter.tracer().waiting() > 0 {
            sleep(Duration::from_millis(5)).await;
            assert!(begun.elapsed() < Duration::from_mins(1), "{}", metrics.encode());
        }
    }
    exporter.stop().await;
}

#[tokio::test]
async fn a_collector_that_is_down_is_tried_a_few_times_and_then_the_spans_are_dropped() {
    let gone = gone(collector(&[]).await.0).await;
    let metrics = Arc::new(Metrics::new());
    let exporter = exporter(&gone, &metrics);
    call(&exporter, "01K4X9ZZZZZZZZZZZZZZZZZZZZ").expect("room");
    let begun = Instant::now();
    while !has(&metrics, r#"tollbridge_otlp_spans_total{result="dropped"} 1"#) {
        sleep(Duration::from_millis(5)).await;
        assert!(begun.elapsed() < Duration::from_mins(1), "{}", metrics.encode());
    }
    exporter.stop().await;
    assert!(has(&metrics, r#"tollbridge_otlp_exports_total{signal="traces",result="later"} 5"#));
}
