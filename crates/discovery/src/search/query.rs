//! What is asked: filters, and words.

use tollbridge_operation::{Effect, Operation};

use super::words::{fold, folded, is_empty_word, split, stem};

/// The longest query that is read, in characters; what follows is dropped.
pub const MAX_QUERY: usize = 1_000;

/// The most words of a query that are looked for.
const MOST_WORDS: usize = 48;

/// What a result must be, whatever its words. Several of one kind are alternatives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Names of APIs, in lower case.
    pub apis: Vec<String>,
    /// Effects.
    pub effects: Vec<Effect>,
    /// HTTP methods, in upper case.
    pub methods: Vec<String>,
}

impl Filter {
    /// Whether an operation passes.
    pub fn takes(&self, operation: &Operation) -> bool {
        let api = || self.apis.contains(&fold(operation.id.api.as_str()));
        let method = || {
            let method = operation.endpoint.as_ref().map(|endpoint| &endpoint.method);
            method.is_some_and(|method| self.methods.contains(method))
        };
        (self.apis.is_empty() || api())
            && (self.effects.is_empty() || self.effects.contains(&operation.effect))
            && (self.methods.is_empty() || method())
    }
}

/// A query, read.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) filter: Filter,
    pub(super) words: Vec<Word>,
}

/// A word that is looked for.
#[derive(Debug, PartialEq)]
pub(super) struct Word {
    /// Folded, as it was typed.
    pub(super) typed: String,
    /// Its stem, or the whole of an identifier (see [`whole_of`]).
    pub(super) stem: String,
    /// Whether something like it may be meant: not where it is the name of someone or something.
    pub(super) may_be_misspelt: bool,
    /// Whether what is typed stands beside others that must be there too.
    pub(super) is_whole: bool,
}

/// The whole of an identifier as one word that no text contains.
pub(super) fn whole_of(name: &str) -> String {
    let mut whole = String::from("=");
    whole.extend(fold(name).chars().filter(|c| c.is_alphanumeric()));
    whole
}

/// Reads a query. It cannot fail: what is no filter is words.
pub(super) fn read(text: &str) -> Query {
    let text = super::document::cut(text, MAX_QUERY);
    let mut query = Query::default();
    let tokens = text.split_whitespace();
    let tokens: Vec<&str> = tokens.filter(|token| !take_filter(token, &mut query.filter)).collect();
    let mut first = true;
    let is_shouted = !text.chars().any(char::is_lowercase);
    for (at, token) in tokens.iter().enumerate() {
        let parts = split(token);
        let named =
            !first && !is_shouted && parts.len() == 1 && token.starts_with(char::is_uppercase);
        first = false;
        for part in &parts {
            folded(part, |word| {
                if is_empty_word(word) {
                    return;
                }
                query.add(Word {
                    typed: word.to_owned(),
                    stem: stem(word),
                    may_be_misspelt: !named,
                    is_whole: false,
                });
            });
        }
        query.whole(token);
        // `user name` is `username` too.
        if let Some(next) = tokens.get(at + 1)
            && parts.len() == 1
            && split(next).len() == 1
            && !is_empty_word(&fold(next))
            && !is_empty_word(&fold(token))
        {
            let together = stem(&fold(&format!("{}{}", parts[0], split(next)[0])));
            query.add(Word {
                typed: String::new(),
                stem: together,
                may_be_misspelt: false,
                is_whole: true,
            });
        }
    }
    if tokens.len() > 1 && tokens.len() <= 6 {
        query.whole(&tokens.concat());
    }
    query
}

impl Query {
    fn add(&mut self, word: Word) {
        if self.words.len() < MOST_WORDS && !self.words.iter().any(|known| known.stem == word.stem)
        {
            self.words.push(word);
        }
    }

    fn whole(&mut self, name: &str) {
        let stem = whole_of(name);
        self.add(Word { typed: String::new(), stem, may_be_misspelt: false, is_whole: true });
    }
}

/// Takes a word that is a filter: `api:`, `effect:` or `method:`, with alternatives after commas.
fn take_filter(token: &str, filter: &mut Filter) -> bool {
    let Some((kind, values)) = token.split_once(':') else { return false };
    let values: Vec<&str> = values.split(',').filter(|value| !value.is_empty()).collect();
    if values.is_empty() {
        return false;
    }
    match kind.to_ascii_lowercase().as_str() {
        "api" => filter.apis.extend(values.into_iter().map(fold)),
        "method" => filter.methods.extend(values.iter().map(|value| value.to_ascii_uppercase())),
        "effect" => {
            let effects: Option<Vec<Effect>> = values.into_iter().map(effect).collect();
            let Some(effects) = effects else { return false };
            filter.effects.extend(effects);
        }
        _ => return false,
    }
    true
}

fn effect(word: &str) -> Option<Effect> {
    let all = [Effect::Read, Effect::Write, Effect::Destructive];
    all.into_iter().find(|effect| effect.as_str().eq_ignore_ascii_case(word))
}
