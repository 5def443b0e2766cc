//! What a message carries beside its arguments: what the configuration encloses, and what is
//! new in every message.
//!
//! For SOAP these are header blocks, a security token and the forms of a message; a binding of
//! another protocol encloses nothing. Secrets are in here, so nothing of it is ever printed.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// What the configuration has enclosed in each message of an API.
#[derive(Clone, Default, PartialEq)]
pub struct Enclosure {
    /// Fixed header blocks, over which no argument has a say.
    pub blocks: Vec<HeaderBlock>,
    /// WS-Security.
    pub security: Option<MessageSecurity>,
    /// Whether messages are addressed (WS-Addressing); `None`: as the description says.
    pub addressing: Option<bool>,
    /// Whether bytes travel beside the envelope (MTOM); `None`: as the description says.
    pub mtom: Option<bool>,
}

/// A fixed header block.
#[derive(Clone, PartialEq)]
pub struct HeaderBlock {
    /// The local name of a header that the description has, or `{namespace}name` of any.
    pub name: String,
    /// Its value, its secrets resolved.
    pub value: Value,
    /// Its value as it may be seen.
    pub shown: Value,
}

/// WS-Security (OASIS WSS SOAP Message Security 1.1), as far as we speak it.
#[derive(Clone, PartialEq)]
pub struct MessageSecurity {
    /// The user of the `UsernameToken`.
    pub username: String,
    /// Its password.
    pub password: Password,
    /// How the password is sent; `None`: as the description says, else as text.
    pub digest: Option<bool>,
    /// How long a message is valid, by its `Timestamp`; `None`: as the description says.
    pub timestamp: Option<Duration>,
    /// Whether a service that knows no WS-Security must refuse the message.
    pub must_understand: bool,
}

/// A password, or what stands for one where it may not be seen.
#[derive(Clone, PartialEq)]
pub enum Password {
    /// The password.
    Clear(String),
    /// What is shown instead.
    Hidden(&'static str),
}

/// What is new in every message. Time, randomness and place come in here, so that a binding
/// stays pure.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The time since the Unix epoch.
    pub now: Duration,
    /// Bytes that nobody can foretell and that were never used before.
    pub random: [u8; 32],
    /// The URL that the message goes to.
    pub to: &'a str,
}

impl Enclosure {
    /// Whether nothing is enclosed and nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it holds what proves who we are: it must not reach another origin.
    pub fn is_confidential(&self) -> bool {
        self.security.is_some() || self.blocks.iter().any(|block| block.value != block.shown)
    }

    /// The same as it may be seen, with `mask` in place of secrets.
    #[must_use]
    pub fn shown(&self, mask: &'static str) -> Self {
        let blocks = self.blocks.iter().map(|block| HeaderBlock {
            name: block.name.clone(),
            value: block.shown.clone(),
            shown: block.shown.clone(),
        });
        let security = self.security.as_ref().map(|security| MessageSecurity {
            password: Password::Hidden(mask),
            ..security.clone()
        });
        Self { blocks: blocks.collect(), security, ..*self }
    }
}

impl fmt::Debug for Enclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.blocks.iter().map(|block| block.name.as_str()).collect();
        f.debug_struct("Enclosure").field("blocks", &names).finish_non_exhaustive()
    }
}

impl fmt::Debug for HeaderBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeaderBlock").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for MessageSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSecurity").finish_non_exhaustive()
    }
}
