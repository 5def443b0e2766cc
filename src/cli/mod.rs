//! The command line: one file a command. Parse, call the library, print.
//!
//! Standard output is data, standard error is talk. With `--json` a command prints one JSON
//! document. Exit codes are those of [`Exit`].

mod approve;
mod as_whom;
mod call;
mod check;
mod completions;
mod context;
mod db;
mod demo;
mod diff;
mod exit;
mod explain;
mod fault_upstream;
mod import;
mod keeping;
mod key;
mod login;
mod schema;
mod search;
mod serve;
mod switch;
mod telemetry;
mod test;
mod tools;
mod trace;
mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::Exit;

use crate::observe::{self, LogOptions};

/// Lets AI agents call APIs through MCP, within hard limits, audited and paid per call.
#[derive(Debug, Parser)]
#[command(name = "tollbridge", version, max_term_width = 100)]
struct Cli {
    /// The configuration.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "TOLLBRIDGE_CONFIG",
        default_value = "tools.toml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show it at work: bundled APIs, a bridge before them, and a scripted day.
    Demo(demo::Args),
    /// Propose tools from API descriptions, or add them to the configuration.
    Import(import::Args),
    /// Validate configuration and descriptions, offline.
    Check(check::Args),
    /// Compare tools with what was accepted, or two versions of a description or configuration.
    Diff(diff::Args),
    /// Serve MCP, over standard input and output or over HTTP.
    Serve(serve::Args),
    /// List the tools that an agent sees.
    Tools(tools::Args),
    /// Find operations as an agent does: by words, or which APIs there are.
    Search(search::SearchArgs),
    /// Describe operations as an agent is told of them.
    Describe(search::DescribeArgs),
    /// Make one call through every layer, as an agent's call would go.
    Call(call::Args),
    /// Try out what policies decide, on cases of a file or on recorded calls.
    Test(test::Args),
    /// Read the audit trail.
    Trace(trace::Args),
    /// Back the store up, and look at it.
    Db(db::Args),
    /// Decide on held calls.
    Approve(approve::Args),
    /// Stop calls: all, or those of an API, a tool or an identity.
    Stop(switch::Args),
    /// Let stopped calls through again.
    Resume(switch::Args),
    /// Make, list and revoke inbound API keys.
    Key(key::Args),
    /// Log in at an API, so that it can be called for a person.
    Login(login::Args),
    /// Serve an API on loopback that fails as it is told, to try out what becomes of calls.
    FaultUpstream(fault_upstream::Args),
    /// Print the JSON Schema of the configuration file.
    Schema,
    /// Tell what the code of a diagnostic means.
    Explain(explain::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let logging = LogOptions::from_env(|name| std::env::var(name).ok())
        .and_then(|options| observe::init_logging(&options));
    if let Err(error) = logging {
        eprintln!("error: {error}");
        return Exit::Usage.into();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(dispatch(cli));
    // A blocked read of standard input must not keep the process.
    runtime.shutdown_background();
    exit
}

async fn dispatch(cli: Cli) -> ExitCode {
    let config = cli.config;
    match cli.command {
        Command::Demo(args) => demo::run(args).await.into(),
        Command::Import(args) => import::run(args, &config).await,
        Command::Check(args) => check::run(&args, &config).await.into(),
        Command::Diff(args) => diff::run(&args, &config).into(),
        Command::Serve(args) => Box::pin(serve::run(args, &config)).await.into(),
        Command::Tools(args) => tools::run(&args, &config).into(),
        Command::Search(args) => search::search(&args, &config).into(),
        Command::Describe(args) => search::describe(&args, &config).into(),
        Command::Call(args) => Box::pin(call::run(args, &config)).await.into(),
        Command::Test(args) => test::run(args, &config).await.into(),
        Command::Trace(args) => trace::run(args, &config).await.into(),
        Command::Db(args) => db::run(args, &config).await.into(),
        Command::Approve(args) => approve::run(args, &config).await.into(),
        Command::Stop(args) => switch::stop(args, &config).await.into(),
        Command::Resume(args) => switch::resume(args, &config).await.into(),
        Command::Key(args) => key::run(args, &config).await.into(),
        Command::Login(args) => Box::pin(login::run(args, &config)).await.into(),
        Command::FaultUpstream(args) => fault_upstream::run(args).await.into(),
        Command::Schema => schema::run().into(),
        Command::Explain(args) => explain::run(&args).into(),
        Command::Completions(args) => completions::run(&args).into(),
    }
}

/// Prints to standard output. A reader that went away (`| head`) ends the process quietly,
/// as other tools do.
fn print(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Prints one JSON document.
fn print_json(value: &serde_json::Value) {
    print(&format!("{value:#}\n"));
}

/// Text of strangers on a terminal: nothing in it can act on the terminal or change the
/// order in which a person reads it, and it is not too long.
fn clean(text: &str, most: usize) -> String {
    let shown = |c: char| if c.is_control() || reorders(c) { '·' } else { c };
    let mut clean: String = text.chars().take(most).map(shown).collect();
    if text.chars().nth(most).is_some() {
        clean.push('…');
    }
    clean
}

/// Characters that are not seen and make others stand elsewhere (UAX #9 §2), break the line
/// or stand for nothing: what a person approves must be what they read.
fn reorders(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn a_stranger_s_text_acts_on_no_terminal() {
        let text = "a\u{1b}[2J\u{9b}2J\u{202e}b\u{2028}c\u{200b}";
        assert_eq!(clean(text, 80), "a·[2J·2J·b·c·");
        assert_eq!(clean("äöü", 2), "äö…");
    }
}
