//! Which operations become tools.

use std::cell::Cell;
use std::collections::BTreeSet;

use tollbridge_operation::{Effect, Endpoint, Operation};

use super::{Args, ImportError};
use crate::tools;

/// How many reads become tools where nothing is selected: more than clients list well.
const DEFAULT_READS: usize = 40;

/// What was asked for: a way to select, and what narrows it.
#[derive(Debug)]
pub(super) struct Selection {
    by: By,
    narrowed: Narrowed,
}

/// A way to select.
#[derive(Debug)]
enum By {
    /// Every operation, without holds.
    All,
    /// What a glob matches.
    Globs(Vec<Word>),
    /// What has a tag.
    Tags(Vec<Word>),
    /// All reads.
    Reads,
    /// Whatever the narrowing leaves.
    Rest,
    /// Nothing: the first reads.
    Default {
        /// How many more.
        left: Cell<usize>,
    },
}

/// What an operation must be, whatever selects it. An empty list asks for nothing.
#[derive(Debug)]
struct Narrowed {
    methods: Vec<Word>,
    paths: Vec<Word>,
    effects: Vec<Effect>,
}

impl Narrowed {
    fn is_empty(&self) -> bool {
        self.methods.is_empty() && self.paths.is_empty() && self.effects.is_empty()
    }

    /// Why an operation is left out. Each word is asked, so that each knows whether it
    /// matched anything.
    fn refuses(&self, endpoint: Option<&Endpoint>, effect: Option<Effect>) -> Option<&'static str> {
        let any = |words: &[Word], fits: &dyn Fn(&str) -> bool| {
            words.iter().filter(|word| word.note(fits(&word.text))).count() > 0 || words.is_empty()
        };
        let method = any(&self.methods, &|word| {
            endpoint.is_some_and(|e| e.method.eq_ignore_ascii_case(word))
        });
        let path = any(&self.paths, &|word| endpoint.is_some_and(|e| matches_glob(word, &e.path)));
        let effect =
            self.effects.is_empty() || effect.is_none_or(|effect| self.effects.contains(&effect));
        match (method, path, effect) {
            (false, ..) => Some("its method is none of those that were asked for"),
            (_, false, _) => Some("its path is none of those that were asked for"),
            (.., false) => Some("its effect is none of those that were asked for"),
            _ => None,
        }
    }
}

/// A word of the command line, and whether anything matched it.
#[derive(Debug)]
pub(super) struct Word {
    text: String,
    matched: Cell<bool>,
}

impl Word {
    fn all(texts: &[String]) -> Vec<Self> {
        texts.iter().map(|text| Self { text: text.clone(), matched: Cell::new(false) }).collect()
    }

    fn note(&self, matches: bool) -> bool {
        self.matched.set(self.matched.get() || matches);
        matches
    }
}

/// What becomes of an operation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// A tool.
    Tool {
        /// Each call of which a person must approve.
        hold: bool,
    },
    /// None, for this reason.
    Not(&'static str),
}

impl Selection {
    pub(super) fn new(args: &Args) -> Result<Self, ImportError> {
        let texts = args.select.iter().chain(&args.tags).chain(&args.methods).chain(&args.paths);
        if texts.into_iter().any(String::is_empty) {
            return Err(ImportError::Usage("a selector takes no empty text".to_owned()));
        }
        let narrowed = Narrowed {
            methods: Word::all(&args.methods),
            paths: Word::all(&args.paths),
            effects: args.effects.iter().map(|word| Effect::from(*word)).collect(),
        };
        let by = if args.all {
            By::All
        } else if !args.select.is_empty() {
            By::Globs(Word::all(&args.select))
        } else if !args.tags.is_empty() {
            By::Tags(Word::all(&args.tags))
        } else if args.read_only {
            By::Reads
        } else if !narrowed.is_empty() {
            By::Rest
        } else {
            By::Default { left: Cell::new(DEFAULT_READS) }
        };
        Ok(Self { by, narrowed })
    }

    pub(super) fn choose(&self, operation: &Operation) -> Choice {
        let refused = self.narrowed.refuses(operation.endpoint.as_ref(), Some(effect(operation)));
        match (self.by.choose(operation), refused) {
            (Choice::Tool { .. }, Some(reason)) => Choice::Not(reason),
            (choice, _) => choice,
        }
    }

    /// A selector that means an operation that cannot be called is no misspelling: the
    /// report says why that one is none.
    pub(super) fn note_skipped(&self, key: &str, endpoint: Option<&Endpoint>) {
        let _noted = self.narrowed.refuses(endpoint, None);
        if let By::Globs(globs) = &self.by {
            let place = endpoint.map(|e| format!("{} {}", e.method, e.path));
            for glob in globs {
                let matches = |text: &str| matches_glob(&glob.text, text);
                glob.note(matches(key) || place.as_deref().is_some_and(matches));
            }
        }
    }

    /// The first word of the command line that matched nothing.
    pub(super) fn unmatched(&self) -> Option<String> {
        let by = match &self.by {
            By::Globs(globs) => Some(("--select", globs)),
            By::Tags(tags) => Some(("--tag", tags)),
            _ => None,
        };
        let narrowed = [("--method", &self.narrowed.methods), ("--path", &self.narrowed.paths)];
        by.into_iter().chain(narrowed).find_map(|(option, words)| {
            let word = words.iter().find(|word| !word.matched.get())?;
            Some(format!("{option} {}", word.text))
        })
    }
}

impl By {
    fn choose(&self, operation: &Operation) -> Choice {
        let effect = effect(operation);
        let selected = Choice::Tool { hold: effect == Effect::Destructive };
        let read = effect == Effect::Read;
        match self {
            // By its own id it can be had all the same.
            Self::All | Self::Tags(_) | Self::Reads | Self::Default { .. }
                if operation.twin_of.is_some() =>
            {
                Choice::Not("it is another port's operation again")
            }
            Self::All => Choice::Tool { hold: false },
            Self::Rest => selected,
            Self::Globs(globs) => {
                let key = operation.id.key.as_str();
                let place = operation.endpoint.as_ref().map(|e| format!("{} {}", e.method, e.path));
                let matches = |text: &str| {
                    matches_glob(text, key)
                        || place.as_deref().is_some_and(|place| matches_glob(text, place))
                };
                // Each glob is asked, so that each knows whether it matched anything.
                let hits = globs.iter().filter(|glob| glob.note(matches(&glob.text))).count();
                if hits > 0 { selected } else { Choice::Not("not selected") }
            }
            Self::Tags(tags) => {
                let tagged =
                    |tag: &str| operation.tags.iter().any(|own| own.eq_ignore_ascii_case(tag));
                let hits = tags.iter().filter(|tag| tag.note(tagged(&tag.text))).count();
                if hits > 0 { selected } else { Choice::Not("not selected") }
            }
            Self::Reads if read => selected,
            Self::Default { .. } | Self::Reads if !read => Choice::Not("it does more than read"),
            Self::Default { left } if left.get() > 0 => {
                left.set(left.get() - 1);
                selected
            }
            Self::Default { .. } | Self::Reads => Choice::Not("40 reads are tools already"),
        }
    }
}

/// What an operation may do, as far as an import can tell. A WSDL says nothing of it: there
/// the name is all there is, and what sounds like reading is proposed as such for a person to
/// confirm.
pub(super) fn effect(operation: &Operation) -> Effect {
    const READING: [&str; 17] = [
        "get", "list", "find", "search", "query", "read", "fetch", "lookup", "look_up", "retrieve",
        "describe", "count", "check", "is", "has", "show", "select",
    ];
    if operation.endpoint.is_some() || operation.effect != Effect::Write {
        return operation.effect;
    }
    let name = tools::name::propose(&operation.id.key, &BTreeSet::new());
    let name = name.as_str();
    let reads = READING.iter().any(|verb| {
        name.strip_prefix(verb).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    });
    if reads { Effect::Read } else { operation.effect }
}

/// Whether a text matches a pattern in which `*` is any text and `?` any one character.
/// Nothing else is special: operation ids have braces and brackets of their own.
///
/// A mismatch goes back to the last `*` only, so that hostile patterns cost the product of
/// the lengths and no more.
fn matches_glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_nothing_else_is_special() {
        for (pattern, text) in [
            ("listZones", "listZones"),
            ("list*", "listZones"),
            ("*Zone*", "patchZone"),
            ("GET /zones/*", "GET /zones/{id}/keys"),
            ("GET /zones/{id}", "GET /zones/{id}"),
            ("?et", "get"),
            ("*a*b*", "xxaxxaxbx"),
            ("*", ""),
        ] {
            assert!(matches_glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("list", "listZones"), ("Zones", "listZones"), ("a?", "a"), ("[a]", "a")]
        {
            assert!(!matches_glob(pattern, text), "{pattern} {text}");
        }
    }
}
