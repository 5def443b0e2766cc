//! Our own inbound API keys, known by their shape.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// How each key of ours begins.
static BEGINNING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("tb_"));

/// Shorter runs are no key of ours: a key ends in 32 random bytes, 43 characters.
const SECRET_PART: usize = 20;

/// What is shorter holds no key.
const SHORTEST: usize = "tb_i_".len() + SECRET_PART;

/// Takes inbound API keys out of a text: `tb_ID_SECRET` becomes `tb_ID_[redacted]`, whether
/// or not such a key exists. The id is no secret.
pub fn mask_keys(text: &str) -> Cow<'_, str> {
    if text.len() < SHORTEST {
        return Cow::Borrowed(text);
    }
    let mut masked = String::new();
    let mut kept = 0;
    let mut from = 0;
    while let Some(found) = BEGINNING.find(&text.as_bytes()[from..]) {
        let start = from + found + 3;
        from = start;
        let id = run(&text[start..], |b| b.is_ascii_alphanumeric());
        let Some(rest) = text[start + id..].strip_prefix('_') else { continue };
        let secret = run(rest, |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if id == 0 || secret < SECRET_PART {
            continue;
        }
        let secret_at = start + id + 1;
        masked.push_str(&text[kept..secret_at]);
        masked.push_str(super::REDACTED);
        kept = secret_at + secret;
        from = kept;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    masked.push_str(&text[kept..]);
    Cow::Owned(masked)
}

/// How many bytes at the start are of a kind. They are ASCII, so the end is a boundary.
fn run(text: &str, kind: fn(u8) -> bool) -> usize {
    text.bytes().take_while(|b| kind(*b)).count()
}
