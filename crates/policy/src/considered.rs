//! The policies that were considered, with the values that they read: what the trail and people
//! are told of a decision. Nothing is decided here.
//!
//! What is told of a tool's policies is the same for each of its calls but for what became of them
//! and what stood where they read: the [`Form`] is made once, a decision fills it in.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::decide::{Asked, Outcome};
use crate::engine::{Clocks, Ruled, Spot};
use crate::pointers::pointer;
use crate::reads::{Reads, Var2};

/// Under which name the arguments are told.
const ARGUMENTS: &str = "context.arguments";

/// The policies that were considered in a decision. None where the tool's entry says nothing and
/// no policy is about it.
#[derive(Clone, Default)]
pub struct Considered {
    /// None where there is nothing to tell.
    form: Option<Arc<Form>>,
    /// What became of each policy of the form; none of those that were not considered.
    outcomes: Vec<Option<Outcome>>,
    /// What stands at each place of the form.
    values: Vec<Stands>,
}

/// A policy that was considered.
#[derive(Clone, Copy)]
pub struct Consideration<'a> {
    /// Its name.
    pub rule: &'a str,
    /// What it does: `permit`, `forbid` or `hold`.
    pub effect: &'static str,
    /// What became of it.
    pub outcome: &'a Outcome,
    places: &'a [usize],
    form: &'a Form,
    values: &'a [Stands],
}

impl Considered {
    /// Each of them, those that the tool's entry makes first.
    pub fn iter(&self) -> impl Iterator<Item = Consideration<'_>> {
        let told = self.form.as_deref().map(|form| {
            form.lines.iter().zip(&self.outcomes).filter_map(|(line, outcome)| {
                Some(Consideration {
                    rule: &line.rule,
                    effect: line.effect,
                    outcome: outcome.as_ref()?,
                    places: &line.places,
                    form,
                    values: &self.values,
                })
            })
        });
        told.into_iter().flatten()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// What is told of the policies on this tool, whatever the call; `None` where there is nothing to
    /// tell.
    pub fn form(&self) -> Option<&Form> {
        self.form.as_deref()
    }

    /// What became of each policy of the form, in their order; none of those that were not
    /// considered.
    pub fn outcomes(&self) -> impl Iterator<Item = Option<&Outcome>> {
        self.outcomes.iter().map(Option::as_ref)
    }

    /// What stands at a place of the form.
    pub fn at(&self, place: usize) -> &Stands {
        self.values.get(place).unwrap_or(&Stands::Untold)
    }

    /// The arguments that they read, each once with its path (`customer.name`; an empty one is all
    /// of them), to be changed before they are told.
    pub fn arguments_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value)> {
        let places = self.form.iter().flat_map(|form| &form.places);
        places.zip(&mut self.values).filter_map(|(place, value)| match (&place.what, value) {
            (What::Argument(_), Stands::There(value)) => {
                let path = place.name.strip_prefix(ARGUMENTS)?;
                Some((path.strip_prefix('.').unwrap_or(path), Arc::make_mut(value)))
            }
            _ => None,
        })
    }
}

impl fmt::Debug for Considered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> Consideration<'a> {
    /// What it reads, by name, and what stood there; nothing for what was not there.
    pub fn values(&self) -> impl Iterator<Item = (&'a str, Option<&'a Value>)> + use<'a> {
        let (form, values) = (self.form, self.values);
        self.places.iter().filter_map(move |place| {
            let value = match values.get(*place)? {
                Stands::Untold => return None,
                Stands::Nothing => None,
                Stands::There(value) => Some(&**value),
            };
            Some((&*form.places[*place].name, value))
        })
    }
}

impl fmt::Debug for Consideration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self.values().collect();
        write!(f, "{} {} {:?} {values:?}", self.effect, self.rule, self.outcome)
    }
}

/// What is told of the policies on a tool, for every caller and call of it.
#[derive(Debug)]
pub struct Form {
    lines: Vec<Line>,
    /// Where they read, each place once.
    places: Vec<Shows>,
    /// What stands there for every caller and call: attributes of the tool.
    fixed: Vec<Option<Arc<Value>>>,
}

/// What is told of one policy.
#[derive(Debug)]
struct Line {
    rule: Arc<str>,
    effect: &'static str,
    /// The places that it reads.
    places: Vec<usize>,
}

/// What stands at a place that policies read.
#[derive(Debug, Clone)]
pub enum Stands {
    /// There is no such place: of who is in no group, none are told.
    Untold,
    /// Nothing.
    Nothing,
    /// This.
    There(Arc<Value>),
}

/// Something that a policy reads, under the name by which people are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shows {
    name: Arc<str>,
    what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Identity,
    Groups,
    Claims,
    /// An attribute of the tool.
    Resource(String),
    /// A place among the arguments.
    Argument(Vec<String>),
    /// Another place in the context.
    Context(Spot),
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
            _ => What::Context(Spot::at(pointer(path))),
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

impl Form {
    /// The policies, in their order: the name of each, what it does, and which of the places it reads.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &'static str, &[usize])> {
        self.lines.iter().map(|line| (&*line.rule, line.effect, &*line.places))
    }

    /// The names of the places that they read.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| &*place.name)
    }

    /// What is told of these policies, in their order, on a tool that has these attributes.
    pub(crate) fn of<'r>(rules: impl Iterator<Item = &'r Ruled>, attributes: &Value) -> Self {
        let mut places = Vec::new();
        let mut known = HashMap::new();
        let lines = rules.map(|rule| {
            let read = rule.shows.iter().map(|shows| {
                *known.entry(shows).or_insert_with(|| {
                    places.push(shows.clone());
                    places.len() - 1
                })
            });
            let places = read.collect();
            Line { rule: Arc::clone(&rule.name), effect: rule.effect.as_str(), places }
        });
        let lines = lines.collect();
        let fixed = places.iter().map(|place| match &place.what {
            What::Resource(pointer) => attributes.pointer(pointer).cloned().map(Arc::new),
            _ => None,
        });
        Self { fixed: fixed.collect(), lines, places }
    }

    /// Filled in for a caller and a call, if there is one yet.
    pub(crate) fn filled(
        self: &Arc<Self>,
        outcomes: Vec<Option<Outcome>>,
        told: &Told,
        asked: Option<(&Asked<'_>, Clocks)>,
    ) -> Considered {
        let stands = |(place, fixed): (&Shows, &Option<Arc<Value>>)| {
            let value = match &place.what {
                What::Identity => Some(Arc::clone(&told.identity)),
                What::Groups => return told.groups.as_ref().map_or(Stands::Untold, Stands::there),
                What::Claims => return told.claims.as_ref().map_or(Stands::Untold, Stands::there),
                What::Resource(_) => fixed.clone(),
                What::Argument(path) => {
                    asked.and_then(|(asked, _)| below(asked.arguments, path)).map(Arc::new)
                }
                What::Context(spot) => {
                    asked.and_then(|(asked, clocks)| spot.value(asked, clocks)).map(Arc::new)
                }
            };
            value.map_or(Stands::Nothing, Stands::There)
        };
        let values = self.places.iter().zip(&self.fixed).map(stands).collect();
        Considered { form: Some(Arc::clone(self)), outcomes, values }
    }
}

impl Stands {
    fn there(value: &Arc<Value>) -> Self {
        Self::There(Arc::clone(value))
    }
}

fn below(arguments: &Map<String, Value>, path: &[String]) -> Option<Value> {
    match path.split_first() {
        None => Some(Value::Object(arguments.clone())),
        Some((first, [])) => arguments.get(first).cloned(),
        Some((first, rest)) => arguments.get(first)?.pointer(&pointer(rest)).cloned(),
    }
}
