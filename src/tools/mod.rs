//! Curation: an operation as an agent sees it.
