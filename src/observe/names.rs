//! Names that are labels of metrics: bounded, and looked up without making a text anew.
//!
//! It does not know what a name is of.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How many different names of one kind get a label of their own.
pub(super) const MAX_NAMES: usize = 500;

/// Names that have a label of their own.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashSet<Arc<str>>>);

impl Names {
    /// The label of a name: itself, or `other` beyond the bound. A name that is known costs no
    /// memory.
    pub(super) fn label(&self, name: &str) -> Arc<str> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = known.get(name) {
            return Arc::clone(name);
        }
        if known.len() >= MAX_NAMES {
            return "other".into();
        }
        let name: Arc<str> = name.into();
        known.insert(Arc::clone(&name));
        name
    }
}
