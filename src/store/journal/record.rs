//! A batch's events as bytes, and back.
//!
//! A record is a head and its events. The head has three little-endian numbers: how many bytes
//! follow it (`u32`), the CRC-32 of all that comes after itself (`u32`), and the record's own
//! number (`u64`), one more than that of the record before. So a record that was not written to
//! its end is none, and neither is an older one that a newer run did not reach.
//!
//! The highest byte of a number says what stands before the events: with the bit [`COUNTED`] what was
//! taken of windows and budgets ([`super::uses`]), behind that with the bit [`TEXTED`] texts that these
//! events and later ones have in common ([`crate::store::Shared`]). Who writes something else takes
//! another bit. A record that was written to its end and cannot be read is therefore
//! another version's, and never taken for a torn one.
//!
//! An event is its time (`i64`) and its ten texts, each a length (`u32`) and UTF-8; the length
//! [`NONE`] is that of a text that is not there. This file knows bytes and no file.

use super::uses::Uses;
use crate::store::insert::{Row, TEXTS};
use crate::store::{EventRow, Shared};

/// The bytes of a record's head.
const HEAD: usize = 16;

/// The length of a text that is not there.
const NONE: u32 = u32::MAX;

/// What was taken stands before the events.
const COUNTED: u64 = 1;

/// Texts stand before them.
const TEXTED: u64 = 2;

/// Where the form stands in a number.
const FORM_AT: u32 = 56;

/// A record that was written to its end, in a form that is not read here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign;

/// What one batch left.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) uses: Uses,
    /// Texts that its events and later ones have in common.
    pub(super) texts: Vec<String>,
    pub(super) events: Events,
}

/// Events of one record or of several, as they stand in them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Events(Vec<u8>);

impl Events {
    /// Adds those in a record that was [written](write), from that byte on.
    pub(super) fn add(&mut self, record: &[u8], at: usize) {
        self.0.extend_from_slice(&record[at..]);
    }

    /// Adds others behind these.
    pub(super) fn append(&mut self, later: &Self) {
        self.0.extend_from_slice(&later.0);
    }

    pub(in crate::store) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets them, and keeps the room for others.
    pub(in crate::store) fn clear(&mut self) {
        self.0.clear();
    }

    /// Each of them, in order.
    pub(in crate::store) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let mut reader = Reader(&self.0);
        // They were written here, or were read before they were taken for events.
        std::iter::from_fn(move || event(&mut reader).ok())
    }
}

/// Writes a record into the buffer, in place of what is in it. Where its events begin; `None` where a
/// text is too long for any record.
pub(super) fn write(
    buffer: &mut Vec<u8>,
    number: u64,
    uses: &Uses,
    texts: &[Shared],
    events: &[EventRow],
) -> Option<usize> {
    let counted = if uses.is_empty() { 0 } else { COUNTED };
    let form = counted | if texts.is_empty() { 0 } else { TEXTED };
    buffer.clear();
    buffer.extend_from_slice(&[0; 8]);
    buffer.extend_from_slice(&(number | form << FORM_AT).to_le_bytes());
    if form & COUNTED != 0 {
        uses.encode(buffer)?;
    }
    if form & TEXTED != 0 {
        buffer.extend_from_slice(&u32::try_from(texts.len()).ok()?.to_le_bytes());
        for text in texts {
            write_text(buffer, Some(text.text()))?;
        }
    }
    let begin = buffer.len();
    for event in events {
        buffer.extend_from_slice(&event.at.to_le_bytes());
        for text in Row::from(event).texts {
            write_text(buffer, text)?;
        }
    }
    let length = u32::try_from(buffer.len() - HEAD).ok()?;
    buffer[..4].copy_from_slice(&length.to_le_bytes());
    let sum = crc32fast::hash(&buffer[8..]);
    buffer[4..8].copy_from_slice(&sum.to_le_bytes());
    Some(begin)
}

fn write_text(buffer: &mut Vec<u8>, text: Option<&str>) -> Option<()> {
    let Some(text) = text else {
        buffer.extend_from_slice(&NONE.to_le_bytes());
        return Some(());
    };
    let length = u32::try_from(text.len()).ok().filter(|length| *length != NONE)?;
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(text.as_bytes());
    Some(())
}

/// Reads the run of records at the start of these bytes: up to what is no record, or not the
/// next one.
pub(super) fn run(bytes: &[u8]) -> Result<Vec<Record>, Foreign> {
    let mut records: Vec<Record> = Vec::new();
    let mut rest = bytes;
    while let Some((record, behind)) = read(rest)? {
        if records.last().is_some_and(|last| record.number != last.number + 1) {
            break;
        }
        records.push(record);
        rest = behind;
    }
    Ok(records)
}

/// The record at the start, and what is behind it.
fn read(bytes: &[u8]) -> Result<Option<(Record, &[u8])>, Foreign> {
    let Some((number, whole, behind)) = whole(bytes) else { return Ok(None) };
    let mut reader = Reader(whole);
    let form = number >> FORM_AT;
    if form & !(COUNTED | TEXTED) != 0 {
        return Err(Foreign);
    }
    let mut uses = Uses::default();
    if form & COUNTED != 0 {
        uses = Uses::decode(&mut reader).map_err(|Torn| Foreign)?;
    }
    let mut texts = Vec::new();
    if form & TEXTED != 0 {
        for _ in 0..reader.u32().ok_or(Foreign)? {
            let text = reader.text().map_err(|Torn| Foreign)?.ok_or(Foreign)?;
            texts.push(text.to_owned());
        }
    }
    let events = Events(reader.0.to_vec());
    while !reader.0.is_empty() {
        event(&mut reader).map_err(|Torn| Foreign)?;
    }
    let number = number & !(u64::MAX << FORM_AT);
    Ok(Some((Record { number, uses, texts, events }, behind)))
}

/// The number of the record at the start, what is in it, and what is behind it; `None` where none was
/// written to its end.
fn whole(bytes: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let mut head = Reader(bytes.get(..HEAD)?);
    let (length, sum, number) = (head.u32()?, head.u32()?, head.u64()?);
    let end = HEAD.checked_add(usize::try_from(length).ok()?)?;
    let (whole, behind) = bytes.split_at_checked(end)?;
    (crc32fast::hash(&whole[8..]) == sum).then(|| (number, &whole[HEAD..], behind))
}

/// The bytes are no record.
pub(super) struct Torn;

/// A time, and the texts in the order of the columns.
fn event<'b>(reader: &mut Reader<'b>) -> Result<Row<'b>, Torn> {
    let at = reader.u64().ok_or(Torn)?.cast_signed();
    let mut texts = [None; TEXTS];
    for text in &mut texts {
        *text = reader.text()?;
    }
    // An event is of some kind, and has a body.
    if texts[1].is_none() || texts[TEXTS - 2].is_none() { Err(Torn) } else { Ok(Row { at, texts }) }
}

/// The rest of what is being read.
pub(super) struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.bytes().map(i64::from_le_bytes)
    }

    /// A text, or `None` for one that is not there.
    pub(super) fn text(&mut self) -> Result<Option<&'b str>, Torn> {
        let length = self.u32().ok_or(Torn)?;
        if length == NONE {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| Torn)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Torn)?;
        self.0 = rest;
        std::str::from_utf8(text).map(Some).map_err(|_| Torn)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(number: u64, events: &[EventRow]) -> Vec<u8> {
        let mut buffer = b"what was in it".to_vec();
        assert!(write(&mut buffer, number, &Uses::default(), &[], events).is_some());
        buffer
    }

    proptest! {
        #[test]
        fn texts_are_read_before_the_events(
            texts in prop::collection::vec(any::<String>(), 1..4),
            events in prop::collection::vec(row(), 0..3),
        ) {
            let mut buffer = Vec::new();
            let shared: Vec<Shared> = texts.iter().cloned().map(Shared::new).collect();
            let begin = write(&mut buffer, 9, &Uses::default(), &shared, &events);
            let read = run(&buffer).expect("of this form");
            prop_assert_eq!((read.len(), read[0].number), (1, 9));
            prop_assert_eq!(&read[0].texts, &texts);
            let expected: Vec<_> = events.iter().map(Row::from).collect();
            prop_assert_eq!(read[0].events.rows().collect::<Vec<_>>(), expected.clone());
            let mut added = Events::default();
            added.add(&buffer, begin.expect("it is short"));
            prop_assert_eq!(added.rows().collect::<Vec<_>>(), expected);
        }
    }

    prop_compose! {
        fn row()(
            at in any::<i64>(),
            kind in any::<String>(),
            body in any::<String>(),
            texts in prop::array::uniform8(any::<Option<String>>()),
        ) -> EventRow {
            let [call, identity, tool, api, operation, decision, outcome, payload] = texts;
            let decision = decision.map(Into::into);
            let kind = kind.into();
            let [call, identity, tool, api, operation] =
                [call, identity, tool, api, operation].map(|text| text.map(Into::into));
            EventRow {
                call, at, kind, identity, tool, api, operation, decision, outcome, body, payload,
                shared: None,
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            batches in prop::collection::vec(prop::collection::vec(row(), 0..4), 0..5),
            first in 0..(1_u64 << 56) - 10,
        ) {
            let number = |at: usize| first + at as u64;
            let bytes: Vec<u8> = batches
                .iter()
                .enumerate()
                .flat_map(|(at, events)| written(number(at), events))
                .collect();
            let read = run(&bytes).expect("of this form");
            prop_assert_eq!(read.len(), batches.len());
            for (at, (record, events)) in read.into_iter().zip(batches).enumerate() {
                prop_assert_eq!(record.number, number(at));
                let expected: Vec<_> = events.iter().map(Row::from).collect();
                prop_assert_eq!(record.events.rows().collect::<Vec<_>>(), expected);
            }
        }

        #[test]
        fn a_record_that_is_cut_or_changed_anywhere_is_none(
            events in prop::collection::vec(row(), 1..3),
            at in any::<prop::sample::Index>(),
            flip in 1..=u8::MAX,
        ) {
            let bytes = written(7, &events);
            let at = at.index(bytes.len());
            prop_assert_eq!(run(&bytes[..at]), Ok(Vec::new()));
            let mut changed = bytes;
            changed[at] ^= flip;
            prop_assert_eq!(run(&changed), Ok(Vec::new()));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = run(&bytes);
        }
    }

    #[test]
    fn an_older_record_behind_a_run_does_not_belong_to_it() {
        let numbers = |bytes: &[u8]| -> Vec<u64> {
            run(bytes).expect("of this form").into_iter().map(|record| record.number).collect()
        };
        let record = |number| written(number, &[]);
        assert_eq!(numbers(&[record(8), record(9), record(3)].concat()), [8, 9]);
        assert_eq!(numbers(&[record(8), record(10)].concat()), [8]);
        assert_eq!(numbers(&[record(8), vec![0; 64]].concat()), [8]);
    }
}
