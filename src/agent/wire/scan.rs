//! One pass over a message: RFC 8259 to the letter, without recursion and without building
//! a value. Beside the grammar it checks what JSON allows and we do not: depth, and members
//! named twice, compared after their escapes are read.

use std::borrow::Cow;

use super::names::Names;
use super::{Code, Envelope, Id, MAX_BYTES, MAX_DEPTH, Refusal};

/// Names with this beginning are how `serde_json` marks numbers and raw text inside itself;
/// an object that uses them would be read as something else than was inspected.
const RESERVED: &str = "$serde_json::private::";

/// Says what a message is, or why it is refused.
pub fn inspect(message: &[u8]) -> Result<Envelope, Refusal> {
    if message.len() > MAX_BYTES {
        return Err(Refusal::too_large());
    }
    let Ok(text) = std::str::from_utf8(message) else {
        return Err(Refusal {
            code: Code::Parse,
            id: None,
            reason: "the message is no UTF-8".to_owned(),
        });
    };
    let mut scanner = Scanner { text, at: 0, top: Members::default(), fault: None };
    match scanner.run() {
        Ok(Root::Object) => scanner.top.envelope(scanner.fault),
        Ok(Root::Array) => Err(invalid(None, "batches are not supported: send one message each")),
        Ok(Root::Other) => Err(invalid(None, "a message is a JSON object")),
        Err(Stop::Syntax(what)) => Err(Refusal {
            code: Code::Parse,
            id: None,
            reason: format!("no JSON: {what} at byte {}", scanner.at),
        }),
        Err(Stop::Depth) => {
            let reason = format!("nested deeper than {MAX_DEPTH} levels");
            Err(invalid(scanner.top.id.usable(), &reason))
        }
    }
}

/// Says what makes a JSON text ambiguous or too deep, where something does: for JSON that
/// comes by another way than in a message.
pub fn unambiguous(text: &str) -> Result<(), String> {
    let mut scanner = Scanner { text, at: 0, top: Members::default(), fault: None };
    match scanner.run() {
        Ok(_) => scanner.fault.map_or(Ok(()), Err),
        Err(Stop::Syntax(what)) => Err(format!("no JSON: {what} at byte {}", scanner.at)),
        Err(Stop::Depth) => Err(format!("nested deeper than {MAX_DEPTH} levels")),
    }
}

fn invalid(id: Option<Id>, reason: &str) -> Refusal {
    Refusal { code: Code::Invalid, id, reason: reason.to_owned() }
}

enum Stop {
    Syntax(&'static str),
    Depth,
}

enum Root {
    Object,
    Array,
    Other,
}

/// A value as far as the envelope cares.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Object,
    Array,
    Text(String),
    Integer(i64),
    Number,
    Null,
    Bool,
}

#[derive(Debug, Default)]
enum Member {
    #[default]
    Absent,
    Once(Kind),
    Twice,
}

impl Member {
    fn set(&mut self, kind: Kind) {
        *self = match self {
            Self::Absent => Self::Once(kind),
            Self::Once(_) | Self::Twice => Self::Twice,
        };
    }

    fn present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    fn usable(&self) -> Option<Id> {
        match self {
            Self::Once(Kind::Text(text)) => Some(Id::Text(text.clone())),
            Self::Once(Kind::Integer(number)) => Some(Id::Number(*number)),
            _ => None,
        }
    }
}

/// The members of the message itself that JSON-RPC gives a meaning.
#[derive(Debug, Default)]
struct Members {
    jsonrpc: Member,
    id: Member,
    method: Member,
    result: Member,
    error: Member,
}

impl Members {
    fn set(&mut self, name: &str, kind: Kind) {
        match name {
            "jsonrpc" => self.jsonrpc.set(kind),
            "id" => self.id.set(kind),
            "method" => self.method.set(kind),
            "result" => self.result.set(kind),
            "error" => self.error.set(kind),
            _ => {}
        }
    }

    fn envelope(self, fault: Option<String>) -> Result<Envelope, Refusal> {
        let id = self.id.usable();
        if let Some(reason) = fault {
            return Err(invalid(id, &reason));
        }
        if !matches!(&self.jsonrpc, Member::Once(Kind::Text(version)) if version == "2.0") {
            return Err(invalid(id, "`jsonrpc` is not \"2.0\""));
        }
        let answers = self.result.present() || self.error.present();
        match self.method {
            Member::Once(Kind::Text(_)) if answers => {
                Err(invalid(id, "a message with `method` has no `result` and no `error`"))
            }
            Member::Once(Kind::Text(method)) if self.id.present() => match id {
                Some(id) => Ok(Envelope::Request { id, method }),
                None => Err(invalid(None, "`id` is neither a string nor an integer of 64 bits")),
            },
            Member::Once(Kind::Text(method)) => Ok(Envelope::Notification { method }),
            Member::Absent if answers => {
                if self.result.present() && self.error.present() {
                    return Err(invalid(id, "a response has either `result` or `error`"));
                }
                // JSON-RPC 2.0 §5: null where the request's id could not be read.
                let unknown = matches!(self.id, Member::Once(Kind::Null)) && self.error.present();
                if id.is_none() && !unknown {
                    return Err(invalid(None, "a response without a usable `id`"));
                }
                Ok(Envelope::Response)
            }
            _ => Err(invalid(id, "`method` is missing or no string")),
        }
    }
}

/// An array or object that is open.
enum Open<'a> {
    Array,
    Object(Names<'a>),
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    top: Members,
    /// The first thing that JSON allows and we do not.
    fault: Option<String>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) -> Result<Root, Stop> {
        let mut open: Vec<Open<'a>> = Vec::with_capacity(8);
        let mut root = Root::Other;
        // The name of the message's own member whose value comes next.
        let mut top: Option<Cow<'a, str>> = None;
        loop {
            // One value, or the opening of one.
            self.space();
            let kind = self.value(top.is_some())?;
            if let Some(name) = top.take() {
                self.top.set(&name, kind.clone());
            }
            if open.is_empty() {
                root = match kind {
                    Kind::Object => Root::Object,
                    Kind::Array => Root::Array,
                    _ => Root::Other,
                };
            }
            let opened = match kind {
                Kind::Object => Some(Open::Object(Names::default())),
                Kind::Array => Some(Open::Array),
                _ => None,
            };
            let mut fresh = opened.is_some();
            if let Some(opened) = opened {
                if open.len() == MAX_DEPTH {
                    return Err(Stop::Depth);
                }
                open.push(opened);
            }
            // What follows it: closings, then a comma, then a name where one is due.
            loop {
                self.space();
                let depth = open.len();
                let Some(innermost) = open.last_mut() else {
                    return match self.peek() {
                        None => Ok(root),
                        Some(_) => Err(Stop::Syntax("something after the message")),
                    };
                };
                let close = if matches!(innermost, Open::Array) { b']' } else { b'}' };
                if self.peek() == Some(close) {
                    self.at += 1;
                    open.pop();
                    fresh = false;
                    continue;
                }
                if !fresh {
                    self.expect(b',', "expected a comma or an end")?;
                    self.space();
                }
                if let Open::Object(names) = innermost {
                    let name = self.string()?;
                    self.space();
                    self.expect(b':', "expected a colon")?;
                    if depth == 1 {
                        top = Some(name.clone());
                    }
                    if name.starts_with(RESERVED) {
                        self.note("member with a reserved name", &name);
                    }
                    if !names.insert(name.clone()) {
                        self.note("member named twice", &name);
                    }
                }
                break;
            }
        }
    }

    fn note(&mut self, what: &str, name: &str) {
        if self.fault.is_none() {
            let shown: String = name
                .chars()
                .take(64)
                .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                .collect();
            self.fault = Some(format!("{what}: {shown}"));
        }
    }

    /// A scalar to its end; an array or object to its opening bracket. Text is kept only
    /// where somebody will ask for it.
    fn value(&mut self, keep: bool) -> Result<Kind, Stop> {
        match self.peek() {
            Some(b'{') => {
                self.at += 1;
                Ok(Kind::Object)
            }
            Some(b'[') => {
                self.at += 1;
                Ok(Kind::Array)
            }
            Some(b'"') => {
                let text = self.string()?;
                Ok(Kind::Text(if keep { text.into_owned() } else { String::new() }))
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Kind::Bool),
            Some(b'f') => self.word("false", Kind::Bool),
            Some(b'n') => self.word("null", Kind::Null),
            Some(_) => Err(Stop::Syntax("expected a value")),
            None => Err(Stop::Syntax("it ends too early")),
        }
    }

    fn word(&mut self, word: &'static str, kind: Kind) -> Result<Kind, Stop> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(kind)
        } else {
            Err(Stop::Syntax("expected a value"))
        }
    }

    /// RFC 8259 §6.
    fn number(&mut self) -> Result<Kind, Stop> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(Stop::Syntax("expected a digit")),
        }
        let mut integer = true;
        if self.peek() == Some(b'.') {
            integer = false;
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            integer = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        let exact = if integer { self.text[start..self.at].parse().ok() } else { None };
        Ok(exact.map_or(Kind::Number, Kind::Integer))
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Stop> {
        let start = self.at;
        self.digits();
        if self.at == start { Err(Stop::Syntax("expected a digit")) } else { Ok(()) }
    }

    /// RFC 8259 §7. Borrowed where nothing is escaped.
    fn string(&mut self) -> Result<Cow<'a, str>, Stop> {
        self.expect(b'"', "expected a string")?;
        let text = self.text;
        let mut read = String::new();
        let mut plain = self.at;
        loop {
            let left = &text.as_bytes()[self.at..];
            let length = left.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            self.at += length.unwrap_or(left.len());
            match self.peek() {
                Some(b'"') => {
                    let rest = &text[plain..self.at];
                    self.at += 1;
                    if read.is_empty() {
                        return Ok(Cow::Borrowed(rest));
                    }
                    read.push_str(rest);
                    return Ok(Cow::Owned(read));
                }
                Some(b'\\') => {
                    read.push_str(&text[plain..self.at]);
                    self.at += 1;
                    read.push(self.escape()?);
                    plain = self.at;
                }
                Some(_) => return Err(Stop::Syntax("control character in a string")),
                None => return Err(Stop::Syntax("it ends too early")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Stop> {
        let Some(byte) = self.peek() else { return Err(Stop::Syntax("it ends too early")) };
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                const LONE: Stop = Stop::Syntax("half a surrogate pair");
                let first = self.hex()?;
                let code = match first {
                    0xd800..=0xdbff => {
                        self.expect(b'\\', "half a surrogate pair")?;
                        self.expect(b'u', "half a surrogate pair")?;
                        let second = self.hex()?;
                        if !(0xdc00..=0xdfff).contains(&second) {
                            return Err(LONE);
                        }
                        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                    }
                    _ => first,
                };
                char::from_u32(code).ok_or(LONE)?
            }
            _ => return Err(Stop::Syntax("unknown escape")),
        })
    }

    fn hex(&mut self) -> Result<u32, Stop> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let value = digits.and_then(|digits| {
            digits.iter().try_fold(0, |value, digit| {
                char::from(*digit).to_digit(16).map(|digit| value * 16 + digit)
            })
        });
        self.at += 4;
        value.ok_or(Stop::Syntax("expected four hexadecimal digits"))
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Stop> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(Stop::Syntax(what))
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}
