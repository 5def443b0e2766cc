//! Descriptions that are not the ones that were accepted, and what becomes of their tools.
//!
//! The configuration pins a description by its digest, and a copy of what was accepted is
//! kept beside the others. Both are read by this version of tollbridge and compared as the
//! tools that they make, so what differs is the description and nothing else. A tool that
//! differs stays listed as it was accepted (its new words may be meant to mislead), and its
//! calls are refused; the others go on.

use std::path::PathBuf;

use tollbridge_operation::{ApiName, ToolName};

use crate::catalog::{self, Origin};
use crate::config::{self, Api, Config, Diagnostic, Diagnostics, Digest, Located, codes};
use crate::tools::{Change, Impact};

/// How an API's description stands to the one that was accepted.
#[derive(Debug)]
pub(super) enum Standing {
    /// It is that one, or none was pinned.
    Accepted,
    /// It is another. With the accepted one, where its copy is there.
    Changed(Option<Box<catalog::Api>>),
}

/// A tool of an API whose description changed, compared with the accepted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The API.
    pub api: ApiName,
    /// The tool.
    pub tool: ToolName,
    /// Its operation, as the configuration names it.
    pub operation: String,
    /// What differs, the severest first; nothing where the tool is the same.
    pub changes: Vec<Change>,
}

/// Judges a description by its digest.
pub(super) fn standing(
    config: &Config,
    name: &ApiName,
    api: &Api,
    origin: &Origin,
    current: &catalog::Api,
    sources: &mut Vec<PathBuf>,
    found: &mut Diagnostics,
) -> Standing {
    let Some(pinned) = api.digest.as_ref().filter(|pinned| pinned.0 != current.digest) else {
        return Standing::Accepted;
    };
    let path = config::accepted_copy(name, &api.spec, &config.dir);
    sources.extend([path.clone(), catalog::parts_beside(&path)]);
    let accepted = accepted(name, origin, pinned, &path);
    let mut message = format!("the description of `{name}` is not the one that was accepted");
    if let Err(reason) = &accepted {
        message = format!("{message}, and there is nothing to compare it with: {reason}");
    }
    found.push(
        Diagnostic::warning(codes::CHANGED, &config.file, message).at(pinned.span()).help(
            "`tollbridge diff` says what that changes; `tollbridge diff --accept` accepts it",
        ),
    );
    Standing::Changed(accepted.ok().map(Box::new))
}

fn accepted(
    name: &ApiName,
    origin: &Origin,
    pinned: &Located<Digest>,
    path: &std::path::Path,
) -> Result<catalog::Api, String> {
    let copy = catalog::Api::of_accepted(name, origin, path).map_err(|error| error.to_string())?;
    if copy.digest == pinned.0 {
        return Ok(copy);
    }
    let (path, parts) = (path.display(), catalog::parts_beside(path));
    let parts = parts.display();
    Err(format!("{path}, or what {parts} has of its other parts, is not what was pinned"))
}

/// What is said of a tool that cannot be compared.
pub(super) fn unknown() -> Vec<Change> {
    let message = "the description that was accepted is not there to compare with";
    vec![Change::of_tool(Impact::Breaking, message)]
}

/// What is said of a tool whose operation the description no longer has, or spoilt.
pub(super) fn lost(reason: &str) -> Vec<Change> {
    vec![Change::of_tool(Impact::Breaking, reason)]
}

/// Reports a tool that is, or would be, quarantined.
pub(super) fn diagnostic(
    config: &Config,
    entry: &config::Tool,
    name: &ToolName,
    changes: &[Change],
    quarantined: bool,
) -> Diagnostic {
    let what = if quarantined { "is quarantined" } else { "changed" };
    let message = format!("`{name}` {what}, {}", words(changes));
    Diagnostic::warning(codes::QUARANTINED, &config.file, message).at(entry.operation.span())
}

/// The severest of the changes, and how many more there are.
pub(super) fn words(changes: &[Change]) -> String {
    let first = changes.first().map(|change| {
        let place = if change.pointer.is_empty() { "" } else { ": " };
        format!("{} change{}{}: {}", change.impact, place, change.pointer, change.message)
    });
    let more = match changes.len() {
        0 | 1 => String::new(),
        all => format!(" (and {} more)", all - 1),
    };
    format!("{}{more}", first.unwrap_or_default())
}
