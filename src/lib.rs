//! Tollbridge lets AI agents call REST and SOAP APIs through the Model Context Protocol:
//! a curated set of typed tools, called within hard limits, recorded before they have an
//! effect, and paid for per call.
//!
//! `ARCHITECTURE.md` is the map. A folder is one concept; each uses those above it in this
//! list and never the other way round:

pub mod secret;
pub mod store;

pub mod identity;

pub mod catalog;
pub mod config;
pub mod tools;

pub mod safety;
pub mod settlement;

pub mod bridge;

pub mod audit;
pub mod observe;

pub mod gateway;

pub mod agent;
pub mod dashboard;
pub mod demo;

pub mod cli;
