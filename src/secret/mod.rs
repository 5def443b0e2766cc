//! Secrets: references to them, their values, and keeping them out of everything else.
