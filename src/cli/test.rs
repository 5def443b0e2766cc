//! `tollbridge test`: what policies decide, tried out on cases of a file or on recorded calls.

mod cases;
mod replay;

use std::path::{Path, PathBuf};

use super::{Exit, context};
use crate::audit::Time;
use crate::gateway::Secrets;

/// Arguments of `test`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files with cases; by default `policies/*.test.toml` beside the configuration.
    #[arg(value_name = "FILE", conflicts_with = "replay")]
    files: Vec<PathBuf>,
    /// Decide recorded calls anew under the policies as they are, and show what would change.
    #[arg(long)]
    replay: bool,
    /// With `--replay`: only calls since then: a time (RFC 3339), a date, or how long ago.
    #[arg(long, value_name = "T", value_parser = super::trace::since, requires = "replay")]
    since: Option<Time>,
    /// With `--replay`: at most so many calls, the newest.
    #[arg(long, value_name = "N", default_value_t = 10_000, requires = "replay")]
    limit: u32,
    /// With `--replay`: the store, instead of the configuration's: `sqlite:FILE`.
    #[arg(long, value_name = "URL", requires = "replay")]
    store: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, config: &Path) -> Exit {
    let loaded = match context::load(config, Secrets::Verify) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    if args.replay {
        return replay::run(&args, &loaded, config).await;
    }
    let files = if args.files.is_empty() { usual(&loaded.config.dir) } else { args.files };
    if files.is_empty() {
        eprintln!("error: there is no file with cases");
        eprintln!("  help: name one, or write policies/NAME.test.toml beside {}", config.display());
        return Exit::Usage;
    }
    cases::run(&files, &loaded.toolbox, &loaded.config, args.json)
}

/// `policies/*.test.toml`.
fn usual(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir.join("policies")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".test.toml"))
        .collect();
    files.sort();
    files
}
