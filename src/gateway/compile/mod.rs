//! A configuration and the descriptions that it names, compiled into a toolbox.
//!
//! Everything that can be wrong is found here, all of it at once, and reported at its place
//! in `tools.toml`: an operation that is not there, a limit on an argument that does not
//! exist, a secret that cannot be resolved. What compiles can be called.

mod apis;
mod budgets;
mod enclosure;
mod exposed;
mod inbound;
mod listening;
pub(super) mod policies;
mod protection;
mod secrets;
mod signed;
mod stale;
mod tokens;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tollbridge_operation::ApiName;

use super::discovery::{Discovery, Meta};
use super::load::Bounds;
use super::notices::Webhook;
use super::toolbox::{Exposed, Parts, ReadsWhenDown, Toolbox};
use crate::bridge::{self, Gate};
use crate::catalog::{self, Catalog};
use crate::config::{self, Config, Diagnostic, Diagnostics, codes};
use crate::identity::Groups;
use crate::safety::{DriftRule, StormRule, Who};
use crate::secret::Secret;
use crate::settlement::Facilitator;
use crate::store::Durability;

use apis::Reach;
pub use apis::origin;
use exposed::Ground;
use protection::Protections;
pub use secrets::Secrets;
pub use stale::Compared;

/// A compiled configuration.
#[derive(Debug)]
pub struct Compiled {
    /// What a gateway runs on.
    pub toolbox: Toolbox,
    /// The descriptions that were read.
    pub catalog: Catalog,
    /// What is not wrong but should be looked at.
    pub warnings: Diagnostics,
    /// The tools of the APIs whose descriptions are not the accepted ones.
    pub compared: Vec<Compared>,
    /// The files that it was made of, the configuration itself first.
    pub sources: Vec<PathBuf>,
}

/// Compares two versions of an API's description, as the tools that the configuration makes of
/// them. An error is one of the configuration against the old version.
pub(super) fn compare(
    config: &Config,
    api: &ApiName,
    old: catalog::Api,
    new: &catalog::Api,
) -> Result<Vec<Compared>, Diagnostics> {
    let mut found = Diagnostics::new();
    let compared = exposed::compare(config, api, old, new, &mut found);
    if found.has_errors() { Err(found) } else { Ok(compared) }
}

/// Reads the descriptions that a configuration names, and compiles it. Contacts nobody.
pub fn compile(config: &Config, secrets: Secrets) -> Result<Compiled, Diagnostics> {
    compile_within(config, secrets, Reach::Whole)
}

/// The same without what is in the descriptions beside the operations that the configuration
/// names: the toolbox is the same one, and there is less to warn of.
pub(super) fn compile_exposed(config: &Config, secrets: Secrets) -> Result<Compiled, Diagnostics> {
    compile_within(config, secrets, Reach::Exposed)
}

fn compile_within(
    config: &Config,
    secrets: Secrets,
    reach: Reach,
) -> Result<Compiled, Diagnostics> {
    let mut catalog = Catalog::default();
    let mut found = Diagnostics::new();
    let mut sources = vec![config.path.clone()];
    let resolved = secrets::resolve(config, secrets, &mut found);
    sources.extend(resolved.files(config));
    let described = apis::read(config, reach, &mut catalog, &mut sources, &mut found);
    for (name, api) in config.apis.iter() {
        if let Some(read) = catalog.api(name) {
            enclosure::check(config, api, read, &resolved, &mut found);
        }
    }
    let redactor = Arc::new(resolved.redactor());
    let mut upstreams = apis::Upstreams::new(config, &catalog, &resolved, &redactor);
    let protections = Protections::new(config, &resolved, Arc::clone(&redactor));
    let limits: BTreeMap<String, Arc<Gate>> = config
        .limit_groups
        .iter()
        .map(|(name, group)| ((**name).clone(), Arc::new(Gate::new(apis::limits_of(group)))))
        .collect();
    let ground = Ground {
        config,
        catalog: &catalog,
        described: &described,
        limits: &limits,
        protections: &protections,
    };
    let exposed::Compiled { exposed, listed, findable, compared } =
        exposed::compile(ground, &mut upstreams, &mut found);
    // Of tools that are missing, what is said of them is no mistake of the policies.
    let policies = if found.has_errors() {
        None
    } else {
        policies::compile(config, &exposed, findable.as_ref(), &mut sources, &mut found)
    };
    let discovery = findable.and_then(|findable| discovery(config, findable, &exposed, &mut found));
    upstreams.check(&mut found);
    let tokens = upstreams.sources(&mut found);
    let sessions = upstreams.sessions();
    let token_key = token_key(config, &resolved, &mut found);
    let tokens_of_callers = inbound::tokens(config, &resolved, &mut found);
    let tls = listening::tls(config, &resolved, &mut found);
    let facilitator = facilitator(config, &mut found);
    let webhook = webhook(config, &resolved, &mut found);
    if found.has_errors() {
        return Err(found);
    }
    let groups: BTreeMap<String, Vec<String>> = config
        .groups
        .iter()
        .map(|(name, members)| {
            ((**name).clone(), members.iter().map(|member| member.as_str().to_owned()).collect())
        })
        .collect();
    let toolbox = Toolbox::new(Parts {
        config: config.digest.clone(),
        name: config.server.name.clone(),
        groups: Groups::new(&groups),
        redactor,
        trail: protections.trail(),
        facilitator,
        webhook,
        secrets: resolved.digest(),
        sources: tokens,
        sessions,
        token_key,
        tokens: tokens_of_callers,
        tls,
        reads_when_down: match config.audit.reads_when_down {
            config::ReadsWhenDown::Deny => ReadsWhenDown::Deny,
            config::ReadsWhenDown::Allow => ReadsWhenDown::Allow,
        },
        bounds: bounds(config),
        drift: config
            .safety
            .drift
            .as_ref()
            .map(|drift| DriftRule { limit: drift.limit.get(), per: drift.per.0 }),
        storm: config.safety.errors.as_ref().map(|errors| StormRule {
            limit: errors.limit.get(),
            per: errors.per.0,
            pause: errors.pause.as_ref().map(|pause| pause.0),
        }),
        limits,
        policies,
        exposed,
        listed,
        discovery,
    });
    Ok(Compiled { toolbox, catalog, warnings: found, compared, sources })
}

/// What agents find operations by.
fn discovery(
    config: &Config,
    findable: exposed::Findable,
    exposed: &[Exposed],
    found: &mut Diagnostics,
) -> Option<Discovery> {
    let tools = match Meta::tools() {
        Ok(tools) => tools,
        Err(reason) => {
            // A defect of ours.
            found.push(Diagnostic::error(codes::DISCOVERY, &config.file, reason));
            return None;
        }
    };
    for tool in config.tools.iter().filter_map(|tool| tool.name.as_ref()) {
        if Meta::named(tool.as_str()).is_some() {
            let message = format!("`{tool}` is a tool of discovery's own");
            let diagnostic = Diagnostic::error(codes::DUPLICATE_TOOL, &config.file, message);
            found.push(diagnostic.at(tool.span()).label("give it another name"));
        }
    }
    Some(Discovery::new(&findable.titles, findable.places, exposed, tools))
}

/// With what kept tokens are sealed, where the configuration says.
fn token_key(
    config: &Config,
    resolved: &secrets::Resolved,
    found: &mut Diagnostics,
) -> Option<Secret> {
    let reference = config.server.token_key.as_ref()?;
    let key = resolved.get(reference);
    if resolved.are_real() && !key.expose().is_empty() && key.expose().len() < LEAST_KEY {
        let message = format!("`token_key` is shorter than {LEAST_KEY} characters");
        found.push(
            Diagnostic::error(codes::SECRET, &config.file, message)
                .at(reference.span())
                .help("`openssl rand -base64 32` makes one that nobody can guess"),
        );
    }
    Some(key)
}

/// The shortest key that can be one: 32 characters hold 128 bits even in hex.
const LEAST_KEY: usize = 32;

fn bounds(config: &Config) -> Bounds {
    let usual = Bounds::default();
    let calls = config.server.max_calls.as_ref();
    let calls = calls.and_then(|most| usize::try_from(most.get()).ok());
    let memory = config.server.max_memory.as_ref().map(|size| size.0);
    Bounds { calls: calls.unwrap_or(usual.calls), memory: memory.unwrap_or(usual.memory) }
}

fn facilitator(config: &Config, found: &mut Diagnostics) -> Option<Facilitator> {
    let settlement = config.settlement.as_ref()?;
    match bridge::http_client() {
        Ok(client) => Some(Facilitator::new(settlement.facilitator.as_url(), client)),
        Err(error) => {
            found.push(
                Diagnostic::error(codes::PRICE, &config.file, error)
                    .at(settlement.facilitator.span()),
            );
            None
        }
    }
}

/// Who is told of held calls.
fn webhook(
    config: &Config,
    resolved: &secrets::Resolved,
    found: &mut Diagnostics,
) -> Option<Webhook> {
    let webhook = config.approvals.webhook.as_ref()?;
    let pages = config.approvals.url.as_ref().map(|url| url.as_url().clone());
    match bridge::http_client() {
        Ok(client) => {
            let secret = resolved.get(&webhook.secret);
            Some(Webhook::new(webhook.url.as_url().clone(), &secret, pages, client))
        }
        Err(error) => {
            let diagnostic = Diagnostic::error(codes::SECRET, &config.file, error);
            found.push(diagnostic.at(webhook.url.span()));
            None
        }
    }
}

/// How durable the configuration wants its store.
pub fn durability(config: &Config) -> Durability {
    match config.audit.durability {
        config::Durability::Full => Durability::Full,
        config::Durability::Process => Durability::Process,
    }
}

/// The rule's word for whom it is about.
fn who(selector: &config::Selector) -> Who {
    match selector {
        config::Selector::Everyone => Who::Everyone,
        config::Selector::Group(name) => Who::Group(name.clone()),
        config::Selector::Identity(name) => Who::Identity(name.clone()),
    }
}
