//! Finding operations, describing them, and calling them by their ids: what an identity may
//! discover, and nothing else.
//!
//! A [`Discovery`] is part of the toolbox: it is made with it and swapped with it. A caller looks
//! through a [`View`], whose index holds exactly what this caller may find *and* could call, so that
//! nothing else is in a result, a count, a score or an error:
//!
//! - `Toolbox::view(&caller)` gives it, or `None` where the caller may find nothing or discovery
//!   is off;
//! - [`View::search`], [`View::apis`] and [`View::describe`] answer from it. They reach nobody and
//!   record nothing: the command line uses them as they are;
//! - [`View::called_by`] tells by which name an operation is called: `Gateway::call` with that name
//!   is a call like any other.
//!
//! An agent comes by the three tools of [`Meta`]: `Gateway::call` with one of their names answers
//! it, and records what was asked and shown. An operation that is a tool of the configuration's is
//! found as that tool, if the caller may see it, and invoked through it: with the tool's arguments,
//! limits and holds. The others are called by their ids, under which they are limited, recorded,
//! counted and stopped.

mod answer;
mod meta;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tollbridge_discovery::{self as discovery, ApiShown, Corpus, Index};
use tollbridge_operation::{ApiName, Operation, Schema};
use tollbridge_policy::Outlook;

use super::request::Caller;
use super::seen::Seen;
use super::toolbox::{Exposed, Toolbox};
use crate::tools::{Published, Tool};
pub(super) use answer::{Answered, answer};
pub use meta::Meta;

/// How many indexes are kept: one for each different set of operations that callers may find. The
/// one that was not used for the longest time goes first.
const MAX_INDEXES: usize = 32;

/// Everything that may be found by somebody.
#[derive(Debug)]
pub struct Discovery {
    corpus: Corpus,
    /// For each operation the places in the toolbox of what it is called by.
    places: Vec<Vec<usize>>,
    /// The place of what each operation of the corpus is called by; by its address, since the
    /// corpus has an operation once for each of its tools.
    by_address: HashMap<usize, usize>,
    /// Lately used first.
    indexes: Mutex<Vec<Kept>>,
    tools: [Arc<Tool>; 3],
}

/// The index over what stands at these places.
type Kept = (Arc<[usize]>, Arc<Index>);

/// What a caller may find.
#[derive(Debug)]
pub struct View<'a> {
    toolbox: &'a Toolbox,
    discovery: &'a Discovery,
    seen: Arc<Seen>,
    index: Arc<Index>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// For an agent to read.
    pub text: String,
    /// The operations, the best first.
    pub hits: Vec<Hit>,
    /// How many have anything to do with the query.
    pub matched: usize,
}

/// An operation that was found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Hit {
    /// Its id.
    pub id: String,
    /// Its API.
    pub api: String,
    /// Itself in one line.
    pub signature: String,
    /// What it does to the world.
    pub effect: &'static str,
    /// How well it fits, to be compared within one answer.
    pub score: f32,
}

impl Discovery {
    /// Takes the titles of the APIs, and for each operation the places of what it is called by.
    pub(super) fn new(
        titles: &BTreeMap<ApiName, String>,
        places: Vec<Vec<usize>>,
        exposed: &[Exposed],
        tools: [Arc<Tool>; 3],
    ) -> Self {
        let mut by_address = HashMap::new();
        let mut by_api: BTreeMap<&ApiName, Vec<Arc<Operation>>> = BTreeMap::new();
        for place in places.iter().flatten() {
            let one = &exposed[*place];
            let operation = shown(one);
            by_address.insert(address(&operation), *place);
            by_api.entry(&one.rules.api).or_default().push(operation);
        }
        let title = |api: &ApiName| titles.get(api).map_or("", String::as_str);
        let apis = by_api.iter().map(|(api, operations)| (*api, title(api), operations));
        let corpus = Corpus::new(apis);
        Self { corpus, places, by_address, indexes: Mutex::default(), tools }
    }

    /// The tools of discovery's own, in their order.
    pub(super) fn tools(&self) -> &[Arc<Tool>] {
        &self.tools
    }

    /// One of them.
    pub(super) fn tool(&self, meta: Meta) -> &Arc<Tool> {
        let [search, describe, invoke] = &self.tools;
        match meta {
            Meta::Search => search,
            Meta::Describe => describe,
            Meta::Invoke => invoke,
        }
    }

    /// Whether the caller may find anything.
    pub(super) fn finds_any(&self, seen: &Seen) -> bool {
        !self.finds(seen).is_empty()
    }

    /// The places of what the caller may find, and calls it by: for each operation the first that
    /// it may see.
    fn finds(&self, seen: &Seen) -> Arc<[usize]> {
        let find = || {
            let policies = &seen.policies;
            let may = self.places.iter().enumerate().filter(|(at, _)| policies.may_find(*at));
            may.filter_map(|(_, all)| all.iter().copied().find(|at| policies.may_see(*at)))
                .collect()
        };
        Arc::clone(seen.finds.get_or_init(find))
    }

    /// The index over these, where it is kept.
    fn kept(&self, finds: &Arc<[usize]>) -> Option<Arc<Index>> {
        let mut kept = self.indexes.lock().ok()?;
        let at = kept.iter().position(|(known, _)| Arc::ptr_eq(known, finds) || known == finds)?;
        let found = kept.remove(at);
        let index = Arc::clone(&found.1);
        kept.insert(0, found);
        Some(index)
    }

    fn index(&self, finds: &Arc<[usize]>) -> Arc<Index> {
        if let Some(kept) = self.kept(finds) {
            return kept;
        }
        let last = self.by_address.values().max().map_or(0, |last| last + 1);
        let mut visible = vec![false; last];
        finds.iter().for_each(|at| visible[*at] = true);
        let place = |operation: &Operation| self.by_address.get(&address_of(operation));
        let index = self.corpus.index(|operation| place(operation).is_some_and(|at| visible[*at]));
        let index = Arc::new(index);
        if let Ok(mut kept) = self.indexes.lock() {
            kept.truncate(MAX_INDEXES - 1);
            kept.insert(0, (Arc::clone(finds), Arc::clone(&index)));
        }
        index
    }
}

impl Toolbox {
    /// What the caller may find; `None` where that is nothing, or discovery is off. The first view of
    /// a set of operations makes its index, which takes some time.
    pub fn view(&self, caller: &Caller) -> Option<View<'_>> {
        self.view_for(self.seen(caller))
    }

    pub(super) fn view_for(&self, seen: Arc<Seen>) -> Option<View<'_>> {
        let discovery = self.discovery.as_ref()?;
        let finds = discovery.finds(&seen);
        let index = (!finds.is_empty()).then(|| discovery.index(&finds))?;
        Some(View { toolbox: self, discovery, seen, index })
    }

    /// Whether that is a tool of discovery's own, and the caller has it.
    pub fn has_meta(&self, tool: &str, caller: &Caller) -> bool {
        self.discovery.as_ref().is_some_and(|discovery| {
            Meta::named(tool).is_some() && discovery.finds_any(&self.seen(caller))
        })
    }

    /// Whether what the caller may find has its index already.
    pub(super) fn has_view(&self, seen: &Seen) -> bool {
        self.discovery.as_ref().is_none_or(|one| one.kept(&one.finds(seen)).is_some())
    }

    /// The tool of discovery's own of that name, where this caller has it, with what it may find.
    pub(super) fn discovers(&self, tool: &str, caller: &Caller) -> Option<(Meta, View<'_>)> {
        // Most tools are none of these, and most configurations have none.
        let meta = self.discovery.as_ref().and_then(|_| Meta::named(tool))?;
        Some((meta, self.view(caller)?))
    }
}

impl View<'_> {
    /// What there is for what one wants to do.
    pub fn search(&self, query: &str, limit: usize) -> Results {
        let found = self.index.search(query, limit.clamp(1, meta::MOST));
        let note = |operation: &Operation| self.note(operation);
        let hits = found.hits.iter().map(|hit| Hit {
            id: discovery::id(&hit.operation),
            api: hit.operation.id.api.to_string(),
            signature: discovery::line_with(&hit.operation, &note(&hit.operation)),
            effect: hit.operation.effect.as_str(),
            score: hit.score,
        });
        Results {
            hits: hits.collect(),
            matched: found.matched,
            text: discovery::results(&found, note),
        }
    }

    /// Which APIs there are, and what for.
    pub fn apis(&self) -> Results {
        let matched = self.index.apis().count();
        Results { text: discovery::apis(&self.index), hits: Vec::new(), matched }
    }

    /// The APIs of which the caller may find something, by name.
    pub fn all_apis(&self) -> impl Iterator<Item = ApiShown> + '_ {
        self.index.apis()
    }

    /// All that one needs to call an operation; `None` where there is none of that id.
    pub fn describe(&self, id: &str) -> Option<String> {
        let operation = self.index.operation(id)?;
        let note = self.note(operation);
        let mut text = discovery::describe(operation);
        if !note.is_empty() {
            // It stands in the first line, behind the effect.
            let end = text.find('\n').unwrap_or(text.len());
            text.insert_str(end, &format!(" [{note}]"));
        }
        Some(text)
    }

    /// The name by which the operation of that id is called.
    pub fn called_by(&self, id: &str) -> Option<&str> {
        let place = self.place(self.index.operation(id)?)?;
        self.toolbox.all().get(place).map(|exposed| exposed.tool.name.as_str())
    }

    /// What the caller may find, as tools.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        let places = self.seen.finds.get().map_or(&[][..], |places| places);
        places.iter().filter_map(|at| self.toolbox.all().get(*at)).map(|one| &*one.tool)
    }

    /// How many operations the caller may find.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn place(&self, operation: &Operation) -> Option<usize> {
        self.discovery.by_address.get(&address_of(operation)).copied()
    }

    /// What its description cannot say of an operation.
    fn note(&self, operation: &Operation) -> String {
        let Some(place) = self.place(operation) else { return String::new() };
        let Some(exposed) = self.toolbox.all().get(place) else { return String::new() };
        let mut notes: Vec<&str> = Vec::new();
        if exposed.quarantined {
            notes.push("quarantined");
        }
        match self.seen.policies.outlook(place) {
            Outlook::Held => notes.push("held"),
            Outlook::Depends => notes.push("may be held"),
            Outlook::Free | Outlook::Refused => {}
        }
        notes.extend(exposed.price());
        let tool = format!("tool {}", exposed.tool.name);
        if place < self.toolbox.exposed().len() {
            notes.push(&tool);
        }
        notes.join(", ")
    }
}

fn address(operation: &Arc<Operation>) -> usize {
    address_of(operation)
}

/// Where an operation of the corpus is: the corpus keeps it there.
fn address_of(operation: &Operation) -> usize {
    std::ptr::from_ref(operation).addr()
}

/// An operation as it is found: of a tool, with what the tool says of it and takes.
fn shown(exposed: &Exposed) -> Arc<Operation> {
    let tool = &exposed.tool;
    let operation = Operation::clone(&tool.operation);
    if tool.is_unchanged() {
        return Arc::new(operation);
    }
    let schema = |published: &Published| Schema::new(Value::Object(published.to_map()));
    let output = match &tool.output {
        Some(selected) if tool.selects() => Some(schema(selected)),
        _ => operation.output.clone(),
    };
    Arc::new(Operation {
        summary: Some(tool.title.clone()),
        description: Some(tool.description.clone()),
        input: schema(&tool.input),
        output,
        ..operation
    })
}
