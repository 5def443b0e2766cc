//! What stands in for a tool's operation, and which tool tells what became of a call.

use std::collections::HashMap;
use std::sync::Arc;

use tollbridge_operation::{ApiName, Effect, Operation};

use super::{Ground, One};
use crate::catalog::Catalog;
use crate::config::{self, Config, Diagnostic, Diagnostics, Keyed, Located, Stale, codes};
use crate::gateway::compile::apis::Upstreams;
use crate::gateway::compile::enclosure;
use crate::gateway::compile::stale::{self, Standing};
use crate::gateway::fallback::{Fallback, Lookup, Mapping, Substitute};
use crate::gateway::toolbox::Exposed;
use crate::tools::answer::Selector;
use crate::tools::{self, Profile, Tool, ToolSpec};

impl One<'_> {
    /// The fallbacks that can be used; what is wrong with the others is reported.
    pub(super) fn fallbacks(
        &mut self,
        tool: &Tool,
        ground: Ground<'_>,
        upstreams: &mut Upstreams<'_>,
    ) -> Vec<Fallback> {
        let Ground { catalog, described: standings, .. } = ground;
        let reads = tool.operation.effect == Effect::Read;
        let mut fallbacks = Vec::new();
        for entry in &self.entry.fallback {
            if let Some(age) = &entry.cached {
                if !reads {
                    let message = "only what reads has answers that can be given once more";
                    self.error(codes::FALLBACK, age.span(), message.to_owned(), None);
                }
                fallbacks.push(Fallback::Cached { max_age: age.0 });
            } else if let Some(answer) = &entry.answer {
                fallbacks.push(Fallback::Answer(answer.0.clone()));
            } else if let Some(operation) = &entry.operation {
                let substitute = self.substitute(tool, entry, operation, ground, upstreams);
                let may = self.is_accepted(tool, entry, operation, catalog, standings);
                fallbacks.extend(
                    substitute.filter(|_| may).map(|one| Fallback::Operation(Box::new(one))),
                );
            }
        }
        fallbacks
    }

    fn substitute(
        &mut self,
        tool: &Tool,
        entry: &config::Fallback,
        spelled: &Located<String>,
        ground: Ground<'_>,
        upstreams: &mut Upstreams<'_>,
    ) -> Option<Substitute> {
        let Ground { catalog, protections, .. } = ground;
        let name = entry.api.as_deref().unwrap_or(&self.entry.api);
        // That there is one, and that it can be read, was reported.
        let (api, described) = (self.config.apis.get(name)?, catalog.api(name)?);
        let Ok(operation) = described.operation(spelled) else {
            let message = format!("`{name}` has no operation `{}` that can be called", **spelled);
            self.error(codes::UNKNOWN_OPERATION, spelled.span(), message, None);
            return None;
        };
        if tool.operation.effect == Effect::Read && operation.effect != Effect::Read {
            let message = format!("`{}` does more than read, and the tool does not", **spelled);
            self.error(codes::FALLBACK, spelled.span(), message, None);
        }
        self.mapped(&entry.map, &tool.operation);
        for (argument, _) in entry.map.iter() {
            if let Some(known) = operation.input.properties()
                && !known.contains_key(argument.as_str())
            {
                let message = format!("`{}` has no argument `{}`", **spelled, **argument);
                self.error(codes::UNKNOWN_ARGUMENT, argument.span(), message, None);
            }
        }
        let result = entry.result.as_ref().and_then(|text| match Selector::parse(text) {
            Ok(selector) => Some(selector),
            Err(error) => {
                let message = format!("`result`: {error}");
                self.error(codes::SHAPE, text.span(), message, None);
                None
            }
        });
        let upstream = upstreams.of(name, api, operation, self.found)?;
        for scheme in upstreams.missing(described, &upstream, operation) {
            let message = format!("`{}` needs the credential `{scheme}`", **spelled);
            self.error(codes::CREDENTIAL, spelled.span(), message, None);
        }
        Some(Substitute {
            api: name.clone(),
            upstream,
            operation: operation.clone(),
            map: mapping(&entry.map),
            hidden: protections.of_substitute(api),
            result,
            budgets: Vec::new(),
        })
    }

    /// Whether an operation that stands in is the one that was accepted, or may change. One that
    /// changed stands in for nothing until a person has looked at it.
    fn is_accepted(
        &mut self,
        tool: &Tool,
        entry: &config::Fallback,
        spelled: &Located<String>,
        catalog: &Catalog,
        standings: &HashMap<ApiName, Standing>,
    ) -> bool {
        let name = entry.api.as_deref().unwrap_or(&self.entry.api);
        let Some(Standing::Changed(accepted)) = standings.get(name) else { return true };
        let Some(api) = self.config.apis.get(name).filter(|api| api.stale == Stale::Quarantine)
        else {
            return true;
        };
        let now = catalog.api(name).and_then(|api| api.operation(spelled).ok());
        let then = accepted.as_ref().and_then(|api| api.operation(spelled).ok());
        let bare = |operation: &Arc<Operation>| {
            Tool::compile(ToolSpec {
                name: tool.name.clone(),
                title: None,
                description: None,
                effect: None,
                idempotent: None,
                rules: &[],
                examples: &[],
                reason: None,
                profile: Profile::Full,
                operation: enclosure::without_fixed(api, operation),
            })
        };
        let changes = match (then.map(bare), now.map(bare)) {
            (Some(Ok((then, _))), Some(Ok((now, _)))) => tools::changes(&then, &now),
            _ => stale::unknown(),
        };
        if changes.is_empty() {
            return true;
        }
        let message = format!(
            "`{}` does not fall back to `{}`, {}",
            tool.name,
            **spelled,
            stale::words(&changes)
        );
        let diagnostic = Diagnostic::warning(codes::QUARANTINED, &self.config.file, message);
        self.found.push(diagnostic.at(spelled.span()));
        false
    }

    /// That a mapping's values are arguments of the operation.
    fn mapped(&mut self, map: &Keyed<String, Located<config::ArgumentPath>>, of: &Operation) {
        let Some(known) = of.input.properties() else { return };
        for (_, path) in map.iter() {
            if let Some(first) = path.segments().first()
                && !known.contains_key(first)
            {
                let message = format!("`{}` has no argument `{first}`", of.id.key);
                self.error(codes::UNKNOWN_ARGUMENT, path.span(), message, None);
            }
        }
    }
}

fn mapping(map: &Keyed<String, Located<config::ArgumentPath>>) -> Mapping {
    map.iter().map(|(name, path)| ((**name).clone(), path.to_string())).collect()
}

/// Finds the tools that tell what became of a call, once all have their names.
pub(super) fn lookups(
    config: &Config,
    entries: &[&Located<config::Tool>],
    exposed: &mut [Exposed],
    found: &mut Diagnostics,
) {
    for (at, entry) in entries.iter().enumerate() {
        let Some(lookup) = &entry.lookup else { continue };
        let mut wrong = |code, span, message: String, help: &str| {
            found.push(Diagnostic::error(code, &config.file, message).at(span).help(help));
        };
        let same = |other: &&Located<config::Tool>| {
            *other.api == *entry.api && *other.operation == *lookup.operation
        };
        let Some(there) = entries.iter().position(same) else {
            let message = format!("`{}` is no tool of this API", *lookup.operation);
            let help = "agents find out by calling it: make it a [[tool]]";
            wrong(codes::UNKNOWN_OPERATION, lookup.operation.span(), message, help);
            continue;
        };
        let tool = &exposed[there].tool;
        if tool.operation.effect != Effect::Read {
            let message = format!("`{}` does more than read", *lookup.operation);
            let help = "name an operation that only tells how things are";
            wrong(codes::FALLBACK, lookup.operation.span(), message, help);
        }
        let has = |tool: &Tool, name: &str| {
            tool.input.to_map().get("properties").is_some_and(|all| all.get(name).is_some())
        };
        for (argument, path) in lookup.map.iter() {
            if !has(tool, argument) {
                let message = format!("`{}` has no argument `{}`", tool.name, **argument);
                wrong(codes::UNKNOWN_ARGUMENT, argument.span(), message, "use one that agents see");
            }
            let first = path.segments().first().map(String::as_str).unwrap_or_default();
            if !has(&exposed[at].tool, first) {
                let message = format!("`{}` has no argument `{first}`", exposed[at].tool.name);
                wrong(codes::UNKNOWN_ARGUMENT, path.span(), message, "use one that agents see");
            }
        }
        let lookup = Lookup { tool: tool.name.clone(), map: mapping(&lookup.map) };
        exposed[at].lookup = Some(lookup);
    }
}
