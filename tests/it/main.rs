//! Tests of the whole: one crate, so that it links once.

mod architecture;
mod command_line;
mod layers;
mod process;
mod soap;
mod stage;
