//! The bundled upstreams and the scripted day.

pub mod orders;
