//! The binary as a user and a client have it: a process with arguments, environment, streams,
//! signals and an exit code, in front of a recording API on loopback.
//!
//! Each test has a folder, an API and processes of its own, and everything that it waits for
//! is bounded in time.

mod callers;
mod certificates;
mod clients;
mod commands;
mod configuration;
mod discovery;
mod durability;
mod faults;
mod house;
mod http;
mod issuer;
mod mcp;
mod operators;
mod policies;
mod reload;
mod schemas;
mod secrets;
mod stale;
mod stdio;
mod trail;
mod upstream;
mod web;

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take. Far above what is ever needed, for machines under load.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tries until there is something.
fn patience<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a process of ours.
fn signal(name: &str, process: u32) {
    let sent = std::process::Command::new("kill").args([name, &process.to_string()]).status();
    assert!(sent.expect("there is a kill command").success());
}
