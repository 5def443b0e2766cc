//! The `tollbridge` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A description is a tree of many small values, and so are schemas and answers.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tollbridge::cli::main()
}
