//! The `tollbridge` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    tollbridge::cli::main()
}
