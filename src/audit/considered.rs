//! A policy that was considered, as the trail keeps it with the decision. Each call has one of
//! each, so what is the same for many of them is shared and not copied.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A policy that was considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsideredRow {
    /// Its name.
    pub rule: String,
    /// What it does: `permit`, `forbid` or `hold`.
    pub effect: Cow<'static, str>,
    /// What became of it: `satisfied`, `not satisfied`, or `failed`, which denies the call.
    pub outcome: Cow<'static, str>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it reads.
    #[serde(default, skip_serializing_if = "ReadValues::is_empty")]
    pub values: ReadValues,
}

/// The places that a policy reads, and what stood there, as JSON. In JSON an object of texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadValues(pub Vec<(Arc<str>, Arc<str>)>);

impl ReadValues {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for ReadValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (&**name, &**value)))
    }
}

impl<'de> Deserialize<'de> for ReadValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Map::deserialize(deserializer)?.into_iter().map(|(name, value)| {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            (name.into(), text.into())
        });
        Ok(Self(read.collect()))
    }
}
