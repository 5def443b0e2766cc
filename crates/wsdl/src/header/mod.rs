//! The header of a message: blocks from arguments and from the configuration on the way out,
//! blocks as values on the way back.
//!
//! What the configuration fixes takes the place of an argument of its name, so no argument has
//! a say over it. This room knows no body.

mod addressing;
mod answer;
mod fixed;
mod security;

use serde_json::{Map, Value};
use tollbridge_operation::{Enclosure, EncodeError, Moment};

pub(crate) use answer::read;
pub(crate) use fixed::check;
pub(crate) use security::UTILITY;

use crate::message::OperationPlan;
use crate::value::{self, Names, Writer};

/// What is enclosed in a message, and when it is written.
#[derive(Clone, Copy)]
pub(crate) struct Enclosed<'a> {
    pub(crate) enclosure: &'a Enclosure,
    pub(crate) moment: &'a Moment<'a>,
}

/// Writes what stands in the header: nothing where there is nothing.
pub(crate) fn write(
    plan: &OperationPlan,
    headers: Option<&Value>,
    enclosed: Option<Enclosed<'_>>,
) -> Result<(Vec<u8>, Names), EncodeError> {
    let mut out = Writer::new(&plan.types, Names::default(), false);
    let none = Map::new();
    let headers = match headers {
        None => &none,
        Some(Value::Object(headers)) => headers,
        Some(_) => {
            return Err(EncodeError { pointer: "/headers".into(), expected: "an object".into() });
        }
    };
    let known = |name: &str| plan.headers.iter().any(|header| header.key() == name);
    if let Some(stranger) = headers.keys().find(|name| !known(name)) {
        let names: Vec<&str> = plan.headers.iter().map(|header| header.key()).collect();
        return Err(EncodeError {
            pointer: value::pointer("/headers", stranger),
            expected: format!("no such header; there are: {}", names.join(", ")),
        });
    }
    let blocks = enclosed.map(|enclosed| enclosed.enclosure.blocks.as_slice()).unwrap_or_default();
    for header in &plan.headers {
        let at = value::pointer("/headers", header.key());
        match blocks.iter().find(|block| fixed::is_for(block, header)) {
            Some(block) => fixed::declared(&mut out, plan, header, &block.value, &at)?,
            None => {
                if let Some(said) = headers.get(header.key()) {
                    out.element(header, said, &at)?;
                }
            }
        }
    }
    for block in blocks.iter().filter(|block| plan.headers.iter().all(|h| !fixed::is_for(block, h)))
    {
        fixed::undeclared(&mut out, plan, block)?;
    }
    if let Some(Enclosed { enclosure, moment }) = enclosed {
        if is_addressed(plan, enclosure) {
            addressing::write(&mut out, &plan.addressing, moment)?;
        }
        if let Some(security) = &enclosure.security {
            security::write(&mut out, security, &plan.wanted, moment)?;
        }
    }
    Ok(out.finish())
}

/// Whether a header is another one each time: a password as text alone is not.
pub(crate) fn is_momentary(plan: &OperationPlan, enclosure: &Enclosure) -> bool {
    is_addressed(plan, enclosure)
        || enclosure.security.as_ref().is_some_and(|said| {
            security::is_digest(said, &plan.wanted)
                || security::validity(said, &plan.wanted).is_some()
        })
}

/// By the configuration, else by the WSDL.
fn is_addressed(plan: &OperationPlan, enclosure: &Enclosure) -> bool {
    enclosure.addressing.unwrap_or(plan.addressing.wanted)
}
