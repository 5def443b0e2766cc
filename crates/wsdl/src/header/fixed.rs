//! Header blocks that the configuration fixes, also such that the WSDL does not mention.
//!
//! A block is named by the local name of a header that the WSDL has, or by `{namespace}name`.
//! A declared one is written by its schema. Of an undeclared one nothing is known but what its
//! value says: members are elements, in the block's own namespace unless their names begin with
//! `{namespace}` (`{}` for none), `@name` an attribute, `#text` text, a list an element that
//! comes again. In either, `#mustUnderstand` and `#actor` are SOAP's own attributes (SOAP 1.1
//! §4.2, SOAP 1.2 part 1 §5.2, where the actor is called a role).

use serde_json::{Map, Value};
use tollbridge_operation::{Enclosure, EncodeError, HeaderBlock};

use super::{Enclosed, write};
use crate::message::{OperationPlan, SoapVersion};
use crate::name::QName;
use crate::plan::Element;
use crate::value::{self, Writer, clark};

/// Whether the block is this declared header.
pub(super) fn is_for(block: &HeaderBlock, header: &Element) -> bool {
    match block.name.strip_prefix('{') {
        None => header.key() == block.name,
        Some(_) => clark(&block.name).as_ref() == Some(&header.name),
    }
}

/// Checks that the blocks can be written, as far as that can be told before a call.
pub(crate) fn check(plan: &OperationPlan, enclosed: Enclosed<'_>) -> Result<(), EncodeError> {
    let enclosure: &Enclosure = enclosed.enclosure;
    for block in &enclosure.blocks {
        if block.name.starts_with('{') && clark(&block.name).is_none() {
            return Err(EncodeError {
                pointer: value::pointer("/headers", &block.name),
                expected: "the name of a header as {namespace}name".to_owned(),
            });
        }
    }
    write(plan, None, Some(enclosed)).map(drop)
}

/// Writes a header that the WSDL has.
pub(super) fn declared(
    out: &mut Writer<'_>,
    plan: &OperationPlan,
    header: &Element,
    said: &Value,
    at: &str,
) -> Result<(), EncodeError> {
    let (said, own) = without_soap(plan.version, said, at)?;
    out.beside = own;
    out.element(header, &said, at)
}

/// Writes a header of which nothing is known; none where the name is of a header that other
/// operations have.
pub(super) fn undeclared(
    out: &mut Writer<'_>,
    plan: &OperationPlan,
    block: &HeaderBlock,
) -> Result<(), EncodeError> {
    if !block.name.starts_with('{') {
        return Ok(());
    }
    let at = value::pointer("/headers", &block.name);
    let Some(name) = clark(&block.name) else {
        return Err(EncodeError { pointer: at, expected: "{namespace}name".to_owned() });
    };
    let (said, own) = without_soap(plan.version, &block.value, &at)?;
    out.beside = own;
    out.anything(&name, &qualified(&said, &name), &at)
}

/// The value without the members that are SOAP's, and those as attributes.
fn without_soap(
    version: SoapVersion,
    said: &Value,
    at: &str,
) -> Result<(Value, Vec<(String, String)>), EncodeError> {
    let Value::Object(members) = said else { return Ok((said.clone(), Vec::new())) };
    let mut rest = members.clone();
    let mut own = Vec::new();
    if let Some(must) = rest.shift_remove("#mustUnderstand") {
        match must {
            // `1` is the word that both versions have.
            Value::Bool(true) => own.push(("soap:mustUnderstand".to_owned(), "1".to_owned())),
            Value::Bool(false) => {}
            _ => {
                return Err(EncodeError {
                    pointer: value::pointer(at, "#mustUnderstand"),
                    expected: "true or false".to_owned(),
                });
            }
        }
    }
    if let Some(actor) = rest.shift_remove("#actor") {
        let uri = actor.as_str().filter(|uri| uri.chars().all(tollbridge_xml::chars::is_xml));
        let Some(uri) = uri else {
            return Err(EncodeError {
                pointer: value::pointer(at, "#actor"),
                expected: "a URI".to_owned(),
            });
        };
        let name = match version {
            SoapVersion::V1_1 => "soap:actor",
            SoapVersion::V1_2 => "soap:role",
        };
        own.push((name.to_owned(), uri.to_owned()));
    }
    // Text beside SOAP's attributes is the value of a simple type.
    if let Some(text) = rest.get("#text").filter(|_| rest.len() == 1 && !own.is_empty()) {
        return Ok((text.clone(), own));
    }
    Ok((Value::Object(rest), own))
}

/// The value with the names of its elements in the block's namespace where they name none.
fn qualified(said: &Value, block: &QName) -> Value {
    match said {
        Value::Array(items) => items.iter().map(|item| qualified(item, block)).collect(),
        Value::Object(members) => {
            let named = members.iter().map(|(name, value)| {
                let name = match (&block.namespace, name.as_bytes().first()) {
                    (Some(uri), Some(first)) if !b"@#{".contains(first) => {
                        format!("{{{uri}}}{name}")
                    }
                    _ => name.clone(),
                };
                (name, qualified(value, block))
            });
            Value::Object(named.collect::<Map<_, _>>())
        }
        scalar => scalar.clone(),
    }
}
