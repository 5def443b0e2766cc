//! The tools of a configuration: each operation found, its rules applied, its layers' rules
//! compiled.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};
use tollbridge_operation::{ApiKeyPlace, ApiName, Effect, Operation, SecurityScheme, ToolName};

use super::apis::Upstreams;
use super::who;
use crate::catalog::{Catalog, NotFound};
use crate::config::{self, Api, Config, Diagnostic, Diagnostics, Located, Severity, codes};
use crate::gateway::toolbox::Exposed;
use crate::safety::{By, HoldRule, Rules, WindowRule};
use crate::settlement::{PayTo, Price, Terms};
use crate::tools::{self, ArgumentPointer, ArgumentRule, Tool, ToolSpec};

/// Compiles every tool; one that is wrong is reported and left out.
pub(super) fn compile(
    config: &Config,
    catalog: &Catalog,
    described: &HashSet<ApiName>,
    upstreams: &mut Upstreams<'_>,
    found: &mut Diagnostics,
) -> Vec<Exposed> {
    // Names that the file gives are taken before any is proposed, wherever they stand.
    let mut taken: BTreeSet<ToolName> =
        config.tools.iter().filter_map(|tool| tool.name.as_deref().cloned()).collect();
    let mut exposed = Vec::with_capacity(config.tools.len());
    for entry in &config.tools {
        let Some(api) = config.apis.get(&*entry.api) else { continue };
        if !described.contains(&*entry.api) {
            continue;
        }
        let mut one = One { config, entry, api, found };
        if let Some(tool) = one.compile(catalog, &mut taken, upstreams) {
            exposed.push(tool);
        }
    }
    exposed
}

/// One tool of the file.
struct One<'a> {
    config: &'a Config,
    entry: &'a config::Tool,
    api: &'a Api,
    found: &'a mut Diagnostics,
}

impl One<'_> {
    fn compile(
        &mut self,
        catalog: &Catalog,
        taken: &mut BTreeSet<ToolName>,
        upstreams: &mut Upstreams<'_>,
    ) -> Option<Exposed> {
        let entry = self.entry;
        let described = catalog.api(&entry.api)?;
        let operation = match described.operation(&entry.operation) {
            Ok(operation) => operation,
            Err(not_found) => {
                self.no_operation(&not_found);
                return None;
            }
        };
        let name = match &entry.name {
            Some(name) => (**name).clone(),
            None => {
                let name = tools::propose(&operation.id.key, taken);
                taken.insert(name.clone());
                name
            }
        };
        let rules: Vec<(ArgumentRule, Range<usize>)> = entry
            .args
            .iter()
            .filter_map(|(path, argument)| match rule(path, argument) {
                Ok(rule) => Some((rule, path.span())),
                Err(message) => {
                    self.error(codes::ARGUMENT_RULE, path.span(), message, None);
                    None
                }
            })
            .collect();
        let only_rules: Vec<ArgumentRule> = rules.iter().map(|(rule, _)| rule.clone()).collect();
        // The file's schema says that an example is a table.
        let examples: Vec<Map<String, Value>> =
            entry.examples.iter().filter_map(|example| example.0.as_object().cloned()).collect();
        let spec = ToolSpec {
            name: name.clone(),
            title: entry.title.as_ref().map(|title| title.as_str()),
            description: entry.description.as_ref().map(|text| text.as_str()),
            effect: entry.effect.as_deref().copied(),
            idempotent: entry.idempotent.as_deref().copied(),
            examples: &examples,
            rules: &only_rules,
            operation: Arc::clone(operation),
        };
        let tool = match Tool::compile(spec) {
            Ok((tool, warnings)) => {
                for warning in warnings {
                    let message = format!("`{name}` at {}: {}", warning.pointer, warning.message);
                    self.warn(codes::READING, entry.operation.span(), message);
                }
                self.lint(&tool);
                tool
            }
            Err(errors) => {
                for error in errors {
                    self.rule_error(&rules, &error);
                }
                return None;
            }
        };
        let upstream = upstreams.of(&entry.api, self.api, operation, self.found)?;
        let missing = upstream.missing_credentials(operation);
        if self.api.auth.is_none() && self.api.credentials.is_empty() {
            self.advise_credential(operation, &missing);
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
        let terms = self.terms()?;
        Some(Exposed {
            rules: self.rules(name),
            terms,
            upstream,
            timeout: entry.timeout.as_ref().map_or(self.api.timeout(), |timeout| timeout.0),
            spec: described.digest.clone(),
            tool: Arc::new(tool),
        })
    }

    /// An API without any credential, though its description asks for one. That is a warning: the
    /// description may ask for more than the API does, and headers may carry what it asks for.
    fn advise_credential(&mut self, operation: &Operation, missing: &[String]) {
        let has_header =
            |name: &str| self.api.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let is_sent = |name: &String| {
            let mut uses = operation.security.iter().flat_map(|requirement| &requirement.all_of);
            uses.any(|used| {
                used.name == *name
                    && match &used.scheme {
                        SecurityScheme::ApiKey { place: ApiKeyPlace::Header, name } => {
                            has_header(name)
                        }
                        SecurityScheme::ApiKey { .. } | SecurityScheme::MutualTls => false,
                        _ => has_header("authorization"),
                    }
            })
        };
        let missing: Vec<&str> =
            missing.iter().filter(|name| !is_sent(name)).map(String::as_str).collect();
        if missing.is_empty() || self.found.has(codes::CREDENTIAL, &self.api.spec.span()) {
            return;
        }
        let api = &*self.entry.api;
        let message = format!(
            "`{}` and perhaps others of `{api}` need a credential, and none is given: {}",
            operation.id.key,
            missing.join(" and ")
        );
        let help = format!(
            "set auth = {{ kind = … }} for [api.{api}], or one for each scheme in [api.{api}.credentials]"
        );
        self.found.push(
            Diagnostic::warning(codes::CREDENTIAL, &self.config.file, message)
                .at(self.api.spec.span())
                .help(help),
        );
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
            hold: entry
                .hold
                .as_ref()
                .map(|hold| HoldRule { who: list(&hold.identities), expires: hold.expires.0 }),
            window: entry.calls.as_ref().map(|calls| WindowRule {
                limit: calls.limit.get(),
                per: calls.per.0,
                by: match calls.by {
                    config::CountedBy::Identity => By::Identity,
                    config::CountedBy::Tool => By::Tool,
                },
            }),
        }
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

    /// The rules by which clients take a tool, on the tool as it is listed.
    fn lint(&mut self, tool: &Tool) {
        for finding in tool.lint() {
            let severity = match finding.severity {
                tools::Severity::Error => Severity::Error,
                tools::Severity::Warning => Severity::Warning,
            };
            let message = format!("`{}` at {}: {}", tool.name, finding.pointer, finding.message);
            let mut diagnostic = Diagnostic::error(codes::PORTABILITY, &self.config.file, message)
                .at(self.entry.operation.span())
                .label(finding.rule);
            diagnostic.severity = severity;
            self.found.push(diagnostic);
        }
    }

    /// A write that nothing bounds is probably not meant.
    fn advise(&mut self, name: &ToolName, tool: &Tool) {
        let bounded = self.entry.hold.is_some() || self.entry.calls.is_some();
        if tool.operation.effect != Effect::Read && !bounded {
            self.found.push(
                Diagnostic::warning(
                    codes::UNPROTECTED,
                    &self.config.file,
                    format!(
                        "`{name}` is a {} that neither a hold nor a limit on calls bounds",
                        match tool.operation.effect {
                            Effect::Destructive => "destructive operation",
                            _ => "write",
                        }
                    ),
                )
                .at(self.entry.operation.span())
                .help(
                    "add hold = true, or calls = { limit = 20, per = \"1h\", by = \"identity\" }",
                ),
            );
        }
    }

    fn no_operation(&mut self, not_found: &NotFound) {
        let operation = &self.entry.operation;
        let (message, help) = match not_found {
            NotFound::Skipped { pointer, reason } => {
                (format!("`{operation}` cannot be called: {reason} (at {pointer})"), None)
            }
            NotFound::Unknown { nearest } => (
                format!("`{}` has no operation `{operation}`", &*self.entry.api),
                Some(nearest.as_ref().map_or_else(
                    || "`tollbridge import SPEC --json` lists what it has".to_owned(),
                    |nearest| format!("did you mean `{nearest}`?"),
                )),
            ),
        };
        self.error(codes::UNKNOWN_OPERATION, operation.span(), message, help);
    }

    fn rule_error(&mut self, rules: &[(ArgumentRule, Range<usize>)], error: &tools::RuleError) {
        let span = error
            .pointer()
            .and_then(|pointer| rules.iter().find(|(rule, _)| rule.pointer == *pointer))
            .map_or_else(|| self.entry.operation.span(), |(_, span)| span.clone());
        let code = match error {
            tools::RuleError::UnknownArgument { .. } => codes::UNKNOWN_ARGUMENT,
            _ => codes::ARGUMENT_RULE,
        };
        self.error(code, span, error.to_string(), Some(error.help()));
    }

    fn error(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let mut diagnostic = Diagnostic::error(code, &self.config.file, message).at(span);
        diagnostic.help = help;
        self.found.push(diagnostic);
    }

    fn warn(&mut self, code: &'static str, span: Range<usize>, message: String) {
        self.found.push(Diagnostic::warning(code, &self.config.file, message).at(span));
    }
}

/// The file's rules for one argument, in the words of `tools`.
fn rule(path: &config::ArgumentPath, argument: &config::Argument) -> Result<ArgumentRule, String> {
    let pointer = match path.name() {
        Some(name) => ArgumentPointer::parse(name),
        None => ArgumentPointer::parse(&path.to_string()),
    };
    let mut rule = ArgumentRule::new(pointer.map_err(|error| error.to_string())?);
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
