//! From the file to [`Config`].

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize as _;
use tollbridge_operation::{ApiName, Identity, digest_bytes};
use toml::de::{DeTable, DeValue};

use super::approvals::Approvals;
use super::budget::Budget;
use super::diagnostic::{Diagnostic, Diagnostics, SourceFile};
use super::located::{Keyed, Located};
use super::model::{Api, Audit, File, Server, Settlement};
use super::observe::Observe;
use super::recovery::LimitGroup;
use super::redact::Redact;
use super::safety::Safety;
use super::schema::schema;
use super::tool::Tool;
use super::{checks, codes, document, masks};

/// Longer than any configuration that a person wrote.
const MAX_BYTES: u64 = 8 << 20;

/// After that many, what follows is the parser's confusion.
const MAX_SYNTAX_ERRORS: usize = 5;

/// A configuration that was read and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file, as the user gave it.
    pub path: PathBuf,
    /// The folder that paths in the file are relative to.
    pub dir: PathBuf,
    /// The file, for diagnostics that others report about it.
    pub file: Arc<SourceFile>,
    /// The file's bytes: `sha256:…`.
    pub digest: String,
    /// `[server]`.
    pub server: Server,
    /// `[groups]`: who is in which.
    pub groups: Keyed<String, Vec<Located<Identity>>>,
    /// `[audit]`.
    pub audit: Audit,
    /// `[redact]`.
    pub redact: Redact,
    /// `[observe]`.
    pub observe: Observe,
    /// `[approvals]`.
    pub approvals: Approvals,
    /// `[safety]`.
    pub safety: Safety,
    /// `[settlement]`.
    pub settlement: Option<Located<Settlement>>,
    /// `[limit_group.NAME]`: limits that several have in common.
    pub limit_groups: Keyed<String, LimitGroup>,
    /// `[[budget]]`: budgets over several tools.
    pub budgets: Vec<Located<Budget>>,
    /// `[api.NAME]`, in the file's order.
    pub apis: Keyed<ApiName, Api>,
    /// `[[tool]]`, in the file's order.
    pub tools: Vec<Located<Tool>>,
}

impl Config {
    /// The audit trail's store: `sqlite:` and an absolute path.
    pub fn store_url(&self) -> String {
        self.audit.store.url(&self.dir)
    }

    /// The groups that `[groups]` puts an identity in.
    pub fn groups_of(&self, identity: &Identity) -> impl Iterator<Item = &str> {
        self.groups
            .iter()
            .filter(move |(_, members)| members.iter().any(|member| **member == *identity))
            .map(|(name, _)| name.as_str())
    }

    /// What is wrong with naming a group, at a place of a file: nobody could ever be in it.
    pub fn nobody_in(
        &self,
        group: &str,
        file: &Arc<SourceFile>,
        span: Range<usize>,
    ) -> Option<Diagnostic> {
        let claimed = self.server.auth.as_ref().is_some_and(|auth| auth.groups().is_some());
        if claimed || self.groups.iter().any(|(name, _)| name.as_str() == group) {
            return None;
        }
        let problem =
            Diagnostic::error(codes::UNKNOWN_GROUP, file, format!("there is no group `{group}`"))
                .at(span)
                .label("no such key in [groups]");
        let known: Vec<&str> = self.groups.iter().map(|(name, _)| name.as_str()).collect();
        let help = (!known.is_empty()).then(|| format!("known groups: {}", known.join(", ")));
        Some(Diagnostic { help, ..problem })
    }
}

/// Reads a configuration. With it come warnings; without it, at least one error.
pub fn load(path: &Path) -> Result<(Config, Diagnostics), Diagnostics> {
    let bytes = read(path).map_err(|(message, help)| {
        let file = Arc::new(SourceFile::new(path.display().to_string(), "", Vec::new()));
        let mut diagnostic = Diagnostic::error(codes::UNREADABLE, &file, message);
        diagnostic.help = help;
        Diagnostics::from_iter([diagnostic])
    })?;
    parse(path, bytes)
}

fn read(path: &Path) -> Result<String, (String, Option<String>)> {
    let unreadable = |error: std::io::Error| {
        let help = (error.kind() == std::io::ErrorKind::NotFound).then(|| {
            "write one with `tollbridge import SPEC`, or name another with `--config FILE`"
                .to_owned()
        });
        (format!("the configuration cannot be read: {error}"), help)
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_BYTES {
        return Err(("the configuration is longer than 8 MiB".to_owned(), None));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| ("the configuration is not UTF-8 text".to_owned(), None))
}

/// Reads a configuration's text. Paths in it are relative to the folder of `path`, which
/// need not exist.
pub fn parse(path: &Path, text: String) -> Result<(Config, Diagnostics), Diagnostics> {
    let digest = digest_bytes(text.as_bytes());
    let text: Arc<str> = text.into();
    let source = |masked| Arc::new(SourceFile::new(path.display().to_string(), &*text, masked));
    let (document, errors) = DeTable::parse_recoverable(&text);
    if !errors.is_empty() {
        let file = source(masks::of_unparsed(&text));
        let errors = errors.iter().take(MAX_SYNTAX_ERRORS);
        let mut found: Diagnostics = errors.map(|error| syntax_error(&file, error)).collect();
        found.sort();
        return Err(found);
    }
    let file = source(masks::of_document(document.get_ref()));
    let schema = schema();
    let mut found = document::check(&schema, &document, &file);
    if found.has_errors() {
        return Err(found);
    }
    let span = document.span();
    let mut document = DeValue::Table(document.into_inner());
    document::keep_digits(&schema, &schema, &mut document);
    let DeValue::Table(document) = document else { unreachable!("a table stays one") };
    let parsed = File::deserialize(toml::Deserializer::from(toml::Spanned::new(span, document)));
    let parsed = parsed.map_err(|error| {
        // The check passed what the model does not take. Its message may repeat a value.
        let message = "this is not what its key takes";
        let diagnostic = Diagnostic::error(codes::WRONG_TYPE, &file, message);
        Diagnostics::from_iter([diagnostic.at(error.span().unwrap_or(0..0))])
    })?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let config = Config {
        path: path.to_owned(),
        dir: dir.to_owned(),
        file,
        digest,
        server: parsed.server,
        groups: parsed.groups,
        audit: parsed.audit,
        redact: parsed.redact,
        observe: parsed.observe,
        approvals: parsed.approvals,
        safety: parsed.safety,
        settlement: parsed.settlement,
        limit_groups: parsed.limit_group,
        budgets: parsed.budget,
        apis: parsed.api,
        tools: parsed.tool,
    };
    checks::check(&config, &mut found);
    found.sort();
    if found.has_errors() { Err(found) } else { Ok((config, found)) }
}

fn syntax_error(file: &Arc<SourceFile>, error: &toml::de::Error) -> Diagnostic {
    Diagnostic::error(codes::SYNTAX, file, format!("no TOML: {}", error.message()))
        .at(error.span().unwrap_or(0..0))
        .label("here")
}
