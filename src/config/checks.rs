//! What a single key cannot say: names that must exist elsewhere in the file, values that
//! contradict each other, and what would be unsafe though it is well-formed.

mod tool;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use serde_json::Value;
use tollbridge_operation::ApiName;

use super::auth::Auth;
use super::budget::Terms as BudgetTerms;
use super::codes;
use super::diagnostic::{Diagnostic, Diagnostics, SourceFile};
use super::inbound::Wrong;
use super::load::Config;
use super::located::Located;
use super::model::{Api, Settlement, Tls};
use super::proxy::ProxyAuth;
use super::redact::How;
use super::signed::SessionAuth;
use super::values::{BaseUrl, HeaderText, Literal, Period};
use crate::secret::{SecretError, SecretRef};

/// Adds what is wrong to `found`.
pub(super) fn check(config: &Config, found: &mut Diagnostics) {
    let mut checks = Checks { config, file: &config.file, found };
    checks.server();
    checks.server_tls();
    checks.redact();
    checks.audit();
    checks.observe();
    if let Some(settlement) = &config.settlement {
        checks.settlement(settlement);
    }
    for (name, api) in config.apis.iter() {
        checks.api(name, api);
    }
    checks.discovery();
    checks.tool_names();
    for tool in &config.tools {
        checks.tool(tool);
    }
    let loops =
        config.safety.loops.iter().chain(config.tools.iter().filter_map(|t| t.loops.as_ref()));
    for rule in loops {
        checks.nonzero("per", Some(&rule.per));
    }
    if let Some(errors) = &config.safety.errors {
        checks.nonzero("per", Some(&errors.per));
        checks.nonzero("pause", errors.pause.as_ref());
    }
    checks.nonzero("per", config.safety.drift.as_ref().map(|drift| &drift.per));
    for (index, budget) in config.budgets.iter().enumerate() {
        checks.budget(budget.terms(), &budget.span());
        let before = config.budgets[..index].iter().filter(|one| one.is_about_the_same(budget));
        checks.counted_once(budget.terms(), before.map(|one| one.terms()));
        if let Some(api) = budget.api.as_ref().filter(|api| config.apis.get(api).is_none()) {
            let message = format!("there is no [api.{api}]");
            checks.error(codes::UNKNOWN_API, api.span(), message, "no such API");
        }
    }
}

struct Checks<'a> {
    config: &'a Config,
    file: &'a Arc<SourceFile>,
    found: &'a mut Diagnostics,
}

impl Checks<'_> {
    /// Who may find what, and whether anybody can.
    fn discovery(&mut self) {
        let config = self.config;
        let lists: Vec<_> = config.apis.iter().map(|(_, api)| &api.discover).collect();
        for selector in lists.iter().copied().flatten() {
            self.selector(selector);
        }
        let first = lists.into_iter().flatten().next();
        if let Some(first) = first.filter(|_| !config.server.discovery) {
            let message = "`discover` has no effect while discovery is off";
            self.found.push(
                Diagnostic::warning(codes::DISCOVERY, self.file, message)
                    .at(first.span())
                    .help("set discovery = true in [server]"),
            );
        }
    }

    fn error(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
    ) {
        self.found.push(Diagnostic::error(code, self.file, message).at(span).label(label));
    }

    fn warning(&mut self, span: Range<usize>, message: &str, label: &str) {
        let diagnostic = Diagnostic::warning(codes::UNPROTECTED, self.file, message);
        self.found.push(diagnostic.at(span).label(label));
    }

    fn server(&mut self) {
        if let Some(size) = self.config.server.max_memory.as_ref().filter(|size| size.0 < 1 << 20) {
            let message = "`max_memory` leaves no room for calls";
            self.error(codes::BOUNDS, size.span(), message, "expected at least 1MiB");
        }
        if let Some(auth) = &self.config.server.auth {
            if !auth.asks() {
                let label = "set `keys = true`, `jwt` or `introspection`, or remove the table";
                self.warning(auth.span(), "[server.auth] asks callers for nothing", label);
            }
            for Wrong { span, message, label } in auth.wrong() {
                self.error(codes::INBOUND, span, message, label);
            }
        }
    }

    fn server_tls(&mut self) {
        let Some(tls) = &self.config.server.tls else { return };
        let auth_asks = self.config.server.auth.as_ref().is_some_and(|auth| auth.asks());
        for Wrong { span, message, label } in tls.wrong(auth_asks) {
            self.error(codes::INBOUND, span, message, label);
        }
    }

    fn redact(&mut self) {
        let Config { redact, apis, tools, .. } = self.config;
        let own = apis.iter().map(|(_, api)| &api.redact).chain(tools.iter().map(|t| &t.redact));
        let all = redact.how.iter().chain(own.filter_map(|own| own.how.as_ref()));
        let hashed: Vec<_> = all.filter(|how| ***how == How::Hash).map(Located::span).collect();
        match &redact.key {
            None => {
                for span in hashed {
                    let message = "`how = \"hash\"` needs the `key` of [redact]";
                    let label = "a hash without a key can be guessed: key = \"env:…\"";
                    self.error(codes::BOUNDS, span, message, label);
                }
            }
            Some(key) if hashed.is_empty() => {
                self.warning(key.span(), "`key` of [redact] is not used", "set how = \"hash\"");
            }
            Some(_) => {}
        }
    }

    fn observe(&mut self) {
        let Some(otlp) = &self.config.observe.otlp else { return };
        for Wrong { span, message, label } in otlp.wrong() {
            self.error(codes::MALFORMED, span, message, label);
        }
        for (header, value) in otlp.headers.iter() {
            self.header(header, value);
        }
        let url = otlp.endpoint.as_url();
        let has_secret = otlp.headers.iter().any(|(_, v)| matches!(**v, HeaderText::Secret(_)));
        if url.scheme() == "http" && !is_loopback(url) && has_secret {
            self.warning(
                otlp.endpoint.span(),
                "credentials are sent over plain http",
                "whoever sees the traffic sees them",
            );
        }
    }

    fn audit(&mut self) {
        if let Some(keep) = &self.config.audit.keep {
            let least = Duration::from_hours(1);
            let short = |period: Option<Period>| period.is_some_and(|period| period.0 < least);
            if short(keep.payloads) || short(keep.calls) {
                let message = "`keep` is shorter than an hour";
                self.error(codes::EXPIRY, keep.span(), message, "calls must be told of first");
            }
            if keep.size.is_some_and(|size| size.0 < 1 << 20) {
                let message = "`keep` leaves no room";
                self.error(codes::BOUNDS, keep.span(), message, "expected a MiB at least");
            }
        }
        let Some(anchor) = &self.config.audit.anchor else { return };
        if !is_anchor_target(anchor) {
            let message = "`anchor` is neither a file nor an https URL";
            let label = "expected a path, or a URL such as \"https://anchors.example.com/acme\"";
            self.error(codes::MALFORMED, anchor.span(), message, label);
        }
    }

    fn settlement(&mut self, settlement: &Settlement) {
        let network = &settlement.network;
        if !is_chain_id(network) {
            let label = "expected a CAIP-2 name such as \"eip155:8453\"";
            self.error(codes::MALFORMED, network.span(), "`network` is malformed", label);
        }
        let url = settlement.facilitator.as_url();
        if url.scheme() == "http" && !is_loopback(url) {
            let message = "`facilitator` is not reached over https";
            let span = settlement.facilitator.span();
            self.error(codes::MALFORMED, span, message, "payments would travel in the open");
        }
        let addresses =
            settlement.assets.iter().map(|(_, address)| ("an asset's address", address));
        for (what, address) in addresses.chain([("`pay_to`", &settlement.pay_to)]) {
            let evm = network.starts_with("eip155:");
            let hex = |text: &str| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
            let fine = match address.strip_prefix("0x") {
                Some(digits) if evm => hex(digits),
                _ => !evm && !address.is_empty(),
            };
            if !fine {
                let label = "expected `0x` and 40 hex digits";
                let message = format!("{what} is malformed");
                self.error(codes::MALFORMED, address.span(), message, label);
            }
        }
    }

    fn tls(&mut self, api: &Api, tls: &Located<Tls>) {
        for (there, missing) in [(&tls.cert, ("key", &tls.key)), (&tls.key, ("cert", &tls.cert))] {
            if let (Some(there), (name, None)) = (there, missing) {
                let message = "a client's certificate and its key go together";
                self.error(codes::MISSING_KEY, there.span(), message, format!("needs `{name}`"));
            }
        }
        if let Some(base) = &api.base_url
            && base.as_url().scheme() == "http"
            && api.hosts.is_empty()
        {
            let message = "`tls` says how connections are protected, and there are none such";
            self.error(codes::MALFORMED, base.span(), message, "use https");
        }
    }

    fn api(&mut self, name: &Located<ApiName>, api: &Api) {
        if let (Some(auth), false) = (&api.auth, api.credentials.is_empty()) {
            self.error(
                codes::CREDENTIALS,
                auth.span(),
                format!("[api.{name}] has both `auth` and `credentials`"),
                "keep one of them",
            );
        }
        if !api.by_identity.is_empty()
            && let Some((_, auth)) = api.credentials.iter().next()
        {
            let message = format!("[api.{name}] has both `by_identity` and `credentials`");
            self.error(codes::CREDENTIALS, auth.span(), message, "keep one of them");
        }
        let whole = api.auth.iter().chain(api.by_identity.iter().map(|(_, auth)| auth));
        for auth in whole {
            let Auth::ApiKey { place, name, .. } = &**auth else { continue };
            for (key, given) in [("in", place.is_some()), ("name", name.is_some())] {
                if !given {
                    let message = format!("`{key}` is missing: `auth` knows no security scheme");
                    let label = format!("needs `{key}`");
                    self.error(codes::MISSING_KEY, auth.span(), message, label);
                }
            }
        }
        for auth in api.auths() {
            if let Auth::Basic { username, .. } = &**auth
                && matches!(&**username, HeaderText::Fixed(user) if user.contains(':'))
            {
                let message = "a user name cannot have a colon (RFC 7617 §2)";
                self.error(codes::MALFORMED, username.span(), message, "remove the colon");
            }
        }
        for auth in api.auths() {
            match &**auth {
                Auth::Wsse { timestamp, .. } => self.nonzero("timestamp", timestamp.as_ref()),
                Auth::Oauth2(oauth) => {
                    let has_certificate = api.tls.as_ref().is_some_and(|tls| tls.cert.is_some());
                    for wrong in oauth.wrong(&auth.span(), has_certificate) {
                        self.error(codes::TOKEN, wrong.span, wrong.message, wrong.label);
                    }
                }
                Auth::Signature(signature) => {
                    self.nonzero("expires", signature.expires.as_ref());
                    if let Some(wrong) = signature.wrong() {
                        let message = "the signature cannot be made";
                        self.error(codes::TOKEN, auth.span(), message, wrong);
                    }
                }
                Auth::Session(session) => self.session(session),
                _ => {}
            }
        }
        for (header, value) in api.headers.iter() {
            self.header(header, value);
        }
        for (block, value) in api.soap_headers.iter() {
            self.soap_header(block, value);
        }
        if let Some(size) = &api.max_upload
            && size.0 == 0
        {
            self.error(codes::EXPIRY, size.span(), "`max_upload` is zero", "no file fits");
        }
        for Wrong { span, message, label } in ProxyAuth::wrong(api) {
            self.error(codes::MALFORMED, span, message, label);
        }
        if let Some(tls) = &api.tls {
            self.tls(api, tls);
        }
        self.nonzero("timeout", api.timeout.as_ref());
        self.nonzero("attempt_timeout", api.attempt_timeout.as_ref());
        self.recovery(api);
        self.limit_group(api.limit_group.as_ref());
        if let Some(breaker) = &api.breaker {
            for (key, period) in
                [("window", &breaker.window), ("open", &breaker.open), ("slow", &breaker.slow)]
            {
                self.nonzero(key, period.as_ref());
            }
            if let (Some(rate), None) = (&breaker.rate, breaker.of_thousand()) {
                let label = "expected a share above 0 and at most 1, such as 0.5";
                self.error(codes::BOUNDS, rate.span(), "`rate` is no share", label);
            }
        }
        if let Some(size) = api.cache_size.as_ref().filter(|size| size.0 == 0) {
            let label = "nothing fits; to keep nothing, leave out `cache`";
            self.error(codes::EXPIRY, size.span(), "`cache_size` is zero", label);
        }
        if let Some(size) = &api.max_response
            && size.0 == 0
        {
            self.error(codes::EXPIRY, size.span(), "`max_response` is zero", "no answer fits");
        }
        if let Some(attempt) = &api.attempt_timeout
            && attempt.0 > api.timeout()
        {
            let message = "`attempt_timeout` is longer than `timeout`";
            let label = format!("the whole call ends after {}", Period(api.timeout()));
            self.error(codes::TIMEOUTS, attempt.span(), message, label);
        }
        if let Some(url) = &api.base_url {
            self.plain_http(api, url);
        }
    }

    fn limit_group(&mut self, name: Option<&Located<String>>) {
        let Some(name) = name else { return };
        if self.config.limit_groups.get(&**name).is_none() {
            let message = format!("there is no [limit_group.{name}]");
            self.error(codes::BOUNDS, name.span(), message, "no such group");
        }
    }

    fn recovery(&mut self, api: &Api) {
        if let Some(key) = &api.idempotency_key {
            self.header_name(key);
        }
        if let Some(headers) = &api.rate_limit_headers {
            let names = [&headers.limit, &headers.remaining, &headers.reset];
            names.into_iter().flatten().for_each(|name| self.header_name(name));
            if headers.ignored != (headers.remaining.is_none() && headers.reset.is_none())
                || headers.remaining.is_some() != headers.reset.is_some()
            {
                let message = "`rate_limit_headers` names no limit";
                let label = "needs `remaining` and `reset`, or `ignored = true` alone";
                self.error(codes::BOUNDS, headers.span(), message, label);
            }
        }
        if api.fallback_writes && api.fallback_urls.is_empty() {
            let message = "`fallback_writes` means nothing without `fallback_urls`";
            let span = api.spec.span();
            self.error(codes::BOUNDS, span, message, "this API has one address only");
        }
        for url in &api.fallback_urls {
            self.plain_http(api, url);
        }
    }

    fn header_name(&mut self, name: &Located<String>) {
        match HeaderName::try_from(name.as_str()) {
            Err(_) => {
                let label = "expected a header's name (RFC 9110 §5.1)";
                let message = format!("`{name}` is no header");
                self.error(codes::HEADER, name.span(), message, label);
            }
            Ok(parsed) if OWN_HEADERS.contains(&parsed.as_str()) => {
                let message = format!("`{name}` cannot be it");
                self.error(codes::HEADER, name.span(), message, "every request sets its own");
            }
            Ok(_) => {}
        }
    }

    fn session(&mut self, session: &SessionAuth) {
        self.nonzero("lifetime", session.lifetime.as_ref());
        if let Some(header) = &session.header {
            self.header_name(header);
        }
        if let Some((key, span)) = session.without_effect() {
            let message = format!("`{key}` has no effect: cookies prove the session");
            self.error(codes::TOKEN, span, message, "remove it, or set `at`");
        }
        let Some(arguments) = &session.arguments else { return };
        if !arguments.0.is_object() {
            let label = "expected a table, with one member for each argument";
            self.error(codes::MALFORMED, arguments.span(), "`arguments` is malformed", label);
        }
        let mut literal = None;
        texts("", &arguments.0, &mut |key, text| {
            let is_literal = matches!(text.parse::<SecretRef>(), Err(SecretError::Literal));
            if is_literal && ends_in_secret(key) {
                literal.get_or_insert(key.to_owned());
            }
        });
        if let Some(key) = literal {
            let message = format!("`{key}` of the login holds a literal secret");
            let diagnostic = Diagnostic::error(codes::LITERAL_SECRET, self.file, message)
                .at(arguments.span())
                .label("a literal secret is refused")
                .help("write where the secret is: \"env:NAME\", \"file:PATH\" or \"cred:NAME\"");
            self.found.push(diagnostic);
        }
    }

    /// Credentials in the open.
    fn plain_http(&mut self, api: &Api, url: &Located<BaseUrl>) {
        if url.as_url().scheme() == "http"
            && !is_loopback(url.as_url())
            && api.auths().next().is_some()
        {
            self.warning(
                url.span(),
                "credentials are sent over plain http",
                "whoever sees the traffic sees them",
            );
        }
    }

    fn header(&mut self, name: &Located<String>, value: &Located<HeaderText>) {
        let Ok(parsed) = HeaderName::try_from(name.as_str()) else {
            let label = "expected a header's name (RFC 9110 §5.1)";
            return self.error(codes::HEADER, name.span(), format!("`{name}` is no header"), label);
        };
        if OWN_HEADERS.contains(&parsed.as_str()) {
            let message = format!("`{name}` cannot be fixed");
            self.error(codes::HEADER, name.span(), message, "every request sets its own");
        } else if matches!(**value, HeaderText::Fixed(_)) && carries_secret(parsed.as_str()) {
            let message = format!("the header `{name}` holds a literal secret");
            let diagnostic = Diagnostic::error(codes::LITERAL_SECRET, self.file, message)
                .at(value.span())
                .label("a literal secret is refused")
                .help("write where the secret is: \"env:NAME\", \"file:PATH\" or \"cred:NAME\"");
            self.found.push(diagnostic);
        }
    }

    /// A block's name, and the texts in its value.
    fn soap_header(&mut self, name: &Located<String>, value: &Located<Literal>) {
        let (namespace, local) = match name.strip_prefix('{') {
            Some(rest) => rest.split_once('}').unwrap_or_default(),
            None => ("none", name.as_str()),
        };
        if namespace.is_empty() || local.is_empty() || local.contains([':', '{', '}', ' ']) {
            let label = "expected the local name of a header of the description, or \
                         \"{namespace}name\"";
            return self.error(codes::HEADER, name.span(), format!("`{name}` is no header"), label);
        }
        let mut wrong = None;
        texts(local, &value.0, &mut |key, text| {
            wrong = wrong.take().or(match text.parse::<SecretRef>() {
                Err(SecretError::Literal) if ends_in_secret(key) => Some((key.to_owned(), None)),
                Err(SecretError::Literal) | Ok(_) => None,
                Err(error) => Some((key.to_owned(), Some(error.to_string()))),
            });
        });
        match wrong {
            None => {}
            Some((key, Some(malformed))) => {
                let message = format!("`{key}` of the header `{name}` is malformed");
                self.error(codes::MALFORMED, value.span(), message, malformed);
            }
            Some((key, None)) => {
                let message = format!("`{key}` of the header `{name}` holds a literal secret");
                let diagnostic = Diagnostic::error(codes::LITERAL_SECRET, self.file, message)
                    .at(value.span())
                    .label("a literal secret is refused")
                    .help(
                        "write where the secret is: \"env:NAME\", \"file:PATH\" or \"cred:NAME\"",
                    );
                self.found.push(diagnostic);
            }
        }
    }

    fn nonzero(&mut self, key: &str, period: Option<&Located<Period>>) {
        if let Some(period) = period
            && period.0.is_zero()
        {
            let message = format!("`{key}` is zero");
            self.error(codes::EXPIRY, period.span(), message, "expected more than nothing");
        }
    }

    fn budget(&mut self, terms: BudgetTerms<'_>, span: &Range<usize>) {
        for wrong in terms.wrong(span) {
            self.error(codes::BOUNDS, wrong.span, wrong.message, wrong.label);
        }
    }

    /// Reports a budget that counts what one before it counts.
    fn counted_once<'b>(
        &mut self,
        terms: BudgetTerms<'_>,
        mut before: impl Iterator<Item = BudgetTerms<'b>>,
    ) {
        if let Some(same) = before.find(|one| one.counts_as(&terms)) {
            let (line, _) = self.file.position(same.limit.span().start);
            let message = "two budgets count the same, so that each call would count twice";
            let label = format!("the other one is in line {line}; keep the smaller limit");
            self.error(codes::BOUNDS, terms.limit.span(), message, label);
        }
    }

    fn tool_names(&mut self) {
        let mut first: BTreeMap<&str, Range<usize>> = BTreeMap::new();
        for name in self.config.tools.iter().filter_map(|tool| tool.name.as_ref()) {
            if let Some(earlier) = first.get(name.as_str()) {
                let (line, _) = self.file.position(earlier.start);
                let message = format!("two tools have the name `{name}`");
                let label = format!("first used in line {line}");
                self.error(codes::DUPLICATE_TOOL, name.span(), message, label);
            } else {
                first.insert(name.as_str(), name.span());
            }
        }
    }
}

/// The texts in a value, each with the name that it stands under.
fn texts<'v>(key: &'v str, value: &'v Value, told: &mut impl FnMut(&'v str, &'v str)) {
    match value {
        Value::String(text) => told(key, text),
        Value::Array(items) => items.iter().for_each(|item| texts(key, item, told)),
        Value::Object(members) => {
            for (name, value) in members {
                texts(if name == "#text" { key } else { name }, value, told);
            }
        }
        _ => {}
    }
}

/// Whether a name in a header block says that its value is a secret: `SessionToken` does,
/// `TokenType` does not.
fn ends_in_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "passwd", "pwd", "apikey", "api-key", "api_key"]
        .iter()
        .any(|word| name.ends_with(word))
}

/// Headers that belong to the request or the connection (RFC 9110 §7.2, §7.6.1, §8.6).
const OWN_HEADERS: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a header's name says that its value is a secret.
fn carries_secret(name: &str) -> bool {
    ["authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "api_key"]
        .iter()
        .any(|word| name.contains(word))
}

/// A blockchain by its CAIP-2 name.
fn is_chain_id(text: &str) -> bool {
    let word = |text: &str, longest: usize, extra: &str| {
        !text.is_empty()
            && text.len() <= longest
            && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    text.split_once(':').is_some_and(|(namespace, reference)| {
        namespace.len() >= 3 && word(namespace, 8, "-") && word(reference, 32, "-_")
    })
}

/// Whether anchors may go there: to a file, or to a URL that nobody on the way can read.
pub fn is_anchor_target(to: &str) -> bool {
    if !to.contains("://") {
        return true;
    }
    url::Url::parse(to).is_ok_and(|url| match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(&url),
        _ => false,
    })
}

pub(super) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
