//! `tollbridge import`: from descriptions of APIs to a proposed `tools.toml`.
//!
//! A description is fetched or read (`source`), what becomes a tool is selected (`select`),
//! and the proposal is added to the end of the configuration's text (`propose`), which stays
//! as it is otherwise. What would be written is loaded first: this command never leaves a
//! file behind that does not load. It never prompts.

mod credentials;
mod documents;
mod propose;
mod select;
mod servers;
mod source;
pub(super) mod write;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use tollbridge_operation::{ApiName, Effect};

use crate::config::{self, BaseUrl, Config, Diagnostics, Style};
use crate::tools::TOKENIZER;
use propose::{Proposal, Status};
use select::Selection;
use source::{Fetching, SpecSource};

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("selection").multiple(false))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Args {
    /// Descriptions: files, folders, URLs, or `-` for standard input.
    #[arg(required = true, value_name = "SPEC")]
    specs: Vec<String>,
    /// Where the proposal goes; by default the configuration's file; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The API's name.
    #[arg(long, value_name = "API")]
    name: Option<String>,
    /// Where the API is, instead of where its description says.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// A header for fetching the description; its value is a reference (env:, file:, cred:).
    #[arg(long = "header", value_name = "NAME: REF")]
    headers: Vec<String>,
    /// Make a tool of every operation.
    #[arg(long, group = "selection")]
    all: bool,
    /// Make tools of the operations whose id, or `METHOD /path`, matches: `*` is any text.
    #[arg(long, group = "selection", value_name = "GLOB")]
    select: Vec<String>,
    /// Make tools of the operations with this tag.
    #[arg(long = "tag", group = "selection", value_name = "TAG")]
    tags: Vec<String>,
    /// Make tools of all operations that only read.
    #[arg(long, group = "selection")]
    read_only: bool,
    /// Of these only operations with this HTTP method.
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<String>,
    /// Of these only operations whose path matches: `*` is any text.
    #[arg(long = "path", value_name = "GLOB")]
    paths: Vec<String>,
    /// Of these only operations with this effect.
    #[arg(long = "effect", value_name = "EFFECT")]
    effects: Vec<EffectWord>,
    /// Count what each tool costs in a model's context, and all of them.
    #[arg(long)]
    tokens: bool,
    /// Print a report as JSON; writes nothing unless --out is given.
    #[arg(long)]
    json: bool,
}

/// What an operation may do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EffectWord {
    Read,
    Write,
    Destructive,
}

impl From<EffectWord> for Effect {
    fn from(word: EffectWord) -> Self {
        match word {
            EffectWord::Read => Self::Read,
            EffectWord::Write => Self::Write,
            EffectWord::Destructive => Self::Destructive,
        }
    }
}

/// Why an import ended without a result.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    /// The command line asks for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// The configuration that is to be extended is wrong.
    #[error("the configuration is wrong")]
    Configuration(Diagnostics),
    /// A description cannot be fetched or read, or a file cannot be written.
    #[error("{0}")]
    Failed(String),
}

/// Where the proposal goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// To standard output.
    Stdout,
    /// Into a file.
    File(PathBuf),
    /// Nowhere: only the report is wanted.
    Nowhere,
}

/// Imports descriptions.
pub(super) async fn run(args: Args, config: &Path) -> ExitCode {
    match import(&args, config).await {
        Ok(done) => {
            if args.json {
                print_data(&format!("{:#}\n", done.report));
            } else if let Some(text) = &done.stdout {
                print_data(text);
            }
            ExitCode::SUCCESS
        }
        Err(ImportError::Configuration(diagnostics)) => {
            eprint!("{}", diagnostics.render(Style::of_stderr()));
            ExitCode::from(2)
        }
        Err(ImportError::Usage(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
        Err(ImportError::Failed(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// A reader that went away (`| head`) is no failure of ours.
fn print_data(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _closed_early = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What an import made.
#[derive(Debug)]
struct Imported {
    report: Value,
    stdout: Option<String>,
}

async fn import(args: &Args, config: &Path) -> Result<Imported, ImportError> {
    let target = match (&args.out, args.json) {
        (Some(out), _) if out.as_os_str() == "-" => Target::Stdout,
        (Some(out), _) => Target::File(out.clone()),
        (None, true) => Target::Nowhere,
        (None, false) => Target::File(config.to_owned()),
    };
    let selection = Selection::new(args)?;
    let base_url = base_url(args)?;
    let name = args.name.as_deref().map(api_name).transpose()?;
    let fetching = Fetching::new(&args.headers)?;

    // The file that is extended; on standard output and in a report alone a new one stands
    // for itself, but an API or a name that the configuration has stays taken.
    let extended = match &target {
        Target::File(path) => path.clone(),
        Target::Stdout => PathBuf::from("-"),
        Target::Nowhere => config.to_owned(),
    };
    let existing = existing(&extended)?;
    let folder = match &target {
        Target::Stdout => PathBuf::from("."),
        Target::File(_) | Target::Nowhere => write::folder_of(&extended),
    };

    let mut sources = Vec::new();
    for spec in &args.specs {
        sources.extend(SpecSource::find(spec)?);
    }
    if sources.len() > 1 && (name.is_some() || base_url.is_some()) {
        return Err(ImportError::Usage(
            "--name and --base-url are for one description at a time".to_owned(),
        ));
    }

    let mut proposal = Proposal::new(existing.as_ref(), selection, args.tokens);
    let several = sources.len() > 1;
    let mut passed = Vec::new();
    for source in &sources {
        let spec = source.read(&fetching).await?;
        match proposal.add(spec, name.as_ref(), base_url.as_ref(), &folder, &fetching).await {
            Ok(()) => {}
            // One file of a folder that is no description costs the others nothing.
            Err(ImportError::Failed(message)) if several && source.is_of_folder() => {
                passed.push((source, message));
            }
            Err(error) => return Err(error),
        }
    }
    // A file to which a description refers is none itself, and nobody's mistake.
    for (source, message) in passed {
        if !source.file().is_some_and(|file| proposal.has_part(file)) {
            eprintln!("warning: {message}");
        }
    }
    if proposal.apis().is_empty() {
        return Err(ImportError::Failed("no description was found".to_owned()));
    }
    proposal.every_selector_matched()?;

    let text = proposal.text();
    // The place decides how a diagnostic is read, and nothing else: this text is ours.
    config::parse(&extended, text.clone()).map_err(|diagnostics| match &existing {
        Some(_) => ImportError::Failed(format!(
            "{} cannot be extended at its end; its tables are perhaps written inline:\n{diagnostics}",
            extended.display()
        )),
        None => ImportError::Failed(format!("the proposal does not load:\n{diagnostics}")),
    })?;
    let stdout = match &target {
        Target::Nowhere => None,
        Target::Stdout => {
            proposal.keep_descriptions()?;
            Some(text)
        }
        Target::File(path) => {
            proposal.keep_descriptions()?;
            proposal.keep_accepted()?;
            write::replace(path, &text)?;
            None
        }
    };
    if !args.json {
        tell(&proposal, &target);
    }
    Ok(Imported { report: report(&proposal), stdout })
}

fn existing(path: &Path) -> Result<Option<Config>, ImportError> {
    if !path.exists() {
        return Ok(None);
    }
    config::load(path).map(|(config, _warnings)| Some(config)).map_err(ImportError::Configuration)
}

fn api_name(name: &str) -> Result<ApiName, ImportError> {
    ApiName::new(name).map_err(|error| ImportError::Usage(format!("--name: {error}")))
}

fn base_url(args: &Args) -> Result<Option<BaseUrl>, ImportError> {
    let parse = |url: &String| {
        url.parse().map_err(|error| ImportError::Usage(format!("--base-url: {error}")))
    };
    args.base_url.as_ref().map(parse).transpose()
}

/// Every operation of every description that was imported.
fn report(proposal: &Proposal<'_>) -> Value {
    let operations = proposal.apis().iter().flat_map(|api| {
        api.operations.iter().map(move |operation| {
            let (method, path) = match &operation.endpoint {
                Some(endpoint) => (Some(&endpoint.method), Some(&endpoint.path)),
                None => (None, None),
            };
            let (status, tool, reason) = match &operation.status {
                Status::Tool(name) => ("tool", Some(name.as_str()), None),
                Status::Available(reason) => ("available", None, Some(reason.as_str())),
                Status::Skipped(reason) => ("skipped", None, Some(reason.as_str())),
            };
            let mut row = json!({
                "id": format!("{}/{}", api.name, operation.key),
                "api": api.name.as_str(),
                "method": method,
                "path": path,
                "status": status,
                "tool": tool,
                "reason": reason,
            });
            if let Some(tokens) = operation.tokens {
                row["tokens"] = tokens.into();
            }
            row
        })
    });
    let mut report = json!({"operations": operations.collect::<Vec<_>>()});
    if let Some(tokens) = tokens(proposal) {
        report["tokens"] = tokens.into();
        report["tokenizer"] = TOKENIZER.into();
    }
    report
}

/// What all new tools cost together, where that was counted.
fn tokens(proposal: &Proposal<'_>) -> Option<u32> {
    let operations = proposal.apis().iter().flat_map(|api| &api.operations);
    operations.filter_map(|operation| operation.tokens).reduce(u32::saturating_add)
}

/// How many skipped operations are listed; the rest is in the report.
const LISTED: usize = 20;

/// What was done, for people, on standard error.
fn tell(proposal: &Proposal<'_>, target: &Target) {
    for api in proposal.apis() {
        let count = |wanted: fn(&Status) -> bool| {
            api.operations.iter().filter(|operation| wanted(&operation.status)).count()
        };
        eprintln!(
            "{}: {} ({}), {} operations: {} tools, {} available, {} skipped",
            api.name,
            propose::one_line(&api.title, 60),
            api.format,
            api.operations.len(),
            count(|status| matches!(status, Status::Tool(_))),
            count(|status| matches!(status, Status::Available(_))),
            count(|status| matches!(status, Status::Skipped(_))),
        );
        for operation in &api.operations {
            if let (Status::Tool(name), Some(tokens)) = (&operation.status, operation.tokens) {
                eprintln!("  {tokens:>6} tokens  {name}");
            }
        }
        let skipped = api.operations.iter().filter_map(|operation| match &operation.status {
            Status::Skipped(reason) => Some((&operation.key, reason)),
            _ => None,
        });
        for (key, reason) in skipped.clone().take(LISTED) {
            let key = propose::one_line(key, 80);
            eprintln!("  skipped {key}: {}", propose::one_line(reason, 200));
        }
        if let Some(more) = skipped.count().checked_sub(LISTED).filter(|more| *more > 0) {
            eprintln!("  and {more} more; --json lists them all");
        }
        for note in &api.notes {
            eprintln!("  note: {note}");
        }
    }
    if let Some(tokens) = tokens(proposal) {
        eprintln!("{tokens} tokens in all ({TOKENIZER})");
    }
    if let Target::File(path) = target {
        eprintln!("wrote {}", path.display());
        eprintln!("next: tollbridge check");
    }
}
