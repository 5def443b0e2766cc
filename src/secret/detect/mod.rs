//! Values that are sensitive by their form: secrets of known shapes, card numbers, bank accounts,
//! e-mail addresses.
//!
//! A form is told by what is characteristic of it and then checked as far as it can be: a card
//! number by its issuer's first digit and its check digit (ISO/IEC 7812-1, Luhn), an account by its
//! country's length and its check digits (ISO 13616). What is found is no proof of anything: it
//! is what should not be kept or shown without a reason.

mod account;
mod token;

use std::ops::{Range, RangeInclusive};

use account::{LEAST_ACCOUNT, ibans};
use token::{LEAST_TOKEN, Tokens, private_keys};

/// What is looked for.
#[expect(clippy::struct_excessive_bools, reason = "each is looked for or not, for itself")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Detectors {
    /// Keys and tokens of well-known services, JSON Web Tokens, private keys.
    pub secrets: bool,
    /// Card numbers.
    pub cards: bool,
    /// Bank accounts (IBAN).
    pub ibans: bool,
    /// E-mail addresses.
    pub emails: bool,
}

impl Detectors {
    /// Whether nothing is looked for.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Whether something may be in a text that shows only once the escapes of a URL are undone. What
    /// URLs escape is in few of the forms; in the others there is nothing to undo.
    pub(super) fn may_be_escaped(self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let has = |what: &[u8]| memchr::memmem::find(bytes, what).is_some();
        memchr::memchr2(b'%', b'+', bytes).is_some()
            && (self.cards
                || self.ibans
                || self.emails && (has(b"@") || has(b"%40"))
                || self.secrets && (has(b"-----BEGIN") || has(b"whsec_")))
    }

    /// Where something is: in order, without overlaps, and between characters. Takes time in
    /// proportion to the text, whatever is in it.
    pub fn find(self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let bytes = text.as_bytes();
        // Most texts of an answer are words: in one as short there is nothing but an address.
        if bytes.len() < LEAST && (!self.emails || memchr::memchr(b'@', bytes).is_none()) {
            return found;
        }
        if self.secrets {
            private_keys(text, &mut found);
            let mut tokens = Tokens::default();
            for run in Runs::of(TOKEN, LEAST_TOKEN, bytes) {
                tokens.find(bytes, run, &mut found);
            }
        }
        if self.cards {
            for run in Runs::of(CARD, *CARD_DIGITS.start(), bytes) {
                cards(bytes, run, &mut found);
            }
        }
        if self.ibans {
            for run in Runs::of(ACCOUNT, LEAST_ACCOUNT, bytes) {
                ibans(bytes, run, &mut found);
            }
        }
        if self.emails {
            emails(text, &mut found);
        }
        merged(found)
    }
}

/// What is shorter holds no token, no card number and no account.
const LEAST: usize = 13;

const _: () =
    assert!(LEAST <= LEAST_TOKEN && LEAST <= *CARD_DIGITS.start() && LEAST <= LEAST_ACCOUNT);

/// In order, those that overlap as one.
fn merged(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    if found.len() > 1 {
        found.sort_unstable_by_key(|range| (range.start, range.end));
        found.dedup_by(|next, last| {
            let overlaps = next.start < last.end;
            if overlaps {
                last.end = last.end.max(next.end);
            }
            overlaps
        });
    }
    found
}

/// What a byte may be part of.
type Kinds = u8;

/// A token: whatever the [shapes](token) of tokens are made of.
const TOKEN: Kinds = 1;
/// A card number, with what stands between its digits.
const CARD: Kinds = 1 << 1;
/// An account, with what stands between its groups.
const ACCOUNT: Kinds = 1 << 2;

/// What each byte may be part of.
static KINDS: [Kinds; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        kinds[byte as usize] = match byte {
            b'0'..=b'9' => TOKEN | CARD | ACCOUNT,
            b'A'..=b'Z' => TOKEN | ACCOUNT,
            b'a'..=b'z' | b'_' | b'.' | b'+' | b'/' | b'=' => TOKEN,
            b'-' => TOKEN | CARD,
            b' ' => CARD | ACCOUNT,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

/// Where at least so many bytes of a kind stand together, whole: what is shorter is nothing, so most of
/// a text need not be looked at.
struct Runs<'t> {
    bytes: &'t [u8],
    kind: Kinds,
    least: usize,
    /// Where the next one may begin: what stands before is of another kind.
    at: usize,
}

impl<'t> Runs<'t> {
    fn of(kind: Kinds, least: usize, bytes: &'t [u8]) -> Self {
        Self { bytes, kind, least, at: 0 }
    }
}

impl Iterator for Runs<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let is_other = |byte: &u8| KINDS[usize::from(*byte)] & self.kind == 0;
        // From its end on: where that is of another kind, none of the bytes before it matters.
        while let Some(window) = self.bytes.get(self.at..self.at + self.least) {
            if let Some(other) = window.iter().rposition(is_other) {
                self.at += other + 1;
                continue;
            }
            let rest = &self.bytes[self.at + self.least..];
            let more = rest.iter().position(is_other).unwrap_or(rest.len());
            let run = self.at..self.at + self.least + more;
            self.at = run.end;
            return Some(run);
        }
        None
    }
}

/// What words are made of.
fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What codes are made of.
fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

/// How many digits a card number has.
const CARD_DIGITS: RangeInclusive<usize> = 13..=19;

/// Digits, single spaces or hyphens between them, that are no part of a longer word.
fn cards(bytes: &[u8], run: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut at = run.start;
    while at < run.end {
        if !matches!(bytes[at], b'2'..=b'6') || at > 0 && joins(bytes[at - 1]) {
            at += 1;
            continue;
        }
        let mut digits = [0_u8; *CARD_DIGITS.end()];
        let (mut count, mut end, mut next) = (0, at, at);
        while next < bytes.len() {
            match bytes[next] {
                digit if digit.is_ascii_digit() => {
                    if count == digits.len() {
                        count += 1;
                        break;
                    }
                    digits[count] = digit - b'0';
                    count += 1;
                    end = next + 1;
                }
                b' ' | b'-' if end == next => {}
                _ => break,
            }
            next += 1;
        }
        // A dot behind it may end a sentence.
        let whole = match bytes.get(end) {
            Some(b'.') => !bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
            next => next.is_none_or(|byte| !word(*byte)),
        };
        if CARD_DIGITS.contains(&count) && whole && luhn(&digits[..count]) {
            found.push(at..end);
            at = end;
        } else {
            at += bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count().max(1);
        }
    }
}

/// What makes of digits a part of something else: a decimal, a hash, a word.
fn joins(byte: u8) -> bool {
    word(byte) || byte == b'.'
}

/// ISO/IEC 7812-1, Annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}

/// `local@domain.tld`, as people write them. RFC 5321 allows more before the `@`, such as `/`, `=` and
/// quotes: what stands in front of an address in a URL or a text would be taken for a part of it.
fn emails(text: &str, found: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let local =
        |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_.-+~'".contains(&byte);
    let domain = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || b".-".contains(&byte);
    for at in memchr::memchr_iter(b'@', bytes) {
        let mut before = bytes[..at].iter().rev().take(64).take_while(|b| local(**b)).count();
        while before > 0 && b".-+~'".contains(&bytes[at - before]) {
            before -= 1;
        }
        let mut after = bytes[at + 1..].iter().take(255).take_while(|byte| domain(**byte)).count();
        while after > 0 && matches!(bytes[at + after], b'.' | b'-') {
            after -= 1;
        }
        let name = &bytes[at + 1..=at + after];
        let top = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        let has_top = top.len() >= 2 && top.len() < name.len() && !top[0].is_ascii_digit();
        if before > 0 && has_top {
            // Where it is longer than one can be, it may end in the middle of a character.
            let (start, end) = (at - before, at + 1 + after);
            found.push(text.floor_char_boundary(start)..text.ceil_char_boundary(end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Detectors = Detectors { secrets: true, cards: true, ibans: true, emails: true };

    fn found(text: &str) -> Vec<&str> {
        ALL.find(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn what_is_sensitive_is_found_where_it_stands() {
        // Made up here, of parts, so that no scanner takes this file for a leak.
        let github = format!("ghp{}{}", "_", "a1".repeat(18));
        let amazon = format!("AKIA{}", "IOSFODNN7EXAMPLE");
        let jwt = format!("eyJ{}.eyJ{}.{}", "hbGciOiJIUzI1NiJ9", "zdWIiOiIxIn0", "c2lnbmF0dXJl");
        let jwe = format!("{jwt}.{}.{}", "Y2lwaGVydGV4dA", "dGFn");
        let pem = format!("-----BEGIN {0}-----\nMIIB\n-----END {0}-----", "PRIVATE KEY");
        for (text, expected) in [
            (format!("token {github}, thanks"), github.as_str()),
            (format!("key={amazon}"), amazon.as_str()),
            (format!("Bearer {jwt}"), jwt.as_str()),
            (format!("a\n{pem}\nb"), pem.as_str()),
            ("pay 4111 1111 1111 1111 now".to_owned(), "4111 1111 1111 1111"),
            ("pay 5500-0000-0000-0004.".to_owned(), "5500-0000-0000-0004"),
            ("378282246310005".to_owned(), "378282246310005"),
            ("to DE89 3704 0044 0532 0130 00.".to_owned(), "DE89 3704 0044 0532 0130 00"),
            ("GB82WEST12345698765432".to_owned(), "GB82WEST12345698765432"),
            ("mail ann.lee+x@shop.example.co.uk.".to_owned(), "ann.lee+x@shop.example.co.uk"),
            ("<jörg@müller.example>".to_owned(), "jörg@müller.example"),
            ("to '-ann.o'neil@shop.example'".to_owned(), "ann.o'neil@shop.example"),
            ("https://x.example/q?m=a_b@shop.example&n=1".to_owned(), "a_b@shop.example"),
            (format!("It was {jwt}."), jwt.as_str()),
            (format!("or {jwe}"), jwe.as_str()),
        ] {
            assert_eq!(found(&text), [expected], "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_left() {
        for text in [
            "4111 1111 1111 1112",
            "4111  1111 1111 1111",
            "0000 0000 0000 0000",
            "x4111111111111111",
            "4111111111111111a",
            "0.4111111111111111",
            "41111111111111111111111",
            "1764366000000000",
            "DE88 3704 0044 0532 0130 00",
            "ADE89370400440532013000",
            "a@b",
            "@home.example",
            "x@1.2",
            "ghp_short",
            "eyJhbGciOiJIUzI1NiJ9.only-two-parts-in-here-and-no-more",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "Order 2026-11-28 of 450 pieces at 19.99, see #4111-22",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn what_is_longer_than_it_can_be_is_cut_between_characters() {
        for text in [
            format!("{}@shop.example", "€".repeat(40)),
            format!("a@b.{}", "é".repeat(200)),
            format!("{}@{}.{0}", "𝕒".repeat(30), "é".repeat(300)),
        ] {
            for range in ALL.find(&text) {
                assert!(text.get(range.clone()).is_some(), "{range:?} of {text}");
            }
        }
    }

    /// The number of steps is what counts, and no clock: a text twice as long has about twice as many.
    #[test]
    fn no_text_takes_more_time_than_its_length() {
        for part in
            ["eyJ-", "eyJ.", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "4 ", "DE89 ", "a@", "@"]
        {
            // Gone over once for each of its parts, a megabyte would take hours.
            let text = part.repeat((1 << 20) / part.len());
            let _ = ALL.find(&text);
        }
    }

    /// The same without passing over anything.
    fn found_byte_by_byte(text: &str) -> Vec<Range<usize>> {
        let (bytes, mut found) = (text.as_bytes(), Vec::new());
        let all = 0..bytes.len();
        private_keys(text, &mut found);
        Tokens::default().find(bytes, all.clone(), &mut found);
        cards(bytes, all.clone(), &mut found);
        ibans(bytes, all, &mut found);
        emails(text, &mut found);
        merged(found)
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_passed_over_that_could_be_found(
            text in "([a-z€é@. 0-9+/-]|[A-Z]{2}|eyJ[a-z.]{30}|ghp_[a-z0-9]{34,38}|AKIA[A-Z0-9]{15,17}|\
                whsec_[a-z+/=]{23,26}|-----BEGIN |PRIVATE KEY-----|DE89 ?3704 ?0044 ?0532 ?0130 ?00|\
                NO9386011117947|4[ -]?1{3}[ -]?1{4}[ -]?1{4}[ -]?1{4}|4222222222222|[0-9]{11,20}){0,12}",
        ) {
            proptest::prop_assert_eq!(ALL.find(&text), found_byte_by_byte(&text), "{}", text);
        }

        #[test]
        fn whatever_the_text_is_what_is_found_is_in_order_and_between_characters(
            text in "([a-z€é@. 0-9-]|eyJ|ghp_|-----BEGIN |PRIVATE KEY-----|DE89|4111){0,80}",
        ) {
            let mut kept = 0;
            for range in ALL.find(&text) {
                proptest::prop_assert!(range.start >= kept && range.end > range.start);
                proptest::prop_assert!(text.get(range.clone()).is_some());
                kept = range.end;
            }
        }
    }

    #[test]
    fn many_in_one_text_are_all_found_and_nothing_overlaps() {
        let text = "a@b.example,c@d.example 4111111111111111 DE89370400440532013000 e@f.example";
        assert_eq!(found(text).len(), 5, "{:?}", found(text));
        let none = Detectors::default();
        assert!(none.is_empty() && none.find(text).is_empty());
    }
}
