//! What the tests of the whole share: an upstream on loopback that does as it is told and
//! keeps what reached it, a folder with a description and a configuration, and a bridge in
//! this process between the two.

#![allow(dead_code, reason = "each group of tests uses its own part of it")]

mod authority;
mod bridge;
mod folder;
mod soap;
mod upstream;

pub(crate) use authority::{Authority, Manners, key_pair};
pub(crate) use bridge::{Bridge, Draft, caller, code, events, failure, request, value};
pub(crate) use folder::Folder;
pub(crate) use soap::{STOCK_REQUEST, envelope, stock_operation, stock_wsdl};
pub(crate) use upstream::{Act, Answer, Seen, Upstream};
