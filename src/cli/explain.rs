//! `tollbridge explain`: what the code of a diagnostic means, and the mend.

use super::Exit;
use crate::config;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The code: `TB0101`.
    code: String,
}

pub(super) fn run(args: &Args) -> Exit {
    match config::explain(&args.code) {
        Some(text) => {
            super::print(&format!("{text}\n"));
            Exit::Done
        }
        None => {
            eprintln!("error: `{}` is no code of a diagnostic", args.code);
            Exit::Usage
        }
    }
}
