//! A ranked index of operations.
//!
//! The ranking is BM25F (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and
//! Beyond", 2009, §3.6): a word's counts in the fields are weighted, set against the length of
//! the field, added, and only then saturated. Three things are added that APIs need: synonyms of
//! the verbs that name operations, a guess at misspelt words, and operations that find the things
//! which the best results ask for.

mod answer;
mod corpus;
mod document;
mod finders;
mod index;
mod near;
mod query;
mod synonyms;
mod words;

#[cfg(test)]
mod tests;

pub use answer::{Found, Hit};
pub use corpus::{ApiShown, Corpus};
pub use index::Index;
pub use query::{Filter, MAX_QUERY};
