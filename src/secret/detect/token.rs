//! Secrets by their shapes: tokens of well-known services, JSON Web Tokens, private keys.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{upper, word};

/// A secret by its beginning: how many characters of which kind follow at least.
struct Shape {
    begins: &'static str,
    least: usize,
    of: fn(u8) -> bool,
}

fn token(byte: u8) -> bool {
    word(byte) || byte == b'-'
}

fn dotted(byte: u8) -> bool {
    token(byte) || byte == b'.'
}

/// The fewest bytes that a token of any shape has.
pub(super) const LEAST_TOKEN: usize = {
    let (mut least, mut at) = (usize::MAX, 0);
    while at < SHAPES.len() {
        let length = SHAPES[at].begins.len() + SHAPES[at].least;
        if length < least {
            least = length;
        }
        at += 1;
    }
    least
};

/// As their issuers describe them.
const SHAPES: [Shape; 29] = [
    Shape { begins: "AKIA", least: 16, of: upper },
    Shape { begins: "ASIA", least: 16, of: upper },
    Shape { begins: "ghp_", least: 36, of: word },
    Shape { begins: "gho_", least: 36, of: word },
    Shape { begins: "ghu_", least: 36, of: word },
    Shape { begins: "ghs_", least: 36, of: word },
    Shape { begins: "ghr_", least: 36, of: word },
    Shape { begins: "github_pat_", least: 22, of: word },
    Shape { begins: "glpat-", least: 20, of: token },
    Shape { begins: "xoxb-", least: 20, of: token },
    Shape { begins: "xoxp-", least: 20, of: token },
    Shape { begins: "xoxa-", least: 20, of: token },
    Shape { begins: "xapp-", least: 20, of: token },
    Shape { begins: "sk_live_", least: 16, of: word },
    Shape { begins: "sk_test_", least: 16, of: word },
    Shape { begins: "rk_live_", least: 16, of: word },
    Shape {
        begins: "whsec_",
        least: 24,
        of: |byte| word(byte) || matches!(byte, b'+' | b'/' | b'='),
    },
    Shape { begins: "AIza", least: 35, of: token },
    Shape { begins: "ya29.", least: 20, of: dotted },
    Shape { begins: "sk-ant-", least: 32, of: token },
    Shape { begins: "sk-proj-", least: 32, of: token },
    Shape { begins: "npm_", least: 36, of: word },
    Shape { begins: "pypi-", least: 50, of: token },
    Shape { begins: "hf_", least: 30, of: word },
    Shape { begins: "SG.", least: 40, of: dotted },
    Shape { begins: "dop_v1_", least: 64, of: word },
    Shape { begins: "shpat_", least: 32, of: word },
    Shape { begins: "AGE-SECRET-KEY-1", least: 50, of: upper },
    // A JSON Web Token: a header of JSON in base64url, and two dots.
    Shape { begins: "eyJ", least: 24, of: dotted },
];

/// What any of them begins with.
static FIRST: [bool; 256] = {
    let (mut first, mut at) = ([false; 256], 0);
    while at < SHAPES.len() {
        first[SHAPES[at].begins.as_bytes()[0] as usize] = true;
        at += 1;
    }
    first
};

/// Tokens, looked for in one run after the other.
#[derive(Default)]
pub(super) struct Tokens {
    /// The end of the last one.
    kept: usize,
    web: WebTokens,
}

impl Tokens {
    pub(super) fn find(&mut self, bytes: &[u8], run: Range<usize>, found: &mut Vec<Range<usize>>) {
        for start in run {
            // In the middle of a word none begins.
            let may_begin = FIRST[usize::from(bytes[start])]
                && start >= self.kept
                && (start == 0 || !word(bytes[start - 1]));
            if !may_begin {
                continue;
            }
            let begins = |shape: &&Shape| bytes[start..].starts_with(shape.begins.as_bytes());
            let Some(shape) = SHAPES.iter().find(begins) else { continue };
            let rest = start + shape.begins.len();
            let length = match shape.begins {
                "eyJ" => self.web.length(bytes, rest),
                _ => bytes[rest..].iter().take_while(|byte| (shape.of)(**byte)).count(),
            };
            if length >= shape.least {
                self.kept = rest + length;
                found.push(start..self.kept);
            }
        }
    }
}

/// Characters of web tokens and dots, without a gap. Many tokens may seem to begin in one, so it is
/// gone over once.
#[derive(Default)]
struct WebTokens {
    /// How far the dots are counted that are behind.
    at: usize,
    end: usize,
    /// How many dots there are from there to the end.
    dots: usize,
}

impl WebTokens {
    /// How long a token is from behind its beginning on: one that is signed has two dots (RFC 7515
    /// §3.1), one that is encrypted four (RFC 7516 §3.1). 0 for anything else.
    fn length(&mut self, bytes: &[u8], rest: usize) -> usize {
        let dots = |bytes: &[u8]| memchr::memchr_iter(b'.', bytes).count();
        if rest >= self.end {
            let length = bytes[rest..].iter().take_while(|byte| dotted(**byte)).count();
            // Dots at the end are those of a sentence.
            let last = bytes[rest..rest + length].iter().rposition(|byte| *byte != b'.');
            let end = rest + last.map_or(0, |at| at + 1);
            *self = Self { at: rest, end, dots: dots(&bytes[rest..end]) };
        } else {
            self.dots -= dots(&bytes[self.at..rest]);
            self.at = rest;
        }
        if matches!(self.dots, 2 | 4) { self.end - rest } else { 0 }
    }
}

/// What a private key begins with.
static PRIVATE_KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("-----BEGIN "));

/// The shortest label, and what ends it.
const LEAST_KEY: usize = "PRIVATE KEY-----".len();

pub(super) fn private_keys(text: &str, found: &mut Vec<Range<usize>>) {
    let mut kept = 0;
    for start in PRIVATE_KEY.find_iter(text.as_bytes()) {
        let rest = start + PRIVATE_KEY.needle().len();
        if start < kept || start > 0 && word(text.as_bytes()[start - 1]) {
            continue;
        }
        let length = private_key(&text[rest..]);
        if length >= LEAST_KEY {
            kept = rest + length;
            found.push(start..kept);
        }
    }
}

/// How long a private key in PEM (RFC 7468) is from behind `BEGIN` on; 0 for anything else.
fn private_key(rest: &str) -> usize {
    let label = rest.split("-----").next().unwrap_or_default();
    if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") || label.len() > 40
    {
        return 0;
    }
    let end = format!("-----END {label}-----");
    rest.find(&end).map_or(rest.len(), |at| at + end.len())
}
