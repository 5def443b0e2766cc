//! Schemas of a document, lifted out as JSON Schema 2020-12.
//!
//! A lifted schema names what it refers to as `#/$defs/NAME`; [`Schemas::definitions`]
//! gathers everything that it reaches, nearest first, so that an operation's schema stands
//! alone and recursion stays recursion. Every definition is normalised once for each
//! direction, and shared by all operations that reach it: large documents refer to the same
//! ones from everywhere.

mod compose;
mod discriminator;
mod keywords;
mod lift;
mod references;
mod values;

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value};
use tollbridge_operation::{Definition, Definitions, Schema};

use crate::document::{Document, Fault, Pointer, Warnings};
use crate::naming;
use discriminator::Families;

/// Which way a value goes: `readOnly` members are not sent, `writeOnly` ones do not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    /// From the agent to the API.
    Input,
    /// From the API to the agent.
    Output,
}

/// How a schema is meant where it is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
struct Reading {
    /// Only what the schema itself says, as its own children mean it in their `allOf`.
    /// Otherwise the base of a family stands for any member of it.
    alone: bool,
    /// Without the end of its list of members: whoever composes it has more.
    unclosed: bool,
}

/// A definition: a place in the document, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Target {
    place: Pointer,
    reading: Reading,
}

/// A schema that was normalised, with the definitions that it names.
#[derive(Debug, Clone)]
pub(crate) struct Lifted {
    /// The schema.
    pub(crate) schema: Value,
    /// The definitions that it names, in its order.
    references: Vec<Target>,
    /// Those of them that apply to the same value as the schema itself.
    in_place: Vec<Target>,
    /// How large it is.
    nodes: usize,
}

/// A definition that was normalised: a [`Lifted`] whose schema is shared.
#[derive(Debug)]
struct Defined {
    schema: Arc<Value>,
    references: Vec<Target>,
    in_place: Vec<Target>,
    nodes: usize,
}

impl From<Lifted> for Defined {
    fn from(lifted: Lifted) -> Self {
        let Lifted { schema, references, in_place, nodes } = lifted;
        Self { schema: Arc::new(schema), references, in_place, nodes }
    }
}

/// All that some definitions reach, with how large that is.
#[derive(Debug, Clone)]
struct Reached {
    definitions: Definitions,
    nodes: usize,
}

/// The schemas of one document.
#[derive(Debug)]
pub(crate) struct Schemas<'d> {
    document: &'d Document,
    names: HashMap<Target, Arc<str>>,
    taken: HashSet<String>,
    kept: HashMap<(Target, Direction), Rc<Result<Defined, Fault>>>,
    reached: HashMap<(Vec<Target>, Direction), Reached>,
    /// Schemas of answers by their roots: many operations answer the same.
    answers: HashMap<String, Vec<Schema>>,
    families: Families,
    left: Left,
}

/// How many nodes an operation's definitions may have together. What is farther away is
/// left open (`{}`): thousands of operations may reach the same half of a large document,
/// and each carries its own copy. An input binds, so it gets more room than an output.
const fn most(direction: Direction) -> usize {
    match direction {
        Direction::Input => 20_000,
        Direction::Output => 4_000,
    }
}

/// How many nodes all operations may carry in their definitions. A node costs some 250 bytes.
const fn total(direction: Direction) -> usize {
    match direction {
        Direction::Input => 1_500_000,
        Direction::Output => 500_000,
    }
}

/// What every operation may have while anything is left.
const FAIR: usize = 300;

/// How much all operations may carry beside their definitions.
const MAX_INLINE: usize = 3_000_000;

/// What is left of the bounds.
#[derive(Debug)]
struct Left {
    input: usize,
    output: usize,
    inline: usize,
    /// Operations that are still to come.
    operations: usize,
    /// Whether it was said that something is left open.
    is_told: bool,
}

impl Left {
    fn of(&mut self, direction: Direction) -> &mut usize {
        match direction {
            Direction::Input => &mut self.input,
            Direction::Output => &mut self.output,
        }
    }

    /// What one operation may have: twice its part of what is left, since most need less.
    fn share(&mut self, direction: Direction) -> usize {
        let operations = self.operations.max(1);
        let left = *self.of(direction);
        (2 * left / operations).clamp(FAIR, most(direction)).min(left)
    }
}

impl<'d> Schemas<'d> {
    pub(crate) fn new(document: &'d Document) -> Self {
        let left = Left {
            input: total(Direction::Input),
            output: total(Direction::Output),
            inline: MAX_INLINE,
            operations: 0,
            is_told: false,
        };
        Self {
            document,
            names: HashMap::new(),
            taken: HashSet::new(),
            kept: HashMap::new(),
            reached: HashMap::new(),
            answers: HashMap::new(),
            families: Families::default(),
            left,
        }
    }

    /// Notes how many operations are to come, as far as is known yet.
    pub(crate) fn expect(&mut self, operations: usize) {
        self.left.operations = operations;
    }

    /// Notes that one operation fewer is to come.
    pub(crate) fn next_operation(&mut self) {
        self.left.operations = self.left.operations.saturating_sub(1);
    }

    /// Counts what an operation carries itself. Small documents can refer to one large piece
    /// from everywhere.
    pub(crate) fn charge(&mut self, at: &Pointer, nodes: usize) -> Result<(), Fault> {
        match self.left.inline.checked_sub(nodes) {
            Some(left) => {
                self.left.inline = left;
                Ok(())
            }
            None => Err(Fault::new(
                at,
                "the description unfolds to more than can be carried; cut it down to what is used",
            )),
        }
    }

    /// Normalises the schema at a place.
    pub(crate) fn lift(
        &mut self,
        at: &Pointer,
        schema: &Value,
        direction: Direction,
        warnings: &mut Warnings,
    ) -> Result<Lifted, Fault> {
        let bound = self.left.inline;
        let lifted = lift::lift(self, at, schema, direction, bound, warnings)?;
        self.charge(at, lifted.nodes)?;
        Ok(lifted)
    }

    /// The `$defs` that the schemas need, themselves and through one another.
    pub(crate) fn definitions<'l>(
        &mut self,
        lifted: impl IntoIterator<Item = &'l Lifted>,
        direction: Direction,
        warnings: &mut Warnings,
    ) -> Result<Definitions, Fault> {
        let mut seen = HashSet::new();
        let mut first: Vec<Target> = Vec::new();
        for target in lifted.into_iter().flat_map(|lifted| &lifted.references) {
            if seen.insert(target.clone()) {
                first.push(target.clone());
            }
        }
        let share = self.left.share(direction);
        let key = (first, direction);
        if let Some(known) = self.reached.get(&key).filter(|known| known.nodes <= share) {
            let Reached { definitions, nodes } = known.clone();
            *self.left.of(direction) -= nodes;
            return Ok(definitions);
        }
        let mut queue: VecDeque<Target> = key.0.iter().cloned().collect();
        let mut in_place: HashMap<Target, Vec<Target>> = HashMap::new();
        let mut definitions = Vec::new();
        let mut left = share;
        let mut cut: Option<Pointer> = None;
        while let Some(target) = queue.pop_front() {
            let name = self.name(&target);
            let kept = self.definition(&target, direction, warnings);
            let defined = kept.as_ref().as_ref().map_err(Clone::clone)?;
            let Some(rest) = left.checked_sub(defined.nodes) else {
                let open = Arc::new(Value::Object(Map::new()));
                definitions.push(Definition { name, schema: open });
                cut = cut.or(Some(target.place));
                continue;
            };
            left = rest;
            definitions.push(Definition { name, schema: Arc::clone(&defined.schema) });
            in_place.insert(target, defined.in_place.clone());
            for reference in &defined.references {
                if seen.insert(reference.clone()) {
                    queue.push_back(reference.clone());
                }
            }
        }
        let nodes = share - left;
        *self.left.of(direction) -= nodes;
        let is_whole = cut.is_none();
        if let Some(pointer) = cut.filter(|_| !std::mem::replace(&mut self.left.is_told, true)) {
            warnings.add(
                &pointer,
                "this schema, with what it names, is too large for each operation to carry; here and elsewhere such parts are left open",
            );
        }
        refuse_groundless(&in_place)?;
        let definitions: Definitions = definitions.into();
        if is_whole {
            let reached = Reached { definitions: Arc::clone(&definitions), nodes };
            self.reached.insert(key, reached);
        }
        Ok(definitions)
    }

    /// The schema of an answer, shared with the operations that answer the same.
    pub(crate) fn answer(&mut self, root: Map<String, Value>, definitions: Definitions) -> Schema {
        let schema = Schema::with_definitions(root, definitions);
        let known = self.answers.entry(schema.root().to_string()).or_default();
        let same = |other: &&Schema| Arc::ptr_eq(other.definitions(), schema.definitions());
        if let Some(same) = known.iter().find(same) {
            return same.clone();
        }
        known.push(schema.clone());
        schema
    }

    fn definition(
        &mut self,
        target: &Target,
        direction: Direction,
        warnings: &mut Warnings,
    ) -> Rc<Result<Defined, Fault>> {
        let key = (target.clone(), direction);
        if let Some(kept) = self.kept.get(&key) {
            return Rc::clone(kept);
        }
        let document = self.document;
        let lifted = match document.at(&target.place) {
            Some(schema) => {
                lift::define(self, target, schema, direction, warnings).map(Defined::from)
            }
            None => Err(Fault::new(&target.place, "there is nothing in this place")),
        };
        let lifted = Rc::new(lifted);
        self.kept.insert(key, Rc::clone(&lifted));
        lifted
    }

    /// The name of a definition under `$defs`: stable over the whole document.
    fn name(&mut self, target: &Target) -> Arc<str> {
        if let Some(name) = self.names.get(target) {
            return Arc::clone(name);
        }
        let tokens: Vec<String> = target.place.tokens().collect();
        let mut words = match tokens.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["components", "schemas", ref rest @ ..] | ["definitions", ref rest @ ..]
                if !rest.is_empty() =>
            {
                rest.join("_")
            }
            [] => target.place.document_stem().to_owned(),
            ref all => all.join("_"),
        };
        if target.reading.alone {
            words.push_str("_base");
        }
        if target.reading.unclosed {
            words.push_str("_open");
        }
        let name = naming::unique(&naming::rewrite(&words), &self.taken);
        let shared: Arc<str> = name.as_str().into();
        self.taken.insert(name);
        self.names.insert(target.clone(), Arc::clone(&shared));
        shared
    }
}

/// A schema that is defined by itself, for the same value, says nothing and sends a validator
/// round in circles (JSON Schema 2020-12 core §9.4.1).
fn refuse_groundless(edges: &HashMap<Target, Vec<Target>>) -> Result<(), Fault> {
    let mut done: HashSet<&Target> = HashSet::new();
    let mut starts: Vec<&Target> = edges.keys().collect();
    starts.sort_unstable();
    for start in starts {
        let mut path: Vec<(&Target, usize)> = vec![(start, 0)];
        let mut on_path: HashSet<&Target> = HashSet::from([start]);
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            let target = edges.get(node).and_then(|targets| targets.get(*next));
            *next += 1;
            match target {
                _ if done.contains(node) => {
                    on_path.remove(node);
                    path.pop();
                }
                Some(target) if on_path.contains(target) => {
                    return Err(Fault::new(
                        &target.place,
                        "the schema is defined by itself alone; let it describe a value",
                    ));
                }
                Some(target) => {
                    on_path.insert(target);
                    path.push((target, 0));
                }
                None => {
                    done.insert(node);
                    on_path.remove(node);
                    path.pop();
                }
            }
        }
    }
    Ok(())
}
