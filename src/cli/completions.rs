//! `tollbridge completions`: completions for a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Exit};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tollbridge", &mut script);
    super::print(&String::from_utf8_lossy(&script));
    Exit::Done
}
