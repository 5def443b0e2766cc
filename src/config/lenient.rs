//! What operators' commands need of the file though the rest of it is wrong.
//!
//! A kill switch that only works while every other line is right is none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codes;
use super::diagnostic::{Diagnostic, Diagnostics, SourceFile};
use super::values::StorePath;
use crate::secret::SecretRef;

/// The reference to the key that signs the trail, and the folder that it is relative to; `None`
/// where the file names none, or cannot be read.
pub fn signing_key(path: &Path) -> Option<(SecretRef, PathBuf)> {
    let table: toml::Table = std::fs::read_to_string(path).ok()?.parse().ok()?;
    let reference = table.get("audit")?.get("signing_key")?.as_str()?.parse().ok()?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some((reference, dir.to_owned()))
}

/// The store's URL, from `[audit] store` alone; its default where the key is not there. An
/// error where the file cannot be read or is no TOML: to guess would stop the wrong server.
pub fn store_url(path: &Path) -> Result<String, Diagnostics> {
    let fail = |code, message: String| {
        let file = Arc::new(SourceFile::new(path.display().to_string(), "", Vec::new()));
        Diagnostics::from_iter([Diagnostic::error(code, &file, message)])
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| fail(codes::UNREADABLE, format!("cannot be read: {error}")))?;
    let table: toml::Table = text
        .parse()
        .map_err(|_| fail(codes::SYNTAX, "is no TOML, so the store is not known".to_owned()))?;
    let named = table.get("audit").and_then(|audit| audit.get("store"));
    let store = match named {
        None => StorePath::default(),
        Some(store) => store
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| fail(codes::MALFORMED, "[audit] store is no store".to_owned()))?,
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(store.url(dir))
}
