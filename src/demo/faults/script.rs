//! What a fault does, as a script in TOML says it: see `faults.toml` beside this file, which is
//! such a script.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// The faults that are built in.
const BUILT_IN: &str = include_str!("faults.toml");

/// Faults by their names.
#[derive(Debug, Clone, Default)]
pub struct Script(BTreeMap<String, Fault>);

/// A script that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It is no TOML, or has keys and steps that there are not: with line and column.
    #[error("{0}")]
    Unreadable(String),
    /// A fault's name cannot stand in a path.
    #[error("`{0}` is no name for a fault: expected letters, digits and `-`")]
    Name(String),
    /// A fault without acts.
    #[error("`{0}` has no acts: expected at least one list of steps")]
    Nothing(String),
}

/// One fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What it is, in a sentence without its full stop.
    pub about: String,
    /// How much of a request is read before it acts.
    #[serde(default)]
    pub read: Read,
    /// The steps of each request, in their order; the last ones again and again.
    pub acts: Vec<Vec<Step>>,
}

/// How much of a request is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Read {
    /// All of it.
    #[default]
    All,
    /// Its head, and nothing of its body.
    Head,
}

/// One step. After the last one the connection waits for the next request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Sends a whole answer.
    Answer(Answer),
    /// Sends this text as it is.
    Send(String),
    /// Sends these bytes.
    Hex(#[serde(deserialize_with = "bytes")] Vec<u8>),
    /// Sends the same text many times.
    Repeat(Repeat),
    /// Sends gzip that unpacks to so many MiB of zeros.
    Bomb(u64),
    /// Waits.
    Pause(#[serde(deserialize_with = "duration")] Duration),
    /// Ends the connection.
    Close,
    /// Ends our side of the connection, and waits for the other.
    HalfClose,
    /// Resets the connection.
    Reset,
    /// Does nothing until the other side ends the connection.
    Hang,
}

/// A whole answer; its length is counted unless a header says otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers. The media type is `application/json` by default.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Its body, by default an empty object.
    #[serde(default = "empty_object")]
    pub body: String,
}

/// The same text many times.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// The text.
    pub send: String,
    /// How many times; without it, for ever.
    pub times: Option<u64>,
    /// How long it waits between two times.
    #[serde(default, deserialize_with = "optional_duration")]
    pub every: Option<Duration>,
}

fn empty_object() -> String {
    "{}".to_owned()
}

impl Script {
    /// The faults that are built in.
    pub fn built_in() -> Self {
        Self::read(BUILT_IN).expect("a test reads it")
    }

    /// Reads a script.
    pub fn read(text: &str) -> Result<Self, ScriptError> {
        let faults: BTreeMap<String, Fault> =
            toml::from_str(text).map_err(|error| ScriptError::Unreadable(error.to_string()))?;
        for (name, fault) in &faults {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(ScriptError::Name(name.clone()));
            }
            if fault.acts.is_empty() {
                return Err(ScriptError::Nothing(name.clone()));
            }
        }
        Ok(Self(faults))
    }

    /// These faults and those; of two with one name, the others' stays.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The fault of that name.
    pub fn get(&self, name: &str) -> Option<&Fault> {
        self.0.get(name)
    }

    /// All faults, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Fault)> {
        self.0.iter().map(|(name, fault)| (name.as_str(), fault))
    }
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    hex::decode(&text).map_err(|_| de::Error::custom("expected bytes in hex, such as \"00ff\""))
}

/// `2s` or `150ms`.
fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    let read = |number: &str, unit: fn(u64) -> Duration| number.parse().ok().map(unit);
    text.strip_suffix("ms")
        .map(|number| read(number, Duration::from_millis))
        .or_else(|| text.strip_suffix('s').map(|number| read(number, Duration::from_secs)))
        .flatten()
        .ok_or_else(|| de::Error::custom("expected a time such as \"2s\" or \"150ms\""))
}

fn optional_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    duration(from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_faults_can_be_read_and_each_says_what_it_is() {
        let script = Script::built_in();
        assert!(script.iter().count() > 60);
        for (name, fault) in script.iter() {
            assert!(!fault.about.is_empty() && !fault.about.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn a_mistake_in_a_script_is_named_with_its_line() {
        for (text, expected) in [
            ("[x]\nabout = \"a\"\nacts = [[\"explode\"]]", "line 3"),
            ("[x]\nabout = \"a\"\nacts = [[{ pause = \"soon\" }]]", "expected a time"),
            ("[x]\nabout = \"a\"\nacts = [[{ hex = \"x\" }]]", "expected bytes in hex"),
            ("[x]\nabout = \"a\"\nact = []", "unknown field"),
            ("[x]\nabout = \"a\"\nacts = []", "`x` has no acts"),
            ("[\"a/b\"]\nabout = \"a\"\nacts = [[]]", "`a/b` is no name"),
        ] {
            let error = Script::read(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
