//! Tests of the whole: one crate, so that it links once.

#![allow(clippy::unwrap_used)]

mod architecture;
mod cancel;
mod corpus;
mod curation;
mod holds;
mod hostile;
mod layers;
mod money;
mod order;
mod process;
mod recovery;
mod secrets;
mod soap;
mod soap_wire;
mod stage;
mod support;
mod switch;
mod trail;
<<<<<<< HEAD
mod uploads;
=======
mod warehouse;
>>>>>>> 79c574b (Put the warehouse into the demo, the configuration and an example of six tools)
mod windows;
