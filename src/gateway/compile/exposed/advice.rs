//! What is said of a tool and its configuration: errors, warnings and advice, each with its place.

use std::ops::Range;

use tollbridge_operation::{ApiKeyPlace, Effect, Operation, SchemeUse, SecurityScheme, ToolName};

use super::One;
use crate::catalog::NotFound;
use crate::config::{Budget, Diagnostic, Located, Severity, codes};
use crate::tools::{self, ArgumentRule, RuleError, Tool};

impl One<'_> {
    /// An API without any credential, or with one that is not all that its description asks for. That is a warning: the description may ask for more than the API does, and headers
    /// may carry what it asks for.
    pub(super) fn advise_credential(&mut self, operation: &Operation, missing: &[String]) {
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
            "`{}` and perhaps others of `{api}` need a credential that is not given: {}",
            operation.id.key,
            missing.join(" and ")
        );
        let is_certificate = |used: &SchemeUse| used.scheme == SecurityScheme::MutualTls;
        let mut uses = operation.security.iter().flat_map(|requirement| &requirement.all_of);
        let are_certificates = missing.iter().all(|name| {
            let mut uses = uses.clone();
            uses.any(|used| used.name == *name && is_certificate(used))
        });
        let tls = if uses.any(is_certificate) { "; its certificate is that of `tls`" } else { "" };
        let help = match &self.api.auth {
            Some(_) if are_certificates => {
                format!("set tls = {{ cert = \"file:…\", key = \"file:…\" }} for [api.{api}]")
            }
            Some(_) => format!(
                "`auth` is another one: instead of it, set one for each scheme in [api.{api}.credentials]{tls}"
            ),
            None => format!(
                "set auth = {{ kind = … }} for [api.{api}], or one for each scheme in [api.{api}.credentials]{tls}"
            ),
        };
        self.found.push(
            Diagnostic::warning(codes::CREDENTIAL, &self.config.file, message)
                .at(self.api.spec.span())
                .help(help),
        );
    }

    /// The rules by which clients take a tool, on the tool as it is listed.
    pub(super) fn lint(&mut self, tool: &Tool) {
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

    /// What in a description may be meant to mislead a model, or whoever reviews it.
    pub(super) fn suspect(&mut self, tool: &Tool) {
        for suspicion in tool.suspicions(self.known) {
            let at = match suspicion.pointer.as_str() {
                "" => String::new(),
                pointer => format!(" at {pointer}"),
            };
            let message = format!("`{}`{at}: {}", tool.name, suspicion.message);
            let diagnostic = Diagnostic::warning(codes::SUSPICIOUS, &self.config.file, message)
                .at(self.entry.operation.span())
                .label("suspicious-description");
            self.found.push(diagnostic);
        }
    }

    /// A write that nothing bounds is probably not meant.
    pub(super) fn advise(&mut self, name: &ToolName, tool: &Tool) {
        let (entry, effect) = (self.entry, tool.operation.effect);
        let covers = |budget: &Located<Budget>| budget.covers(name, &entry.api, effect);
        let bounded = entry.hold.is_some()
            || entry.calls.is_some()
            || !entry.budget.is_empty()
            || self.config.budgets.iter().any(covers);
        if effect != Effect::Read && !bounded {
            self.found.push(
                Diagnostic::warning(
                    codes::UNPROTECTED,
                    &self.config.file,
                    format!(
                        "`{name}` is a {} that neither a hold nor a limit on calls nor a budget bounds",
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

    pub(super) fn no_operation(&mut self, not_found: &NotFound) {
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

    pub(super) fn rule_error(&mut self, rules: &[(ArgumentRule, Range<usize>)], error: &RuleError) {
        let span = error
            .pointer()
            .and_then(|pointer| rules.iter().find(|(rule, _)| rule.pointer == *pointer))
            .map_or_else(|| self.entry.operation.span(), |(_, span)| span.clone());
        let code = match error {
            RuleError::UnknownArgument { .. } => codes::UNKNOWN_ARGUMENT,
            _ => codes::ARGUMENT_RULE,
        };
        self.error(code, span, error.to_string(), Some(error.help()));
    }

    pub(super) fn error(
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

    pub(super) fn warn(&mut self, code: &'static str, span: Range<usize>, message: String) {
        self.found.push(Diagnostic::warning(code, &self.config.file, message).at(span));
    }
}
