//! Compiling: from tools and policy texts to what a call is decided on.

mod checks;
mod context;
mod slice;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use cedar_policy::pst::Policy as Pst;
use cedar_policy::{Policy, PolicySet, PrincipalConstraint, Schema};
use jiff::tz::TimeZone;
use serde_json::Value;
use tollbridge_operation::{Effect as OperationEffect, digest_bytes};

use crate::action::action_of;
use crate::considered::{Shows, shows};
use crate::decide::Effect;
use crate::found::{Finding, List};
use crate::guard::Guard;
use crate::kind::{Kind, LeftOut};
use crate::reads::{Reads, reads};
use crate::rules::ToolRules;
use crate::schema::{ToolSchema, schema};
use crate::source::{self, Source};
pub(crate) use context::{Clocks, Spot};
use slice::Own;
pub(crate) use slice::Slice;

/// The stack that [`Engine::compile`] needs: Cedar goes as deep as policies do,
/// which takes more than a thread has that was not begun for it, above all without optimizations.
pub const STACK: usize = 64 << 20;

/// A tool that policies are about.
#[derive(Debug, Clone)]
pub struct ToolDef {
    /// Its name.
    pub name: String,
    /// The API of its operation.
    pub api: String,
    /// The operation's key in its API.
    pub operation: String,
    /// What it does to the world.
    pub effect: OperationEffect,
    /// Whether doing it twice is the same as doing it once.
    pub idempotent: bool,
    /// The tags that the description gives the operation.
    pub tags: Vec<String>,
    /// What its own entry says.
    pub rules: ToolRules,
    /// Its place among the operations that may be found, where it is one of them and no tool of
    /// the configuration: what holds for it then is its API's list.
    pub found: Option<usize>,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The policies cannot be used.
    Error,
    /// They can, and something is probably not meant.
    Warning,
}

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Which of the sources; none for the tools together.
    pub source: Option<usize>,
    /// Where in it, in bytes.
    pub span: Range<usize>,
}

impl Site {
    pub(crate) fn file(index: usize, span: Range<usize>) -> Self {
        Self { source: Some(index), span }
    }
}

/// A place in the configuration that rules were made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A key of the entry of the tool with that place.
    Tool {
        /// The tool.
        tool: usize,
        /// The key.
        key: &'static str,
    },
    /// The list of that place of who may find operations.
    List(usize),
}

/// Something that is wrong with the policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub site: Site,
    /// Which entry of the configuration is meant, where it is one.
    pub entry: Option<Entry>,
    /// What is wrong, in one line.
    pub message: String,
    /// How it is mended.
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn error(site: Site, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { severity: Severity::Error, site, entry: None, message, help: None }
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A policy with what is known of it.
#[derive(Debug)]
pub(crate) struct Ruled {
    pub(crate) policy: Policy,
    /// The policy alone, for the authorizer.
    pub(crate) alone: PolicySet,
    pub(crate) name: Arc<str>,
    pub(crate) effect: Effect,
    pub(crate) reason: Option<String>,
    pub(crate) reads: Reads,
    pub(crate) guard: Guard,
    pub(crate) shows: Vec<Shows>,
    /// Where it was written; none for what a tool's entry says.
    pub(crate) site: Option<Site>,
    /// Whether it is a tool's time window.
    pub(crate) is_window: bool,
    /// Whether it holds writes that no policy speaks of.
    pub(crate) is_unspoken: bool,
}

impl Ruled {
    pub(crate) fn new(
        policy: Policy,
        effect: Effect,
        reason: Option<String>,
        site: Option<Site>,
    ) -> Option<Self> {
        // A template is none: nothing fills it in.
        let Ok(Pst::Static(text)) = policy.to_pst() else { return None };
        let clauses = text.body().clauses();
        let (reads, guard) = (reads(clauses), Guard::of(clauses));
        let scoped = !matches!(policy.principal_constraint(), PrincipalConstraint::Any);
        let alone = PolicySet::from_policies([policy.clone()]).ok()?;
        let name = Arc::from(AsRef::<str>::as_ref(policy.id()));
        Some(Self {
            shows: shows(&reads, scoped),
            policy,
            alone,
            name,
            effect,
            reason,
            reads,
            guard,
            site,
            is_window: false,
            is_unspoken: false,
        })
    }

    pub(crate) fn id(&self) -> &str {
        &self.name
    }
}

/// Every policy of a configuration, compiled.
#[derive(Debug)]
pub struct Engine {
    /// A digest of the policy files; none where there are none.
    pub digest: Option<String>,
    pub(crate) slices: Vec<Slice>,
    /// By what calls of each tool are decided.
    pub(crate) calls: Vec<Way>,
    /// By what is decided who may find each operation.
    pub(crate) finds: Vec<Way>,
    /// Which operation each tool is, where it is one that may be found.
    pub(crate) found: Vec<Option<usize>>,
    pub(crate) lists: Vec<List>,
    /// There where a policy reads the call.
    pub(crate) schema: Option<Schema>,
}

/// By what is decided.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// By policies: the slice of that place.
    Slice(usize),
    /// By the API's list alone; no policy of a file is about it.
    Listed { list: usize, holds: bool },
}

impl Engine {
    /// The groups that policies of files name, each with the place of the policy.
    pub fn groups(&self) -> Vec<(String, Site)> {
        // A policy is in the slice of each tool that it is about.
        let written = self.slices.iter().flat_map(Slice::all).filter_map(|rule| {
            let site = rule.site.as_ref()?;
            Some(((site.source, site.span.start), (rule, site)))
        });
        let written: BTreeMap<_, _> = written.collect();
        let each = written.into_values().flat_map(|(rule, site)| {
            checks::groups(rule).into_iter().map(|name| (name, site.clone()))
        });
        each.collect()
    }

    /// Compiles the rules of tools and the policies of files. `input` gives the input schema of
    /// the tool with that index, as agents see it; it is asked only for what policies read.
    /// `zone` is that of local time.
    ///
    /// Without an engine one of the problems at least is an error.
    pub fn compile(
        tools: &[ToolDef],
        input: &dyn Fn(usize) -> Value,
        sources: &[Source],
        zone: Option<&TimeZone>,
    ) -> (Option<Self>, Vec<Problem>) {
        Self::compile_finding(tools, Finding::default(), input, sources, zone)
    }

    /// The same where operations may be found. Those that are no tools of the configuration are
    /// among `tools` too, with their places among them.
    pub fn compile_finding(
        tools: &[ToolDef],
        finding: Finding<'_>,
        input: &dyn Fn(usize) -> Value,
        sources: &[Source],
        zone: Option<&TimeZone>,
    ) -> (Option<Self>, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut written: Vec<Arc<Ruled>> = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            written.extend(source::read(index, source, &mut problems).into_iter().map(Arc::new));
        }
        checks::names(&written, tools, finding, &mut problems);
        checks::finds(&written, &mut problems);
        let about: Vec<Vec<Arc<Ruled>>> = tools
            .iter()
            .map(|tool| written.iter().filter(|p| checks::applies(p, tool)).cloned().collect())
            .collect();
        let reads_arguments = |policies: &[Arc<Ruled>]| {
            policies.iter().any(|policy| policy.reads.touches("arguments"))
        };
        let (kinds, left_out): (Vec<Kind>, Vec<Vec<LeftOut>>) = about
            .iter()
            .enumerate()
            .map(|(index, policies)| {
                if reads_arguments(policies) {
                    Kind::of_input(&input(index))
                } else {
                    (Kind::empty(), Vec::new())
                }
            })
            .unzip();
        let lists: Vec<List> = finding.lists.iter().map(List::new).collect();
        checks::lists(&lists, &mut problems);
        let list_of = |found: usize| finding.operations.get(found).map(|one| one.list);
        let mut slices: Vec<Slice> = Vec::new();
        let mut calls = Vec::with_capacity(tools.len());
        for (index, ((tool, policies), kind)) in tools.iter().zip(about).zip(&kinds).enumerate() {
            let list = tool.found.and_then(list_of);
            let holds = tool.effect != OperationEffect::Read;
            calls.push(match list {
                Some(list) if policies.is_empty() => Way::Listed { list, holds },
                _ => {
                    let own = match list.and_then(|at| lists.get(at)) {
                        Some(list) => Own::List(list),
                        None => {
                            let made = tool.rules.policies(&tool.name);
                            Own::Rules(checks::made(index, tool, made, &mut problems))
                        }
                    };
                    slices.push(Slice::new(tool, own, policies, kind.clone(), zone));
                    Way::Slice(slices.len() - 1)
                }
            });
        }
        let mut finds = Vec::with_capacity(finding.operations.len());
        for one in finding.operations {
            let policies = written.iter().filter(|p| checks::finds_it(p, &one.operation));
            let policies: Vec<_> = policies.cloned().collect();
            finds.push(match lists.get(one.list) {
                Some(list) if !policies.is_empty() => {
                    slices.push(Slice::finding(&one.operation, list, policies, zone));
                    Way::Slice(slices.len() - 1)
                }
                _ => Way::Listed { list: one.list, holds: false },
            });
        }
        let found = tools.iter().map(|tool| tool.found).collect();
        let needs = !written.is_empty() || slices.iter().any(Slice::reads_calls);
        let schema = needs.then(|| {
            let each = tools.iter().zip(&kinds).map(|(tool, arguments)| ToolSchema {
                name: &tool.name,
                arguments,
                when: tool.rules.when.is_some(),
            });
            schema(&each.collect::<Vec<_>>(), zone.is_some())
        });
        let schema = match schema.transpose() {
            Ok(schema) => schema,
            Err(error) => {
                let message = format!("no schema can be made of the tools: {error}");
                problems.push(Problem::error(Site { source: None, span: 0..0 }, message));
                None
            }
        };
        if let Some(schema) = &schema {
            let seen = checks::Seen { tools, kinds: &kinds, left_out: &left_out };
            checks::types(&written, schema, seen, zone.is_some(), &mut problems);
        }
        checks::about_nothing(&written, tools, finding, &mut problems);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return (None, problems);
        }
        let digest = (!sources.is_empty()).then(|| {
            let texts = sources.iter().map(|source| format!("{}\0{}\0", source.path, source.text));
            digest_bytes(texts.collect::<String>().as_bytes())
        });
        (Some(Self { digest, slices, calls, finds, found, lists, schema }), problems)
    }

    /// The names of the policies that a tool is decided by.
    pub fn rules_of(&self, tool: usize) -> Vec<&str> {
        match self.calls.get(tool) {
            None => Vec::new(),
            Some(Way::Slice(at)) => self.slices[*at].all().map(Ruled::id).collect(),
            Some(Way::Listed { list, holds }) => {
                let list = &self.lists[*list];
                let hold = holds.then_some(list.hold.as_str());
                std::iter::once(list.rule.as_str()).chain(hold).collect()
            }
        }
    }

    /// Whether a call of the tool may be held.
    pub fn may_hold(&self, tool: usize) -> bool {
        let is_hold = |policy: &Ruled| matches!(policy.effect, Effect::Hold(_));
        match self.calls.get(tool) {
            None => false,
            Some(Way::Slice(at)) => self.slices[*at].all().any(is_hold),
            Some(Way::Listed { holds, .. }) => *holds,
        }
    }

    /// Whether a policy file holds calls of the tool for the person at the caller's client.
    pub fn may_ask_client(&self, tool: usize) -> bool {
        let asks = |policy: &Ruled| match &policy.effect {
            Effect::Hold(terms) => terms.ask.is_some_and(|ask| ask.client),
            Effect::Permit | Effect::Forbid => false,
        };
        self.slice(tool).is_some_and(|slice| slice.all().any(asks))
    }

    /// Whether a policy on the tool reads an argument.
    pub fn reads_arguments(&self, tool: usize) -> bool {
        self.slice(tool).is_some_and(|slice| slice.reads_arguments)
    }

    /// Whether nothing is to be decided on for the tool.
    pub fn is_open(&self, tool: usize) -> bool {
        self.slice(tool).is_some_and(|slice| slice.trivial)
    }

    /// The policies on a tool, where there are any beside its API's list.
    fn slice(&self, tool: usize) -> Option<&Slice> {
        match self.calls.get(tool)? {
            Way::Slice(at) => self.slices.get(*at),
            Way::Listed { .. } => None,
        }
    }
}

/// A tool's own action, as text.
pub(crate) fn action_text(tool: &str) -> String {
    format!("Action::{:?}", action_of(tool))
}
