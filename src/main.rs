//! The `tollbridge` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A description is a tree of many small values. And what one thread allocates another one frees: a
/// call's task moves between two. The system's allocator takes a lock for that, for which both wait.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tollbridge::cli::main()
}
