//! The APIs of a configuration: their descriptions read, their upstreams made.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderName;
use tollbridge_operation::{ApiName, Operation, Wanted};
use url::Url;

use super::enclosure;
use super::secrets::Resolved;
use super::stale::{self, Standing};
use super::tokens::{BY_IDENTITY, Tokens};
use crate::bridge::{
    self, ApiKeyAt, BreakerRules, Credential, Credentials, ErrorRule, LimitHeaders, Limits,
    LimitsRead, Provenance, Rate, Recovery, Redirects, Session, TokenSource, Traffic, Uploads,
    Upstream, UpstreamConfig,
};
use crate::catalog::{self, Allowed, Catalog, Origin};
use crate::config::{
    self, Api, Auth, Config, Diagnostic, Diagnostics, HeaderText, Located, ReferenceTo, codes,
};
use crate::secret::Redactor;
use crate::tools::answer::Selector;

/// How many of a description's own mistakes are shown.
const MAX_WARNINGS: usize = 10;

/// How much of the descriptions is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// All, so that everything that is wrong in them is told.
    Whole,
    /// The operations that the configuration names.
    Exposed,
}

/// Reads every API's description into the catalog; those that could be read, and how they
/// stand to what was accepted.
pub(super) fn read(
    config: &Config,
    reach: Reach,
    catalog: &mut Catalog,
    sources: &mut Vec<PathBuf>,
    found: &mut Diagnostics,
) -> HashMap<ApiName, Standing> {
    let mut described = HashMap::new();
    for (name, api) in config.apis.iter() {
        let mut origin = origin(config, api);
        origin.wanted = Some(wanted(config, name, reach));
        // Watched also where they cannot be read: they may be mended there.
        sources.push(origin.file.clone());
        sources.extend(origin.overlays.iter().cloned());
        let read = match catalog.add(name, &origin) {
            Ok(read) => read,
            Err(error) => {
                found.push(
                    Diagnostic::error(codes::DESCRIPTION, &config.file, error.to_string())
                        .at(api.spec.span())
                        .label("the description of this API")
                        .help("`spec` is a file, relative to this one; `tollbridge import URL` keeps a copy of one that is served"),
                );
                continue;
            }
        };
        if let Some(files) = &api.files
            && !config.dir.join(&**files).is_dir()
        {
            let message = format!("`files` of `{name}` names no folder");
            found.push(
                Diagnostic::error(codes::UPSTREAM, &config.file, message)
                    .at(files.span())
                    .help("make the folder, or name another one; it is relative to this file"),
            );
        }
        if let Some(rule) = &api.error_when
            && let Err(error) = Selector::parse(rule)
        {
            found.push(
                Diagnostic::error(codes::SHAPE, &config.file, format!("`error_when`: {error}"))
                    .at(rule.span()),
            );
        }
        let standing = stale::standing(config, name, api, &origin, read, sources, found);
        for warning in read.warnings.iter().take(MAX_WARNINGS) {
            found.push(Diagnostic::warning(
                codes::READING,
                &config.file,
                format!("{name} at {}: {}", warning.pointer, warning.message),
            ));
        }
        if let Some(more) = read.warnings.len().checked_sub(MAX_WARNINGS + 1) {
            found.push(Diagnostic::warning(
                codes::READING,
                &config.file,
                format!("{name}: {} more mistakes in the description were read over", more + 1),
            ));
        }
        described.insert((**name).clone(), standing);
    }
    sources.extend(catalog.files().iter().cloned());
    described
}

/// The limits of a group.
pub(super) fn limits_of(group: &config::LimitGroup) -> Limits {
    let (rate, concurrency) = (group.rate_limit.as_ref(), group.max_concurrency.as_ref());
    limits(rate, concurrency, group.max_queue.as_ref())
}

/// The limits that the file declares of an API or a tool.
pub(super) fn limits(
    rate: Option<&Located<config::Rate>>,
    concurrency: Option<&Located<NonZeroU32>>,
    queue: Option<&Located<NonZeroU32>>,
) -> Limits {
    Limits {
        rate: rate.map(|rate| Rate { limit: rate.limit, per: rate.per }),
        concurrency: concurrency.map(|most| most.get()),
        queue: queue.map(|most| most.get()),
    }
}

/// When the API's hosts are given up, where it is not as usual.
fn breaker(api: &Api) -> BreakerRules {
    let usual = BreakerRules::default();
    let Some(rules) = &api.breaker else { return usual };
    BreakerRules {
        failures: rules.failures.as_ref().map_or(usual.failures, |failures| failures.get()),
        of_thousand: rules.of_thousand().unwrap_or(usual.of_thousand),
        window: rules.window.as_ref().map_or(usual.window, |window| window.0),
        open: rules.open.as_ref().map_or(usual.open, |open| open.0),
    }
}

/// Whether operations of the API may be found that the configuration does not name.
pub(super) fn may_be_found(config: &Config, api: &Api) -> bool {
    config.server.discovery && !api.discover.is_empty()
}

/// The operations that the configuration names.
fn wanted(config: &Config, name: &ApiName, reach: Reach) -> Wanted {
    let tools = config.tools.iter().filter(|tool| *tool.api == *name);
    let own = tools.map(|tool| (*tool.operation).clone());
    let standing_in = config.tools.iter().flat_map(|tool| {
        let of_here = tool
            .fallback
            .iter()
            .filter(|fallback| *name == **fallback.api.as_ref().unwrap_or(&tool.api));
        of_here.filter_map(|fallback| fallback.operation.as_ref().map(|key| (**key).clone()))
    });
    let api = config.apis.get(name);
    let logins = api.into_iter().flat_map(Api::auths).filter_map(|auth| match &**auth {
        Auth::Session(session) => Some((*session.login).clone()),
        _ => None,
    });
    let named = own.chain(standing_in).chain(logins).collect();
    let all = api.is_some_and(|api| may_be_found(config, api));
    Wanted { named, only: reach == Reach::Exposed && !all }
}

/// Where an API's description comes from, by the configuration.
pub fn origin(config: &Config, api: &Api) -> Origin {
    let references = api.references.iter().map(|reference| match &**reference {
        ReferenceTo::Url(url) => Allowed::Url(url.clone()),
        ReferenceTo::Path(path) => Allowed::Path(config.dir.join(path)),
    });
    Origin {
        file: config.dir.join(&**api.spec),
        url: api.source.as_ref().map(|source| source.as_url().clone()),
        references: references.collect(),
        overlays: api.overlays.iter().map(|overlay| config.dir.join(&**overlay)).collect(),
        variables: api
            .variables
            .iter()
            .map(|(name, value)| ((**name).clone(), (**value).clone()))
            .collect(),
        takes_paths: api.files.is_some(),
        wanted: None,
    }
}

/// The upstreams of all APIs. Operations of one API at one address share one, and with it
/// its connections.
pub(super) struct Upstreams<'a> {
    config: &'a Config,
    pub(super) secrets: &'a Resolved,
    pub(super) redactor: &'a Arc<Redactor>,
    pub(super) catalog: &'a Catalog,
    pub(super) tokens: Tokens<'a>,
    /// The sessions of each API, under `credentials` by security scheme.
    pub(super) sessions: HashMap<(ApiName, Option<String>), Arc<Session>>,
    made: HashMap<(ApiName, String), Option<Arc<Upstream>>>,
    /// What the upstreams of one API have in common.
    traffic: HashMap<ApiName, Arc<Traffic>>,
    /// Whether the `auth` of each API is one that its description asks for.
    provenance: HashMap<ApiName, Provenance>,
}

impl<'a> Upstreams<'a> {
    pub(super) fn new(
        config: &'a Config,
        catalog: &'a Catalog,
        secrets: &'a Resolved,
        redactor: &'a Arc<Redactor>,
    ) -> Self {
        let tokens = Tokens::new(secrets, redactor);
        let sessions = HashMap::new();
        let (made, traffic, provenance) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { config, secrets, redactor, catalog, tokens, sessions, made, traffic, provenance }
    }

    /// Where an operation's calls go; `None` was reported.
    pub(super) fn of(
        &mut self,
        name: &ApiName,
        api: &Api,
        operation: &Operation,
        found: &mut Diagnostics,
    ) -> Option<Arc<Upstream>> {
        let base = self.base(name, api, operation, found)?;
        let key = (name.clone(), base.to_string());
        if let Some(made) = self.made.get(&key) {
            let made = made.clone();
            self.tokens.need(operation);
            return made;
        }
        let made = self.upstream(name, api, base);
        self.tokens.need(operation);
        let made = match made {
            Ok(upstream) => Some(Arc::new(upstream)),
            Err(error) => {
                found.push(
                    Diagnostic::error(codes::UPSTREAM, &self.config.file, error.to_string())
                        .at(api.spec.span()),
                );
                None
            }
        };
        self.made.insert(key, made.clone());
        made
    }

    /// The security schemes for which an operation of the API lacks a credential.
    pub(super) fn missing(
        &mut self,
        api: &catalog::Api,
        upstream: &Upstream,
        operation: &Operation,
    ) -> Vec<String> {
        let known = self.provenance.entry(operation.id.api.clone());
        let provenance = *known.or_insert_with(|| upstream.provenance(api.asked.iter()));
        upstream.missing_credentials(operation, provenance)
    }

    /// `base_url`, or the description's server where the configuration names its host: no
    /// host is contacted that does not stand in the file.
    fn base(
        &self,
        name: &ApiName,
        api: &Api,
        operation: &Operation,
        found: &mut Diagnostics,
    ) -> Option<Url> {
        if let Some(base) = &api.base_url {
            return Some(base.as_url().clone());
        }
        let server = operation.servers.iter().find_map(|server| Url::parse(server).ok());
        let Some(server) = server else {
            if !found.has(codes::NO_SERVER, &api.spec.span()) {
                found.push(
                    Diagnostic::error(
                        codes::NO_SERVER,
                        &self.config.file,
                        format!("neither the description nor this file says where `{name}` is"),
                    )
                    .at(api.spec.span())
                    .help("set base_url = \"https://…\" for this API"),
                );
            }
            return None;
        };
        let host = server.host_str().unwrap_or_default();
        let named = api.hosts.iter().any(|named| {
            named.host.eq_ignore_ascii_case(host)
                && named.port.is_none_or(|port| Some(port) == server.port_or_known_default())
        });
        if named {
            return Some(server);
        }
        if !found.has(codes::BLOCKED_HOST, &api.spec.span()) {
            found.push(
                Diagnostic::error(
                    codes::BLOCKED_HOST,
                    &self.config.file,
                    format!("the description says that `{name}` is at {host}, which this file does not name"),
                )
                .at(api.spec.span())
                .help(format!("set base_url = \"{server}\", or add \"{host}\" to hosts")),
            );
        }
        None
    }

    /// How the API is treated where it limits and fails. What is wrong with an expression was
    /// reported where it was read.
    fn recovery(&mut self, name: &ApiName, api: &Api) -> Recovery {
        let header = |name: &Located<String>| HeaderName::try_from(name.as_str()).ok();
        let (rate, concurrency) = (api.rate_limit.as_ref(), api.max_concurrency.as_ref());
        let limits = limits(rate, concurrency, api.max_queue.as_ref());
        let traffic = self.traffic.entry(name.clone()).or_insert_with(|| {
            let mut traffic = Traffic::new(limits).with_breaker(breaker(api));
            if let Some(size) = &api.cache_size {
                traffic = traffic.with_cache(usize::try_from(size.0).unwrap_or(usize::MAX));
            }
            Arc::new(traffic)
        });
        let rule = api.error_when.as_ref().and_then(|text| Selector::parse(text).ok());
        Recovery {
            fallback_urls: api.fallback_urls.iter().map(|url| url.as_url().clone()).collect(),
            one_state: api.fallback_writes,
            idempotency_key: api.idempotency_key.as_ref().and_then(header),
            error_when: rule.map(|rule| ErrorRule::new(move |value| rule.holds(value))),
            limits_read: match &api.rate_limit_headers {
                None => LimitsRead::Usual,
                Some(headers) => {
                    let name = |name: &Option<Located<String>>| name.as_ref().and_then(header);
                    match (name(&headers.remaining), name(&headers.reset)) {
                        (Some(remaining), Some(reset)) => LimitsRead::Named(LimitHeaders {
                            limit: name(&headers.limit),
                            remaining,
                            reset,
                        }),
                        _ => LimitsRead::Ignored,
                    }
                }
            },
            slow: api.breaker.as_ref().and_then(|rules| rules.slow.as_ref()).map(|slow| slow.0),
            traffic: Arc::clone(traffic),
        }
    }

    /// The sources of tokens, those of APIs without tools too: a person may log in first.
    pub(super) fn sources(&mut self, found: &mut Diagnostics) -> Vec<Arc<TokenSource>> {
        for (name, api) in self.config.apis.iter() {
            let by_scheme =
                api.credentials.iter().map(|(scheme, auth)| (Some((**scheme).clone()), auth));
            let by_identity = api.by_identity.iter().map(|(identity, auth)| {
                (Some(format!("{BY_IDENTITY}{}", identity.as_str())), auth)
            });
            let all = api.auth.iter().map(|auth| (None, auth)).chain(by_scheme).chain(by_identity);
            for (scheme, auth) in all {
                let Auth::Oauth2(oauth) = &**auth else { continue };
                let scheme = scheme.as_deref();
                if let Err(reason) = self.tokens.source(name, scheme, api, oauth)
                    && !found.has(codes::UPSTREAM, &auth.span())
                {
                    let message = format!("the credential of `{name}` cannot be used: {reason}");
                    let diagnostic = Diagnostic::error(codes::UPSTREAM, &self.config.file, message);
                    found.push(diagnostic.at(auth.span()));
                }
            }
        }
        self.tokens.sources()
    }

    /// Reports what is odd about the upstreams' credentials, once all tools are known.
    pub(super) fn check(&self, found: &mut Diagnostics) {
        self.tokens.check(self.config, found);
    }

    fn upstream(
        &mut self,
        name: &ApiName,
        api: &Api,
        base_url: Url,
    ) -> Result<Upstream, bridge::UpstreamError> {
        let by_identity = || api.by_identity.iter();
        let credentials = match &api.auth {
            others if by_identity().next().is_some() => {
                let own = by_identity()
                    .map(|(identity, auth)| {
                        let scheme = format!("{BY_IDENTITY}{}", identity.as_str());
                        let credential = self.credential(name, Some(&scheme), api, auth)?;
                        Ok((identity.as_str().to_owned(), credential))
                    })
                    .collect::<Result<_, bridge::UpstreamError>>()?;
                let others = others.as_ref().map(|auth| self.credential(name, None, api, auth));
                Credentials::ByIdentity { own, others: others.transpose()? }
            }
            Some(auth) => Credentials::ForAll(self.credential(name, None, api, auth)?),
            None if api.credentials.is_empty() => Credentials::None,
            None => Credentials::ByScheme(
                api.credentials
                    .iter()
                    .map(|(scheme, auth)| {
                        let credential = self.credential(name, Some(scheme), api, auth)?;
                        Ok(((**scheme).clone(), credential))
                    })
                    .collect::<Result<_, bridge::UpstreamError>>()?,
            ),
        };
        let headers = api
            .headers
            .iter()
            .filter_map(|(header, text)| {
                // The configuration was checked: a name that is none was reported there.
                let header = HeaderName::try_from(header.as_str()).ok()?;
                let text = match &**text {
                    HeaderText::Fixed(text) => bridge::HeaderText::Plain(text.clone()),
                    HeaderText::Secret(reference) => {
                        bridge::HeaderText::Secret(self.secrets.get(reference))
                    }
                };
                Some((header, text))
            })
            .collect();
        let recovery = self.recovery(name, api);
        let config = UpstreamConfig {
            recovery,
            api: name.clone(),
            base_url,
            hosts: api.hosts.iter().map(ToString::to_string).collect(),
            credentials,
            headers,
            enclosure: enclosure::of(api, self.secrets),
            timeout: api.timeout(),
            attempt_timeout: api.attempt_timeout(),
            redirects: match api.redirects {
                config::Redirects::Refuse => Redirects::Refuse,
                config::Redirects::Follow => Redirects::Follow,
            },
            max_response: api.max_response(),
            traced: api.trace_context.as_deref().copied().unwrap_or(true),
            resolver: api.resolver.as_ref().and_then(|resolver| resolver.server()),
            proxy: self.secrets.proxy(api),
            uploads: api.files.as_ref().map(|files| Uploads {
                folder: self.config.dir.join(&**files),
                max: api.max_upload(),
            }),
            tls: api.tls.as_ref().map(|tls| self.secrets.tls(tls)).unwrap_or_default(),
        };
        Upstream::new(config, Arc::clone(self.redactor))
    }

    fn credential(
        &mut self,
        name: &ApiName,
        scheme: Option<&str>,
        api: &Api,
        auth: &Auth,
    ) -> Result<Credential, bridge::UpstreamError> {
        Ok(match auth {
            Auth::Oauth2(oauth) => {
                let source = self.tokens.source(name, scheme, api, oauth);
                let unusable =
                    |reason| bridge::UpstreamError::Credential { api: name.clone(), reason };
                Credential::OAuth(source.map_err(unusable)?)
            }
            Auth::Sigv4(_) | Auth::Signature(_) => Credential::Signed(self.signer(name, auth)?),
            Auth::Session(session) => Credential::Session(self.session(name, scheme, session)?),
            Auth::ApiKey { place, name, value } => Credential::ApiKey {
                at: place
                    .zip(name.as_ref())
                    .map(|(place, name)| ApiKeyAt { place, name: (**name).clone() }),
                value: self.secrets.get(value),
            },
            Auth::Basic { username, password } => Credential::Basic {
                username: self.secrets.text(username),
                password: self.secrets.get(password),
            },
            Auth::Bearer { token } => Credential::Bearer { token: self.secrets.get(token) },
            Auth::Wsse { username, password, digest, timestamp, must_understand } => {
                Credential::Wsse {
                    username: self.secrets.text(username),
                    password: self.secrets.get(password),
                    digest: *digest,
                    timestamp: timestamp.as_ref().map(|valid| valid.0),
                    must_understand: must_understand.unwrap_or(true),
                }
            }
            Auth::Digest { username, password } => Credential::Digest(Arc::new(
                bridge::Digest::new(self.secrets.text(username), self.secrets.get(password)),
            )),
        })
    }
}
