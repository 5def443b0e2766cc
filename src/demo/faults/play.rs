//! Doing a fault's steps on a connection, byte by byte.

use std::fmt::Write as _;
use std::io;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;

use super::request::Request;
use super::script::{Answer, Repeat, Step};

/// How much is written at once where the same text goes out many times.
const AT_ONCE: usize = 64 * 1024;

/// What steps are done on: a connection that can be broken.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    /// From now on its end is a reset.
    fn reset_at_end(&mut self);
}

impl Wire for TcpStream {
    fn reset_at_end(&mut self) {
        // Where the system cannot do that, the connection ends without one.
        let _ = self.set_zero_linger();
    }
}

impl Wire for TlsStream<TcpStream> {
    fn reset_at_end(&mut self) {
        let _ = self.get_ref().0.set_zero_linger();
    }
}

/// What texts may speak of.
pub(super) struct Scene<'a> {
    /// The port of this server.
    pub(super) port: u16,
    /// Which request of its fault it is, from 1.
    pub(super) n: usize,
    pub(super) request: &'a Request,
}

/// What becomes of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// It waits for another request.
    Next,
    /// It ends.
    End,
}

/// Does the steps, and says what becomes of the connection. An error is the connection's end.
pub(super) async fn play(
    wire: &mut impl Wire,
    steps: &[Step],
    scene: &Scene<'_>,
) -> io::Result<Then> {
    for step in steps {
        match step {
            Step::Answer(answer) => send(wire, whole(answer, scene).as_bytes()).await?,
            Step::Send(text) => send(wire, scene.filled(text).as_bytes()).await?,
            Step::Hex(bytes) => send(wire, bytes).await?,
            Step::Repeat(repeat) => repeated(wire, repeat, scene).await?,
            Step::Bomb(mebibytes) => bomb(wire, *mebibytes).await?,
            Step::Pause(time) => sleep(*time).await,
            Step::Close => {
                wire.shutdown().await?;
                return Ok(Then::End);
            }
            Step::HalfClose => {
                wire.shutdown().await?;
                until_end(wire).await;
                return Ok(Then::End);
            }
            Step::Reset => {
                wire.reset_at_end();
                return Ok(Then::End);
            }
            Step::Hang => {
                until_end(wire).await;
                return Ok(Then::End);
            }
        }
    }
    Ok(Then::Next)
}

async fn send(wire: &mut impl Wire, bytes: &[u8]) -> io::Result<()> {
    wire.write_all(bytes).await?;
    wire.flush().await
}

/// Reads, and forgets, until the other side ends the connection.
pub(super) async fn until_end(wire: &mut impl Wire) {
    let mut rest = [0; 4096];
    while matches!(wire.read(&mut rest).await, Ok(read) if read > 0) {}
}

async fn repeated(wire: &mut impl Wire, repeat: &Repeat, scene: &Scene<'_>) -> io::Result<()> {
    let once = scene.filled(&repeat.send);
    let mut left = repeat.times.unwrap_or(u64::MAX);
    // Without waits many go out together; an empty text would never fill anything.
    let together = match repeat.every {
        Some(_) => 1,
        None => (AT_ONCE / once.len().max(1)).max(1) as u64,
    };
    while left > 0 {
        let times = together.min(left);
        let piece = once.repeat(usize::try_from(times).unwrap_or(1));
        send(wire, piece.as_bytes()).await?;
        left -= times;
        match repeat.every {
            Some(time) => sleep(time).await,
            // What nobody reads must not keep this thread.
            None => tokio::task::yield_now().await,
        }
    }
    Ok(())
}

async fn bomb(wire: &mut impl Wire, mebibytes: u64) -> io::Result<()> {
    // One after the other, members are one stream (RFC 1952 §2.2).
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; 1024 * 1024])?;
    let member = packed.finish()?;
    for _ in 0..mebibytes {
        send(wire, &member).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// An answer as it goes over the wire.
fn whole(answer: &Answer, scene: &Scene<'_>) -> String {
    let body = scene.filled(&answer.body);
    let has = |name: &str| answer.headers.keys().any(|known| known.eq_ignore_ascii_case(name));
    let mut text = format!("HTTP/1.1 {} Fault\r\n", answer.status);
    if !has("content-type") {
        text.push_str("Content-Type: application/json\r\n");
    }
    for (name, value) in &answer.headers {
        let _ = write!(text, "{name}: {}\r\n", scene.filled(value));
    }
    if !has("content-length") && !has("transfer-encoding") {
        let _ = write!(text, "Content-Length: {}\r\n", body.len());
    }
    text + "\r\n" + &body
}

impl Scene<'_> {
    /// The text with its `${…}` replaced. What is not known stays as it is.
    fn filled(&self, text: &str) -> String {
        let mut rest = text;
        let mut filled = String::with_capacity(text.len());
        while let Some(start) = rest.find("${") {
            let Some(end) = rest[start..].find('}').map(|at| start + at) else { break };
            filled.push_str(&rest[..start]);
            match self.value(&rest[start + 2..end]) {
                Some(value) => filled.push_str(&value),
                None => filled.push_str(&rest[start..=end]),
            }
            rest = &rest[end + 1..];
        }
        filled + rest
    }

    fn value(&self, name: &str) -> Option<String> {
        if let Some(header) = name.strip_prefix("header:") {
            return Some(self.request.header(header).unwrap_or_default().to_owned());
        }
        if let Some(seconds) = name.strip_prefix("date+") {
            let later = Duration::from_secs(seconds.parse().ok()?);
            return Some(httpdate::fmt_http_date(SystemTime::now().checked_add(later)?));
        }
        if let Some(seconds) = name.strip_prefix("date-") {
            let before = Duration::from_secs(seconds.parse().ok()?);
            return Some(httpdate::fmt_http_date(SystemTime::now().checked_sub(before)?));
        }
        match name {
            "port" => Some(self.port.to_string()),
            "n" => Some(self.n.to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_speaks_of_is_filled_in_and_the_rest_stays() {
        let request = Request {
            headers: vec![("Authorization".to_owned(), "Bearer x".to_owned())],
            ..Request::default()
        };
        let scene = Scene { port: 80, n: 2, request: &request };
        for (text, expected) in [
            ("a ${port} b", "a 80 b"),
            ("${n}${n}", "22"),
            ("<${header:authorization}|${header:cookie}>", "<Bearer x|>"),
            ("${nothing} ${port", "${nothing} ${port"),
            ("}${n}{", "}2{"),
        ] {
            assert_eq!(scene.filled(text), expected);
        }
        let date = scene.filled("${date+60}");
        assert!(httpdate::parse_http_date(&date).is_ok(), "{date}");
    }

    #[test]
    fn an_answer_counts_its_length_unless_it_is_told() {
        let request = Request::default();
        let scene = Scene { port: 80, n: 1, request: &request };
        let answer = |headers: &[(&str, &str)]| Answer {
            status: 200,
            headers: headers.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
            body: "ok".to_owned(),
        };
        let text = whole(&answer(&[]), &scene);
        assert!(text.contains("Content-Length: 2\r\n") && text.ends_with("\r\n\r\nok"), "{text}");
        let text = whole(&answer(&[("content-length", "9")]), &scene);
        assert!(text.contains("content-length: 9\r\n") && !text.contains(": 2\r\n"), "{text}");
    }
}
