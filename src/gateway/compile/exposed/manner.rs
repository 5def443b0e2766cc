//! How a tool's requests are sent where there is a choice: what the tool says, else its API.

use tollbridge_operation::Effect;

use super::One;
use crate::bridge::{Manner, Sharing};
use crate::config::{self, Located, codes};
use crate::tools::Tool;

impl One<'_> {
    /// The manner of a tool. What is said of the tool itself, and cannot be since it does more
    /// than read, is reported.
    pub(super) fn manner(&mut self, tool: &Tool) -> Manner {
        let entry = self.entry;
        if tool.operation.effect != Effect::Read {
            let off = |sharing: &&Located<config::Sharing>| ***sharing != config::Sharing::Off;
            let keys = [
                ("cache", entry.cache.as_ref().filter(off).map(Located::span)),
                ("coalesce", entry.coalesce.as_ref().filter(off).map(Located::span)),
                ("hedge", entry.hedge.as_ref().map(Located::span)),
            ];
            for (key, span) in keys.into_iter().filter_map(|(key, span)| Some((key, span?))) {
                let message = format!("`{}` does more than read, so `{key}` cannot be", tool.name);
                let help =
                    format!("remove `{key}`, or set effect = \"read\" where that is what it is");
                self.error(codes::BOUNDS, span, message, Some(help));
            }
            return Manner::default();
        }
        Manner {
            cache: sharing(entry.cache.as_ref().or(self.api.cache.as_ref())),
            coalesce: sharing(entry.coalesce.as_ref().or(self.api.coalesce.as_ref())),
            hedge: entry.hedge.as_ref().map(|hedge| hedge.0),
        }
    }
}

fn sharing(given: Option<&Located<config::Sharing>>) -> Sharing {
    match given.map_or(config::Sharing::Off, |given| **given) {
        config::Sharing::Off => Sharing::Off,
        config::Sharing::Private => Sharing::Private,
        config::Sharing::Shared => Sharing::Shared,
    }
}
