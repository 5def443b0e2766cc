//! Lists: what was found, and which APIs there are.
//!
//! A list is lines, and no text of a stranger's makes another one. How long it can get is known
//! before: it is read by a model, which pays for each of its tokens.

use std::fmt::Write as _;

use tollbridge_operation::Operation;

use crate::line::line_with;
use crate::notation::one_line;
use crate::search::{ApiShown, Found, Index};

/// The most characters of a word of the query or of an index.
const LONGEST_WORD: usize = 24;

/// How many corrections are told.
const MOST_CORRECTIONS: usize = 2;

/// The most characters of an API's title.
const LONGEST_TITLE: usize = 80;

/// The most APIs in a list.
const MOST_APIS: usize = 50;

/// The most operations in the list of an API.
const MOST_OPERATIONS: usize = 200;

/// Writes what was found, a line each, the best first. `note` says of an operation what its
/// description cannot: that a person must approve it, or what it costs.
///
/// ```text
/// 2 of 7 found; looked for "order" instead of "oders"
/// shop/listOrders() read: List all orders
/// shop/createOrder(body: {…}) write [held, 0.01 USDC]: Place an order
/// ```
pub fn results(found: &Found, note: impl Fn(&Operation) -> String) -> String {
    let mut out = if found.hits.is_empty() {
        "nothing found".to_owned()
    } else {
        format!("{} of {} found", found.hits.len(), found.matched)
    };
    let corrections = found.corrected.iter().take(MOST_CORRECTIONS);
    for (at, (asked, instead)) in corrections.enumerate() {
        let joint = if at == 0 { "; looked for" } else { "," };
        let (asked, instead) = (word(asked), word(instead));
        let _ = write!(out, "{joint} \"{instead}\" instead of \"{asked}\"");
    }
    for hit in &found.hits {
        out.push('\n');
        out.push_str(&line_with(&hit.operation, &note(&hit.operation)));
    }
    out
}

/// Writes which APIs there are of which something can be seen, a line each, by name: how many of
/// their operations can be seen, and their titles. The last line counts those left out.
///
/// ```text
/// mail (2 operations): Letters and messages
/// shop (1 operation): Orders
/// ```
pub fn apis(index: &Index) -> String {
    let all = index.apis().count();
    let mut lines: Vec<String> = index.apis().take(MOST_APIS).map(|api| heading(&api)).collect();
    if all > MOST_APIS {
        lines.push(format!("and {} more APIs", all - MOST_APIS));
    }
    lines.join("\n")
}

/// Writes what an API is and which of its operations can be seen, a line each, by id. The last line
/// counts those left out. `None` where nothing of it can be seen. `note` as for [`results`].
///
/// ```text
/// shop (2 operations): Orders
/// shop/createOrder(body: {…}) write [held]: Place an order
/// shop/listOrders() read: List all orders
/// ```
pub fn api(index: &Index, name: &str, note: impl Fn(&Operation) -> String) -> Option<String> {
    let api = index.apis().find(|api| api.name.as_str() == name)?;
    let mut lines = vec![heading(&api)];
    let all = index.operations().filter(|operation| operation.id.api == api.name);
    lines.extend(all.take(MOST_OPERATIONS).map(|one| line_with(one, &note(one))));
    if api.operations > MOST_OPERATIONS {
        let left = api.operations - MOST_OPERATIONS;
        lines.push(format!("and {left} more: search for api:{name} and what is to be done"));
    }
    Some(lines.join("\n"))
}

/// An API on one line.
fn heading(api: &ApiShown) -> String {
    let plural = if api.operations == 1 { "" } else { "s" };
    let title = one_line(&api.title, LONGEST_TITLE);
    let title = if title.is_empty() { title } else { format!(": {title}") };
    format!("{} ({} operation{plural}){title}", api.name, api.operations)
}

/// A word that can stand in quotes.
fn word(text: &str) -> String {
    one_line(text, LONGEST_WORD).replace('"', "'")
}
