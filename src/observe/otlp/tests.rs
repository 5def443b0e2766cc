//! Against a collector of our own, good, refusing, slow and gone.

use std::sync::{Arc, Mutex};

use http::HeaderName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// What a collector was sent, head and body.
type Seen = Arc<Mutex<Vec<(String, Value)>>>;

/// A collector that gives every request this answer, or none.
async fn collector(answer: Option<&'static str>) -> (Collector, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = String::new();
            let mut piece = [0; 4096];
            let (head, body) = loop {
                let read = stream.read(&mut piece).await.expect("read");
                text.push_str(std::str::from_utf8(&piece[..read]).expect("text"));
                if let Some((head, body)) = text.split_once("\r\n\r\n")
                    && let Ok(body) = serde_json::from_str(body)
                {
                    break (head.to_owned(), body);
                }
            };
            kept.lock().expect("a lock").push((head, body));
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).await.expect("written"),
                None => open.push(stream),
            }
        }
    });
    let headers = HeaderMap::from_iter([(
        HeaderName::from_static("authorization"),
        HeaderValue::from_static("Bearer t0ken"),
    )]);
    let url = Url::parse(&format!("http://{address}/v1/metrics")).expect("a URL");
    let resource = vec![("service.name".to_owned(), "shop".to_owned())];
    (Collector { url, headers, interval: Duration::from_millis(20), resource }, seen)
}

fn client() -> reqwest::Client {
    crate::bridge::http_client().expect("a client")
}

async fn sent(answer: &'static str) -> Sent {
    let (collector, _) = collector(Some(answer)).await;
    send(&client(), &collector, "{}".to_owned()).await
}

#[tokio::test]
async fn answers_are_understood_as_otlp_has_them() {
    let partial = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n\
                   {\"partialSuccess\":{\"rejectedDataPoints\":\"3\",\"errorMessage\":\"too old\"}}";
    let busy = "HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let seven = Some(Duration::from_secs(7));
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", Sent::Taken),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Sent::Taken),
        (partial, Sent::Partial("3 points: too old".into())),
        (busy, Sent::Later("HTTP status 429".into(), seven)),
        (
            "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
            Sent::Later("HTTP status 503".into(), None),
        ),
        ("HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n", Sent::Refused("HTTP status 401".into())),
        (
            "HTTP/1.1 307 Away\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
            Sent::Refused("HTTP status 307".into()),
        ),
    ] {
        assert_eq!(sent(answer).await, expected, "{answer}");
    }
}

#[tokio::test]
async fn a_collector_that_is_gone_may_be_there_the_next_time() {
    let (mut collector, _) = collector(None).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = gone.local_addr().expect("an address").port();
    drop(gone);
    collector.url.set_port(Some(port)).expect("a port");
    let sent = send(&client(), &collector, "{}".to_owned()).await;
    assert!(matches!(&sent, Sent::Later(why, None) if !why.contains("v1/metrics")), "{sent:?}");
}

#[tokio::test]
async fn the_end_tells_what_was_counted_last() {
    let (mut collector, seen) =
        collector(Some("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")).await;
    collector.interval = Duration::from_hours(1);
    let metrics = Arc::new(crate::observe::Metrics::new());
    let (read, told) = (Arc::clone(&metrics), Arc::clone(&metrics));
    let told = move |result| told.exported(result);
    let exporter = Exporter::start(collector, client(), move || read.encode(), told);
    metrics.attempt("orders", Some(200));
    exporter.stop().await;
    let seen = seen.lock().expect("a lock");
    let (head, body) = &seen[0];
    assert!(head.starts_with("POST /v1/metrics HTTP/1.1\r\n"), "{head}");
    for line in ["authorization: Bearer t0ken", "content-type: application/json"] {
        assert!(head.to_ascii_lowercase().contains(&line.to_ascii_lowercase()), "{head}");
    }
    assert!(body.to_string().contains("tollbridge.attempts"), "{body}");
    assert!(metrics.encode().contains("tollbridge_otlp_exports_total{result=\"taken\"} 1"));
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_the_end_for_no_longer_than_its_time() {
    let (collector, seen) = collector(None).await;
    let exporter = Exporter::start(collector, client(), String::new, |_| {});
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
