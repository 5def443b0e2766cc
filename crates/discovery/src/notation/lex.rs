//! The places and pieces of a text in the notation.

use serde_json::{Number, Value};

use super::read::NotationError;

/// Where in a text one is.
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// What follows, blanks and comments left out.
    pub(super) fn rest(&mut self) -> &'a str {
        loop {
            let rest = &self.text[self.at..];
            let bare = rest.trim_start();
            self.at += rest.len() - bare.len();
            if !bare.starts_with("//") {
                return bare;
            }
            self.at += bare.find('\n').unwrap_or(bare.len());
        }
    }

    pub(super) fn is_at(&mut self, sign: &str) -> bool {
        self.rest().starts_with(sign)
    }

    /// Takes a sign if it is next.
    pub(super) fn take(&mut self, sign: &str) -> bool {
        let is = self.is_at(sign);
        if is {
            self.at += sign.len();
        }
        is
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<(), NotationError> {
        if self.take(sign) { Ok(()) } else { Err(self.error(&format!("`{sign}`"))) }
    }

    /// The plain name that is next.
    pub(super) fn peek_name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return None;
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        Some(&rest[..end])
    }

    pub(super) fn take_name(&mut self) -> Option<&'a str> {
        let name = self.peek_name()?;
        self.at += name.len();
        Some(name)
    }

    /// Takes a word if it is next, and no longer name.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let is = self.peek_name() == Some(word);
        if is {
            self.at += word.len();
        }
        is
    }

    /// The JSON value that is next.
    pub(super) fn json(&mut self) -> Result<Value, NotationError> {
        // Bare words and numbers end where the notation goes on.
        for (word, value) in
            [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)]
        {
            if self.take_word(word) {
                return Ok(value);
            }
        }
        if let Some(number) = self.number() {
            return Ok(Value::Number(number));
        }
        let mut values = serde_json::Deserializer::from_str(self.rest()).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                self.at += values.byte_offset();
                Ok(value)
            }
            _ => Err(self.error("a JSON value")),
        }
    }

    pub(super) fn string(&mut self) -> Result<String, NotationError> {
        match self.json()? {
            Value::String(text) => Ok(text),
            _ => Err(self.error("a JSON string")),
        }
    }

    /// The number that is next. `1..5` are two.
    pub(super) fn number(&mut self) -> Option<Number> {
        let rest = self.rest();
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let ends = |at: usize, c: char| !is_part(c) || rest[at..].starts_with("..");
        let mut chars = rest.char_indices();
        let end = chars.find(|(at, c)| ends(*at, *c)).map_or(rest.len(), |(at, _)| at);
        let number = rest[..end].parse().ok()?;
        self.at += end;
        Some(number)
    }

    /// A pattern: between slashes, or `re` and a JSON string.
    pub(super) fn pattern(&mut self) -> Result<Option<String>, NotationError> {
        if self.take_word("re") {
            return self.string().map(Some);
        }
        let Some(rest) = self.rest().strip_prefix('/') else { return Ok(None) };
        let Some(end) = rest.find('/') else { return Err(self.error("the pattern's end, `/`")) };
        self.at += end + 2;
        Ok(Some(rest[..end].to_owned()))
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn error(&self, expected: &str) -> NotationError {
        NotationError { at: self.at, expected: expected.to_owned() }
    }
}
