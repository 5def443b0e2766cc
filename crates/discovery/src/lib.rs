//! Finding the operation that one needs among thousands, and saying what it takes in few tokens.
//!
//! Two halves that know nothing of each other:
//!
//! - [`Corpus`] and [`Index`]: operations are analysed once, and an index is made of those of them
//!   that somebody may discover. What is in no index is in no result, no count and no statistic:
//!   an index is built as if nothing else existed, so scores tell nothing of the rest.
//! - the notation: a JSON Schema as a typed signature that [`parse`] reads back to an equivalent
//!   schema, and one line an operation for lists of results.
//!
//! Descriptions are input from strangers. Each text is cut before it is read, a word counts for
//! no more by being repeated, and no text can leave its place in what is written here.
//!
//! This crate must not know MCP, configuration, policy or who is asking.

mod describe;
#[cfg(test)]
mod describe_tests;
mod example;
mod line;
mod listing;
#[cfg(test)]
mod listing_tests;
mod notation;
mod search;
#[cfg(test)]
mod testing;

pub use describe::{describe, id, types};
pub use example::example;
pub use line::{LONGEST_LINE, line, line_with};
pub use listing::{api, apis, results};
pub use notation::{NotationError, constraints, parse, write};
pub use search::{ApiShown, Corpus, Filter, Found, Hit, Index, MAX_QUERY};
