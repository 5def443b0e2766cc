//! Which operation finds the thing that another asks for.
//!
//! An agent that is to read the credits of a film needs the film's id first. In a REST API the
//! structure tells who finds it: a path's parameter is named by the segment before it, and a read
//! whose path ends with that segment, or which searches for it, gives its ids.

use tollbridge_operation::{Effect, Operation};

use super::document::cut;
use super::words::{Stems, fold, split};

/// What an operation asks for, and what it finds.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// The things whose ids it asks for, as stems.
    pub(super) asks: Box<[Box<str>]>,
    /// The thing that it finds, and how well.
    pub(super) finds: Option<(Box<str>, u8)>,
}

/// The words of an id that do not name the thing.
const OF_IDS: &[&str] =
    &["id", "ids", "uuid", "guid", "key", "slug", "name", "number", "identifier"];

/// Parameters by which a list is searched.
const SEARCHED_BY: &[&str] = &["query", "q", "search", "filter", "keyword", "term", "name", "text"];

const SEARCHES: &[&str] = &["search", "find", "lookup", "query"];

/// Reads off an operation what it asks for and finds.
pub(super) fn needs(operation: &Operation, stems: &mut Stems) -> Needs {
    let Some(endpoint) = &operation.endpoint else { return Needs::default() };
    let segments: Vec<&str> =
        cut(&endpoint.path, 1_000).split('/').filter(|one| !one.is_empty()).collect();
    let mut asks: Vec<Box<str>> = Vec::new();
    let mut literal: Option<&str> = None;
    for segment in &segments {
        if segment.contains('{') {
            let thing = literal.map(last_word).or_else(|| thing_of_id(segment));
            if let Some(thing) = thing {
                let thing = stems.of(&thing).into_boxed_str();
                if !asks.contains(&thing) {
                    asks.push(thing);
                }
            }
        } else {
            literal = Some(segment);
        }
    }
    Needs { asks: asks.into(), finds: finds(operation, &segments, stems) }
}

fn finds(operation: &Operation, segments: &[&str], stems: &mut Stems) -> Option<(Box<str>, u8)> {
    if operation.effect != Effect::Read {
        return None;
    }
    let (last, before) = segments.split_last()?;
    if last.contains('{') {
        return None;
    }
    let is_search = |segment: &str| {
        let first = split(segment).first().map(|word| fold(word));
        first.is_some_and(|word| SEARCHES.contains(&word.as_str()))
    };
    let mut literals = before.iter().rev().filter(|segment| !segment.contains('{'));
    let (thing, searches) = if is_search(last) {
        (*literals.next()?, true)
    } else {
        (*last, literals.any(|segment| is_search(segment)))
    };
    let by_word = operation.input.properties().is_some_and(|properties| {
        properties.keys().any(|name| SEARCHED_BY.contains(&fold(name).as_str()))
    });
    let whole = !before.iter().any(|segment| segment.contains('{'));
    let quality = 1 + u8::from(whole) + 2 * u8::from(by_word) + 2 * u8::from(searches);
    Some((stems.of(&last_word(thing)).into(), quality))
}

/// `{movie_id}` is about `movie`.
fn thing_of_id(segment: &str) -> Option<String> {
    let words: Vec<String> = split(segment).into_iter().map(fold).collect();
    words.into_iter().rfind(|word| !OF_IDS.contains(&word.as_str()))
}

/// The last word of a segment: `line-items` are items.
fn last_word(segment: &str) -> String {
    split(segment).last().map(|word| fold(word)).unwrap_or_default()
}
