//! From text and identifiers to the words that are compared.
//!
//! A word is folded (lower case, compatibility forms, no accents) and stemmed by the English
//! Snowball stemmer, which leaves what is not English nearly as it is. Scripts that put no spaces
//! between words give pairs of characters.

use std::collections::HashMap;

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest word that is kept, in characters; the rest of it is dropped.
const LONGEST_WORD: usize = 40;

/// Words that say nothing of what is asked for.
const EMPTY: &[&str] = &[
    "a", "about", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but",
    "by", "can", "could", "d", "did", "do", "does", "each", "for", "from", "give", "had", "has",
    "have", "her", "here", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just", "let",
    "like", "ll", "m", "me", "more", "most", "my", "need", "needs", "no", "of", "on", "one", "or",
    "our", "out", "per", "please", "re", "s", "shall", "she", "should", "so", "some", "such", "t",
    "tell", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this",
    "those", "to", "too", "under", "up", "us", "using", "ve", "very", "via", "want", "wants",
    "was", "we", "were", "what", "when", "where", "which", "who", "whose", "will", "with", "would",
    "you", "your",
];

/// Plurals that no rule makes.
const IRREGULAR: &[(&str, &str)] = &[
    ("people", "person"),
    ("children", "child"),
    ("indices", "index"),
    ("indexes", "index"),
    ("vertices", "vertex"),
    ("matrices", "matrix"),
    ("statuses", "status"),
    ("aliases", "alias"),
    ("addresses", "address"),
    ("criteria", "criterion"),
    ("men", "man"),
    ("women", "woman"),
    ("series", "series"),
];

/// Whether a folded word is left out of queries and texts.
pub(super) fn is_empty_word(word: &str) -> bool {
    EMPTY.binary_search(&word).is_ok()
}

/// Folds a text: lower case, compatibility forms, without accents.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// The words of a text or an identifier as they stand, in order.
///
/// Words end where letters and digits do, where a capital follows a small letter, and before the
/// last of three and more capitals (`HTTPServer` is `HTTP` and `Server`). A digit stays with the
/// letters before it.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut chars = text.char_indices().peekable();
    let mut before: Option<char> = None;
    let mut capitals = 0;
    while let Some((at, c)) = chars.next() {
        if !c.is_alphanumeric() && !is_combining_mark(c) {
            if let Some(from) = start.take() {
                words.push(&text[from..at]);
            }
            before = None;
            capitals = 0;
            continue;
        }
        capitals = if c.is_uppercase() { capitals + 1 } else { 0 };
        let small_follows = chars.peek().is_some_and(|(_, next)| next.is_lowercase());
        let turns = match before {
            Some(last) if c.is_uppercase() && last.is_numeric() => small_follows,
            // Of two capitals the second begins no word: OAuth.
            Some(last) if last.is_uppercase() => capitals > 2 && small_follows,
            Some(_) => c.is_uppercase(),
            None => false,
        };
        match start {
            Some(from) if turns => {
                words.push(&text[from..at]);
                start = Some(at);
            }
            None => start = Some(at),
            Some(_) => {}
        }
        before = Some(c);
    }
    if let Some(from) = start {
        words.push(&text[from..]);
    }
    words
}

/// The folded words of one split word: itself, or the pairs of its characters where its script
/// puts no spaces between words.
pub(super) fn folded(word: &str, mut each: impl FnMut(&str)) {
    let folded = fold(word);
    if folded.chars().any(is_unspaced) {
        let chars: Vec<char> = folded.chars().take(LONGEST_WORD * 4).collect();
        if chars.len() == 1 {
            return each(&folded);
        }
        for pair in chars.windows(2) {
            each(&pair.iter().collect::<String>());
        }
        return;
    }
    match folded.char_indices().nth(LONGEST_WORD) {
        Some((end, _)) => each(&folded[..end]),
        None => each(&folded),
    }
}

fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{20000}'..='\u{2ffff}')
}

/// Stems folded words, and remembers what it stemmed.
pub(super) struct Stems {
    stemmer: Stemmer,
    known: HashMap<String, String>,
}

impl Stems {
    pub(super) fn new() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English), known: HashMap::new() }
    }

    /// The stem of a folded word.
    pub(super) fn of(&mut self, word: &str) -> String {
        if let Some(known) = self.known.get(word) {
            return known.clone();
        }
        let stem = stem_with(&self.stemmer, word);
        self.known.insert(word.to_owned(), stem.clone());
        stem
    }
}

/// The stem of a folded word, once.
pub(super) fn stem(word: &str) -> String {
    stem_with(&Stemmer::create(Algorithm::English), word)
}

fn stem_with(stemmer: &Stemmer, word: &str) -> String {
    let singular = IRREGULAR.iter().find(|(plural, _)| *plural == word).map(|(_, one)| *one);
    let word = singular.unwrap_or(word);
    // The stemmer reads English letters; others pass unchanged.
    if word.is_ascii() { stemmer.stem(word).into_owned() } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_split_where_a_reader_would() {
        for (text, words) in [
            ("getUserById", vec!["get", "User", "By", "Id"]),
            ("HTTPServer", vec!["HTTP", "Server"]),
            ("list_all-pets.v2", vec!["list", "all", "pets", "v2"]),
            ("OAuth2Token", vec!["OAuth2", "Token"]),
            ("GET_tv-on_the_air", vec!["GET", "tv", "on", "the", "air"]),
            ("/repos/{owner}/pulls", vec!["repos", "owner", "pulls"]),
            ("Größe ändern", vec!["Größe", "ändern"]),
            ("", vec![]),
        ] {
            assert_eq!(split(text), words, "{text}");
        }
    }

    #[test]
    fn singular_and_plural_and_forms_of_a_verb_are_one_word() {
        for (one, other) in [
            ("pets", "pet"),
            ("people", "person"),
            ("statuses", "status"),
            ("creating", "create"),
            ("categories", "category"),
        ] {
            assert_eq!(stem(one), stem(other), "{one}");
        }
    }

    #[test]
    fn words_are_folded_and_unspaced_scripts_are_cut_in_pairs() {
        for (text, words) in [
            ("Größe", vec!["große"]),
            ("ÉTÉ", vec!["ete"]),
            ("搜索电影", vec!["搜索", "索电", "电影"]),
        ] {
            let mut seen = Vec::new();
            folded(text, |word| seen.push(word.to_owned()));
            assert_eq!(seen, words, "{text}");
        }
    }

    #[test]
    fn the_list_of_empty_words_is_sorted() {
        assert!(EMPTY.is_sorted());
    }
}
