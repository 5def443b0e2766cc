//! `tools.toml` as a checked configuration, with spans and diagnostics.
