//! Taking secrets out of texts and values.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, BuildError};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::decode::Escapes;
use super::{Detectors, Secret, mask_keys};

/// What stands where a secret was.
pub const REDACTED: &str = "[redacted]";

/// Shorter secrets are looked for as they are only: two bytes in hex are in every text.
const ENCODED_FROM: usize = 4;

/// How many escaping encodings are undone on top of each other: a URL in a JSON string in a
/// JSON string.
const LAYERS: u8 = 2;

/// Knows secrets, and takes them out of whatever leaves the process or goes on record.
///
/// A secret is found as it is; percent-encoded, form-encoded, JSON-escaped and XML-escaped in
/// any spelling; as a token of a JSON pointer; and in hex, base64 and base64url, the latter two
/// wherever it stands in what was encoded, all three also broken into lines. Inbound API keys
/// are found by their shape. The default knows no secret. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor {
    knowledge: Knowledge,
    rules: Option<Arc<Rules>>,
    /// What else is taken out before.
    first: Option<Arc<Redactor>>,
}

/// What is taken out by its form, beside secrets that are known.
#[derive(Clone)]
pub struct Rules {
    /// What is looked for.
    pub detectors: Detectors,
    /// What stands where it was.
    pub instead: Instead,
}

/// What stands where something was taken out.
#[derive(Clone)]
pub enum Instead {
    /// The same for everything.
    Mask,
    /// A keyed digest: equal values can be matched without being seen.
    Hash(hmac::Key),
}

impl fmt::Debug for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mask => "Mask",
            Self::Hash(_) => "Hash(…)",
        })
    }
}

impl Instead {
    /// A digest with this key.
    pub fn hash(key: &Secret) -> Self {
        Self::Hash(hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes()))
    }

    /// What stands where this was.
    pub fn of(&self, text: &str) -> String {
        match self {
            Self::Mask => REDACTED.to_owned(),
            Self::Hash(key) => {
                let digest = hmac::sign(key, text.as_bytes());
                format!("[hash:{}]", hex::encode(&digest.as_ref()[..8]))
            }
        }
    }
}

#[derive(Clone, Default)]
enum Knowledge {
    #[default]
    Nothing,
    Fixed(Arc<Known>),
    Growing(Arc<Growing>),
}

/// Knowledge that grows: tokens are secrets that nobody knows before they are issued.
struct Growing {
    /// What was known from the start.
    base: Vec<Word>,
    learned: Mutex<VecDeque<Word>>,
    known: RwLock<Option<Arc<Known>>>,
}

/// A text that is a secret.
type Word = Zeroizing<String>;

/// How many learned secrets are remembered, those that were learned or used last.
const LEARNED: usize = 256;

struct Known {
    /// `None` where the automaton cannot be built: then nothing is let through.
    automata: Option<Automata>,
    /// Whether a `+` could stand for a secret's space.
    spaces: bool,
    mask: &'static str,
}

struct Automata {
    /// Finds what has a case.
    exact: AhoCorasick,
    /// What `exact` finds.
    needles: Vec<Needle>,
    /// Finds hex, whose digits have none.
    hex: AhoCorasick,
}

/// How a form of a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Writing {
    Plain,
    Hex,
    Base64,
}

/// A form of a secret. The order decides nothing; equal forms are one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Needle {
    bytes: Vec<u8>,
    writing: Writing,
    /// In base64 a character at either end may be of the secret and of what is beside it.
    shares_first: bool,
    shares_last: bool,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.knowledge {
            Knowledge::Nothing => "Redactor(none)",
            Knowledge::Fixed(_) | Knowledge::Growing(_) => "Redactor(…)",
        })
    }
}

impl Redactor {
    /// A redactor that knows these secrets.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        Self::with_pairs(secrets, [])
    }

    /// A redactor that also knows `user:password` of each pair, as basic authentication
    /// sends it (RFC 7617 §2).
    pub fn with_pairs<'s>(
        secrets: impl IntoIterator<Item = &'s Secret>,
        pairs: impl IntoIterator<Item = (&'s str, &'s Secret)>,
    ) -> Self {
        match Known::of(&words(secrets, pairs)) {
            None => Self::default(),
            Some(known) => Self::knowing(Knowledge::Fixed(Arc::new(known))),
        }
    }

    /// As [`with_pairs`](Self::with_pairs), for secrets that are joined by others later: see
    /// [`learn`](Self::learn).
    pub fn growing<'s>(
        secrets: impl IntoIterator<Item = &'s Secret>,
        pairs: impl IntoIterator<Item = (&'s str, &'s Secret)>,
    ) -> Self {
        let base = words(secrets, pairs);
        let known = RwLock::new(Known::of(&base).map(Arc::new));
        Self::knowing(Knowledge::Growing(Arc::new(Growing {
            base,
            learned: Mutex::default(),
            known,
        })))
    }

    /// Takes in a secret that was just issued, or is about to be used, before anything is done with
    /// it. Only a redactor
    /// that was made [`growing`](Self::growing) can: false where it cannot.
    #[must_use]
    pub fn learn(&self, secret: &Secret) -> bool {
        let Knowledge::Growing(growing) = &self.knowledge else { return false };
        let word = Zeroizing::new(secret.expose().to_owned());
        let mut learned = growing.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = learned.iter().position(|known| *known == word) {
            // What is in use is not what is forgotten next.
            if at < LEARNED / 2
                && let Some(known) = learned.remove(at)
            {
                learned.push_back(known);
            }
        } else if !growing.base.contains(&word) {
            learned.push_back(word);
            if learned.len() > LEARNED {
                learned.pop_front();
            }
            let all: Vec<_> = growing.base.iter().chain(learned.iter()).cloned().collect();
            let known = Known::of(&all).map(Arc::new);
            *growing.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        }
        true
    }

    fn known(&self) -> Option<Arc<Known>> {
        match &self.knowledge {
            Knowledge::Nothing => None,
            Knowledge::Fixed(known) => Some(Arc::clone(known)),
            Knowledge::Growing(growing) => {
                growing.known.read().unwrap_or_else(PoisonError::into_inner).clone()
            }
        }
    }

    fn knowing(knowledge: Knowledge) -> Self {
        Self { knowledge, ..Self::default() }
    }

    /// The same, which also takes out what these rules name.
    #[must_use]
    pub fn with_rules(&self, rules: Rules) -> Self {
        let rules = (!rules.detectors.is_empty()).then(|| Arc::new(rules));
        Self { rules, ..self.clone() }
    }

    /// The same after another one.
    #[must_use]
    pub fn after(&self, first: Arc<Self>) -> Self {
        Self { first: Some(first), ..self.clone() }
    }

    /// The text without secrets.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let clean = match &self.first {
            None => self.own_text(text),
            // What comes first may go by rules of its own.
            Some(first) => match first.text(text) {
                Cow::Borrowed(text) => self.own_text(text),
                Cow::Owned(clean) => Cow::Owned(self.own_text(&clean).into_owned()),
            },
        };
        let Some(rules) = &self.rules else { return clean };
        match rules.text(&clean) {
            None => clean,
            Some(cleaner) => Cow::Owned(cleaner),
        }
    }

    /// The text without secrets that are known, whatever else is told by its form.
    pub fn known_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(first) = &self.first else { return self.own_text(text) };
        match first.known_text(text) {
            Cow::Borrowed(text) => self.own_text(text),
            Cow::Owned(clean) => Cow::Owned(self.own_text(&clean).into_owned()),
        }
    }

    fn own_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(known) = self.known() else { return mask_keys(text) };
        match known.mask_secrets(text) {
            None => mask_keys(text),
            Some(clean) => Cow::Owned(mask_keys(&clean).into_owned()),
        }
    }

    /// Takes secrets out of a JSON value: out of strings and member names at every depth. A
    /// number that spells a secret becomes a string.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                if let Some(clean) = self.number(number.as_str()) {
                    *value = Value::String(clean);
                }
            }
            Value::String(text) => {
                if let Cow::Owned(clean) = self.text(text) {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => self.members(members),
        }
    }

    /// What stands in the place of a number; `None` where nothing need.
    fn number(&self, number: &str) -> Option<String> {
        match self.known() {
            Some(known) if known.is_in_number(number) => Some(known.mask.to_owned()),
            _ => self
                .rules
                .as_ref()
                .and_then(|rules| rules.text(number))
                .or_else(|| self.first.as_ref()?.number(number)),
        }
    }

    fn members(&self, members: &mut Map<String, Value>) {
        members.values_mut().for_each(|value| self.value(value));
        if members.keys().all(|name| matches!(self.text(name), Cow::Borrowed(_))) {
            return;
        }
        for (name, value) in std::mem::take(members) {
            let clean = self.text(&name).into_owned();
            let mut free = clean.clone();
            let mut n = 2_usize;
            while members.contains_key(&free) {
                free = format!("{clean}_{n}");
                n += 1;
            }
            members.insert(free, value);
        }
    }

    /// Whether [`value`](Self::value) would leave everything in this JSON text as it is. It may
    /// say no too often, and never yes too often: what is in a member is in the text, once its
    /// own escapes are undone.
    pub fn leaves_json(&self, text: &str) -> bool {
        let unescaped = Escapes::Json.decode_plain(text.as_bytes());
        let plain = match &unescaped {
            None => text,
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(plain) => plain,
                Err(_) => return false,
            },
        };
        if self.bytes_contain(plain.as_bytes())
            || self.rules.as_ref().is_some_and(|rules| !rules.find(plain).is_empty())
            || self.first.as_ref().is_some_and(|first| !first.leaves_json(text))
        {
            return false;
        }
        let has_no_key = |text| matches!(mask_keys(text), Cow::Borrowed(_));
        has_no_key(plain) && (unescaped.is_none() || has_no_key(text))
    }

    /// Whether a secret is anywhere in these bytes.
    pub fn bytes_contain(&self, bytes: &[u8]) -> bool {
        self.known().is_some_and(|known| match &known.automata {
            None => true,
            Some(automata) => known.holds(automata, bytes, LAYERS),
        })
    }
}

impl Rules {
    /// The text without what they name; `None` where there is nothing.
    fn text(&self, text: &str) -> Option<String> {
        let found = self.find(text);
        if found.is_empty() {
            return None;
        }
        let mut clean = String::with_capacity(text.len());
        let mut kept = 0;
        for range in found {
            clean.push_str(&text[kept..range.start]);
            clean.push_str(&self.instead.of(&unescaped(&text[range.clone()])));
            kept = range.end;
        }
        clean.push_str(&text[kept..]);
        Some(clean)
    }

    /// Where what they name is: as it is, and as a URL spells it.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = self.detectors.find(text);
        if !self.detectors.may_be_escaped(text) {
            return found;
        }
        let decoded = Escapes::Form.decode_plain(text.as_bytes());
        let is_inside = |decoded: Vec<u8>| !self.detectors.find(&plain(&decoded)).is_empty();
        // The way back is made where it leads somewhere.
        if decoded.is_some_and(is_inside)
            && let Some(decoded) = Escapes::Form.decode(text.as_bytes())
        {
            let inside = self.detectors.find(&plain(&decoded.bytes));
            found.extend(inside.iter().map(|range| decoded.origin(range)));
            found = merged(found);
        }
        found
    }
}

/// Bytes as a text that is as long: what is no character in them is a mark that no detector takes
/// for anything.
fn plain(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{1a}'));
    }
    Cow::Owned(text)
}

/// What was found as a URL spells it, so that it has the hash of what it says.
fn unescaped(found: &str) -> Cow<'_, str> {
    let decoded = Escapes::Percent.decode_plain(found.as_bytes());
    match decoded.map(String::from_utf8) {
        Some(Ok(text)) => Cow::Owned(text),
        _ => Cow::Borrowed(found),
    }
}

/// In order, and neither overlapping nor touching.
fn merged(mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// The texts that are secrets; of each pair `user:password` too.
fn words<'s>(
    secrets: impl IntoIterator<Item = &'s Secret>,
    pairs: impl IntoIterator<Item = (&'s str, &'s Secret)>,
) -> Vec<Word> {
    let word = |text: &str| Zeroizing::new(text.to_owned());
    let mut words: Vec<_> = secrets.into_iter().map(|secret| word(secret.expose())).collect();
    for (user, password) in pairs {
        words.push(word(password.expose()));
        if !password.expose().is_empty() {
            words.push(Zeroizing::new(format!("{user}:{}", password.expose())));
        }
    }
    words
}

impl Known {
    /// Knowledge of these secrets; `None` where there is nothing to know.
    fn of(words: &[Word]) -> Option<Self> {
        let needles: BTreeSet<_> = words.iter().flat_map(|word| forms(word.as_bytes())).collect();
        if needles.is_empty() {
            return None;
        }
        let automata = Automata::new(needles.into_iter().collect()).ok();
        let mask = [REDACTED, "***", "###"]
            .into_iter()
            .find(|mask| automata.as_ref().is_some_and(|automata| !automata.find(mask.as_bytes())))
            .unwrap_or_default();
        let spaces = words.iter().any(|word| word.contains(' '));
        Some(Self { automata, spaces, mask })
    }

    /// The text without secrets; `None` where it has none.
    fn mask_secrets(&self, text: &str) -> Option<String> {
        let Some(automata) = &self.automata else { return Some(self.mask.to_owned()) };
        let found = self.find(automata, text.as_bytes());
        if found.is_empty() {
            return None;
        }
        let mut clean = String::with_capacity(text.len());
        let mut kept = 0;
        for range in found {
            let start = floor_boundary(text, range.start);
            clean.push_str(text.get(kept..start).unwrap_or_default());
            clean.push_str(self.mask);
            kept = ceil_boundary(text, range.end).max(kept);
        }
        clean.push_str(&text[kept..]);
        Some(clean)
    }

    /// A short secret is in many numbers by chance, so it must be all of one.
    fn is_in_number(&self, number: &str) -> bool {
        let Some(automata) = &self.automata else { return true };
        let number = number.as_bytes();
        automata
            .search(number)
            .iter()
            .any(|found| found.len() == number.len() || found.len() >= ENCODED_FROM)
    }

    /// Where secrets are: in order, and neither overlapping nor touching.
    fn find(&self, automata: &Automata, text: &[u8]) -> Vec<Range<usize>> {
        if !self.holds(automata, text, LAYERS) {
            return Vec::new();
        }
        merged(self.search(automata, text, LAYERS))
    }

    /// The encodings to undo, and how many more to undo in what that yields. A form is
    /// decoded last: what it yields has no `+` that means a space.
    fn encodings(&self, layers: u8) -> impl Iterator<Item = (Escapes, Option<u8>)> + use<> {
        let deeper = layers.checked_sub(1);
        let escapes = [Escapes::Json, Escapes::Xml, Escapes::Percent];
        let escapes = escapes.into_iter().filter(move |_| deeper.is_some());
        let form = self.spaces.then_some((Escapes::Form, None));
        escapes.map(move |escapes| (escapes, deeper)).chain(form)
    }

    fn holds(&self, automata: &Automata, text: &[u8], layers: u8) -> bool {
        automata.find(text)
            || Escapes::Lines
                .decode_plain(text)
                .is_some_and(|joined| automata.search_encoded(&joined).next().is_some())
            || self.encodings(layers).any(|(escapes, deeper)| {
                let Some(decoded) = escapes.decode_plain(text) else { return false };
                match deeper {
                    Some(layers) => self.holds(automata, &decoded, layers),
                    None => automata.find(&decoded),
                }
            })
    }

    fn search(&self, automata: &Automata, text: &[u8], layers: u8) -> Vec<Range<usize>> {
        let mut found = automata.search(text);
        if let Some(joined) = Escapes::Lines.decode(text) {
            let inside = automata.search_encoded(&joined.bytes);
            found.extend(inside.map(|range| joined.origin(&range)));
        }
        for (escapes, deeper) in self.encodings(layers) {
            let Some(decoded) = escapes.decode(text) else { continue };
            let inside = match deeper {
                Some(layers) => self.search(automata, &decoded.bytes, layers),
                None => automata.search(&decoded.bytes),
            };
            found.extend(inside.iter().map(|range| decoded.origin(range)));
        }
        found
    }
}

impl Automata {
    fn new(needles: Vec<Needle>) -> Result<Self, BuildError> {
        let (hex, needles): (Vec<_>, Vec<_>) =
            needles.into_iter().partition(|needle| needle.writing == Writing::Hex);
        let hex = hex.iter().map(|needle| &needle.bytes);
        Ok(Self {
            exact: AhoCorasick::new(needles.iter().map(|needle| &needle.bytes))?,
            hex: AhoCorasick::builder().ascii_case_insensitive(true).build(hex)?,
            needles,
        })
    }

    /// Whether there is anything to find.
    fn find(&self, text: &[u8]) -> bool {
        self.exact.is_match(text) || self.hex.is_match(text)
    }

    fn search(&self, text: &[u8]) -> Vec<Range<usize>> {
        self.search_among(text, |_| true).collect()
    }

    /// Finds what may go over line breaks: without them any words may touch, so a secret as
    /// it is proves nothing there.
    fn search_encoded(&self, text: &[u8]) -> impl Iterator<Item = Range<usize>> {
        self.search_among(text, |needle| needle.writing == Writing::Base64)
    }

    fn search_among(
        &self,
        text: &[u8],
        among: impl Fn(&Needle) -> bool,
    ) -> impl Iterator<Item = Range<usize>> {
        let exact = self.exact.find_overlapping_iter(text).filter_map(move |found| {
            let needle = &self.needles[found.pattern().as_usize()];
            among(needle).then(|| needle.widen(found.range(), text))
        });
        exact.chain(self.hex.find_overlapping_iter(text).map(|found| found.range()))
    }
}

impl Needle {
    /// Takes in the characters at the ends that hold some of the secret's bits.
    fn widen(&self, found: Range<usize>, text: &[u8]) -> Range<usize> {
        let is_digit = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
        let before = found.start.checked_sub(1).and_then(|at| text.get(at));
        let first = self.shares_first && before.is_some_and(is_digit);
        let last = self.shares_last && text.get(found.end).is_some_and(is_digit);
        found.start - usize::from(first)..found.end + usize::from(last)
    }
}

/// The forms under which a secret is looked for. Encodings that escape single characters are
/// not among them: a text is decoded before it is searched.
fn forms(secret: &[u8]) -> Vec<Needle> {
    let whole = |bytes: Vec<u8>, writing| Needle {
        bytes,
        writing,
        shares_first: false,
        shares_last: false,
    };
    let exact = |bytes| whole(bytes, Writing::Plain);
    if secret.is_empty() {
        return Vec::new();
    }
    let mut forms = vec![exact(secret.to_vec())];
    if secret.len() < ENCODED_FROM {
        return forms;
    }
    // A member's name as a JSON pointer spells it (RFC 6901 §3): messages name places so.
    if secret.iter().any(|byte| matches!(byte, b'~' | b'/')) {
        let token = String::from_utf8_lossy(secret).replace('~', "~0").replace('/', "~1");
        forms.push(whole(token.into_bytes(), Writing::Plain));
    }
    forms.push(whole(hex::encode(secret).into_bytes(), Writing::Hex));
    // A URL parser leaves `%41` as it is (WHATWG URL, percent-encode sets), so the text's own
    // decoding undoes it too.
    let unescaped = Escapes::Percent.decode(secret).map(|decoded| decoded.bytes);
    forms.extend(unescaped.filter(|bytes| bytes.len() >= ENCODED_FROM).map(exact));
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for (before, skipped) in [(0, 0), (1, 2), (2, 3)] {
            let bits = (before + secret.len()) * 8;
            let text = engine.encode([&vec![0; before], secret].concat());
            forms.push(Needle {
                bytes: text.as_bytes()[skipped..bits / 6].to_vec(),
                writing: Writing::Base64,
                shares_first: before > 0,
                shares_last: !bits.is_multiple_of(6),
            });
        }
    }
    forms
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}
