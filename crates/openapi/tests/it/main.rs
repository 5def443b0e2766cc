//! What documents become, and what goes over the wire, seen from outside.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod answers;
mod arguments;
mod bodies;
mod documents;
mod forms;
mod judged;
mod links;
mod mistakes;
mod overlays;
mod parts;
mod properties;
mod readings;
mod references;
mod schemas;
mod security;
mod servers;
mod styles;
mod support;
mod unions;
mod wanted;
mod wire;
mod xml;
