//! A JSON Schema in few tokens, without losing a constraint.
//!
//! What is written looks like a type of TypeScript, with what TypeScript cannot say in brackets
//! after it. [`parse`] reads it back to a schema that accepts the same values, so nothing that
//! binds an argument is left out; titles, examples and the like are. The grammar:
//!
//! ```text
//! type     = alt { "|" alt }            any of them; literals alone are an enumeration
//! alt      = sum { "&" sum }            all of them
//! sum      = post { "+" post }          the keywords of all of them in one schema
//! post     = [ "~" ] prim { suffix }    "~": of that kind only as far as it is of that type
//! prim     = names | literal | "(" type ")" | [ "exact" ] "{" members "}"
//!          | ( "anyOf" | "allOf" | "oneOf" | "prefixItems" | "not" ) "(" type { "," type } ")"
//! names    = name { "/" name }          types, or one declared name; "self" is the whole
//! suffix   = "?"                        or null
//!          | "(" facet { "," facet } ")"
//!          | "[" [ range ] [ "unique" ] "]"   a list of them
//!          | "!" JSON object            keywords that have no notation
//! members  = { key [ "?" ] ":" type [ "=" JSON ] | "[" pattern "]" ":" type | "..." type }
//! facet    = range | ">" number | "<" number | "step" number | pattern | format
//! range    = [ number ] ".." [ number ] lengths of strings, sizes of objects, values of numbers
//! pattern  = "/" expression "/" | "re" JSON string
//! ```
//!
//! An object may have members that are not listed, unless it is `exact`. `//` begins a comment to
//! the end of the line. Types that are used by name follow, one `type Name = …` a line.
//!
//! Names and texts are a stranger's. A name that is not plain is written as a JSON string, a text
//! stands in a comment of one line, and characters that a reader cannot see are escaped or left
//! out: nothing of theirs can end where it stands.

mod constraints;
mod lex;
mod read;
mod text;
mod write;

#[cfg(test)]
mod tests;

pub use constraints::constraints;
pub use read::{NotationError, parse};
pub use write::write;

pub(crate) use text::{json_text, one_line, written_name};
pub(crate) use write::{Style, Writer, definitions};

/// What is no name of a declared type without quotes.
const RESERVED: &[&str] = &[
    "any",
    "never",
    "null",
    "boolean",
    "integer",
    "number",
    "string",
    "object",
    "array",
    "true",
    "false",
    "self",
    "exact",
    "not",
    "oneOf",
    "anyOf",
    "allOf",
    "prefixItems",
    "type",
    "step",
    "re",
    "format",
    "unique",
];

/// The types of JSON Schema, and so of the notation.
const TYPES: &[&str] = &["null", "boolean", "integer", "number", "string", "object", "array"];
