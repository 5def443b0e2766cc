//! The policies that were considered, with the values that they read: what the trail and people
//! are told of a decision. Nothing is decided here.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::decide::{Asked, Outcome};
use crate::engine::{Ruled, Slice};
use crate::pointers::pointer;
use crate::reads::{Reads, Var2};

/// A policy that was considered.
#[derive(Debug, Clone, PartialEq)]
pub struct Considered {
    /// Its name.
    pub rule: Arc<str>,
    /// What it does: `permit`, `forbid` or `hold`.
    pub effect: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// What it reads, and what stood there; nothing for what was not there. Policies that read
    /// the same share its value.
    pub values: Vec<(Arc<str>, Option<Arc<Value>>)>,
}

/// Something that a policy reads, under the name by which people are told of it.
#[derive(Debug)]
pub(crate) struct Shows {
    name: Arc<str>,
    what: What,
}

#[derive(Debug)]
enum What {
    Identity,
    Groups,
    Claims,
    /// An attribute of the tool.
    Resource(String),
    /// A place among the arguments.
    Argument(Vec<String>),
    /// Another place in the context.
    Context(String),
}

/// What a policy reads, in the order in which it is told.
pub(crate) fn shows(reads: &Reads, scoped: bool) -> Vec<Shows> {
    let mut all = Vec::new();
    let mut add = |name: String, what| all.push(Shows { name: name.into(), what });
    if scoped || reads.principal {
        add("principal".to_owned(), What::Identity);
        add("principal.groups".to_owned(), What::Groups);
    }
    if reads.principal {
        add("principal.claims".to_owned(), What::Claims);
    }
    for (var, path) in &reads.attributes {
        if *var == Var2::Resource {
            add(format!("resource.{}", path.join(".")), What::Resource(pointer(path)));
        }
    }
    let paths: BTreeSet<_> =
        reads.values.iter().chain(&reads.presence).filter(|path| !path.is_empty()).collect();
    for path in paths {
        let what = match path.split_first() {
            Some((first, rest)) if first == "arguments" => What::Argument(rest.to_vec()),
            _ => What::Context(pointer(path)),
        };
        add(format!("context.{}", path.join(".")), what);
    }
    all
}

/// What is told of a caller; nothing where there is none.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) identity: Arc<Value>,
    pub(crate) groups: Option<Arc<Value>>,
    pub(crate) claims: Option<Arc<Value>>,
}

/// What stands where policies read, found once for all of them.
pub(crate) struct Values<'v> {
    slice: &'v Slice,
    told: &'v Told,
    /// None where there is no call yet.
    asked: Option<&'v Asked<'v>>,
    arguments: Vec<(&'v [String], Option<Arc<Value>>)>,
    shown: Option<Value>,
}

impl<'v> Values<'v> {
    pub(crate) fn new(slice: &'v Slice, told: &'v Told, asked: Option<&'v Asked<'v>>) -> Self {
        Self { slice, told, asked, arguments: Vec::new(), shown: None }
    }

    /// What is told of a policy.
    pub(crate) fn considered(&mut self, rule: &'v Ruled, outcome: Outcome) -> Considered {
        let mut values = Vec::with_capacity(rule.shows.len());
        for Shows { name, what } in &rule.shows {
            let value = match what {
                What::Identity => Some(Arc::clone(&self.told.identity)),
                What::Groups => match &self.told.groups {
                    Some(groups) => Some(Arc::clone(groups)),
                    None => continue,
                },
                What::Claims => match &self.told.claims {
                    Some(claims) => Some(Arc::clone(claims)),
                    None => continue,
                },
                What::Resource(pointer) => {
                    self.slice.attributes.pointer(pointer).cloned().map(Arc::new)
                }
                What::Argument(path) => self.argument(path),
                What::Context(pointer) => self.context(pointer),
            };
            values.push((Arc::clone(name), value));
        }
        Considered { rule: Arc::clone(&rule.name), effect: rule.effect.as_str(), outcome, values }
    }

    fn argument(&mut self, path: &'v [String]) -> Option<Arc<Value>> {
        if let Some((_, value)) = self.arguments.iter().find(|(known, _)| *known == path) {
            return value.clone();
        }
        let value = self.asked.and_then(|asked| below(asked.arguments, path)).map(Arc::new);
        self.arguments.push((path, value.clone()));
        value
    }

    fn context(&mut self, pointer: &str) -> Option<Arc<Value>> {
        let asked = self.asked?;
        let shown = self.shown.get_or_insert_with(|| self.slice.shown(asked));
        shown.pointer(pointer).cloned().map(Arc::new)
    }
}

fn below(arguments: &Map<String, Value>, path: &[String]) -> Option<Value> {
    match path.split_first() {
        None => Some(Value::Object(arguments.clone())),
        Some((first, [])) => arguments.get(first).cloned(),
        Some((first, rest)) => arguments.get(first)?.pointer(&pointer(rest)).cloned(),
    }
}
