//! The tools of a configuration: each operation found, its rules applied, its layers' rules
//! compiled.

mod advice;
mod fallbacks;
mod found;
mod manner;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};
use tollbridge_operation::{ApiName, Effect, Operation, ToolName, Warning};

use super::apis::{Upstreams, limits};
use super::protection::{self, Protections};
use super::stale::{self, Compared, Standing};
use super::who;
use super::{budgets, enclosure};
use crate::bridge::{Gate, Limits, Poll};
use crate::catalog::{self, Catalog, NotFound};
use crate::config::{self, Api, Ask, Config, Diagnostics, Located, Stale, codes};
use crate::gateway::toolbox::Exposed;
use crate::safety::{By, Days, FourEyes, HoldRule, Hours, LoopRule, Rules, When, WindowRule};
use crate::settlement::{PayTo, Price, Terms};
use crate::tools::answer::{AnswerShape, Selector};
use crate::tools::pages::{PageKind, PageRule};
use crate::tools::{self, ArgumentPointer, ArgumentRule, Change, Known, RuleError, Tool, ToolSpec};

pub(super) use found::Findable;

/// What a configuration exposes.
pub(super) struct Compiled {
    /// Its tools, and behind them the operations that may be found and are none.
    pub(super) exposed: Vec<Exposed>,
    /// How many of these are tools.
    pub(super) listed: usize,
    /// What may be found; `None` where discovery is off.
    pub(super) findable: Option<Findable>,
    /// The tools whose descriptions changed.
    pub(super) compared: Vec<Compared>,
}

/// What tools are compiled from.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) config: &'a Config,
    pub(super) catalog: &'a Catalog,
    pub(super) described: &'a HashMap<ApiName, Standing>,
    pub(super) limits: &'a BTreeMap<String, Arc<Gate>>,
    pub(super) protections: &'a Protections<'a>,
}

/// Compiles every tool; one that is wrong is reported and left out.
pub(super) fn compile(
    ground: Ground<'_>,
    upstreams: &mut Upstreams<'_>,
    found: &mut Diagnostics,
) -> Compiled {
    let Ground { config, catalog, described, .. } = ground;
    let mut taken = names_given(config);
    let mut exposed = Vec::with_capacity(config.tools.len());
    let mut compared = Vec::new();
    let mut known = Known::default();
    let answers = config.tools.iter().filter_map(|entry| {
        let operation = catalog.api(&entry.api)?.operation(&entry.operation).ok()?;
        operation.output.as_ref()
    });
    known.expect_answers(answers);
    let mut entries = Vec::with_capacity(config.tools.len());
    for entry in &config.tools {
        let Some(api) = config.apis.get(&*entry.api) else { continue };
        let Some(standing) = described.get(&*entry.api) else { continue };
        let (compared, known) = (&mut compared, &mut known);
        let is_tool = true;
        let mut one = One { config, entry, api, standing, is_tool, compared, known, found };
        if let Some(tool) = one.compile(ground, &mut taken, upstreams) {
            exposed.push(tool);
            entries.push(entry);
        }
    }
    fallbacks::lookups(config, &entries, &mut exposed, found);
    budgets::compile(config, &entries, &mut exposed, found);
    let listed = exposed.len();
    let findable = found::compile(ground, &mut exposed, &mut known, upstreams, found);
    budgets::of_substitutes(config, &mut exposed, found);
    budgets::idle(config, &exposed, found);
    protection::idle(config, &exposed, found);
    Compiled { exposed, listed, findable, compared }
}

/// Compares two versions of an API's description, as the tools that the file makes of it.
pub(super) fn compare(
    config: &Config,
    name: &ApiName,
    old: catalog::Api,
    new: &catalog::Api,
    found: &mut Diagnostics,
) -> Vec<Compared> {
    let Some(api) = config.apis.get(name) else { return Vec::new() };
    let mut taken = names_given(config);
    let standing = Standing::Changed(Some(Box::new(old)));
    let mut compared = Vec::new();
    let mut known = Known::default();
    for entry in config.tools.iter().filter(|entry| *entry.api == *name) {
        let (compared, known, standing) = (&mut compared, &mut known, &standing);
        let is_tool = true;
        let mut one = One { config, entry, api, standing, is_tool, compared, known, found };
        one.tool(new, &mut taken);
    }
    compared
}

/// The names that the file gives are taken before any is proposed, wherever they stand.
fn names_given(config: &Config) -> BTreeSet<ToolName> {
    config.tools.iter().filter_map(|tool| tool.name.as_deref().cloned()).collect()
}

/// One tool of the file.
struct One<'a> {
    config: &'a Config,
    entry: &'a config::Tool,
    api: &'a Api,
    standing: &'a Standing,
    /// Whether it is listed; else it is found, and called by its id.
    is_tool: bool,
    compared: &'a mut Vec<Compared>,
    known: &'a mut Known,
    found: &'a mut Diagnostics,
}

/// What a tool is made of, but for the operation: the file's part.
struct Parts {
    name: ToolName,
    rules: Vec<(ArgumentRule, Range<usize>)>,
    examples: Vec<Map<String, Value>>,
}

/// A tool that was made, and whether its calls are refused.
struct Made {
    tool: Tool,
    operation: Arc<Operation>,
    quarantined: bool,
}

impl One<'_> {
    fn compile(
        &mut self,
        ground: Ground<'_>,
        taken: &mut BTreeSet<ToolName>,
        upstreams: &mut Upstreams<'_>,
    ) -> Option<Exposed> {
        let Ground { catalog, limits, protections, .. } = ground;
        let entry = self.entry;
        let described = catalog.api(&entry.api)?;
        let Made { tool, operation, quarantined } = self.tool(described, taken)?;
        let name = tool.name.clone();
        if self.is_tool {
            self.lint(&tool);
        }
        self.suspect(&tool);
        if let Some(pages) = entry.pages.as_ref().filter(|_| tool.operation.effect != Effect::Read)
        {
            let message = format!("`{name}` does more than read, so one call is one request");
            let help = "remove `pages`, or set effect = \"read\" where that is what it is";
            self.error(codes::SHAPE, pages.span(), message, Some(help.to_owned()));
        }
        let upstream = upstreams.of(&entry.api, self.api, &operation, self.found)?;
        self.check_message_security(&operation);
        let missing = upstreams.missing(described, &upstream, &operation);
        if self.api.credentials.is_empty() {
            self.advise_credential(&operation, &missing);
        }
        for scheme in missing.iter().filter(|_| !self.api.credentials.is_empty()) {
            self.error(
                codes::CREDENTIAL,
                entry.operation.span(),
                format!("`{}` needs the credential `{scheme}`", operation.id.key),
                Some(format!("add {scheme} = {{ kind = … }} to [api.{}.credentials]", &*entry.api)),
            );
        }
        self.advise(&name, &tool);
        let fallbacks = self.fallbacks(&tool, ground, upstreams);
        let protection = protections.of(self.api, entry, &tool, self.found);
        let poll = self
            .poll(&tool)
            .map(|poll| Poll { hides_state: protection.answer.cover(poll.status_place()), ..poll });
        let terms = self.terms()?;
        Some(Exposed {
            rules: self.rules(name),
            scopes: self.scopes(),
            terms,
            upstream,
            gate: self.gate(),
            groups: self.groups(limits),
            manner: self.manner(&tool),
            fallbacks,
            lookup: None,
            protection,
            loops: self.loops(),
            budgets: Vec::new(),
            poll,
            long: entry.long.as_deref().copied().unwrap_or(false),
            timeout: entry.timeout.as_ref().map_or(self.api.timeout(), |timeout| timeout.0),
            spec: described.digest.clone(),
            quarantined,
            tool: Arc::new(tool),
        })
    }

    /// The tool itself, made of the operation that it is to run.
    fn tool(&mut self, described: &catalog::Api, taken: &mut BTreeSet<ToolName>) -> Option<Made> {
        let entry = self.entry;
        let current = described.operation(&entry.operation);
        let accepted = match self.standing {
            Standing::Changed(Some(accepted)) => accepted.operation(&entry.operation).ok(),
            _ => None,
        };
        let key = match (&current, accepted) {
            (Ok(operation), _) => &operation.id.key,
            (Err(_), Some(operation)) => &operation.id.key,
            (Err(not_found), None) => {
                self.no_operation(not_found);
                return None;
            }
        };
        let name = match &entry.name {
            Some(name) => (**name).clone(),
            None => {
                let name = tools::propose(key, taken);
                taken.insert(name.clone());
                name
            }
        };
        let parts = self.parts(name);
        match (accepted, current) {
            (Some(accepted), current) => self.compare(&parts, accepted, current),
            (None, current) => self.take(&parts, current.ok()?),
        }
    }

    fn parts(&mut self, name: ToolName) -> Parts {
        let entry = self.entry;
        let rules = entry.args.iter().filter_map(|(path, argument)| match rule(path, argument) {
            Ok(rule) => Some((rule, path.span())),
            Err(message) => {
                self.error(codes::ARGUMENT_RULE, path.span(), message, None);
                None
            }
        });
        let rules = rules.collect();
        let select = entry.shape.as_ref().and_then(|shape| shape.select.as_ref());
        if let Some(text) = select
            && let Err(error) = Selector::parse(text)
        {
            self.error(codes::SHAPE, text.span(), format!("`select`: {error}"), None);
        }
        // The file's schema says that an example is a table.
        let examples =
            entry.examples.iter().filter_map(|example| example.0.as_object().cloned()).collect();
        Parts { name, rules, examples }
    }

    /// Makes the tool of an operation. What is wrong with it is the caller's to report.
    fn make(
        &mut self,
        parts: &Parts,
        operation: &Arc<Operation>,
    ) -> Result<(Tool, Vec<Warning>), Vec<RuleError>> {
        let entry = self.entry;
        let rules: Vec<ArgumentRule> = parts.rules.iter().map(|(rule, _)| rule.clone()).collect();
        let spec = ToolSpec {
            name: parts.name.clone(),
            title: entry.title.as_ref().map(|title| title.as_str()),
            description: entry.description.as_ref().map(|text| text.as_str()),
            effect: entry.effect.as_deref().copied(),
            idempotent: entry.idempotent.as_deref().copied(),
            examples: &parts.examples,
            rules: &rules,
            reason: entry.reason.as_deref().map(|reason| match reason {
                config::Reason::Optional => tools::ReasonRule::Optional,
                config::Reason::Required => tools::ReasonRule::Required,
            }),
            profile: match self.config.server.schemas {
                config::SchemaProfile::Portable => tools::Profile::Portable,
                config::SchemaProfile::Full => tools::Profile::Full,
                config::SchemaProfile::Gemini => tools::Profile::Gemini,
            },
            operation: enclosure::without_fixed(self.api, operation),
        };
        let (tool, warnings) = Tool::compile_with(spec, self.known)?;
        let tool = match entry.poll {
            // What it answers in the end is not what is described for the moment of the call.
            Some(_) => tool.with_answers(self.answers()).undescribed(),
            None => tool.with_answers(self.answers()),
        };
        Ok((tool.with_pages(self.pages()).map_err(|error| vec![error])?, warnings))
    }

    /// How answers come in pages. The file was checked: what a kind needs is there.
    fn pages(&self) -> Option<PageRule> {
        let pages = self.entry.pages.as_ref()?;
        let argument = pages.argument.as_deref().and_then(|path| pointer(path).ok());
        let next = pages.next.as_ref().map(|next| next.0.clone());
        let kind = match *pages.kind {
            config::PageKind::Cursor => PageKind::Cursor { argument: argument?, next: next? },
            config::PageKind::Page => PageKind::Number {
                argument: argument?,
                start: pages.start.as_deref().map_or(1, |start| u64::from(*start)),
            },
            config::PageKind::Offset => PageKind::Offset { argument: argument? },
            config::PageKind::Link => PageKind::Link,
            config::PageKind::Url => PageKind::Url { next: next? },
        };
        let place = |place: &Option<Located<config::Pointer>>| place.as_ref().map(|p| p.0.clone());
        Some(PageRule {
            kind,
            rows: place(&pages.rows),
            more: place(&pages.more),
            total: place(&pages.total),
            max_pages: pages.max_pages.as_deref().map_or(10, |max| max.get()),
            max_rows: pages.max_rows.as_deref().map_or(1_000, |max| max.get()),
        })
    }

    /// How a call is asked after that the API is not done with.
    fn poll(&mut self, tool: &Tool) -> Option<Poll> {
        let poll = self.entry.poll.as_ref()?;
        if tool.operation.endpoint.is_none() {
            let message = format!("`{}` is no request over plain HTTP", tool.name);
            let help = "remove `poll`: a SOAP service answers when it is done";
            self.error(codes::SHAPE, poll.span(), message, Some(help.to_owned()));
        }
        let place = |place: &Option<Located<config::Pointer>>| place.as_ref().map(|p| p.0.clone());
        let words = |words: &Option<Located<Vec<String>>>| words.as_deref().cloned();
        Some(Poll {
            status: place(&poll.status),
            done: words(&poll.done),
            failed: words(&poll.failed),
            every: poll.every.0,
            at: place(&poll.at),
            result: place(&poll.result),
            result_at: place(&poll.result_at),
            hides_state: false,
        })
    }

    /// The shape of answers. An expression that is none was reported where the parts were read.
    fn answers(&self) -> AnswerShape {
        let Some(shape) = &self.entry.shape else { return AnswerShape::default() };
        let select = shape.select.as_ref().and_then(|text| Selector::parse(text).ok());
        AnswerShape {
            select,
            rows: shape.rows.as_deref().copied(),
            bytes: shape.bytes.as_ref().map(|size| size.0),
        }
    }

    /// The tool of an operation that there is nothing to compare with. Where what was
    /// accepted is lost, nobody knows whether it changed.
    fn take(&mut self, parts: &Parts, operation: &Arc<Operation>) -> Option<Made> {
        let tool = self.made(parts, operation)?;
        let mut quarantined = false;
        if let Standing::Changed(None) = self.standing {
            quarantined = self.changed(parts, stale::unknown());
        }
        Some(Made { tool, operation: Arc::clone(operation), quarantined })
    }

    fn made(&mut self, parts: &Parts, operation: &Arc<Operation>) -> Option<Tool> {
        match self.make(parts, operation) {
            Ok((tool, warnings)) => {
                for warning in warnings {
                    let (name, place) = (&parts.name, &warning.pointer);
                    let message = format!("`{name}` at {place}: {}", warning.message);
                    self.warn(codes::READING, self.entry.operation.span(), message);
                }
                Some(tool)
            }
            Err(errors) => {
                for error in errors {
                    self.rule_error(&parts.rules, &error);
                }
                None
            }
        }
    }

    /// The tool of an operation whose description changed: the new one where it is the same
    /// tool, else the accepted one, whose calls are refused.
    fn compare(
        &mut self,
        parts: &Parts,
        accepted: &Arc<Operation>,
        current: Result<&Arc<Operation>, NotFound>,
    ) -> Option<Made> {
        if self.api.stale == Stale::Warn {
            return self.follow(parts, accepted, current);
        }
        let old = self.made(parts, accepted)?;
        let changes = match &current {
            Ok(current) => match self.make(parts, current) {
                Ok((new, _)) => {
                    let changes = tools::changes(&old, &new);
                    if changes.is_empty() {
                        self.note(parts, Vec::new());
                        let operation = Arc::clone(current);
                        return Some(Made { tool: new, operation, quarantined: false });
                    }
                    changes
                }
                Err(errors) => errors.iter().flat_map(|e| stale::lost(&e.to_string())).collect(),
            },
            Err(not_found) => stale::lost(&gone(not_found)),
        };
        let quarantined = self.changed(parts, changes);
        Some(Made { tool: old, operation: Arc::clone(accepted), quarantined })
    }

    /// `stale = "warn"`: the tool changes with its description.
    fn follow(
        &mut self,
        parts: &Parts,
        accepted: &Arc<Operation>,
        current: Result<&Arc<Operation>, NotFound>,
    ) -> Option<Made> {
        let current = match current {
            Ok(current) => current,
            Err(not_found) => {
                self.no_operation(&not_found);
                return None;
            }
        };
        let tool = self.made(parts, current)?;
        match self.make(parts, accepted) {
            Ok((old, _)) => {
                let changes = tools::changes(&old, &tool);
                if changes.is_empty() {
                    self.note(parts, changes);
                } else {
                    self.changed(parts, changes);
                }
            }
            // The rules were written for the new one.
            Err(errors) => {
                self.changed(
                    parts,
                    errors.iter().flat_map(|e| stale::lost(&e.to_string())).collect(),
                );
            }
        }
        Some(Made { tool, operation: Arc::clone(current), quarantined: false })
    }

    /// Reports a tool that changed; whether that quarantines it.
    fn changed(&mut self, parts: &Parts, changes: Vec<Change>) -> bool {
        let quarantined = self.api.stale == Stale::Quarantine;
        let diagnostic =
            stale::diagnostic(self.config, self.entry, &parts.name, &changes, quarantined);
        self.found.push(diagnostic);
        self.note(parts, changes);
        quarantined
    }

    fn note(&mut self, parts: &Parts, changes: Vec<Change>) {
        self.compared.push(Compared {
            api: (*self.entry.api).clone(),
            tool: parts.name.clone(),
            operation: (*self.entry.operation).clone(),
            changes,
        });
    }

    /// A `UsernameToken` goes into SOAP messages, and into no others.
    fn check_message_security(&mut self, operation: &Operation) {
        let by_identity = self.api.by_identity.iter().map(|(_, auth)| auth);
        for auth in self.api.auth.iter().chain(by_identity) {
            if let Some(enclosure) = enclosure::security_of(auth)
                && let Err(error) = operation.binding.check(&enclosure)
                && !self.found.has(codes::CREDENTIAL, &auth.span())
            {
                let help = "use another kind of credential: `api_key`, `basic` or `bearer`";
                let message = format!("`wsse` cannot be sent: expected {}", error.expected);
                self.error(codes::CREDENTIAL, auth.span(), message, Some(help.to_owned()));
            }
        }
    }

    /// What every token must allow, and what this tool asks for besides.
    fn scopes(&self) -> Vec<String> {
        let auth = self.config.server.auth.as_ref();
        let mut scopes: Vec<String> = Vec::new();
        for scope in auth.iter().flat_map(|auth| &auth.scopes).chain(&self.entry.scopes) {
            let scope = scope.to_string();
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        scopes
    }

    fn rules(&self, tool: ToolName) -> Rules {
        let entry = self.entry;
        let list = |selectors: &[Located<config::Selector>]| {
            selectors.iter().map(|selector| who(selector)).collect::<Vec<_>>()
        };
        Rules {
            tool,
            api: (*entry.api).clone(),
            allow: entry.allow.as_deref().map(list),
            deny: list(&entry.deny),
            hold: entry.hold.as_ref().map(|hold| HoldRule {
                who: list(&hold.identities),
                expires: hold.expires.0,
                asks_operator: hold.asks(Ask::Operator),
                asks_client: hold.asks(Ask::Client),
                wait: hold.wait.as_ref().map(|wait| wait.0),
                four_eyes: hold.wants_four_eyes().then(|| four_eyes(self.config)),
            }),
            people: four_eyes(self.config),
            when: entry.when.as_ref().and_then(|when| self.when(when)),
            window: entry.calls.as_ref().map(|calls| WindowRule {
                limit: calls.limit.get(),
                per: calls.per.0,
                by: by(calls.by),
            }),
        }
    }

    fn loops(&self) -> Option<LoopRule> {
        let rule = self.entry.loops.as_ref().or(self.config.safety.loops.as_ref())?;
        Some(LoopRule { limit: rule.limit.get(), per: rule.per.0 })
    }

    /// A window without a zone was refused when the file was loaded.
    fn when(&self, when: &config::When) -> Option<When> {
        let zone = when.zone.as_ref().or(self.config.safety.zone.as_ref())?;
        let hours = when.hours.as_deref().map(|hours| Hours { from: hours.from, to: hours.to });
        Some(When {
            days: Days(when.days.as_deref().map_or([true; 7], |days| days.0)),
            hours: hours.unwrap_or(Hours { from: 0, to: 24 * 60 }),
            zone: zone.0.clone(),
        })
    }

    /// The limits of the tool's own.
    fn gate(&self) -> Option<Arc<Gate>> {
        let (rate, concurrency) = (&self.entry.rate_limit, &self.entry.max_concurrency);
        let limits = limits(rate.as_ref(), concurrency.as_ref(), None);
        (limits != Limits::default()).then(|| Arc::new(Gate::new(limits)))
    }

    /// The groups whose limits hold for the tool, in an order that is the same for all: who has a
    /// place in one and waits for another never waits for somebody who does it the other way round.
    fn groups(&self, limits: &BTreeMap<String, Arc<Gate>>) -> Vec<Arc<Gate>> {
        let own = self.entry.limit_group.iter().chain(&self.api.limit_group);
        let names: BTreeSet<&str> = own.map(|name| name.as_str()).collect();
        names.into_iter().filter_map(|name| limits.get(name).cloned()).collect()
    }

    fn terms(&mut self) -> Option<Terms> {
        let Some(price) = &self.entry.price else { return Some(Terms::Free) };
        // That both are there was checked when the file was loaded.
        let settlement = self.config.settlement.as_ref()?;
        let asset = settlement.assets.get(&price.asset)?;
        let pay_to = PayTo {
            address: (*settlement.pay_to).clone(),
            network: (*settlement.network).clone(),
            symbol: price.asset.clone(),
            asset: (**asset).clone(),
        };
        match Price::new(price.amount.as_str(), &pay_to) {
            Ok(price) => Some(Terms::Priced(price)),
            Err(error) => {
                self.error(codes::PRICE, price.span(), error.to_string(), None);
                None
            }
        }
    }
}

/// Who is the same person as whom.
fn four_eyes(config: &Config) -> Arc<FourEyes> {
    let operators = config.approvals.operators.iter().map(|(operator, identities)| {
        (operator.as_str(), identities.iter().map(|identity| identity.as_str()).collect())
    });
    Arc::new(FourEyes::new(operators))
}

/// Why an operation is not there any more, in words.
fn gone(not_found: &NotFound) -> String {
    match not_found {
        NotFound::Skipped { pointer, reason } => {
            format!("the operation cannot be called any more: {reason} (at {pointer})")
        }
        NotFound::Unknown { .. } => "the description no longer has the operation".to_owned(),
    }
}

/// For whom together something is counted.
pub(super) fn by(by: config::CountedBy) -> By {
    match by {
        config::CountedBy::Identity => By::Identity,
        config::CountedBy::Group => By::Group,
        config::CountedBy::Tool => By::Tool,
        config::CountedBy::All => By::All,
    }
}

/// An argument's place, in the words of `tools`.
pub(super) fn pointer(path: &config::ArgumentPath) -> Result<ArgumentPointer, String> {
    let pointer = match path.name() {
        Some(name) => ArgumentPointer::parse(name),
        None => ArgumentPointer::parse(&path.to_string()),
    };
    pointer.map_err(|error| error.to_string())
}

/// The file's rules for one argument, in the words of `tools`.
fn rule(path: &config::ArgumentPath, argument: &config::Argument) -> Result<ArgumentRule, String> {
    let mut rule = ArgumentRule::new(pointer(path)?);
    rule.min = argument.min.as_ref().map(|min| min.as_str().to_owned());
    rule.max = argument.max.as_ref().map(|max| max.as_str().to_owned());
    rule.enum_ =
        argument.one_of.as_ref().map(|values| values.iter().map(|v| v.0.clone()).collect());
    rule.pattern = argument.pattern.as_ref().map(|pattern| pattern.0.clone());
    rule.max_length = argument.max_length.as_ref().map(|length| u64::from(**length));
    rule.required = argument.required.as_deref().copied();
    rule.hide = argument.hide.as_deref().copied().unwrap_or(false);
    rule.fixed = argument.fixed.as_ref().map(|value| value.0.clone());
    rule.default = argument.default.as_ref().map(|value| value.0.clone());
    rule.rename = argument.rename.as_ref().map(|name| (**name).clone());
    rule.description = argument.description.as_ref().map(|text| (**text).clone());
    Ok(rule)
}
