//! `poll` of a tool: what is asked after where the API takes a call and is not done with it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::located::Located;
use super::values::{Period, Pointer, PointerSchema};

/// How a call that the API took, and is not done with, is asked after until it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Poll {
    /// Where an answer says how far it is: a JSON pointer. By default `/status` where the API
    /// names a URL for that alone; else the HTTP status tells.
    #[schemars(with = "Option<PointerSchema>")]
    pub status: Option<Located<Pointer>>,
    /// What stands there when it is done; compared without case. By default `succeeded`,
    /// `success`, `completed`, `complete`, `done`, `finished`.
    pub done: Option<Located<Vec<String>>>,
    /// What stands there when it failed. By default `failed`, `failure`, `error`, `canceled`,
    /// `cancelled`, `aborted`.
    pub failed: Option<Located<Vec<String>>>,
    /// How long is waited between two questions, where the API does not say. By default 2s.
    #[serde(default = "default_every")]
    pub every: Located<Period>,
    /// Where the first answer has the URL to ask at: a JSON pointer. By default it is in a header.
    #[schemars(with = "Option<PointerSchema>")]
    pub at: Option<Located<Pointer>>,
    /// Where the last answer has the result: a JSON pointer. By default it is the result.
    #[schemars(with = "Option<PointerSchema>")]
    pub result: Option<Located<Pointer>>,
    /// Where the last answer has the URL of the result: a JSON pointer.
    #[schemars(with = "Option<PointerSchema>")]
    pub result_at: Option<Located<Pointer>>,
}

impl Default for Poll {
    fn default() -> Self {
        Self {
            status: None,
            done: None,
            failed: None,
            every: default_every(),
            at: None,
            result: None,
            result_at: None,
        }
    }
}

fn default_every() -> Located<Period> {
    Located::nowhere(Period(Duration::from_secs(2)))
}

/// `poll = true`, or a table.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
pub(super) enum PollForm {
    /// `true`: as the headers of the answer say.
    Flag(bool),
    /// Where answers say how far it is.
    Table(Box<Poll>),
}

impl<'de> Deserialize<'de> for PollForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> serde::de::Visitor<'de> for Form {
            type Value = PollForm;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, or a table")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<PollForm, E> {
                Ok(PollForm::Flag(flag))
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<PollForm, A::Error> {
                let table = serde::de::value::MapAccessDeserializer::new(map);
                Poll::deserialize(table).map(|poll| PollForm::Table(Box::new(poll)))
            }
        }
        deserializer.deserialize_any(Form)
    }
}

/// Reads `poll` in either form.
pub(super) fn poll<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Located<Poll>>, D::Error> {
    let form = Located::<PollForm>::deserialize(deserializer)?;
    let span = form.span();
    Ok(match form.into_inner() {
        PollForm::Flag(false) => None,
        PollForm::Flag(true) => Some(Located::new(span, Poll::default())),
        PollForm::Table(poll) => Some(Located::new(span, *poll)),
    })
}
