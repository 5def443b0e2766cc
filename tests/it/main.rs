//! Tests of the whole: one crate, so that it links once.

#![allow(clippy::unwrap_used)]

mod architecture;
mod holds;
mod layers;
mod money;
mod support;
mod switch;
mod trail;
mod windows;
