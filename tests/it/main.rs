//! Tests of the whole: one crate, so that it links once.

#![allow(clippy::unwrap_used)]

mod architecture;
mod cancel;
mod holds;
mod layers;
mod money;
mod recovery;
mod secrets;
mod soap;
mod support;
mod switch;
mod trail;
mod windows;
