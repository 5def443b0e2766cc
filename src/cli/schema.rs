//! `tollbridge schema`: the JSON Schema of the configuration file, for editors.

use super::Exit;
use crate::config;

pub(super) fn run() -> Exit {
    super::print_json(&config::schema());
    Exit::Done
}
