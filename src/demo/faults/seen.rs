//! What reached the fault upstream.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::door::Door;
use super::request::Request;

/// How many requests are kept.
const KEPT: usize = 1_000;

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Through which door.
    pub door: Door,
    /// To which fault, with what stands behind its `~`.
    pub run: String,
    /// Which request of that run it was, from 1.
    pub n: usize,
    /// The request.
    pub request: Request,
    /// Whether all of it came.
    pub whole: bool,
}

#[derive(Debug, Default)]
pub(super) struct Record(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    seen: VecDeque<Seen>,
    runs: BTreeMap<String, usize>,
    connections: BTreeMap<Door, u64>,
}

impl Record {
    /// What is kept is changed in one step, so a poisoned lock's value is whole.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn connected(&self, door: Door) {
        *self.kept().connections.entry(door).or_default() += 1;
    }

    /// A request came: which one of its run it is.
    pub(super) fn came(&self, door: Door, run: String, request: Request, whole: bool) -> usize {
        let mut kept = self.kept();
        let count = kept.runs.entry(run.clone()).or_default();
        *count += 1;
        let n = *count;
        if kept.seen.len() == KEPT {
            kept.seen.pop_front();
        }
        kept.seen.push_back(Seen { door, run, n, request, whole });
        n
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.kept().seen.iter().cloned().collect()
    }

    pub(super) fn connections(&self, door: Door) -> u64 {
        self.kept().connections.get(&door).copied().unwrap_or_default()
    }

    /// The record for whoever asks: of headers the names alone, since their values are secrets.
    pub(super) fn json(&self) -> Value {
        let kept = self.kept();
        let doors: BTreeMap<&str, u64> =
            kept.connections.iter().map(|(door, count)| (door.name(), *count)).collect();
        let requests: Vec<Value> = kept
            .seen
            .iter()
            .map(|seen| {
                let headers: Vec<&str> =
                    seen.request.headers.iter().map(|(name, _)| name.as_str()).collect();
                json!({
                    "fault": seen.run,
                    "n": seen.n,
                    "door": seen.door.name(),
                    "method": seen.request.method,
                    "target": seen.request.target,
                    "headers": headers,
                    "body_bytes": seen.request.bytes,
                    "whole": seen.whole,
                })
            })
            .collect();
        json!({"connections": doors, "counts": kept.runs, "requests": requests})
    }
}
