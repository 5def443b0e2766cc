//! What is read of one operation: which words, in which of its texts, how often.
//!
//! Everything that is read is cut first, so that a description of any size costs the same and
//! says no more than an honest one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;
use tollbridge_operation::{Operation, Schema};

use super::finders::{self, Needs};
use super::synonyms::verb_of;
use super::words::{Stems, fold, folded, is_empty_word, split};

/// A text of an operation, as far as words in it tell differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum Field {
    /// Its key in the description.
    Name,
    /// The last literal segment of its path.
    Leaf,
    /// The segments before it: the resources that it belongs to.
    Path,
    /// The verb of its method.
    Verb,
    /// Its summary.
    Summary,
    /// Its tags.
    Tags,
    /// Its description.
    Description,
    /// The names of its arguments.
    Parameters,
    /// What is said of them, and the values that they take.
    Said,
    /// The names in what it answers.
    Answer,
    /// The API's name and title.
    Api,
    /// The whole of an identifier, as one word.
    Whole,
}

/// How many fields there are.
pub(super) const FIELDS: usize = 12;

/// How much a word in a field counts, and how much the field's length is held against it.
pub(super) const WEIGHTS: [(f32, f32); FIELDS] = [
    (2.0, 0.5),  // Name
    (2.0, 0.4),  // Leaf
    (1.6, 0.5),  // Path
    (0.4, 0.0),  // Verb
    (2.2, 0.5),  // Summary
    (1.2, 0.5),  // Tags
    (0.7, 0.75), // Description
    (1.0, 0.75), // Parameters
    (0.3, 0.75), // Said
    (0.8, 0.75), // Answer
    (0.5, 0.0),  // Api
    (2.0, 0.0),  // Whole
];

/// How often a word counts in one field: saying it again lifts nothing.
const MOST_COUNTED: u8 = 2;
/// The most words that are read of a field.
const MOST_WORDS: usize = 300;
/// The most characters of an identifier, a summary, a description, and a parameter's text.
const LONGEST: [usize; 4] = [160, 240, 2_000, 160];
/// The most names that are read of a schema, and how deep it is read.
const MOST_NAMES: usize = 120;
const DEEPEST: usize = 5;

/// A word of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Its number in the corpus.
    pub(super) word: u32,
    pub(super) field: Field,
    pub(super) count: u8,
}

/// One operation, analysed.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) operation: Arc<Operation>,
    /// Its words, those of the same number beside each other.
    pub(super) entries: Box<[Entry]>,
    /// How many words each field has.
    pub(super) lengths: [u16; FIELDS],
    /// Which things it asks for, and which it finds.
    pub(super) needs: Needs,
    /// Two documents of the same shape are the same thing twice: through another version or port.
    pub(super) shape: Box<str>,
}

/// The words of a corpus, numbered.
pub(super) struct Vocabulary {
    numbers: HashMap<Arc<str>, u32>,
    pub(super) words: Vec<Arc<str>>,
    pub(super) stems: Stems,
}

impl Vocabulary {
    pub(super) fn new() -> Self {
        Self { numbers: HashMap::new(), words: Vec::new(), stems: Stems::new() }
    }

    fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        let word: Arc<str> = word.into();
        self.words.push(Arc::clone(&word));
        self.numbers.insert(word, number);
        number
    }
}

/// Reads an operation.
pub(super) fn read(
    operation: &Arc<Operation>,
    title: &str,
    vocabulary: &mut Vocabulary,
) -> Document {
    let [identifier, summary, description, said] = LONGEST;
    let mut reader = Reader { vocabulary, counts: HashMap::new(), lengths: [0; FIELDS] };
    let key = operation.id.key.as_str();
    reader.identifier(Field::Name, cut(key, identifier));
    reader.whole(cut(key, identifier));
    if let Some(endpoint) = &operation.endpoint {
        let segments: Vec<&str> =
            cut(&endpoint.path, 1_000).split('/').filter(|one| !one.is_empty()).collect();
        let literal: Vec<&str> =
            segments.iter().copied().filter(|one| !one.contains('{')).collect();
        if let Some((leaf, parents)) = literal.split_last() {
            reader.identifier(Field::Leaf, cut(leaf, identifier));
            for parent in parents {
                reader.identifier(Field::Path, cut(parent, identifier));
            }
        }
        reader.text(Field::Verb, verb_of(&endpoint.method));
    }
    reader.text(Field::Summary, cut(operation.summary.as_deref().unwrap_or_default(), summary));
    let text = operation.description.as_deref().unwrap_or_default();
    reader.text(Field::Description, cut(text, description));
    for tag in operation.tags.iter().take(8) {
        reader.identifier(Field::Tags, cut(tag, identifier));
    }
    reader.identifier(Field::Api, operation.id.api.as_str());
    reader.text(Field::Api, cut(title, identifier));
    let mut names = Names::of(&operation.input);
    names.read(operation.input.root(), 0);
    for (name, text) in &names.found {
        reader.identifier(Field::Parameters, cut(name, identifier));
        reader.text(Field::Said, cut(text, said));
    }
    if let Some(output) = &operation.output {
        let mut names = Names::of(output);
        names.read(output.root(), 0);
        for (name, _) in &names.found {
            reader.identifier(Field::Answer, cut(name, identifier));
        }
    }
    let needs = finders::needs(operation, &mut reader.vocabulary.stems);
    let Reader { counts, lengths, .. } = reader;
    let mut entries: Vec<Entry> =
        counts.into_iter().map(|((word, field), count)| Entry { word, field, count }).collect();
    entries.sort_unstable_by_key(|entry| (entry.word, entry.field));
    Document {
        operation: Arc::clone(operation),
        entries: entries.into(),
        lengths,
        needs,
        shape: shape(operation),
    }
}

/// Counts the words of one document.
struct Reader<'a> {
    vocabulary: &'a mut Vocabulary,
    counts: HashMap<(u32, Field), u8>,
    lengths: [u16; FIELDS],
}

impl Reader<'_> {
    /// Reads a name: its words, and two or three of them written together.
    fn identifier(&mut self, field: Field, name: &str) {
        let words = split(name);
        if let 2..=3 = words.len() {
            let together = self.vocabulary.stems.of(&fold(&words.concat()));
            self.count(field, &together);
        }
        self.words(field, &words);
    }

    /// Reads the whole of a name as one word, however its parts are written.
    fn whole(&mut self, name: &str) {
        let whole = super::query::whole_of(name);
        self.count(Field::Whole, &whole);
    }

    fn text(&mut self, field: Field, text: &str) {
        self.words(field, &split(text));
    }

    fn words(&mut self, field: Field, words: &[&str]) {
        for word in words {
            if usize::from(self.lengths[field as usize]) >= MOST_WORDS {
                return;
            }
            let mut found = Vec::new();
            folded(word, |one| found.push(one.to_owned()));
            for one in found.iter().filter(|one| !is_empty_word(one)) {
                self.lengths[field as usize] = self.lengths[field as usize].saturating_add(1);
                let stem = self.vocabulary.stems.of(one);
                self.count(field, &stem);
            }
        }
    }

    fn count(&mut self, field: Field, word: &str) {
        if word.is_empty() {
            return;
        }
        let number = self.vocabulary.number(word);
        let count = self.counts.entry((number, field)).or_default();
        *count = MOST_COUNTED.min(*count + 1);
    }
}

/// The names in a schema, each once, and what is said of them.
struct Names<'a> {
    definitions: HashMap<&'a str, &'a Value>,
    followed: BTreeSet<&'a str>,
    known: BTreeSet<&'a str>,
    found: Vec<(&'a str, String)>,
}

impl<'a> Names<'a> {
    fn of(schema: &'a Schema) -> Self {
        let shared = schema.definitions().iter().map(|one| (&*one.name, &*one.schema));
        let own = schema.root().get("$defs").and_then(Value::as_object);
        let own = own.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema));
        Self {
            definitions: shared.chain(own).collect(),
            followed: BTreeSet::new(),
            known: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    fn read(&mut self, schema: &'a Value, depth: usize) {
        if depth > DEEPEST || self.found.len() >= MOST_NAMES {
            return;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str)
            && let Some(name) = target.strip_prefix("#/$defs/")
            && let Some((name, target)) = self.definitions.get_key_value(name)
            && self.followed.insert(name)
        {
            let target = *target;
            self.read(target, depth);
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            if self.found.len() >= MOST_NAMES {
                return;
            }
            if self.known.insert(name) {
                self.found.push((name, said(property)));
            }
        }
        for property in properties.into_iter().flat_map(serde_json::Map::values) {
            self.read(property, depth + 1);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let parts = schema.get(keyword).and_then(Value::as_array);
            for part in parts.into_iter().flatten() {
                self.read(part, depth + 1);
            }
        }
        if let Some(items) = schema.get("items") {
            self.read(items, depth + 1);
        }
    }
}

/// What is said of a parameter: its description, and the words that it takes.
fn said(schema: &Value) -> String {
    let longest = LONGEST[3];
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let mut said = cut(description, longest).to_owned();
    let values = schema.get("enum").and_then(Value::as_array);
    for value in values.into_iter().flatten().filter_map(Value::as_str).take(12) {
        said.push(' ');
        said.push_str(cut(value, 40));
    }
    said
}

/// What an operation is, whichever version or port it is called through.
fn shape(operation: &Operation) -> Box<str> {
    let Some(endpoint) = &operation.endpoint else {
        return fold(operation.id.key.as_str()).into();
    };
    let is_version = |segment: &str| {
        let digits = segment.strip_prefix(['v', 'V']).unwrap_or(segment);
        segment == "api" || digits.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut shape = endpoint.method.clone();
    for segment in endpoint.path.split('/').filter(|one| !one.is_empty() && !is_version(one)) {
        shape.push('/');
        shape.push_str(if segment.starts_with('{') { "{}" } else { segment });
    }
    cut(&shape, 300).into()
}

/// The beginning of a text.
pub(super) fn cut(text: &str, longest: usize) -> &str {
    text.char_indices().nth(longest).map_or(text, |(end, _)| &text[..end])
}
