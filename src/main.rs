//! The `tollbridge` command.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// What one thread allocates another one frees: a call's events go to the database's thread. The
/// system's allocator takes a lock for each of those, for which both threads wait.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tollbridge::cli::main()
}
