//! The header blocks of an answer, as values.
//!
//! A block that the WSDL has is read by its schema, another as it comes. What belongs to the
//! exchange and not to the answer (WS-Addressing, WS-Security) is passed over. A block that must
//! be understood and is not known is told as drift: the answer is there, and what it says of
//! itself may be missing something.

use serde_json::{Map, Value};
use tollbridge_operation::Drift;
use tollbridge_xml::Element as Node;

use crate::message::{OperationPlan, SoapVersion};
use crate::value::{Reading, free};

/// Blocks that are kept of one answer.
const MAX_BLOCKS: usize = 32;

/// Reads the blocks by their local names; one that comes again is a list.
pub(crate) fn read(
    header: Option<&Node>,
    plan: &OperationPlan,
) -> (Map<String, Value>, Vec<Drift>) {
    let mut found = Map::new();
    let mut drift = Vec::new();
    for block in header.into_iter().flat_map(Node::elements).take(MAX_BLOCKS) {
        let namespace = block.namespace.as_deref().unwrap_or_default();
        if is_of_the_exchange(namespace) {
            continue;
        }
        let known = plan.answer_headers.iter().find(|header| header.name.names(block));
        let mut reading = Reading::new(&plan.types);
        let value = match known {
            Some(header) => reading.element(block, header),
            None => free(block),
        };
        drift.extend(reading.into_drift().into_iter().map(|place| Drift {
            pointer: String::new(),
            message: format!("in the header `{}`: {}", block.name, place.message),
        }));
        if known.is_none() && must_be_understood(block) {
            drift.push(Drift {
                pointer: String::new(),
                message: format!(
                    "the header `{}` must be understood, and the description says nothing of it",
                    block.name
                ),
            });
        }
        match found.get_mut(&block.name) {
            // A block's own list would have come with its first.
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                found.insert(block.name.clone(), value);
            }
        }
    }
    (found, drift)
}

/// WS-Addressing in all its versions, WS-Security and what signs and encrypts for it.
fn is_of_the_exchange(namespace: &str) -> bool {
    namespace.contains("/addressing")
        || namespace.contains("oasis-200401-wss-wssecurity")
        || namespace.contains("oasis-wss-wssecurity")
}

/// SOAP 1.1 §4.2.3, SOAP 1.2 part 1 §5.2.3.
fn must_be_understood(block: &Node) -> bool {
    [SoapVersion::V1_1, SoapVersion::V1_2].iter().any(|version| {
        let said = block.attribute(Some(version.namespace()), "mustUnderstand");
        matches!(said.map(str::trim), Some("1" | "true"))
    })
}
