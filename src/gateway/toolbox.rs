//! What a gateway runs on: everything that can be known before a call, compiled.
//!
//! A toolbox never changes. A reload makes a new one and swaps it whole; calls in flight
//! end on the one that they began with.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tollbridge_operation::ToolName;

use super::compile;
use super::considered::Kept;
use super::discovery::Discovery;
use super::fallback::{Fallback, Lookup, Substitute};
use super::load::Bounds;
use super::notices::Webhook;
use super::protection::Protection;
use super::request::Caller;
use super::seen::{Callers, Seen};
use crate::audit::{Considerations, Digests, WentBy};
use crate::bridge::{Gate, Manner, Poll, Session, TokenSource, Upstream};
use crate::identity::{Groups, Listening, Tokens};
use crate::safety::{BudgetRule, Considered, DriftRule, Engine, LoopRule, Rules, StormRule};
use crate::secret::{Redactor, Secret};
use crate::settlement::{Facilitator, Terms};
use crate::tools::{Spending, Tool};

/// The tools of one configuration, with all that their calls need.
#[derive(Debug)]
pub struct Toolbox {
    /// The digest of `tools.toml`.
    pub config: String,
    /// The server's name for clients.
    pub name: String,
    /// Who is in which group.
    pub groups: Groups,
    /// Every secret that this configuration resolved.
    pub redactor: Arc<Redactor>,
    /// The same, with what is kept out of the trail where it is of no tool.
    pub trail: Arc<Redactor>,
    /// Who settles payments, where anything has a price.
    pub facilitator: Option<Facilitator>,
    /// Who is told of held calls.
    pub webhook: Option<Webhook>,
    /// What becomes of reads when the trail cannot be written.
    pub reads_when_down: ReadsWhenDown,
    /// Where tokens for APIs come from.
    pub sources: Vec<Arc<TokenSource>>,
    /// The sessions at APIs.
    pub sessions: Vec<Arc<Session>>,
    /// With what kept tokens are sealed; `None`: a file beside the store.
    pub token_key: Option<Secret>,
    /// What verifies the tokens of callers over HTTP; `None` where none are taken.
    pub tokens: Option<Arc<Tokens>>,
    /// The TLS of connections that begin now; `None` where they have none.
    pub tls: Option<Arc<Listening>>,
    /// What may be taken on at once.
    pub bounds: Bounds,
    /// How many calls of an identity may fail.
    pub storm: Option<StormRule>,
    /// How many answers of a tool may leave their description.
    pub drift: Option<DriftRule>,
    /// The limits that several tools have in common, by their names.
    pub limits: BTreeMap<String, Arc<Gate>>,
    /// The policies of its tools, in their order.
    pub policies: Arc<Engine>,
    secrets: [u8; 32],
    /// All scopes that tools ask for, in the configuration's order.
    pub scopes: Vec<String>,
    exposed: Vec<Exposed>,
    listed: usize,
    /// By what agents find operations; `None` where discovery is off.
    pub(super) discovery: Option<Discovery>,
    by_name: HashMap<String, usize>,
    callers: Callers,
    /// The policies on each tool, as the trail keeps them.
    considered: Box<[OnceLock<Kept>]>,
}

/// One tool with its layers' rules.
#[derive(Debug)]
pub struct Exposed {
    /// The tool as an agent sees it.
    pub tool: Arc<Tool>,
    /// Who may call it, and how.
    pub rules: Rules,
    /// What a caller's token must allow, where it has one; what every token must is among it.
    pub scopes: Vec<String>,
    /// What it costs.
    pub terms: Terms,
    /// Where its calls go.
    pub upstream: Arc<Upstream>,
    /// The limits of its own, beside those of its API.
    pub gate: Option<Arc<Gate>>,
    /// The limits that it has in common with others.
    pub groups: Vec<Arc<Gate>>,
    /// How its requests are sent.
    pub manner: Manner,
    /// What stands in for its operation, in order.
    pub fallbacks: Vec<Fallback>,
    /// Which tool tells what became of a call whose outcome nobody knows.
    pub lookup: Option<Lookup>,
    /// How often an identity may make the same call.
    pub loops: Option<LoopRule>,
    /// How much of something its calls may use up in a time.
    pub budgets: Vec<Budgeted>,
    /// How a call is asked after that the API took and is not done with.
    pub poll: Option<Poll>,
    /// What is kept back of its calls.
    pub protection: Protection,
    /// Whether clients may follow its calls as tasks.
    pub long: bool,
    /// How long a whole call may take.
    pub timeout: Duration,
    /// The digest of the API's description.
    pub spec: String,
    /// Whether the description is another than was accepted, and changes this tool: it is
    /// listed as it was, and not called.
    pub quarantined: bool,
}

/// A budget of a tool's, and how much of it a call takes.
#[derive(Debug)]
pub struct Budgeted {
    /// What it allows.
    pub rule: BudgetRule,
    /// The argument that is added up; `None` where calls are counted.
    pub spending: Option<Spending>,
}

impl Exposed {
    /// The operations that may stand in for its own.
    pub fn substitutes(&self) -> impl Iterator<Item = &Substitute> {
        self.fallbacks.iter().filter_map(Fallback::operation)
    }

    /// Where calls go and by which description: what an approval is bound to beside the
    /// arguments.
    pub fn target(&self) -> String {
        format!("{} {}", self.upstream.base(), self.spec)
    }

    /// The time for its own operation: where another one may have to answer, it is left a third.
    pub fn first_time(&self) -> Duration {
        if self.substitutes().next().is_some() { self.timeout * 2 / 3 } else { self.timeout }
    }

    /// Where its calls go, those of what stands in for it too.
    fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        let substitutes = self.substitutes().map(|substitute| &*substitute.upstream);
        std::iter::once(&*self.upstream).chain(substitutes)
    }

    /// The price for people, where it has one.
    pub fn price(&self) -> Option<&str> {
        match &self.terms {
            Terms::Free => None,
            Terms::Priced(price) => Some(price.text()),
        }
    }
}

/// What becomes of reads when the audit trail cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadsWhenDown {
    /// They are refused, as writes are.
    Deny,
    /// They go on, unrecorded.
    Allow,
}

/// The tools that a caller is offered.
#[derive(Debug)]
pub struct Offer {
    /// The digest of the list: the trail keeps it with each call.
    pub digest: String,
    /// The tools, in the configuration's order.
    pub tools: Vec<Arc<Tool>>,
    /// By what calls go, by the place of what is called; the last one is of what there is not.
    pub(super) went_by: Box<[OnceLock<WentBy>]>,
}

/// What a toolbox is made of.
#[derive(Debug)]
pub struct Parts {
    /// See [`Toolbox::config`].
    pub config: String,
    /// See [`name`](field@Toolbox::name).
    pub name: String,
    /// See [`Toolbox::groups`].
    pub groups: Groups,
    /// See [`Toolbox::redactor`].
    pub redactor: Arc<Redactor>,
    /// See [`Toolbox::trail`].
    pub trail: Arc<Redactor>,
    /// See [`Toolbox::facilitator`].
    pub facilitator: Option<Facilitator>,
    /// See [`Toolbox::webhook`].
    pub webhook: Option<Webhook>,
    /// A digest of the secrets that it was made with.
    pub secrets: [u8; 32],
    /// See [`Toolbox::sources`].
    pub sources: Vec<Arc<TokenSource>>,
    /// See [`Toolbox::sessions`].
    pub sessions: Vec<Arc<Session>>,
    /// See [`Toolbox::token_key`].
    pub token_key: Option<Secret>,
    /// See [`Toolbox::tokens`].
    pub tokens: Option<Arc<Tokens>>,
    /// See [`Toolbox::tls`].
    pub tls: Option<Arc<Listening>>,
    /// See [`Toolbox::reads_when_down`].
    pub reads_when_down: ReadsWhenDown,
    /// See [`Toolbox::bounds`].
    pub bounds: Bounds,
    /// See [`Toolbox::storm`].
    pub storm: Option<StormRule>,
    /// See [`Toolbox::drift`].
    pub drift: Option<DriftRule>,
    /// See [`Toolbox::limits`].
    pub limits: BTreeMap<String, Arc<Gate>>,
    /// The policies of the tools, in their order; `None` where there are none but the tools' own
    /// rules.
    pub policies: Option<Arc<Engine>>,
    /// The tools, in the configuration's order, and behind them the operations that may be found
    /// and are none; names are unique.
    pub exposed: Vec<Exposed>,
    /// How many of these are tools.
    pub listed: usize,
    /// See [`Discovery`].
    pub discovery: Option<Discovery>,
}

impl Toolbox {
    /// Puts a toolbox together.
    pub fn new(parts: Parts) -> Self {
        let by_name = parts
            .exposed
            .iter()
            .enumerate()
            .map(|(at, exposed)| (exposed.tool.name.to_string(), at))
            .collect();
        let policies = parts.policies.unwrap_or_else(|| {
            let engine = compile::policies::without_files(&parts.exposed);
            Arc::new(engine.expect("a tool's own rules are policies"))
        });
        let mut scopes: Vec<String> = Vec::new();
        for scope in parts.exposed.iter().flat_map(|exposed| &exposed.scopes) {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        Self {
            scopes,
            considered: parts.exposed.iter().map(|_| OnceLock::new()).collect(),
            config: parts.config,
            name: parts.name,
            groups: parts.groups,
            redactor: parts.redactor,
            trail: parts.trail,
            facilitator: parts.facilitator,
            webhook: parts.webhook,
            secrets: parts.secrets,
            sources: parts.sources,
            sessions: parts.sessions,
            token_key: parts.token_key,
            tokens: parts.tokens,
            tls: parts.tls,
            reads_when_down: parts.reads_when_down,
            bounds: parts.bounds,
            storm: parts.storm,
            drift: parts.drift,
            limits: parts.limits,
            exposed: parts.exposed,
            listed: parts.listed,
            discovery: parts.discovery,
            by_name,
            callers: Callers::default(),
            policies,
        }
    }

    /// Takes the place of an older one: what was learned of the APIs, and who waits for them, is
    /// kept.
    pub fn succeed(&mut self, older: &Self) {
        // The issuer's keys are known, and it may be down now. Who it is changes with a restart alone.
        if let (Some(old), Some(Tokens::Jwt { .. })) = (&older.tokens, self.tokens.as_deref()) {
            self.tokens = Some(Arc::clone(old));
        }
        for (name, gate) in &mut self.limits {
            let Some(kept) = older.limits.get(name) else { continue };
            kept.go_by(gate);
            let of_group = self.exposed.iter_mut().flat_map(|exposed| &mut exposed.groups);
            of_group.filter(|own| Arc::ptr_eq(own, gate)).for_each(|own| *own = Arc::clone(kept));
            *gate = Arc::clone(kept);
        }
        let mut done = HashSet::new();
        for exposed in &mut self.exposed {
            for upstream in exposed.upstreams() {
                // Operations of one API share what they call through.
                if !done.insert(std::ptr::from_ref(upstream).addr()) {
                    continue;
                }
                if let Some(old) = older.upstreams().find(|old| old.api() == upstream.api()) {
                    upstream.succeed(old);
                }
            }
            let same = older.by_name.get(exposed.tool.name.as_str());
            if let Some(kept) = same.and_then(|at| older.exposed[*at].gate.clone())
                && let Some(gate) = &mut exposed.gate
            {
                kept.go_by(gate);
                *gate = kept;
            }
        }
    }

    /// Where its tools' calls go, those of what stands in for them too.
    pub fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        self.exposed.iter().flat_map(Exposed::upstreams)
    }

    /// Whether another one was made of the same files and secrets.
    pub fn same_as(&self, other: &Self) -> bool {
        let specs = |toolbox: &Self| -> Vec<String> {
            toolbox.exposed.iter().map(|exposed| exposed.spec.clone()).collect()
        };
        self.config == other.config
            && self.secrets == other.secrets
            && self.policies.digest == other.policies.digest
            && specs(self) == specs(other)
    }

    /// All groups that the caller is in.
    pub fn groups_of(&self, caller: &Caller) -> BTreeSet<String> {
        self.groups.groups_of(&caller.identity, &caller.groups)
    }

    /// A caller in front of the tools.
    pub fn seen(&self, caller: &Caller) -> Arc<Seen> {
        self.callers.seen(&self.policies, &self.groups, caller)
    }

    /// The tool of that name, if this caller may see it.
    pub fn find(&self, tool: &str, caller: &Caller) -> Option<&Exposed> {
        self.find_for(&self.seen(caller), tool)
    }

    /// The same for a caller that is known.
    pub(super) fn find_for(&self, seen: &Seen, tool: &str) -> Option<&Exposed> {
        let at = *self.by_name.get(tool)?;
        seen.policies.may_see(at).then(|| &self.exposed[at])
    }

    /// The name of a tool that there is, whoever may see it.
    pub(super) fn name(&self, tool: &str) -> Option<&ToolName> {
        self.by_name.get(tool).map(|at| &self.exposed[*at].tool.name)
    }

    /// What is kept back of calls of a tool; of one that is not there any more, what is kept back in
    /// any case.
    pub(super) fn protection(&self, tool: &str) -> Protection {
        match self.by_name.get(tool) {
            Some(at) => self.exposed[*at].protection.clone(),
            None => Protection::only(Arc::clone(&self.trail)),
        }
    }

    /// A tool's place among the tools.
    pub(super) fn place(&self, exposed: &Exposed) -> usize {
        self.by_name.get(exposed.tool.name.as_str()).copied().unwrap_or(usize::MAX)
    }

    /// A digest of all that calls are decided by: the configuration and its policy files.
    pub(super) fn rules(&self) -> String {
        format!("{} {}", self.config, self.policies.digest.as_deref().unwrap_or_default())
    }

    /// Whether the person at a caller's client may decide on calls of a tool.
    pub fn asks_client(&self, exposed: &Exposed) -> bool {
        exposed.rules.hold.as_ref().is_some_and(|hold| hold.asks_client)
            || self.policies.may_ask_client(self.place(exposed))
    }

    /// All tools, in the configuration's order.
    pub fn exposed(&self) -> &[Exposed] {
        &self.exposed[..self.listed]
    }

    /// The same, and behind them the operations that may be found and are no tools.
    pub fn all(&self) -> &[Exposed] {
        &self.exposed
    }

    /// The tools that this caller may see.
    pub fn offer(&self, caller: &Caller) -> Arc<Offer> {
        self.offer_for(&self.seen(caller))
    }

    /// The same for a caller that is known.
    pub(super) fn offer_for(&self, seen: &Seen) -> Arc<Offer> {
        let discovery = self.discovery.as_ref().filter(|one| one.finds_any(seen));
        self.callers.offer(seen, self.exposed(), discovery)
    }

    /// By what a call goes of this tool, or of one that there is not.
    pub(super) fn went_by(&self, seen: &Seen, exposed: Option<&Exposed>) -> WentBy {
        let offer = self.offer_for(seen);
        let digests = || {
            WentBy::new(Digests {
                tools: offer.digest.clone(),
                config: self.config.clone(),
                policy: self.policies.digest.clone(),
                spec: exposed.map(|exposed| exposed.spec.clone()),
            })
        };
        let place = exposed.map_or(usize::MAX, |exposed| self.place(exposed));
        let last = offer.went_by.len() - 1;
        offer.went_by[place.min(last)].get_or_init(digests).clone()
    }

    /// What the trail keeps of the policies on a tool.
    pub(super) fn considered(
        &self,
        place: usize,
        considered: &Considered,
        redactor: &Redactor,
    ) -> Considerations {
        let Some(form) = considered.form() else { return Considerations::default() };
        let Some(kept) = self.considered.get(place) else { return Considerations::default() };
        kept.get_or_init(|| Kept::new(form, &self.trail)).of(considered, redactor)
    }
}
