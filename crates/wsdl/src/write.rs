//! A writer of XML whose output every conforming reader gives back as it was put in.
//!
//! Names are the plan's, which is checked; text is anybody's. What XML cannot hold, even as
//! a reference, is refused: there is no way to send it.

use std::borrow::Cow;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::chars;

/// Why a memory write cannot fail, for all writes here.
const INFALLIBLE: &str = "a vector takes every write";

/// Text with a character that XML cannot hold (XML 1.0 §2.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ForbiddenCharacter;

/// A document in the making. Elements are ended by who began them.
pub(crate) struct XmlWriter {
    writer: Writer<Vec<u8>>,
}

impl XmlWriter {
    /// Begins a document in UTF-8.
    pub(crate) fn new() -> Self {
        let mut document = Self { writer: Writer::new(Vec::with_capacity(512)) };
        document.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        document
    }

    /// Begins an element. Attributes' values are trusted to hold what XML allows.
    pub(crate) fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.event(Event::Start(tag(name, attributes)));
    }

    /// Writes an element without content.
    pub(crate) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.event(Event::Empty(tag(name, attributes)));
    }

    /// Ends an element.
    pub(crate) fn end(&mut self, name: &str) {
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// Writes character data.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), ForbiddenCharacter> {
        if !text.chars().all(chars::is_xml) {
            return Err(ForbiddenCharacter);
        }
        self.event(Event::Text(BytesText::from_escaped(escape(text))));
        Ok(())
    }

    /// The document.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.writer.into_inner()
    }

    fn event(&mut self, event: Event<'_>) {
        self.writer.write_event(event).expect(INFALLIBLE);
    }
}

fn tag<'a>(name: &'a str, attributes: &[(&'a str, &'a str)]) -> BytesStart<'a> {
    let mut tag = BytesStart::new(name);
    for &(name, value) in attributes {
        tag.push_attribute((name, value));
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
