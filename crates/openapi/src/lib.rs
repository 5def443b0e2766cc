//! OpenAPI documents into neutral operations, and the REST binding.
