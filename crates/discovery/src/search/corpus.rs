//! All operations, analysed once, whoever may see which of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollbridge_operation::{ApiName, Operation};

use super::document::{self, Document, Vocabulary};
use super::index::Index;
use super::synonyms;

/// Operations as an index is made of them. Immutable; indexes share what it holds.
#[derive(Debug)]
pub struct Corpus {
    pub(super) documents: Vec<Arc<Document>>,
    pub(super) words: Arc<[Arc<str>]>,
    pub(super) groups: Arc<[(Vec<String>, f32)]>,
    pub(super) titles: BTreeMap<ApiName, Arc<str>>,
}

/// One API, as far as it can be seen through an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiShown {
    /// Its name.
    pub name: ApiName,
    /// Its title, as its description has it: a stranger's text.
    pub title: Arc<str>,
    /// How many of its operations can be seen.
    pub operations: usize,
}

impl Corpus {
    /// Analyses the operations of some APIs, each with its title.
    pub fn new<'a, O>(apis: impl IntoIterator<Item = (&'a ApiName, &'a str, O)>) -> Self
    where
        O: IntoIterator<Item = &'a Arc<Operation>>,
    {
        let mut vocabulary = Vocabulary::new();
        let (mut documents, mut titles) = (Vec::new(), BTreeMap::new());
        for (name, title, operations) in apis {
            titles.insert(name.clone(), document::cut(title, 200).into());
            for operation in operations {
                documents.push(Arc::new(document::read(operation, title, &mut vocabulary)));
            }
        }
        let groups = synonyms::groups(|word| vocabulary.stems.of(word)).into();
        Self { documents, words: vocabulary.words.into(), groups, titles }
    }

    /// An index over those operations that `visible` takes, and nothing else: built anew from
    /// them, it is the same as if the others did not exist. Whoever serves many identities keeps
    /// one for each different set.
    pub fn index(&self, visible: impl FnMut(&Operation) -> bool) -> Index {
        Index::new(self, visible)
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// About how many bytes it holds, the operations themselves aside.
    pub fn size(&self) -> usize {
        let of = |document: &Arc<Document>| {
            size_of::<Document>()
                + size_of_val(&*document.entries)
                + document.shape.len()
                + document.needs.asks.iter().map(|one| one.len() + 16).sum::<usize>()
        };
        let words = self.words.iter().map(|word| word.len() + 32).sum::<usize>();
        self.documents.iter().map(of).sum::<usize>() + words
    }
}
