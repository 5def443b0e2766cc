//! From a query to ranked operations.

use std::cmp::Ordering;
use std::sync::Arc;

use tollbridge_operation::Operation;

use super::index::Index;
use super::near::near;
use super::query::{Filter, Query, Word};

/// What a result's score lends to the operation that finds what the result asks for.
const LENT: f32 = 0.7;

/// How near a finder comes to what it is lifted by.
const BELOW: f32 = 0.98;

/// How many of the best results lend.
const LENDERS: usize = 4;

/// What each result that is the same thing as one before it keeps of its score.
const AGAIN: f32 = 0.3;

/// What a word counts that only a whole identifier, or two words written together, has.
const WHOLE: f32 = 0.6;

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The best results, best first.
    pub hits: Vec<Hit>,
    /// How many operations there are that have anything to do with the query.
    pub matched: usize,
    /// Words that are nowhere, each with the word that was looked for in its place.
    pub corrected: Vec<(String, String)>,
}

/// A result.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The operation.
    pub operation: Arc<Operation>,
    /// How well it fits: to be compared within one answer only.
    pub score: f32,
}

pub(super) fn find(index: &Index, query: &Query, filter: &Filter, limit: usize) -> Found {
    let takes = |at: usize| {
        let operation = &index.documents[at].operation;
        query.filter.takes(operation) && filter.takes(operation)
    };
    if query.words.is_empty() {
        let passing: Vec<usize> = (0..index.len()).filter(|at| takes(*at)).collect();
        let hits = passing.iter().take(limit).map(|at| hit(index, *at, 0.0)).collect();
        return Found { hits, matched: passing.len(), corrected: Vec::new() };
    }
    let mut scores = vec![0.0_f32; index.len()];
    let mut best = vec![0.0_f32; index.len()];
    let mut touched = Vec::new();
    let mut corrected = Vec::new();
    for word in &query.words {
        touched.clear();
        for (number, weight) in variants(index, word, &mut corrected) {
            for posting in index.list(number) {
                let at = posting.document as usize;
                if best[at] == 0.0 {
                    touched.push(at);
                }
                best[at] = best[at].max(weight * posting.weight);
            }
        }
        for at in &touched {
            scores[*at] += std::mem::take(&mut best[*at]);
        }
    }
    let mut ranked: Vec<(f32, usize)> = scores
        .iter()
        .enumerate()
        .filter(|(at, score)| **score > 0.0 && takes(*at))
        .map(|(at, score)| (*score, at))
        .collect();
    let mut matched = ranked.len();
    top(&mut ranked, LENDERS.max(limit.saturating_mul(3)));
    matched += lend(index, &mut ranked, takes);
    spread(index, &mut ranked);
    let hits = ranked.iter().take(limit).map(|(score, at)| hit(index, *at, *score)).collect();
    Found { hits, matched, corrected }
}

fn hit(index: &Index, at: usize, score: f32) -> Hit {
    Hit { operation: Arc::clone(&index.documents[at].operation), score }
}

/// The words of the index that stand for one of the query, with what each counts.
fn variants(index: &Index, word: &Word, corrected: &mut Vec<(String, String)>) -> Vec<(u32, f32)> {
    let Some(number) = index.number(&word.stem) else {
        if !word.may_be_misspelt {
            return Vec::new();
        }
        let found = near(index, &word.stem);
        if let Some((nearest, _)) = found.first() {
            corrected.push((word.typed.clone(), index.words[*nearest as usize].to_string()));
        }
        let counts = |(number, weight)| (number, weight * index.rarity(number));
        return found.into_iter().map(counts).collect();
    };
    let is_absent = index.list(number).is_empty();
    let rarity = index.rarity(number);
    let weight = if word.is_whole { WHOLE } else { 1.0 };
    let mut all = vec![(number, weight * rarity)];
    for (other, weight) in index.synonyms_of(number) {
        // A rare synonym tells no more than the word that was asked for.
        let theirs = index.rarity(*other);
        let rarity = if is_absent { theirs } else { rarity.min(theirs) };
        all.push((*other, weight * rarity));
    }
    all
}

/// The best so many, in order.
fn top(ranked: &mut Vec<(f32, usize)>, count: usize) {
    if ranked.len() > count {
        ranked.select_nth_unstable_by(count, order);
        ranked.truncate(count);
    }
    ranked.sort_unstable_by(order);
}

fn order(a: &(f32, usize), b: &(f32, usize)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// Lifts the operations that find what the best results ask for. Gives how many of them have
/// nothing to do with the query but that.
fn lend(index: &Index, ranked: &mut Vec<(f32, usize)>, takes: impl Fn(usize) -> bool) -> usize {
    let known = ranked.len();
    let mut lent: Vec<(usize, f32)> = Vec::new();
    for (score, at) in ranked.iter().take(LENDERS) {
        for finder in &index.finders[*at] {
            let finder = *finder as usize;
            match lent.iter_mut().find(|(known, _)| *known == finder) {
                Some((_, most)) => *most = most.max(*score),
                None if takes(finder) => lent.push((finder, *score)),
                None => {}
            }
        }
    }
    for (finder, score) in lent {
        // It comes after what it is for, unless it is better by itself.
        let with = |own: f32| own.max((own + LENT * score).min(BELOW * score));
        match ranked.iter_mut().find(|(_, at)| *at == finder) {
            Some((own, _)) => *own = with(*own),
            None => ranked.push((with(0.0), finder)),
        }
    }
    ranked.sort_unstable_by(order);
    ranked.len() - known
}

/// Puts what is the same thing again behind what is not.
fn spread(index: &Index, ranked: &mut [(f32, usize)]) {
    let mut seen: Vec<&str> = Vec::with_capacity(ranked.len());
    for (score, at) in ranked.iter_mut() {
        let shape = &*index.documents[*at].shape;
        let again = seen.iter().filter(|known| **known == shape).count();
        for _ in 0..again {
            *score *= AGAIN;
        }
        seen.push(shape);
    }
    ranked.sort_unstable_by(order);
}
