//! Tests of the whole: one crate, so that it links once.

mod architecture;
mod layers;
mod process;
mod soap;
mod stage;
