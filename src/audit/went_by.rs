//! By what a call went: the tools that its caller was offered, and what decided on it. Most calls have
//! it in common with others, so it is kept once ([`Shared`]).

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::store::Shared;

/// Digests of what a call went by. Where the text of them was removed, the rest of the call can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Digests {
    /// Of the tool list that the caller is offered.
    pub tools: String,
    /// Of the configuration.
    pub config: String,
    /// Of the policy files, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Of the API's description.
    pub spec: Option<String>,
}

/// The same, to be named by many calls. In an event it is the member `shared`; it is read from what
/// that stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WentBy {
    digests: Arc<Digests>,
    shared: Shared,
}

impl WentBy {
    /// What names them.
    pub fn new(digests: Digests) -> Self {
        let text = serde_json::to_string(&digests).unwrap_or_default();
        Self { digests: Arc::new(digests), shared: Shared::new(text) }
    }

    /// The digests.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// The text that is kept.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Serialize for WentBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("shared", self.shared.digest())?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for WentBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Digests::deserialize(deserializer).map(Self::new)
    }
}
