//! Answers that are too large, or not what they say.

use super::hostile::{Act, Hostile, answer, json};
use super::*;

/// A small gzip stream that unpacks to 258 bytes a match: one block of fixed Huffman codes
/// (RFC 1951 §3.2.6) with nothing but the longest matches.
fn bomb(matches: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(0b1, 1); // the last block
    bits.push(0b01, 2); // fixed Huffman codes
    bits.code(0x30, 8); // the literal 0
    for _ in 0..matches {
        bits.code(0xC5, 8); // length 258
        bits.code(0, 5); // distance 1
    }
    bits.code(0, 7); // the end
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    gzip.extend(bits.bytes);
    gzip.extend([0; 8]); // checksum and length, which a reader that stops never sees
    gzip
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u8,
}

impl Bits {
    fn push(&mut self, value: u32, count: u8) {
        for bit in 0..count {
            if self.used == 0 {
                self.bytes.push(0);
            }
            if value >> bit & 1 == 1 {
                *self.bytes.last_mut().expect("just pushed") |= 1 << self.used;
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// Huffman codes are packed from their highest bit (RFC 1951 §3.1.1).
    fn code(&mut self, value: u32, count: u8) {
        for bit in (0..count).rev() {
            self.push(value >> bit & 1, 1);
        }
    }
}

/// `{"ok":true}` by `gzip`.
const GZIPPED: &[u8] = &[
    31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 171, 86, 202, 207, 86, 178, 42, 41, 42, 77, 173, 5, 0, 144,
    95, 212, 167, 11, 0, 0, 0,
];

async fn against(act: Act, method: Method) -> (Report, Hostile) {
    let server = Hostile::new([act]).await;
    let (report, _) = go(&upstream(config(&server.url())), &call(request(method))).await;
    (report, server)
}

#[tokio::test]
async fn an_answer_above_the_limit_is_not_returned() {
    let large = vec![b'a'; 100_001];
    let chunked = {
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..101 {
            bytes.extend(b"3e8\r\n");
            bytes.extend([b'a'; 1000]);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        Act::Answer(bytes)
    };
    let endless = {
        let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        bytes.extend(&large);
        Act::Stall(bytes)
    };
    let bomb = answer(200, "Content-Encoding: gzip\r\n", &bomb(40_000));
    for act in [answer(200, "", &large), chunked, endless, bomb] {
        let (report, server) = against(act, Method::GET).await;
        let failed = failed(&report);
        assert_eq!((failed.kind, failed.retryable), (FailureKind::ResponseTooLarge, false));
        assert!(failed.message.contains("100000 bytes"), "{}", failed.message);
        assert_eq!(failed.upstream.as_ref().map(|said| &said.body), Some(&Value::Null));
        assert_eq!(server.seen().len(), 1);
        assert!(report.bytes < 300_000, "{}", report.bytes);
    }
}

#[tokio::test]
async fn an_answer_at_the_limit_is_returned() {
    let (report, _) = against(answer(200, "", &vec![b'a'; 100_000]), Method::GET).await;
    assert_eq!(value(&report).as_str().map(str::len), Some(100_000));
    assert_eq!(report.bytes, 100_000);
}

#[tokio::test]
async fn gzip_is_undone() {
    let headers = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    let (report, _) = against(answer(200, headers, GZIPPED), Method::GET).await;
    assert_eq!((value(&report)["ok"].as_bool(), report.bytes), (Some(true), 11));
}

#[tokio::test]
async fn broken_gzip_is_no_answer() {
    let headers = "Content-Encoding: gzip\r\n";
    for body in [b"not gzip at all".as_slice(), &GZIPPED[..20]] {
        let (report, _) = against(answer(200, headers, body), Method::POST).await;
        assert_eq!(failed(&report).kind, FailureKind::OutcomeUnknown);
    }
}

#[tokio::test]
async fn an_encoding_that_was_not_asked_for_is_refused() {
    let (report, _) = against(answer(200, "Content-Encoding: br\r\n", b"xx"), Method::GET).await;
    let failed = failed(&report);
    assert_eq!(failed.kind, FailureKind::UpstreamError);
    assert!(failed.message.contains("encoded as br"), "{}", failed.message);
}

#[tokio::test]
async fn a_failures_body_is_bounded() {
    let page = format!("<html>{}</html>", "x".repeat(50_000));
    let (report, _) =
        against(answer(404, "Content-Type: text/html\r\n", page.as_bytes()), Method::GET).await;
    let body = &failed(&report).upstream.as_ref().expect("an answer").body;
    assert_eq!(body.as_str().map(|text| text.chars().count()), Some(2_000));

    let list = format!("[{}1]", "1,".repeat(5_000));
    let (report, _) = against(json(404, &list), Method::GET).await;
    let body = &failed(&report).upstream.as_ref().expect("an answer").body;
    assert_eq!(body.as_str().map(|text| text.chars().count()), Some(2_000));
}

#[tokio::test]
async fn a_failure_with_a_body_above_the_limit_is_still_that_failure() {
    let (report, _) = against(answer(404, "", &vec![b'a'; 200_000]), Method::GET).await;
    let failed = failed(&report);
    assert_eq!((failed.kind, report.status), (FailureKind::UpstreamError, Some(404)));
}

#[tokio::test]
async fn an_empty_answer_is_a_success() {
    let bytes = b"HTTP/1.1 204 No Content\r\n\r\n".to_vec();
    let (report, _) = against(Act::Answer(bytes), Method::DELETE).await;
    assert_eq!(
        report.outcome,
        Outcome::Done { payload: Payload::Empty, drift: Vec::new(), headers: Map::new() }
    );
}
