//! A description as values, with places in them and references followed.
//!
//! Nothing is expanded: a reference is followed when its piece is needed. One that leads nowhere
//! is a [`Fault`] of whatever needs it. What a reference names is said in `references`.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use serde_json::{Map, Value};
use tollbridge_operation::Warning;
use url::Url;

pub(crate) use crate::json::Examples;
pub(crate) use crate::pointer::Pointer;
use crate::references::{Documents, Library, Missing};
use crate::{ReadError, json, yaml};

/// More than any real description has; the largest document known to us has 37 MB.
pub(crate) const MAX_BYTES: usize = 64 * 1024 * 1024;
/// A chain of references longer than this is a mistake or an attack.
const MAX_HOPS: usize = 64;

/// Which family of specifications a document follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// Swagger 2.0.
    Swagger2,
    /// OpenAPI 3.0.
    OpenApi30,
    /// OpenAPI 3.1 and 3.2, and later ones as far as they are the same.
    OpenApi31,
}

/// Why an operation cannot be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) pointer: Pointer,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn new(pointer: &Pointer, reason: impl Into<String>) -> Self {
        Self { pointer: pointer.clone(), reason: reason.into() }
    }
}

/// The readings that were made of what is wrong; bounded, since a document may be wrong in
/// every line.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Vec<Warning>);

impl Warnings {
    const MOST: usize = 1000;

    pub(crate) fn add(&mut self, pointer: &Pointer, message: impl Into<String>) {
        if self.0.len() >= Self::MOST {
            return;
        }
        let warning = Warning { pointer: pointer.to_string(), message: text_line(&message.into()) };
        if self.0.last() != Some(&warning) {
            self.0.push(warning);
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Warning> {
        self.0
    }
}

/// A document that says that it is an OpenAPI document.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) root: Value,
    pub(crate) flavour: Flavour,
    pub(crate) format: String,
    pub(crate) library: Library,
    /// Whether files may be named by a path.
    pub(crate) takes_paths: bool,
}

impl Document {
    /// Looks which specification a value claims to follow, and gathers what it refers to.
    pub(crate) fn of(
        root: Value,
        source: Option<&Url>,
        documents: &dyn Documents,
        warnings: &mut Warnings,
    ) -> Result<Self, ReadError> {
        let (flavour, format) = flavour(&root, warnings)?;
        let library = Library::gather(&root, source, documents, warnings);
        Ok(Self { root, flavour, format, library, takes_paths: false })
    }

    pub(crate) fn at(&self, pointer: &Pointer) -> Option<&Value> {
        match pointer.document() {
            0 => &self.root,
            other => self.library.value(other)?,
        }
        .pointer(pointer.as_str())
    }

    /// Follows `value`'s `$ref`, and that one's, to something that is none.
    pub(crate) fn resolve<'a>(
        &'a self,
        at: Pointer,
        value: &'a Value,
    ) -> Result<(Pointer, &'a Value), Fault> {
        let (mut at, mut value) = (at, value);
        let start = at.clone();
        for _ in 0..MAX_HOPS {
            let Some(reference) = reference(value) else { return Ok((at, value)) };
            let target = self.target(&at, reference)?;
            if target.0 == at {
                break;
            }
            (at, value) = target;
        }
        Err(Fault::new(&start, "the reference leads back to itself; let it point to a definition"))
    }

    /// The place that a `$ref` names.
    pub(crate) fn target(&self, at: &Pointer, reference: &str) -> Result<(Pointer, &Value), Fault> {
        let missing = match self.library.locate(at, reference) {
            Ok(places) => {
                let found = places.into_iter().find_map(|at| self.at(&at).map(|value| (at, value)));
                match found {
                    Some(found) => return Ok(found),
                    None => Missing::Nothing,
                }
            }
            Err(missing) => missing,
        };
        let shown: String = text_line(reference).chars().take(200).collect();
        let reason = match missing {
            Missing::Fragment => format!(
                "`$ref: {shown}` is no JSON pointer; write it as `#/components/schemas/NAME`"
            ),
            Missing::Document(reason) => {
                format!("`$ref: {shown}` points to another document: {reason}")
            }
            Missing::Nothing if reference.starts_with('#') => {
                format!("`$ref: {shown}` points to nothing in this document")
            }
            Missing::Nothing => format!("`$ref: {shown}` points to nothing in that document"),
        };
        Err(Fault::new(&at.child("$ref"), reason))
    }
}

/// Parses JSON or YAML.
pub(crate) fn parse(bytes: &[u8], warnings: &mut Warnings) -> Result<Value, ReadError> {
    parse_with(bytes, Examples::Kept, warnings)
}

/// The same, perhaps without the examples that are never read. YAML keeps them.
pub(crate) fn parse_with(
    bytes: &[u8],
    examples: Examples,
    warnings: &mut Warnings,
) -> Result<Value, ReadError> {
    if bytes.len() > MAX_BYTES {
        return Err(ReadError::TooLarge { size: bytes.len(), limit: MAX_BYTES });
    }
    let (text, wrong) = decoded(bytes);
    let parsed = parse_text(&text, examples, warnings);
    match (parsed, wrong) {
        (Ok(value), Some(Wrong { line, column })) => {
            let message = format!(
                "line {line}, column {column}: expected UTF-8; the document is read as Windows-1252"
            );
            warnings.add(&Pointer::root(), message);
            Ok(value)
        }
        // What is no text at all is told of as that.
        (Err(ReadError::Syntax { .. }), Some(Wrong { line, column })) => {
            let message = "expected UTF-8; save the document in that encoding".to_owned();
            Err(ReadError::Syntax { line, column, message })
        }
        (parsed, _) => parsed,
    }
}

fn parse_text(text: &str, examples: Examples, warnings: &mut Warnings) -> Result<Value, ReadError> {
    // JSON is YAML, and a JSON parser says better what is wrong with it.
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml::parse(text);
    }
    match json::parse(text, examples, warnings) {
        // YAML has braces, too.
        Err(error @ ReadError::Syntax { .. }) => yaml::parse(text).map_err(|_| error),
        parsed => parsed,
    }
}

/// The `$ref` of an object that has one.
pub(crate) fn reference(value: &Value) -> Option<&str> {
    member(value.as_object()?, "$ref")?.as_str()
}

/// A member of an object. Most have few, which are compared faster than a name is hashed.
pub(crate) fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    const FEW: usize = 12;
    if object.len() > FEW {
        return object.get(name);
    }
    object.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The place of the first byte that is no UTF-8.
struct Wrong {
    line: usize,
    column: usize,
}

/// The text of a document: UTF-8, or UTF-16 with its mark (YAML 1.2.2 §5.2). What is neither was
/// most often saved by an editor that writes Windows-1252.
fn decoded(bytes: &[u8]) -> (Cow<'_, str>, Option<Wrong>) {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes).filter(|(one, _)| *one != UTF_8) {
        return (encoding.decode_without_bom_handling(&bytes[mark..]).0, None);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
            let wrong = Wrong {
                line: before.split(|&b| b == b'\n').count(),
                column: String::from_utf8_lossy(&before[line_start..]).chars().count() + 1,
            };
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
            (text, Some(wrong))
        }
    }
}

fn flavour(root: &Value, warnings: &mut Warnings) -> Result<(Flavour, String), ReadError> {
    let fail = |message: String| Err(ReadError::NotOpenApi { message });
    let Some(object) = root.as_object() else {
        return fail("expected an object with the member `openapi` or `swagger`".to_owned());
    };
    let at = Pointer::root();
    if let Some(version) = object.get("openapi").and_then(scalar_text) {
        let version = text_line(&version);
        let format = format!("OpenAPI {version}");
        let minor = version.trim().strip_prefix("3.").map(|rest| {
            rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().to_owned()
        });
        return match minor.as_deref() {
            Some("0") => Ok((Flavour::OpenApi30, format)),
            Some("1" | "2") => Ok((Flavour::OpenApi31, format)),
            Some(_) => {
                warnings.add(
                    &at.child("openapi"),
                    format!("OpenAPI {version} is read as far as it is the same as 3.2"),
                );
                Ok((Flavour::OpenApi31, format))
            }
            None => fail(format!("`openapi: {version}`; expected 3.0, 3.1 or 3.2")),
        };
    }
    if let Some(version) = object.get("swagger").and_then(scalar_text) {
        let version = text_line(&version);
        return if version.trim() == "2.0" || version.trim() == "2" {
            Ok((Flavour::Swagger2, "Swagger 2.0".to_owned()))
        } else {
            fail(format!("`swagger: {version}`; expected 2.0 (convert older ones first)"))
        };
    }
    for (member, what) in [
        (
            "arazzo",
            "an Arazzo document, which is about workflows; import the descriptions that it names",
        ),
        ("overlay", "an overlay; name it in `overlays` of the API that it changes"),
        ("asyncapi", "an AsyncAPI document, which is about messages"),
        ("swaggerVersion", "Swagger 1; convert it first"),
    ] {
        if object.contains_key(member) {
            return fail(format!("this is {what}"));
        }
    }
    fail("expected a member `openapi` (3.0 to 3.2) or `swagger` (2.0) at the top".to_owned())
}

/// A string, or a number or boolean as it was written: YAML authors leave out quotes.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Text of a document for people and models: bounded, with no control characters but line
/// breaks and tabs, and without the invisible marks that turn text around or hide it.
pub(crate) fn text(raw: &str) -> String {
    const MOST: usize = 64 * 1024;
    raw.chars().filter(|&c| c != '\r').map(printable).take(MOST).collect()
}

/// The same on one line.
pub(crate) fn text_line(raw: &str) -> String {
    const MOST: usize = 2000;
    raw.chars()
        .map(|c| if matches!(c, '\n' | '\t' | '\r') { ' ' } else { printable(c) })
        .take(MOST)
        .collect()
}

/// A character that shows: U+FFFD for one that does not, so that a reader can tell that
/// something stood there.
fn printable(c: char) -> char {
    if unprintable(c) && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }
}

fn unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
}

/// The text of a member, where it has some.
pub(crate) fn text_member(value: &Value, name: &str) -> Option<String> {
    let text = text(value.get(name)?.as_str()?);
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::references::NoDocuments;

    fn parsed(bytes: &[u8]) -> Result<Document, ReadError> {
        let mut warnings = Warnings::default();
        Document::of(parse(bytes, &mut warnings)?, None, &NoDocuments, &mut warnings)
    }

    fn document(text: &str) -> Document {
        parsed(text.as_bytes()).expect("a document")
    }

    #[test]
    fn a_reference_may_be_percent_encoded_and_lead_to_another() {
        let document =
            document(r##"{"openapi":"3.0.0","a":{"x/y z":{"$ref":"#/b"}},"b":{"end":true}}"##);
        let start = serde_json::json!({"$ref": "#/a/x~1y%20z"});
        let (at, value) = document.resolve(Pointer::root(), &start).expect("resolves");
        assert_eq!(at.as_str(), "/b");
        assert_eq!(value, &serde_json::json!({"end": true}));
    }

    #[test]
    fn a_reference_loop_is_a_fault() {
        let document = document(r##"{"openapi":"3.0.0","a":{"$ref":"#/b"},"b":{"$ref":"#/a"}}"##);
        let start = serde_json::json!({"$ref": "#/a"});
        let fault = document.resolve(Pointer::root(), &start).expect_err("a loop");
        assert!(fault.reason.contains("itself"), "{}", fault.reason);
    }

    #[test]
    fn a_reference_out_of_the_document_is_a_fault() {
        let document = document(r#"{"openapi":"3.0.0"}"#);
        for (reference, word) in [
            ("other.yaml#/x", "another document"),
            ("#/nowhere", "nothing"),
            ("#anchor", "no JSON pointer"),
        ] {
            let start = serde_json::json!({"$ref": reference});
            let fault = document.resolve(Pointer::root(), &start).expect_err(reference);
            assert!(fault.reason.contains(word), "{}", fault.reason);
            assert_eq!(fault.pointer.as_str(), "/$ref");
        }
    }

    #[test]
    fn versions_are_told_apart() {
        for (text, flavour) in [
            ("swagger: 2.0", Flavour::Swagger2),
            ("openapi: 3.0.3", Flavour::OpenApi30),
            ("openapi: 3.1", Flavour::OpenApi31),
            ("openapi: 3.2.0", Flavour::OpenApi31),
        ] {
            assert_eq!(document(text).flavour, flavour, "{text}");
        }
        for bad in ["openapi: 4.0.0", "swagger: '1.2'", "a: b", "- x", "just text", ""] {
            assert!(matches!(parsed(bad.as_bytes()), Err(ReadError::NotOpenApi { .. })), "{bad}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_have_a_place() {
        assert_eq!(
            parsed(b"openapi: 3.1.0\nx: \"\xff").expect_err("not UTF-8").to_string(),
            "line 2, column 5: expected UTF-8; save the document in that encoding"
        );
    }

    #[test]
    fn texts_in_other_encodings_are_read_and_said_to_be() {
        let text = "openapi: 3.1.0\nx: Gr\u{f6}\u{df}e \u{2013}\n";
        let utf16 = |order: fn(u16) -> [u8; 2], mark: [u8; 2]| {
            let units = text.encode_utf16().flat_map(order);
            mark.into_iter().chain(units).collect::<Vec<u8>>()
        };
        let windows = b"openapi: 3.1.0\nx: Gr\xf6\xdfe \x96\n".to_vec();
        let told = ["line 2, column 6: expected UTF-8; the document is read as Windows-1252"];
        for (bytes, told) in [
            (utf16(u16::to_le_bytes, [0xff, 0xfe]), &[][..]),
            (utf16(u16::to_be_bytes, [0xfe, 0xff]), &[]),
            (windows, &told),
        ] {
            let mut warnings = Warnings::default();
            let value = parse(&bytes, &mut warnings).expect("a document");
            assert_eq!(value["x"], "Gr\u{f6}\u{df}e \u{2013}");
            let messages: Vec<_> = warnings.into_vec().into_iter().map(|one| one.message).collect();
            assert_eq!(messages, told);
        }
    }
}
