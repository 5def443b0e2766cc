//! JSON values as elements, and elements as JSON values, by a plan.
//!
//! Writing is strict: what the plan does not know is refused, and children stand in the
//! plan's order whatever order they came in. Reading is forgiving: what breaks the plan is
//! kept as it came and noted as drift. Numbers go through text alone, never through floating
//! point. It knows nothing of envelopes.
//!
//! Types' lexical forms are those of XML Schema 1.1 part 2 (§3.3).

mod lexical;
mod read;
mod write;

pub(crate) use read::{Reading, free, local};
pub(crate) use write::{Names, fields};

/// The namespace of `xsi:nil` and `xsi:type`.
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Adds a name to a JSON pointer (RFC 6901 §3).
fn pointer(base: &str, name: &str) -> String {
    format!("{base}/{}", name.replace('~', "~0").replace('/', "~1"))
}
