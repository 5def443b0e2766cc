//! The bundled upstreams and the scripted day.
