//! WS-Addressing: where a message goes, what it asks for, and what it is called.
//!
//! Web Services Addressing 1.0: Core §3.2, SOAP Binding §2 to §5; and the submission of August
//! 2004, which older services ask for by its namespace. Answers come back over the connection
//! that the message went out on (Core §2.1, the anonymous address).

use std::fmt::Write as _;

use tollbridge_operation::{EncodeError, Moment};

use crate::message::{Addressing, AddressingVersion};
use crate::name::QName;
use crate::value::Writer;

impl AddressingVersion {
    fn namespace(self) -> &'static str {
        match self {
            Self::V1_0 => "http://www.w3.org/2005/08/addressing",
            Self::August2004 => "http://schemas.xmlsoap.org/ws/2004/08/addressing",
        }
    }

    fn anonymous(self) -> &'static str {
        match self {
            Self::V1_0 => "http://www.w3.org/2005/08/addressing/anonymous",
            Self::August2004 => "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous",
        }
    }
}

/// Writes the headers.
pub(super) fn write(
    out: &mut Writer<'_>,
    addressing: &Addressing,
    moment: &Moment<'_>,
) -> Result<(), EncodeError> {
    let version = addressing.version;
    let name = |local: &str| QName::new(Some(version.namespace()), local);
    let at = "/addressing";
    out.leaf_of(&name("Action"), &[], &addressing.action, at)?;
    out.leaf_of(&name("MessageID"), &[], &message_id(&moment.random), at)?;
    out.leaf_of(&name("To"), &[], moment.to, at)?;
    if addressing.answers {
        let reply = out.start(&name("ReplyTo"), &[]);
        out.leaf_of(&name("Address"), &[], version.anonymous(), at)?;
        out.end(&reply);
    }
    Ok(())
}

/// A URN of a random UUID (RFC 9562 §5.4), of bytes that the nonce has no part in.
fn message_id(random: &[u8; 32]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&random[16..]);
    bytes[6] = (bytes[6] & 0x0F) | 0x40;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    let mut id = "urn:uuid:".to_owned();
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        write!(id, "{byte:02x}").expect("a string takes it");
    }
    id
}
