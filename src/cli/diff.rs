//! `tollbridge diff`: what a change of a description, or of the configuration, does to tools.
//!
//! Alone it compares the descriptions with those that were accepted. With two files it
//! compares these: two versions of a description as the tools that the configuration makes
//! of it (or, where it has none of them, as a tool for each operation), or two
//! configurations. `--accept` makes the descriptions as they are the accepted ones.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tollbridge_operation::ApiName;

use super::import::write;
use super::{Exit, context};
use crate::catalog::{self, Origin};
use crate::config::{self, Config, Diagnostic, Diagnostics};
use crate::gateway::{self, Compared, Compiled, Secrets, compile};
use crate::tools::{Impact, change};

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Two versions: descriptions, or configurations (`.toml`). Without them the descriptions
    /// are compared with those that were accepted.
    #[arg(value_names = ["OLD", "NEW"], num_args = 2)]
    versions: Vec<PathBuf>,
    /// Only this API.
    #[arg(long, value_name = "API")]
    api: Option<ApiName>,
    /// Accept the descriptions as they are: pin their digests and keep copies of them.
    #[arg(long, conflicts_with = "versions")]
    accept: bool,
    /// Exit with 1 where a change is at least so severe.
    #[arg(long, value_name = "IMPACT", conflicts_with = "accept")]
    fail_on: Option<Threshold>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The severity from which on `--fail-on` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Threshold {
    DocsOnly,
    Compatible,
    Breaking,
}

impl From<Threshold> for Impact {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::DocsOnly => Self::DocsOnly,
            Threshold::Compatible => Self::Compatible,
            Threshold::Breaking => Self::Breaking,
        }
    }
}

/// Why there is nothing to show.
enum Failed {
    /// The configuration is wrong.
    Configuration(Diagnostics),
    /// The command line asks for what cannot be.
    Usage(String),
    /// A file cannot be read or written.
    File(String),
}

impl From<Diagnostics> for Failed {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Configuration(diagnostics)
    }
}

pub(super) fn run(args: &Args, path: &Path) -> Exit {
    let compared = match args.versions.as_slice() {
        [old, new] => between(args, path, old, new),
        _ => against_accepted(args, path),
    };
    let compared = match compared {
        Ok(compared) => compared,
        Err(Failed::Configuration(diagnostics)) => {
            context::report(&diagnostics);
            return Exit::Usage;
        }
        Err(Failed::Usage(message)) => {
            eprintln!("error: {message}");
            return Exit::Usage;
        }
        Err(Failed::File(message)) => {
            eprintln!("error: {message}");
            return Exit::Failed;
        }
    };
    let worst = compared.iter().filter_map(|tool| change::impact(&tool.changes)).max();
    if args.json {
        super::print_json(&report(&compared, worst));
    } else {
        show(&compared);
    }
    match args.fail_on.map(Impact::from) {
        Some(threshold) if worst.is_some_and(|worst| worst >= threshold) => Exit::Failed,
        _ => Exit::Done,
    }
}

// === Against what was accepted ===

fn against_accepted(args: &Args, path: &Path) -> Result<Vec<Compared>, Failed> {
    let (config, _) = config::load(path)?;
    if let Some(api) = &args.api
        && config.apis.get(api).is_none()
    {
        return Err(Failed::Usage(format!("there is no [api.{api}] in {}", path.display())));
    }
    let Compiled { catalog, mut compared, warnings, .. } = compile(&config, Secrets::Verify)?;
    compared.retain(|tool| wanted(args, &tool.api));
    for (name, api) in config.apis.iter().filter(|(name, _)| wanted(args, name)) {
        let Some(pinned) = &api.digest else {
            eprintln!("{name}: no description was accepted yet");
            continue;
        };
        let changed = |warning: &&Diagnostic| {
            warning.code == config::codes::CHANGED && warning.span == Some(pinned.span())
        };
        if let Some(warning) = warnings.iter().find(changed) {
            eprintln!("{}", warning.message);
        }
    }
    if args.accept {
        accept(args, &config, &catalog)?;
    }
    Ok(compared)
}

fn wanted(args: &Args, api: &ApiName) -> bool {
    args.api.as_ref().is_none_or(|wanted| wanted == api)
}

/// Pins the descriptions as they are, and keeps copies of them. What was shown is what is
/// accepted: a description that changes meanwhile is not.
fn accept(args: &Args, config: &Config, catalog: &catalog::Catalog) -> Result<(), Failed> {
    let mut text = config.file.text().to_string();
    let mut edits = Vec::new();
    let mut copies = Vec::new();
    for (name, api) in config.apis.iter().filter(|(name, _)| wanted(args, name)) {
        let Some(read) = catalog.api(name) else { continue };
        let path = config.dir.join(&**api.spec);
        let bytes = std::fs::read(&path)
            .map_err(|error| Failed::File(format!("cannot read {}: {error}", path.display())))?;
        let now = gateway::origin(config, api).read(name);
        let now = now.map_err(|error| Failed::File(error.to_string()))?;
        let parts = catalog::parts_of(&now.parts, |file| std::fs::read(file))
            .map_err(|error| Failed::File(error.to_string()))?;
        if now.digest != read.digest {
            let path = path.display();
            return Err(Failed::File(format!("{path} changed while it was compared")));
        }
        let quoted = format!("\"{}\"", read.digest);
        match &api.digest {
            Some(pinned) => edits.push((pinned.span(), quoted)),
            None => {
                let end = text[api.spec.span().end..].find('\n');
                let end = end.map_or(text.len(), |at| api.spec.span().end + at);
                edits.push((end..end, format!("\ndigest = {quoted}")));
            }
        }
        copies.push((config::accepted_copy(name, &api.spec, &config.dir), bytes, parts));
    }
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    for (span, replacement) in edits {
        text.replace_range(span, &replacement);
    }
    // What is accepted must be what the tools can be made of.
    let (accepted, _) = config::parse(&config.path, text.clone())?;
    compile(&accepted, Secrets::Verify)?;
    for (path, bytes, parts) in &copies {
        put(path, bytes)?;
        write::write_or_remove(&catalog::parts_beside(path), parts.as_deref())
            .map_err(|error| Failed::File(format!("cannot write {}: {error}", path.display())))?;
    }
    if text != **config.file.text() {
        put(&config.path, text.as_bytes())?;
    }
    eprintln!("accepted: {} descriptions, in {}", copies.len(), config.path.display());
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), Failed> {
    write::write(path, bytes)
        .map_err(|error| Failed::File(format!("cannot write {}: {error}", path.display())))
}

// === Between two versions ===

fn between(args: &Args, path: &Path, old: &Path, new: &Path) -> Result<Vec<Compared>, Failed> {
    let is_config = |path: &Path| path.extension().is_some_and(|extension| extension == "toml");
    match (is_config(old), is_config(new)) {
        (true, true) => configurations(args, old, new),
        (false, false) => descriptions(args, path, old, new),
        _ => {
            let message = "a configuration is compared with a configuration, and a description \
                           with a description";
            Err(Failed::Usage(message.to_owned()))
        }
    }
}

fn configurations(args: &Args, old: &Path, new: &Path) -> Result<Vec<Compared>, Failed> {
    let toolbox = |path: &Path| -> Result<_, Failed> {
        let (config, _) = config::load(path)?;
        Ok(compile(&config, Secrets::Verify)?.toolbox)
    };
    let mut compared = gateway::compare_toolboxes(&toolbox(old)?, &toolbox(new)?);
    compared.retain(|tool| wanted(args, &tool.api));
    Ok(compared)
}

fn descriptions(args: &Args, path: &Path, old: &Path, new: &Path) -> Result<Vec<Compared>, Failed> {
    let config = if path.exists() { Some(config::load(path)?.0) } else { None };
    let named = match (&args.api, &config) {
        (None, None) => None,
        (Some(api), Some(config)) if config.apis.get(api).is_some() => Some(api.clone()),
        (Some(api), _) => {
            return Err(Failed::Usage(format!("there is no [api.{api}] in {}", path.display())));
        }
        (None, Some(config)) => described_by(config, &[new, old]),
    };
    let api = match &named {
        Some(api) => api.clone(),
        None => ApiName::new("api").expect("a plain word"),
    };
    // Changes to the description, and what it may refer to, are those of its API.
    let table = named.as_ref().and_then(|api| config.as_ref()?.apis.get(api));
    let origin = config.as_ref().zip(table).map(|(config, api)| gateway::origin(config, api));
    let origin = origin.unwrap_or_default();
    let read = |path: &Path| {
        let origin = Origin { file: path.to_owned(), ..origin.clone() };
        catalog::Api::of_copy(&api, &origin, path).map_err(|error| Failed::File(error.to_string()))
    };
    let (old, new) = (read(old)?, read(new)?);
    let config = match config {
        Some(config) if named.is_some() => config,
        _ => every_operation(&api, &[&old, &new])?,
    };
    Ok(gateway::compare_descriptions(&config, &api, old, &new)?)
}

/// The API whose description one of the files is.
fn described_by(config: &Config, files: &[&Path]) -> Option<ApiName> {
    let whole = |path: &Path| path.canonicalize().ok();
    let named = |file: &&&Path| {
        config
            .apis
            .iter()
            .find(|(_, api)| {
                let spec = whole(&config.dir.join(&**api.spec));
                spec.is_some() && spec == whole(file)
            })
            .map(|(name, _)| (**name).clone())
    };
    files.iter().find_map(|file| named(&file))
}

/// A configuration in which every operation of the descriptions is a tool.
fn every_operation(api: &ApiName, versions: &[&catalog::Api]) -> Result<Config, Failed> {
    let mut keys: Vec<&str> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for operation in versions.iter().flat_map(|version| &version.operations) {
        let key = operation.id.key.as_str();
        if known.insert(key) {
            keys.push(key);
        }
    }
    let mut text = format!("[api.{api}]\nspec = \"-\"\n");
    for key in keys {
        let key = toml::Value::String(key.to_owned());
        write!(text, "[[tool]]\napi = \"{api}\"\noperation = {key}\n").expect("a String takes it");
    }
    Ok(config::parse(Path::new("-"), text)?.0)
}

// === What is printed ===

fn report(compared: &[Compared], worst: Option<Impact>) -> Value {
    let tools: Vec<Value> = compared
        .iter()
        .map(|tool| {
            json!({
                "tool": tool.tool.as_str(),
                "api": tool.api.as_str(),
                "operation": tool.operation,
                "impact": change::impact(&tool.changes),
                "changes": tool.changes,
            })
        })
        .collect();
    json!({"impact": worst, "tools": tools})
}

/// How many changes of one tool a person is shown; the rest is in the report.
const SHOWN: usize = 20;

fn show(compared: &[Compared]) {
    let mut text = String::new();
    let width = compared.iter().map(|tool| tool.tool.as_str().len()).max().unwrap_or(0);
    for tool in compared {
        let Some(impact) = change::impact(&tool.changes) else { continue };
        let operation = super::clean(&tool.operation, 80);
        writeln!(text, "{:width$}  {impact:10}  {}: {operation}", tool.tool, tool.api)
            .expect("a String takes it");
        for change in tool.changes.iter().take(SHOWN) {
            let place = if change.pointer.is_empty() { "the tool" } else { &change.pointer };
            let line = format!("{place}: {}", change.message);
            writeln!(text, "  {:10}  {}", change.impact, super::clean(&line, 300))
                .expect("a String takes it");
        }
        if let Some(more) = tool.changes.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            writeln!(text, "  and {more} more; --json lists them all").expect("a String takes it");
        }
    }
    super::print(&text);
    let count = |wanted: Option<Impact>| {
        compared.iter().filter(|tool| change::impact(&tool.changes) == wanted).count()
    };
    eprintln!(
        "{} tools compared: {} breaking, {} compatible, {} docs only, {} the same",
        compared.len(),
        count(Some(Impact::Breaking)),
        count(Some(Impact::Compatible)),
        count(Some(Impact::DocsOnly)),
        count(None),
    );
}
