//! Bank accounts (IBAN, ISO 13616), told by their country's length and their check digits.

use std::ops::Range;

use super::{upper, word};

/// The shortest account, Norway's.
pub(super) const LEAST_ACCOUNT: usize = 15;

/// How long the accounts of a country are (SWIFT, IBAN registry).
const LENGTHS: [(&[u8; 2], usize); 79] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NL", 18),
    (b"NO", 15),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
];

pub(super) fn ibans(bytes: &[u8], run: Range<usize>, found: &mut Vec<Range<usize>>) {
    for at in run.start..(run.end + 1).saturating_sub(LEAST_ACCOUNT) {
        let [first, second, third, fourth] =
            [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let begins = first.is_ascii_uppercase()
            && second.is_ascii_uppercase()
            && third.is_ascii_digit()
            && fourth.is_ascii_digit()
            && (at == 0 || !word(bytes[at - 1]));
        if !begins {
            continue;
        }
        let country = [first, second];
        let Some((_, length)) = LENGTHS.iter().find(|(name, _)| **name == country) else {
            continue;
        };
        if let Some(end) = iban(&bytes[at..], *length) {
            found.push(at..at + end);
        }
    }
}

/// Where an account of that length ends, if its check digits hold. It may stand in groups of four.
fn iban(bytes: &[u8], length: usize) -> Option<usize> {
    let mut account = Vec::with_capacity(length);
    let mut end = 0;
    for (place, byte) in bytes.iter().enumerate() {
        match byte {
            b' ' if end == place && account.len().is_multiple_of(4) => {}
            byte if upper(*byte) => {
                account.push(*byte);
                end = place + 1;
                if account.len() == length {
                    break;
                }
            }
            _ => break,
        }
    }
    let whole = account.len() == length && bytes.get(end).is_none_or(|byte| !word(*byte));
    let moved = account.iter().skip(4).chain(account.iter().take(4));
    let rest = moved.fold(0_u32, |rest, byte| match byte {
        digit if digit.is_ascii_digit() => (rest * 10 + u32::from(digit - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
    });
    (whole && rest == 1).then_some(end)
}
