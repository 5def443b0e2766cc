//! What is found out once of what many tools share: definitions, and schemas of answers.
//!
//! Everything here is a function of the schema alone, so who asks second gets what the first
//! one got. Schemas are told apart by their place in memory, and are kept as long as what is
//! known of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tollbridge_operation::{Definition, Definitions, Schema};

use super::output;
use super::published::{Piece, Published};
use super::sound::{self, Patterns};
use super::suspicion;

/// What is known of the schemas of the tools that are made together.
#[derive(Debug, Default)]
pub struct Known {
    patterns: Patterns,
    definitions: HashMap<usize, About>,
    sets: HashMap<usize, Set>,
    answers: HashMap<usize, Answer>,
    written: HashMap<usize, Written>,
    references: HashMap<usize, References>,
}

/// What a definition refers to.
#[derive(Debug)]
struct References {
    _kept: Arc<Value>,
    names: Arc<[String]>,
}

/// A definition.
#[derive(Debug)]
struct About {
    _kept: Arc<Value>,
    /// The names that it needs; `None` where it is not certain to compile.
    needs: Option<Vec<String>>,
    /// Whether there is nothing suspicious in it.
    clean: bool,
}

/// All definitions of a schema.
#[derive(Debug, Clone)]
struct Set {
    _kept: Definitions,
    sound: bool,
    clean: bool,
}

#[derive(Debug)]
struct Answer {
    _kept: Schema,
    published: Published,
}

/// A definition as clients are shown it.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) piece: Arc<Piece>,
    /// The references in it, in the order in which they were met.
    pub(super) references: Arc<[String]>,
    /// Whether there is nothing in it that clients refuse.
    pub(super) clean: bool,
    kept: Arc<Value>,
}

impl Written {
    pub(super) fn new(
        of: &Arc<Value>,
        schema: Value,
        references: Vec<String>,
        clean: bool,
    ) -> Self {
        let (piece, references) = (Arc::new(Piece::new(schema)), references.into());
        Self { piece, references, clean, kept: Arc::clone(of) }
    }
}

fn place<T: ?Sized>(of: &Arc<T>) -> usize {
    Arc::as_ptr(of).cast::<()>().addr()
}

impl Known {
    /// Whether it is certain that the schema compiles.
    pub(super) fn is_sound(&mut self, schema: &Schema) -> bool {
        if schema.definitions().is_empty() {
            return sound::is_sound(schema.root(), &mut self.patterns);
        }
        let Some(names) = sound::needs(schema.root(), &mut self.patterns) else { return false };
        let known = schema.definitions();
        self.set(known).sound
            && names.iter().all(|name| known.iter().any(|one| *one.name == **name))
    }

    /// Whether there is nothing suspicious in the schema's definitions.
    pub(super) fn is_clean(&mut self, schema: &Schema) -> bool {
        schema.definitions().is_empty() || self.set(schema.definitions()).clean
    }

    fn set(&mut self, definitions: &Definitions) -> Set {
        if let Some(known) = self.sets.get(&place(definitions)) {
            return known.clone();
        }
        let mut set = Set { _kept: Arc::clone(definitions), sound: true, clean: true };
        let names: HashSet<&str> = definitions.iter().map(|one| &*one.name).collect();
        for one in definitions.iter() {
            let about = self.about(one);
            let closed = about
                .needs
                .as_ref()
                .is_some_and(|needs| needs.iter().all(|name| names.contains(name.as_str())));
            set.sound &= closed;
            set.clean &= about.clean;
        }
        self.sets.insert(place(definitions), set.clone());
        set
    }

    fn about(&mut self, one: &Definition) -> &About {
        let Self { patterns, definitions, .. } = self;
        definitions.entry(place(&one.schema)).or_insert_with(|| About {
            needs: sound::needs(&one.schema, patterns).map(Vec::from_iter),
            clean: suspicion::is_clean(&one.name, &one.schema),
            _kept: Arc::clone(&one.schema),
        })
    }

    /// Finds out the published forms of many answers' schemas, which is a large part of what
    /// large APIs cost, with all processors.
    pub fn expect_answers<'s>(&mut self, schemas: impl Iterator<Item = &'s Schema>) {
        const FEW: usize = 64;
        const MOST: usize = 8;
        let mut seen = HashSet::new();
        let new = |schema: &&Schema| seen.insert(place(schema.root()));
        let schemas: Vec<&Schema> = schemas.filter(new).collect();
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(MOST);
        if schemas.len() < FEW || workers < 2 {
            return;
        }
        // Large and small ones lie beside each other.
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            while let Some(schema) = schemas.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push((*schema, output::publish(schema)));
            }
            done
        };
        let made = std::thread::scope(|scope| {
            let workers: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
            let mut made = work();
            for worker in workers {
                match worker.join() {
                    Ok(more) => made.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            made
        });
        for (schema, published) in made {
            let answer = Answer { _kept: schema.clone(), published };
            self.answers.entry(place(schema.root())).or_insert(answer);
        }
    }

    /// The published form of an answer's schema.
    pub(super) fn answer(&mut self, schema: &Schema) -> Published {
        // A root in one place stands with one set of definitions.
        let key = place(schema.root());
        let known = self.answers.entry(key).or_insert_with(|| Answer {
            _kept: schema.clone(),
            published: output::publish(schema),
        });
        known.published.clone()
    }

    /// What a definition refers to, found out once.
    pub(super) fn references(
        &mut self,
        of: &Arc<Value>,
        find: impl FnOnce(&Value) -> Vec<String>,
    ) -> Arc<[String]> {
        let known = self
            .references
            .entry(place(of))
            .or_insert_with(|| References { _kept: Arc::clone(of), names: find(of).into() });
        Arc::clone(&known.names)
    }

    /// A definition as clients are shown it, where that is known.
    pub(super) fn written(&self, of: &Arc<Value>) -> Option<&Written> {
        self.written.get(&place(of))
    }

    pub(super) fn keep_written(&mut self, written: Written) {
        self.written.insert(place(&written.kept), written);
    }
}
