//! The trace that a call belongs to (W3C Trace Context, Level 2): what its agent sent, read; and the
//! spans of the call and of its requests, named.
//!
//! No name here is drawn by lot. A call whose agent sent no trace begins one whose id is the call's own
//! name, 128 bits either way; a span's id is made of the call's and of which request it is. So nothing
//! has to be kept for a call to be found by its trace.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::CallId;

/// What comes before a `traceparent`'s ids in the version that we write (§3.2.2).
const VERSION: &str = "00";

/// How long a `traceparent` of that version is, to the byte.
const LENGTH: usize = 55;

/// The flags that are understood: sampled, and that the trace's id is random (§3.2.2.5). Others are not
/// passed on.
const FLAGS: u8 = 0b11;

/// That whoever sent it may have recorded it (§3.2.2.5.1).
const SAMPLED: u8 = 0b01;

/// The most members of a `tracestate` (§3.3.1.1), and how long one may be in all (§3.3.1.5).
const MOST: usize = 32;
const LONGEST: usize = 512;

/// A member of that length is the first to go where a list is too long (§3.3.1.5).
const LONG: usize = 128;

/// The trace that an agent's call belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    id: [u8; 16],
    parent: [u8; 8],
    flags: u8,
    state: Option<String>,
}

impl Trace {
    /// Reads `traceparent` (§3.2) and `tracestate` (§3.3) as they were sent. Of a malformed
    /// `traceparent` nothing is kept (§4.3), of a malformed `tracestate` the rest.
    pub fn read(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let text = traceparent.as_bytes();
        let version: [u8; 1] = bytes(text.get(..2)?)?;
        let is_whole = match version[0] {
            0 => text.len() == LENGTH,
            // Never to be one.
            0xff => false,
            // A later one may say more behind what is known (§4.1).
            _ => text.len() == LENGTH || text.get(LENGTH) == Some(&b'-'),
        };
        let dashes = [2, 35, 52].iter().all(|at| text.get(*at) == Some(&b'-'));
        let (id, parent) = (bytes(text.get(3..35)?)?, bytes(text.get(36..52)?)?);
        let [flags] = bytes(text.get(53..55)?)?;
        let is_none = id == [0; 16] || parent == [0; 8];
        (is_whole && dashes && !is_none).then(|| Self {
            id,
            parent,
            flags: flags & FLAGS,
            state: tracestate.and_then(state),
        })
    }

    /// What was sent, in our version: for the record.
    pub fn traceparent(&self) -> String {
        written(self.id, self.parent, self.flags)
    }

    /// The `tracestate` that was sent, where it is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Its id, in hex.
    pub fn id(&self) -> String {
        hex(&self.id)
    }

    /// The id of the span that the call was made in, in hex.
    pub fn parent(&self) -> String {
        hex(&self.parent)
    }

    /// Its flags (§3.2.2.5), those that are understood.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Whether who sent it may have recorded it (§3.2.2.5.1).
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }
}

/// The id of the trace of a call whose agent sent none: the call's name, in hex.
pub fn own_trace(call: &CallId) -> String {
    hex(&bits(call))
}

/// The name of the call that began the trace of this id (32 digits in hex), if one did.
pub fn call_of(trace: &str) -> Option<CallId> {
    let id: [u8; 16] = bytes(trace.as_bytes())?;
    let mut left = u128::from_be_bytes(id);
    let mut name = [0; 26];
    for digit in name.iter_mut().rev() {
        *digit = DIGITS[usize::from(left.to_be_bytes()[15] & 31)];
        left >>= 5;
    }
    Some(CallId::new(name.iter().map(|digit| char::from(*digit)).collect::<String>()))
}

/// The id of a span of a call, in hex: of the call itself where `n` is 0, else of its request `n`.
pub fn span(call: &CallId, n: u32) -> String {
    let bits = bits(call);
    let mut id = [0; 8];
    id.copy_from_slice(&bits[8..]);
    // Names that are made one after the other may differ in their last bits alone, so the request is
    // told apart in the first ones.
    for (byte, of) in id.iter_mut().zip(n.to_le_bytes()) {
        *byte ^= of;
    }
    if id == [0; 8] {
        id[7] = 1;
    }
    hex(&id)
}

/// The `traceparent` of a call's request: the next hop's parent is the request's span.
pub fn passed_on(trace: Option<&Trace>, call: &CallId, n: u32) -> String {
    let mut text = match trace {
        Some(trace) => format!("{VERSION}-{}-", trace.id()),
        None => format!("{VERSION}-{}-", own_trace(call)),
    };
    text.push_str(&span(call, n));
    // A call that began its trace is on record, and that is what sampled says.
    let flags = trace.map_or(SAMPLED, |trace| trace.flags);
    let _ = write!(text, "-{flags:02x}");
    text
}

fn written(id: [u8; 16], parent: [u8; 8], flags: u8) -> String {
    format!("{VERSION}-{}-{}-{flags:02x}", hex(&id), hex(&parent))
}

/// Crockford's digits, in which names are written.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A call's name as a number. What is no ULID is digested.
fn bits(call: &CallId) -> [u8; 16] {
    let name = call.as_str().as_bytes();
    let number = name.iter().try_fold(0_u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'H' => digit - b'A' + 10,
            b'J' | b'K' => digit - b'J' + 18,
            b'M' | b'N' => digit - b'M' + 20,
            b'P'..=b'T' => digit - b'P' + 22,
            b'V'..=b'Z' => digit - b'V' + 27,
            _ => return None,
        };
        Some((number << 5) | u128::from(value))
    });
    match number {
        Some(number) if name.len() == 26 && name[0] <= b'7' && number != 0 => number.to_be_bytes(),
        _ => {
            let mut bits = [0; 16];
            bits.copy_from_slice(&Sha256::digest(name)[..16]);
            bits
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(HEX[usize::from(digit)])).collect()
}

/// Bytes that are written in hex, in lower case as the specification has it.
fn bytes<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

/// A list of members as it is passed on: without empty ones, and short enough. Nothing is left of one
/// that has a malformed member, or a key twice.
fn state(text: &str) -> Option<String> {
    let members = text.split(',').map(|member| member.trim_matches([' ', '\t']));
    let mut members: Vec<&str> = members.filter(|member| !member.is_empty()).collect();
    let mut keys = Vec::with_capacity(members.len().min(MOST));
    if members.is_empty() || members.len() > MOST {
        return None;
    }
    for member in &members {
        let (key, value) = member.split_once('=')?;
        if !is_key(key) || !is_value(value) || keys.contains(&key) {
            return None;
        }
        keys.push(key);
    }
    let length = |members: &[&str]| {
        members.iter().map(|member| member.len() + 1).sum::<usize>().saturating_sub(1)
    };
    if length(&members) > LONGEST {
        members.retain(|member| member.len() <= LONG);
    }
    while length(&members) > LONGEST {
        members.pop();
    }
    (!members.is_empty()).then(|| members.join(","))
}

/// §3.3.1.3.1: a letter, or a tenant's name, an `@` and a system's that begins with a letter.
fn is_key(key: &str) -> bool {
    let is_rest = |text: &str, most: usize| {
        text.len() <= most
            && text
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'))
    };
    let begins = |text: &str, digits: bool| {
        let first = text.bytes().next();
        first.is_some_and(|byte| byte.is_ascii_lowercase() || digits && byte.is_ascii_digit())
    };
    match key.split_once('@') {
        None => begins(key, false) && is_rest(key, 256),
        Some((tenant, system)) => {
            begins(tenant, true)
                && is_rest(tenant, 241)
                && begins(system, false)
                && is_rest(system, 14)
        }
    }
}

/// §3.3.1.3.2: up to 256 characters that can be seen, or spaces that end nothing.
fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && !value.ends_with(' ')
        && value.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'=')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// The specification's examples, and those of its test suite for what must not be accepted.
    #[test]
    fn a_traceparent_is_read_as_the_specification_has_it() {
        for (sent, kept) in [
            (SENT, Some(SENT)),
            (
                "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00",
                Some("00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00"),
            ),
            // Flags that nobody knows yet are not passed on.
            (
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
                Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03"),
            ),
            // A later version, which may have more behind it.
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Some(SENT)),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", Some(SENT)),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what", None),
            ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01what", None),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
            ("0.-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-", None),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01", None),
            ("00-.af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-.7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-.0", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1", None),
            ("00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", None),
            (" 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
            ("00-ä", None),
            ("", None),
        ] {
            let read = Trace::read(sent, None).map(|trace| trace.traceparent());
            assert_eq!(read.as_deref(), kept, "{sent}");
        }
    }

    #[test]
    fn a_tracestate_is_passed_on_whole_or_not_at_all() {
        let long = "v".repeat(257);
        let members: Vec<String> = (0..33).map(|n| format!("k{n}=1")).collect();
        for (sent, kept) in [
            ("foo=1", Some("foo=1")),
            ("foo=1,bar=2", Some("foo=1,bar=2")),
            ("foo=1 \t , \t bar=2, ,,baz=3", Some("foo=1,bar=2,baz=3")),
            ("foo= 1", Some("foo= 1")),
            ("fw529a3039@dt=FfAAAAA", Some("fw529a3039@dt=FfAAAAA")),
            ("0tenant@system=1", Some("0tenant@system=1")),
            ("a_-*/=!~", Some("a_-*/=!~")),
            (&members[..32].join(","), Some(&*members[..32].join(","))),
            (&members.join(","), None),
            ("foo=1,foo=2", None),
            ("foo", None),
            ("foo=", None),
            ("=1", None),
            ("Foo=1", None),
            ("0foo=1", None),
            ("foo@=1", None),
            ("@foo=1", None),
            ("foo@bar@baz=1", None),
            ("foo@0bar=1", None),
            ("foo@abcdefghijklmno=1", None),
            ("foo=a=b", None),
            ("foo=ä", None),
            ("foo=\u{7f}", None),
            ("foo bar=1", None),
            (&format!("foo={long}"), None),
            (",,", None),
            ("", None),
        ] {
            let trace = Trace::read(SENT, Some(sent)).expect("a trace");
            assert_eq!(trace.tracestate(), kept, "{sent}");
        }
    }

    #[test]
    fn a_tracestate_that_is_too_long_loses_its_long_members_and_then_its_last_ones() {
        let member = |key: &str, length: usize| format!("{key}={}", "v".repeat(length));
        let sent = [member("a", 250), member("b", 20), member("c", 250), member("d", 20)].join(",");
        let kept = [member("b", 20), member("d", 20)].join(",");
        let trace = Trace::read(SENT, Some(&sent)).expect("a trace");
        assert_eq!(trace.tracestate(), Some(&*kept));
        let many: Vec<String> = (0..9).map(|n| member(&format!("k{n}"), 97)).collect();
        let trace = Trace::read(SENT, Some(&many.join(","))).expect("a trace");
        assert_eq!(trace.tracestate(), Some(&*many[..5].join(",")));
    }

    #[test]
    fn a_request_is_passed_the_trace_with_a_span_of_its_own() {
        let call = CallId::new("01K4X9ZZZZZZZZZZZZZZZZZZZZ");
        let trace = Trace::read(SENT, Some("foo=1"));
        let (first, second) =
            (passed_on(trace.as_ref(), &call, 1), passed_on(trace.as_ref(), &call, 2));
        for sent in [&first, &second] {
            assert!(sent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{sent}");
            assert!(sent.ends_with("-01"), "{sent}");
            assert!(Trace::read(sent, None).is_some(), "{sent}");
        }
        assert_ne!(first, second);
        assert!(![&first, &second].iter().any(|sent| sent.contains(&span(&call, 0))));
    }

    #[test]
    fn a_call_without_a_trace_begins_one_by_which_it_is_found() {
        let call = CallId::new("01K4X9ZZZZZZZZZZZZZZZZZZZZ");
        let sent = passed_on(None, &call, 1);
        let trace = Trace::read(&sent, None).expect("a trace");
        assert_eq!(trace.id(), own_trace(&call));
        assert_eq!(call_of(&trace.id()), Some(call));
        assert_eq!(call_of("no trace"), None);
    }

    proptest! {
        #[test]
        fn names_become_traces_and_traces_names(number: u128) {
            let trace = hex(&number.to_be_bytes());
            let call = call_of(&trace).expect("a name");
            prop_assume!(number != 0);
            prop_assert_eq!(own_trace(&call), trace);
        }

        #[test]
        fn no_two_spans_of_a_call_or_of_its_neighbour_are_one(number in 1..u128::MAX, n in 0..64_u32, m in 0..64_u32) {
            let named = |number: u128| call_of(&hex(&number.to_be_bytes())).expect("a name");
            let (call, next) = (named(number), named(number + 1));
            prop_assert_eq!(span(&call, n) == span(&call, m), n == m);
            prop_assert_ne!(span(&call, n), span(&next, m));
        }

        #[test]
        fn whatever_is_read_is_written_as_one_that_is_read(sent in "[0-9a-f-]{50,60}", state in "\\PC{0,40}") {
            if let Some(trace) = Trace::read(&sent, Some(&state)) {
                let again = Trace::read(&trace.traceparent(), trace.tracestate());
                prop_assert_eq!(again, Some(trace));
            }
        }
    }
}
