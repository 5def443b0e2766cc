//! The built-in simple types (XML Schema 1.1 part 2 §3), by name.

use super::{SOAP_ENC, SOAP_ENC_12, WSI, XSD};
use crate::name::QName;

/// What the characters of an atomic value must be, and how the value stands in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Atomic {
    /// Characters, each kept.
    String,
    /// Characters, of which tabs and line breaks become spaces.
    Normalized,
    /// Characters without space at the ends or in runs.
    Token,
    /// `xs:language`.
    Language,
    /// `xs:Name`, `xs:NCName` and `xs:NMTOKEN`, whose alphabets differ little.
    Name(NameKind),
    /// `xs:anyURI`.
    Uri,
    /// `xs:boolean`.
    Boolean,
    /// `xs:decimal`.
    Decimal,
    /// `xs:integer` and those derived from it, within bounds that it may have.
    Integer(Option<&'static str>, Option<&'static str>),
    /// `xs:float` and `xs:double`.
    Double,
    /// Dates, times and durations.
    Temporal(Temporal),
    /// `xs:base64Binary`.
    Base64,
    /// `xs:hexBinary`.
    Hex,
    /// `swaRef` of the Attachments Profile 1.0 (§4.4): a part beside the envelope, by its URL on
    /// the wire, and its bytes in JSON.
    Attached,
    /// `xs:QName` and `xs:NOTATION`: `{namespace}local` in JSON.
    QName,
}

/// Which names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameKind {
    /// `xs:Name`.
    Name,
    /// `xs:NCName`, `xs:ENTITY`.
    NcName,
    /// `xs:ID`: one name stands once in a message.
    Id,
    /// `xs:IDREF`: the name of an ID in the message.
    IdRef,
    /// `xs:NMTOKEN`.
    NmToken,
}

/// Which form of a date, time or duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temporal {
    DateTime,
    DateTimeStamp,
    Date,
    Time,
    Year,
    YearMonth,
    Month,
    MonthDay,
    Day,
    Duration,
    DayTimeDuration,
    YearMonthDuration,
}

/// A built-in type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    /// `xs:anyType`, and SOAP encoding's `Struct`: anything at all.
    Anything,
    /// `xs:anySimpleType` and `xs:anyAtomicType`: any text.
    AnySimple,
    /// An atomic type.
    Atomic(Atomic),
    /// A list of an atomic type.
    List(Atomic),
}

/// The built-in type of that name. SOAP's encoding has each of XML Schema's types under its
/// own namespace as well (SOAP 1.1 §5.2.1).
pub(crate) fn builtin(name: &QName) -> Option<Builtin> {
    let encoding = match name.namespace.as_deref() {
        Some(WSI) if &*name.local == "swaRef" => return Some(Builtin::Atomic(Atomic::Attached)),
        Some(XSD) => false,
        Some(SOAP_ENC | SOAP_ENC_12) => true,
        _ => return None,
    };
    let local = match (&*name.local, encoding) {
        ("base64", true) => "base64Binary",
        ("Struct", true) => "anyType",
        (local, _) => local,
    };
    Some(match local {
        "anyType" | "ur-type" => Builtin::Anything,
        "anySimpleType" | "anyAtomicType" => Builtin::AnySimple,
        "NMTOKENS" => Builtin::List(Atomic::Name(NameKind::NmToken)),
        "IDREFS" => Builtin::List(Atomic::Name(NameKind::IdRef)),
        "ENTITIES" => Builtin::List(Atomic::Name(NameKind::NcName)),
        other => Builtin::Atomic(atomic(other)?),
    })
}

fn atomic(local: &str) -> Option<Atomic> {
    let integer = Atomic::Integer;
    Some(match local {
        "string" => Atomic::String,
        "normalizedString" => Atomic::Normalized,
        "token" => Atomic::Token,
        "language" => Atomic::Language,
        "Name" => Atomic::Name(NameKind::Name),
        "NCName" | "ENTITY" => Atomic::Name(NameKind::NcName),
        "ID" => Atomic::Name(NameKind::Id),
        "IDREF" => Atomic::Name(NameKind::IdRef),
        "NMTOKEN" => Atomic::Name(NameKind::NmToken),
        "anyURI" => Atomic::Uri,
        "boolean" => Atomic::Boolean,
        "decimal" => Atomic::Decimal,
        "integer" => integer(None, None),
        "nonPositiveInteger" => integer(None, Some("0")),
        "negativeInteger" => integer(None, Some("-1")),
        "nonNegativeInteger" => integer(Some("0"), None),
        "positiveInteger" => integer(Some("1"), None),
        "long" => integer(Some("-9223372036854775808"), Some("9223372036854775807")),
        "int" => integer(Some("-2147483648"), Some("2147483647")),
        "short" => integer(Some("-32768"), Some("32767")),
        "byte" => integer(Some("-128"), Some("127")),
        "unsignedLong" => integer(Some("0"), Some("18446744073709551615")),
        "unsignedInt" => integer(Some("0"), Some("4294967295")),
        "unsignedShort" => integer(Some("0"), Some("65535")),
        "unsignedByte" => integer(Some("0"), Some("255")),
        "float" | "double" => Atomic::Double,
        "dateTime" => Atomic::Temporal(Temporal::DateTime),
        "dateTimeStamp" => Atomic::Temporal(Temporal::DateTimeStamp),
        "date" => Atomic::Temporal(Temporal::Date),
        "time" => Atomic::Temporal(Temporal::Time),
        "gYear" => Atomic::Temporal(Temporal::Year),
        "gYearMonth" => Atomic::Temporal(Temporal::YearMonth),
        "gMonth" => Atomic::Temporal(Temporal::Month),
        "gMonthDay" => Atomic::Temporal(Temporal::MonthDay),
        "gDay" => Atomic::Temporal(Temporal::Day),
        "duration" => Atomic::Temporal(Temporal::Duration),
        "dayTimeDuration" => Atomic::Temporal(Temporal::DayTimeDuration),
        "yearMonthDuration" => Atomic::Temporal(Temporal::YearMonthDuration),
        "base64Binary" => Atomic::Base64,
        "hexBinary" => Atomic::Hex,
        "QName" | "NOTATION" => Atomic::QName,
        _ => return None,
    })
}

impl Atomic {
    /// Whether every reader of JSON keeps each of its values as a number (32 bits).
    pub(crate) fn is_small(self) -> bool {
        let digits = |bound: Option<&str>| {
            bound.is_some_and(|text| text.trim_start_matches('-').len() <= 10)
        };
        matches!(self, Self::Integer(min, max) if digits(min) && digits(max))
    }

    /// Whether its values are compared as numbers.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Decimal | Self::Integer(..) | Self::Double)
    }

    /// Whether white space in it is kept, replaced, or collapsed (§4.3.6).
    pub(crate) fn space(self) -> Space {
        match self {
            Self::String => Space::Preserve,
            Self::Normalized => Space::Replace,
            _ => Space::Collapse,
        }
    }
}

/// The facet `whiteSpace` (§4.3.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    Preserve,
    Replace,
    Collapse,
}

impl Space {
    /// The text as the type sees it.
    pub(crate) fn apply(self, text: &str) -> std::borrow::Cow<'_, str> {
        let is_break = |c: char| matches!(c, '\t' | '\n' | '\r');
        match self {
            Self::Preserve => text.into(),
            Self::Replace if !text.contains(is_break) => text.into(),
            Self::Replace => text.replace(is_break, " ").into(),
            Self::Collapse => {
                let space = tollbridge_xml::chars::is_space;
                let is_clean = !text.contains(is_break)
                    && !text.contains("  ")
                    && !text.starts_with(' ')
                    && !text.ends_with(' ');
                if is_clean {
                    text.into()
                } else {
                    let words: Vec<&str> = text.split(space).filter(|w| !w.is_empty()).collect();
                    words.join(" ").into()
                }
            }
        }
    }
}
