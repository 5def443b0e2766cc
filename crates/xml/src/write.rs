//! A writer of XML whose output every conforming reader gives back as it was put in.
//!
//! Names are the caller's to check; text is anybody's. What XML cannot hold, even as a
//! reference, is refused: there is no way to send it.

use std::borrow::Cow;

use quick_xml::Writer;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesCData, BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::name::QName;

use crate::chars;

/// Why a memory write cannot fail, for all writes here.
const INFALLIBLE: &str = "a vector takes every write";

/// Text with a character that XML cannot hold (XML 1.0 §2.2).
#[derive(Debug, PartialEq, Eq)]
pub struct ForbiddenCharacter;

/// A document in the making. Elements are ended by who began them.
pub struct XmlWriter {
    writer: Writer<Vec<u8>>,
}

impl Default for XmlWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl XmlWriter {
    /// Begins a document in UTF-8.
    pub fn new() -> Self {
        let mut document = Self::fragment();
        document.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        document
    }

    /// Begins without a declaration, which says nothing that is not so without it (§2.8).
    pub fn fragment() -> Self {
        Self { writer: Writer::new(Vec::with_capacity(512)) }
    }

    /// Begins an element. Attributes' values are trusted to hold what XML allows.
    pub fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.event(Event::Start(tag(name, attributes)));
    }

    /// Writes an element without content.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.event(Event::Empty(tag(name, attributes)));
    }

    /// Ends an element.
    pub fn end(&mut self, name: &str) {
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// Writes character data.
    pub fn text(&mut self, text: &str) -> Result<(), ForbiddenCharacter> {
        if !text.chars().all(chars::is_xml) {
            return Err(ForbiddenCharacter);
        }
        self.event(Event::Text(BytesText::from_escaped(escape(text))));
        Ok(())
    }

    /// Writes a CDATA section; as many as it takes where the text would end one (§2.7).
    pub fn cdata(&mut self, text: &str) -> Result<(), ForbiddenCharacter> {
        // A section has no references: a carriage return in one would be read as a line feed.
        if !text.chars().all(|c| chars::is_xml(c) && c != '\r') {
            return Err(ForbiddenCharacter);
        }
        for section in BytesCData::escaped(text) {
            self.event(Event::CData(section));
        }
        Ok(())
    }

    /// The document.
    pub fn finish(self) -> Vec<u8> {
        self.writer.into_inner()
    }

    fn event(&mut self, event: Event<'_>) {
        self.writer.write_event(event).expect(INFALLIBLE);
    }
}

fn tag<'a>(name: &'a str, attributes: &[(&'a str, &'a str)]) -> BytesStart<'a> {
    let mut tag = BytesStart::new(name);
    for &(name, value) in attributes {
        tag.push_attribute(Attribute { key: QName(name), value: escape_attribute(value) });
    }
    tag
}

/// Escapes what would be markup, and the carriage return, which a reader would otherwise
/// take for a part of a line's end and drop (XML 1.0 §2.11).
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            // Only `]]>` would need it.
            '>' => escaped.push_str("&gt;"),
            '\r' => escaped.push_str("&#13;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// Escapes an attribute's value: quotes as well, and white space that a reader would turn
/// into spaces (XML 1.0 §3.3.3).
fn escape_attribute(value: &str) -> Cow<'_, str> {
    if !value.contains(['&', '<', '>', '"', '\'', '\t', '\n', '\r']) {
        return Cow::Borrowed(value);
    }
    let mut escaped = String::with_capacity(value.len() + 16);
    for c in value.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' => escaped.push_str("&#9;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}
