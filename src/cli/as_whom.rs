//! `--as`, and what else is said of a caller that is tried out at the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use tollbridge_operation::Identity;

use crate::config::Config;
use crate::gateway::{Agent, Caller, Claim, Facts, Transport};

/// Who calls.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct AsWhom {
    /// Who calls; by default the configuration's `server.identity`.
    #[arg(long = "as", value_name = "IDENTITY")]
    identity: Option<Identity>,
    /// A group that its token claims, as if it had one.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A claim of its token, as if it had one: a number and true or false are taken as such.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<NamedClaim>,
    /// What its token allows, as if it had one. Without any it has no token, and is asked for no
    /// scopes.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
}

/// `name=value`.
#[derive(Debug, Clone)]
struct NamedClaim(String, Claim);

impl FromStr for NamedClaim {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
        if name.is_empty() {
            return Err("expected NAME=VALUE");
        }
        let claim = match (value, value.parse()) {
            ("true", _) => Claim::Flag(true),
            ("false", _) => Claim::Flag(false),
            (_, Ok(number)) => Claim::Number(number),
            (text, Err(_)) => Claim::Text(text.to_owned()),
        };
        Ok(Self(name.to_owned(), claim))
    }
}

impl AsWhom {
    /// The caller.
    pub(super) fn caller(&self, config: &Config) -> Caller {
        let identity = self.identity.clone();
        let identity = identity.unwrap_or_else(|| (*config.server.identity).clone());
        let agent = Agent {
            name: "tollbridge-cli".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let claims: BTreeMap<_, _> = self
            .claims
            .iter()
            .map(|NamedClaim(name, value)| (name.clone(), value.clone()))
            .collect();
        let scopes: BTreeSet<_> = self.scopes.iter().cloned().collect();
        let facts =
            Facts { claims, scopes: (!scopes.is_empty()).then_some(scopes), ..Facts::default() };
        Caller {
            groups: self.groups.clone(),
            agent: Some(agent),
            facts: Arc::new(facts),
            ..Caller::new(identity, Transport::Cli)
        }
    }
}
