//! Tests of the whole: one crate, so that it links once.

#![allow(clippy::unwrap_used)]

mod approvals;
mod architecture;
mod budgets;
mod cancel;
mod clocks;
mod conduct;
mod corpus;
mod credentials;
mod curation;
mod discovery;
mod erasure;
mod faults;
mod flow;
mod holds;
mod hostile;
mod kept_back;
mod layers;
mod links;
mod login;
mod money;
mod order;
mod polling;
mod process;
mod protection;
mod reasons;
mod recovery;
mod resources;
mod reuse;
mod secrets;
mod signed;
mod soap;
mod soap_wire;
mod stage;
mod support;
mod switch;
mod tasks;
mod telemetry;
mod tokens;
mod traces;
mod trail;
mod uploads;
mod warehouse;
mod webhook;
mod windows;
