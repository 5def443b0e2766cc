//! Tests of the whole: one crate, so that it links once.

mod architecture;
mod process;
