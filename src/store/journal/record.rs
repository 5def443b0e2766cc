//! A batch's events as bytes, and back.
//!
//! A record is a head and its events. The head has three little-endian numbers: how many bytes
//! follow it (`u32`), the CRC-32 of all that comes after itself (`u32`), and the record's own
//! number (`u64`), one more than that of the record before. So a record that was not written to
//! its end is none, and neither is an older one that a newer run did not reach.
//!
//! An event is its time (`i64`) and its nine texts, each a length (`u32`) and UTF-8; the length
//! [`NONE`] is that of a text that is not there. This file knows bytes and no file.

use crate::store::EventRow;

/// The bytes of a record's head.
const HEAD: usize = 16;

/// The length of a text that is not there.
const NONE: u32 = u32::MAX;

/// What one batch left.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) events: Vec<EventRow>,
}

/// Writes a record into the buffer, in place of what is in it. `false` where a text is too long
/// for any record.
pub(super) fn write(buffer: &mut Vec<u8>, number: u64, events: &[EventRow]) -> bool {
    buffer.clear();
    buffer.extend_from_slice(&[0; 8]);
    buffer.extend_from_slice(&number.to_le_bytes());
    for event in events {
        buffer.extend_from_slice(&event.at.to_le_bytes());
        for text in texts(event) {
            let Some(text) = text else {
                buffer.extend_from_slice(&NONE.to_le_bytes());
                continue;
            };
            let Some(length) = u32::try_from(text.len()).ok().filter(|length| *length != NONE)
            else {
                return false;
            };
            buffer.extend_from_slice(&length.to_le_bytes());
            buffer.extend_from_slice(text.as_bytes());
        }
    }
    let Ok(length) = u32::try_from(buffer.len() - HEAD) else { return false };
    buffer[..4].copy_from_slice(&length.to_le_bytes());
    let sum = crc32fast::hash(&buffer[8..]);
    buffer[4..8].copy_from_slice(&sum.to_le_bytes());
    true
}

/// Reads the run of records at the start of these bytes: up to what is no record, or not the
/// next one.
pub(super) fn run(bytes: &[u8]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut rest = bytes;
    while let Some((record, behind)) = read(rest) {
        if records.last().is_some_and(|last| record.number != last.number + 1) {
            break;
        }
        records.push(record);
        rest = behind;
    }
    records
}

/// The record at the start, and what is behind it.
fn read(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let mut head = Reader(bytes.get(..HEAD)?);
    let (length, sum, number) = (head.u32()?, head.u32()?, head.u64()?);
    let end = HEAD.checked_add(usize::try_from(length).ok()?)?;
    let whole = bytes.get(..end)?;
    if crc32fast::hash(&whole[8..]) != sum {
        return None;
    }
    let mut reader = Reader(&whole[HEAD..]);
    let mut events = Vec::new();
    while !reader.0.is_empty() {
        events.push(event(&mut reader).ok()?);
    }
    Some((Record { number, events }, &bytes[end..]))
}

fn texts(event: &EventRow) -> [Option<&str>; 9] {
    [
        event.call.as_deref(),
        Some(&event.kind),
        event.identity.as_deref(),
        event.tool.as_deref(),
        event.api.as_deref(),
        event.operation.as_deref(),
        event.decision.as_deref(),
        event.outcome.as_deref(),
        Some(&event.body),
    ]
}

/// The bytes are no record.
struct Torn;

/// The texts in their order in [`texts`].
fn event(reader: &mut Reader<'_>) -> Result<EventRow, Torn> {
    Ok(EventRow {
        at: reader.u64().ok_or(Torn)?.cast_signed(),
        call: reader.text()?,
        kind: reader.text()?.ok_or(Torn)?.into(),
        identity: reader.text()?,
        tool: reader.text()?,
        api: reader.text()?,
        operation: reader.text()?,
        decision: reader.text()?.map(Into::into),
        outcome: reader.text()?,
        body: reader.text()?.ok_or(Torn)?,
    })
}

/// The rest of what is being read.
struct Reader<'b>(&'b [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// A text, or `None` for one that is not there.
    fn text(&mut self) -> Result<Option<String>, Torn> {
        let length = self.u32().ok_or(Torn)?;
        if length == NONE {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| Torn)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(Torn)?;
        self.0 = rest;
        std::str::from_utf8(text).map(|text| Some(text.to_owned())).map_err(|_| Torn)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(number: u64, events: &[EventRow]) -> Vec<u8> {
        let mut buffer = b"what was in it".to_vec();
        assert!(write(&mut buffer, number, events));
        buffer
    }

    prop_compose! {
        fn row()(
            at in any::<i64>(),
            kind in any::<String>(),
            body in any::<String>(),
            texts in prop::array::uniform7(any::<Option<String>>()),
        ) -> EventRow {
            let [call, identity, tool, api, operation, decision, outcome] = texts;
            let decision = decision.map(Into::into);
            let kind = kind.into();
            EventRow { call, at, kind, identity, tool, api, operation, decision, outcome, body }
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            batches in prop::collection::vec(prop::collection::vec(row(), 0..4), 0..5),
            first in 0..u64::MAX - 10,
        ) {
            let number = |at: usize| first + at as u64;
            let bytes: Vec<u8> = batches
                .iter()
                .enumerate()
                .flat_map(|(at, events)| written(number(at), events))
                .collect();
            let read: Vec<_> = run(&bytes);
            prop_assert_eq!(read.len(), batches.len());
            for (at, (record, events)) in read.into_iter().zip(batches).enumerate() {
                prop_assert_eq!(record, Record { number: number(at), events });
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
            prop_assert_eq!(run(&bytes[..at]), []);
            let mut changed = bytes;
            changed[at] ^= flip;
            prop_assert_eq!(run(&changed), []);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = run(&bytes);
        }
    }

    #[test]
    fn an_older_record_behind_a_run_does_not_belong_to_it() {
        let numbers = |bytes: &[u8]| -> Vec<u64> {
            run(bytes).into_iter().map(|record| record.number).collect()
        };
        let record = |number| written(number, &[]);
        assert_eq!(numbers(&[record(8), record(9), record(3)].concat()), [8, 9]);
        assert_eq!(numbers(&[record(8), record(10)].concat()), [8]);
        assert_eq!(numbers(&[record(8), vec![0; 64]].concat()), [8]);
    }
}
