//! Words of an index that are like one that it does not have.
//!
//! Only a word that is nowhere is guessed at: a letter of it is wrong, missing, too many or swapped
//! with its neighbour, in a long word two; or it is the beginning of a longer word.

use super::index::Index;

/// What the beginning of a word counts in its place, and a word with one and with two mistakes.
const BEGINS: f32 = 0.6;
const MISTAKES: [f32; 2] = [0.8, 0.55];

/// The longest ending that a stemmer takes off, in bytes.
const LONGEST_ENDING: usize = 4;

/// The most words that are tried in the place of one.
const MOST: usize = 4;

/// A word's letters as a set of bits: where two differ by many, so do the words.
pub(super) fn letters(word: &str) -> u64 {
    word.bytes().fold(0, |set, byte| set | 1 << (byte & 63))
}

/// The words in the place of one that is not there, the nearest first, with what each counts.
pub(super) fn near(index: &Index, stem: &str) -> Vec<(u32, f32)> {
    let length = stem.chars().count();
    let allowed = match length {
        0..=3 => return Vec::new(),
        4..=7 => 1,
        _ => 2,
    };
    let set = letters(stem);
    let mut found: Vec<(u32, f32)> = Vec::new();
    for (number, (word, theirs)) in index.words.iter().zip(&index.letters).enumerate() {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        if word.starts_with('=') {
            continue;
        }
        if word.len() > stem.len() && word.starts_with(stem) {
            found.push((number, BEGINS));
            continue;
        }
        // Each mistake takes away at most one letter.
        let budget = allowed as usize;
        if (theirs & !set).count_ones() > allowed {
            continue;
        }
        // A letter is at most four bytes.
        if (set & !theirs).count_ones() <= allowed && word.len().abs_diff(stem.len()) <= budget * 4
        {
            let mistakes = strsim::osa_distance(word, stem);
            if let 1..=2 = mistakes
                && mistakes <= budget
            {
                found.push((number, MISTAKES[mistakes - 1]));
                continue;
            }
        }
        // An ending that the stemmer knows hides behind a mistake: `custmoers` and `custom`.
        if let Some(beginning) = beginning(stem, word)
            && strsim::osa_distance(word, beginning) == 1
        {
            found.push((number, MISTAKES[1]));
        }
    }
    found.sort_by(|a, b| {
        b.1.total_cmp(&a.1).then_with(|| {
            // By the words and not their numbers, in which hidden operations have a part.
            let word = |number: u32| &index.words[number as usize];
            word(a.0).len().cmp(&word(b.0).len()).then_with(|| word(a.0).cmp(word(b.0)))
        })
    });
    found.truncate(MOST);
    found
}

/// As much of a word as another is long, where that is most of it.
fn beginning<'a>(word: &'a str, other: &str) -> Option<&'a str> {
    let length = other.chars().count();
    if length < 5 || word.len() > other.len() + LONGEST_ENDING {
        return None;
    }
    let end = word.char_indices().nth(length).map(|(end, _)| end)?;
    Some(&word[..end])
}
