//! The operations that may be found and are no tools: each is compiled as a tool whose entry says
//! nothing, under its id as its name, so that every layer treats it as it treats a tool.
//!
//! What cannot be called as its API is configured is left out and reported once an API, as a
//! warning: nobody named it, and the tools do not suffer for it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tollbridge_discovery as discovery;
use tollbridge_operation::{ApiName, Operation, OperationId, ToolName};
use tollbridge_policy::{FindList, FoundDef};

use super::super::apis::{Upstreams, may_be_found};
use super::super::stale::Standing;
use super::super::{budgets, policies, who};
use super::{Ground, One};
use crate::config::{self, Api, Config, Diagnostic, Diagnostics, Severity, Stale, codes};
use crate::gateway::toolbox::Exposed;
use crate::tools::Known;

/// What may be found, beside what it is called by.
pub(in crate::gateway::compile) struct Findable {
    /// Who may, one an API.
    pub(in crate::gateway::compile) lists: Vec<FindList>,
    /// The operations.
    pub(in crate::gateway::compile) operations: Vec<FoundDef>,
    /// For each of them the places of what it is called by, in the order in which they are tried.
    pub(in crate::gateway::compile) places: Vec<Vec<usize>>,
    /// The titles of the APIs.
    pub(in crate::gateway::compile) titles: BTreeMap<ApiName, String>,
}

/// Compiles what may be found behind the tools. `None` where discovery is off.
pub(super) fn compile(
    ground: Ground<'_>,
    exposed: &mut Vec<Exposed>,
    known: &mut Known,
    upstreams: &mut Upstreams<'_>,
    found: &mut Diagnostics,
) -> Option<Findable> {
    let Ground { config, catalog, described, .. } = ground;
    if !config.server.discovery {
        return None;
    }
    let mut tools: HashMap<OperationId, Vec<usize>> = HashMap::new();
    for (at, one) in exposed.iter().enumerate() {
        tools.entry(one.tool.operation.id.clone()).or_default().push(at);
    }
    let opened = config.apis.iter().filter(|(_, api)| may_be_found(config, api));
    let opened: Vec<_> = opened.filter_map(|(n, api)| Some((n, api, catalog.api(n)?))).collect();
    let answers = opened.iter().flat_map(|(_, _, read)| &read.operations);
    known.expect_answers(answers.filter_map(|operation| operation.output.as_ref()));
    let mut all = Findable {
        lists: Vec::new(),
        operations: Vec::new(),
        places: Vec::new(),
        titles: BTreeMap::new(),
    };
    for (name, api, read) in opened {
        let Some(standing) = described.get(&**name) else { continue };
        all.titles.insert((**name).clone(), read.title.clone());
        let who = api.discover.iter().map(|selector| who(selector)).collect();
        all.lists.push(FindList { api: name.to_string(), who });
        let mut left_out = LeftOut::default();
        // What goes through another port of the same service is the same thing again.
        for operation in read.operations.iter().filter(|operation| operation.twin_of.is_none()) {
            let mut one = Found { ground, name, api, standing, known, left_out: &mut left_out };
            let places = match tools.get(&operation.id) {
                Some(places) => places.clone(),
                None => {
                    let Some(made) = one.compile(operation, upstreams) else { continue };
                    exposed.push(made);
                    vec![exposed.len() - 1]
                }
            };
            let Some(first) = places.first().map(|at| &exposed[*at]) else { continue };
            let Ok(id) = ToolName::found(discovery::id(operation)) else { continue };
            let (operation, list) = (policies::found(first, &id), all.lists.len() - 1);
            all.operations.push(FoundDef { operation, list });
            all.places.push(places);
        }
        left_out.report(config, name, api, found);
    }
    Some(all)
}

/// One operation that may be found.
struct Found<'a> {
    ground: Ground<'a>,
    name: &'a ApiName,
    api: &'a Api,
    standing: &'a Standing,
    known: &'a mut Known,
    left_out: &'a mut LeftOut,
}

impl Found<'_> {
    fn compile(
        &mut self,
        operation: &Arc<Operation>,
        upstreams: &mut Upstreams<'_>,
    ) -> Option<Exposed> {
        let config = self.ground.config;
        let key = operation.id.key.as_str();
        let name = match ToolName::found(discovery::id(operation)) {
            Ok(name) => name,
            Err(error) => {
                self.left_out.note(key, error.to_string());
                return None;
            }
        };
        let entry = config::Tool::unwritten(self.name.clone(), key.to_owned(), name);
        let (mut said, mut compared) = (Diagnostics::new(), Vec::new());
        let mut one = One {
            config,
            entry: &entry,
            api: self.api,
            standing: self.standing,
            is_tool: false,
            compared: &mut compared,
            known: self.known,
            found: &mut said,
        };
        let made = one.compile(self.ground, &mut BTreeSet::new(), upstreams);
        let made = made.map(|mut made| {
            budgets::over_several(config, &mut made, &mut said);
            made.quarantined |= self.is_new(key);
            made
        });
        self.left_out.suspicions +=
            usize::from(said.iter().any(|one| one.code == codes::SUSPICIOUS));
        let wrong = said.iter().find(|one| one.severity == Severity::Error);
        match (made, wrong) {
            (Some(made), None) => Some(made),
            (_, wrong) => {
                let reason = wrong.map_or("it cannot be called", |one| &one.message);
                self.left_out.note(key, reason.to_owned());
                None
            }
        }
    }

    /// Whether a description that changed has it and the accepted one had not: nobody has looked
    /// at it yet.
    fn is_new(&self, key: &str) -> bool {
        let Standing::Changed(Some(accepted)) = self.standing else { return false };
        self.api.stale == Stale::Quarantine && accepted.operation(key).is_err()
    }
}

/// The operations of an API that nobody can find.
#[derive(Default)]
struct LeftOut {
    count: usize,
    first: Option<(String, String)>,
    reasons: HashSet<String>,
    /// How many of those that can be found say something that may be meant to mislead.
    suspicions: usize,
}

impl LeftOut {
    fn note(&mut self, key: &str, reason: String) {
        self.count += 1;
        self.reasons.insert(reason.clone());
        self.first.get_or_insert_with(|| (key.chars().take(80).collect(), reason));
    }

    fn report(self, config: &Config, name: &ApiName, api: &Api, found: &mut Diagnostics) {
        let Some(place) = api.discover.first() else { return };
        let mut warn = |code, message: String| {
            found.push(Diagnostic::warning(code, &config.file, message).at(place.span()));
        };
        if let Some((key, reason)) = self.first {
            let count = self.count;
            let what = if count == 1 { "1 operation" } else { &format!("{count} operations") };
            let message = format!("{what} of `{name}` cannot be found; `{key}`: {reason}");
            warn(codes::DISCOVERY, message);
        }
        if self.suspicions > 0 {
            let count = self.suspicions;
            let message = format!(
                "of {count} operations of `{name}` that may be found the description says something that may be meant to mislead"
            );
            warn(codes::SUSPICIOUS, message);
        }
    }
}
