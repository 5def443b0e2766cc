//! Schemas of a document, lifted out as JSON Schema 2020-12.
//!
//! A lifted schema names what it refers to as `#/$defs/NAME`; [`Schemas::definitions`]
//! gathers everything that it reaches, nearest first, so that an operation's schema stands
//! alone and recursion stays recursion. Every definition is normalised once for each
//! direction and kept, since large documents refer to the same ones from every operation.

mod lift;

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::document::{Document, Fault, Pointer, Warnings};
use crate::naming;

/// Which way a value goes: `readOnly` members are not sent, `writeOnly` ones do not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    /// From the agent to the API.
    Input,
    /// From the API to the agent.
    Output,
}

/// A schema that was normalised, with the definitions that it names.
#[derive(Debug, Clone)]
pub(crate) struct Lifted {
    /// The schema.
    pub(crate) schema: Value,
    /// The places of the definitions that it names, in its order.
    references: Vec<Pointer>,
    /// Those of them that apply to the same value as the schema itself.
    in_place: Vec<Pointer>,
    /// How large it is.
    nodes: usize,
}

/// The schemas of one document.
#[derive(Debug)]
pub(crate) struct Schemas<'d> {
    document: &'d Document,
    names: HashMap<Pointer, String>,
    taken: HashSet<String>,
    kept: HashMap<(Pointer, Direction), Rc<Result<Lifted, Fault>>>,
}

/// How many nodes an operation's definitions may have together. What is farther away is
/// left open (`{}`): thousands of operations may reach the same half of a large document,
/// and each carries its own copy.
const fn budget(direction: Direction) -> usize {
    match direction {
        Direction::Input => 40_000,
        Direction::Output => 12_000,
    }
}

impl<'d> Schemas<'d> {
    pub(crate) fn new(document: &'d Document) -> Self {
        Self { document, names: HashMap::new(), taken: HashSet::new(), kept: HashMap::new() }
    }

    /// Normalises the schema at a place.
    pub(crate) fn lift(
        &mut self,
        at: &Pointer,
        schema: &Value,
        direction: Direction,
        warnings: &mut Warnings,
    ) -> Result<Lifted, Fault> {
        lift::lift(self, at, schema, direction, warnings)
    }

    /// The `$defs` that the schemas need, themselves and through one another.
    pub(crate) fn definitions<'l>(
        &mut self,
        lifted: impl IntoIterator<Item = &'l Lifted>,
        direction: Direction,
        warnings: &mut Warnings,
    ) -> Result<Map<String, Value>, Fault> {
        let mut seen = HashSet::new();
        let mut queue = VecDeque::new();
        for pointer in lifted.into_iter().flat_map(|lifted| &lifted.references) {
            if seen.insert(pointer.clone()) {
                queue.push_back(pointer.clone());
            }
        }
        let mut in_place: HashMap<Pointer, Vec<Pointer>> = HashMap::new();
        let mut definitions = Map::new();
        let mut left = budget(direction);
        while let Some(pointer) = queue.pop_front() {
            let name = self.name(&pointer);
            let kept = self.definition(&pointer, direction, warnings);
            let lifted = kept.as_ref().as_ref().map_err(Clone::clone)?;
            let Some(rest) = left.checked_sub(lifted.nodes) else {
                warnings.add(&pointer, "too large to be carried by each operation; left open");
                definitions.insert(name, Value::Object(Map::new()));
                continue;
            };
            left = rest;
            definitions.insert(name, lifted.schema.clone());
            in_place.insert(pointer, lifted.in_place.clone());
            for reference in &lifted.references {
                if seen.insert(reference.clone()) {
                    queue.push_back(reference.clone());
                }
            }
        }
        refuse_groundless(&in_place)?;
        Ok(definitions)
    }

    fn definition(
        &mut self,
        pointer: &Pointer,
        direction: Direction,
        warnings: &mut Warnings,
    ) -> Rc<Result<Lifted, Fault>> {
        let key = (pointer.clone(), direction);
        if let Some(kept) = self.kept.get(&key) {
            return Rc::clone(kept);
        }
        let document = self.document;
        let lifted = match document.at(pointer) {
            Some(schema) => self.lift(pointer, schema, direction, warnings),
            None => Err(Fault::new(pointer, "there is nothing in this place")),
        };
        let lifted = Rc::new(lifted);
        self.kept.insert(key, Rc::clone(&lifted));
        lifted
    }

    /// The name of a place under `$defs`: stable over the whole document.
    fn name(&mut self, pointer: &Pointer) -> String {
        if let Some(name) = self.names.get(pointer) {
            return name.clone();
        }
        let tokens: Vec<String> = pointer.tokens().collect();
        let words = match tokens.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["components", "schemas", ref rest @ ..] | ["definitions", ref rest @ ..]
                if !rest.is_empty() =>
            {
                rest.join("_")
            }
            ref all => all.join("_"),
        };
        let name = naming::unique(&naming::rewrite(&words), &self.taken);
        self.taken.insert(name.clone());
        self.names.insert(pointer.clone(), name.clone());
        name
    }
}

/// A schema that is defined by itself, for the same value, says nothing and sends a validator
/// round in circles (JSON Schema 2020-12 core §9.4.1).
fn refuse_groundless(edges: &HashMap<Pointer, Vec<Pointer>>) -> Result<(), Fault> {
    let mut done: HashSet<&Pointer> = HashSet::new();
    let mut starts: Vec<&Pointer> = edges.keys().collect();
    starts.sort_unstable();
    for start in starts {
        let mut path: Vec<(&Pointer, usize)> = vec![(start, 0)];
        let mut on_path: HashSet<&Pointer> = HashSet::from([start]);
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
                        target,
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
