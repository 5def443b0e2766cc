//! The proposal: which API a description belongs to, what its operations become, and the
//! text that is added to the configuration.
//!
//! What the user wrote stays as it is. Only the digest of a description that was imported
//! again is replaced, in its place.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tollbridge_operation::{ApiName, Description, Effect, Endpoint, Operation, ToolName};
use url::Url;

use super::credentials::credentials;
use super::documents::{self, Whole};
use super::select::{self, Choice, Selection};
use super::servers::Servers;
use super::source::{Fetching, Spec};
use super::{ImportError, write};
use crate::catalog::{Origin, parts_beside, parts_of};
use crate::config::{Api, BaseUrl, Config};
use crate::gateway;
use crate::tools::name::propose;
use crate::tools::{Profile, Tool, ToolSpec};

/// What an import proposes.
#[derive(Debug)]
pub(super) struct Proposal<'a> {
    existing: Option<&'a Config>,
    selection: Selection,
    counts_tokens: bool,
    taken: BTreeSet<ToolName>,
    names: BTreeSet<ApiName>,
    apis: Vec<ImportedApi>,
    /// Places of the existing text and what stands there from now on.
    edits: Vec<(Range<usize>, String)>,
    added: String,
    /// Descriptions to keep beside the configuration.
    kept: Vec<(PathBuf, Vec<u8>)>,
    /// The files that the descriptions are made of.
    parts: BTreeSet<PathBuf>,
    /// Copies of descriptions as they were accepted, with their parts: files, and what becomes of
    /// them.
    accepted: Vec<(PathBuf, Option<Vec<u8>>)>,
}

/// One API of the import.
#[derive(Debug)]
pub(super) struct ImportedApi {
    pub(super) name: ApiName,
    pub(super) title: String,
    pub(super) format: String,
    pub(super) operations: Vec<ImportedOperation>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
}

/// One operation, and what became of it.
#[derive(Debug)]
pub(super) struct ImportedOperation {
    pub(super) key: String,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) status: Status,
    /// What the tool costs in a model's context, where that was asked for.
    pub(super) tokens: Option<u32>,
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    /// It is a tool of that name.
    Tool(ToolName),
    /// It could be one, and is not for this reason.
    Available(String),
    /// It cannot be called, for this reason.
    Skipped(String),
}

/// Where an API stands in the configuration.
struct Home<'a> {
    name: ApiName,
    /// `spec`, as the file has it.
    spec: String,
    /// Its table, where it has one already.
    table: Option<&'a Api>,
    /// Where its description is to be kept, if it is not a file already.
    keep: Option<PathBuf>,
}

impl<'a> Proposal<'a> {
    pub(super) fn new(
        existing: Option<&'a Config>,
        selection: Selection,
        counts_tokens: bool,
    ) -> Self {
        let mut taken = BTreeSet::new();
        let mut names = BTreeSet::new();
        if let Some(config) = existing {
            taken.extend(config.tools.iter().filter_map(|tool| tool.name.as_deref().cloned()));
            names.extend(config.apis.iter().map(|(name, _)| (**name).clone()));
        }
        Self {
            existing,
            selection,
            counts_tokens,
            taken,
            names,
            apis: Vec::new(),
            edits: Vec::new(),
            added: String::new(),
            kept: Vec::new(),
            parts: BTreeSet::new(),
            accepted: Vec::new(),
        }
    }

    pub(super) fn apis(&self) -> &[ImportedApi] {
        &self.apis
    }

    /// Whether a file is a part of a description that was imported.
    pub(super) fn has_part(&self, file: &Path) -> bool {
        file.canonicalize().is_ok_and(|file| self.parts.contains(&file))
    }

    /// Adds a description.
    pub(super) async fn add(
        &mut self,
        spec: Spec,
        name: Option<&ApiName>,
        base_url: Option<&BaseUrl>,
        folder: &Path,
        fetching: &Fetching,
    ) -> Result<(), ImportError> {
        let home = self.home(&spec, name, folder)?;
        let origin = self.origin(&home, &spec, folder);
        let Whole { description, digest, files, parts, kept } =
            documents::read(&spec, &home.name, &origin, fetching).await?;
        let mut notes: Vec<String> = description
            .warnings
            .iter()
            .map(|warning| one_line(&format!("{}: {}", warning.pointer, warning.message), 200))
            .collect();

        let mut accepts = home.table.is_none();
        match home.table {
            Some(table) => {
                match table.digest.as_ref().filter(|old| old.0 != digest) {
                    // Nothing depends on what was accepted before.
                    Some(old) if !self.has_tools(&home.name) => {
                        self.edits.push((old.span(), quoted(&digest)));
                        accepts = true;
                    }
                    Some(_) => notes.push(
                        "the description changed: `tollbridge diff` says what that does to your \
                         tools, `tollbridge diff --accept` accepts it"
                            .to_owned(),
                    ),
                    None => accepts = table.digest.is_some(),
                }
                if let Some(base_url) = base_url
                    && table.base_url.as_deref() != Some(base_url)
                {
                    notes.push(format!(
                        "[api.{}] was there already and keeps its base_url",
                        home.name
                    ));
                }
            }
            None => {
                let servers = Servers::of(&description, &spec, base_url);
                notes.extend(servers.notes.iter().cloned());
                self.api_table(&home, &description, &digest, origin.url.as_ref(), &servers);
            }
        }

        let mut operations = Vec::new();
        for operation in &description.operations {
            let status = self.operation(&home.name, operation);
            let tokens = match &status {
                Status::Tool(name) if self.counts_tokens => tokens_of(operation, name),
                _ => None,
            };
            operations.push(ImportedOperation {
                key: operation.id.key.as_str().to_owned(),
                endpoint: operation.endpoint.clone(),
                status,
                tokens,
            });
        }
        for skipped in description.skipped {
            self.selection.note_skipped(&skipped.key, skipped.endpoint.as_ref());
            operations.push(ImportedOperation {
                status: Status::Skipped(format!("{}: {}", skipped.pointer, skipped.reason)),
                key: skipped.key,
                endpoint: skipped.endpoint,
                tokens: None,
            });
        }
        if accepts {
            let copy = crate::config::accepted_copy(&home.name, &home.spec, folder);
            let read = |file: &Path| match kept.iter().find(|(path, _)| path == file) {
                Some((_, bytes)) => Ok(bytes.clone()),
                None => std::fs::read(file),
            };
            let parts = parts_of(&parts, read)
                .map_err(|error| ImportError::Failed(format!("{}: {error}", spec.label)))?;
            self.accepted.push((parts_beside(&copy), parts));
            self.accepted.push((copy, Some(spec.bytes.clone())));
        }
        if let Some(keep) = home.keep {
            self.kept.push((keep, spec.bytes));
        }
        self.kept.extend(kept);
        self.parts.extend(files.iter().filter_map(|file| file.canonicalize().ok()));
        self.names.insert(home.name.clone());
        self.apis.push(ImportedApi {
            name: home.name,
            title: format!("{} {}", description.title, description.version).trim().to_owned(),
            format: description.format,
            operations,
            notes,
        });
        Ok(())
    }

    /// Which API a description belongs to: one that has it already, or a new one.
    fn home(
        &self,
        spec: &Spec,
        name: Option<&ApiName>,
        folder: &Path,
    ) -> Result<Home<'a>, ImportError> {
        let mut file = spec.file.as_ref().map(|file| write::relative(file, folder));
        let kept = |name: &ApiName| format!("specs/{name}.{}", extension(&spec.bytes));
        let suggestion = ApiName::new(spec.suggestion.as_str())
            .map_err(|error| ImportError::Failed(format!("{}: {error}", spec.label)))?;

        let by_name = |name: &ApiName| {
            let table = self.existing?.apis.get(name)?;
            let own = file.clone().unwrap_or_else(|| kept(name));
            Some((table, same_path(&table.spec, &own, folder)))
        };
        let (name, table) = match name {
            Some(name) => match by_name(name) {
                Some((table, true)) => (name.clone(), Some(table)),
                Some((table, false)) => {
                    return Err(ImportError::Usage(format!(
                        "[api.{name}] has another description ({}): give this one another --name",
                        *table.spec
                    )));
                }
                None if self.names.contains(name) => {
                    return Err(ImportError::Usage(format!("the API {name} was just imported")));
                }
                None => (name.clone(), None),
            },
            None => {
                let same_file = file.as_ref().and_then(|file| {
                    let mut tables = self.existing?.apis.iter();
                    tables.find(|(_, table)| same_path(&table.spec, file, folder))
                });
                match (same_file, by_name(&suggestion)) {
                    (Some((name, table)), _) => ((**name).clone(), Some(table)),
                    (None, Some((table, true))) => (suggestion, Some(table)),
                    (None, _) => (self.free_name(&suggestion), None),
                }
            }
        };
        if let Some(table) = table {
            file = Some((*table.spec).clone());
        }
        let keep = spec.file.is_none().then(|| folder.join(file.clone().unwrap_or(kept(&name))));
        if let (Some(keep), None) = (&keep, table)
            && std::fs::read(keep).is_ok_and(|bytes| bytes != spec.bytes)
        {
            return Err(ImportError::Failed(format!(
                "{} is there already and is another file: give the API another --name",
                keep.display()
            )));
        }
        Ok(Home { spec: file.unwrap_or_else(|| kept(&name)), name, table, keep })
    }

    /// Where the description comes from, by its table where it has one.
    fn origin(&self, home: &Home<'_>, spec: &Spec, folder: &Path) -> Origin {
        let mut origin = match (home.table, self.existing) {
            (Some(table), Some(config)) => gateway::origin(config, table),
            _ => Origin::default(),
        };
        origin.file = folder.join(&home.spec);
        if let Some(url) = &spec.url {
            // A query may hold a secret, and names no other place.
            let mut url = url.clone();
            url.set_query(None);
            url.set_fragment(None);
            origin.url = Some(url);
        }
        origin
    }

    fn free_name(&self, wanted: &ApiName) -> ApiName {
        let mut name = wanted.clone();
        let mut number = 2_u64;
        while self.names.contains(&name) {
            name = ApiName::new(format!("{wanted}_{number}"))
                .expect("a name of at most 40 characters and a number");
            number += 1;
        }
        name
    }

    fn operation(&mut self, api: &ApiName, operation: &Operation) -> Status {
        let choice = self.selection.choose(operation);
        if let Some(name) = self.existing_tool(api, operation) {
            return Status::Tool(name);
        }
        match choice {
            Choice::Not(reason) => Status::Available(reason.to_owned()),
            Choice::Tool { hold } => {
                let name = propose(&operation.id.key, &self.taken);
                self.taken.insert(name.clone());
                self.tool_table(api, operation, &name, hold);
                Status::Tool(name)
            }
        }
    }

    fn has_tools(&self, api: &ApiName) -> bool {
        self.existing.is_some_and(|config| config.tools.iter().any(|tool| *tool.api == *api))
    }

    /// The tool that the operation is already.
    fn existing_tool(&self, api: &ApiName, operation: &Operation) -> Option<ToolName> {
        let place = operation.endpoint.as_ref().map(|e| format!("{} {}", e.method, e.path));
        let tool = self.existing?.tools.iter().find(|tool| {
            *tool.api == *api
                && (tool.operation.as_str() == operation.id.key.as_str()
                    || Some(tool.operation.as_str()) == place.as_deref())
        })?;
        let unnamed = || propose(&operation.id.key, &BTreeSet::new());
        Some(tool.name.as_deref().cloned().unwrap_or_else(unnamed))
    }

    fn api_table(
        &mut self,
        home: &Home<'_>,
        description: &Description,
        digest: &str,
        source: Option<&Url>,
        servers: &Servers,
    ) {
        let Home { name, spec, .. } = home;
        let title = format!("{} {}", description.title, description.version);
        let title = format!("{}, {}", title.trim(), description.format);
        let mut table = format!("\n[api.{name}]\n# {}\n", one_line(&title, 90));
        let mut line = |key: &str, value: &str| {
            writeln!(table, "{key:<8} = {value}").expect("a String takes it");
        };
        line("spec", &quoted(spec));
        if let Some(source) = source {
            line("source", &quoted(source.as_str()));
        }
        line("digest", &quoted(digest));
        match &servers.base_url {
            Some(url) => line("base_url", &quoted(url)),
            None if servers.hosts.is_empty() => line("# base_url", "\"https://…\""),
            None => {}
        }
        if !servers.hosts.is_empty() {
            let hosts: Vec<String> = servers.hosts.iter().map(|host| quoted(host)).collect();
            line("hosts", &format!("[{}]", hosts.join(", ")));
        }
        table.push_str(&credentials(name, description));
        self.added.push_str(&table);
    }

    fn tool_table(&mut self, api: &ApiName, operation: &Operation, name: &ToolName, hold: bool) {
        let key = operation.id.key.as_str();
        let mut about: Vec<String> = Vec::new();
        about.extend(
            operation
                .endpoint
                .as_ref()
                .map(|e| format!("{} {}", e.method, e.path))
                .filter(|place| place != key),
        );
        if operation.endpoint.is_some() {
            about.push(operation.effect.as_str().to_owned());
        } else {
            // Nothing in a WSDL says what an operation does to the world.
            about.push(format!("{}, by its name", select::effect(operation).as_str()));
        }
        if operation.deprecated {
            about.push("deprecated".to_owned());
        }
        let mut about = about.join(", ");
        if let Some(summary) = operation.summary.as_ref().or(operation.description.as_ref()) {
            about = format!("{about}: {summary}");
        }
        let mut table = format!("\n[[tool]] # {}\n", one_line(&about, 90));
        let mut line = |key: &str, value: &str| {
            writeln!(table, "{key:<9} = {value}").expect("a String takes it");
        };
        line("api", &quoted(api.as_str()));
        line("operation", &quoted(key));
        line("name", &quoted(name.as_str()));
        if operation.endpoint.is_none() && select::effect(operation) == Effect::Read {
            line("# effect", "\"read\" # if it only reads: then it is repeated after failures");
        }
        if hold {
            line("hold", "true");
        }
        self.added.push_str(&table);
    }

    /// Refuses a selector that selected nothing: it is a misspelling.
    pub(super) fn every_selector_matched(&self) -> Result<(), ImportError> {
        let Some(selector) = self.selection.unmatched() else { return Ok(()) };
        let hint = "`--json` without a selector lists the operations' ids";
        Err(ImportError::Usage(format!("{selector}: no operation is meant by this; {hint}")))
    }

    /// The configuration with the proposal.
    pub(super) fn text(&self) -> String {
        let mut text = match self.existing {
            Some(config) => config.file.text().to_string(),
            None => HEAD.to_owned(),
        };
        let mut edits: Vec<_> = self.edits.iter().collect();
        edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        edits.dedup_by_key(|(span, _)| span.start);
        for (span, replacement) in edits {
            text.replace_range(span.clone(), replacement);
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&self.added);
        text
    }

    /// Writes the descriptions that came from no file.
    pub(super) fn keep_descriptions(&self) -> Result<(), ImportError> {
        write_all(&self.kept)
    }

    /// Writes the copies with which later versions are compared.
    pub(super) fn keep_accepted(&self) -> Result<(), ImportError> {
        self.accepted.iter().try_for_each(|(path, bytes)| {
            write::write_or_remove(path, bytes.as_deref()).map_err(|error| {
                ImportError::Failed(format!("cannot write {}: {error}", path.display()))
            })
        })
    }
}

fn write_all(files: &[(PathBuf, Vec<u8>)]) -> Result<(), ImportError> {
    files.iter().try_for_each(|(path, bytes)| {
        write::write(path, bytes).map_err(|error| {
            ImportError::Failed(format!("cannot write {}: {error}", path.display()))
        })
    })
}

/// What an operation costs in a model's context as a tool without rules; `None` where none
/// can be made of it, which `check` then says.
fn tokens_of(operation: &Operation, name: &ToolName) -> Option<u32> {
    let spec = ToolSpec {
        name: name.clone(),
        title: None,
        description: None,
        effect: None,
        idempotent: None,
        rules: &[],
        examples: &[],
        operation: Arc::new(operation.clone()),
        reason: None,
        profile: Profile::default(),
    };
    Tool::compile(spec).ok().map(|(tool, _)| tool.tokens())
}

/// The first lines of a new configuration.
const HEAD: &str = "\
# Which operations agents may call, and within which limits.
# What is not listed here does not exist for an agent. `tollbridge check` reads this file.
";

/// What a description's file is called by its content.
fn extension(bytes: &[u8]) -> &'static str {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => "json",
        Some(b'<') => "wsdl",
        _ => "yaml",
    }
}

fn same_path(one: &str, other: &str, folder: &Path) -> bool {
    let whole = |path: &str| {
        let path = folder.join(path);
        path.canonicalize().unwrap_or(path)
    };
    one == other || whole(one) == whole(other)
}

/// Text of a stranger as one line without control characters, cut.
pub(super) fn one_line(text: &str, longest: usize) -> String {
    let clean: String = text
        .chars()
        .map(|c| {
            let format = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if c.is_control() || c.is_whitespace() || format { ' ' } else { c }
        })
        .collect();
    let words = clean.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if words.chars().count() <= longest {
        return words;
    }
    let cut: String = words.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

/// A basic string of TOML (TOML 1.1, String).
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                write!(out, "\\u{:04X}", u32::from(c)).expect("a String takes it");
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
