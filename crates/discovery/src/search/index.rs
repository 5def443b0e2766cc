//! The index over the operations that can be seen.
//!
//! Nothing of what cannot be seen is in it: words, counts, lengths and finders are those of the
//! operations in it, and their order is the corpus's. Two corpora that differ in hidden operations
//! alone give equal indexes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tollbridge_operation::{ApiName, Operation};

use super::answer::{self, Found};
use super::corpus::{ApiShown, Corpus};
use super::document::{Document, Entry, FIELDS, Field, WEIGHTS};
use super::near::letters;
use super::query::{self, Filter};

/// How soon a word counts no more for being in more of a document's fields (BM25's k1).
const SATURATION: f32 = 1.2;

/// The most operations that find one thing for another.
const MOST_FINDERS: usize = 2;

/// A ranked index of operations.
#[derive(Debug)]
pub struct Index {
    pub(super) documents: Vec<Arc<Document>>,
    /// Words by their number in this index, in the order in which they first occur.
    pub(super) words: Vec<Arc<str>>,
    pub(super) letters: Vec<u64>,
    numbers: HashMap<Arc<str>, u32>,
    /// Where each word's postings begin; one more than there are words.
    starts: Vec<u32>,
    postings: Vec<Posting>,
    /// In how many operations each word tells what they are.
    told: Vec<u32>,
    /// Words that mean the same, with what they count for each other.
    synonyms: HashMap<u32, Vec<(u32, f32)>>,
    /// For each document, those that find what it asks for.
    pub(super) finders: Vec<Box<[u32]>>,
    titles: BTreeMap<ApiName, (Arc<str>, usize)>,
    /// The documents by their operations' ids.
    by_id: Box<[u32]>,
}

/// What a word counts in a document, from 0 to `SATURATION + 1`, its rarity aside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posting {
    pub(super) document: u32,
    pub(super) weight: f32,
}

impl Index {
    pub(super) fn new(corpus: &Corpus, mut visible: impl FnMut(&Operation) -> bool) -> Self {
        let seen = corpus.documents.iter().filter(|document| visible(&document.operation));
        let documents: Vec<Arc<Document>> = seen.cloned().collect();
        let mut averages = [0.0_f32; FIELDS];
        for document in &documents {
            for (sum, length) in averages.iter_mut().zip(document.lengths) {
                *sum += f32::from(length);
            }
        }
        for sum in &mut averages {
            *sum = (*sum / as_float(documents.len().max(1))).max(1.0);
        }
        // The corpus's numbers become the index's own.
        let mut local = vec![u32::MAX; corpus.words.len()];
        let mut words: Vec<Arc<str>> = Vec::new();
        let mut lists: Vec<Vec<Posting>> = Vec::new();
        let mut told: Vec<u32> = Vec::new();
        for (at, document) in documents.iter().enumerate() {
            for entries in document.entries.chunk_by(|a, b| a.word == b.word) {
                let mut weight = 0.0;
                for entry in entries {
                    let field = entry.field as usize;
                    let (boost, length_matters) = WEIGHTS[field];
                    let length = f32::from(document.lengths[field]) / averages[field];
                    weight += boost * f32::from(entry.count)
                        / (1.0 - length_matters + length_matters * length);
                }
                let number = &mut local[entries[0].word as usize];
                if *number == u32::MAX {
                    *number = number_of(words.len());
                    words.push(Arc::clone(&corpus.words[entries[0].word as usize]));
                    lists.push(Vec::new());
                    told.push(0);
                }
                told[*number as usize] += u32::from(entries.iter().copied().any(tells));
                lists[*number as usize].push(Posting {
                    document: number_of(at),
                    weight: weight * (SATURATION + 1.0) / (weight + SATURATION),
                });
            }
        }
        let mut starts = vec![0];
        let mut postings = Vec::with_capacity(lists.iter().map(Vec::len).sum());
        for list in lists {
            postings.extend(list);
            starts.push(number_of(postings.len()));
        }
        let numbers: HashMap<Arc<str>, u32> =
            words.iter().enumerate().map(|(at, word)| (Arc::clone(word), number_of(at))).collect();
        let mut synonyms: HashMap<u32, Vec<(u32, f32)>> = HashMap::new();
        let mut titles: BTreeMap<ApiName, (Arc<str>, usize)> = BTreeMap::new();
        for document in &documents {
            let api = &document.operation.id.api;
            if let Some(title) = corpus.titles.get(api) {
                titles.entry(api.clone()).or_insert_with(|| (Arc::clone(title), 0)).1 += 1;
            }
        }
        for (group, weight) in corpus.groups.iter() {
            let here: Vec<u32> =
                group.iter().filter_map(|stem| numbers.get(stem.as_str()).copied()).collect();
            for one in &here {
                let others = here.iter().filter(|other| *other != one);
                synonyms.entry(*one).or_default().extend(others.map(|other| (*other, *weight)));
            }
        }
        let mut by_id: Box<[u32]> = (0..number_of(documents.len())).collect();
        by_id.sort_by_key(|at| parts(&documents[*at as usize]));
        let mut index = Self {
            by_id,
            letters: words.iter().map(|word| letters(word)).collect(),
            finders: finders(&documents),
            documents,
            words,
            numbers,
            starts,
            postings,
            told,
            synonyms,
            titles,
        };
        index.add_synonyms_of_absent_words(corpus);
        index
    }

    /// A word may be in no operation whose synonyms are: it is known by its group.
    fn add_synonyms_of_absent_words(&mut self, corpus: &Corpus) {
        for (group, weight) in corpus.groups.iter() {
            let present: Vec<(u32, f32)> = group
                .iter()
                .filter_map(|stem| self.numbers.get(stem.as_str()).map(|number| (*number, *weight)))
                .filter(|(number, _)| !self.list(*number).is_empty())
                .collect();
            if present.is_empty() {
                continue;
            }
            for stem in group {
                if self.numbers.contains_key(stem.as_str()) {
                    continue;
                }
                let number = number_of(self.words.len());
                let word: Arc<str> = stem.as_str().into();
                self.words.push(Arc::clone(&word));
                // No word is like one without letters: it is not guessed at.
                self.letters.push(u64::MAX);
                self.numbers.insert(word, number);
                self.starts.push(number_of(self.postings.len()));
                self.told.push(0);
                self.synonyms.insert(number, present.clone());
            }
        }
    }

    /// The best operations for a query, at most `limit`. A query of nothing but filters has all
    /// that pass them, in the order of their APIs' descriptions. It cannot fail.
    pub fn search(&self, text: &str, limit: usize) -> Found {
        self.search_within(text, &Filter::default(), limit)
    }

    /// The same, where a filter is given beside those of the text.
    pub fn search_within(&self, text: &str, filter: &Filter, limit: usize) -> Found {
        answer::find(self, &query::read(text), filter, limit)
    }

    /// The APIs of which something can be seen, by name.
    pub fn apis(&self) -> impl Iterator<Item = ApiShown> + '_ {
        self.titles.iter().map(|(name, (title, operations))| ApiShown {
            name: name.clone(),
            title: Arc::clone(title),
            operations: *operations,
        })
    }

    /// The operations, by their APIs and ids.
    pub fn operations(&self) -> impl Iterator<Item = &Arc<Operation>> {
        self.by_id.iter().map(|at| &self.documents[*at as usize].operation)
    }

    /// The operation of an id, if it can be seen: `api/key`, or the id as [`id`](crate::id) shows
    /// it, which no other operation's key can take the place of. One that is hidden is looked for
    /// as long as one that does not exist.
    pub fn operation(&self, id: &str) -> Option<&Arc<Operation>> {
        let (api, key) = id.split_once('/')?;
        let shown = key.starts_with('"').then(|| serde_json::from_str::<String>(key).ok());
        let shown = shown.flatten().and_then(|key| self.at(api, &key));
        shown.or_else(|| self.at(api, key))
    }

    fn at(&self, api: &str, key: &str) -> Option<&Arc<Operation>> {
        let of = |at: &u32| &self.documents[*at as usize];
        let at = self.by_id.binary_search_by(|at| parts(of(at)).cmp(&(api, key))).ok()?;
        Some(&of(&self.by_id[at]).operation)
    }

    /// How many operations are in it.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// About how many bytes it holds beside what it shares with the corpus.
    pub fn size(&self) -> usize {
        self.postings.len() * size_of::<Posting>()
            + self.words.len() * (16 + 8 + 4 + 32)
            + self.documents.len() * (8 + 16 + 4)
            + self.finders.iter().map(|one| one.len() * 4).sum::<usize>()
    }

    pub(super) fn number(&self, word: &str) -> Option<u32> {
        self.numbers.get(word).copied()
    }

    pub(super) fn list(&self, word: u32) -> &[Posting] {
        let at = word as usize;
        &self.postings[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    pub(super) fn synonyms_of(&self, word: u32) -> &[(u32, f32)] {
        self.synonyms.get(&word).map_or(&[], Vec::as_slice)
    }

    /// How much a word tells: BM25's inverse document frequency, in the form that is never
    /// negative.
    pub(super) fn rarity(&self, word: u32) -> f32 {
        let with = self.told[word as usize] as usize;
        let (all, with) = (as_float(self.documents.len()), as_float(with));
        (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
    }
}

/// Whether a word stands where it tells what the operation is. What the API is called stands in all
/// of them, and what is passed and answered in those that are about something else: an orders API
/// would find that `order` tells nothing.
fn tells(entry: Entry) -> bool {
    !matches!(entry.field, Field::Api | Field::Parameters | Field::Said | Field::Answer)
}

/// For each document those that find what it asks for, the best first.
fn finders(documents: &[Arc<Document>]) -> Vec<Box<[u32]>> {
    let mut of: HashMap<(&ApiName, &str), Vec<(u8, u32)>> = HashMap::new();
    for (at, document) in documents.iter().enumerate() {
        if let Some((thing, quality)) = &document.needs.finds {
            let api = &document.operation.id.api;
            of.entry((api, thing)).or_default().push((*quality, number_of(at)));
        }
    }
    for list in of.values_mut() {
        list.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        list.truncate(MOST_FINDERS);
    }
    let find = |document: &Arc<Document>| {
        let api = &document.operation.id.api;
        let asks = document.needs.asks.iter();
        let found = asks.filter_map(|thing| of.get(&(api, &**thing))).flatten();
        found.map(|(_, at)| *at).collect()
    };
    documents.iter().map(find).collect()
}

/// An id in its parts.
fn parts(document: &Document) -> (&str, &str) {
    let id = &document.operation.id;
    (id.api.as_str(), id.key.as_str())
}

fn number_of(at: usize) -> u32 {
    u32::try_from(at).expect("a corpus is smaller than four thousand million words")
}

#[expect(clippy::cast_precision_loss, reason = "counts of documents, for a ranking")]
fn as_float(count: usize) -> f32 {
    count as f32
}
